"""Each model of MLPerf has the lengths of its own data set, by any of its names."""

import pytest

from tokenomics.facts.mlperf import dataset


@pytest.mark.parametrize(
    ("name", "tokens"),
    [
        ("llama2-70b-99.9", (294, 294.45)),
        ("Llama-2-70B", (294, 294.45)),
        ("llama3.1-405b", (9428, 684.68)),
        ("mixtral-8x7b", (294, 144.84)),
        ("gptj-99", (924, 69)),
        ("DeepSeek-R1", (800, 3886.23)),
    ],
)
def test_lengths_by_name(name, tokens):
    assert (dataset(name).input_tokens, dataset(name).output_tokens) == tokens


def test_a_model_that_mlperf_does_not_measure_has_none():
    assert dataset("Qwen3-32B") is None and dataset("Llama-2-7B") is None
