"""Conditions that a row leaves unsaid: filled as its engine fills them and said so, or a status; never zero or one."""

import numpy as np
import pandas as pd
import pytest

from tokenomics.errors import DataError
from tokenomics.rows import reading
from tokenomics.rows.predict import predict

USUAL = {
    **{
        "model": "Llama-3.1-8B",
        "hardware": "H100 SXM 80GB",
        "n_gpu": 1,
        "tp": 1,
        "precision": "bf16",
        "load": "closed",
    },
    **{"isl": 1024, "osl": 256, "batch": 64, "metric": "tpot_mean", "unit": "ms", "engine": "vLLM 0.19"},
}
R1 = {
    **{"model": "DeepSeek-R1", "hardware": "H200 SXM 141GB", "n_gpu": 8, "tp": 8, "precision": "fp8"},
    **{"engine": "SGLang 0.5.9", "isl": 922, "osl": 922},
}


@pytest.fixture
def ask(tmp_path):
    """Predictions of rows that differ from the usual one; ``None`` leaves a cell empty."""

    def made(*rows, model="inference", **renamed):
        table = pd.DataFrame([{k: v for k, v in (USUAL | row).items() if v is not None} for row in rows])
        path = tmp_path / "rows.csv"
        table.rename(columns=renamed).to_csv(path, index=False)
        chunk = next(reading.chunks(path))
        return predict(chunk.inputs, model, refused=chunk.refused)

    return made


@pytest.mark.parametrize("name", ["isl", "osl", "batch"])
@pytest.mark.parametrize("metric", ["tpot_mean", "itl_p50", "ttft_mean", "e2e_latency_p99"])
def test_a_closed_loop_without_a_length_or_number_is_not_predicted(ask, name, metric):
    assert ask({name: None, "metric": metric}).status[0] == f"columns missing: {name}"
    assert ask({"metric": metric}).status[0] == "ok"


@pytest.mark.parametrize(
    "names",
    [
        {"isl": "input_len", "osl": "output_len", "batch": "concurrency", "tp": "tensor_parallel_size"},
        {"isl": "Input Tokens", "osl": "output-tokens", "batch": "max_concurrency", "n_gpu": "num_gpus"},
        {"hardware": "gpu", "precision": "quantization", "engine": "framework"},
    ],
)
def test_other_names_of_columns_are_read(ask, names):
    pd.testing.assert_frame_equal(ask({}, **names), ask({}))


def test_what_a_static_batch_is_taken_to_be_is_said(ask):
    bare = ask({"load": "static", "isl": None, "osl": None, "batch": None, "metric": "tpot"}).iloc[0]
    assert bare.status == "ok" and "batch not stated: one sequence" in bare.assumed
    assert "isl not stated: no prompt" in bare.assumed and "osl not stated" in bare.assumed
    assert "not stated:" not in ask({"load": "static", "metric": "tpot"}).assumed[0]


def test_requests_in_flight_are_a_closed_loop(ask):
    told, plain = ask({"load": None}, batch="concurrency"), ask({"load": None})
    assert told.predicted[0] == ask({}).predicted[0]
    assert plain.predicted[0] == ask({"load": "static"}).predicted[0] != told.predicted[0]


@pytest.mark.parametrize(("written", "meant"), [("concurency", "batch"), ("inputlen", "isl"), ("engin", "engine")])
def test_a_column_close_to_an_input_stops(ask, written, meant):
    with pytest.raises(DataError, match=f"nearest: '{meant}'"):
        ask({}, **{meant: written})


def test_four_bits_of_a_dense_model_are_four_bits(ask):
    fields = ({"precision": name, "batch": 1} for name in ("mxfp4", "fp8", "bf16"))
    four, eight, sixteen = ask(*fields).predicted
    assert four < eight < 0.8 * sixteen


def test_an_engine_without_a_version_is_that_of_the_day(ask):
    days = ("2024-06-30", "2026-05-01", None)
    old, new, undated = (ask({"engine": "vLLM", "date": day}).iloc[0] for day in days)
    assert "vllm 2024" in old.assumed and "vllm 2026" in new.assumed and "vllm 2026" in undated.assumed
    assert undated.predicted == new.predicted != old.predicted
    assert undated.low <= min(old.predicted, new.predicted) and undated.high >= max(old.predicted, new.predicted)
    assert undated.high / undated.low > new.high / new.low
    stated = ask({"engine": "vLLM", "engine_version": "0.19.1"}).iloc[0]
    assert "version" not in stated.assumed and stated.predicted == ask({}).predicted[0]


@pytest.mark.parametrize(
    ("row", "bits"),
    [
        ({"engine": "TensorRT-LLM 1.1", "precision": "fp8"}, 8),
        ({"engine": "TensorRT-LLM 1.1", "precision": "nvfp4", "hardware": "B200"}, 8),
        ({"engine": "vLLM 0.19", "precision": "fp8"}, 16),
        (R1, 16),
        (R1 | {"model": "gpt-oss-120b", "precision": "fp8", "engine": "TensorRT-LLM 1.1"}, 16),
    ],
)
def test_a_cache_not_stated_is_the_engines_and_said(ask, row, bits):
    assert f"KV cache in {bits} bit" in ask(row).assumed[0]
    assert "KV cache" not in ask(row | {"kv_precision": "fp8"}).assumed[0]


@pytest.mark.parametrize(
    ("model", "text"), [("gpt-oss-120b", "mxfp4"), ("DeepSeek-V3", "fp8"), ("DeepSeek-R1", "fp8"), ("Kimi-K2", "fp8")]
)
def test_weights_not_stated_are_as_published(ask, model, text):
    asked = {"model": model, "hardware": "B200", "n_gpu": 16, "tp": 8, "batch": 8}
    empty, stated = ask(asked | {"precision": None}).iloc[0], ask(asked | {"precision": text}).iloc[0]
    assert empty.predicted == pytest.approx(stated.predicted, rel=0.05) and "as published" in empty.assumed


def test_eight_bits_of_a_checkpoint_of_four_are_a_label(ask):
    label, four = ask(
        {"model": "gpt-oss-120b", "precision": "fp8"}, {"model": "gpt-oss-120b", "precision": "mxfp4"}
    ).predicted
    assert label == four


def test_experts_or_groups_without_tp_are_attention_data_parallel(ask):
    """A first token of seconds, not minutes: caches are not held by every device."""
    row = R1 | {
        "hardware": "B200",
        "n_gpu": 4,
        "tp": None,
        "ep": 4,
        "precision": "fp4",
        "metric": "ttft_mean",
        "unit": "s",
    }
    row |= {"isl": 1024, "osl": 8192, "batch": 256}
    found, cut = ask(row).iloc[0], ask(row | {"tp": 4}).iloc[0]
    assert "attention data parallel: 4 groups, experts over 4" in found.assumed
    assert found.predicted < 20 < cut.predicted


def test_percentiles_of_a_closed_loop_differ_from_its_mean(ask):
    """Waves put the mean far above the median, and the 99th percentile far above the mean."""
    names = ("p50", "mean", "p90", "p99")
    row = R1 | {"batch": 64, "unit": "s", "length_spread": 0.111}
    p50, mean, p90, p99 = ask(*(row | {"metric": f"ttft_{name}"} for name in names)).predicted
    assert p50 < 0.6 * mean and p50 < p90 < p99 and p99 > 3 * p50
    last = ask(row | {"metric": "e2e_latency_p99"}, row | {"metric": "e2e_latency"}).predicted
    assert last[0] > last[1]


def test_mlperf_has_the_lengths_of_each_models_data_set(ask):
    row = {"load": "mlperf_offline", "metric": "mlperf_offline_throughput", "unit": "tok/s", "isl": None, "osl": None}
    row |= {"batch": None, "tp": None, "n_gpu": 8, "precision": None, "engine": "TensorRT 10.2"}
    models = ("llama2-70b-99.9", "Llama-3.1-405B", "mixtral-8x7b", "DeepSeek-R1", "Llama-3.1-8B")
    found = ask(*(row | {"model": name, "hardware": "B200"} for name in models))
    assert (found.status == "ok").all()
    for assumed, tokens in zip(found.assumed, (294, 9428, 294, 800, 778), strict=True):
        assert f"isl {tokens} and osl" in assumed
    unknown = ask(row | {"model": "Qwen3-32B"}).iloc[0]
    assert unknown.status == "not judgeable: lengths of MLPerf's data set for Qwen3-32B are not known"
    assert ask(row | {"model": "Qwen3-32B", "isl": 300, "osl": 300}).status[0] == "ok"


def test_loads_that_cannot_run_are_refused(ask):
    too_long = {"hardware": "L4", "isl": 120_000, "batch": 1, "precision": "bf16"}
    assert ask(too_long).status[0].startswith("infeasible: ")
    assert ask({"load": "open", "batch": None, "rate_qps": 0, "metric": "ttft_mean"}).status[0] != "ok"


def test_what_an_engine_is_told_reaches_it(ask):
    usual = ask({"metric": "kv_capacity_tokens", "unit": "token"}).predicted[0]
    for change in ({"gpu_memory_utilization": 0.5}, {"prefix_cached_tokens": 512}, {"max_num_seqs": 4}):
        row = {"metric": "ttft_mean", "batch": 512, "isl": 2048} | change
        assert ask(row).predicted[0] != ask({"metric": "ttft_mean", "batch": 512, "isl": 2048}).predicted[0], change
    half = ask({"metric": "kv_capacity_tokens", "unit": "token", "gpu_memory_utilization": 0.5}).predicted[0]
    assert half < 0.5 * usual
    chunked = {"metric": "ttft_p99", "isl": 8000, "batch": 4}
    assert ask(chunked | {"max_num_batched_tokens": 512}).predicted[0] > ask(chunked).predicted[0]


def test_balanced_experts_take_less_time_than_skewed_ones(ask):
    row = R1 | {"batch": 2048, "tp": None, "ep": 8}
    skewed, balanced, spare = ask(row, row | {"expert_routing": "balanced"}, row | {"redundant_experts": 32}).predicted
    assert balanced < skewed and spare < skewed


def test_drafts_by_the_models_own_layers_and_no_others(ask):
    row = R1 | {"batch": 1}
    plain, drafted = ask(row, row | {"spec_method": "mtp", "draft_tokens": 3}).predicted
    assert drafted < plain
    assert ask(row | {"spec_method": "none"}).predicted[0] == plain
    other = ask(row | {"spec_method": "eagle3"}).status[0]
    assert other == "not judgeable: spec_method eagle3 is not modelled; mtp and none are"


def test_a_power_limit_is_said_or_not_modelled(ask):
    near, far = ask({"power_limit_w": 650}, {"power_limit_w": 350}).itertuples()
    assert near.status == "ok" and "power_limit_w 650 of 700" in near.assumed
    assert far.status == "not judgeable: power_limit_w 350, not modelled below 560"


def test_pools_that_only_read_or_only_write(ask):
    row = R1 | {"metric": "output_throughput_per_gpu", "unit": "tok/s/GPU", "load": "max", "batch": None}
    both, decode, prefill = ask(row, row | {"role": "decode"}, row | {"role": "prefill"}).itertuples()
    assert decode.predicted > both.predicted
    assert prefill.status == "not judgeable: output_throughput_per_gpu of a pool that does prefill alone"
    read = R1 | {"metric": "prefill_tok_s", "unit": "tok/s/GPU", "load": "max", "batch": None, "role": "prefill"}
    assert 1000 < ask(read).predicted[0] < 60_000


def test_memory_of_weights_and_cache(ask):
    capacity, room, weights = ask(
        *(
            {"metric": m, "unit": u, "batch": None, "load": "static"}
            for m, u in (("kv_capacity_tokens", "token"), ("kv_memory_per_gpu", "GiB"), ("weight_memory_per_gpu", "GB"))
        ),
    ).itertuples()
    assert weights.predicted == pytest.approx(16.06, rel=0.01)
    assert capacity.predicted == pytest.approx(room.predicted * 2**30 / (2 * 32 * 8 * 128 * 2), rel=0.01)
    assert all(each.low < each.predicted < each.high for each in (capacity, room, weights))


def test_units_as_people_write_them(ask):
    row = {"metric": "output_throughput_total", "batch": 8}
    rates = ask(*(row | {"unit": unit} for unit in ("tok/s", "t/s", "tokens/sec", "Tokens/s"))).predicted
    assert (rates == rates[0]).all()
    requests = ask(row | {"metric": "request_rate", "unit": "requests/s"}).predicted[0]
    assert requests == pytest.approx(rates[0] / 256)
    seconds, ms = ask({"metric": "ttft_p90", "unit": "s"}, {"metric": "ttft_p90", "unit": "ms"}).predicted
    assert ms == pytest.approx(1e3 * seconds)


def test_mlperf_interactive_and_single_stream(ask):
    row = {"model": "llama2-70b-99.9", "hardware": "B200", "n_gpu": 8, "tp": None, "precision": "fp4", "isl": None}
    row |= {"osl": None, "batch": None, "engine": "TensorRT-LLM 1.1", "unit": "tok/s"}
    server, interactive = ask(
        *(row | {"load": f"mlperf_{name}", "metric": f"mlperf_{name}_throughput"} for name in ("server", "interactive"))
    ).predicted
    assert 0 < interactive < server
    p90, mean = ask(
        *(
            row | {"load": "mlperf_singlestream", "metric": f"e2e_latency_{name}", "unit": "s"}
            for name in ("p90", "mean")
        )
    ).predicted
    assert np.isfinite(p90) and p90 > 1.5 * mean
