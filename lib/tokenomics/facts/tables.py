"""Tidy CSV tables with column metadata.

``data/**/NAME.csv`` has a sibling ``NAME.meta.yaml`` that gives title, description, key and, for each column, type,
unit, meaning and constraints. :func:`read` checks the one against the other with pandera and refuses a table that
breaks its own description, naming file, row, column, value and what is allowed. :func:`records` gives the rows as plain
values, fast: pandas and pandera, which take a second to load, stay out.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
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


def schema(meta: TableMeta) -> Any:
    """The pandera schema that a table's metadata describes."""
    import pandera.pandas as pa

    def checks(column: Mapping[str, Any]) -> list:
        made = {
            "minimum": pa.Check.ge,
            "maximum": pa.Check.le,
            "exclusive_minimum": pa.Check.gt,
            "allowed": pa.Check.isin,
            "pattern": pa.Check.str_matches,
        }
        return [make(column[key]) for key, make in made.items() if key in column]

    columns = {
        name: pa.Column(DTYPES[column["type"]], checks(column), nullable=not column.get("required", False))
        for name, column in meta.columns.items()
    }
    return pa.DataFrameSchema(columns, strict=True, ordered=True)


def _check(path: Path, table: pd.DataFrame, meta: TableMeta) -> None:
    import pandas as pd
    import pandera.errors

    try:
        schema(meta).validate(table, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        first = errors.failure_cases.iloc[0]
        column, row = str(first["column"]), first["index"]
        where = paths.shown(path) if pd.isna(row) else _row_name(path, int(row))
        value = first["failure_case"]
        shown = "empty" if pd.isna(value) else getattr(value, "item", lambda: value)()
        raise DataError(where, column, shown, allowed_text(meta.columns[column])) from None
    repeated = table.duplicated(list(meta.key))
    if repeated.any():
        row = int(repeated.to_numpy().argmax())
        value = ", ".join(str(table[name].iloc[row]) for name in meta.key)
        raise DataError(_row_name(path, row), " + ".join(meta.key), value, "a key that stands once in the table")


def allowed_text(column: Mapping[str, Any]) -> str:
    """What a column accepts, in words."""
    parts = [column["type"]]
    words = {"minimum": ">=", "exclusive_minimum": ">", "maximum": "<=", "pattern": "matching"}
    parts += [f"{word} {column[key]}" for key, word in words.items() if key in column]
    if "allowed" in column:
        parts.append("one of " + ", ".join(map(str, column["allowed"])))
    if column.get("required"):
        parts.append("not empty")
    return ", ".join(parts)


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
