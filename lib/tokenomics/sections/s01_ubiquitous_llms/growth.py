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


@dataclass(frozen=True)
class Growth:
    """A fitted growth: factor a year with its interval, doubling time, and the line itself."""

    factor_per_year: float
    low: float
    high: float
    slope_per_year: float
    intercept: float
    n: int

    @classmethod
    def unknown(cls, n: int) -> "Growth":
        """What ``n`` points are too few to tell."""
        return cls(*[np.nan] * 5, n)

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
    return Growth(10 ** slope[0], 10 ** min(low, slope[0]), 10 ** max(high, slope[0]), slope[0], intercept[0], len(x))


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
    return Growth(10**slope, 10 ** min(low, slope), 10 ** max(high, slope), slope, y.mean() - slope * x.mean(), len(x))


def theil_sen_factor(years: ArrayLike, values: ArrayLike) -> float:
    """Factor a year by the median of all pairwise slopes (Theil 1950, Sen 1968): an estimate outliers cannot move."""
    x, y = np.asarray(years, dtype=float), np.log10(np.asarray(values, dtype=float))
    first, second = np.triu_indices(len(x), 1)
    apart = x[first] != x[second]
    return float(10 ** np.median((y[second] - y[first])[apart] / (x[second] - x[first])[apart]))


def at_frontier(years: ArrayLike, values: ArrayLike, rank: int) -> NDArray[np.bool_]:
    """Whether each value was among the ``rank`` largest of all released until then (same date included)."""
    x, y = np.asarray(years, dtype=float), np.asarray(values, dtype=float)
    larger_before = (x[None, :] <= x[:, None]) & (y[None, :] > y[:, None])
    return larger_before.sum(axis=1) < rank


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Slope and intercept of the least-squares line of each row."""
    x_mean, y_mean = x.mean(axis=1, keepdims=True), y.mean(axis=1, keepdims=True)
    slope = ((x - x_mean) * (y - y_mean)).sum(axis=1) / ((x - x_mean) ** 2).sum(axis=1)
    return slope, (y_mean - slope[:, None] * x_mean)[:, 0]
