"""AIPerf and GenAI-Perf: two tables, commas between thousands, and the same as JSON."""


def test_the_second_table_gives_the_rates(runs, measured):
    (run,) = runs("aiperf.csv")
    assert run.conditions == {"isl": 3761.31, "osl": 543.61, "requests": 96.0}
    found = measured(run)
    assert found["ttft_p95"] == (672.05, "ms") and found["tpot_mean"] == (11.85, "ms")
    assert found["e2e_latency_p99"] == (18625.45, "ms") and found["output_throughput_total"] == (1172.15, "tok/s")
    assert found["total_throughput_in_plus_out"] == (9282.32, "tok/s") and len(found) == 18


def test_commas_between_thousands(runs, measured):
    (run,) = runs("genai_perf.csv")
    assert run.conditions == {"isl": 3000.05, "osl": 174.45, "requests": 40.0}
    found = measured(run)
    assert found["ttft_mean"] == (1146.31, "ms") and found["e2e_latency_p90"] == (9028.16, "ms")
    assert found["output_throughput_total"] == (261.25, "tok/s") and found["request_throughput"] == (1.5, "requests/s")


def test_json_states_model_load_and_device(runs, measured):
    (run,) = runs("aiperf.json")
    assert run.conditions == {
        **{"model": "Qwen/Qwen3-8B", "hardware": "NVIDIA H100 80GB HBM3", "date": "2026-06-13", "isl": 550.0},
        **{"osl": 33.0, "load": "closed", "batch": 16.0, "requests": 300.0},
    }
    assert measured(run)["tpot_p99"] == (55.9, "ms") and len(run.measured) == 18


def test_a_table_of_telemetry_names_the_device(runs, data, tmp_path):
    from tokenomics.rows.formats import aiperf
    from tokenomics.rows.formats.content import Content

    text = (data / "aiperf.csv").read_text(encoding="utf-8")
    telemetry = "Endpoint,GPU_Index,GPU_Name,Metric,avg\nn,0,NVIDIA L40S,GPU Power Usage (W),250\n"
    path = tmp_path / "export.csv"
    path.write_text(f"{text}\n{telemetry}", encoding="utf-8")
    content = Content(path)
    (run,) = aiperf.read_tables([content.tables[0]], content)
    assert run.conditions["hardware"] == "NVIDIA L40S"
