"""Amounts with their ends, currencies, and the checks that all of :mod:`tokenomics.economics.cost` makes."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.compute.inference.server import Estimate
from tokenomics.errors import DataError

Amount = Estimate | ArrayLike
"""A number, an array, or either with low and high ends."""
SECONDS_PER_HOUR = 3600.0
DAYS_PER_MONTH = 365.25 / 12
HOURS_PER_MONTH = 24 * DAYS_PER_MONTH
HOURS_PER_YEAR = 24 * 365.25
TOKENS = 1e6
"""Tokens for which prices are quoted."""
USD_ONLY: Mapping[str, float] = {"USD": 1.0}


def estimate(amount: Amount) -> Estimate:
    """The amount with its ends; a plain number or array is its own low and high."""
    if isinstance(amount, Estimate):
        return amount
    value = np.asarray(amount, dtype=float)
    return Estimate(value, value, value)


def combine(
    function: Callable[..., ArrayLike], rising: Sequence[Amount] = (), falling: Sequence[Amount] = ()
) -> Estimate:
    """A function of amounts: its low end takes the low ends of what it rises with, the high ends of what it falls with.

    Args:
        function: of all of ``rising``, then all of ``falling``; monotone in each.
    """
    up, down = [estimate(each) for each in rising], [estimate(each) for each in falling]
    value = function(*(each.value for each in up), *(each.value for each in down))
    low = function(*(each.low for each in up), *(each.high for each in down))
    high = function(*(each.high for each in up), *(each.low for each in down))
    return Estimate(*(np.asarray(each, dtype=float) for each in (value, low, high)))


def together(function: Callable[..., ArrayLike], *amounts: Amount) -> Estimate:
    """A function of amounts whose ends belong together, low with low and high with high; its own ends are sorted."""
    ends = [estimate(each) for each in amounts]
    value, *others = (np.asarray(function(*(getattr(each, end) for each in ends))) for end in ("value", "low", "high"))
    return Estimate(value, np.minimum.reduce([value, *others]), np.maximum.reduce([value, *others]))


def total(parts: Sequence[Estimate]) -> Estimate:
    """The sum, ends summed with ends."""
    return combine(lambda *each: sum(each), rising=parts)


def to_usd(amount: ArrayLike, currency: str, usd_per_unit: Mapping[str, float] = USD_ONLY) -> NDArray[np.float64]:
    """An amount of another currency in USD. No rates are shipped: they are the user's, with their day.

    Raises:
        DataError: a currency that ``usd_per_unit`` lacks, or a rate that is not positive.
    """
    if currency not in usd_per_unit:
        known = ", ".join(sorted(usd_per_unit))
        raise DataError("cost", "currency", currency, f"{known}; give usd_per_unit for others")
    checked("cost", f"usd_per_unit of {currency}", usd_per_unit[currency])
    return np.asarray(amount, dtype=float) * usd_per_unit[currency]


def checked(where: str, key: str, amount: Amount, *, zero: bool = False, most: float = np.inf) -> Estimate:
    """``amount`` as an estimate, refused unless all of it is above zero (with ``zero`` also zero) and at most ``most``.

    Raises:
        DataError: such an amount, or one that is not a finite number.
    """
    try:
        found = estimate(amount)
    except (TypeError, ValueError):
        raise DataError(where, key, amount, "a number") from None
    bottom = "at least 0" if zero else "above 0"
    allowed = f"a finite number {bottom}" if most == np.inf else f"{bottom}, at most {most:g}"
    for values in (found.value, found.low, found.high):
        bad = ~(np.isfinite(values) & ((values >= 0) if zero else (values > 0)) & (values <= most))
        if bad.any():
            raise DataError(where, key, float(values[bad].flat[0]), allowed)
    return found


def share(where: str, key: str, amount: Amount, *, zero: bool = False) -> Estimate:
    """``amount`` as a share: above zero (with ``zero`` also zero), at most one.

    Raises:
        DataError: outside of that.
    """
    return checked(where, key, amount, zero=zero, most=1.0)
