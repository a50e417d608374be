"""What cannot exist gets no number, on a row as in Python; everything else gets a sound one."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenomics.compute import bounds
from tokenomics.compute.inference import feasibility
from tokenomics.compute.inference.server import server
from tokenomics.compute.layout import Layout
from tokenomics.errors import DataError, Infeasible
from tokenomics.facts import catalogue
from tokenomics.rows import predict, reading

CASES = pd.read_csv(Path(__file__).with_name("layouts.csv"))
"""Deployments with right answers; ``right_answer`` begins with the verdict."""
EXTENDED = "beyond the stated context"
METRICS = ("tpot", "ttft", "output_throughput_total")
MODELS = ("Llama-3.1-8B", "Llama-3.1-70B", "Qwen3-30B-A3B", "DeepSeek-V3", "gpt-oss-20b", "GPT-3-175B")
DEVICES = ("H100-SXM-80GB", "L4", "V100-SXM-32GB", "MI300X", "B200-SXM-180GB", "Snapdragon-8-Gen-3")


def judged(rows: pd.DataFrame, tmp_path: Path, metric: str) -> pd.DataFrame:
    path = tmp_path / "rows.csv"
    rows.assign(metric=metric).to_csv(path, index=False)
    (chunk,) = reading.chunks(path)
    return predict.predict(chunk.inputs, "best")


def test_rows_get_the_right_answer(tmp_path):
    made = judged(CASES.drop(columns="right_answer"), tmp_path, "tpot")
    for row, right in enumerate(CASES["right_answer"]):
        status, assumed, value = (made[name][row] for name in ("status", "assumed", "predicted"))
        if right.startswith("infeasible or said to be emulated"):
            assert status.startswith("infeasible") or "emulated" in assumed
        elif right.startswith("infeasible"):
            assert status.startswith("infeasible: ") and np.isnan(value), right
        elif right.startswith("a bad value"):
            assert status.startswith("not judgeable: ") and np.isnan(value), right
        else:
            assert status == "ok" and value > 0, right
    assert "context extended" in made["assumed"][5] and "in waves of" in made["assumed"][7]
    assert "32 redundant experts" in made["assumed"][11]
    assert made["status"][0] == "infeasible: tp 4 on 2 devices"
    assert made["status"][4].startswith("infeasible: 40 stages of 32 layers")


def asked(row: pd.Series) -> float:
    """The same question in Python: whole replicas on so many devices, then a token of the batch."""
    tp, pp, dp, ep = (1 if pd.isna(row[name]) else row[name] for name in feasibility.SIZES)
    tp = tp if pd.notna(row["tp"]) else row["n_gpu"] / (pp * dp)
    feasibility.check_counts(row["n_gpu"], tp, pp, dp, ep)
    feasibility.check_replicas(*(int(each) for each in (row["n_gpu"], tp, pp, dp)))
    layout = Layout(*(int(each) for each in (tp, pp, dp, ep)))
    it = server(row["model"], row["hardware"], precision=row["precision"], layout=layout)
    output = 1 if pd.isna(row["osl"]) else row["osl"]
    if row["load"] == "static":
        return float(it.request(row["batch"], row["isl"], output).value)
    return float(it.loaded_tpot(row["batch"], row["isl"], output).value)


def test_python_gives_the_same_answers():
    for _, row in CASES.iterrows():
        right = row["right_answer"]
        if right.startswith("infeasible or said to be emulated"):
            assert asked(row) > 0
        elif right.startswith(("infeasible", EXTENDED)):
            with pytest.raises(Infeasible):
                asked(row)
        elif right.startswith("a bad value"):
            with pytest.raises(DataError) as error:
                asked(row)
            assert not isinstance(error.value, Infeasible)
        else:
            assert asked(row) > 0, right


def test_a_refusal_is_one_line_with_what_is_near():
    with pytest.raises(Infeasible, match="32 heads of Llama-3.1-8B cannot be shared by 3 devices; nearest: 2 or 4"):
        server("Llama-3.1-8B", "H100-SXM-80GB", tp=3)
    with pytest.raises(Infeasible, match="nearest: more devices or fewer bits"):
        server("Llama-3.1-70B", "H100-SXM-80GB").tpot(1, 100)
    for call in (lambda it: it.tpot(-3, 100), lambda it: it.tpot("8", 100), lambda it: it.ttft(np.nan)):
        with pytest.raises(DataError, match="allowed: a number > 0"):
            call(server("Llama-3.1-8B", "H100-SXM-80GB"))


sizes = st.sampled_from([1, 2, 3, 4, 5, 8, 16, 64])
requests = st.tuples(st.integers(-1, 5000), st.integers(1, 300_000), st.integers(1, 20_000))
layouts = st.tuples(st.sampled_from([1, 2, 3, 6, 8, 24, 64, 256]), sizes, sizes, sizes, sizes)
formats = st.sampled_from(["bf16", "fp8", "nvfp4", "AWQ", "Q4_K_M", "int8"])
products = st.tuples(st.sampled_from(MODELS), st.sampled_from(DEVICES), formats)
conditions = st.tuples(
    st.sampled_from(["static", "closed", "max"]),
    st.sampled_from(METRICS),
    st.sampled_from(["", "vLLM 0.19", "SGLang"]),
)


@settings(max_examples=200, deadline=None)
@given(products, layouts, requests, conditions)
def test_rows_have_a_sound_number_or_a_reason(product, layout, request, condition):
    texts = dict(zip(("model", "hardware", "precision"), product, strict=True))
    texts |= dict(zip(("load", "metric", "engine"), condition, strict=True)) | {"unit": "", "kv_precision": ""}
    numbers = dict(zip((*reading.LAYOUT, "batch", "isl", "osl"), map(float, (*layout, *request)), strict=True))
    row = pd.DataFrame([texts | {"rate_qps": np.nan} | numbers])
    made = predict.predict(row, "inference").iloc[0]
    if made["status"] != "ok":
        endless = condition[:2] == ("max", "ttft") and made["status"] == "metric not modelled"
        assert endless or made["status"].startswith(("infeasible: ", "not judgeable: "))
        assert np.isnan(made["predicted"])
        return
    n, tp, pp, *_ = layout
    assert n % (tp * pp) == 0 and pp <= catalogue.model(product[0]).layers
    assert request[0] >= 1 or condition[0] == "max"
    assert 0 < made["low"] <= made["predicted"] <= made["high"] < np.inf and made["low"] < made["high"]


@settings(max_examples=100, deadline=None)
@given(products, sizes, sizes, requests)
def test_python_has_a_sound_number_or_raises(product, tp, pp, request):
    model, device, precision = product
    batch, prompt, output = request
    try:
        it = server(model, device, precision=precision, layout=Layout(tp, pp))
        answers = [it.tpot(batch, prompt), it.request(batch, prompt, output), it.output_rate(prompt, output, batch)]
    except DataError as error:
        assert "\n" not in str(error)
        return
    for each in answers:
        assert 0 < each.low <= each.value <= each.high < np.inf and each.low < each.high
    assert answers[0].value >= float(bounds.decode_step_seconds(it.bound, batch, prompt)) * (1 - 1e-12)
