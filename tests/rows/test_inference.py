"""The scorer's model ``inference``: every published row gets an answer or a reason, from its conditions alone."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from tokenomics.compute.counts.precision import parse
from tokenomics.compute.inference import engines
from tokenomics.compute.inference.engines import Profile
from tokenomics.compute.inference.server import server
from tokenomics.compute.layout import Layout
from tokenomics.errors import Infeasible
from tokenomics.facts import catalogue, measurements
from tokenomics.rows import deployment, held_out, reading
from tokenomics.rows import predict as score
from tokenomics.rows.case import USUAL, Case, Setting
from tokenomics.rows.held_out import family_of

KINDS = ("inference_throughput", "inference_latency")
LOADS = ("static", "closed", "max", "mlperf_offline")
INPUTS = [*reading.TEXTS, *reading.NUMBERS["inference"]]
NO_ROOM = "infeasible: weights take 141 GB, a sequence of 1110 tokens 0.364 GB, of 42.9 GB on each A100-SXM-40GB"
REASONS = r"ok|infeasible: .+|not judgeable: .+|columns missing: [\w, ]+|metric not modelled|unknown precision"


def published(kind):
    chunk = reading.published(kind)
    return chunk.inputs.assign(value=chunk.measured)


@pytest.fixture(scope="module")
def rows():
    """All published rows whose load, model and accelerator are known."""
    table = pd.concat([published(kind) for kind in KINDS], ignore_index=True)
    known = table["load"].isin(LOADS)
    for kind, column in (("model", "model"), ("accelerator", "hardware")):
        known &= table[column].map(lambda name, kind=kind: score.record(kind, name) is not None)
    return table[known].reset_index(drop=True)


@pytest.fixture(scope="module")
def predictions(rows):
    return score.predict(rows[INPUTS], "inference")


def ask(setting=USUAL, **changes):
    """Predictions of one row: a static batch on vLLM in conditions that nobody published."""
    row = {
        **{"model": "Llama-3.1-70B", "hardware": "H100 SXM 80GB", "metric": "tpot", "unit": "s", "load": "static"},
        **{"precision": "bf16", "kv_precision": "", "engine": "vLLM 0.19", "n_gpu": 4.0, "tp": 4.0, "pp": np.nan},
        **{"dp": np.nan, "ep": np.nan, "isl": 777.0, "osl": 333.0, "batch": 7.0, "rate_qps": np.nan},
    }
    return score.predict(pd.DataFrame([row | changes]), "inference", setting).iloc[0]


def test_every_row_gets_a_prediction_or_a_reason(rows, predictions):
    assert len(rows) > 3500
    odd = {status for status in predictions["status"].unique() if not re.fullmatch(REASONS, status)}
    assert not odd
    ok = (predictions["status"] == "ok").to_numpy()
    assert ok.mean() > 0.98
    made = predictions[ok & (rows["metric"] != "fits_in_memory").to_numpy()]
    assert (made["predicted"] > 0).all() and np.isfinite(made["predicted"]).all()
    assert (made["low"] <= made["predicted"]).all() and (made["predicted"] <= made["high"]).all()
    assert predictions.loc[~ok, ["predicted", "low", "high"]].isna().all(axis=None)


def test_values_and_notes_are_not_read(rows, predictions):
    poisoned = rows.assign(value=-1.0, source="poison", note="poison", predicted=0.0)
    pd.testing.assert_frame_equal(score.predict(poisoned, "inference"), predictions)


def test_order_and_neighbours_do_not_matter(rows, predictions):
    some = rows.sample(400, random_state=1)
    alone = score.predict(some[INPUTS], "inference")
    pd.testing.assert_frame_equal(alone, predictions.loc[some.index], rtol=1e-9)


def test_predictions_are_of_the_right_size(rows, predictions):
    """A wide net: half of all rows of measured devices within a third, nearly all within a factor of ten."""
    far = np.log(predictions["predicted"] / rows["value"])
    far = far[rows["metric"].ne("fits_in_memory") & predictions["status"].eq("ok")].abs()
    assert far.median() < np.log(4 / 3)
    assert (far < np.log(10)).mean() > 0.98


def cases(rows):
    """A registry case for each group of published rows, with its rows."""
    for key, some in rows.groupby(score.SHARED, sort=False):
        shared = dict(zip(score.SHARED, key, strict=True))
        device = score.record("accelerator", shared["hardware"])
        precision = score._formats(shared, device)[0]
        columns = {name: some[name].to_numpy(float) for name in reading.NUMBERS["inference"]}
        names = (shared["metric"], shared["load"], shared["engine"])
        yield Case(*names, score.record("model", shared["model"]), device, precision, columns), some


def test_published_conditions_are_known_and_changed_ones_are_not(rows):
    for number, (case, _) in enumerate(cases(rows)):
        assert held_out.published(case).all()
        if number % 10 == 0:
            for name, change in (("isl", 1.25), ("osl", 3.0), ("batch", 7.0), ("n_gpu", 64.0)):
                other = {**case.columns, name: case.known(name, 1.0) * change + 0.37}
                assert not held_out.published(dataclasses.replace(case, columns=other)).any()
            elsewhere = dataclasses.replace(case, device=catalogue.accelerator("Rubin-SXM"))
            assert not held_out.published(elsewhere).any()


def test_a_published_row_is_predicted_without_its_family_and_a_new_one_with_it(rows, monkeypatch):
    asked = []
    real = engines.profile
    monkeypatch.setattr(engines, "profile", lambda *each: asked.append(each) or real(*each))
    one = rows[(rows.metric == "tpot") | (rows.metric == "tpot_mean")].iloc[[0]][INPUTS]
    family = family_of(score.record("model", one.iloc[0]["model"]))
    score.predict(one, "inference")
    assert [each[2] for each in asked] == [family] != [""]
    asked.clear()
    score.predict(one.assign(batch=one["batch"].fillna(1) + 0.37), "inference")
    assert [each[2] for each in asked] == [""]


def test_a_row_says_what_a_server_says():
    it = server(catalogue.model("Llama-3.1-70B"), catalogue.accelerator("H100-SXM-80GB"), engine="vLLM 0.19", tp=4)
    answers = {
        ("tpot", "static"): it.tpot(7, 777 + 1 + 333 / 2),
        ("ttft", "static"): it.ttft(777, batch=7),
        ("e2e_latency", "static"): it.request(7, 777, 333),
        ("tpot_mean", "closed"): it.loaded_tpot(7, 777, 333),
        ("ttft_mean", "closed"): it.loaded_ttft(7, 777, 333),
        ("output_throughput_total", "closed"): it.output_rate(777, 333, 7),
        ("output_throughput_total", "max"): it.output_rate(777, 333),
        ("output_throughput_total", "static"): it.request(7, 777, 333).over(7 * 333.0),
        ("decode_tok_s_per_user", "static"): it.tpot(7, 777 + 1 + 333 / 2).over(1.0),
    }
    for (metric, load), answer in answers.items():
        unit = "tok/s" if "tok" in metric or "throughput" in metric else "s"
        found = ask(metric=metric, load=load, unit=unit)
        assert found["status"] == "ok"
        for name, end in (("predicted", answer.value), ("low", answer.low), ("high", answer.high)):
            assert found[name] == pytest.approx(float(end), rel=1e-9), (metric, load, name)


def test_rates_agree_with_each_other():
    whole = ask(metric="output_throughput_total", unit="tok/s", load="max")["predicted"]
    each = ask(metric="output_throughput_per_gpu", unit="tok/s/GPU", load="max")["predicted"]
    both = ask(metric="total_throughput_in_plus_out", unit="tok/s", load="max")["predicted"]
    assert whole == pytest.approx(4 * each)
    assert both == pytest.approx(whole * (777 + 333) / 333)
    assert ask(unit="ms")["predicted"] == pytest.approx(1e3 * ask()["predicted"])


def test_devices_beyond_the_layout_are_replicas():
    one = ask(metric="output_throughput_total", unit="tok/s", load="max")["predicted"]
    four = ask(metric="output_throughput_total", unit="tok/s", load="max", n_gpu=16.0)["predicted"]
    assert four == pytest.approx(4 * one)
    shared = ask(metric="ttft_mean", load="closed", n_gpu=16.0, batch=28.0)["predicted"]
    assert shared == pytest.approx(ask(metric="ttft_mean", load="closed")["predicted"])


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        (
            {"hardware": "A100 SXM 40GB", "n_gpu": 1.0, "tp": 1.0},
            NO_ROOM,
        ),
        ({"metric": "ttft", "isl": np.nan}, "columns missing: isl"),
        ({"metric": "e2e_latency", "isl": np.nan, "osl": np.nan}, "columns missing: isl, osl"),
        ({"n_gpu": np.nan}, "columns missing: n_gpu"),
        ({"load": "production"}, "metric not modelled"),
        ({"load": "bursty"}, "unknown load"),
        ({"metric": "mfu"}, "metric not modelled"),
        ({"precision": "posit5"}, "unknown precision"),
        ({"model": "Nobody-7B"}, "unknown model"),
        ({"hardware": "abacus"}, "unknown accelerator"),
    ],
)
def test_reasons(changes, status):
    found = ask(**changes)
    assert found["status"] == status
    assert np.isnan(found["predicted"])


@pytest.mark.parametrize("engine", ["", "vLLM", "TensorRT-LLM 0.17", "llama.cpp", "unheard-of 7"])
@pytest.mark.parametrize("hardware", ["MI300X", "Gaudi2", "TPU-v5e", "Apple-M2-Ultra-76-core", "Snapdragon-8-Gen-3"])
def test_devices_that_nobody_measured_are_predicted_too(engine, hardware):
    found = ask(hardware=hardware, engine=engine, model="Llama-3.2-1B", n_gpu=1.0, tp=1.0)
    assert found["status"] == "ok"
    assert 0 < found["low"] <= found["predicted"] <= found["high"] < np.inf


def layout_of(**changes):
    columns = dict.fromkeys(reading.NUMBERS["inference"], np.array([np.nan]))
    numbers = {"n_gpu": 8, "isl": 100.0, "osl": 100.0} | {k: v for k, v in changes.items() if k in columns}
    columns |= {name: np.array([float(value)]) for name, value in numbers.items()}
    case = Case(
        metric="tpot",
        load=changes.get("load", "closed"),
        engine=changes.get("engine", "vLLM"),
        model=catalogue.model(changes.get("model", "Mixtral-8x7B")),
        device=catalogue.accelerator("H100-SXM-80GB"),
        precision=parse("fp8"),
        columns=columns,
    )
    ((on, replicas, chosen),) = deployment.deployments(case)
    layout = on.layout
    assert chosen.tolist() == [0]
    assert layout.devices * replicas == columns["n_gpu"][0]
    return layout


@pytest.mark.parametrize(
    ("changes", "layout"),
    [
        ({"n_gpu": 1}, Layout()),
        ({"tp": 8}, Layout(tp=8)),
        ({"tp": 2, "pp": 4}, Layout(tp=2, pp=4)),
        ({"tp": 2, "dp": 4, "ep": 8}, Layout(tp=2, dp=4, ep=8)),
        ({"tp": 2, "dp": 4, "model": "Llama-3.1-70B"}, Layout(tp=2)),
        ({"tp": 8, "ep": 8, "dp_attention": 1}, Layout(tp=1, dp=8, ep=8)),
        ({"tp": 8, "dp": 4, "ep": 8, "dp_attention": 1}, Layout(tp=2, dp=4, ep=8)),
        ({"tp": 1, "dp": 8, "ep": 8, "dp_attention": 1}, Layout(tp=1, dp=8, ep=8)),
        ({"tp": 2, "ep": 8}, Layout(tp=2, dp=4, ep=8)),
        ({"ep": 8}, Layout(tp=1, dp=8, ep=8)),
        ({"dp": 8}, Layout(tp=1, dp=8, ep=8)),
        ({"dp": 2}, Layout(tp=4, dp=2, ep=8)),
        ({"dp": 2, "model": "Llama-3.1-70B"}, Layout(tp=4)),
        ({"load": "static"}, Layout(tp=8)),
        ({"n_gpu": 16, "tp": 16}, Layout(tp=8)),
        ({"n_gpu": 2, "engine": "llama.cpp", "model": "Llama-2-7B"}, Layout(pp=2)),
        ({"load": "mlperf_offline", "model": "Llama-2-7B"}, Layout(tp=1)),
    ],
)
def test_layouts_that_rows_state(changes, layout):
    assert layout_of(**changes) == layout


@pytest.mark.parametrize("changes", [{"tp": 4, "ep": 3}, {"tp": 4, "dp": 8}, {"tp": 3}, {"dp": 3}])
def test_layouts_that_cannot_be(changes):
    with pytest.raises(Infeasible):
        layout_of(**changes)


def test_a_layout_not_stated_is_the_one_that_writes_most():
    """At full load a mixture of experts on an engine that can runs attention data parallel where that wins."""
    asked = {"model": "DeepSeek-R1", "hardware": "H200 SXM 141GB", "precision": "fp8", "n_gpu": 8.0, "load": "max"}
    asked |= {"metric": "output_throughput_per_gpu", "unit": "tok/s/GPU"}
    chosen, cut = (ask(engine="SGLang 0.5.9", tp=tp, **asked) for tp in (np.nan, 8.0))
    assert "layout not stated: attention dp 8, ep 8, the fastest" in chosen["assumed"]
    assert chosen["predicted"] > cut["predicted"] and "layout" not in cut["assumed"]
    older = ask(engine="TensorRT-LLM 0.17", tp=np.nan, **asked)
    assert "layout not stated: tp 8" in older["assumed"]


def test_a_setting_forces_a_profile_or_leaves_an_accelerator_out():
    usual = ask()
    forced = ask(Setting(profile=Profile(name="vllm 2026", step_s=100.0), plain=True))
    assert forced["predicted"] > 200
    assert np.isnan(forced["low"])
    assert ask(Setting(left_out=True))["predicted"] != usual["predicted"]
    pd.testing.assert_series_equal(ask(), usual)


def test_model_best_takes_inference_where_it_answers(rows, predictions):
    some = rows.sample(200, random_state=2)
    best = score.predict(some[INPUTS], "best")
    answered = (predictions.loc[some.index, "status"] == "ok").to_numpy()
    pd.testing.assert_frame_equal(best[answered], predictions.loc[some.index][answered], rtol=1e-9)


def test_only_rows_of_the_measurement_tables_teach(rows):
    assert {family_of(score.record("model", name)) for name in rows["model"].unique()} >= {"Llama-2", "Llama-3"}
    assert set(KINDS) == set(held_out.KINDS) <= set(measurements.KINDS)
