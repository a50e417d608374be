"""The model on random small weights, and the real one against llama.cpp."""

import math

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: make experiment-setup")

from tokenomics.experiment import llama, prompts, settings  # noqa: E402
from tokenomics.experiment.stages import latency  # noqa: E402


def test_prompts_of_a_pack_do_not_see_each_other(model, output, parts):
    together = output(model, parts)
    alone = torch.cat([output(model, [part]) for part in parts])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


def test_a_token_sees_only_what_is_before_it(model, output):
    changed = output(model, [[1, 2, 3, 4, 9]])
    torch.testing.assert_close(changed[:4], output(model, [[1, 2, 3, 4, 5]])[:4])


def test_a_cached_prefix_is_the_prefix(model, output, parts):
    owner = torch.full((4,), llama.SHARED)
    cache = llama.Cache(owner)
    llama.run_layers(model, llama.embed(model, torch.tensor([11, 12, 13, 14])), owner, torch.arange(4), keep=cache)
    cached = output(model, parts, start=4, before=cache)
    whole = torch.cat([output(model, [[11, 12, 13, 14, *part]])[4:] for part in parts])
    torch.testing.assert_close(cached, whole, rtol=1e-4, atol=1e-4)


def test_adapters_beside_weights_are_adapters_in_weights(model, output, parts):
    draw = torch.Generator().manual_seed(1)
    pair = (torch.randn(2, 24, generator=draw), torch.randn(24, 2, generator=draw) / 10)
    adapters = {"blk.1.attn_q": pair, "blk.2.attn_output": pair}
    beside, merged = output(model, parts, adapters=adapters), output(llama.merged(model, adapters), parts)
    torch.testing.assert_close(beside, merged, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(beside, output(model, parts))


def test_agrees_with_llama_cpp(output, extra):
    """The same weights, cut into the same tokens, in another engine: next-token probabilities, not only answers."""
    prompt = prompts.TUNED.prompt("What is the capital of France?")
    server = latency._server(settings.tiny(), settings.BASE)
    order = {"prompt": prompt, "n_predict": 1, "temperature": 0, "logprobs": 5}
    told = server.handle_completions(order)
    theirs = {each["token"]: each["logprob"] for each in told["choices"][0]["logprobs"]["content"][0]["top_logprobs"]}
    cut = prompts.encode(prompt)
    assert told["usage"]["prompt_tokens"] == len(cut)
    model = llama.load()
    with torch.inference_mode():
        ours = llama.logits(model, output(model, [cut])[-1:]).softmax(-1)[0]
    assert prompts.decode([int(ours.argmax())]) == max(theirs, key=theirs.get)
    for token, value in theirs.items():  # that engine rounds activations to 8 bits
        assert float(ours[prompts.encode(token)[0]]) == pytest.approx(math.exp(value), abs=0.05), token
