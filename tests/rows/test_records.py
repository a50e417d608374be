"""Tables as people and programs write them: every spelling of one file gives the same records."""

import os
import threading

import pytest

from tokenomics.errors import DataError
from tokenomics.rows import reading, records
from tokenomics.rows.records import opened

KNOWN, NEEDED = ("model", "hardware", "metric", "isl", "value"), ("model", "hardware", "metric")
PLAIN = "model,hardware,metric,isl,value,remark\nLlama-2-7B,H100,ttft,1024,12.5,é\nLlama-2-7B,A100,tpot,2048,7,b\n"


def read(path):
    with opened(path, KNOWN, NEEDED) as table:
        return list(table), table


def inputs(path):
    (chunk,) = reading.chunks(path)
    return chunk


SPELT = {
    "plain": PLAIN.encode(),
    "BOM": PLAIN.encode("utf-8-sig"),
    "UTF-16": PLAIN.encode("utf-16"),
    "UTF-16 without mark": PLAIN.encode("utf-16-le"),
    "UTF-16 big end first": PLAIN.encode("utf-16-be"),
    "UTF-32": PLAIN.encode("utf-32"),
    "Latin-1": PLAIN.encode("latin-1"),
    "CRLF": PLAIN.replace("\n", "\r\n").encode(),
    "CR": PLAIN.replace("\n", "\r").encode(),
    "no last line end": PLAIN.rstrip("\n").encode(),
    "semicolons": PLAIN.replace(",", ";").encode(),
    "tabs": PLAIN.replace(",", "\t").encode(),
    "bars": PLAIN.replace(",", "|").encode(),
    "decimal comma": PLAIN.replace(",", ";").replace("12.5", "12,5").encode(),
    "decimal comma of tabs": PLAIN.replace(",", "\t").replace("12.5", "12,5").encode(),
    "sep=": b"sep=;\r\n" + PLAIN.replace(",", ";").encode(),
    "blank lines": PLAIN.replace("\n", "\n\n  \n").encode(),
    "blank records": PLAIN.replace("\n", "\n,,,,,\n", 2).encode(),
    "comments": ('# made by hand, "so\n' + PLAIN.replace("\n", "\n  # more\n")).encode(),
    "trailing commas": PLAIN.replace("\n", ",,\n").encode(),
    "trailing commas of rows": PLAIN.replace("é\n", "é,,\n").encode(),
    "other case": PLAIN.replace("model,hardware", "Model, HardWare ", 1).encode(),
    "spaces": PLAIN.replace(",", " , ").encode(),
    "quotes": PLAIN.replace("Llama-2-7B", '"Llama-2-7B"').encode(),
    "thousands": PLAIN.replace("1024", '"1,024"').replace("2048", '"2,048.0"').encode(),
    "European thousands": PLAIN.replace(",", ";").replace("1024", "1.024,0").encode(),
}


@pytest.mark.parametrize("how", SPELT)
def test_every_spelling_gives_the_same_rows(tmp_path, how):
    path = tmp_path / "mine.csv"
    path.write_bytes(SPELT[how])
    chunk = inputs(path)
    assert chunk.refused.tolist() == ["", ""]
    assert chunk.inputs[["model", "hardware", "metric"]].to_numpy().tolist() == [
        ["Llama-2-7B", "H100", "ttft"],
        ["Llama-2-7B", "A100", "tpot"],
    ]
    assert chunk.inputs["isl"].tolist() == [1024, 2048] and chunk.measured.tolist() == [12.5, 7]
    assert chunk.text["remark"].str.strip().tolist() == ["é", "b"]


def test_latin_1_is_said(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_bytes(SPELT["Latin-1"])
    assert read(path)[1].notes == ["not UTF-8 text: read as Latin-1"]


@pytest.mark.parametrize(("cell", "sign", "number"), [("1,234", "\t", None), ("1,234", ";", 1.234), ("1,2", ",", None)])
def test_a_comma_that_may_be_either_is_refused(tmp_path, cell, sign, number):
    path = tmp_path / "mine.csv"
    path.write_text(sign.join(KNOWN) + "\n" + sign.join(["a", "b", "ttft", "5", f'"{cell}"']) + "\n")
    chunk = inputs(path)
    if number is None:
        assert chunk.refused[0].startswith(f"not judgeable: value = {cell}")
    else:
        assert chunk.measured[0] == number


def test_an_open_quote_costs_its_own_row_only(tmp_path):
    path = tmp_path / "mine.csv"
    good = "a,b,ttft,1,2\n"
    path.write_text(",".join(KNOWN) + "\n" + good + 'a,b,ttft,1,"2\n' + good * 100 + 'a,b,"ttft,1,2\n' + good)
    found, _ = read(path)
    assert [each.fault for each in found if each.fault] == ["a quote is not closed"] * 2
    assert [each.line for each in found] == list(range(2, 106)) and found[-1].cells == ["a", "b", "ttft", "1", "2"]


def test_a_cell_of_several_lines_and_a_quote_within_a_word_are_text(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text('model,hardware,metric,note\na,b,ttft,"one\n# two\n"\na,b,5" disk,"x"y\n')
    found, _ = read(path)
    assert [each.cells[3] for each in found] == ["one\n# two\n", "xy"] and [each.line for each in found] == [2, 5]
    assert not any(each.fault for each in found)


def test_zero_bytes_cost_no_row(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_bytes(PLAIN.encode() + b"Lla\x00ma,H100,ttft,1\x00,2,c\n")
    assert inputs(path).refused.tolist()[:2] == ["", ""]
    assert inputs(path).refused[2].startswith("not judgeable: isl = ")


def test_columns_may_be_many_and_of_one_name(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("model,hardware,metric" + ",x" * 100_000 + "\na,b,ttft" + ",1" * 100_000 + "\n")
    with reading.opened(path) as table:
        assert len(set(table.names)) == len(table.names) == 100_003
        assert reading.notes(table)[0].endswith("x.19 and 99,980 more")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "file = empty"),
        (b"\n\n# only a comment\n", "file = empty"),
        (b"model,hardware\na,b\n", "metric is missing"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "file = binary"),
        (bytes(range(256)) * 100, "file = binary"),
        (b"PK\x03\x04\x14\x00\x06\x00", "file = binary"),
        (b'{"model": 1}', "model is missing"),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(tmp_path, content, says):
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        read(path)
    assert says in str(error.value) and "\n" not in str(error.value)


def test_a_pipe_is_read_and_an_empty_one_not_waited_for(tmp_path, monkeypatch):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    monkeypatch.setattr(records, "WAIT_S", 0.1)
    with pytest.raises(DataError, match="a pipe that nobody writes to"):
        read(path)
    monkeypatch.setattr(records, "WAIT_S", 30.0)
    writer = threading.Thread(target=path.write_text, args=(PLAIN,))
    writer.start()
    assert len(read(path)[0]) == 2
    writer.join()
