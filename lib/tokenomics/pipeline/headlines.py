"""The few numbers that a notebook's answer and takeaway name: printed after a run, shown on the site's front page."""

import json
from collections.abc import Mapping
from typing import Any

from tokenomics import paths
from tokenomics.notebook.prose import PLACEHOLDER

LINES = ("**Answer.**", "> **Takeaway.**")
COLUMNS = ("notebook", "metric", "value", "interval", "unit", "meaning")


def keys(name: str, record: Mapping[str, Any]) -> list[str]:
    """Metrics named in the answer and the takeaway of a source notebook, in reading order; parameters are none.

    A notebook that names none there, or whose source is not at hand, shows all its metrics.

    Args:
        name: ``NN_name``.
        record: its ``metrics.json``.
    """
    source = paths.NOTEBOOKS / f"{name}.ipynb"
    found: list[str] = []
    if source.exists():
        cells = json.loads(source.read_text(encoding="utf-8"))["cells"]
        lines = "".join("".join(cell["source"]) + "\n" for cell in cells if cell["cell_type"] == "markdown")
        named = "\n".join(line for line in lines.splitlines() if line.startswith(LINES))
        found = list(dict.fromkeys(match.group(1) for match in PLACEHOLDER.finditer(named)))
    metrics, parameters = record["metrics"], record.get("parameters", {})
    return [key for key in found if key in metrics and key not in parameters] or list(metrics)


def table() -> str:
    """The headline numbers of all committed results as aligned text: notebook, value, interval, unit, meaning."""
    lines = []
    for path in sorted(paths.RESULTS.glob("[0-9]*/metrics.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        entries = {key: record["metrics"][key] for key in keys(record["notebook"], record)}
        lines += [
            (record["notebook"], key, _number(each["value"]), _interval(each), each["unit"], each["meaning"])
            for key, each in entries.items()
        ]
    if not lines:
        return "no results yet"
    widths = [max(len(line[column]) for line in (COLUMNS, *lines)) for column in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (COLUMNS, *lines)
    )


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _interval(entry: Mapping[str, Any]) -> str:
    return f"{_number(entry['low'])} to {_number(entry['high'])}" if {"low", "high"} <= set(entry) else ""
