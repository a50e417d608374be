"""Bounds by hand on a made-up device, and the ways in which a bound must never bend."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenomics.compute import bounds
from tokenomics.compute.bounds import IdealDevices, Precision
from tokenomics.compute.counts.flops import flops_decode
from tokenomics.compute.counts.parameters import WeightFormat, kv_bytes
from tokenomics.compute.counts.precision import fastest, parse
from tokenomics.errors import DataError
from tokenomics.facts import catalogue
from tokenomics.facts.accelerators import Accelerator
from tokenomics.rows.share_of_bound import violations

DEVICE = Accelerator(
    name="device",
    vendor="v",
    kind="gpu",
    memory_bytes=80e9,
    bandwidth_bytes_per_s=2e12,
    peak_bf16_flop_per_s=312e12,
    peak_int8_op_per_s=624e12,
    tdp_w=400,
)
BODY = 32 * (4 * 4096**2 + 3 * 4096 * 11008)
TABLE = 32_000 * 4096
NORMS = 65 * 4096
KV = 2 * 32 * 4096 * 2
MODELS = ["Llama-2-7B", "Llama-3.1-70B", "Mixtral-8x7B", "DeepSeek-V3", "gpt-oss-120b", "Gemma-2-27B"]


def deploy(model="Llama-2-7B", devices=1, **options):
    return IdealDevices(catalogue.model(model), DEVICE, Precision(**options), devices)


def test_decode_reads_weights_and_cache_once():
    read = 2 * (BODY + TABLE + NORMS) + KV
    assert bounds.decode_step_seconds(deploy(), 1, 1) == pytest.approx(read / 2e12, rel=1e-12)
    assert bounds.decode_step_seconds(deploy(), 1, 1) == pytest.approx(6.608e-3, rel=1e-3)


def test_prefill_computes_what_causal_attention_needs():
    pairs = 2048 * 2049 / 2
    flop = 2 * 2048 * BODY + 2 * TABLE + 32 * 2 * 32 * (128 + 128) * pairs
    assert bounds.prefill_seconds(deploy(), 1, 2048) == pytest.approx(flop / 312e12, rel=1e-12)
    assert bounds.prefill_seconds(deploy(), 1, 2048) == pytest.approx(88.55e-3, rel=1e-3)


def test_a_short_prompt_waits_for_the_weights():
    assert bounds.prefill_seconds(deploy(), 1, 1) == pytest.approx(2 * (BODY + TABLE + NORMS) / 2e12, rel=1e-9)


def test_largest_batch_fills_the_memory_and_allows_for_binary_gigabytes():
    free = 80 * 2**30 - 2 * (BODY + 2 * TABLE + NORMS)
    batch = bounds.largest_batch(deploy(), 1024)
    assert batch == free // (KV * 1024) == 134
    assert bounds.memory_bytes(deploy(), batch, 1024) <= 80 * 2**30 < bounds.memory_bytes(deploy(), batch + 1, 1024)


def test_devices_to_hold_are_whole():
    on = deploy("Llama-3.1-70B")
    assert bounds.devices_to_hold(on) == 2
    assert bounds.training_devices_to_hold(on) == np.ceil(70.553706496e9 * 16 / (80 * 2**30))


def test_four_bits_and_scales():
    on = deploy(weights=WeightFormat(4, group_size=128, others=(("embedding", 16), ("head", 16))))
    read = BODY * (4 + 16 / 128) / 8 + 2 * TABLE + 2 * NORMS + KV
    assert bounds.decode_step_seconds(on, 1, 1) == pytest.approx(read / 2e12, rel=1e-12)


def test_training_needs_six_flop_a_parameter_and_token():
    model = catalogue.model("Llama-2-7B")
    multiplied = BODY + TABLE
    assert bounds.training_flop(model, 1e9, 1) == pytest.approx(6e9 * multiplied, rel=1e-3)
    attention = 3 * 32 * 2 * 32 * 256 * (4096 + 1) / 2
    assert bounds.training_flop(model, 1, 4096) == pytest.approx(6 * multiplied + attention, rel=1e-9)
    assert bounds.training_days(deploy(devices=8), 1e12, 4096) == pytest.approx(
        1e12 * (6 * multiplied + attention) / (8 * 312e12) / 86_400, rel=1e-9
    )


def test_equal_prompts_touch_no_more_experts_than_one():
    any_, even = (
        IdealDevices(catalogue.model("Mixtral-8x7B"), DEVICE, routing=routing, devices=4) for routing in ("any", "even")
    )
    one, many = any_.touched_bytes(1), any_.touched_bytes(64)
    assert one == many == even.touched_bytes(1) < even.touched_bytes(64)
    assert bounds.decode_step_seconds(any_, 64, 128) < bounds.decode_step_seconds(even, 64, 128)


def test_latent_attention_counts_the_cheaper_way():
    """Compute-bound decode of MLA stays below the time of absorbed attention, which an engine need not use."""
    model = catalogue.model("DeepSeek-V3")
    slow = Accelerator("slow", "v", "gpu", 1e15, 1e18, peak_bf16_flop_per_s=1e12)
    step = bounds.decode_step_seconds(IdealDevices(model, slow), 8, 32_768)
    assert step < 8 * flops_decode(model, 32_768) / 1e12


def test_sparse_attention_reads_what_it_selects():
    on = deploy("DeepSeek-V3.2", devices=16)
    longer = bounds.decode_step_seconds(on, 64, 2**17) - bounds.decode_step_seconds(on, 64, 2**11)
    dense = 64 * (kv_bytes(on.model, 2**17) - kv_bytes(on.model, 2**11)) / 2e12 / 16
    assert on.model.index_topk == 2048
    assert longer < dense


@given(st.sampled_from(MODELS), st.integers(1, 512), st.integers(1, 60_000), st.integers(1, 64))
def test_more_work_never_takes_less_time_and_more_devices_never_more(name, batch, context, devices):
    on, wider = deploy(name, devices), deploy(name, devices + 1)
    for seconds in (bounds.decode_step_seconds, bounds.prefill_seconds):
        base = seconds(on, batch, context)
        assert base > 0
        assert seconds(on, batch + 1, context) >= base
        assert seconds(on, batch, context + 1) >= base
        assert seconds(wider, batch, context) < base


@given(st.sampled_from(MODELS), st.integers(1, 64), st.integers(1, 4000), st.integers(1, 300))
def test_stretches_bound_the_sum_of_steps_from_below(name, batch, prompt, output):
    on = deploy(name, 8)
    steps = bounds.decode_step_seconds(on, batch, prompt + 1 + np.arange(output - 1)).sum()
    exact = bounds.prefill_seconds(on, batch, prompt) + steps
    bound = bounds.generate_seconds(on, batch, prompt, output)
    assert bound <= exact * (1 + 1e-12)
    assert bound >= 0.8 * exact


@given(st.sampled_from(MODELS), st.integers(1, 4000), st.integers(1, 1000), st.floats(0, 1))
def test_no_static_batch_outruns_the_queue_that_is_never_empty(name, prompt, output, share):
    on = deploy(name, 32)
    batch = np.maximum(np.floor(share * bounds.largest_batch(on, prompt + 1)), 1)
    static = batch * output / bounds.generate_seconds(on, batch, prompt, output)
    assert static <= bounds.output_rate(on, prompt, output) * (1 + 1e-9)
    assert static <= bounds.output_rate(on, prompt, output, in_flight=batch) * (1 + 1e-9)


def test_arrays_broadcast():
    on = deploy(devices=np.array([1, 2, 4]))
    assert bounds.generate_seconds(on, np.array([[1], [8]]), 128, 64).shape == (2, 3)
    assert bounds.output_rate(deploy("Llama-3.1-405B"), 128, 64) == 0


@pytest.mark.parametrize("broken", [{"devices": 0}, {"devices": np.array([2, 0.5])}, {"routing": "skewed"}])
def test_impossible_deployments_are_refused(broken):
    with pytest.raises(DataError):
        IdealDevices(catalogue.model("Llama-2-7B"), DEVICE, **broken)


@pytest.mark.parametrize(
    ("text", "bits", "dtype", "kv"),
    [
        ("", 16, "fp16", 16),
        ("F16", 16, "fp16", 16),
        ("bfloat16", 16, "bf16", 16),
        ("bf16/fp16 (default)", 16, "bf16", 16),
        ("FP8", 8, "fp8", 8),
        ("fp8 (matmul), bf16 (attention)", 8, "fp8", 8),
        ("float32", 32, "tf32", 32),
        ("int8", 8, "int8", 16),
        ("Q4_K_M", 4.5, "int8", 16),
        ("AWQ", 4, "fp16", 16),
        ("SpinQuant int4", 4, "int8", 16),
        ("int4 g32", 4, "int8", 16),
        ("NVFP4", 4, "fp4", 16),
    ],
)
def test_published_precisions(text, bits, dtype, kv):
    found = parse(text)
    assert (found.weights.bits, found.dtype, found.kv_bits) == (bits, dtype, kv)


def test_precisions_give_scales_caches_and_refusals():
    assert parse("int4 g32").weights.group_size == 32
    assert parse("fp16", "FP8").kv_bits == 8
    assert fastest(frozenset({"bf16", "fp8"})).dtype == "fp8"
    for texts in (("posit8x",), ("fp16", "int3.5")):
        with pytest.raises(DataError):
            parse(*texts)


def test_rows_beyond_a_bound_are_the_listed_ones():
    from tokenomics.facts import measurements, tables

    listed = tables.read("measurements/beyond_bounds").set_index(["table", "case"])
    found = violations().set_index(["table", "case"])
    assert set(found.index) == set(listed.index)
    assert found["ratio"].to_numpy() == pytest.approx(listed["ratio"].loc[found.index].to_numpy(), rel=0.02)
    assert (found["suspect"] == listed["marked_suspect"].loc[found.index]).all()
    for kind, cases in listed.groupby(level=0):
        judged = measurements.for_validation(measurements.read(kind))["case"]
        assert not set(judged) & set(cases.index.get_level_values(1))
