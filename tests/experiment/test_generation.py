"""Answers of small models do not depend on what is answered beside them."""

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: make experiment-setup")

from tokenomics.experiment import generation, llama  # noqa: E402


@pytest.fixture
def words(monkeypatch, parts):
    """Numbers as prompts: a word a token."""
    monkeypatch.setattr(generation, "_stops", lambda token: token < 1)
    monkeypatch.setattr(generation, "encode", lambda text: [int(word) for word in text.split()])
    monkeypatch.setattr(generation, "decode", lambda found: " ".join(map(str, found)))
    return [" ".join(map(str, part)) for part in parts]


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


def test_a_reranker_prefers_the_chunk_that_leads_to_the_question(extra):
    chunks = ["Assembly of the Velra takes place in Pelley.", "The Torvik was designed by Milo Kade."]
    found = generation.likelihoods(llama.load(), "Who designed the Torvik?", chunks)
    assert found[1] > found[0] and max(found) < 0
    assert found == pytest.approx(
        [generation.likelihoods(llama.load(), "Who designed the Torvik?", [each])[0] for each in chunks], abs=1e-3
    )
