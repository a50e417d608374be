"""LLMPerf: summary and single responses; its inter-token latency counts the first token's wait."""

import numpy as np
import pytest

from tokenomics.rows.formats import llmperf


def test_a_summary(runs, measured):
    (run,) = runs("llmperf_summary.json")
    assert {"load": "closed", "batch": 5.0, "isl": 550.0, "requests": 150.0}.items() <= run.conditions.items()
    found = measured(run)
    assert found["ttft_p99"] == (0.4745305190600024, "s") and found["e2e_latency_p50"][0] == 2.259533027999993
    assert found["output_throughput_total"] == (207.52121071152493, "tok/s")
    assert found["request_throughput"][0] == pytest.approx(84.73327721639254 / 60)
    assert not any(metric.startswith("itl") for metric in found)


def test_its_inter_token_latency_is_the_latency_over_the_tokens(runs, measured):
    """So it is no TPOT: that is smaller by the share of the first token's wait."""
    (run,) = runs("llmperf_summary.json")
    found = measured(run)
    latency, tokens = found["e2e_latency_mean"][0], run.conditions["osl"]
    assert pytest.approx(latency / tokens, rel=0.02) == 0.01583612777604942
    assert found["tpot_mean"][0] == pytest.approx((latency - found["ttft_mean"][0]) / (tokens - 1))


def test_responses_are_one_run_of_those_that_succeeded(runs, measured):
    (run,) = runs("llmperf_responses.json")
    assert run.conditions == {"isl": 500.0, "osl": 75.0, "requests": 2}
    found = measured(run)
    tpot = [(1.25 - 0.1) / 99, (0.5 - 0.2) / 49]
    assert found["tpot_mean"][0] == pytest.approx(np.mean(tpot))
    assert found["tpot_p99"][0] == pytest.approx(np.percentile(tpot, 99))
    assert found["ttft_p50"] == (pytest.approx(0.15), "s") and found["output_tok_s_per_request"][0] == 90.0


def test_no_response_that_succeeded_is_no_run():
    failed = {"error_code": 500, "ttft_s": 0, "end_to_end_latency_s": 0, "number_output_tokens": 0}
    assert list(llmperf.read_requests([failed], None)) == []
