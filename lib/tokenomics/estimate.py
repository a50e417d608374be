"""A number with its interval, and the arithmetic of such numbers.

Ends are combined as if what went in were off together, all at their better or all at their worse end, so a result's
interval is wider than independent errors would make it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]
ENDS = ("value", "low", "high")
"""The three numbers of an estimate, by name."""
OPPOSITE = {"value": "value", "low": "high", "high": "low"}
"""The end of what something falls with."""
COVERAGE = 0.8


@dataclass(frozen=True)
class Estimate:
    """A central value and the interval that held ``coverage`` of what was held out.

    Attributes:
        value, low, high: numbers or arrays of one shape, in one unit.
        coverage: share of held-out measurements inside the interval.
    """

    value: Values
    low: Values
    high: Values
    coverage: float = COVERAGE

    @classmethod
    def of(cls, amount: "Amount") -> "Estimate":
        """The amount itself where it is an estimate; a number or array is its own low and high."""
        if isinstance(amount, cls):
            return amount
        value = np.asarray(amount, dtype=float)
        return cls(value, value, value)

    def at(self, end: str) -> Values:
        """One of :data:`ENDS`."""
        return getattr(self, end)

    def map(self, function: Callable[[Values], ArrayLike]) -> "Estimate":
        """A rising function of each of the three numbers."""
        return Estimate(*(function(self.at(end)) for end in ENDS), self.coverage)

    def over(self, numerator: ArrayLike) -> "Estimate":
        """``numerator / self``: a rate from a duration, with the ends changed over."""
        return Estimate(*(numerator / self.at(OPPOSITE[end]) for end in ENDS), self.coverage)


Amount = Estimate | ArrayLike
"""A number, an array, or an estimate of either."""


def from_ends(function: Callable[[str], ArrayLike], falls: bool = False) -> Estimate:
    """An estimate from what a function gives at each end, for what has to be computed anew at each.

    Args:
        function: of an end of what goes in, one of :data:`ENDS`.
        falls: the result falls with what goes in, so that its low end comes from the high one.
    """
    value, low, high = (function(end) for end in ENDS)
    return Estimate(value, high, low) if falls else Estimate(value, low, high)


def combine(
    function: Callable[..., ArrayLike], rising: Sequence[Amount] = (), falling: Sequence[Amount] = ()
) -> Estimate:
    """A function of amounts: its low end takes the low ends of what it rises with, the high ends of what it falls with.

    Args:
        function: of all of ``rising``, then all of ``falling``; monotone in each.
    """
    up, down = [Estimate.of(each) for each in rising], [Estimate.of(each) for each in falling]
    ends = (function(*(each.at(end) for each in up), *(each.at(OPPOSITE[end]) for each in down)) for end in ENDS)
    return Estimate(*(np.asarray(each, dtype=float) for each in ends))


def together(function: Callable[..., ArrayLike], *amounts: Amount) -> Estimate:
    """A function of amounts whose ends belong together, low with low and high with high; its own ends are sorted."""
    given = [Estimate.of(each) for each in amounts]
    value, *others = (np.asarray(function(*(each.at(end) for each in given))) for end in ENDS)
    return Estimate(value, np.minimum.reduce([value, *others]), np.maximum.reduce([value, *others]))


def held(
    value: ArrayLike, low: ArrayLike, high: ArrayLike, least: ArrayLike = -np.inf, most: ArrayLike = np.inf
) -> tuple[Values, Values, Values]:
    """A positive value and its interval, held to limits that it cannot cross; the value lies inside its interval.

    Where a limit would take the whole interval, it keeps its relative width and starts (or ends) at the limit: what
    lies at a bound is not known exactly. NaN stays.

    Args:
        value, low, high: in one unit, broadcast.
        least, most: limits; NaN where there is none.
    """
    value, low, high = np.broadcast_arrays(*(np.asarray(each, dtype=float) for each in (value, low, high)))
    low, high = np.fmin(low, value), np.fmax(high, value)
    inside = [np.where(np.isnan(each), each, np.fmin(np.fmax(each, least), most)) for each in (value, low, high)]
    with np.errstate(divide="ignore", invalid="ignore"):
        width = np.where((low > 0) & (high > low), high / low, 1.0)
    value, below, above = inside
    gone = (below >= above) & (width > 1)
    above = np.where(gone & (below > low), np.fmin(below * width, most), above)
    below = np.where(gone & (below < low), np.fmax(above / width, least), below)
    return value, below, above


def total(parts: Iterable[Amount]) -> Estimate:
    """The sum, ends summed with ends."""
    return combine(lambda *each: sum(each), rising=list(parts))
