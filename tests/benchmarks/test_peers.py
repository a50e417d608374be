"""Predictions of other tools: complete, consistent with their rows, and made without the answers."""

import tomllib

import pandas as pd
import pytest

from tokenomics import paths
from tokenomics.facts import measurements, tables

TABLES = ("inference_latency", "inference_throughput")
TIMES = {"prefill_ms": 100.0, "step_ms": 10.0, "max_output_tok_s": 5000.0}


@pytest.fixture(scope="module")
def predictions():
    return tables.read("peers/predictions")


@pytest.fixture
def rows(monkeypatch):
    """The module that chooses rows and turns times into metrics; it needs no peer."""
    monkeypatch.syspath_prepend(paths.ROOT / "benchmarks" / "peers")
    import rows

    return rows


def test_a_value_stands_exactly_where_the_status_is_ok(predictions):
    assert ((predictions["status"] == "ok") == predictions["predicted"].notna()).all()


def test_every_line_is_of_a_measured_row_and_in_its_unit(predictions):
    measured = pd.concat([measurements.read(name).assign(table=name) for name in TABLES])
    both = predictions.merge(measured, on=["table", "case"], how="left", suffixes=("", "_measured"))
    assert len(both) == len(predictions) and (both["unit"] == both["unit_measured"]).all()


def test_every_peer_is_asked_for_the_same_rows(predictions, rows):
    asked = set(rows.asked()[["table", "case"]].itertuples(index=False, name=None))
    for _, lines in predictions.groupby("peer"):
        assert set(lines[["table", "case"]].itertuples(index=False, name=None)) == asked


def test_no_answer_reaches_a_peer(rows):
    answers = {name for table in TABLES for name in measurements.ANSWER_COLUMNS[table]}
    assert not answers & set(rows.asked().columns)


def test_releases_are_those_of_the_extra(predictions):
    project = tomllib.loads((paths.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = dict(text.split("==") for text in project["optional-dependencies"]["peers"])
    package = {"genz": "genz-llm", "genz_eff0.8": "genz-llm"}
    for peer, version in predictions[["peer", "peer_version"]].drop_duplicates().itertuples(index=False):
        assert pins[package.get(peer, peer)] == version


@pytest.mark.parametrize(
    ("metric", "load", "expected"),
    [
        ("ttft", "static", 100),
        ("prefill_tok_s", "static", 4 * 1000 / 0.1),
        ("tpot", "static", 10),
        ("decode_tok_s_per_user", "static", 100),
        ("e2e_latency", "static", 100 + 20 * 10),
        ("total_throughput_in_plus_out", "static", 4 * 1021 / 0.3),
        ("output_throughput_total", "static", 4 * 21 / 0.3),
        ("output_throughput_per_gpu", "static", 4 * 21 / 0.3 / 2),
        ("output_throughput_total", "max", 5000),
    ],
)
def test_metrics_by_hand(rows, metric, load, expected):
    times = rows.Times(*(lambda ms=ms: ms for ms in TIMES.values()))
    at = rows.Point("Llama-2-7B", "H100-SXM-80GB", 2, "16", 16, "vLLM", batch=4, isl=1000, osl=21)
    assert rows.value({"metric": metric, "load": load, "n_gpu": 2}, at, times) == pytest.approx(expected)


def test_rows_outside_a_tensor_parallel_group_are_refused(rows):
    table = rows.asked()
    split = table[table["parallelism"] == "layer_split"].iloc[0]
    with pytest.raises(rows.CannotDoError, match="layout"):
        rows.point(split)
