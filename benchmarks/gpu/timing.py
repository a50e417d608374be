"""Times calls on a device: captured in a CUDA graph on a GPU, plainly one after another on a CPU."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from meter import Nothing, Sample
from pace import MOST_CALLS, Pace, times

Call = Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """Seconds of one call in each repeat, what the meter saw meanwhile, and calls of a repeat."""

    seconds: list[float]
    samples: list[Sample]
    calls: int

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def timed(run: Call, count: int, device: str, during: Call = lambda: None) -> float:
    """Seconds of ``count`` runs. On a GPU ``during`` is called while it works: runs are only queued by then."""
    if device == "cuda":
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(count):
            run()
        end.record()
        during()
        end.synchronize()
        return start.elapsed_time(end) / 1e3
    started = time.perf_counter()
    for _ in range(count):
        run()
    seconds = time.perf_counter() - started
    during()
    return seconds


def prepared(calls: Sequence[Call], device: str, pace: Pace) -> tuple[Call, int]:
    """A run of all calls, in order and as often as makes it long enough, and the number of calls in it.

    A graph takes some microseconds to launch; it must last longer than that, or the gap between launches is timed.
    """

    def each() -> None:
        for call in calls:
            call()

    if device != "cuda":
        each()
        return each, len(calls)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        each()  # libraries choose kernels and allocate workspaces on first use, which a capture forbids
        rounds = times(timed(each, 1, device), pace.graph_s)
    torch.cuda.current_stream().wait_stream(stream)
    rounds = min(rounds, max(1, MOST_CALLS // len(calls)))
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(rounds):
            each()
    return graph.replay, rounds * len(calls)


def measure(calls: Sequence[Call], device: str, pace: Pace, meter: Nothing) -> Timing:
    """Seconds of one call: warmed up, then repeated; the meter is read in the middle of every repeat."""
    run, in_run = prepared(calls, device, pace)
    one = timed(run, 1, device)
    timed(run, times(one, pace.warm_s), device)
    count = times(timed(run, 1, device), pace.repeat_s)
    samples: list[Sample] = []
    seconds = [
        timed(run, count, device, during=lambda: samples.append(meter.sample())) / (count * in_run)
        for _ in range(pace.repeats)
    ]
    return Timing(seconds, samples, count * in_run)
