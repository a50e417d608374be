"""The result file: a commented header, then one row a measured point, written as it comes. Plain Python, no torch."""

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path

SHAPE = (
    *("operator", "dtype", "kernel", "m", "n", "k", "batch", "tokens", "context", "heads", "kv_heads", "head_dim"),
    *("layers", "d_model", "d_ff", "vocab"),
)
MEASURED = (
    *("seconds", "seconds_min", "seconds_max", "power_w", "clock_mhz", "memory_clock_mhz"),
    *("repeats", "calls", "rotated_bytes"),
)
COLUMNS = SHAPE + MEASURED
SAME = ("device", "driver", "torch", "cuda", "tiny")
"""Header lines that must agree before rows are added to a file."""


class TableError(ValueError):
    """A result file that cannot be continued; one line."""


def cell(value: object) -> str:
    """A number at six significant digits, an empty text for nothing."""
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def line(cells) -> str:
    """One line of CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def parse(text: str) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Header and rows of a result file; a last line without its end was cut off in writing and is dropped.

    Raises:
        TableError: other columns than :data:`COLUMNS`.
    """
    whole = text[: text.rfind("\n") + 1].splitlines()
    header = dict(row[1:].strip().split(": ", 1) for row in whole if row.startswith("#") and ": " in row)
    body = [row for row in whole if not row.startswith("#")]
    if not body or body[0] != ",".join(COLUMNS):
        raise TableError("not a result of this script: its columns differ")
    return header, list(csv.DictReader(body))


def key(row: Mapping[str, object]) -> tuple[str, ...]:
    """What makes a point the same as another: its shape columns as text."""
    return tuple(cell(row.get(name)) for name in SHAPE)


class Table:
    """Rows are appended to the file one by one and flushed, so that an interrupted run loses nothing.

    An existing file is continued: :attr:`done` holds the points it has.

    Raises:
        TableError: the file is no result of this script, or of another device, driver or version.
    """

    def __init__(self, path: Path, header: Mapping[str, object]):
        self.path, self.done = path, set()
        if path.exists() and path.stat().st_size:
            self._continue(header)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"# {name}: {' '.join(cell(value).split())}\n" for name, value in header.items() if value is not None]
        self._append("".join(lines) + line(COLUMNS))

    def _continue(self, header: Mapping[str, object]) -> None:
        text = self.path.read_text(encoding="utf-8")
        before, rows = parse(text)
        for name in SAME:
            now = cell(header.get(name))
            if before.get(name, "") != now:
                raise TableError(
                    f"{name} was {before.get(name, '') or 'unknown'}, is {now or 'unknown'}: name a new file"
                )
        if not text.endswith("\n"):
            self.path.write_text(text[: text.rfind("\n") + 1], encoding="utf-8")
        self.done = {key(row) for row in rows}

    def add(self, row: Mapping[str, object]) -> None:
        """Write one measured point."""
        self._append(line(cell(row.get(name)) for name in COLUMNS))
        self.done.add(key(row))

    def _append(self, text: str) -> None:
        with self.path.open("a", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
