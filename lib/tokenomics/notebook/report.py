"""Numbers that a notebook records: filled into its prose, kept in ``metrics.json``."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tokenomics.compute.inference.server import Estimate
from tokenomics.errors import RunError
from tokenomics.notebook import rounding
from tokenomics.notebook.context import current
from tokenomics.notebook.growth import Growth


def metric(key: str, value: Any, unit: str, meaning: str, *, low: Any = None, high: Any = None) -> None:
    """Record a number or a word under ``key``; prose refers to it as ``{{key}}``, ``{{key.low}}``, ``{{key:.1f}}``.

    Args:
        value: a finite number, or text (the name of a winner).
        unit: unit, ``"1"`` where dimensionless, ``"text"`` for words.
        meaning: what the number is, as it stands in tables of numbers.
        low, high: interval at the coverage of the parameters, where there is one.

    Raises:
        RunError: no finite number, or bounds that do not enclose the value.
    """
    for number in (value, low, high):
        if isinstance(number, float | np.floating) and not np.isfinite(number):
            raise RunError(f"metric {key}: {number} is not finite")
    if low is not None and high is not None and not low <= value <= high:
        raise RunError(f"metric {key}: {value} lies outside its interval {low} to {high}")
    entry = {"value": rounding.rounded(value), "unit": unit, "meaning": meaning}
    entry |= {name: rounding.rounded(bound) for name, bound in (("low", low), ("high", high)) if bound is not None}
    current().add("metrics", key, entry)


def growth(key: str, fitted: Growth, meaning: str) -> None:
    """Record a fitted growth under ``key``: factor a year with its interval."""
    metric(key, fitted.factor_per_year, "1/year", f"growth of {meaning}", low=fitted.low, high=fitted.high)


def estimate(key: str, of: Estimate, unit: str, meaning: str) -> None:
    """Record an estimate under ``key``: value, low, high."""
    metric(key, float(of.value), unit, meaning, low=float(of.low), high=float(of.high))


def row(key: str, of: Mapping[str, Any], column: str, unit: str, meaning: str) -> None:
    """Record a column of a table's row that has ``_low`` and ``_high`` beside it under ``key``."""
    metric(key, of[column], unit, meaning, low=of[f"{column}_low"], high=of[f"{column}_high"])
