"""Tidy CSV tables with column metadata.

``data/**/NAME.csv`` has a sibling ``NAME.meta.yaml`` that gives title, description, key and, for each column, type,
unit, meaning and constraints. :func:`read` checks the one against the other and refuses a table that breaks its own
description, naming file, row, column, value and what is allowed. :func:`check_record` holds a user's own record to the
same description. :func:`records` gives the rows as plain values, fast: pandas, which takes a second to load, stays out.
"""

from __future__ import annotations

import csv
import datetime as dt
import difflib
import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenomics import paths
from tokenomics.errors import DataError
from tokenomics.facts import yaml_file
from tokenomics.facts.sources import keys_of, sources

if TYPE_CHECKING:
    import pandas as pd

DTYPES = {
    "string": "str",
    "integer": "Int64",
    "number": "float64",
    "boolean": "boolean",
    "date": "datetime64[us]",
}
PLAIN = {
    "string": str,
    "integer": float,
    "number": float,
    "boolean": {"true": True, "false": False}.__getitem__,
    "date": dt.date.fromisoformat,
}
"""What makes a plain value of a cell."""
COLUMN_KEYS = {
    "type",
    "unit",
    "meaning",
    "required",
    "minimum",
    "maximum",
    "exclusive_minimum",
    "allowed",
    "pattern",
}
ALLOWS: Mapping[str, Callable[[pd.Series, Any], pd.Series]] = {
    "minimum": lambda values, least: values.ge(least),
    "maximum": lambda values, most: values.le(most),
    "exclusive_minimum": lambda values, below: values.gt(below),
    "allowed": lambda values, words: values.isin(words),
    "pattern": lambda texts, pattern: texts.str.match(pattern),
}
"""For each constraint of a column's metadata, which values keep it."""
WRITTEN_DIGITS = 4


@dataclass(frozen=True)
class TableMeta:
    """What a table is: title, description, key columns and the metadata of each column, in file order."""

    title: str
    description: str
    key: tuple[str, ...]
    columns: Mapping[str, Mapping[str, Any]]


def meta_path(csv_path: Path) -> Path:
    """The metadata file beside a table."""
    return csv_path.with_suffix(".meta.yaml")


def read_meta(csv_path: Path) -> TableMeta:
    """Metadata of a table.

    Raises:
        DataError: unreadable YAML, a missing key, an unknown column key or type.
    """
    path = meta_path(csv_path)
    return _read_meta(path, path.stat().st_mtime_ns if path.exists() else 0)


@cache
def _read_meta(path: Path, changed_ns: int) -> TableMeta:
    """Metadata as they stand at a time of change: parsed once."""
    raw = yaml_file.read(path)
    for key in ("title", "description", "key", "columns"):
        if key not in raw:
            raise DataError(paths.shown(path), key, "missing", "title, description, key, columns")
    for name, column in raw["columns"].items():
        where = f"{paths.shown(path)}, column {name}"
        unknown = sorted(set(column) - COLUMN_KEYS)
        if unknown:
            raise DataError(where, unknown[0], column[unknown[0]], ", ".join(sorted(COLUMN_KEYS)))
        if column.get("type") not in DTYPES:
            raise DataError(where, "type", column.get("type"), ", ".join(DTYPES))
        if column["type"] in ("integer", "number") and "unit" not in column:
            raise DataError(where, "unit", "missing", "a unit for every number ('1' where dimensionless)")
    return TableMeta(raw["title"], raw["description"], tuple(raw["key"]), raw["columns"])


def read(csv_path: Path | str, validate: bool = True) -> pd.DataFrame:
    """A table with typed columns, rows in file order.

    Args:
        csv_path: a path, or a name below ``data/`` such as ``"catalogue/models"``.
        validate: check constraints, unique keys and source keys (type conversion is always checked).

    Raises:
        DataError: a missing file, another set of columns, or the first value that breaks its column's metadata.
    """
    path = csv_path if isinstance(csv_path, Path) else paths.DATA / f"{csv_path}.csv"
    return _read(path.resolve(), validate).copy()


def records(name: str) -> list[dict[str, Any]]:
    """Rows of a table below ``data/`` as plain mappings, empty cells ``None``; types are checked, constraints are not
    (every run of a notebook and the tests check them with :func:`read`).

    Raises:
        DataError: a missing file, another set of columns, or the first value that is not of its column's type.
    """
    path = paths.DATA / f"{name}.csv"
    columns = {key: column["type"] for key, column in read_meta(path).columns.items()}
    rows = enumerate(_read_rows(path, list(columns)))
    return [
        {key: _plain(path, number, key, cell, columns[key]) for key, cell in zip(columns, row, strict=True)}
        for number, row in rows
    ]


def _plain(path: Path, row: int, key: str, cell: str, kind: str) -> Any:
    """A cell as a plain value of its column's type, ``None`` where empty."""
    if cell == "":
        return None
    try:
        value = PLAIN[kind](cell)
        if kind == "integer" and value % 1:
            raise ValueError
    except (ValueError, KeyError):
        raise DataError(_row_name(path, row), key, cell, f"a value of type {kind}") from None
    return int(value) if kind == "integer" else value


@cache
def _read(path: Path, validate: bool) -> pd.DataFrame:
    import pandas as pd

    meta = read_meta(path)
    text = _read_text(path, list(meta.columns))
    table = pd.DataFrame({name: _typed(path, text[name], meta.columns[name]["type"]) for name in meta.columns})
    if validate:
        _check(path, table, meta)
        _check_sources(path, table)
    return table


def _read_text(path: Path, expected: list[str]) -> pd.DataFrame:
    import pandas as pd

    text = pd.DataFrame(_read_rows(path, expected), columns=expected, dtype="str")
    return text.mask(text == "")


def _read_rows(path: Path, expected: list[str]) -> list[list[str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file, strict=True)
    except FileNotFoundError:
        raise DataError(paths.shown(path), "file", "missing", "a readable CSV") from None
    except (ValueError, OSError, csv.Error) as error:
        raise DataError(paths.shown(path), "file", str(error), "a UTF-8 CSV with a header line") from None
    if header != expected:
        odd = sorted(set(header) ^ set(expected)) or header
        raise DataError(paths.shown(path), "header", ", ".join(odd[:3]), "columns of the .meta.yaml, in order")
    for number, row in enumerate(rows):
        if len(row) != len(header):
            raise DataError(_row_name(path, number), "fields", len(row), f"{len(header)}, as many as the header")
    return rows


def _typed(path: Path, column: pd.Series, kind: str) -> pd.Series:
    import pandas as pd

    if kind == "string":
        return column
    if kind == "boolean":
        typed = column.map({"true": True, "false": False}).astype("boolean")
    elif kind == "date":
        typed = pd.to_datetime(column, format="%Y-%m-%d", errors="coerce").astype(DTYPES[kind])
    else:
        typed = pd.to_numeric(column, errors="coerce").astype("float64")
    broken = column.notna() & typed.isna()
    if kind == "integer":
        broken |= typed.notna() & (typed % 1 != 0)
    if broken.any():
        row = int(broken.to_numpy().argmax())
        raise DataError(_row_name(path, row), column.name, column.iloc[row], f"a value of type {kind}")
    return typed.astype(DTYPES[kind])


def _row_name(path: Path, row: int) -> str:
    return f"{paths.shown(path)}, line {row + 2}"


def _check(path: Path, table: pd.DataFrame, meta: TableMeta) -> None:
    import pandas as pd

    for name, column in meta.columns.items():
        row = _first_broken(table[name], column)
        if row is not None:
            value = table[name].astype(object).iloc[row]
            shown = "empty" if pd.isna(value) else value
            raise DataError(_row_name(path, row), name, shown, allowed_text(column))
    repeated = table.duplicated(list(meta.key))
    if repeated.any():
        row = int(repeated.to_numpy().argmax())
        value = ", ".join(str(table[name].iloc[row]) for name in meta.key)
        raise DataError(_row_name(path, row), " + ".join(meta.key), value, "a key that stands once in the table")


def _first_broken(values: pd.Series, column: Mapping[str, Any]) -> int | None:
    """The number of the first row whose value the column's metadata do not allow; empty cells break no bound."""
    empty = values.isna()
    broken = empty if column.get("required") else empty & False
    given = values[~empty]
    for key in ALLOWS.keys() & column.keys():
        broken = broken | ~ALLOWS[key](given, column[key]).astype(bool).reindex(values.index, fill_value=True)
    return int(broken.to_numpy().argmax()) if broken.any() else None


def allowed_text(column: Mapping[str, Any]) -> str:
    """What a column accepts, in words."""
    parts = [column["type"]]
    words = {"minimum": ">=", "exclusive_minimum": ">", "maximum": "<=", "pattern": "matching"}
    parts += [f"{word} {_short(column[key])}" for key, word in words.items() if key in column]
    if "allowed" in column:
        parts.append("one of " + ", ".join(map(str, column["allowed"])))
    if column.get("required"):
        parts.append("not empty")
    return ", ".join(parts)


def _short(limit: Any) -> str:
    """A limit in words: ``1e+13`` for a number with many zeros, a pattern as it is."""
    if isinstance(limit, Real) and float(f"{limit:g}") == limit:
        return f"{limit:g}"
    return str(limit)


def check_record(name: str, record: Mapping[str, Any], where: str) -> None:
    """Hold a record of the user's own to the columns of a table below ``data/``: types, bounds, allowed words.

    Which columns are needed is the caller's to say: ``None`` passes here.

    Args:
        name: the table, such as ``"catalogue/accelerators"``.
        record: column to value, as YAML gives them (``96e9`` is an integer: it is whole).
        where: the user's file, named in the error.

    Raises:
        DataError: the first key that is no column or value that its column does not allow, and what is nearest.
    """
    columns = read_meta(paths.DATA / f"{name}.csv").columns
    for key, value in record.items():
        if key not in columns:
            near = difflib.get_close_matches(key, columns, 3, cutoff=0.5)
            hint = f"; nearest: {', '.join(near)}" if near else ""
            raise DataError(where, key, value, f"a column of data/{name}.csv{hint}")
        if value is None:
            continue
        good, nearest = _judged(value, columns[key])
        if not good:
            allowed = allowed_text({**columns[key], "required": False}).replace("boolean", "true or false")
            raise DataError(where, key, value, f"{allowed}; nearest: {nearest}" if nearest else allowed)


def _judged(value: Any, column: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether a column allows a value, and else what it allows that is nearest (empty where nothing is near)."""
    kind = column["type"]
    if kind == "boolean":
        return isinstance(value, bool), ""
    if kind == "date":
        return isinstance(value, dt.date), ""
    if kind == "string":
        if not isinstance(value, str) or not value.strip():
            return False, ""
        words = column.get("allowed")
        near = difflib.get_close_matches(value, words or (), 1, cutoff=0.5)
        good = value in words if words else bool(re.fullmatch(column.get("pattern", ".*"), value, re.DOTALL))
        return good, near[0] if near else ""
    return _judged_number(value, column)


def _judged_number(value: Any, column: Mapping[str, Any]) -> tuple[bool, str]:
    if isinstance(value, bool) or not isinstance(value, Real) or not abs(value) <= sys.float_info.max:
        return False, ""
    if value <= column.get("exclusive_minimum", -math.inf):
        return False, ""
    nearest = min(max(value, column.get("minimum", -math.inf)), column.get("maximum", math.inf))
    if column["type"] == "integer" and not isinstance(nearest, Integral):
        nearest = round(nearest)
    return nearest == value, _short(nearest)


def _check_sources(path: Path, table: pd.DataFrame) -> None:
    if "source" not in table:
        return
    for row, cell in table["source"].dropna().items():
        for key in keys_of(cell):
            if key not in sources():
                raise DataError(_row_name(path, row), "source", key, "a key of data/sources.csv")


def all_tables() -> list[Path]:
    """Every table below ``data/`` that has metadata, sorted."""
    return sorted(p.with_name(p.name.replace(".meta.yaml", ".csv")) for p in paths.DATA.rglob("*.meta.yaml"))


def write_rows(path: Path, rows: Iterable[Mapping[str, object]], key: Sequence[str]) -> None:
    """Write a table that we compute: sorted by key, numbers at four digits, columns as its metadata names them."""
    columns = list(read_meta(path).columns)
    rows = sorted(rows, key=lambda row: [str(row[each]) for each in key])
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(columns)
        out.writerows([_cell(row.get(each)) for each in columns] for row in rows)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.{WRITTEN_DIGITS}g}" if isinstance(value, float) else str(value)
