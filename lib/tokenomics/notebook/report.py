"""Numbers that a notebook records: filled into its prose, kept in ``metrics.json``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tokenomics.errors import RunError
from tokenomics.estimate import Estimate
from tokenomics.notebook import rounding, units
from tokenomics.notebook.context import current


@dataclass(frozen=True)
class Metric:
    """A number or a word that prose refers to as ``{{key}}``, ``{{key.low}}``, ``{{key:.1f}}``.

    Attributes:
        value: a number, or text (the name of a winner). One that is not finite, or ``None``, means that there is none
            with these parameters.
        unit: unit, ``"1"`` where dimensionless, ``"text"`` for words.
        meaning: what the number is, as it stands in tables of numbers.
        low, high: interval at the coverage of the parameters, where there is one.
        reason: why there is no value, if there is none; prose says it instead of the number.
    """

    value: Any
    unit: str
    meaning: str
    low: Any = None
    high: Any = None
    reason: str = "no such value with these parameters"

    @classmethod
    def of(cls, estimate: Estimate, unit: str, meaning: str, reason: str = reason) -> "Metric":
        """An estimate of one number."""
        return cls(float(estimate.value), unit, meaning, float(estimate.low), float(estimate.high), reason)


def cell(row: Mapping[str, Any], column: str, meaning: str, unit: str = "") -> Metric:
    """A column of a table's row, its unit by the registry, with its interval where the row has one."""
    low, high = (row.get(units.end_of(column, end), row.get(f"{column}_{end}")) for end in (units.LOW, units.HIGH))
    return Metric(row[column], unit or units.unit_of(column), meaning, low, high)


def extreme(table: pd.DataFrame, column: str, *, least: bool = False) -> pd.Series:
    """The row with the largest (or least) value of a column; one of no values where none is known."""
    known = table.dropna(subset=[column]) if column in table else table[:0]
    if known.empty:
        return pd.Series(np.nan, index=table.columns.union([column], sort=False))
    return known.loc[known[column].idxmin() if least else known[column].idxmax()]


def record(metrics: Mapping[str, Metric]) -> None:
    """Record metrics by key.

    Raises:
        RunError: bounds that do not enclose the value, or (in a committed run) no finite number.
    """
    for key, each in metrics.items():
        numbers = {"value": each.value, "low": each.low, "high": each.high}
        given = {name: number for name, number in numbers.items() if name == "value" or number is not None}
        entry = {name: rounding.rounded(number) if _exists(number) else None for name, number in given.items()}
        entry |= {"unit": each.unit, "meaning": each.meaning}
        if None in entry.values():
            current().complain(f"metric {key} ({each.meaning}) has no finite {_lacking(entry, each.reason)}")
            entry |= {"reason": each.reason} if entry["value"] is None else {}
        elif "low" in given and "high" in given and not each.low <= each.value <= each.high:
            raise RunError(f"metric {key}: {each.value} lies outside its interval {each.low} to {each.high}")
        current().add("metrics", key, entry)


def _lacking(entry: Mapping[str, Any], reason: str) -> str:
    if entry["value"] is None:
        return f"value: {reason}"
    return " and ".join(f"{name} end" for name in ("low", "high") if entry.get(name, 0) is None)


def _exists(number: Any) -> bool:
    return number is not None and not (isinstance(number, float | np.floating) and not np.isfinite(number))


def metric(key: str, value: Any, unit: str, meaning: str, *, low: Any = None, high: Any = None) -> None:
    """Record a single :class:`Metric` under ``key``."""
    record({key: Metric(value, unit, meaning, low, high)})
