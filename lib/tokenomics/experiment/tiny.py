"""``python -m tokenomics.experiment.tiny``: the whole chain on five products, twice from cleared folders, and checks.

Both runs go at the same time, one on each core; the second is killed while it tunes and goes on. Checked: the loss
falls; the untuned model without chunks is worse than with them; the tuned model without chunks is worse on changed
facts than the untuned one with them; both runs gave the same answers and adapters. No accuracy is promised: five
products and a minute of training are too few.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tokenomics import paths
from tokenomics.errors import RunError, one_line
from tokenomics.experiment import evaluation, packages
from tokenomics.experiment.jobs import read_table
from tokenomics.experiment.settings import tiny

FOLDER = paths.RUNS / "experiment-tiny"
SAME = ("facts.csv", "questions.csv", "retrieval.csv", "losses.csv", "predictions.csv", "adapter_16bit.safetensors")
POLL_S = 0.1
Shares = Mapping[tuple[str, str], float]


def run() -> str:
    """Run twice and check.

    Returns:
        What was seen, in one line.

    Raises:
        RunError: a run that failed, or a check.
    """
    packages.require()
    shutil.rmtree(FOLDER, ignore_errors=True)
    started = time.perf_counter()
    folders = [FOLDER / name for name in ("first", "second")]
    _run_both(folders)
    tables = [tiny(folder).out for folder in folders]
    for name in SAME:
        if (tables[0] / name).read_bytes() != (tables[1] / name).read_bytes():
            raise RunError(f"{name} differs between two runs of the same settings")
    losses = [float(row["loss"]) for row in read_table(tables[0] / "losses.csv") if row["recipe"] == "lora"]
    shares = right_shares(tables[0])
    check(losses, shares)
    told = ", ".join(f"{arm} {split} {share:.2f}" for (arm, split), share in sorted(shares.items()))
    return f"loss {losses[0]:.2f} to {losses[-1]:.2f}; right: {told}; {time.perf_counter() - started:.0f} s"


def right_shares(tables: Path) -> Shares:
    """Share of right answers by arm and split."""
    questions = {row["question"]: row for row in read_table(tables / "questions.csv")}
    found: dict[tuple[str, str], list[bool]] = {}
    for row in read_table(tables / "predictions.csv"):
        question = questions[row["question"]]
        key = (row["arm"], question["split"])
        found.setdefault(key, []).append(evaluation.correct(row["answer"], question["answer"]))
    return {key: sum(values) / len(values) for key, values in found.items()}


def check(losses: list[float], shares: Shares) -> None:
    """What must hold of any run of the chain.

    Raises:
        RunError: the first that does not.
    """
    wrong = {
        "the loss does not fall": losses[-1] >= losses[0] / 2,
        "no better with chunks than without": shares["base", "unseen"] >= shares["rag", "unseen"],
        "tuned is not worse on changed facts": shares["lora", "updated"] >= shares["rag", "updated"],
    }
    for what, is_so in wrong.items():
        if is_so:
            raise RunError(f"experiment: {what} (loss {losses[0]:.2f} to {losses[-1]:.2f}; {dict(shares)})")


def _run_both(folders: list[Path]) -> None:
    """Both runs at once; the second is killed at its first checkpoint and started again."""
    environment = os.environ | {"TOKENOMICS_QUIET": "1"}
    commands = [[sys.executable, "-m", "tokenomics.experiment", f"tiny:{folder}"] for folder in folders]
    running = [subprocess.Popen(command, env=environment) for command in commands]
    while running[1].poll() is None and not any(tiny(folders[1]).work.glob("tune/*.checkpoint")):
        time.sleep(POLL_S)
    running[1].kill()
    running[1].wait()
    running[1] = subprocess.Popen(commands[1], env=environment)
    codes = [each.wait() for each in running]
    if any(codes):
        raise RunError("experiment: a run of the tiny chain failed, see above")


if __name__ == "__main__":
    with one_line():
        print(run())
