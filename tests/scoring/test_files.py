"""Result files of benchmark tools, scored without a step between."""

from pathlib import Path

import pytest
from click.testing import CliRunner

import tokenomics
from tokenomics.cli import main
from tokenomics.errors import DataError, TokenomicsError

DATA = Path(__file__).resolve().parents[1] / "rows" / "formats" / "data"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_log_is_scored_and_its_predictions_stand_here():
    outcome = tokenomics.score(DATA / "llama_bench.log", given={"xpu": "RTX-4090-24GB"}, out="llama_bench.pred.csv")
    assert outcome.rows == 2 and outcome.statuses == {"ok": 2}
    assert "llama_bench.pred.csv" in outcome.text and Path("llama_bench.pred.csv").is_file()


def test_the_command_takes_the_same_options_and_the_scorer_by_either_name():
    words = ["score", str(DATA / "llama_bench.csv"), "--model", "Qwen2.5-7B", "--scorer", "bounds"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0 and "2 rows: ok 2" in result.output and "bounds" in result.output
    assert "Qwen2.5-7B," in Path("llama_bench.pred.csv").read_text(encoding="utf-8")
    result = CliRunner().invoke(main, ["score", str(DATA / "llama_bench.csv"), "--model", "bounds"])
    assert result.exit_code == 0 and "Qwen2.5-7B-Instruct," in Path("llama_bench.pred.csv").read_text(encoding="utf-8")


def test_what_is_missing_is_asked_for_by_this_command():
    with pytest.raises(TokenomicsError, match=r"tokenomics score .*llama_bench.md'? --xpu NAME --tp N$"):
        tokenomics.score(DATA / "llama_bench.md")


def test_a_result_file_is_not_written_over(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_bytes((DATA / "aiperf.csv").read_bytes())
    with pytest.raises(DataError, match="another file than the input"):
        tokenomics.score(path, out=path)
    assert path.read_bytes() == (DATA / "aiperf.csv").read_bytes()


def test_a_missing_file_is_missing_whatever_is_given(tmp_path):
    for given in ({}, {"tp": 1}):
        with pytest.raises(DataError, match="No such file"):
            tokenomics.score(tmp_path / "none.json", given=given)


def test_notes_of_the_conversion_are_told():
    given = {"model": "Llama-3.1-8B", "xpu": "H100-SXM-80GB", "tp": 1, "precision": "bf16", "batch": 8, "prompt": 5}
    outcome = tokenomics.score(DATA / "aiperf.csv", given=given, model="bounds")
    assert outcome.notes[0].startswith("isl as files state it")
