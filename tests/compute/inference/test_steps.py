"""Seconds of a pass: never below physics, never less for more work, the same for arrays as for numbers."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenomics.compute import bounds
from tokenomics.compute.counts.precision import parse
from tokenomics.compute.deployment import Deployment
from tokenomics.compute.inference.steps import device_seconds
from tokenomics.compute.layout import Layout
from tokenomics.compute.operators.communication import exchange_seconds, experts_seconds, reduce_seconds
from tokenomics.compute.operators.selection import completed, expert_dtype, kernels, product_dtype
from tokenomics.compute.operators.times import distinct_experts
from tokenomics.errors import DataError
from tokenomics.facts import catalogue

MEASURED = ["A100-SXM-80GB", "H100-SXM-80GB", "H200-SXM-141GB", "B200-SXM-180GB", "L40S"]
DENSE = ["Llama-2-7B", "Llama-3.1-70B", "Gemma-2-27B", "Qwen2.5-7B"]
MOE = ["Mixtral-8x7B", "DeepSeek-V3", "gpt-oss-120b", "Qwen3-235B-A22B", "Nemotron-3-Nano-30B-A3B", "DeepSeek-V3.2"]
PRECISIONS = ["bf16", "fp8", "AWQ"]
ROUGH = 0.005
"""Steps where a kernel changes its tile, and where one more block of keys keeps one more unit busy."""
KEY_BLOCK = 128
ONE = Layout()


def serve(model="Llama-3.1-70B", device="H100-SXM-80GB", precision="bf16", layout=ONE, **options):
    return Deployment(catalogue.model(model), catalogue.accelerator(device), parse(precision), layout, **options)


def seconds(on, **work):
    return device_seconds(on, **work).total


deployments = st.builds(serve, st.sampled_from(DENSE + MOE), st.sampled_from(MEASURED), st.sampled_from(PRECISIONS))


@pytest.mark.parametrize("device", MEASURED)
@pytest.mark.parametrize("model", DENSE + MOE)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_no_pass_is_faster_than_its_bound(device, model, precision):
    batch, context = 2.0 ** np.arange(0, 11)[:, None], 2.0 ** np.arange(0, 17, 2)
    for tp in (1, 8):
        on = serve(model, device, precision, Layout(tp=tp))
        least = bounds.IdealDevices(on.model, on.device, on.precision, tp)
        decode = seconds(on, decode=batch, context=context)
        assert (decode >= bounds.decode_step_seconds(least, batch, context)).all()
        prefill = seconds(on, new=batch * context, prompts=batch)
        assert (prefill >= bounds.prefill_seconds(least, batch, context)).all()


@given(deployments, st.integers(1, 1024), st.integers(1, 400))
def test_more_sequences_never_take_less_time(on, batch, more):
    assert seconds(on, decode=batch + more, context=1024) >= seconds(on, decode=batch, context=1024) * (1 - ROUGH)


@given(deployments, st.integers(1, 512), st.integers(1, 400), st.integers(1, 400))
def test_longer_contexts_never_take_less_time(on, batch, blocks, more):
    shorter, longer = (seconds(on, decode=batch, context=KEY_BLOCK * n) for n in (blocks, blocks + more))
    assert longer >= shorter * (1 - ROUGH)


@given(deployments, st.integers(1, 256), st.integers(16, 30_000), st.integers(2, 8))
def test_verifying_several_tokens_lies_between_one_step_and_as_many(on, batch, context, queries):
    one, all_of_them = (seconds(on, decode=batch, context=context, queries=n) for n in (1, queries))
    assert one == seconds(on, decode=batch, context=context)
    assert one * (1 - ROUGH) <= all_of_them <= queries * one * (1 + ROUGH)


def test_tokens_that_are_verified_together_read_the_cache_once():
    """Grouped heads wait for the cache, so four tokens of a long sequence cost little more attention than one."""
    on = serve(kernels="vllm")
    one, four = (device_seconds(on, decode=8, context=32_768, queries=n).attention for n in (1, 4))
    assert one < four < 1.1 * one
    apart = device_seconds(on, decode=32, context=32_768).attention
    assert four < apart / 2


def test_a_sparse_selection_is_read_by_each_token():
    on = serve("DeepSeek-V3.2", "H200-SXM-141GB", "fp8", Layout(tp=8))
    one, four = (device_seconds(on, decode=16, context=4096, queries=n).attention for n in (1, 4))
    assert four > 1.5 * one


@given(deployments, st.integers(1, 16_000), st.integers(1, 4000), st.integers(0, 16_000))
def test_more_prompt_tokens_never_take_less_time(on, new, more, past):
    assert seconds(on, new=new + more) >= seconds(on, new=new) * (1 - ROUGH)
    assert seconds(on, new=new, past=past + more) >= seconds(on, new=new, past=past) * (1 - ROUGH)
    assert seconds(on, new=new, past=past) <= seconds(on, new=new + past) * (1 + ROUGH)


@given(deployments, st.integers(1, 256), st.integers(1, 30_000), st.integers(1, 8000))
def test_a_mixed_pass_saves_weights_not_attention(on, decode, context, new):
    mixed = device_seconds(on, decode=decode, context=context, new=new)
    apart = device_seconds(on, decode=decode, context=context), device_seconds(on, new=new)
    assert mixed.attention == pytest.approx(sum(each.attention for each in apart), rel=1e-9)
    assert max(each.total for each in apart) * (1 - ROUGH) <= mixed.total
    assert mixed.total <= sum(each.total for each in apart) * (1 + 2 * ROUGH)


@given(deployments, st.integers(1, 256), st.integers(1, 30_000))
def test_parts_add_up_and_none_is_negative(on, batch, context):
    parts = device_seconds(on, decode=batch, context=context)
    each = [getattr(parts, field.name) for field in dataclasses.fields(parts)]
    assert min(each) >= 0
    assert parts.total == pytest.approx(sum(map(float, each)), rel=1e-12)
    assert (parts.experts > 0) == on.model.is_moe
    assert parts.communication == 0


@given(deployments, st.lists(st.tuples(st.integers(0, 300), st.integers(1, 9000), st.integers(0, 5000)), max_size=4))
def test_arrays_equal_scalars(on, points):
    points = [*points, (7, 700, 70), (0, 1, 70), (7, 700, 0)]
    decode, context, new = map(np.array, zip(*points, strict=True))
    together = seconds(on, decode=decode, context=context, new=new)
    one_by_one = [seconds(on, decode=d, context=c, new=n) for d, c, n in points]
    assert together == pytest.approx(np.array(one_by_one, dtype=float), rel=1e-12)


def test_arguments_broadcast():
    batch, context = np.array([[1], [8], [64]]), np.array([128, 1024])
    for model in ("Llama-2-7B", "DeepSeek-V3", "gpt-oss-120b"):
        parts = device_seconds(serve(model, layout=Layout(tp=2)), decode=batch, context=context)
        assert np.shape(parts.total) == (3, 2)


def test_a_pass_without_tokens_takes_no_time():
    for model in ("Llama-2-7B", "DeepSeek-V3"):
        on = serve(model, layout=Layout(tp=2, dp=2, ep=4) if model != "Llama-2-7B" else Layout(tp=2))
        with np.errstate(all="raise"):
            assert seconds(on) == 0
            assert seconds(on, decode=np.array([0, 1]), context=10)[0] == 0


@pytest.mark.parametrize("model", ["Llama-3.1-70B", "Mixtral-8x7B", "DeepSeek-V3"])
@pytest.mark.parametrize("device", ["A100-SXM-80GB", "H100-SXM-80GB"])
def test_tensor_parallelism_shortens_products_and_costs_communication(model, device):
    batch = np.array([1, 64, 1024])
    passes = [device_seconds(serve(model, device, layout=Layout(tp=tp)), decode=batch, context=512) for tp in (1, 2, 4)]
    for wide, wider in pairwise(passes):
        assert (wider.products < wide.products).all()
        assert (wider.products > 0.5 * wide.products).all()
        assert (wider.experts <= wide.experts).all()
        assert (wider.communication > wide.communication).all()


def test_attention_groups_share_the_batch_and_experts_are_spread():
    one, four = (
        device_seconds(serve("DeepSeek-V3", "H200-SXM-141GB", "fp8", Layout(dp=n, ep=n)), decode=256, context=4096)
        for n in (1, 4)
    )
    assert four.attention < 0.5 * one.attention
    assert four.experts < 0.7 * one.experts
    assert four.communication > one.communication == 0


def test_a_batch_of_equal_prompts_reads_the_experts_of_one_token():
    one, many = (device_seconds(serve("Mixtral-8x7B", alike=True), decode=n, context=64).experts for n in (1, 32))
    mixed = device_seconds(serve("Mixtral-8x7B"), decode=32, context=64).experts
    assert many < 1.5 * one
    assert mixed > 2 * one


def test_reducing_across_domains_pays_the_network_by_hand():
    use = kernels(serve(layout=Layout(tp=8)))
    message = 1e8
    inside, across, alone = (reduce_seconds(use.all_reduce, use.device, message, n) for n in (8, 16, 1))
    assert across - inside == pytest.approx(2 * 15e-6 + 2 * 0.5 * message / 8 / 50e9, rel=1e-9)
    assert alone == 0


SPREAD = Layout(tp=1, dp=8, ep=8)


def test_exchange_between_domains_sends_what_leaves_the_domain():
    use = kernels(serve("DeepSeek-V3", layout=SPREAD))
    far = exchange_seconds(use.all_to_all, use.device, 1e8, 16)
    assert far == pytest.approx(use.all_to_all.floor_s + 15e-6 + 0.5 * 1e8 / 50e9, rel=1e-9)
    assert exchange_seconds(use.all_to_all, use.device, 1e8, 8) < far


def test_experts_are_reached_by_the_faster_way():
    on = serve("DeepSeek-V3", precision="fp8", layout=SPREAD)
    use = kernels(on)
    for rows in (1, 4096):
        width = rows * on.model.d_model
        gathered = reduce_seconds(use.all_reduce, use.device, 8 * 2 * width, 8)
        sent = width * distinct_experts(on.model.experts_per_token, 8)
        exchanged = sum(exchange_seconds(use.all_to_all, use.device, sent * size, 8) for size in (1, 2))
        assert experts_seconds(on, use, rows) == pytest.approx(min(gathered, exchanged))
        assert gathered != exchanged
    assert kernels(serve("DeepSeek-V3", layout=Layout(tp=8))).all_to_all is None


def test_experts_cut_by_width_are_only_gathered():
    on = serve("DeepSeek-V3", layout=Layout(tp=1, dp=8, ep=1))
    use = kernels(on)
    message = 64 * on.model.d_model * 8 * 2
    assert experts_seconds(on, use, 64) == pytest.approx(reduce_seconds(use.all_reduce, use.device, message, 8))


def test_the_head_is_computed_for_the_last_token_of_each_prompt():
    on = serve("Gemma-2-2B")  # a quarter of a million words
    few, many = (device_seconds(on, new=8192, prompts=n).products for n in (1, 8192))
    head = 2 * 8192 * on.model.d_model * on.model.vocab / on.device.peak_flop_per_s("bf16")
    assert many - few > 0.9 * head


def test_pipeline_stages_hand_over():
    one, four = (device_seconds(serve(layout=Layout(tp=8, pp=pp)), decode=8, context=512) for pp in (1, 4))
    assert four.communication > one.communication
    assert four.products == one.products  # a sequence passes all stages


def test_a_device_left_out_takes_another_ones_numbers():
    own, left = kernels(serve()), kernels(serve(left_out=True))
    assert {each.relation for each in own.all()} == {"own"}
    assert "own" not in {each.relation for each in left.all()}


def test_devices_without_a_link_or_a_16_bit_peak_are_completed():
    t4 = dataclasses.replace(catalogue.accelerator("L4"), link_bytes_per_s=None)
    assert completed(t4).link_bytes_per_s == 32e9
    phone = completed(catalogue.accelerator("Snapdragon-8-Gen-3"))
    assert phone.peak_flop_per_s("bf16") == phone.peak_int8_op_per_s / 2
    assert seconds(serve("Llama-3.2-1B", "Snapdragon-8-Gen-3"), decode=1, context=64) > 0
    h100 = catalogue.accelerator("H100-SXM-80GB")
    assert completed(h100) == h100


@pytest.mark.parametrize(
    ("precision", "model", "device", "dense", "experts"),
    [
        ("bf16", "Llama-2-7B", "A100-SXM-80GB", "bf16", "bf16"),
        ("fp8", "Llama-2-7B", "H100-SXM-80GB", "fp8", "fp8"),
        ("fp8", "Llama-2-7B", "A100-SXM-80GB", "int8_weight", "bf16"),
        ("fp8", "Mixtral-8x7B", "H100-SXM-80GB", "fp8", "fp8"),
        ("fp8", "DeepSeek-V3", "H100-SXM-80GB", "fp8_block", "fp8_block"),
        ("AWQ", "Llama-2-7B", "H100-SXM-80GB", "int4_weight", "int4_weight"),
        ("int8", "Llama-2-7B", "H100-SXM-80GB", "int8", "bf16"),
        ("nvfp4", "Llama-3.1-70B", "B200-SXM-180GB", "nvfp4", "nvfp4"),
        ("nvfp4", "Llama-3.1-70B", "H100-SXM-80GB", "int4_weight", "int4_weight"),
        ("mxfp4", "gpt-oss-120b", "H100-SXM-80GB", "bf16", "mxfp4_weight"),
        ("mxfp4", "gpt-oss-120b", "B200-SXM-180GB", "bf16", "mxfp4_mxfp8"),
    ],
)
def test_kernels_of_a_precision(precision, model, device, dense, experts):
    model, device, stored = catalogue.model(model), catalogue.accelerator(device), parse(precision)
    assert product_dtype(model, stored, device) == dense
    assert expert_dtype(model, stored, device) == experts


@pytest.mark.parametrize("model", ["Llama-3.1-70B", "Mixtral-8x7B"])
def test_narrower_weights_shorten_a_small_batch(model):
    wide, eight, four = (seconds(serve(model, precision=p), decode=1, context=128) for p in ("bf16", "fp8", "AWQ"))
    assert four < eight < wide


def test_an_unknown_engine_of_kernels_is_named():
    with pytest.raises(DataError, match="engine = tgi"):
        kernels(serve(kernels="tgi"))
