"""When requests arrive: renewal processes run on a clock that may speed up and slow down.

A process has gaps of mean one and a clock Λ(t), the requests expected until t; the n-th request arrives where Λ
reaches the sum of the first n gaps (time change of a point process: Daley and Vere-Jones, *An Introduction to the
Theory of Point Processes*, section 7.4). Constant and Poisson, gamma gaps for bursts on every scale, a two-state Markov
clock for busy and quiet spells, a 24-hour shape over any of them. Left out: the first gap is an ordinary one, not the
rest of one under way.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tokenomics.errors import positive, proportion, require

DAY_S = 86400.0
HOUR_S = 3600.0
Knots = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Times in seconds and the requests expected until then; linear in between."""


@dataclass(frozen=True)
class Constant:
    """Requests at equal distance: ``rate_rps`` a second."""

    rate_rps: float

    def __post_init__(self):
        positive(type(self).__name__, "rate_rps", self.rate_rps)

    def gaps(self, rng: np.random.Generator, requests: int) -> NDArray[np.float64]:
        """Gaps of mean one."""
        return np.ones(requests)

    def clock(self, rng: np.random.Generator, horizon_s: float) -> Knots:
        """Knots of Λ that reach at least ``horizon_s``."""
        return np.array([0.0, horizon_s]), np.array([0.0, horizon_s * self.rate_rps])


@dataclass(frozen=True)
class Poisson(Constant):
    """Requests that know nothing of each other: exponential gaps."""

    def gaps(self, rng: np.random.Generator, requests: int) -> NDArray[np.float64]:
        """Gaps of mean one."""
        return rng.standard_exponential(requests)


@dataclass(frozen=True)
class Gamma(Constant):
    """Gamma gaps with a coefficient of variation: above one bursty, one Poisson, below one smoother.

    The dispersion of counts (variance over mean) tends to ``gap_cv`` squared over long windows.
    """

    gap_cv: float

    def __post_init__(self):
        super().__post_init__()
        positive(type(self).__name__, "gap_cv", self.gap_cv)

    def gaps(self, rng: np.random.Generator, requests: int) -> NDArray[np.float64]:
        """Gaps of mean one."""
        shape = self.gap_cv**-2
        return rng.standard_gamma(shape, requests) / shape


@dataclass(frozen=True)
class Modulated(Poisson):
    """Poisson arrivals whose rate switches between busy and quiet spells of exponential length (a two-state MMPP).

    Args:
        rate_rps: mean rate over everything.
        busy_share: share of time that is busy, between 0 and 1.
        quiet_level: rate of a quiet spell over the mean rate, 0 to 1; 0: silence.
        cycle_s: mean seconds of a busy and a quiet spell together.

    At another mean rate both rates scale and the spells keep their length, so dispersion minus one grows with the rate:
    the same users, more of them at once.
    """

    busy_share: float
    quiet_level: float
    cycle_s: float

    def __post_init__(self):
        super().__post_init__()
        name = type(self).__name__
        proportion(name, "busy_share", self.busy_share, without=[0, 1])
        proportion(name, "quiet_level", self.quiet_level)
        positive(name, "cycle_s", self.cycle_s)

    def levels(self) -> NDArray[np.float64]:
        """Rates of quiet and busy spells over the mean rate."""
        quiet_share = 1 - self.busy_share
        return np.array([self.quiet_level, (1 - quiet_share * self.quiet_level) / self.busy_share])

    def clock(self, rng: np.random.Generator, horizon_s: float) -> Knots:
        """Knots of Λ that reach at least ``horizon_s``, at the ends of spells."""
        means = self.cycle_s * np.array([1 - self.busy_share, self.busy_share])
        first = int(rng.random() < self.busy_share)
        ends = np.zeros(1)
        while ends[-1] < horizon_s:
            cycles = int(1.1 * (horizon_s - ends[-1]) / self.cycle_s) + 10
            spells = rng.standard_exponential((cycles, 2)) * (means[::-1] if first else means)
            ends = np.concatenate((ends, ends[-1] + np.cumsum(spells)))
        state = (np.arange(len(ends) - 1) + first) % 2
        load = np.cumsum(np.diff(ends) * self.levels()[state]) * self.rate_rps
        return ends, np.concatenate(([0.0], load))


def cosine_day(swing: float, peak_hour: float) -> tuple[float, ...]:
    """Synthetic shape of a day, not measured anywhere: 24 hourly rates over their mean, one peak and one trough.

    Args:
        swing: how far peak and trough are from the mean, 0 to 1; 0.5: the peak is three times the trough.
        peak_hour: hour of the peak, 0 to 24.

    Raises:
        DataError: a swing or an hour outside its range.
    """
    proportion("cosine_day", "swing", swing)
    require(0 <= peak_hour <= 24, "cosine_day", "peak_hour", peak_hour, "0 to 24")
    return tuple(1 + swing * np.cos(2 * np.pi * (np.arange(24) + 0.5 - peak_hour) / 24))


@dataclass(frozen=True)
class Diurnal:
    """Any process with its rate multiplied by the shape of a day, which repeats; time 0 is midnight.

    Args:
        within: the process at the mean rate of a day.
        hourly: 24 relative rates, meant for the middle of each hour, linear in between; default: :func:`cosine_day`
            with half the mean as swing and the peak at 15:00, which is synthetic (the traces last an hour each).
    """

    within: Constant
    hourly: tuple[float, ...] = field(default_factory=lambda: cosine_day(0.5, 15.0))

    def __post_init__(self):
        require(len(self.hourly) == 24, "Diurnal", "hourly", len(self.hourly), "24 rates")
        good = np.all(np.isfinite(self.hourly)) and min(self.hourly) >= 0 and max(self.hourly) > 0
        require(bool(good), "Diurnal", "hourly", self.hourly, ">= 0, one of them above 0")

    @property
    def rate_rps(self) -> float:
        """Mean rate over whole days."""
        return self.within.rate_rps

    def gaps(self, rng: np.random.Generator, requests: int) -> NDArray[np.float64]:
        """Gaps of mean one."""
        return self.within.gaps(rng, requests)

    def shape(self, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rate at a time of day over the mean rate of the day."""
        hours = np.asarray(time_s) / HOUR_S
        rates = np.array(self.hourly) / np.mean(self.hourly)
        return np.interp(hours, np.arange(24) + 0.5, rates, period=24)

    def clock(self, rng: np.random.Generator, horizon_s: float) -> Knots:
        """Knots of Λ that reach at least ``horizon_s``; the shape is stepped every minute."""
        horizon_s = np.ceil(horizon_s / 60) * 60
        times, load = self.within.clock(rng, horizon_s)
        inner = times[times <= horizon_s]
        fine = np.union1d(inner, np.arange(0, horizon_s + 1, 60.0))
        middle = (fine[1:] + fine[:-1]) / 2
        steps = np.diff(np.interp(fine, times, load)) * self.shape(middle)
        return fine, np.concatenate(([0.0], np.cumsum(steps)))


Process = Constant | Diurnal


def _diurnal(rate_rps: float, swing: float = 0.5, peak_hour: float = 15.0) -> Diurnal:
    return Diurnal(Poisson(rate_rps), cosine_day(swing, peak_hour))


PROCESSES: dict[str, Callable[..., Process]] = {
    "constant": Constant,
    "poisson": Poisson,
    "gamma": Gamma,
    "modulated": Modulated,
    "diurnal": _diurnal,
}


def process(name: str, **parameters: float) -> Process:
    """A process by name: constant, poisson, gamma, modulated, diurnal (Poisson under :func:`cosine_day`).

    Raises:
        DataError: an unknown name, a missing or unknown parameter, or a value out of range.
    """
    require(name in PROCESSES, "arrival process", "name", name, ", ".join(PROCESSES))
    made = PROCESSES[name]
    allowed = list(inspect.signature(made).parameters.values())
    needed = [each.name for each in allowed if each.default is each.empty]
    odd = sorted((set(parameters) - {each.name for each in allowed}) | (set(needed) - set(parameters)))
    names = ", ".join(each.name for each in allowed)
    require(not odd, f"arrival process {name}", ", ".join(odd), "missing or unknown", names)
    return made(**parameters)


def arrival_times(
    arrivals: Process, requests: int | None = None, duration_s: float | None = None, seed: int | np.random.Generator = 0
) -> NDArray[np.float64]:
    """Times in seconds of a number of requests, or of all requests within a duration.

    Raises:
        DataError: both or neither of ``requests`` and ``duration_s``, one that is not positive, or no request in it.
    """
    one = (requests is None) != (duration_s is None)
    require(one, "arrival_times", "requests, duration_s", (requests, duration_s), "one of the two")
    positive("arrival_times", *(("duration_s", duration_s) if requests is None else ("requests", requests)))
    require(requests is None or requests == int(requests), "arrival_times", "requests", requests, "a whole number")
    gap_rng, clock_rng = np.random.default_rng(seed).spawn(2)
    if requests is None:
        times, load = arrivals.clock(clock_rng, duration_s)
        due = _dues_until(arrivals, gap_rng, np.interp(duration_s, times, load))
        require(due.size > 0, "arrival_times", "duration_s", duration_s, "long enough for one request")
        return np.interp(due, load, times)
    due = np.cumsum(arrivals.gaps(gap_rng, int(requests)))
    horizon_s = 1.05 * due[-1] / arrivals.rate_rps + 60
    times, load = arrivals.clock(clock_rng, horizon_s)
    while load[-1] < due[-1]:
        horizon_s *= 2
        times, load = arrivals.clock(clock_rng, horizon_s)
    return np.interp(due, load, times)


def _dues_until(arrivals: Process, rng: np.random.Generator, expected: float) -> NDArray[np.float64]:
    due = np.zeros(1)
    while due[-1] <= expected:
        more = int(expected - due[-1] + 4 * np.sqrt(expected)) + 16
        due = np.concatenate((due, due[-1] + np.cumsum(arrivals.gaps(rng, more))))
    return due[1 : np.searchsorted(due, expected, side="right")]
