"""The experiment's model and tuning on random small weights; needs torch (`make experiment-setup`), else skipped."""

import importlib.util
import math

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: make experiment-setup")

from tokenomics.experiment import generation, llama, packages, tuning  # noqa: E402
from tokenomics.experiment.examples import Example, Recipe  # noqa: E402

SHAPE = llama.Shape(layers=3, width=24, heads=6, kv_heads=2, rope_base=1e4, norm_epsilon=1e-5, context=64)
WORDS = 60
RECIPE = Recipe("small", aware=False, rank=2, alpha=4.0, layers=2, rate=0.05, passes=3, batch_tokens=20)


def weights(seed: int = 0) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    kv = SHAPE.kv_heads * SHAPE.head_width
    rows = {"attn_q": (24, 24), "attn_k": (kv, 24), "attn_v": (kv, 24), "attn_output": (24, 24)}
    rows |= {"ffn_gate": (40, 24), "ffn_up": (40, 24), "ffn_down": (24, 40)}
    made = {"token_embd": torch.randn(WORDS, 24, generator=draw), "output_norm": torch.ones(24)}
    for layer in range(SHAPE.layers):
        made |= {f"blk.{layer}.{name}": torch.randn(size, generator=draw) / 5 for name, size in rows.items()}
        made |= {f"blk.{layer}.{name}_norm": torch.ones(24) for name in ("attn", "ffn")}
    return made


@pytest.fixture
def model(monkeypatch) -> llama.Model:
    torch.set_num_threads(1)
    made = llama.Model(SHAPE, weights())
    monkeypatch.setattr(llama, "load", lambda: made)
    return made


def output(model, parts, **given):
    flat, owner, position = generation.laid_out(parts, given.pop("start", 0))
    return llama.run_layers(model, llama.embed(model, flat), owner, position, **given)


PARTS = [[1, 2, 3, 4, 5], [6, 7], [8, 9, 10]]


def test_prompts_of_a_pack_do_not_see_each_other(model):
    together = output(model, PARTS)
    alone = torch.cat([output(model, [part]) for part in PARTS])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


def test_a_token_sees_only_what_is_before_it(model):
    changed = output(model, [[1, 2, 3, 4, 9]])
    torch.testing.assert_close(changed[:4], output(model, [[1, 2, 3, 4, 5]])[:4])


def test_a_cached_prefix_is_the_prefix(model):
    owner = torch.full((4,), llama.SHARED)
    cache = llama.Cache(owner)
    llama.run_layers(model, llama.embed(model, torch.tensor([11, 12, 13, 14])), owner, torch.arange(4), keep=cache)
    cached = output(model, PARTS, start=4, before=cache)
    whole = torch.cat([output(model, [[11, 12, 13, 14, *part]])[4:] for part in PARTS])
    torch.testing.assert_close(cached, whole, rtol=1e-4, atol=1e-4)


@pytest.fixture
def words(monkeypatch):
    """Numbers as prompts: a word a token."""
    monkeypatch.setattr(generation, "_stops", lambda token: token < 1)
    monkeypatch.setattr(generation.tokens, "encode", lambda text: [int(word) for word in text.split()])
    monkeypatch.setattr(generation.tokens, "decode", lambda found: " ".join(map(str, found)))
    return [" ".join(map(str, part)) for part in PARTS]


def written(model, prompts) -> list[str]:
    return [answer.text for answer in generation.answers(model, prompts, cap=6)]


def test_answers_do_not_depend_on_company(model, words):
    together = written(model, words)
    assert len(set(together)) > 1
    assert together == [written(model, [prompt])[0] for prompt in words]


def test_models_that_share_lower_layers_answer_as_each_alone(model, words):
    draw = torch.Generator().manual_seed(1)
    pair = (torch.randn(2, 24, generator=draw), torch.randn(24, 2, generator=draw))
    models = [model, *(llama.merged(model, {f"blk.{i}.attn_q": pair}) for i in (1, 2))]
    assert [llama.shared_layers(some) for some in (models, models[::2], models[:1])] == [1, 2, 3]
    found = generation.answers_of_each(models, words, cap=6)
    assert [[answer.text for answer in some] for some in found] == [written(each, words) for each in models]
    assert len({some[0].text for some in found}) > 1 and all(a.cpu_s >= 0 < a.wall_s for some in found for a in some)


def test_adapters_beside_weights_are_adapters_in_weights(model):
    draw = torch.Generator().manual_seed(1)
    pair = (torch.randn(2, 24, generator=draw), torch.randn(24, 2, generator=draw) / 10)
    adapters = {"blk.1.attn_q": pair, "blk.2.attn_output": pair}
    beside, merged = output(model, PARTS, adapters=adapters), output(llama.merged(model, adapters), PARTS)
    torch.testing.assert_close(beside, merged, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(beside, output(model, PARTS))


def passes() -> list[list[Example]]:
    return [[Example([i, i + 1, i + 2], [40 + i, 3]) for i in range(5, 12)]] * RECIPE.passes


@pytest.mark.parametrize(
    "recipe", [RECIPE, Recipe(**vars(RECIPE) | {"rank": 0, "rate": 0.01})], ids=["adapters", "all"]
)
def test_tuning_learns_and_repeats(model, tmp_path, recipe):
    first = tuning.tune(recipe, 0, passes(), tmp_path / "a")
    again = tuning.tune(recipe, 0, passes(), tmp_path / "b")
    assert first.losses[-1] < first.losses[0]
    assert llama.digest(first.tensors) == llama.digest(again.tensors)
    other = tuning.tune(Recipe(**vars(recipe) | {"rate": recipe.rate / 2}), 0, passes(), tmp_path / "c")
    assert llama.digest(first.tensors) != llama.digest(other.tensors)


def test_an_interrupted_run_ends_with_the_same_bits(model, tmp_path):
    whole = tuning.tune(RECIPE, 0, passes(), tmp_path / "whole")
    steps = []

    def stop(done, loss):
        steps.append(done)
        if len(steps) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tuning.tune(RECIPE, 0, passes(), tmp_path / "cut", progress=stop)
    resumed = tuning.tune(RECIPE, 0, passes(), tmp_path / "cut")
    assert llama.digest(resumed.tensors) == llama.digest(whole.tensors) and resumed.losses == whole.losses


def test_a_run_goes_on_from_another_ones_adapters(model, tmp_path):
    first = tuning.tune(RECIPE, 0, passes(), tmp_path / "first")
    still = Recipe(**vars(RECIPE) | {"rate": 0.0})
    kept = tuning.tune(still, 0, passes(), tmp_path / "still", start=first.tensors)
    assert llama.digest(kept.tensors) == llama.digest(first.tensors) and kept.losses[0] < first.losses[0]
    assert kept.losses[0] != tuning.tune(still, 0, passes(), tmp_path / "fresh").losses[0]


def test_what_was_tuned_is_applied(model, tmp_path):
    done = tuning.tune(RECIPE, 0, passes(), tmp_path / "a")
    applied = tuning.applied(model, done.tensors)
    assert set(tuning.adapters(done.tensors)) == {f"blk.{i}.{name}" for i in (1, 2) for name in llama.PROJECTIONS}
    assert not torch.allclose(output(applied, PARTS), output(model, PARTS))
    assert torch.equal(applied.weights["blk.0.attn_q"], model.weights["blk.0.attn_q"])


with_packages = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in packages.NEEDED),
    reason="a package of the extra is not installed: make experiment-setup",
)


@with_packages
def test_agrees_with_llama_cpp():
    """The same weights, cut into the same tokens, in another engine: next-token probabilities, not only answers."""
    from tokenomics.experiment import prompts, settings, tokens
    from tokenomics.experiment.stages import latency

    prompt = prompts.TUNED.prompt("What is the capital of France?")
    server = latency._server(settings.tiny(), settings.BASE)
    order = {"prompt": prompt, "n_predict": 1, "temperature": 0, "logprobs": 5}
    told = server.handle_completions(order)
    theirs = {each["token"]: each["logprob"] for each in told["choices"][0]["logprobs"]["content"][0]["top_logprobs"]}
    cut = tokens.encode(prompt)
    assert told["usage"]["prompt_tokens"] == len(cut)
    model = llama.load()
    with torch.inference_mode():
        ours = llama.logits(model, output(model, [cut])[-1:]).softmax(-1)[0]
    assert tokens.decode([int(ours.argmax())]) == max(theirs, key=theirs.get)
    for token, value in theirs.items():  # that engine rounds activations to 8 bits
        assert float(ours[tokens.encode(token)[0]]) == pytest.approx(math.exp(value), abs=0.05), token


@with_packages
def test_a_reranker_prefers_the_chunk_that_leads_to_the_question():
    chunks = ["Assembly of the Velra takes place in Pelley.", "The Torvik was designed by Milo Kade."]
    found = generation.likelihoods(llama.load(), "Who designed the Torvik?", chunks)
    assert found[1] > found[0] and max(found) < 0
    assert found == pytest.approx(
        [generation.likelihoods(llama.load(), "Who designed the Torvik?", [each])[0] for each in chunks], abs=1e-3
    )
