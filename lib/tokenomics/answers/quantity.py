"""A predicted number as every answer gives it: median, interval, unit, what was assumed, where it comes from."""

import math
from dataclasses import dataclass
from typing import Any

from tokenomics.estimate import Estimate

DIGITS = 3


@dataclass(frozen=True)
class Quantity:
    """A predicted number.

    Attributes:
        value: the median; ``None`` where it cannot be told, for the reason in ``assumed``.
        low, high: ends of the 80 % interval; ``high`` is infinite where the slow end has no answer.
        unit: of all three.
        assumed: what was not stated or measured and had to be taken.
        sources: keys of ``data/sources.csv``.
    """

    value: float | None
    low: float | None
    high: float | None
    unit: str
    assumed: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    @classmethod
    def of(cls, estimate: Estimate, unit: str, assumed: tuple[str, ...] = (), sources: tuple[str, ...] = ()):
        """The three numbers of an estimate, which are single numbers."""
        value, low, high = (float(each) for each in (estimate.value, estimate.low, estimate.high))
        return cls(value, min(low, value), max(high, value), unit, assumed, sources)

    @classmethod
    def unknown(cls, unit: str, reason: str, sources: tuple[str, ...] = ()):
        """A number that cannot be told."""
        return cls(None, None, None, unit, (reason,), sources)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, which has no infinity: ``None`` instead."""
        numbers = {key: _finite(getattr(self, key)) for key in ("value", "low", "high")}
        return numbers | {"unit": self.unit, "assumed": list(self.assumed), "sources": list(self.sources)}

    def __str__(self) -> str:
        if self.value is None:
            return f"unknown: {'; '.join(self.assumed)}"
        unit = "" if self.unit == "1" else self.unit
        return f"{shown(self.value):>10} {unit:<12} ({shown(self.low)} to {shown(self.high)})"


def shown(number: float) -> str:
    """A number with three digits, thousands apart."""
    if not math.isfinite(number):
        return "no bound"
    if number == 0:
        return "0"
    places = max(DIGITS - 1 - math.floor(math.log10(abs(number))), 0)
    return f"{round(number, places):,.{0 if float(number).is_integer() else places}f}"


def _finite(number: float | None) -> float | None:
    """Six digits, or ``None``."""
    return float(f"{number:.6g}") if number is not None and math.isfinite(number) else None
