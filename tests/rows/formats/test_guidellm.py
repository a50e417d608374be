"""GuideLLM's report: each of its strategies, now and in its first versions."""

import pytest


def test_each_strategy_is_a_load(runs):
    loads = [{k: run.conditions.get(k) for k in ("load", "batch", "rate_qps")} for run in runs("guidellm.json")]
    assert loads == [
        {"load": "closed", "batch": 1.0, "rate_qps": None},
        {"load": "closed", "batch": 16.0, "rate_qps": None},
        {"load": "max", "batch": None, "rate_qps": None},
        {"load": "open", "batch": None, "rate_qps": 3.5},
    ]


@pytest.mark.parametrize("place", [1, 3])
def test_times_have_their_own_units_and_the_time_per_output_token_is_left_out(runs, measured, place):
    run = runs("guidellm.json")[place]
    assert {"model": "Qwen/Qwen3-8B", "isl": 1000.5, "osl": 200.0, "requests": 320.0}.items() <= run.conditions.items()
    found = measured(run)
    assert found["ttft_mean"] == (95.0, "ms") and found["ttft_p95"] == (130.0, "ms")
    assert found["tpot_mean"] == (9.5, "ms") and found["tpot_p50"] == (9.4, "ms")
    assert found["e2e_latency_mean"] == (1.99, "s") and found["e2e_latency_p99"] == (2.4, "s")
    assert found["output_throughput_total"] == (800.0, "tok/s") and found["request_throughput"] == (4.0, "requests/s")
    assert len(found) == 18
