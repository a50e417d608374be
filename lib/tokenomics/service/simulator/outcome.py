"""What a simulation gives back: arrays with one entry a request, totals, quantiles, and whether the load was stable;
and the record from which the reference loop makes it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.errors import DataError
from tokenomics.service.simulator.requests import Requests
from tokenomics.service.timeline import Timeline

Values = NDArray[np.float64]
FINISHED, ABANDONED, UNSERVED, CANCELLED = 0, 1, 2, 3
COLUMNS = ("replica", "start_s", "end_s", "decodes", "context", "chunks", "prompt_tokens", "used_blocks", "waiting")
TOTALS = (
    "steps",
    "decode_tokens",
    "prompt_tokens",
    "cached_tokens",
    "preemptions",
    "swapped_blocks",
    "most_used_blocks",
    "busy_s",
    "paid_s",
)
LOWEST, PER_OCTAVE, OCTAVES = 1e-7, 128, 48
"""Bins from 0.1 microseconds to 3e7 s, each 0.54 % wide; smaller values count as zero."""
WINDOWS = 32
GROWTH_SHARE = 0.02
"""Growth of the number of requests in the system, as a share of those arriving, beyond which a load counts as unstable
(where it is also beyond chance)."""


@dataclass(frozen=True)
class Histogram:
    """Counts of positive values in logarithmic bins, with count, sum and largest value exact; of fixed size, and those
    of parts can be added up.

    Attributes:
        counts: bin 0 holds values up to :data:`LOWEST`, bin ``i`` those up to ``LOWEST 2^(i / PER_OCTAVE)``.
        total: sum of all values.
        largest: largest value.
    """

    counts: NDArray[np.int64]
    total: float
    largest: float

    @property
    def count(self) -> int:
        """Number of values."""
        return int(self.counts.sum())

    @property
    def mean(self) -> float:
        """Mean, exact; NaN where nothing was counted."""
        return self.total / self.count if self.count else np.nan

    def quantile(self, q: ArrayLike) -> NDArray[np.float64]:
        """Quantiles, within 0.27 % (half a bin); 0 below 0.1 microseconds, NaN where nothing was counted."""
        if not self.count:
            return np.full(np.shape(q), np.nan)
        rank = np.maximum(np.ceil(np.asarray(q, dtype=float) * self.count), 1)
        place = np.searchsorted(np.cumsum(self.counts), rank)
        middle = np.where(place == 0, 0.0, LOWEST * np.exp2((place - 0.5) / PER_OCTAVE))
        return np.minimum(middle, self.largest)

    def __add__(self, other: "Histogram") -> "Histogram":
        largest = max(self.largest, other.largest)
        return Histogram(self.counts + other.counts, self.total + other.total, largest)


def histogram(values: ArrayLike) -> Histogram:
    """Histogram of values in one pass over pieces of them; NaN are left out."""
    values = np.asarray(values, dtype=float).ravel()
    counts, total, largest = np.zeros(PER_OCTAVE * OCTAVES + 1, dtype=np.int64), 0.0, 0.0
    for start in range(0, values.size, 65536):
        part = values[start : start + 65536]
        part = part[~np.isnan(part)]
        if part.size:
            place = np.ceil(np.log2(np.maximum(part, LOWEST) / LOWEST) * PER_OCTAVE)
            counts += np.bincount(np.minimum(place, len(counts) - 1).astype(np.int64), minlength=len(counts))
            total, largest = total + float(part.sum()), max(largest, float(part.max()))
    return Histogram(counts, total, largest)


@dataclass(frozen=True)
class Load:
    """How the number of requests in the system changed over the second half of the arrivals.

    Attributes:
        stable: the number in the system does not grow beyond chance (four standard deviations of a Poisson count), and
            nobody was left unserved.
        growth_per_s: requests a second by which it grew, least squares.
        arriving_per_s: requests a second that arrived.
        most: largest number in the system at the ends of 32 equal windows.
    """

    stable: bool
    growth_per_s: float
    arriving_per_s: float
    most: int

    def __str__(self) -> str:
        state = "stable" if self.stable else "UNSTABLE"
        return (
            f"{state}: {self.arriving_per_s:.4g} requests/s arrive, the number in the system grows by "
            f"{self.growth_per_s:.4g}/s, at most {self.most}"
        )


@dataclass(frozen=True)
class Outcome:
    """Times of every request, in the order of :class:`Requests`; NaN where it did not come so far.

    Attributes:
        requests: what was simulated.
        started_s: when its first step began.
        first_s, finish_s: when its first and last token came; of one that left unfinished, when its patience or time
            was over (a token of the step then under way may come later).
        preempted: times it lost its place.
        status: 0 finished, 1 abandoned (patience or time over before it was started), 2 unserved (simulation stopped),
            3 cancelled (time over after it was started; its tokens up to then exist).
        replica: which replica served it; -1 where none.
        totals: by name: steps, decode_tokens, prompt_tokens (read, recomputed ones
            included), cached_tokens (of prompts that did not have to be read), preemptions, swapped_blocks,
            most_used_blocks (of a replica), busy_s (of all replicas; steps in flight counted once each stage 0),
            paid_s (replica-seconds from the order of a replica, or from 0, to the last arrival or the end of its last
            step; NaN where the simulation stopped early).
        token_s: times of all tokens, request after request, where asked for: those of request ``i`` start at
            ``token_start[i]``.
        log: columns of :data:`COLUMNS`, one entry a step in order of replica and time, where asked for.
        fleet: replicas over time: ``time_s`` of each change and how many were serving, starting and draining from then
            on (as seen when looked at, see :mod:`tokenomics.service.simulator.fleet`).
    """

    requests: Requests
    started_s: Values
    first_s: Values
    finish_s: Values
    preempted: NDArray[np.int64]
    status: NDArray[np.int64]
    replica: NDArray[np.int64]
    totals: dict[str, float]
    token_s: Values | None = None
    log: dict[str, NDArray] = field(default_factory=dict)
    fleet: dict[str, NDArray] = field(default_factory=dict)

    @property
    def finished(self) -> NDArray[np.bool_]:
        """Which requests got all their tokens."""
        return self.status == FINISHED

    @property
    def queue_s(self) -> Values:
        """Seconds from arrival to the first step."""
        return self.started_s - self.requests.arrival_s

    @property
    def ttft_s(self) -> Values:
        """Seconds from arrival to the first token."""
        return self.first_s - self.requests.arrival_s

    @property
    def e2e_s(self) -> Values:
        """Seconds from arrival to the last token; NaN for one that left unfinished."""
        return np.where(self.finished, self.finish_s - self.requests.arrival_s, np.nan)

    @property
    def tpot_s(self) -> Values:
        """Mean seconds a token after the first; NaN for replies of one token."""
        steps = self.requests.output - 1
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.finished & (steps > 0), (self.finish_s - self.first_s) / steps, np.nan)

    @property
    def token_start(self) -> NDArray[np.int64]:
        """Where each request's tokens begin in ``token_s``."""
        return np.cumsum(self.requests.output) - self.requests.output

    def tokens_of(self, request: int) -> Values:
        """Times of one request's tokens, seconds; asks for a simulation with ``tokens=True``."""
        start = self.token_start[request]
        return self.token_s[start : start + self.requests.output[request]]

    def timeline(self) -> Timeline:
        """The tokens that came, of which every measure of experience is taken.

        Raises:
            DataError: a simulation without ``tokens=True``.
        """
        if self.token_s is None:
            raise DataError("timeline", "token_s", "none", "an outcome of simulate(..., tokens=True)")
        came = ~np.isnan(self.token_s)
        count = np.add.reduceat(came.astype(np.int64), self.token_start)
        return Timeline(self.requests.arrival_s, self.token_s[came], count, self.requests.output)

    def distribution(self, name: str) -> Histogram:
        """Histogram of ``ttft_s``, ``tpot_s``, ``e2e_s`` or ``queue_s`` over the requests that have one."""
        return histogram(getattr(self, name))

    def load(self) -> Load:
        """Whether arrivals could be followed, from counts in windows (no sorting)."""
        arrival = self.requests.arrival_s
        start, end = arrival[len(arrival) // 2], arrival[-1]
        gone = np.where(np.isnan(self.finish_s), np.inf, self.finish_s)
        span = max(end - start, np.finfo(float).tiny)
        edges = np.linspace(start, end, WINDOWS + 1)
        inside = _up_to(arrival, edges) - _up_to(gone, edges)
        growth = np.polyfit(np.linspace(0, 1, WINDOWS + 1), inside, 1)[0]
        came = float(len(arrival) - len(arrival) // 2)
        limit = max(4 * np.sqrt(came), GROWTH_SHARE * came)
        stable = bool(growth <= limit and not np.any(self.status == UNSERVED))
        return Load(stable, float(growth / span), came / span, int(inside.max()))


def _up_to(times: Values, edges: Values) -> NDArray[np.int64]:
    """How many times are not after each of evenly spaced edges."""
    width = (edges[-1] - edges[0]) / WINDOWS
    if width <= 0:
        return np.array([np.count_nonzero(times <= edge) for edge in edges])
    place = np.clip(np.ceil((times - edges[0]) / width), 0, WINDOWS + 1).astype(np.int64)
    return np.cumsum(np.bincount(place, minlength=WINDOWS + 2))[: WINDOWS + 1]


class Record:
    """Arrays of an :class:`Outcome` in the making; ``tokens`` and ``log`` ask for the optional ones."""

    def __init__(self, requests: Requests, tokens: bool, log: bool):
        count = len(requests)
        self.requests = requests
        self.started_s, self.first_s, self.finish_s = np.full((3, count), np.nan)
        self.preempted_times = np.zeros(count, dtype=np.int64)
        self.status = np.full(count, UNSERVED)
        self.replica = np.full(count, -1)
        self.totals = dict.fromkeys(TOTALS, 0)
        self.token_start = np.cumsum(requests.output) - requests.output
        self.token_s = np.full(int(requests.output.sum()), np.nan) if tokens else None
        self.rows: list[tuple] | None = [] if log else None

    def launched(self, replica, step, context: int, seconds: float) -> None:
        """A step was composed."""
        used = replica.rules.kv_blocks - replica.free
        totals = self.totals
        totals["steps"] += 1
        totals["decode_tokens"] += len(step.decodes)
        totals["prompt_tokens"] += step.new
        totals["swapped_blocks"] += step.swapped
        totals["most_used_blocks"] = max(totals["most_used_blocks"], used)
        totals["busy_s"] += seconds
        if self.rows is not None:
            counts = len(step.decodes), context, len(step.chunks), step.new, used, len(replica.waiting)
            self.rows.append((replica.number, step.start_s, step.end_s, *counts))

    def started(self, job, replica) -> None:
        """A request was started, after a preemption once more."""
        self.totals["cached_tokens"] += replica.unit * len(job.held)
        if job.started:
            return
        self.started_s[job.index] = replica.clock
        self.replica[job.index] = replica.number

    def token(self, job, now: float) -> None:
        """A token came."""
        if job.made == 0:
            self.first_s[job.index] = now
        if job.made == job.output - 1:
            self.finish_s[job.index], self.status[job.index] = now, FINISHED
        if self.token_s is not None:
            self.token_s[self.token_start[job.index] + job.made] = now

    def preempted(self, job) -> None:
        """A request lost its place."""
        self.preempted_times[job.index] += 1
        self.totals["preemptions"] += 1

    def gave_up(self, job) -> None:
        """A request left unfinished."""
        self.finish_s[job.index] = job.leaves_s
        self.status[job.index] = CANCELLED if job.started else ABANDONED

    def outcome(self) -> Outcome:
        """All of it."""
        log = {}
        if self.rows is not None:
            rows = sorted(self.rows, key=lambda row: row[0])
            log = {name: np.array([row[i] for row in rows]) for i, name in enumerate(COLUMNS)}
        return Outcome(
            self.requests,
            self.started_s,
            self.first_s,
            self.finish_s,
            self.preempted_times,
            self.status,
            self.replica,
            self.totals,
            self.token_s,
            log,
        )
