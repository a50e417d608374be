"""What scoring a file gave: counts, errors by group, and every row as it was written."""

import textwrap
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tokenomics import paths
from tokenomics.answers.quantity import Quantity
from tokenomics.facts import catalogue
from tokenomics.rows.predict import OUTPUT, record
from tokenomics.scoring import report

MOST_STATUSES = 8
"""Statuses that are counted one by one in what is printed."""
VERDICTS = {"ok": 1.0, "OOM": 0.0}


@dataclass(frozen=True)
class Outcome:
    """The outcome of scoring a file.

    Attributes:
        rows: rows read.
        statuses: how many rows have each status.
        report: errors by group and model (see :mod:`tokenomics.scoring.report`); ``None`` without values.
        notes: lines on ignored columns and names that do not resolve.
        written: files written, predictions first.
    """

    rows: int
    statuses: Counter
    report: pd.DataFrame | None
    notes: list[str]
    written: list[Path]

    @property
    def text(self) -> str:
        """The outcome as printed."""
        shown = self.statuses.most_common(MOST_STATUSES)
        counts = [f"{_short(name)} {count:,}" for name, count in shown]
        others = self.rows - sum(count for _, count in shown)
        counts += [f"{len(self.statuses) - len(shown):,} other statuses {others:,}"] if others else []
        lines = [f"{self.rows:,} rows: {', '.join(counts)}", *self.notes]
        if self.report is not None:
            lines += ["", report.as_text(self.report), "", *textwrap.wrap(report.LEGEND, 110)]
        lines += [f"written: {paths.shown(path)}" for path in self.written]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text

    def predictions(self) -> pd.DataFrame:
        """The rows as written: all input columns, predicted, low, high, unit, status, assumed; all text."""
        return pd.read_csv(self.written[0], dtype=str, keep_default_na=False)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: each row with its prediction as one object, errors by group as ``summary``."""
        return {
            "rows": [_row(cells) for cells in self.predictions().to_dict("records")],
            "statuses": dict(self.statuses.most_common()),
            "summary": [] if self.report is None else [_plain(line) for line in self.report.to_dict("records")],
            "notes": list(self.notes),
            "written": [str(path) for path in self.written],
        }


def _row(cells: dict[str, str]) -> dict[str, Any]:
    """One row: its input as text, its prediction as a quantity, its status."""
    unit, status, assumed = cells["unit"], cells["status"], cells["assumed"]
    given = {name: cell for name, cell in cells.items() if name not in (*OUTPUT, "status", "assumed")}
    named = {"model": cells["model"], "accelerator": cells["hardware"]}
    found = {kind: record(kind, name) for kind, name in named.items()}
    keys = [key for kind, one in found.items() if one is not None for key in catalogue.sources_of(kind, one.name)]
    sources = tuple(dict.fromkeys(keys))
    if status != "ok":
        quantity = Quantity.unknown(unit, status, sources)
    else:
        value, low, high = (_number(cells[name]) for name in OUTPUT)
        quantity = Quantity(value, low, high, unit, tuple(assumed.split("; ")) if assumed else (), sources)
    return given | {"predicted": quantity.as_dict(), "status": status}


def _number(cell: str) -> float | None:
    return VERDICTS[cell] if cell in VERDICTS else float(cell) if cell else None


def _plain(line: dict[str, Any]) -> dict[str, Any]:
    """Numbers that do not exist as ``None``."""
    return {key: None if isinstance(each, float) and not np.isfinite(each) else each for key, each in line.items()}


def _short(status: str) -> str:
    return status if len(status) <= 80 else status[:77] + "..."
