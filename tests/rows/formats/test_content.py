"""What stands in a file: encodings, several documents, logs around them, and files that end early."""

import json

import pytest

from tokenomics.errors import DataError
from tokenomics.rows.formats.content import Content, is_own


@pytest.fixture
def content(tmp_path):
    def of(raw: bytes | str, name: str = "any") -> Content:
        path = tmp_path / name
        path.write_bytes(raw.encode() if isinstance(raw, str) else raw)
        return Content(path)

    return of


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_encodings(content, encoding):
    assert content('{"a": "é"}'.encode(encoding)).documents == [{"a": "é"}]


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}\n{"a": 2}\n',
        '\n{"a": 1}\r\n\r\n{"a": 2}',
        '[{"a": 1},\n {"a": 2}]',
        '{\n "a": 1\n}\n{\n "a": 2\n}',
        '[2025-01-01] start\n{"a": 1}\n{"a": 2}\ndone',
        '{"a": 1}\n{"a": 2}\n{"a": 3, "b": [',
    ],
)
def test_several_documents(content, text):
    assert content(text).documents == [{"a": 1}, {"a": 2}]


def test_json_with_nan_and_infinity(content):
    (document,) = content('{"a": NaN, "b": Infinity}').documents
    assert document["b"] == float("inf")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"mean_ttft_ms": 1.0,\n "itls": [1, 2', "line 2: JSON"),
        ('{"mean_ttft_ms": "x', "ends early"),
        ('{"mean_ttft_ms": 1.0 "b": 2}', "allowed: JSON"),
        ('{"a": 1}', "JSON of another kind"),
        ("[02:03] a log", "of no known format"),
    ],
)
def test_a_refusal_says_where_json_breaks(content, text, said):
    with pytest.raises(DataError, match=said):
        content(text).refuse("this")


def test_a_truncated_document_is_not_taken_for_its_parts(content):
    whole = json.dumps([{"a": 1, "b": {"c": 2}}, {"a": 3}], indent=1)
    assert content(whole[:-4]).documents == []


def test_deep_nesting_is_no_document(content):
    assert content("[" * 100_000).documents == []


@pytest.mark.parametrize("raw", [b"", b" \n", b"\x89PNG\0\0"])
def test_empty_and_binary_files_are_refused(content, raw):
    with pytest.raises(DataError, match=r"file = (empty|not text)"):
        content(raw)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(DataError, match="file = "):
            Content(path)


def test_tables_are_separated_by_blank_lines_and_short_rows_are_filled(content):
    first, second = content('a,b\n"1,5",x\n2\n\n\nc\n3\n').tables
    assert first == [{"a": "1,5", "b": "x"}, {"a": "2", "b": ""}] and second == [{"c": "3"}]


def test_markdown_tables_end_at_other_lines(content):
    text = "log | not a row\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n| c |\n| - |\n| 3 |\n"
    assert content(text).grids == [[{"a": "1", "b": "2"}], [{"c": "3"}]]


def test_pairs_keep_the_first(content):
    assert content("A key : 1\nTime (ns)   : 5\nA key: 2\nnone\n").pairs == {"a key": "1", "time (ns)": "5"}


@pytest.mark.parametrize(
    ("line", "own"),
    [
        ("model,hardware,metric,value", True),
        ("\ufeffMetric;Model;Hardware", True),
        ("Metric,avg,min", False),
        ("", False),
    ],
)
def test_a_table_of_the_input_format_is_known_by_its_header(tmp_path, line, own):
    path = tmp_path / "t"
    path.write_text(f"{line}\n1,2\n", encoding="utf-8")
    assert is_own(path) is own
