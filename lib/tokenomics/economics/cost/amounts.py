"""Units of time and money, and the checks of amounts that all of :mod:`tokenomics.economics.cost` makes."""

import numpy as np

from tokenomics.errors import DataError
from tokenomics.estimate import Amount, Estimate

SECONDS_PER_HOUR = 3600.0
DAYS_PER_MONTH = 365.25 / 12
HOURS_PER_MONTH = 24 * DAYS_PER_MONTH
HOURS_PER_YEAR = 24 * 365.25
TOKENS = 1e6
"""Tokens for which prices are quoted."""


def checked(where: str, key: str, amount: Amount, *, zero: bool = False, most: float = np.inf) -> Estimate:
    """``amount`` as an estimate, refused unless all of it is above zero (with ``zero`` also zero) and at most ``most``.

    Raises:
        DataError: such an amount, or one that is not a finite number.
    """
    try:
        found = Estimate.of(amount)
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
