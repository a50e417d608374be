"""Predictions of other tools on the project's measured rows: ``python benchmarks/peers/predict.py``.

Writes data/peers/predictions.csv, a line for every row and peer; the measured values are never read. Points are
predicted once however many rows share them. Needs an environment of its own with the extra ``peers``.
"""

import argparse
import csv
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import rows
from rows import CannotDoError, Point, Times
from tqdm import tqdm
from with_aiconfigurator import AIConfigurator
from with_genz import GenZ
from with_llm_analysis import LLMAnalysisPeer

from tokenomics import paths

OUT = paths.DATA / "peers" / "predictions.csv"
COLUMNS = ("table", "case", "peer", "peer_version", "predicted", "unit", "status", "source")
DIGITS = 6
SECOND_EFFICIENCY = 0.8
"""A usual share of peak, fixed before any row was predicted."""


def peers() -> list:
    """Every peer at its defaults, and GenZ once more with an efficiency."""
    return [AIConfigurator(), GenZ(), GenZ(SECOND_EFFICIENCY), LLMAnalysisPeer()]


class Memo:
    """A peer's answers, each asked for once; refusals are remembered too.

    Args:
        peer: an adapter: ``name``, ``version``, ``source``, ``reads_engine``, and a method for each quantity.
    """

    def __init__(self, peer):
        self.peer, self.known, self.failures = peer, {}, Counter()

    def times(self, at: Point) -> Times:
        """The quantities of a point, computed when called."""
        at = at if self.peer.reads_engine else replace(at, engine="")
        names = ("prefill_ms", "step_ms", "max_output_tok_s")
        return Times(*(lambda name=name: self._ask(name, at) for name in names))

    def _ask(self, name: str, at: Point) -> float:
        key = (name, at)
        if key not in self.known:
            self.known[key] = self._answer(name, at)
        answer = self.known[key]
        if isinstance(answer, str):
            raise CannotDoError(answer)
        return answer

    def _answer(self, name: str, at: Point) -> float | str:
        """A quantity, or the status that says why there is none."""
        try:
            answer = float(getattr(self.peer, name)(at))
            return answer if math.isfinite(answer) and answer > 0 else "failed"
        except CannotDoError as error:
            return str(error)
        except Exception as error:  # a peer may fail in any way; the row then says so
            self.failures[f"{type(error).__name__}: {str(error)[:200]}"] += 1
            return "failed"


def predicted(memo: Memo, row) -> tuple[str, str]:
    """The predicted value as text (empty where there is none) and the status."""
    try:
        at = rows.point(row)
        return f"{rows.value(row, at, memo.times(at)):.{DIGITS}g}", "ok"
    except CannotDoError as error:
        return "", str(error)


def lines(memo: Memo, table) -> list[tuple]:
    """The lines of one peer for all rows."""
    peer, made = memo.peer, []
    for _, row in tqdm(table.iterrows(), total=len(table), desc=peer.name, mininterval=5):
        value, status = predicted(memo, row)
        made.append((row["table"], row["case"], peer.name, peer.version, value, row["unit"], status, peer.source))
    return made


def write(path: Path, made: list[tuple]) -> None:
    """The table, sorted by its key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(COLUMNS)
        out.writerows(sorted(made))


def main() -> None:
    """Predict, write, and say how many rows each peer could do."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT, help="the table to write")
    parser.add_argument("--rows", type=int, help="only this many rows, evenly spread (a trial)")
    arguments = parser.parse_args()
    table = rows.asked()
    if arguments.rows:
        table = table.iloc[:: max(len(table) // arguments.rows, 1)]
    made = []
    for peer in peers():
        memo = Memo(peer)
        made += (new := lines(memo, table))
        peer.tidy()
        print(f"{peer.name} {peer.version}:", dict(Counter(line[6] for line in new)))
        for failure, times in memo.failures.most_common(5):
            print(f"  {times} points: {failure}")
    write(arguments.out, made)
    print(f"{len(made):,} lines in {paths.shown(arguments.out)}")


if __name__ == "__main__":
    main()
