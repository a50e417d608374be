"""Profiles: which one a published text means, which family they have not seen, and that work is linear in them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenomics.calibration.engines.profiles import HIGHEST, LOWEST, NUMBERS
from tokenomics.compute.inference import engines
from tokenomics.compute.inference.engines import NONE, Profile, Work
from tokenomics.compute.operators.fitted import read_table
from tokenomics.errors import DataError
from tokenomics.facts import catalogue, tables
from tokenomics.facts import engines as facts
from tokenomics.facts.engines import GENERIC

H100, MI300X, MI250, GAUDI2 = "H100-SXM-80GB", "MI300X", "MI250", "Gaudi2"
COEFFICIENTS = ("prefill_s", "decode_s", "prefill_steps", "decode_steps", "sequence_steps")
amounts = st.fixed_dictionaries({name: st.floats(0, 1e3) for name in COEFFICIENTS})
profiles = st.builds(
    Profile,
    prefill_slowdown=st.floats(0.4, 60),
    decode_slowdown=st.floats(0.5, 40),
    step_s=st.floats(1e-6, 0.1),
    sequence_s=st.floats(1e-8, 2e-3),
)


def rows():
    table = read_table(engines.TABLE)
    return {(r["name"], r["experts"] == "true", "" if r["without"] == NONE else r["without"]): r for r in table}


def numbers(profile):
    return [getattr(profile, name) for name in (*NUMBERS, "burst", "wait_s")]


def row_numbers(row):
    return [float(row[name]) for name in (*NUMBERS, "burst", "wait_s")]


@pytest.mark.parametrize(
    ("text", "device", "name"),
    [
        ("TensorRT-LLM 0.6.1", H100, "trtllm 2023"),
        ("TensorRT-LLM 0.9.0", H100, "trtllm 2023"),
        ("TensorRT-LLM 0.17", H100, "trtllm 2025"),
        ("TensorRT-LLM", H100, "trtllm 2026"),
        ("trtllm 1.0.0rc3", H100, "trtllm 2026"),
        ("trtllm 1.2", H100, "trtllm 2026"),
        ("TensorRT 10.2.0, CUDA 12.4", H100, "trtllm 2025"),
        ("TensorRT 9.3.0, CUDA 12.2", H100, "trtllm 2023"),
        ("TensorRT-LLM (Splitwise paper)", H100, "trtllm 2023"),
        ("vLLM", H100, "vllm 2026"),
        ("vLLM", MI250, "vllm 2026 CDNA2"),
        ("vLLM", MI300X, "vllm 2026 CDNA3"),
        ("vLLM 0.3.2", H100, "vllm 2023"),
        ("vLLM (Splitwise paper)", H100, "vllm 2023"),
        ("vLLM 0.4.3+rocm614 (ROCm 6.1.2)", MI300X, "vllm 2024 CDNA3"),
        ("vllm 0.19.0", H100, "vllm 2026"),
        ("  VLLM v0.5.4  ", H100, "vllm 2024"),
        ("llama.cpp", H100, "llama.cpp"),
        ("llama.cpp", MI250, "llama.cpp CDNA2"),
        ("llama.cpp b1234 (GGUF)", "Apple-M2-Ultra-76-core", "llama.cpp Apple"),
        ("Ollama", H100, "llama.cpp"),
        ("sglang 0.5.9", H100, "sglang"),
        ("SGLang", MI300X, "sglang CDNA3"),
        ("FasterTransformer", H100, "fastertransformer"),
        ("gpt-fast", H100, "gpt-fast"),
        ("DeepSpeed-MII", H100, "deepspeed"),
        ("DeepSpeed", GAUDI2, "deepspeed Gaudi"),
        ("ExecuTorch", "Snapdragon-8-Gen-3", "executorch Hexagon"),
        ("", H100, GENERIC),
        ("", MI300X, GENERIC),
        ("somebody's own", H100, GENERIC),
    ],
)
def test_names_from_published_texts(text, device, name):
    assert engines.profile_name(text, catalogue.accelerator(device)) == name


@pytest.mark.parametrize("device", [H100, MI300X, "TPU-v5e", "Xeon-8592+", "Arc-Pro-B60-24GB", "Groq-LPU"])
def test_every_published_engine_has_a_profile_on_every_device(device):
    texts = {""}
    for kind in ("inference_throughput", "inference_latency"):
        texts |= set(tables.read(f"measurements/{kind}")["engine"].dropna())
    assert len(texts) > 10
    for text in texts:
        for experts in (False, True):
            found = engines.profile(engines.profile_name(text, catalogue.accelerator(device)), experts, "Nobody")
            assert np.isfinite(numbers(found)).all()
            assert min(numbers(found)) > 0


@pytest.mark.parametrize(
    ("name", "kernels", "fused", "repeats"),
    [
        ("trtllm 2023", "trtllm", True, True),
        ("trtllm 2024", "trtllm", True, True),
        ("trtllm 2025", "trtllm", False, False),
        ("trtllm 2026", "trtllm", False, False),
        ("vllm 2024 CDNA3", "vllm", True, False),
        ("sglang", "sglang", False, False),
        ("llama.cpp CDNA2", None, True, False),
        ("deepspeed", None, True, True),
        (GENERIC, None, True, False),
    ],
)
def test_what_a_profile_says_of_its_kernels_and_benchmarks(name, kernels, fused, repeats):
    engine = facts.of_profile(name)
    assert (engine.kernels, engine.fuses, engine.repeats_prompt) == (kernels, fused, repeats)


def test_a_name_without_rows_takes_the_latest_period_on_the_same_devices_then_generic():
    assert engines.profile("vllm 2019").name == "vllm 2026"
    assert engines.profile("trtllm 1999").name == "trtllm 2026"
    assert engines.profile("vllm 2026 CDNA3").name == "vllm 2026"
    assert engines.profile("vllm 2024 Trainium").name == "vllm 2024"
    assert engines.profile("vllm 2019 CDNA3").name == "vllm 2024 CDNA3"
    assert engines.profile("gpt-fast Trainium").name == "gpt-fast"
    assert engines.profile("nobody's engine").name == GENERIC
    assert engines.profile(GENERIC).name == GENERIC


def timed():
    """Held-out rows of times and rates: memory teaches no profile."""
    held = tables.read("calibration/held_out_family")
    return held[held.metric != "gpu_memory_used"]


def test_no_profile_has_seen_a_family_that_it_has_rows_of():
    """For every profile and family with measured rows, the family's own row of the table is what is returned."""
    table, held = rows(), timed()
    measured = held[["profile", "family"]].drop_duplicates()
    assert len(measured) > 50
    for name, family in measured.itertuples(index=False):
        for experts in (False, True):
            found = engines.profile(name, experts, family)
            assert found.name == name
            assert numbers(found) == row_numbers(table[name, experts, family]), (name, family)


def test_leaving_a_family_out_leaves_its_rows_out():
    table, fewer = rows(), 0
    held = timed()
    held = held[~held.metric.str.startswith("ttft")]  # those of closed loops teach the wait, not the four numbers
    for (name, family), some in held.groupby(["profile", "family"]):
        with_it, without = (int(table[name, True, each]["rows"]) for each in ("", family))
        assert with_it - without >= len(some), (name, family)
        fewer += 1
    assert fewer > 20


def test_a_family_nobody_measured_gets_all_rows():
    for name in ("vllm 2024", "sglang", GENERIC):
        assert numbers(engines.profile(name, False, "Nobody")) == numbers(engines.profile(name, False))


def test_table_lies_within_its_bounds_and_names_its_devices():
    known, table = set(catalogue.accelerators()), rows()
    for (name, experts, without), row in table.items():
        four = np.array([float(row[number]) for number in NUMBERS])
        assert (four >= LOWEST * 0.999).all() and (four <= HIGHEST * 1.001).all(), (name, experts, without)
        assert set(row["accelerators"].split()) <= known
        assert (GENERIC, experts, without) in table


def test_a_table_without_a_generic_profile_is_named(monkeypatch):
    monkeypatch.setattr(engines, "_profiles", dict)
    with pytest.raises(DataError, match=r"engines.csv: name = generic; allowed: a generic profile"):
        engines.profile("vllm 2024")


@given(amounts, st.integers(0, 200), profiles)
def test_seconds_are_a_sum_over_the_four_numbers(done, layers, profile):
    work, zero = Work(**done, layers_together=layers), dict.fromkeys(NUMBERS, 0.0)
    coefficients = [work.seconds(Profile(**{**zero, name: 1.0})) for name in NUMBERS]
    total = sum(c * getattr(profile, name) for c, name in zip(coefficients, NUMBERS, strict=True))
    assert work.seconds(profile) == pytest.approx(float(total), rel=1e-12)
    assert work.seconds(Profile(**zero)) == 0


def test_seconds_by_hand():
    profile = Profile(prefill_slowdown=2.0, decode_slowdown=0.5, step_s=1e-3, sequence_s=1e-5)
    done = {"prefill_s": 0.1, "prefill_steps": 2, "decode_s": 1.0, "decode_steps": 100, "sequence_steps": 800}
    assert Work(**done).seconds(profile) == pytest.approx(0.2 + 0.5 + 0.102 + 0.008)
    assert Work(**done, layers_together=90).seconds(profile) == pytest.approx(0.2 + 0.5 + 2.5 * 0.102 + 0.008)


@given(amounts, amounts, st.integers(0, 200), profiles, st.floats(0, 100))
def test_work_adds_and_scales(one, other, layers, profile, factor):
    one, other = Work(**one, layers_together=layers), Work(**other, layers_together=layers)
    summed = (one + other).seconds(profile)
    assert summed == pytest.approx(float(one.seconds(profile) + other.seconds(profile)), rel=1e-12)
    assert one.times(factor).seconds(profile) == pytest.approx(float(factor * one.seconds(profile)), rel=1e-12)


def test_work_of_arrays_equals_scalars():
    decode, steps = np.array([0.1, 0.2, 0.3]), np.array([[1.0], [2.0]])
    together = Work(decode_s=decode, decode_steps=steps).seconds(Profile(step_s=0.5))
    assert together.shape == (2, 3)
    assert together[1, 2] == Work(decode_s=0.3, decode_steps=2.0).seconds(Profile(step_s=0.5))


def test_early_tensorrt_llm_attends_beyond_the_window():
    mistral, llama = catalogue.model("Mistral-7B-v0.1"), catalogue.model("Llama-3.1-8B")
    wide = engines.as_run(mistral, "trtllm 2025")
    assert (wide.sliding_layers, wide.full_layers) == (0, 32)
    assert engines.as_run(mistral, "trtllm 2026") is mistral is engines.as_run(mistral, "vllm 2024")
    assert engines.as_run(llama, "trtllm 2025") is llama
