"""Many adapters: bytes by count, distinct ones by dice, seconds above physics, fetching by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenomics.compute.inference.adapters import Adapted, Adapters, adapter_bytes, names, pairs, step_seconds
from tokenomics.compute.inference.server import server
from tokenomics.compute.layout import Layout
from tokenomics.compute.training.tuning import lora_parameters
from tokenomics.errors import DataError
from tokenomics.facts import catalogue

H100 = catalogue.accelerator("H100-SXM-80GB")
MODELS = ["Llama-3.1-70B", "DeepSeek-V3", "Mixtral-8x7B", "Gemma-2-27B", "Qwen3-30B-A3B", "Nemotron-3-Nano-30B-A3B"]
ATTENTION = ("query", "key", "value", "attention output")


def serve(model="Llama-3.1-70B", tp=8, **layout):
    layout = Layout(tp=tp, **layout)
    return server(catalogue.model(model), H100, precision="fp8", engine="vLLM 0.19", layout=layout)


BASE = serve()


@pytest.mark.parametrize("model", MODELS)
def test_bytes_are_those_of_the_counted_parameters(model):
    on = serve(model, tp=1).on
    every = names(on.model)
    assert adapter_bytes(on, Adapters(1, 16, every)) == pytest.approx(
        2 * lora_parameters(on.model, 16, every), rel=1e-9
    )
    assert adapter_bytes(on, Adapters(1, 32, every)) == 2 * adapter_bytes(on, Adapters(1, 16, every))


def test_an_adapter_over_devices_by_hand():
    """70B on eight devices, rank 16: query, key and value keep three whole first matrices of 8192 x 16, and an eighth
    of the second ones, 10,240 / 8 columns; the output an eighth of the first and a whole second."""
    by_hand = 80 * 16 * (3 * 8192 + 10_240 / 8 + 8192 / 8 + 8192) * 2
    assert adapter_bytes(BASE.on, Adapters(1)) == by_hand
    sixteen = adapter_bytes(serve(tp=16).on, Adapters(1))  # eight key heads: 128 columns a device of keys and of values
    assert sixteen == 80 * 16 * (3 * 8192 + 8192 / 16 + 2 * 128 + 8192 / 16 + 8192) * 2
    assert adapter_bytes(serve(pp=2).on, Adapters(1)) == by_hand / 2


def test_gate_and_up_are_one_kernel():
    (only,) = pairs(catalogue.model("Llama-3.1-70B"), Layout(tp=8), ("mlp up",))
    assert (only.inputs, only.outputs, only.slices, only.layers) == (8192, 2 * 28_672 / 8, 2, 80)


@pytest.mark.parametrize("skew", [0.0, 1.0])
def test_distinct_adapters_by_dice(skew):
    some = Adapters(50, skew=skew)
    drawn = np.random.default_rng(3).choice(50, size=(4000, 32), p=some.popularity)
    mean = np.mean([len(set(each)) for each in drawn])
    assert some.distinct(32) == pytest.approx(mean, rel=0.01)
    assert some.distinct(0) == 0 and some.distinct(1) == pytest.approx(1)
    assert Adapters(1, skew=skew).distinct([0, 1, 9]) == pytest.approx([0, 1, 1])


@given(st.integers(1, 3000), st.floats(0, 2), st.integers(1, 512), st.integers(1, 100))
def test_distinct_adapters_are_never_more_than_there_are(count, skew, sequences, kept):
    some = Adapters(count, skew=skew, resident=kept)
    assert 0 < some.distinct(sequences) <= min(count, sequences, kept) * (1 + 1e-9)
    assert 0 <= some.missing < 1 and (kept < count or some.missing == 0)


def test_popular_adapters_are_fetched_less():
    even, skewed = Adapters(1000, resident=100), Adapters(1000, resident=100, skew=1.0)
    assert even.missing == pytest.approx(0.9) and skewed.missing < 0.35
    assert skewed.distinct(64) < even.distinct(64)


@given(st.integers(1, 512), st.integers(1, 4096), st.sampled_from([8, 16, 64]))
def test_more_adapters_and_ranks_never_take_less_time(sequences, count, rank):
    def seconds(count, rank):
        return step_seconds(BASE.on, Adapters(count, rank), sequences, sequences)

    tiles = 1.05  # steps where rows of one adapter fill a tile of the next smaller size
    assert 0 < seconds(count, rank) <= seconds(2 * count, rank) * tiles
    assert seconds(count, rank) <= seconds(count, 2 * rank) * tiles


def test_a_pass_is_no_faster_than_physics():
    for rows, sequences, rank in ((1, 1, 16), (256, 256, 64), (8192, 4, 64), (8192, 8, 16)):
        some = Adapters(1000, rank)
        took = step_seconds(BASE.on, some, rows, sequences)
        read = some.distinct(sequences) * adapter_bytes(BASE.on, some) / H100.bandwidth_bytes_per_s
        flop = (
            2
            * rows
            * rank
            * sum(e.layers * (e.slices * e.inputs + e.outputs) for e in pairs(BASE.on.model, BASE.on.layout))
        )
        assert took > read and took > flop / H100.peak_flop_per_s("bf16")
    assert step_seconds(BASE.on, Adapters(8), 0, 0) == 0


def test_many_large_adapters_take_the_time_of_reading_them():
    some = Adapters(10_000, 128)
    took = step_seconds(BASE.on, some, 256, 256)
    read = some.distinct(256) * adapter_bytes(BASE.on, some) / H100.bandwidth_bytes_per_s
    assert took < 1.6 * read


def test_adapters_slow_a_step_down_a_little():
    batch = np.array([1.0, 32, 256])
    plain = BASE.tpot(batch, 1024).value
    one, many = (Adapted(BASE, Adapters(count)).tpot(batch, 1024) for count in (1, 1000))
    assert (plain < one.value).all() and (one.value <= many.value).all() and (many.value < 1.6 * plain).all()
    assert ((many.low < many.value) & (many.value < many.high)).all()
    ttft = Adapted(BASE, Adapters(1000)).ttft([128, 4096]).value
    assert (ttft > BASE.ttft([128, 4096]).value).all()


def test_fetching_by_hand():
    """Of 100 equally popular adapters 25 stay: three in four requests wait for theirs."""
    all_there, few = (Adapted(BASE, Adapters(100, resident=n), host_bytes_per_s=10e9) for n in (None, 25))
    load = adapter_bytes(BASE.on, Adapters(1)) / 10e9
    assert few.load_seconds == load and few.resident_bytes == all_there.resident_bytes / 4
    for batch in (1, 4):
        more = few.ttft(512, batch).value - all_there.ttft(512, batch).value
        assert more == pytest.approx(batch * 0.75 * load, rel=1e-6)
    waits = few.tpot(16, 1024, output=200).value - few.tpot(16, 1024).value
    assert waits == pytest.approx(16 / 200 * 0.75 * load, rel=1e-6)
    assert all_there.tpot(16, 1024, output=200).value == all_there.tpot(16, 1024).value


def test_room_and_capacity_are_two_sides_of_one_sum():
    held = BASE.capacity(2048)
    it = Adapted(BASE, Adapters(100_000, 16, resident=200))
    assert 0 < it.capacity(2048) < held
    room = Adapted(BASE, Adapters(1)).room(it.capacity(2048), 2048)
    assert 200 <= room < 200 + 2048 * 80 * 2 * 128 / adapter_bytes(BASE.on, Adapters(1)) + 1
    assert Adapted(BASE, Adapters(1)).room(held + BASE.on.layout.dp * 10, 2048) == 0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"count": 0}, "count = 0; allowed: >= 1"),
        ({"count": 4, "rank": 0}, "rank = 0"),
        ({"count": 4, "resident": 0}, "resident = 0"),
        ({"count": 4, "skew": -1.0}, "skew = -1.0; allowed: >= 0"),
        ({"count": 4, "projections": ("router",)}, "projections = router; allowed: query, key"),
    ],
)
def test_what_makes_no_sense_is_refused(given, words):
    with pytest.raises(DataError, match=words):
        Adapters(**given)


def test_projections_that_a_model_lacks_are_named():
    on = serve("Mixtral-8x7B").on
    with pytest.raises(DataError, match="projections = mlp up; allowed: attention output, key, query, value"):
        adapter_bytes(on, Adapters(1, 16, ("mlp up",)))
