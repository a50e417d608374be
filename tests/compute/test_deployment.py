"""What an engine is told changes what it does, and nothing else."""

import pytest

from tokenomics.compute.deployment import BLOCK_TOKENS, UNSTATED, Deployment, Settings
from tokenomics.compute.inference.server import server
from tokenomics.errors import DataError
from tokenomics.facts import catalogue, engines


def ask(**told):
    return server("Llama-3.1-8B", "H100-SXM-80GB", engine="vLLM 0.19", settings=Settings(**told))


def test_settings_bound_sequences_tokens_and_memory():
    usual = ask()
    few = ask(max_num_seqs=8)
    assert few.output_rate(500, 500).value == pytest.approx(float(usual.output_rate(500, 500, 8).value))
    assert few.output_rate(500, 500, 4).value == usual.output_rate(500, 500, 4).value
    assert ask(max_num_batched_tokens=512).ttft(8000).value > usual.ttft(8000).value
    less = ask(memory_utilisation=0.5)
    assert less.capacity(4096) < usual.capacity(4096) == ask(memory_utilisation=0.9).capacity(4096)


def test_documented_settings_are_those_of_the_engine():
    large, small = (catalogue.accelerator(name) for name in ("H100-SXM-80GB", "L4"))
    assert Settings.documented(engines.known("vLLM 0.19"), 2, large) == Settings(2 * 1024, 2 * 8192)
    assert Settings.documented(engines.known("vLLM 0.19"), 2, small) == Settings(2 * 256, 2 * 2048)
    assert (
        Settings.documented(engines.known("SGLang"), 1, catalogue.accelerator("B200")).max_num_batched_tokens == 16_384
    )
    generic = Settings.documented(engines.known(""), 1, large)
    assert (generic.max_num_seqs, generic.max_num_batched_tokens) == UNSTATED


def test_what_was_not_told_is_as_the_engine_does():
    asked = server("Llama-3.1-8B", "H100-SXM-80GB", engine="SGLang").on.settings
    assert (asked.policy, asked.block_tokens, asked.prefix_cache) == ("prefill", 1, True)
    generic = server("Llama-3.1-8B", "H100-SXM-80GB").on
    assert generic.settings == Deployment(generic.model, generic.device).settings
    assert (generic.settings.policy, generic.settings.block_tokens) == ("chunked", BLOCK_TOKENS)
    told = {"policy": "decode", "block_tokens": 32, "prefix_cache": False}
    it = server("Llama-3.1-8B", "H100-SXM-80GB", engine="SGLang", settings=Settings(**told)).told(max_num_seqs=3)
    assert it.on.settings == Settings(3, **told)


IMPOSSIBLE = {"max_num_seqs": 0, "max_num_batched_tokens": 1.5, "memory_utilisation": 1.2}
IMPOSSIBLE |= {"policy": "first", "watermark": 1.0, "block_tokens": 0}
KEYS = (*IMPOSSIBLE, "prefix_cache", "prefix_tokens", "drafts")


@pytest.mark.parametrize("told", [{key: value} for key, value in IMPOSSIBLE.items()] + [{key: "x"} for key in KEYS])
def test_impossible_settings_are_refused_in_one_line(told):
    with pytest.raises(DataError, match=f"settings: {next(iter(told))} = "):
        Settings(**told)
