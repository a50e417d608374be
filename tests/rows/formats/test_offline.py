"""vLLM's throughput and latency benchmarks, which state neither model nor lengths."""


def test_a_throughput_run_gives_all_requests_at_once(runs, measured):
    (run,) = runs("vllm_throughput.json")
    assert run.conditions == {"engine": "vLLM", "load": "max", "requests": 200.0}
    assert measured(run) == {
        "total_throughput_in_plus_out": (1198.996134490826, "tok/s"),
        "request_throughput": (2.781764499305893, "requests/s"),
    }


def test_a_latency_run_is_a_static_batch_of_unknown_size(runs, measured):
    (run,) = runs("vllm_latency.json")
    assert run.conditions == {"engine": "vLLM", "load": "static"} and "batch" in run.needs
    assert measured(run) == {
        "e2e_latency": (7.1091228867570555, "s"),
        "e2e_latency_p50": (7.112779660150409, "s"),
        "e2e_latency_p90": (7.397279229387641, "s"),
        "e2e_latency_p99": (7.868931790143251, "s"),
    }
