"""How long and how often is measured, without torch: repeats, the share of the time left, rounds of a graph."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

MOST_CALLS = 512
"""Most calls of a graph; capturing more costs seconds and tells nothing new."""


@dataclass(frozen=True)
class Pace:
    """Repeats of a point, and the seconds of warm-up, of each repeat and of one graph (at least)."""

    repeats: int
    warm_s: float
    repeat_s: float
    graph_s: float


FULL = Pace(repeats=7, warm_s=0.4, repeat_s=0.2, graph_s=0.002)
"""Over a second of load: board power is averaged over one second, and clocks settle in some tenths."""
TINY = Pace(repeats=3, warm_s=0.0, repeat_s=0.0, graph_s=0.0)


def copies(bytes_of_one: int, cache_bytes: int) -> int:
    """Buffers to rotate through so that none is still in the last-level cache when its turn comes.

    Four times the cache, since replacement is not strictly oldest-first. One buffer that is as large evicts itself.
    """
    return min(MOST_CALLS, max(1, math.ceil(4 * cache_bytes / bytes_of_one)))


def times(seconds_of_one: float, at_least_s: float) -> int:
    """Repetitions that last ``at_least_s``; at least one."""
    return max(1, math.ceil(at_least_s / max(seconds_of_one, 1e-9)))


class Budget:
    """Shares what is left of the time equally among the groups that are left; ``None`` seconds: no limit."""

    def __init__(self, seconds: float | None, groups: int, now: Callable[[], float] = time.monotonic):
        self._now, self._groups = now, groups
        self._end = math.inf if seconds is None else now() + seconds
        self._share_end = self._end

    def next_group(self) -> None:
        """Start the share of the next group; what earlier groups left over is shared too."""
        left = max(0.0, self._end - self._now())
        self._share_end = self._now() + left / max(1, self._groups)
        self._groups -= 1

    def spent(self) -> bool:
        """Whether the share of the current group is over."""
        return self._now() >= self._share_end
