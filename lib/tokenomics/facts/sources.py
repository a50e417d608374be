"""The bibliography: every row of every table names a key of ``data/sources.csv``."""

import csv
from functools import cache

from tokenomics import paths
from tokenomics.errors import DataError

PATH = paths.DATA / "sources.csv"
SEPARATOR = ";"


@cache
def sources() -> dict[str, dict[str, str]]:
    """All sources by key: title, author, year, url, licence, accessed (ISO date, or never where nobody read it), kind.

    Raises:
        DataError: a key stands twice or is empty.
    """
    by_key: dict[str, dict[str, str]] = {}
    with PATH.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            key = row["key"]
            if not key or key in by_key:
                raise DataError(f"{paths.shown(PATH)}, line {number}", "key", key, "a key that stands once")
            by_key[key] = row
    return by_key


def keys_of(cell: str) -> list[str]:
    """The source keys named in one cell: ``"a;b"`` gives ``["a", "b"]``."""
    return [key.strip() for key in str(cell).split(SEPARATOR) if key.strip()]


def cite(cell: str) -> str:
    """A readable citation of the sources named in one cell: ``author (year), title; ...``.

    Raises:
        DataError: a key is not in the bibliography.
    """
    texts = []
    for key in keys_of(cell):
        if key not in sources():
            raise DataError(paths.shown(PATH), "key", key, "a key of this table")
        row = sources()[key]
        texts.append(f"{row['author']} ({row['year']}), {row['title']}")
    return "; ".join(texts)
