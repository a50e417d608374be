"""MLPerf: the summary of each scenario, and the system beside it."""

import pytest


def test_an_offline_run_has_the_mean_length_of_its_answers(runs, measured):
    (run,) = runs("mlperf/mlperf_log_summary.txt")
    assert run.conditions == {"load": "mlperf_offline", "osl": pytest.approx(128, rel=1e-5)}
    assert measured(run) == {"mlperf_offline_throughput": (50776.8, "tok/s")}


def test_a_server_run_has_times_in_nanoseconds_and_says_that_it_is_invalid(runs, measured):
    (run,) = runs("mlperf_server/mlperf_log_summary.txt")
    assert run.conditions["load"] == "mlperf_server" and run.conditions["note"] == "result INVALID"
    assert run.conditions["osl"] == pytest.approx(26552.4 / 90.25)
    found = measured(run)
    assert found["mlperf_server_throughput"] == (26552.4, "tok/s") and found["ttft_p99"] == (9e8, "ns")
    assert found["tpot_mean"] == (2.8e7, "ns") and found["e2e_latency_p50"] == (7.9e9, "ns")


def test_a_system_counts_its_devices(runs):
    (system,) = runs("mlperf/system.json")
    assert system.conditions["n_gpu"] == 8 and system.conditions["hardware"] == "AMD Instinct MI325X 256GB HBM3e"
    assert system.conditions["engine"].startswith("vLLM 0.9.0.2") and not system.measured
