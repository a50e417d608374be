"""Tables and parts on disk: written whole or not at all, so that a killed run finds only finished pieces."""

import csv
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenomics import paths
from tokenomics.errors import DataError

DIGITS = 6


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """A CSV with these columns, numbers rounded to six digits, replaced in one go, and its description beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    with draft.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(columns)
        out.writerows([_cell(row[name]) for name in columns] for row in rows)
    draft.replace(path)
    if (described := description(path.stem)).is_file():
        shutil.copyfile(described, path.with_suffix(".meta.yaml"))


def description(table: str) -> Path:
    """Where the description of a table of this experiment is kept."""
    return Path(__file__).parent / "tables" / f"{table}.meta.yaml"


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a table that an earlier stage wrote.

    Raises:
        DataError: it is missing.
    """
    if not path.is_file():
        raise DataError(paths.shown(path), "file", "missing", "the output of an earlier stage: make experiment")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_part(path: Path, content: Any) -> None:
    """A finished piece of a stage as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(content), encoding="utf-8")
    draft.replace(path)


def read_part(path: Path) -> Any | None:
    """A finished piece, or ``None``."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)
