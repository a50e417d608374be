"""vLLM's and SGLang's serving benchmarks: percentiles, load, lengths, and what SGLang's server says of itself."""

import pytest

from tokenomics.rows.formats import serving


def test_every_statistic_that_is_stated_is_read_in_its_unit(runs, measured):
    (run,) = runs("vllm_serve.json")
    assert measured(run) == {
        **{
            "ttft_mean": (820.5, "ms"),
            "ttft_p90": (1500.0, "ms"),
            "ttft_p95": (1800.0, "ms"),
            "ttft_p99": (2600.0, "ms"),
        },
        **{"ttft_p50": (610.0, "ms"), "tpot_mean": (41.5, "ms"), "tpot_p50": (41.0, "ms"), "tpot_p90": (45.0, "ms")},
        **{"tpot_p99": (60.0, "ms"), "itl_mean": (41.6, "ms"), "itl_p50": (38.0, "ms"), "itl_p99": (150.0, "ms")},
        **{"e2e_latency_mean": (6091.0, "ms"), "e2e_latency_p50": (5817.0, "ms"), "e2e_latency_p95": (7900.0, "ms")},
        **{"e2e_latency_p99": (8800.0, "ms"), "output_throughput_total": (307.2, "tok/s")},
        **{"total_throughput_in_plus_out": (2764.8, "tok/s"), "request_throughput": (2.4, "requests/s")},
    }


def test_lengths_are_means_of_the_requests_done_and_the_load_is_the_number_in_flight(runs):
    (run,) = runs("vllm_serve.json")
    expected = {"isl": 1024, "osl": 128, "load": "closed", "batch": 64, "requests": 1000, "tp": 4, "date": "2025-09-17"}
    assert expected.items() <= run.conditions.items()
    assert run.conditions["model"] == "meta-llama/Llama-3.1-70B-Instruct" and "rate_qps" not in run.conditions


def test_old_keys_and_a_path_for_a_model(runs, measured):
    (run,) = runs("vllm_serve_2025.json")
    assert run.conditions == {
        **{"model": "Meta-Llama-3-8B-Instruct", "date": "2025-02-17", "load": "open", "rate_qps": 4.0},
        **{"requests": 200.0, "engine": "vLLM"},
    }
    assert measured(run)["itl_p99"] == (263.0033450573683, "ms") and len(run.measured) == 9


def test_sglang_states_its_layout_and_two_pools_have_devices_of_their_own(runs, measured):
    pools, attention = runs("sglang.jsonl")
    expected = {"n_gpu": 2.0, "tp": 1.0, "batch": 100.0, "isl": 1089.29, "osl": 258.83, "engine": "SGLang 0.5.6"}
    assert expected.items() <= pools.conditions.items() and "1 + 1" in pools.conditions["note"]
    assert "precision" not in pools.conditions  # "auto" says nothing
    assert measured(pools)["itl_p95"] == (11.718380637466906, "ms")
    assert attention.conditions == {
        **{"model": "DeepSeek-V3", "tp": 2.0, "pp": 1.0, "dp": 8.0, "ep": 16.0, "dp_attention": "true"},
        **{"redundant_experts": 32.0, "precision": "fp8", "kv_precision": "fp8_e4m3", "spec_method": "EAGLE"},
        **{"draft_tokens": 4.0, "max_num_seqs": 2048.0, "max_num_batched_tokens": 32768.0, "requests": 500},
        **{"gpu_memory_utilization": 0.85, "isl": 1024.0, "osl": 128.0, "load": "open", "rate_qps": 8.0},
        **{"engine": "SGLang 0.4.8.post1", "engine_version": "0.4.8.post1"},
    } | {"model": "deepseek-ai/DeepSeek-V3"}
    assert "ttft_p90" not in measured(attention)  # NaN


def test_reports_that_were_printed_take_the_load_before_them(runs, measured):
    closed, opened = runs("vllm_serve.log")
    assert closed.conditions == {"isl": 997.44, "osl": 1000.0, "load": "closed", "batch": 16.0, "requests": 100.0}
    assert measured(closed)["itl_p99"] == (9.1, "ms") and measured(closed)["ttft_p50"] == (55.1, "ms")
    assert measured(closed)["total_throughput_in_plus_out"] == (4843.81, "tok/s") and len(closed.measured) == 12
    assert opened.conditions == {"isl": 1000.0, "osl": 100.0, "load": "open", "rate_qps": 4.0, "requests": 200.0}
    assert measured(opened) == {"output_throughput_total": (390.0, "tok/s"), "ttft_mean": (70.25, "ms")}


@pytest.mark.parametrize(
    ("rate", "in_flight", "load"),
    [("inf", None, "max"), (float("inf"), 8, "closed"), (2, 8, "open"), ("3.5", None, "open"), (None, None, None)],
)
def test_the_load_follows_from_rate_and_limit(rate, in_flight, load):
    document = {"mean_ttft_ms": 1.0, "backend": "openai", "request_rate": rate, "max_concurrency": in_flight}
    (run,) = serving.read([document], None)
    assert run.conditions.get("load") == load and "engine" not in run.conditions


def test_zero_means_that_nothing_was_measured(measured):
    (run,) = serving.read([{"mean_ttft_ms": 0.0, "mean_itl_ms": 0.0, "mean_tpot_ms": 9.0, "completed": 0}], None)
    assert measured(run) == {"tpot_mean": (9.0, "ms")}
