"""Engines are rows: what a text means, and that a new row is all that a new engine needs."""

import csv

import pytest

from tokenomics.compute.inference.server import server
from tokenomics.facts import catalogue, engines


@pytest.fixture
def table(tmp_path, monkeypatch):
    """The table with one more engine, known by its name alone."""
    with engines.TABLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    sglang = next(row for row in rows if row["name"] == "sglang")
    new = {"name": "invented", "pattern": "invented", "kernels": "vllm", "elementwise_kernels": "vllm", "usable": "0.5"}
    path = tmp_path / "engines.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, list(sglang))
        out.writeheader()
        out.writerows([*rows, sglang | new])
    monkeypatch.setattr(engines, "TABLE", path)
    for cached in (engines.engines, engines._found, engines.published, engines.of_profile, engines.measured_kernels):
        cached.cache_clear()
    yield
    monkeypatch.undo()
    for cached in (engines.engines, engines._found, engines.published, engines.of_profile, engines.measured_kernels):
        cached.cache_clear()


def test_policies_and_periods_of_published_texts():
    assert engines.published("vLLM 0.3.2").policy == "prefill"
    assert engines.published("vllm 0.19").policy == "chunked"
    assert engines.published("TensorRT 9.3").profile == "trtllm 2023"
    assert engines.published("nobody's").name == engines.GENERIC
    assert engines.of_profile("vllm 2024 CDNA3").period == "2024"


@pytest.mark.usefixtures("table")
def test_a_new_row_is_a_new_engine():
    model, device = catalogue.model("Llama-3.1-8B"), catalogue.accelerator("H100-SXM-80GB")
    new = server(model, device, engine="Invented 2.0")
    assert new.on.kernels == "vllm" and engines.published("Invented 2.0").reserve.usable == 0.5
    step = new.tpot(batch=16, context=2048)
    assert step.low < step.value < step.high


@pytest.mark.parametrize(
    ("engine", "device", "seqs", "tokens"),
    [
        ("vLLM 0.19", "H100-SXM-80GB", 1024, 8192),
        ("vLLM 0.19", "A100-SXM-80GB", 256, 2048),
        ("vLLM 0.19", "L4", 256, 2048),
        ("vLLM 0.6", "H100-SXM-80GB", 256, None),
        ("SGLang 0.5.9", "RTX-4090", None, 2048),
        ("SGLang 0.5.9", "L40S", None, 4096),
        ("SGLang 0.5.9", "B200-SXM-180GB", None, 16_384),
    ],
)
def test_defaults_follow_the_memory_of_a_device(engine, device, seqs, tokens):
    found, device = engines.published(engine), catalogue.accelerator(device)
    assert (found.seqs(device), found.tokens(device)) == (seqs, tokens)


@pytest.mark.parametrize(
    ("text", "share"), [("vLLM 0.20.1", None), ("vLLM 0.21", 0.92), ("vllm v0.30.0", 0.92), ("vLLM", None), ("", None)]
)
def test_a_share_of_memory_changes_with_a_version(text, share):
    assert engines.default_share(text) == share


@pytest.mark.parametrize(
    ("text", "version", "day", "period"),
    [
        ("TensorRT-LLM 1.x main", "", "", "2026"),
        ("TensorRT 10.11, CUDA 12.9", "", "", "2026"),
        ("TensorRT 10.2.0, CUDA 12.4", "", "", "2025"),
        ("vLLM 0.9.0.2.dev108+g1234", "", "", "2026"),
        ("vLLM 99.1", "", "", "2026"),
        ("vLLM nightly", "", "", "2026"),
        ("vLLM", "", "", "2026"),
        ("vLLM", "0.6.3", "2026-01-01", "2024"),
        ("vLLM", "", "2024-12-31", "2024"),
        ("TensorRT-LLM", "main", "2025-11-02", "2026"),
        ("TensorRT-LLM", "", "2024-06-30", "2024"),
        ("TensorRT-LLM", "", "2020-01-01", "2023"),
        ("SGLang", "", "", ""),
    ],
)
def test_an_engine_without_a_version_is_the_newest_of_its_day(text, version, day, period):
    assert engines.published(engines.dated(text, version, day)).period == period


def test_a_day_tells_no_version():
    told = [engines.version_told(text) for text in ("vLLM 0.9", "vLLM 2025-11-02", "vLLM", "SGLang", "TensorRT 10.11")]
    assert told == [True, False, False, True, True]
    assert engines.before("vLLM").period == "2024" and engines.before("SGLang") is None
