"""Pieces of a stage in parallel processes of one thread each, every finished piece kept, so that a rerun skips it."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from multiprocessing import get_context
from typing import Any

from tokenomics.experiment.settings import Settings

Job = tuple[Any, ...]


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
