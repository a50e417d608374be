"""InferenceX: nominal lengths, devices that are not tp x ep, TensorRT-LLM's chunks, seconds."""

import pytest


def test_an_aggregate(runs, measured):
    (run,) = runs("inferencex.json")
    assert run.conditions == {
        **{"model": "deepseek-ai/DeepSeek-R1-0528", "hardware": "h200", "precision": "fp8", "engine": "SGLang 0.5.5"},
        **{"engine_version": "0.5.5", "isl": pytest.approx(921.6), "osl": pytest.approx(921.6), "load": "closed"},
        **{"batch": 64.0, "tp": 8.0, "pp": 1, "ep": 8.0, "n_gpu": 8.0},
    }
    found = measured(run)
    assert found["ttft_p50"] == (0.4, "s") and found["itl_p99"] == (0.2, "s") and found["e2e_latency_mean"][0] == 22.5
    assert found["total_throughput_in_plus_out"] == (640.0, "tok/s/GPU")
    assert found["output_throughput_total"] == (320.0 * 8, "tok/s")


def test_rows_of_the_service(runs, measured):
    together, apart = runs("inferencex_rows.json")
    expected = {"n_gpu": 4.0, "tp": 1, "dp": 4.0, "ep": 4.0, "dp_attention": "true", "spec_method": "mtp"}
    assert expected.items() <= together.conditions.items() and together.conditions["date"] == "2026-01-15"
    assert together.conditions["engine"] == "TensorRT-LLM 1.1.0rc2"
    assert not any(metric.startswith("itl") for metric in measured(together))
    assert measured(together)["output_throughput_total"] == (4000.0, "tok/s")
    assert (
        apart.conditions["n_gpu"] == 48.0 and apart.conditions["dp"] == 32.0 and "spec_method" not in apart.conditions
    )
    assert measured(apart)["output_throughput_total"] == (1500.0 * 32, "tok/s")
