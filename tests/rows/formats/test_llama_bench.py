"""llama-bench: its tests in every output, depths, several devices, formats of weights."""

import pytest

from tokenomics.rows.formats import llama_bench


def rows(runs: list, measured) -> list[tuple]:
    """Lengths, metric and value of each run."""
    return [
        (run.conditions.get("isl"), run.conditions.get("osl"), *next((m, v[0]) for m, v in measured(run).items()))
        for run in runs
    ]


def test_a_log_names_device_and_build(runs, measured):
    found = runs("llama_bench.log")
    assert rows(found, measured) == [(512, None, "prefill_tok_s", 1786.17), (0, 128, "decode_tok_s_per_user", 73.05)]
    assert found[0].conditions == {
        **{"load": "static", "batch": 1, "isl": 512, "model": "gpt-oss 20B", "precision": "MXFP4", "n_gpu": 1, "tp": 1},
        **{"hardware": "AMD Radeon 8060S Graphics", "pp": 1, "engine": "llama.cpp", "engine_version": "b9187"},
    }


def test_depths_and_old_spellings_of_tests(runs, measured):
    found = runs("llama_bench.md")
    assert rows(found, measured) == [
        (512, None, "prefill_tok_s", 7340.2),
        (0, 128, "decode_tok_s_per_user", 120.6),
        (1024, None, "prefill_tok_s", 6425.91),
        (512, 128, "decode_tok_s_per_user", 116.71),
        (512, None, "prefill_tok_s", 373.36),
    ]
    assert [run.conditions.get("prefix_cached_tokens") for run in found] == [None, None, 512, None, None]
    assert found[0].conditions["precision"] == "Q4_K_M" and found[-1].conditions["precision"] == "Q4_0"
    assert found[-1].conditions["note"] == "10 layers on the device" and "note" not in found[0].conditions


@pytest.mark.parametrize("name", ["llama_bench.json", "llama_bench.jsonl"])
def test_json_names_the_file_and_every_device(runs, measured, name):
    found = runs(name)
    assert rows(found, measured) == [
        (512, None, "prefill_tok_s", 7100.002165),
        (4096, 128, "decode_tok_s_per_user", 118.881588),
        (512, 128, "total_throughput_in_plus_out", 505.5),
    ]
    expected = {"model": "Qwen2.5-7B-Instruct", "hardware": "NVIDIA GeForce RTX 4090", "n_gpu": 2, "tp": 1, "pp": 2}
    expected |= {"kv_precision": "f16", "max_num_batched_tokens": 512, "date": "2025-04-24", "precision": "Q4_K_M"}
    assert expected.items() <= found[0].conditions.items()


def test_csv_quotes_every_cell(runs, measured):
    found = runs("llama_bench.csv")
    assert [row[2:] for row in rows(found, measured)] == [
        ("prefill_tok_s", 7285.676949),
        ("decode_tok_s_per_user", 119.915244),
    ]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("qwen3moe 30B.A3B Q4_K - Medium", ("qwen3moe 30B.A3B", "Q4_K_M")),
        ("llama 8B Q8_0", ("llama 8B", "Q8_0")),
        ("llama 7B all F32 (guessed)", ("llama 7B", "all F32 (guessed)")),
        ("gemma3 270M BF16", ("gemma3 270M", "BF16")),
        ("unknown", ("unknown", "")),
    ],
)
def test_a_type_is_a_model_and_a_format(text, parts):
    assert llama_bench._of_type(text) == parts


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("/m/Llama-3.1-8B-Instruct-Q4_K_M.gguf", ("Llama-3.1-8B-Instruct", "Q4_K_M")),
        ("C:\\m\\DeepSeek-V3-UD-IQ1_S-00001-of-00004.gguf", ("DeepSeek-V3", "IQ1_S")),
        ("gpt-oss-20b-mxfp4.gguf", ("gpt-oss-20b", "mxfp4")),
        ("plain.gguf", ("plain", "")),
    ],
)
def test_a_file_is_a_model_and_a_format(path, parts):
    assert llama_bench._of_file(path) == parts
