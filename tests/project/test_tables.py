"""Every table keeps its own description, every source is known and used."""

import pytest

from tokenomics import paths
from tokenomics.facts import tables
from tokenomics.facts.sources import keys_of, sources

TABLES = tables.all_tables()


@pytest.mark.parametrize("path", TABLES, ids=paths.shown)
def test_table_keeps_its_description(path):
    table = tables.read(path)
    assert len(table) > 0


@pytest.mark.parametrize("path", TABLES, ids=paths.shown)
def test_rows_are_sorted_and_text_is_plain(path):
    raw = path.read_bytes()
    assert b"\r" not in raw and raw.endswith(b"\n")
    key = list(tables.read_meta(path).key)
    rows = tables.read(path)[key]
    as_text = rows.astype(str).apply(tuple, axis=1)
    by_value = any(each.sort_values(key, kind="stable").index.equals(rows.index) for each in (rows, rows.astype(str)))
    assert by_value or as_text.is_monotonic_increasing


def test_every_csv_has_metadata():
    bare = [path for path in paths.DATA.rglob("*.csv") if not tables.meta_path(path).exists()]
    assert bare == [paths.DATA / "sources.csv"]


def test_every_source_is_complete_and_used():
    used = {key for path in TABLES for cell in tables.read(path).get("source", []) for key in keys_of(cell)}
    assert used == set(sources())
    for key, row in sources().items():
        assert all(row[name] for name in ("title", "author", "year", "licence", "accessed", "kind")), key
