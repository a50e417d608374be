"""The work of a stage: pieces done in parallel processes of one thread each, and what is kept of them on disk.

Every file is written whole or not at all, so that a killed run finds only finished pieces and a rerun skips them.
"""

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tokenomics import paths
from tokenomics.errors import DataError
from tokenomics.experiment.settings import Settings

Job = tuple[Any, ...]
DIGITS = 6


def run_all(
    work: Callable[[Settings, Job, int], None],
    settings: Settings,
    jobs: Sequence[Job],
    what: str,
    *,
    apart: bool = False,
    after: Mapping[Job, Job] | None = None,
) -> None:
    """Do each job once; the first error ends all.

    Args:
        work: does a job and keeps its result; skips what is kept already. The last argument is the line on the
            terminal that its progress bar may use.
        settings: the experiment.
        jobs: what to do, in this order.
        what: name on the progress bar.
        apart: a process for each job, so that its peak memory is its own.
        after: of jobs that need another one's result, that other job, which stands before it in ``jobs``.
    """
    from tqdm import tqdm

    workers, waiting, running = settings.workers, list(jobs), {}
    with tqdm(total=len(jobs), desc=what, unit="job", position=0) as bar:
        if workers == 1 and not apart:
            for job in jobs:
                work(settings, job, 1)
                bar.update()
            return
        with ProcessPoolExecutor(workers, get_context("spawn"), max_tasks_per_child=1 if apart else None) as pool:
            while waiting or running:
                needed = {*waiting, *(job for job, _ in running.values())}
                ready = [job for job in waiting if (after or {}).get(job) not in needed]
                free = sorted(set(range(1, workers + 1)) - {slot for _, slot in running.values()})
                for job, slot in zip(ready, free, strict=False):  # no queue, so that an error ends what has not begun
                    running[pool.submit(work, settings, job, slot)] = job, slot
                    waiting.remove(job)
                for each in wait(running, return_when=FIRST_COMPLETED).done:
                    del running[each]
                    each.result()
                    bar.update()


def digest(*things: Any) -> str:
    """Short name of whatever a piece was made from: with other settings it is another piece."""
    return hashlib.sha256(repr(things).encode()).hexdigest()[:10]


def one_thread() -> None:
    """Let torch use one thread and repeatable kernels in this process."""
    import torch

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)


def peak_bytes() -> int:
    """Most memory that this process has held so far."""
    import resource
    import sys

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def bar_options(slot: int, what: str, total: int) -> dict[str, Any]:
    """How the progress bar of a job looks; quiet where output is not a terminal."""
    quiet = os.environ.get("TOKENOMICS_QUIET") == "1"
    return {"position": slot, "desc": what, "total": total, "leave": False, "disable": quiet, "mininterval": 1.0}


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """A CSV with these columns, numbers rounded to six digits, replaced in one go, and its description beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    with draft.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(columns)
        out.writerows([_cell(row[name]) for name in columns] for row in rows)
    draft.replace(path)
    described = (paths.DATA / "experiments" / path.name).with_suffix(".meta.yaml")
    if described.is_file() and path.parent != described.parent:
        shutil.copyfile(described, path.with_suffix(".meta.yaml"))


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a table that an earlier stage wrote.

    Raises:
        DataError: it is missing.
    """
    if not path.is_file():
        raise DataError(paths.shown(path), "file", "missing", "the output of an earlier stage: make experiment")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_part(path: Path, content: Any) -> None:
    """A finished piece of a stage as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(content), encoding="utf-8")
    draft.replace(path)


def read_part(path: Path) -> Any | None:
    """A finished piece, or ``None``."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)
