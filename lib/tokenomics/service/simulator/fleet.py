"""Several replicas: which one a request goes to, and replicas that come and go with the load, and what they cost.

**Routing.** All rules look at what replicas hold at the arrival, after every step that ended before it, and nothing is
moved later:

* ``round robin``: the next in turn;
* ``least loaded``: the one with fewest requests inside, the first of equals;
* ``prefix aware``: the one that knows most units of the prompt, counted from its beginning; among equals the one with
  fewest requests inside, then the first. So that a popular beginning does not pile up on one replica, those with more
  than ``most_ahead`` requests above the least loaded are left out. The exact content of each cache is known here
  (routers that follow the engines' cache events come near); a prompt that is being read counts only once it is read.

:data:`MOST_AHEAD` is the absolute threshold of the cache-aware policy of SGLang's gateway (its documentation,
``balance-abs-threshold``); its second, relative threshold is left out.

**Scaling.** Every ``every_s`` seconds the metric is read, as a mean over the replicas that take requests and those that
start:

* above ``high`` so many are started that it would be at most ``high``; each takes requests ``start_s`` later;
* while it would not exceed ``low`` on one replica fewer, at every reading for ``quiet_s``, the replica with fewest
  requests inside (the last of equals) takes no more; when the last of its requests leaves, it is given back, and its
  prefix cache is lost.

(Ray Serve and the Kubernetes autoscaler work along these lines: a target a replica, and a delay before going down.)
A request stays where it was sent: new replicas help later arrivals only. An empty queue does not say how
busy replicas are: on ``waiting``, replicas leave until a request waits.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tokenomics.errors import require, whole
from tokenomics.service.simulator.rules import UNLIMITED, Rules

ROUTINGS = ROUND_ROBIN, LEAST_LOADED, PREFIX_AWARE = "round robin", "least loaded", "prefix aware"
MOST_AHEAD = 64
METRICS = WAITING, INSIDE, CACHE = "waiting", "inside", "cache"
OFF, STARTING, SERVING, DRAINING = range(4)
COLUMNS = ("time_s", "serving", "starting", "draining")


@dataclass(frozen=True)
class Scaling:
    """When replicas start and stop; defaults of times as of Kubernetes (15 s between readings, 300 s before down).

    Attributes:
        most: replicas at a time, starting and leaving ones included.
        high, low: values of the metric, a replica; see the module.
        metric: ``waiting``: requests that wait; ``inside``: waiting and running; ``cache``: share of blocks in use.
        least: replicas that stay.
        start_s: seconds from the order to the first request it can take: machine, weights, warming up.
        every_s: seconds between readings.
        quiet_s: seconds that one replica fewer must have been enough.

    Raises:
        DataError: a name not listed, numbers out of order.
    """

    most: int
    high: float
    low: float = 0.0
    metric: str = INSIDE
    least: int = 1
    start_s: float = 60.0
    every_s: float = 15.0
    quiet_s: float = 300.0

    def __post_init__(self):
        require(self.metric in METRICS, "Scaling", "metric", self.metric, ", ".join(METRICS))
        for name in ("least", "most"):
            whole("Scaling", name, getattr(self, name))
        for name, good, allowed in (
            ("least", self.least <= self.most, f"<= most ({self.most})"),
            ("high", 0 < self.high < np.inf, "0 < high < inf"),
            ("low", 0 <= self.low <= self.high, f"0 <= low <= high ({self.high})"),
            ("start_s", 0 <= self.start_s < np.inf, "0 <= seconds < inf"),
            ("every_s", 0 < self.every_s < np.inf, "0 < seconds < inf"),
            ("quiet_s", 0 <= self.quiet_s < np.inf, "0 <= seconds < inf"),
        ):
            require(good, "Scaling", name, getattr(self, name), allowed)

    def check(self, rules: Rules, replicas: int) -> None:
        """Refuse a number at the start that is out of bounds, and shares of a cache without limit."""
        enough = self.least <= replicas <= self.most
        require(enough, "simulate", "replicas", replicas, f"{self.least}..{self.most} (scaling)")
        known = self.metric != CACHE or rules.kv_blocks < UNLIMITED
        require(known, "Scaling", "metric", CACHE, "with a number of kv_blocks")


class Held(NamedTuple):
    """What replicas hold, one entry a place: requests waiting and inside, share of blocks in use, and the clock: the
    end of the last step, or the last arrival at an idle replica."""

    waiting: NDArray[np.int64]
    inside: NDArray[np.int64]
    cache: NDArray[np.float64]
    clock: NDArray[np.float64]


class Fleet:
    """State of every place for a replica, the router's rule and limit, and the replica-seconds paid."""

    def __init__(self, replicas: int, routing: str, most_ahead: int, scaling: Scaling | None):
        self.routing, self.most_ahead = routing, most_ahead
        self.scaling, places = scaling, scaling.most if scaling else replicas
        self.state = np.where(np.arange(places) < replicas, SERVING, OFF)
        self.since, self.ready = np.zeros(places), np.full(places, np.inf)
        self.paid_s, self.readings, self.quiet_since = 0.0, 1, np.inf
        self.rows: list[tuple] = []
        self._note(0.0)

    @property
    def next_s(self) -> float:
        """When to look next: a reading is due or a replica gets ready."""
        return min(self.readings * self.scaling.every_s, self.ready.min()) if self.scaling else np.inf

    def look(self, now: float, held: Held) -> NDArray[np.intp]:
        """Let replicas get ready and leave, and read the metric where due; the places that were given back."""
        self.state[self.ready <= now] = SERVING
        self.ready[self.ready <= now] = np.inf
        if now >= self.readings * self.scaling.every_s:
            self.readings += 1
            self._read(now, held)
        gone = np.flatnonzero((self.state == DRAINING) & (held.inside == 0))
        self._pay(gone, held.clock)
        self.state[gone] = OFF
        self._note(now)
        return gone

    def _read(self, now: float, held: Held) -> None:
        rule, serving = self.scaling, self.state == SERVING
        number = np.count_nonzero(serving) + np.count_nonzero(self.state == STARTING)
        total = float(getattr(held, rule.metric)[serving].sum())
        if total > rule.high * number:
            off = np.flatnonzero(self.state == OFF)[: int(np.ceil(total / rule.high)) - number]
            self.state[off], self.since[off], self.ready[off] = STARTING, now, now + rule.start_s
        if number <= rule.least or np.any(self.state == STARTING) or total > rule.low * (number - 1):
            self.quiet_since = np.inf
            return
        self.quiet_since = min(self.quiet_since, now)
        if now - self.quiet_since >= rule.quiet_s:
            places = np.flatnonzero(serving)[::-1]
            last = places[np.argmin(held.inside[places])]
            self.state[last], self.quiet_since = DRAINING, np.inf
            self.paid_s += now - self.since[last]
            self.since[last] = now

    def _pay(self, places: NDArray[np.intp], until: NDArray[np.float64] | float) -> None:
        self.paid_s += float(np.maximum(until - self.since, 0.0)[places].sum())

    def _note(self, now: float) -> None:
        row = now, *(int(np.count_nonzero(self.state == state)) for state in (SERVING, STARTING, DRAINING))
        if not self.rows or self.rows[-1][1:] != row[1:]:
            self.rows.append(row)

    def close(self, last_arrival: float, held: Held) -> tuple[float, dict[str, NDArray]]:
        """Replica-seconds paid, up to the last arrival (NaN where there was none) or the end of a replica's last step,
        and the fleet over time."""
        draining = self.state == DRAINING
        self._pay(np.flatnonzero(draining), held.clock)
        self._pay(np.flatnonzero((self.state != OFF) & ~draining), np.maximum(held.clock, last_arrival))
        return float(self.paid_s), {name: np.array([row[i] for row in self.rows]) for i, name in enumerate(COLUMNS)}
