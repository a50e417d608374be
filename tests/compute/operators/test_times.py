"""Operator times by hand on a made-up device, their limits and monotony, and how parameters are found and borrowed."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenomics.compute.operators import fitted, times
from tokenomics.compute.operators.selection import completed
from tokenomics.compute.operators.times import OperatorParameters
from tokenomics.errors import DataError
from tokenomics.facts import catalogue, tables
from tokenomics.facts.accelerators import Accelerator

DEVICE = Accelerator(
    name="device",
    vendor="v",
    kind="gpu",
    memory_bytes=80e9,
    bandwidth_bytes_per_s=2e12,
    peak_bf16_flop_per_s=300e12,
    link_bytes_per_s=300e9,
)
SHARP = 64.0
MEASURED = ["A100-SXM-80GB", "H100-SXM-80GB", "H200-SXM-141GB", "B200-SXM-180GB", "L40S", "Arc-Pro-B60-24GB"]


def made(operator="gemm", dtype="bf16", **values):
    given = {"compute_units": 100.0, "exponent": SHARP, "flop_efficiency": 0.5, "byte_efficiency": 0.8} | values
    return OperatorParameters("device", operator, dtype, "vllm", **given)


def test_large_product_runs_at_its_share_of_the_peak():
    m = n = k = 12_800  # 100 x 100 whole tiles: 100 full waves of 100 units
    assert times.gemm_seconds(made(floor_s=5e-6, wave=1.0), DEVICE, m, n, k) == pytest.approx(
        5e-6 + 2 * 12_800**3 / 150e12, rel=1e-6
    )


def test_thin_product_reads_its_weights():
    moved = 2 * (4096 * 4096 + 4096 + 4096)
    assert times.gemm_seconds(made(), DEVICE, 1, 4096, 4096) == pytest.approx(moved / 1.6e12, rel=1e-6)


def test_last_wave_is_paid_in_full():
    whole = times.gemm_seconds(made(wave=1.0), DEVICE, 128 * 100, 128 * 2, 8192)
    one_more = times.gemm_seconds(made(wave=1.0), DEVICE, 128 * 100 + 1, 128 * 2, 8192)
    assert one_more / whole == pytest.approx(1.5, rel=1e-6)


def test_extra_work_of_the_engine_is_added():
    plain = times.gemm_seconds(made(), DEVICE, [16, 64], 4096, 4096)
    extra = times.gemm_seconds(made(extra_traffic=4.0, extra_floor_s=1e-5), DEVICE, [16, 64], 4096, 4096)
    assert extra - plain == pytest.approx(np.array([4 * 16 * 4096 / 2e12, 1e-5 + 4 * 64 * 4096 / 2e12]))


def test_exponent_one_adds_arithmetic_and_memory():
    both = times.gemm_seconds(made(exponent=1.0), DEVICE, 128, 12_800, 4096)
    compute = 2 * 128 * 12_800 * 4096 / 150e12
    memory = 2 * (12_800 * 4096 + 128 * 4096 + 128 * 12_800) / 1.6e12
    assert both == pytest.approx(compute + memory, rel=1e-6)


def test_prefill_counts_the_causal_triangle():
    p = made("prefill_attention")
    tokens, flop = 8192, 4 * 32 * 128 * 8192**2 / 2
    shape = {"heads": 32, "kv_heads": 8, "head_dim": 128}
    assert times.prefill_attention_seconds(p, DEVICE, 1, tokens, **shape) == pytest.approx(flop / 150e12, rel=1e-6)
    chunked = times.prefill_attention_seconds(p, DEVICE, 1, tokens / 2, past=[0, tokens / 2], **shape)
    assert chunked.sum() == pytest.approx(flop / 150e12, rel=1e-6)


def test_window_bounds_prefill_and_decode():
    shape = {"heads": 32, "kv_heads": 8, "head_dim": 128}
    p = made("prefill_attention")
    pairs = 1024**2 / 2 + (8192 - 1024) * 1024
    windowed = times.prefill_attention_seconds(p, DEVICE, 1, 8192, window=1024, **shape)
    assert windowed == pytest.approx(4 * 32 * 128 * pairs / 150e12, rel=1e-6)
    after = times.prefill_attention_seconds(p, DEVICE, 1, 4096, past=4096, window=1024, **shape)
    assert after == pytest.approx(4 * 32 * 128 * 4096 * 1024 / 150e12, rel=1e-6)
    d = made("decode_attention")
    assert times.decode_attention_seconds(d, DEVICE, 64, 8192, window=1024, **shape) == pytest.approx(
        times.decode_attention_seconds(d, DEVICE, 64, 1024, **shape)
    )


def test_decode_reads_keys_and_values_once():
    p = made("decode_attention", "bf16_kv8", floor_s=1e-5)
    moved = 64 * 8192 * 2 * 8 * 128 * 1 + 2 * 64 * 32 * 128 * 2
    seconds = times.decode_attention_seconds(p, DEVICE, 64, 8192, heads=32, kv_heads=8, head_dim=128)
    assert seconds == pytest.approx(1e-5 + moved / 1.6e12, rel=1e-6)


def test_only_a_repeated_call_finds_a_small_cache_on_chip():
    p = made("decode_attention", cache_bytes=40e6, cache_gain=0.5)
    shape = {"heads": 8, "kv_heads": 8, "head_dim": 128}
    small, large = ({"batch": 1, "context": 2048}, {"batch": 64, "context": 8192})
    for call, ratio in ((small, 0.5), (large, 1.0)):
        warm = times.decode_attention_seconds(p, DEVICE, **call, **shape, warm=True)
        assert warm / times.decode_attention_seconds(p, DEVICE, **call, **shape) == pytest.approx(ratio, rel=0.01)


def test_latent_decode_reads_one_latent_for_all_heads():
    p = made("decode_mla", flop_efficiency=1.0)
    moved = 8 * 4096 * 576 * 2 + 8 * 16 * (512 + 576) * 2
    assert times.mla_decode_seconds(p, DEVICE, 8, 4096, 16) == pytest.approx(moved / 1.6e12, rel=1e-6)


def test_latent_prefill_has_wider_keys_than_values():
    p = made("prefill_mla")
    flop = 2 * 16 * (192 + 128) * 8192**2 / 2
    assert times.mla_prefill_seconds(p, DEVICE, 1, 8192, 16) == pytest.approx(flop / 150e12, rel=1e-6)


@given(choices=st.integers(1, 5000), experts=st.integers(1, 512), spread=st.floats(0.1, 1.0))
def test_touched_experts_are_at_least_one_and_at_most_all(choices, experts, spread):
    touched = times.distinct_experts(choices, experts, spread)
    assert 1 <= touched <= min(choices, experts) + 1e-9
    assert touched <= times.distinct_experts(choices, experts) + 1e-9


def test_one_token_reads_its_experts_and_many_read_all():
    p = made("expert_gemm")
    shape = {"hidden": 4096, "width": 1536, "experts": 128, "top_k": 8, "skewed": False}
    one_expert = 3 * 4096 * 1536 * 2 / 1.6e12
    assert times.expert_gemm_seconds(p, DEVICE, 1, **shape) == pytest.approx(8 * one_expert, rel=1e-6)
    assert times.expert_gemm_seconds(p, DEVICE, 512, **shape) == pytest.approx(128 * one_expert, rel=1e-6)
    spread = times.expert_gemm_seconds(p, DEVICE, 512, expert_parallel=4, **shape)
    assert spread == pytest.approx(32 * one_expert, rel=1e-6)


@pytest.mark.parametrize("alike", [False, True])
@pytest.mark.parametrize(("spread", "least"), [(1, 2), (2, 1), (8, 1)])
def test_one_token_never_reads_fewer_experts_than_it_is_sent_to(alike, spread, least):
    p = made("expert_gemm", skew_distinct=0.5)
    shape = {"hidden": 4096, "width": 14_336, "experts": 8, "top_k": 2, "expert_parallel": spread, "alike": alike}
    one_expert = 3 * 4096 * 14_336 * 2 / 1.6e12
    seconds = times.expert_gemm_seconds(p, DEVICE, 1, **shape)
    assert seconds == pytest.approx(least * one_expert, rel=1e-6)


def test_skewed_routing_loads_the_fullest_device():
    p = made("expert_gemm", skew_load=0.5, skew_distinct=1.0)
    shape = {"hidden": 4096, "width": 1536, "experts": 128, "top_k": 8}
    balanced = times.expert_gemm_seconds(p, DEVICE, 65_536, expert_parallel=4, skewed=False, **shape)
    skewed = times.expert_gemm_seconds(p, DEVICE, 65_536, expert_parallel=4, skewed=True, **shape)
    assert skewed / balanced == pytest.approx(2, rel=1e-3)


def test_all_reduce_is_latency_then_wire():
    p = made("all_reduce", floor_s=4e-6, device_s=0.2e-6)
    seconds = times.all_reduce_seconds(p, DEVICE, [1, 1e9, 1e9], [8, 8, 1])
    assert seconds == pytest.approx(np.array([4e-6 + 8 * 0.2e-6, 2 * 7 / 8 * 1e9 / 240e9, 0.0]))


def test_all_to_all_sends_once_what_all_reduce_sends_twice():
    p = made("all_to_all", floor_s=0.0)
    once, twice = (f(p, DEVICE, 1e9, 8) for f in (times.all_to_all_seconds, times.all_reduce_seconds))
    assert twice == pytest.approx(2 * once) and times.all_to_all_seconds(p, DEVICE, 1e9, 1) == 0


def test_all_reduce_needs_a_link():
    with pytest.raises(DataError, match="link_bytes_per_s = missing"):
        times.all_reduce_seconds(made("all_reduce"), dataclasses.replace(DEVICE, link_bytes_per_s=None), 1e6, 2)


def test_elementwise_moves_bytes():
    p = made("elementwise", floor_s=2e-6)
    assert times.elementwise_seconds(p, DEVICE, 1.6e9) == pytest.approx(2e-6 + 1e-3)
    cached = made("elementwise", cache_bytes=40e6, cache_gain=0.5)
    assert times.elementwise_seconds(cached, DEVICE, 1.6e6, warm=True) == pytest.approx(0.5e-6, rel=1e-3)


def test_unknown_data_type_is_named():
    with pytest.raises(DataError, match="dtype = fp7"):
        times.gemm_seconds(made(dtype="fp7"), DEVICE, 1, 256, 256)


def test_table_is_sound_and_efficiencies_are_shares():
    for name in ("operators", "errors", "transfer", "engine_spread"):
        assert len(tables.read(f"calibration/{name}"))
    fitted = tables.read("calibration/operators")
    assert set(fitted.accelerator) <= set(catalogue.accelerators())
    assert (fitted.log_q10 < fitted.log_q90).all()
    assert (fitted.byte_efficiency <= 1).all()
    assert fitted.groupby(["accelerator", "operator", "dtype", "engine"]).main.sum().le(1).all()
    assert (fitted[fitted.main & (fitted.operator == "gemm")].floor_s <= 30e-6).all()


@pytest.mark.parametrize("accelerator", MEASURED)
def test_measured_devices_never_beat_their_data_sheet_on_large_shapes(accelerator):
    device = catalogue.accelerator(accelerator)
    p = times.parameters(device, "gemm", "bf16")
    assert p.relation == "own"
    size = np.array([4096, 8192, 16_384])
    assert (times.gemm_seconds(p, device, size, size, size) > 2 * size**3 / device.peak_flop_per_s("bf16")).all()
    assert times.gemm_seconds(p, device, 1, 8192, 8192) > 2 * 8192**2 / device.bandwidth_bytes_per_s


@pytest.mark.parametrize("operator", ["gemm", "prefill_attention", "decode_attention"])
def test_more_work_takes_no_less_time(operator):
    device = catalogue.accelerator("H100-SXM-80GB")
    p = times.parameters(device, operator, "bf16", "vllm")
    sizes = 2 ** np.arange(0, 15)
    shape = {"heads": 32, "kv_heads": 8, "head_dim": 128}
    seconds = {
        "gemm": lambda: times.gemm_seconds(p, device, sizes, 4096, 4096),
        "prefill_attention": lambda: times.prefill_attention_seconds(p, device, 1, sizes, **shape),
        "decode_attention": lambda: times.decode_attention_seconds(p, device, 64, sizes, **shape),
    }[operator]()
    assert (np.diff(seconds) >= -0.05 * seconds[:-1]).all()
    assert seconds[-1] > 5 * seconds[0]


def test_interval_holds_the_value_and_widens_when_borrowed():
    h100, mi300 = catalogue.accelerator("H100-SXM-80GB"), catalogue.accelerator("MI300X")
    own = times.parameters(h100, "gemm", "bf16", "vllm")
    low, high = own.interval(1.0)
    assert 0.5 < low < 1 < high < 2
    borrowed = times.parameters(mi300, "gemm", "bf16", "vllm")
    assert (borrowed.relation, borrowed.engine) == ("other", "vllm")
    assert borrowed.log_q10 < own.log_q10
    assert borrowed.log_q90 > own.log_q90


@pytest.mark.parametrize("change", [{"memory_bytes": 96e9}, {"peak_bf16_flop_per_s": 2e15}, {"tdp_w": None}])
@pytest.mark.parametrize("operator", ["gemm", "decode_attention", "all_reduce"])
def test_another_device_of_a_measured_name_is_not_measured(change, operator):
    h100 = catalogue.accelerator("H100-SXM-80GB")
    own = times.parameters(h100, operator, "bf16", "vllm")
    namesake = times.parameters(dataclasses.replace(h100, **change), operator, "bf16", "vllm")
    assert (own.relation, namesake.relation) == ("own", "generation")
    assert namesake.log_q10 <= own.log_q10 and namesake.log_q90 >= own.log_q90
    assert namesake.log_q90 - namesake.log_q10 > own.log_q90 - own.log_q10
    renamed = times.parameters(dataclasses.replace(h100, name="mine", **change), operator, "bf16", "vllm")
    assert renamed == namesake


def test_a_record_equal_to_the_catalogues_is_the_measured_device():
    h100 = catalogue.accelerator("H100-SXM-80GB")
    copied = Accelerator.from_user({**dataclasses.asdict(h100), "memory_bytes": float(h100.memory_bytes)}, "mine.yaml")
    assert times.parameters(copied, "gemm", "bf16").relation == "own"


def test_measured_devices_leave_nothing_to_assume():
    """Else what is assumed of them would make them another device than the catalogued one."""
    for name in {row.accelerator for row in fitted._rows()}:
        assert completed(catalogue.accelerator(name)) == catalogue.accelerator(name)


def test_nearest_relative_is_of_the_generation_then_the_vendor():
    donors = [catalogue.accelerator(name) for name in MEASURED]
    wanted = {
        "A100-SXM-40GB": "A100-SXM-80GB",
        "GB200": "B200-SXM-180GB",
        "H100-PCIe-80GB": "H100-SXM-80GB",
        "L4": "L40S",
        "RTX-4090": "L40S",
        "MI300X": "H200-SXM-141GB",
        "Gaudi3": "H100-SXM-80GB",
    }
    for name, donor in wanted.items():
        assert fitted.nearest(catalogue.accelerator(name), donors).name == donor


def test_borrowed_units_scale_within_a_generation_only():
    h100, h20, a100 = (catalogue.accelerator(n) for n in ("H100-SXM-80GB", "H20-SXM-96GB", "A100-SXM-80GB"))
    p = made(compute_units=132.0)
    assert fitted.borrowed(p, h100, h20).compute_units == round(132 * 148 / 989)
    assert fitted.borrowed(p, h100, a100).compute_units == 132


def test_an_engine_that_was_not_measured_is_replaced_by_another():
    b60 = catalogue.accelerator("Arc-Pro-B60-24GB")
    assert times.parameters(b60, "gemm", "bf16", "trtllm").engine == "vllm"


def test_unknown_requests_list_what_there_is():
    device = catalogue.accelerator("H100-SXM-80GB")
    with pytest.raises(DataError, match="operator, dtype = gemm, fp7"):
        times.parameters(device, "gemm", "fp7")
    with pytest.raises(DataError, match="engine = tgi; allowed: trtllm, vllm, sglang"):
        times.parameters(device, "gemm", "bf16", "tgi")


def test_import_is_light():
    code = "import sys, tokenomics.compute.operators.times as o; print(sorted({'pandas', 'scipy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_reproduces_points_of_the_measured_tables():
    """Rows of vLLM 0.24 on H100: products in bf16, all-reduce of 256 bytes and 128 KiB over eight devices."""
    device = catalogue.accelerator("H100-SXM-80GB")
    p = times.parameters(device, "gemm", "bf16", "vllm")
    seconds = times.gemm_seconds(p, device, [2, 256, 2560, 32_768], 6144, 4096)
    assert seconds == pytest.approx(np.array([20.1e-6, 26.4e-6, 165e-6, 2160e-6]), rel=0.12)
    p = times.parameters(device, "all_reduce", "bf16", "vllm")
    seconds = times.all_reduce_seconds(p, device, [2 * 128, 2 * 65_536], 8)
    low, high = p.interval(seconds)
    assert (low < [4.7e-6, 7.9e-6]).all()
    assert (high > [4.7e-6, 7.9e-6]).all()
