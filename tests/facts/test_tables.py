"""A table that breaks its own description is refused with one line: file, line, column, value, what is allowed."""

import pytest

from tokenomics.errors import DataError
from tokenomics.facts import tables
from tokenomics.facts.sources import cite, sources

META = """\
title: Things
description: A test table.
key: [name]
columns:
  name:   {type: string, required: true, pattern: "^[a-z]+$", meaning: "name"}
  price:  {type: number, unit: USD, minimum: 0, meaning: "price"}
  count:  {type: integer, unit: "1", exclusive_minimum: 0, maximum: 9, meaning: "count"}
  open:   {type: boolean, meaning: "open"}
  day:    {type: date, meaning: "day"}
  kind:   {type: string, allowed: [gpu, tpu], meaning: "kind"}
  source: {type: string, meaning: "source"}
"""
HEADER = "name,price,count,open,day,kind,source\n"


@pytest.fixture
def table(tmp_path):
    def write(rows, meta=META, header=HEADER):
        (tmp_path / "things.meta.yaml").write_text(meta, encoding="utf-8")
        path = tmp_path / "things.csv"
        path.write_text(header + rows, encoding="utf-8")
        tables._read.cache_clear()
        return path

    return write


def test_types_survive(table):
    frame = tables.read(table(f"a,1.5,3,true,2024-05-01,gpu,{next(iter(sources()))}\nb,,,,,,\n"))
    assert [str(t) for t in frame.dtypes[1:5]] == ["float64", "Int64", "boolean", "datetime64[us]"]
    assert frame["count"].isna().tolist() == [False, True]
    assert frame["day"][0].year == 2024


@pytest.mark.parametrize(
    ("rows", "line", "key", "value"),
    [
        ("a,-3,,,,,\n", 2, "price", "-3"),
        ("a,1,,,,,\nb,cheap,,,,,\n", 3, "price", "cheap"),
        ("a,1,1.5,,,,\n", 2, "count", "1.5"),
        ("a,1,,,,,\nb,1,0,,,,\n", 3, "count", "0"),
        ("a,1,9,,,,\nb,1,10,,,,\n", 3, "count", "10"),
        ("a,1,,maybe,,,\n", 2, "open", "maybe"),
        ("a,1,,,01/02/2024,,\n", 2, "day", "01/02/2024"),
        ("a,1,,,,cpu,\n", 2, "kind", "cpu"),
        ("A1,1,,,,,\n", 2, "name", "A1"),
        (",1,,,,,\n", 2, "name", "empty"),
        ("a,1,,,,,\na,2,,,,,\n", 3, "name", "a"),
        ("a,1,,,,,no_such_source\n", 2, "source", "no_such_source"),
    ],
)
def test_broken_row_is_named(table, rows, line, key, value):
    with pytest.raises(DataError) as caught:
        tables.read(table(rows))
    text = str(caught.value)
    assert f"things.csv, line {line}: {key} = {value}" in text and "allowed: " in text


@pytest.mark.parametrize(
    ("rows", "meta", "header", "words"),
    [
        ("a\n", META, "name\n", "header"),
        ("a,1,,,,,,,,\n", META, HEADER, "fields"),
        ("", META, "", "file"),
        ("a,1,,,,,\n", META.replace("title", "titel"), HEADER, "title"),
        ("a,1,,,,,\n", META.replace("type: number, unit: USD", "type: number"), HEADER, "unit"),
        ("a,1,,,,,\n", META.replace("minimum", "minimun"), HEADER, "minimun"),
        ("a,1,,,,,\n", META.replace("type: date", "type: day"), HEADER, "type"),
    ],
)
def test_broken_table_is_named(table, rows, meta, header, words):
    with pytest.raises(DataError, match=words):
        tables.read(table(rows, meta, header))


def test_missing_and_unreadable_files_are_named(table, tmp_path):
    path = table("a,1,,,,,\n")
    path.write_bytes(HEADER.encode() + b"\xff\xff,1,,,,,\n")
    tables._read.cache_clear()
    with pytest.raises(DataError, match=r"things\.csv: file"):
        tables.read(path)
    path.unlink()
    tables._read.cache_clear()
    with pytest.raises(DataError, match="missing"):
        tables.read(path)


def test_reading_returns_a_copy(table):
    path = table("a,1,,,,,\n")
    mine = tables.read(path)
    mine.loc[0, "price"] = 0.0
    assert tables.read(path)["price"][0] == 1.0


def test_cite_names_author_and_year():
    key, row = next(iter(sources().items()))
    assert cite(key) == f"{row['author']} ({row['year']}), {row['title']}"
    with pytest.raises(DataError, match="no_such"):
        cite("no_such")
