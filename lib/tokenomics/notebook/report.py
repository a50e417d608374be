"""Numbers that a notebook records: filled into its prose, kept in ``metrics.json``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tokenomics.errors import RunError
from tokenomics.estimate import Estimate
from tokenomics.notebook import rounding, units
from tokenomics.notebook.context import current


@dataclass(frozen=True)
class Metric:
    """A number or a word that prose refers to as ``{{key}}``, ``{{key.low}}``, ``{{key:.1f}}``.

    Attributes:
        value: a finite number, or text (the name of a winner).
        unit: unit, ``"1"`` where dimensionless, ``"text"`` for words.
        meaning: what the number is, as it stands in tables of numbers.
        low, high: interval at the coverage of the parameters, where there is one.
    """

    value: Any
    unit: str
    meaning: str
    low: Any = None
    high: Any = None

    @classmethod
    def of(cls, estimate: Estimate, unit: str, meaning: str) -> "Metric":
        """An estimate of one number."""
        return cls(float(estimate.value), unit, meaning, float(estimate.low), float(estimate.high))


def cell(row: Mapping[str, Any], column: str, meaning: str, unit: str = "") -> Metric:
    """A column of a table's row, its unit by the registry, with its interval where the row has one."""
    low, high = (row.get(units.end_of(column, end), row.get(f"{column}_{end}")) for end in (units.LOW, units.HIGH))
    return Metric(row[column], unit or units.unit_of(column), meaning, low, high)


def record(metrics: Mapping[str, Metric]) -> None:
    """Record metrics by key.

    Raises:
        RunError: no finite number, or bounds that do not enclose the value.
    """
    for key, each in metrics.items():
        for number in (each.value, each.low, each.high):
            if isinstance(number, float | np.floating) and not np.isfinite(number):
                raise RunError(f"metric {key}: {number} is not finite")
        if each.low is not None and each.high is not None and not each.low <= each.value <= each.high:
            raise RunError(f"metric {key}: {each.value} lies outside its interval {each.low} to {each.high}")
        entry = {"value": rounding.rounded(each.value), "unit": each.unit, "meaning": each.meaning}
        ends = (("low", each.low), ("high", each.high))
        entry |= {name: rounding.rounded(bound) for name, bound in ends if bound is not None}
        current().add("metrics", key, entry)


def metric(key: str, value: Any, unit: str, meaning: str, *, low: Any = None, high: Any = None) -> None:
    """Record a single :class:`Metric` under ``key``."""
    record({key: Metric(value, unit, meaning, low, high)})
