"""One run of a benchmark as its result file states it: conditions, and measured metrics in the tool's own units."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

STATISTICS = {
    **dict.fromkeys(("mean", "avg", "average"), "mean"),
    **dict.fromkeys(("p50", "median"), "p50"),
    **{name: name for name in ("p90", "p95", "p99")},
}
"""Names that tools give a statistic, and the ending of its metric here."""
LAYOUT = ("n_gpu", "tp", "pp", "dp", "ep")
STATIC = "static"
APART = "prefill and decode on devices of their own"


@dataclass
class Run:
    """One run.

    Attributes:
        conditions: columns of the public input format that are not measured (``model``, ``tp``, ``isl`` ...); a
            condition that the file leaves unsaid is absent.
        measured: metric, value and unit, as the tool writes them.
        kind: ``inference``, ``energy`` or ``training``: a table has rows of one kind.
        needs: conditions without which a row of this run says nothing.
    """

    conditions: dict[str, Any] = field(default_factory=dict)
    measured: list[tuple[str, float, str]] = field(default_factory=list)
    kind: str = "inference"
    needs: tuple[str, ...] = ("model", "hardware", "tp", "precision", "isl", "osl", "load")

    def state(self, **conditions: Any) -> None:
        """Set conditions; what is empty, "auto", no single value, or a number not above zero is left unsaid."""
        for name, value in conditions.items():
            said = value > 0 if isinstance(value, int | float) else _says(value)
            if said and value is not True:
                self.conditions[name] = value

    def add(self, metric: str, value: Any, unit: str) -> None:
        """Add a measured value, unless it is there already or none: empty, text, NaN, infinite, or zero, which tools
        write for "not measured"."""
        amount = number(value)
        if amount is not None and amount > 0 and all(metric != each for each, _, _ in self.measured):
            self.measured.append((metric, amount, unit))

    def add_statistics(self, quantity: str, statistics: Mapping[str, Any], unit: str) -> None:
        """Add the mean and the percentiles of a quantity, by any of the names of :data:`STATISTICS`.

        The mean over repeated static batches is the quantity itself: their requests have no distribution.
        """
        for name, value in statistics.items():
            statistic = STATISTICS.get(str(name).strip().casefold())
            if statistic == "mean" and self.conditions.get("load") == STATIC:
                self.add(quantity, value, unit)
            elif statistic:
                self.add(f"{quantity}_{statistic}", value, unit)

    def arrive(self, rate: Any = None, in_flight: Any = None, requests: Any = None) -> None:
        """State how requests arrive: at a finite rate (open), a number in flight (closed), or all at once (max).

        Args:
            rate: requests a second; "inf" is no limit; None where the file does not say.
            in_flight: most requests at a time.
            requests: requests of the run.
        """
        rate, in_flight, requests = number(rate, endless=True), number(in_flight), number(requests)
        if rate is not None and math.isfinite(rate) and rate > 0:
            self.state(load="open", rate_qps=rate)
        elif in_flight:
            self.state(load="closed", batch=min(in_flight, requests or in_flight))
        elif rate is not None:
            self.state(load="max")
        self.state(requests=requests)


UNSAID = {
    *("", "auto", "none", "null", "n/a", "nan", "unknown"),
    *("compressed-tensors", "modelopt", "mixed_precision", "auto-round", "quark"),
}
"""Texts that say nothing: among them containers of quantised weights, whose bits stand in the model's own files."""


def _says(value: Any) -> bool:
    return isinstance(value, str) and value.strip().casefold() not in UNSAID


def number(value: Any, endless: bool = False) -> float | None:
    """A number written as one or as text, with or without commas between thousands; None for anything else.

    Args:
        value: what stands in the file.
        endless: whether infinity is a number.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        value = value.strip()
        value = value.replace(",", "") if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?", value) else value
    try:
        amount = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return amount if math.isfinite(amount) or (endless and not math.isnan(amount)) else None


def per(total: Any, count: Any) -> float | None:
    """A total over a count; None where one is unknown or the count is zero."""
    total, count = number(total), number(count)
    return total / count if total is not None and count else None


def nested(value: Any) -> Mapping[str, Any]:
    """An object of a document, or an empty one where something else stands."""
    return value if isinstance(value, Mapping) else {}


def first(mapping: Mapping[str, Any], *names: str) -> Any:
    """The first of these keys that has a value."""
    return next((mapping[name] for name in names if mapping.get(name) is not None), None)


def found(tree: Any, *names: str) -> Any:
    """The first value under one of these keys at any depth of nested objects, the shallowest first; None without."""
    level = [tree]
    while level:
        level = [branch for branch in level if isinstance(branch, Mapping)]
        for branch in level:
            if (value := first(branch, *names)) is not None:
                return value
        level = [each for branch in level for each in branch.values()]
    return None


def model_name(text: Any) -> str | None:
    """A model's name: the repository as it is, of a path in a file system its last part."""
    if not isinstance(text, str) or not text.strip():
        return None
    text = text.strip().rstrip("/\\")
    local = text.startswith(("/", ".", "~")) or re.match(r"[A-Za-z]:[\\/]", text) or "\\" in text or text.count("/") > 1
    return re.split(r"[\\/]", text)[-1] if local else text


def alike(names: Iterable[str]) -> tuple[str, int]:
    """A list of devices as one name and their number; devices of several kinds keep all their names."""
    names = [name.strip() for name in names if name and name.strip()]
    different = list(dict.fromkeys(names))
    return " + ".join(different), len(names)


def day(text: Any) -> str | None:
    """The day of a date in any of the tools' forms (20250217-104315, 2025-02-17T10:43 ...), as YYYY-MM-DD."""
    parts = re.match(r"(\d{4})-?(\d{2})-?(\d{2})", str(text or ""))
    return "-".join(parts.groups()) if parts else None


def with_version(engine: str, version: Any) -> dict[str, Any]:
    """The columns ``engine`` and ``engine_version``; a version that is unknown is left out."""
    text = str(version or "").strip().removeprefix("v")
    text = text if re.match(r"\d", text) else ""
    return {"engine": f"{engine} {text}".strip(), "engine_version": text or None}
