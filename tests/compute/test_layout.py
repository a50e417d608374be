"""Products of a layout against the counts of the whole model: nothing lost, nothing twice but what must be copied."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenomics.compute.counts.flops import flops_by_part, flops_weights
from tokenomics.compute.counts.matrices import CONVOLUTION, DECAY, EMBEDDING, EXPERTS, matrices
from tokenomics.compute.counts.parameters import parameters
from tokenomics.compute.layout import HEAD, PROJECTION, ROUTER, Layout, products
from tokenomics.errors import DataError
from tokenomics.facts import catalogue

WITHOUT_BIAS = [
    "Llama-2-7B",
    "Llama-3.1-70B",
    "Gemma-2-27B",
    "Falcon-7B",
    "Mixtral-8x7B",
    "DeepSeek-V3",
    "DeepSeek-V3.2",
]
BY_VALUE = (CONVOLUTION, DECAY)
"""Parameters that are no matrix products."""


ONE = Layout()
CROSSING = replace(
    catalogue.model("Llama-3.1-8B"), name="crossing", layers=40, full_layers=32, dense_layers=40, cross_layers=8
)


def held(name, layout=ONE, kind=None):
    """Weights of the products that one device computes."""
    found = products(catalogue.model(name), layout)
    return sum(each.count * each.inputs * each.outputs for each in found if kind in (None, each.kind))


def test_a_token_passes_the_queries_of_cross_attention_but_not_its_keys():
    found = sum(each.count * each.inputs * each.outputs for each in products(CROSSING, ONE))
    assert 2 * found == pytest.approx(flops_weights(CROSSING), rel=1e-12)
    less = flops_weights(replace(CROSSING, full_layers=40, cross_layers=0)) - flops_weights(CROSSING)
    assert less == 2 * 8 * 2 * 4096 * 8 * 128


@pytest.mark.parametrize("name", WITHOUT_BIAS)
def test_one_device_holds_all_weights_but_routed_experts(name):
    model = catalogue.model(name)
    count = parameters(model)
    assert held(name) == pytest.approx(count.attention + count.mlp + model.d_model * model.vocab, rel=1e-12)
    assert held(name, kind=HEAD) == model.d_model * model.vocab


@pytest.mark.parametrize("name", list(catalogue.models()))
def test_every_catalogued_model_multiplies_what_is_counted(name):
    model = catalogue.model(name)
    found = [each for each in matrices(model) if each.name not in BY_VALUE]
    multiplied = sum(m.copies * m.weights for m in found if m.part not in (EMBEDDING, EXPERTS, HEAD))
    assert held(name) == pytest.approx(multiplied + model.d_model * model.vocab, rel=1e-12)
    flop = 2 * held(name) + flops_by_part(model).get(EXPERTS, 0.0)
    assert flop == pytest.approx(flops_weights(model), rel=0.005)


def test_llama_by_hand():
    """Llama-3.1-70B on eight devices: 8 query heads and one key head each, fused products of one layer times 80."""
    found = {(p.kind, p.inputs, p.outputs, p.count) for p in products(catalogue.model("Llama-3.1-70B"), Layout(tp=8))}
    assert found == {
        (PROJECTION, 8192, (8 + 1 + 1) * 128, 80),
        (PROJECTION, 8 * 128, 8192, 80),
        (PROJECTION, 8192, 2 * 28_672 / 8, 80),
        (PROJECTION, 28_672 / 8, 8192, 80),
        (HEAD, 8192, 128_256 / 8, 1),
    }


@pytest.mark.parametrize("tp", [2, 4, 8])
def test_dense_weights_are_split_without_rest(tp):
    assert tp * held("Llama-3.1-70B", Layout(tp=tp)) == pytest.approx(held("Llama-3.1-70B"), rel=1e-12)


@pytest.mark.parametrize(("tp", "copies"), [(8, 1), (16, 2), (64, 8)])
def test_key_and_value_heads_are_copied_where_devices_outnumber_them(tp, copies):
    keys_and_values = 80 * 8192 * 2 * 8 * 128
    more = tp * held("Llama-3.1-70B", Layout(tp=tp)) - held("Llama-3.1-70B")
    assert more == pytest.approx((copies - 1) * keys_and_values, rel=1e-9, abs=1e3)


@pytest.mark.parametrize("tp", [2, 8])
def test_every_device_has_the_whole_router_and_latent_projections(tp):
    model = catalogue.model("DeepSeek-V3")
    latents = 61 * 7168 * (512 + 64 + 1536)
    router = 58 * 7168 * 256
    more = tp * held("DeepSeek-V3", Layout(tp=tp)) - held("DeepSeek-V3")
    assert more == pytest.approx((tp - 1) * (latents + router), rel=1e-9)
    assert held("DeepSeek-V3", Layout(tp=tp), ROUTER) == router == model.moe_layers * model.d_model * model.experts


def test_pipeline_and_data_parallelism_leave_a_products_shape():
    for layout in (Layout(tp=2, pp=4), Layout(tp=2, dp=4, ep=8)):
        assert products(catalogue.model("Mixtral-8x7B"), layout) == products(
            catalogue.model("Mixtral-8x7B"), Layout(tp=2)
        )


@given(st.sampled_from(WITHOUT_BIAS), st.sampled_from([1, 2, 4, 8]))
def test_more_devices_hold_less_each_and_no_less_together(name, tp):
    one, half = held(name, Layout(tp=tp)), held(name, Layout(tp=2 * tp))
    assert half < one
    assert 2 * half >= one * (1 - 1e-12)


@pytest.mark.parametrize(
    ("sizes", "says"),
    [
        ({"tp": 0}, "tp = 0"),
        ({"pp": -1}, "pp = -1"),
        ({"dp": 1.5}, "dp = 1.5"),
        ({"tp": 4, "ep": 3}, "ep = 3; allowed: a divisor of tp x dp = 4"),
        ({"tp": 2, "ep": 4}, "ep = 4"),
    ],
)
def test_impossible_layouts_are_refused_in_one_line(sizes, says):
    with pytest.raises(DataError, match=says):
        Layout(**sizes)


@given(st.sampled_from([1, 2, 4, 8]), st.integers(1, 8), st.sampled_from([1, 2, 4]), st.sampled_from([1, 2, 4, 8, 16]))
def test_devices_and_the_share_of_an_expert(tp, pp, dp, ep):
    if (tp * dp) % ep:
        return
    layout = Layout(tp, pp, dp, ep)
    assert layout.devices == tp * pp * dp
    assert layout.expert_tp * ep == tp * dp
