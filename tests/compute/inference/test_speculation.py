"""Drafting and verifying: the yield of a step by formula and by dice, what a step costs by hand, when it pays."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenomics.compute import bounds
from tokenomics.compute.counts.parameters import parameters
from tokenomics.compute.deployment import Drafts, Settings
from tokenomics.compute.inference import durations, memory
from tokenomics.compute.inference.adapters import Adapted, Adapters
from tokenomics.compute.inference.server import server
from tokenomics.compute.inference.speculation import LENGTHS, Speculative, expected_tokens, layer_share
from tokenomics.compute.layout import Layout
from tokenomics.errors import DataError, Infeasible
from tokenomics.facts import catalogue
from tokenomics.service.replica import Replica
from tokenomics.service.simulator import Requests

H100 = catalogue.accelerator("H100-SXM-80GB")


def serve(model="Llama-3.1-70B", precision="fp8", tp=8, **options):
    return server(catalogue.model(model), H100, precision=precision, engine="vLLM 0.19", tp=tp, **options)


TARGET, DRAFT = serve(), serve("Llama-3.2-1B", "bf16", tp=1)


@pytest.mark.parametrize(("acceptance", "length", "tokens"), [(0.8, 4, 3.3616), (0.5, 1, 1.5), (0, 7, 1), (1, 7, 8)])
def test_yield_by_hand(acceptance, length, tokens):
    assert expected_tokens(acceptance, length) == pytest.approx(tokens, rel=1e-12)


def test_yield_by_dice():
    accepted = np.random.default_rng(7).random((200_000, 5)) < 0.7
    drawn = 1 + np.cumprod(accepted, axis=1).sum(axis=1).mean()
    assert expected_tokens(0.7, 5) == pytest.approx(drawn, rel=0.005)


@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 20))
def test_yield_grows_with_acceptance_and_length(one, other, length):
    low, high = sorted((one, other))
    assert 1 - 1e-12 <= expected_tokens(low, length) <= expected_tokens(high, length) * (1 + 1e-9)
    assert expected_tokens(high, length) <= expected_tokens(high, length + 1) * (1 + 1e-9) <= (length + 2) * (1 + 2e-9)


def test_without_drafts_a_step_is_a_plain_step():
    batch = np.array([1.0, 16, 128])
    for it in (Speculative(TARGET, 0.7, DRAFT), Speculative(TARGET, 0.7, share=0.1)):
        plain, none = TARGET.tpot(batch, 2048), it.tpot(batch, 2048, 0)
        for end in ("value", "low", "high"):
            assert getattr(none, end) == pytest.approx(getattr(plain, end), rel=1e-12)


def test_a_server_told_to_draft_answers_as_one_that_drafts():
    batch, context = np.array([1.0, 16, 128]), 2048
    told = TARGET.told(drafts=Drafts(3, 0.7, share=0.1))
    alone = Speculative(TARGET, 0.7, share=0.1)
    for end in ("value", "low", "high"):
        assert getattr(told.tpot(batch, context), end) == pytest.approx(
            getattr(alone.tpot(batch, context, 3), end), rel=1e-9
        )
    assert told.capacity(context) == pytest.approx(float(alone.capacity(context)), rel=1e-3)
    assert (told.loaded_tpot(batch, 1000, 300).value < TARGET.loaded_tpot(batch, 1000, 300).value).all()
    assert (told.output_rate(1000, 300, batch).value > TARGET.output_rate(1000, 300, batch).value).all()
    never = TARGET.told(drafts=Drafts(3, 0.0, DRAFT.on))
    assert (never.tpot(batch, context).value > TARGET.tpot(batch, context).value).all()
    assert never.ttft(1000).value == TARGET.ttft(1000).value


def test_who_cannot_draft_says_so():
    told = TARGET.told(drafts=Drafts(3, 0.7, share=0.1))
    asked = {
        "limited_by": lambda: told.limited_by(1, 1000),
        "Replica": lambda: Replica(told).run(Requests([0.0], 100, 10)),
        "Adapted": lambda: Adapted(told, Adapters(count=2, rank=8)),
    }
    for where, ask in asked.items():
        with pytest.raises(Infeasible, match=f"{where}: drafts = .*not modelled"):
            ask()
    with pytest.raises(Infeasible, match="drafting in stages is not modelled"):
        serve(layout=Layout(tp=4, pp=2), settings=Settings(drafts=Drafts(3, 0.7, share=0.1)))
    with pytest.raises(DataError, match="drafts 3 tokens already"):
        Speculative(told, 0.7, DRAFT)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"tokens": 0, "share": 0.1}, "drafts.tokens = 0"),
        ({"acceptance": 1.2, "share": 0.1}, "drafts.acceptance = 1.2"),
        ({"share": 2.0}, "drafts.share = 2.0"),
        ({}, "drafts = neither"),
        ({"share": 0.1, "draft": DRAFT.on}, "drafts = both"),
    ],
)
def test_impossible_drafts_are_refused(given, says):
    with pytest.raises(DataError, match=says):
        Drafts(**{"tokens": 3, "acceptance": 0.7} | given)


def test_a_draft_model_lies_on_the_same_devices():
    with pytest.raises(DataError, match="drafts.draft.devices = 8; allowed: at most 1"):
        DRAFT.told(drafts=Drafts(3, 0.7, TARGET.on))


def test_a_step_is_its_passes_by_hand():
    """Three passes of the draft model, then four tokens of each sequence through the target at once."""
    verified = durations.decode_step(TARGET.on, 16, 1003, 4).seconds(TARGET.profile)
    passes = [durations.decode_step(DRAFT.on, 16, 1000 + n) for n in range(3)]
    drafted = sum(replace(each, sequence_steps=0).seconds(DRAFT.profile) for each in passes)
    it = Speculative(TARGET, 0.8, DRAFT)
    assert it.step_seconds(16, 1000, 3) == pytest.approx(verified + drafted, rel=2e-3)
    assert it.tpot(16, 1000, 3).value == pytest.approx((verified + drafted) / 2.952, rel=2e-3)
    rows = TARGET.step_parts(64, 1003).products
    assert TARGET.step_parts(16, 1003).products < rows


def test_alone_the_gain_is_what_the_paper_says():
    """Leviathan et al., theorem 3.8: E / (g c + 1), where verifying costs a plain step and a draft a share c of it."""
    for acceptance, length, share in ((0.6, 2, 0.05), (0.8, 4, 0.02), (0.9, 6, 0.1)):
        gain = Speculative(TARGET, acceptance, share=share).speed_up(1, 1024, length).value
        plain = durations.decode_step(TARGET.on, 1, 1024)
        cost = share * TARGET.profile.decode_slowdown * plain.decode_s / plain.seconds(TARGET.profile)
        ideal = expected_tokens(acceptance, length) / (length * cost + 1)
        assert 0.95 * ideal < gain < ideal


def test_the_gain_falls_with_the_batch_and_may_be_a_loss():
    batch = np.array([1.0, 32, 1024])
    for acceptance in (0.6, 0.7, 0.8):
        it = Speculative(TARGET, acceptance, DRAFT)
        gain = it.speed_up(batch, 1024, it.best_length(batch, 1024)).value
        assert (np.diff(gain) < 0).all() and gain[0] > 1.2
        assert it.speed_up(1024, 1024, 8).value < 0.8
    assert (Speculative(TARGET, 0.0, DRAFT).speed_up(batch, 1024, 2).value < 1).all()


@given(st.floats(0.05, 0.95), st.floats(0.05, 0.95), st.integers(1, 10), st.integers(1, 512))
def test_more_acceptance_never_takes_longer(one, other, length, batch):
    low, high = (Speculative(TARGET, a, share=0.03).tpot(batch, 1024, length) for a in sorted((one, other)))
    assert high.value <= low.value * (1 + 1e-9)
    assert high.low <= high.value <= high.high
    least = bounds.decode_step_seconds(TARGET.bound, batch, 1024) / expected_tokens(max(one, other), length)
    assert high.low >= least * (1 - 1e-9)


def test_the_best_length_is_the_best_of_all():
    it, batch = Speculative(TARGET, 0.8, DRAFT), np.array([1.0, 8, 64, 512])
    best = it.best_length(batch, 1024)
    times = [it.tpot(batch, 1024, length).value for length in LENGTHS]
    assert it.tpot(batch, 1024, best).value == pytest.approx(np.min(times, axis=0), rel=1e-12)
    assert best[0] > best[-1] and it.best_length(8, 1024) == best[1]
    hopeless = Speculative(TARGET, 0.05, DRAFT)
    assert (hopeless.best_length(batch, 1024, range(5)) == 0).all()


def test_a_gain_has_an_interval_around_it():
    gain = Speculative(TARGET, 0.8, DRAFT).speed_up(np.array([1.0, 64]), 1024, 3)
    assert ((gain.low < gain.value) & (gain.value < gain.high)).all()


def test_what_drafts_takes_memory():
    it, plain = Speculative(TARGET, 0.8, DRAFT), TARGET.capacity([1024, 8192])
    weights, cache = it.drafting_bytes(1024)
    assert weights == pytest.approx(2 * parameters(DRAFT.on.model).total, rel=1e-9)
    assert cache == 1024 * 16 * 2 * 8 * 64 * 2
    held = it.capacity([1024, 8192])
    assert (held < plain).all()
    one = memory.cache_bytes_per_device(TARGET.on, 1024)
    free = memory.free_bytes(TARGET.on, TARGET.profile.name, beside=weights)
    assert held[0] == free // (one + cache)
    assert Speculative(TARGET, 0.8, share=0.0).capacity([1024, 8192]) == pytest.approx(plain)
    assert (Speculative(TARGET, 0.8, share=0.05).capacity([1024, 8192], 4) < plain).all()


def test_a_draft_on_fewer_groups_holds_their_sequences_too():
    wide = server(catalogue.model("DeepSeek-V3"), H100, precision="fp8", layout=Layout(tp=4, dp=4, ep=16))
    few, many = (server(catalogue.model("Llama-3.2-1B"), H100, layout=Layout(dp=dp)) for dp in (1, 4))
    one, four = (Speculative(wide, 0.8, each).drafting_bytes(1024)[1] for each in (few, many))
    assert one == 4 * four


def test_a_layer_and_a_head_by_hand():
    """Llama-3.1-70B: 80 layers of 855.6 million weights, a head of 1.05 thousand million."""
    layer = 8192 * (2 * 8192 + 2 * 1024) + 3 * 8192 * 28_672
    head = 8192 * 128_256
    assert layer_share(TARGET.on.model) == pytest.approx((layer + head) / (80 * layer + head), rel=1e-4)
    assert 0.01 < layer_share(catalogue.model("DeepSeek-V3")) < 0.03


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"acceptance": 1.2, "share": 0.1}, "acceptance = 1.2"),
        ({"acceptance": 0.5}, "a draft model or a share"),
        ({"acceptance": 0.5, "draft": DRAFT, "share": 0.1}, "a draft model or a share"),
        ({"acceptance": 0.5, "share": -0.1}, "share = -0.1"),
        ({"acceptance": 0.5, "draft": serve("Llama-3.2-1B", tp=16)}, "draft devices = 16; allowed: at most 8"),
        (
            {"acceptance": 0.5, "draft": server(DRAFT.on.model, catalogue.accelerator("A100-SXM-80GB"))},
            "A100-SXM-80GB; allowed: H100-SXM-80GB",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(given, words):
    with pytest.raises(DataError, match=words):
        Speculative(TARGET, **given)


def test_a_negative_length_is_refused():
    with pytest.raises(DataError, match="length = -1"):
        Speculative(TARGET, 0.5, share=0.1).tpot(1, 100, -1)
