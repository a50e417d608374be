"""trtllm-bench: the printed report, and how requests arrived."""

import pytest

from tokenomics.rows.formats.content import Content
from tokenomics.rows.formats.registry import recognised


def test_a_report(runs, measured):
    (run,) = runs("trtllm_bench.txt")
    assert run.conditions == {
        **{
            "model": "nvidia/Llama-3.3-70B-Instruct-FP8",
            "precision": "FP8",
            "kv_precision": "FP8",
            "tp": 4.0,
            "pp": 1.0,
        },
        **{"isl": 1024.0, "osl": 2048.0, "load": "max", "requests": 1000.0, "max_num_seqs": 512.0},
        **{"max_num_batched_tokens": 8192.0, "gpu_memory_utilization": 0.9},
        **{"engine": "TensorRT-LLM 1.0.0", "engine_version": "1.0.0"},
    }
    found = measured(run)
    assert found["ttft_mean"] == (90012.25, "ms") and found["tpot_p90"] == (36.0, "ms")
    assert found["e2e_latency_mean"] == (160012.5, "ms") and found["e2e_latency_p99"] == (260000.0, "ms")
    assert found["output_throughput_total"] == (6396.7232, "tok/s")
    assert found["total_throughput_in_plus_out"] == (9595.0848, "tok/s") and len(found) == 18


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("499.7000", "63.8000", {"load": "closed", "batch": 64.0}),
        ("499.7000", "1.0000", {"load": "closed", "batch": 1.0}),
        ("8.3406E+07", "2.5000E+00", {"load": "open", "rate_qps": 2.5}),
        ("8.3406E+07", "INF", {"load": "max"}),
    ],
)
def test_arrival(data, tmp_path, old, new, expected):
    path = tmp_path / "log"
    path.write_text((data / "trtllm_bench.txt").read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    content = Content(path)
    form, pieces = recognised(content)
    (run,) = form.read(pieces, content)
    assert expected.items() <= run.conditions.items()
