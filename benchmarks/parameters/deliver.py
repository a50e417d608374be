"""Does every allowed value of every parameter deliver a result? Runs the cases of :mod:`cases` and keeps a table.

``python benchmarks/parameters/deliver.py [--notebook NN_name] [--at-most N]`` executes each case in a process of its
own (forked, so that imports are paid once) and writes ``tests/parameters/delivered.csv`` after each. Cases that stand
there are not run again, so that a run that was stopped goes on; ``--again failed`` repeats those that failed, ``--again
all`` everything.
"""

import argparse
import csv
import importlib
import itertools
import json
import multiprocessing
import os
import tempfile
import time
import traceback
from collections.abc import Iterator
from multiprocessing import connection
from pathlib import Path
from typing import Any

import cases
import in_process

from tokenomics import paths, sections
from tokenomics.errors import TokenomicsError
from tokenomics.pipeline import environment
from tokenomics.sections.registry import NOTEBOOKS

TABLE = paths.ROOT / "tests" / "parameters" / "delivered.csv"
COLUMNS = ("notebook", "parameters", "delivered", "seconds", "warnings", "error")
MOST_SECONDS = 900
FORK = multiprocessing.get_context("fork")
Key = tuple[str, str]


def main() -> int:
    """Run what was not run yet; exit code 1 if anything in the table was not delivered."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--notebook", action="append", choices=NOTEBOOKS)
    parser.add_argument("--at-most", type=int, default=10**6, help="cases of each notebook: the first so many")
    parser.add_argument("--again", choices=("failed", "all"))
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--table", type=Path, default=TABLE)
    asked = parser.parse_args()
    rows = read(asked.table)
    turns = itertools.zip_longest(*(named(name, asked.at_most) for name in asked.notebook or NOTEBOOKS))
    wanted = [key for turn in turns for key in turn if key]
    todo = [key for key in wanted if asked.again == "all" or _is_open(rows.get(key), asked.again)]
    for count, row in enumerate(run_all(todo, asked.processes), 1):
        rows[row["notebook"], row["parameters"]] = row
        write(rows, asked.table)
        print(f"{count}/{len(todo)}", *row.values(), sep=" | ", flush=True)
    for name in NOTEBOOKS:
        mine = [row["delivered"] for row in rows.values() if row["notebook"] == name]
        print(f"{name}: {mine.count('yes')} of {len(mine)} delivered")
    return int(any(row["delivered"] != "yes" for row in rows.values()))


def named(notebook: str, at_most: int) -> list[Key]:
    """The first cases of a notebook, overrides as JSON."""
    return [(notebook, json.dumps(case, ensure_ascii=False)) for case in cases.drawn(notebook)[:at_most]]


def run_all(todo: list[Key], processes: int) -> Iterator[dict[str, Any]]:
    """A row for each case, as they end; at most ``processes`` at a time."""
    environment.apply({})
    _import_once()
    waiting, running = list(todo), {}
    while waiting or running:
        while waiting and len(running) < processes:
            receive, send = FORK.Pipe(duplex=False)
            child = FORK.Process(target=_child, args=(send, *waiting[0]))
            child.start()
            send.close()
            running[receive] = (child, waiting.pop(0), time.monotonic())
        ended = connection.wait(running, timeout=5)
        late = [each for each, (_, _, start) in running.items() if time.monotonic() - start > MOST_SECONDS]
        for receive in {*ended, *late}:
            child, key, start = running.pop(receive)
            yield _row(key, *_outcome(receive), time.monotonic() - start)
            child.kill()
            child.join()


def _import_once() -> None:
    """Load here what every child needs, so that the children find it."""
    for name in ("IPython.display", "seaborn"):
        importlib.import_module(name)
    for folder in Path(sections.__file__).parent.glob("s[0-9]*/*.py"):
        importlib.import_module(f"tokenomics.sections.{folder.parent.name}.{folder.stem}")


def _outcome(receive: connection.Connection) -> tuple[list[str], str]:
    if not receive.poll():
        return [], f"no result after {MOST_SECONDS} s"
    try:
        return receive.recv()
    except EOFError:
        return [], "the process was killed (out of memory?)"


def _child(send: connection.Connection, notebook: str, parameters: str) -> None:
    overrides = [f"{key}={json.dumps(value)}" for key, value in json.loads(parameters).items()]
    try:
        with tempfile.TemporaryDirectory() as folder:
            send.send((in_process.execute(notebook, Path(folder), overrides), ""))
    except TokenomicsError as error:
        if os.environ.get("DELIVER_TRACE"):
            traceback.print_exception(error)
        send.send(([], str(error)))


def _row(key: Key, warnings: list[str], error: str, seconds: float) -> dict[str, Any]:
    values = (*key, "no" if error else "yes", round(seconds), "; ".join(warnings), error)
    return dict(zip(COLUMNS, values, strict=True))


def _is_open(row: dict[str, Any] | None, again: str | None) -> bool:
    return row is None or (again == "failed" and row["delivered"] != "yes")


def read(table: Path) -> dict[Key, dict[str, Any]]:
    """The rows of the table by notebook and parameters; nothing where there is no table yet."""
    if not table.exists():
        return {}
    with table.open(encoding="utf-8", newline="") as file:
        return {(row["notebook"], row["parameters"]): row for row in csv.DictReader(file)}


def write(rows: dict[Key, dict[str, Any]], table: Path) -> None:
    """The table, sorted, so that the order of runs leaves no trace."""
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[key] for key in sorted(rows))


if __name__ == "__main__":
    raise SystemExit(main())
