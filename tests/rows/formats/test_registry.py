"""A format is recognised by content: every file under ``data`` under any name, and no other file."""

import pytest

from tokenomics.rows.formats.content import Content
from tokenomics.rows.formats.registry import NAMES, recognised

FILES = {
    "vllm_serve.json": "vLLM or SGLang serving benchmark",
    "vllm_serve.log": "vLLM or SGLang serving benchmark",
    "vllm_serve_2025.json": "vLLM or SGLang serving benchmark",
    "sglang.jsonl": "vLLM or SGLang serving benchmark",
    "vllm_throughput.json": "vLLM throughput or latency",
    "vllm_latency.json": "vLLM throughput or latency",
    "guidellm.json": "GuideLLM",
    "aiperf.csv": "AIPerf or GenAI-Perf",
    "aiperf.json": "AIPerf or GenAI-Perf",
    "genai_perf.csv": "AIPerf or GenAI-Perf",
    "llmperf_summary.json": "LLMPerf summary",
    "llmperf_responses.json": "LLMPerf responses",
    "llama_bench.log": "llama-bench",
    "llama_bench.md": "llama-bench",
    "llama_bench.json": "llama-bench",
    "llama_bench.jsonl": "llama-bench",
    "llama_bench.csv": "llama-bench",
    "trtllm_bench.txt": "trtllm-bench",
    "tgi.md": "TGI benchmark",
    "mlperf/mlperf_log_summary.txt": "MLPerf summary",
    "mlperf_server/mlperf_log_summary.txt": "MLPerf summary",
    "mlperf/system.json": "MLPerf system",
    "inferencex.json": "InferenceX",
    "inferencex_rows.json": "InferenceX",
    "optimum.json": "optimum-benchmark",
    "optimum.csv": "optimum-benchmark",
    "codecarbon.csv": "CodeCarbon",
}


def test_every_file_has_an_expectation_and_every_format_a_file(data):
    names = {str(path.relative_to(data)) for path in data.rglob("*") if path.is_file() and path.name != "README.md"}
    assert names == set(FILES) and set(NAMES) == set(FILES.values())


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_recognised_whatever_its_name(data, tmp_path, name):
    path = tmp_path / "x"
    path.write_bytes((data / name).read_bytes())
    assert recognised(Content(path))[0].name == FILES[name]


@pytest.mark.parametrize(
    "text",
    ['{"a": 1}', "[1, 2]", "model,hardware,metric\na,b,c\n", "| a |\n|---|\n| b |\n", "Scenario : Offline\n", "x"],
)
def test_other_files_are_not(tmp_path, text):
    path = tmp_path / "vllm_serve.json"
    path.write_text(text, encoding="utf-8")
    assert recognised(Content(path)) is None
