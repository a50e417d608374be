"""Exponential growth of a quantity through time, with an interval, and the frontier it is fitted on.

The model is log-linear, ``log10(value) = a + b * year``; ``10**b`` is the factor a year. The interval is the percentile
bootstrap over the points (Efron 1979); it carries the scatter of the points, not errors of the dates or the choice of
what counts as notable.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.errors import DataError

MONTHS_PER_YEAR = 12.0
SMALLEST_SAMPLE = 4
FAR_BELOW = 10.0
"""What lies more than this factor below the largest value so far is not at the frontier, whatever its rank."""


@dataclass(frozen=True)
class Growth:
    """A fitted growth: factor a year with its interval, doubling time, and the line itself.

    ``first``, ``mean`` and ``last`` are the decimal years of the first point, of the mean and of the last.
    """

    factor_per_year: float
    low: float
    high: float
    slope_per_year: float
    intercept: float
    first: float
    mean: float
    last: float
    n: int

    @classmethod
    def unknown(cls, n: int) -> "Growth":
        """What ``n`` points are too few to tell."""
        return cls(*[np.nan] * 8, n)

    @property
    def years(self) -> NDArray[np.float64]:
        """Decimal years from the first point to the last: where the line may be drawn."""
        return np.linspace(self.first, self.last, 50)

    def band(self, years: ArrayLike) -> NDArray[np.float64]:
        """Lower and upper end at each year, shape (2, n): the ends of the growth through the mean point.

        The level at the mean year is taken as known.
        """
        away = np.asarray(years, dtype=float) - self.mean
        ends = self.at(self.mean) * np.array([[self.low], [self.high]]) ** away
        return np.sort(ends, axis=0)

    @property
    def doubling_months(self) -> float:
        """Months in which the quantity doubles (negative: in which it halves)."""
        return MONTHS_PER_YEAR * np.log10(2.0) / self.slope_per_year

    def at(self, years: ArrayLike) -> NDArray[np.float64]:
        """The fitted value at each (decimal) year, in the unit of the data."""
        return 10 ** (self.intercept + self.slope_per_year * np.asarray(years, dtype=float))


def fit_growth(years: ArrayLike, values: ArrayLike, *, coverage: float, samples: int, seed: int) -> Growth:
    """Fit ``log10(value)`` on ``year`` by least squares, interval by bootstrap.

    Args:
        years: decimal years, shape (n,).
        values: positive numbers, shape (n,).
        coverage: nominal coverage of the interval, in (0, 1).
        samples: bootstrap resamples.
        seed: seed of the resampling.

    Raises:
        DataError: fewer than four points, a value that is not positive, or all points in one year.
    """
    x, y = np.asarray(years, dtype=float), np.asarray(values, dtype=float)
    if len(x) < SMALLEST_SAMPLE or len(x) != len(y):
        raise DataError("fit_growth", "points", len(x), f"at least {SMALLEST_SAMPLE} years, each with a value")
    if not (y > 0).all():
        raise DataError("fit_growth", "value", float(y[~(y > 0)][0]), "> 0")
    if np.ptp(x) == 0:
        raise DataError("fit_growth", "years", float(x[0]), "more than one date")
    y = np.log10(y)
    slope, intercept = _line(x[None, :], y[None, :])
    index = np.random.default_rng(seed).integers(0, len(x), (samples, len(x)))
    index = index[np.ptp(x[index], axis=1) > 0]
    slopes, _ = _line(x[index], y[index])
    low, high = np.quantile(slopes, [(1 - coverage) / 2, (1 + coverage) / 2])
    ends = 10 ** min(low, slope[0]), 10 ** max(high, slope[0])
    return Growth(10 ** slope[0], *ends, slope[0], intercept[0], x.min(), x.mean(), x.max(), len(x))


def fit_growth_within(
    groups: ArrayLike, years: ArrayLike, values: ArrayLike, *, coverage: float, samples: int, seed: int
) -> Growth:
    """Growth common to several series, each at its own level: ``log10(value) = a_group + b * year``.

    The series are centred on their own means and fitted together; the bootstrap resamples whole series, since points of
    one series are not independent. ``intercept`` is that of the mean series. Series of one date carry no slope.

    Args:
        groups: name of each point's series, shape (n,).
        years, values, coverage, samples, seed: as for :func:`fit_growth`.

    Raises:
        DataError: fewer than four series with more than one date.
    """
    names, member = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    x, y = np.asarray(years, dtype=float), np.log10(np.asarray(values, dtype=float))
    if len(names) < SMALLEST_SAMPLE:
        raise DataError("fit_growth_within", "series", len(names), f"at least {SMALLEST_SAMPLE}")
    size = np.bincount(member)
    x_centred = x - (np.bincount(member, x) / size)[member]
    y_centred = y - (np.bincount(member, y) / size)[member]
    products = np.bincount(member, x_centred * y_centred)
    squares = np.bincount(member, x_centred**2)
    if np.count_nonzero(squares) < SMALLEST_SAMPLE:
        raise DataError("fit_growth_within", "series", int(np.count_nonzero(squares)), "four with more than one date")
    slope = products.sum() / squares.sum()
    drawn = np.random.default_rng(seed).integers(0, len(names), (samples, len(names)))
    slopes = products[drawn].sum(axis=1) / np.maximum(squares[drawn].sum(axis=1), np.finfo(float).tiny)
    low, high = np.quantile(slopes, [(1 - coverage) / 2, (1 + coverage) / 2])
    ends = 10 ** min(low, slope), 10 ** max(high, slope)
    return Growth(10**slope, *ends, slope, y.mean() - slope * x.mean(), x.min(), x.mean(), x.max(), len(x))


def theil_sen_factor(years: ArrayLike, values: ArrayLike) -> float:
    """Factor a year by the median of all pairwise slopes (Theil 1950, Sen 1968): an estimate outliers cannot move."""
    x, y = np.asarray(years, dtype=float), np.log10(np.asarray(values, dtype=float))
    first, second = np.triu_indices(len(x), 1)
    apart = x[first] != x[second]
    return float(10 ** np.median((y[second] - y[first])[apart] / (x[second] - x[first])[apart]))


def at_frontier(years: ArrayLike, values: ArrayLike, rank: int) -> NDArray[np.bool_]:
    """Whether each value was at the frontier on its day: fewer than ``rank`` values known by then were as large, and
    the largest known by then was at most :data:`FAR_BELOW` times as large.

    A value that was reached before counts as larger, so that a frontier does not fill with repetitions; of equal values
    of one date the first in order counts. The second condition keeps out what has a high rank only because little was
    known.

    Args:
        years: decimal years, shape (n,).
        values: positive numbers, shape (n,).
        rank: how many leading values make a frontier, at least one.
    """
    x, y = np.asarray(years, dtype=float), np.asarray(values, dtype=float)
    known, place = x[None, :] <= x[:, None], np.lexsort((np.arange(len(x)), x)).argsort()
    before = known & (place[None, :] < place[:, None])
    ahead = known & (y[None, :] > y[:, None]) | before & (y[None, :] == y[:, None])
    largest = np.where(known, y[None, :], -np.inf).max(axis=1, initial=-np.inf)
    return (ahead.sum(axis=1) < rank) & (largest <= FAR_BELOW * y)


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Slope and intercept of the least-squares line of each row."""
    x_mean, y_mean = x.mean(axis=1, keepdims=True), y.mean(axis=1, keepdims=True)
    slope = ((x - x_mean) * (y - y_mean)).sum(axis=1) / ((x - x_mean) ** 2).sum(axis=1)
    return slope, (y_mean - slope[:, None] * x_mean)[:, 0]
