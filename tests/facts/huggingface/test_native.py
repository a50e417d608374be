"""``params.json`` of Mistral and Meta, and configurations that only spell the same sizes otherwise."""

import pytest

from tokenomics.compute.counts.parameters import parameters
from tokenomics.errors import DataError
from tokenomics.facts.huggingface import model_from_mapping, read_model

NEMO = {"dim": 5120, "n_layers": 40, "head_dim": 128, "hidden_dim": 14336, "n_heads": 32, "n_kv_heads": 8}
NEMO |= {"norm_eps": 1e-5, "vocab_size": 131072, "rope_theta": 1e6}
LLAMA = {"dim": 8192, "n_layers": 80, "ffn_dim_multiplier": 1.3, "multiple_of": 4096, "n_heads": 64, "n_kv_heads": 8}
MIXTRAL = {
    **NEMO,
    "dim": 4096,
    "n_layers": 32,
    "vocab_size": 32000,
    "moe": {"num_experts": 8, "num_experts_per_tok": 2},
}


@pytest.mark.parametrize(
    ("given", "total"),
    [(NEMO, 12_247_782_400), ({**LLAMA, "vocab_size": 128256}, 70_553_706_496), (MIXTRAL, 46_702_792_704)],
)
def test_totals_are_those_of_the_hub(given, total):
    assert parameters(model_from_mapping(given, "mine")).total == total


def test_a_file_is_named_after_its_folder(tmp_path):
    path = tmp_path / "Mistral-Nemo" / "params.json"
    path.parent.mkdir()
    path.write_text(str(NEMO).replace("'", '"'), encoding="utf-8")
    assert read_model(path).name == "Mistral-Nemo"


def test_windows_may_stand_one_a_layer():
    read = model_from_mapping({**NEMO, "sliding_window": [4096, None], "max_seq_len": 32768}, "mine")
    assert (read.full_layers, read.sliding_layers, read.sliding_window_tokens) == (20, 20, 4096)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vocab_size": -1}, "vocab_size = -1; allowed: the rows of the embedding table"),
        ({"hidden_dim": None}, "hidden_dim = missing; allowed: a whole number > 0, or multiple_of"),
        ({"moe": 8}, "moe = 8; allowed: a mapping"),
        ({"n_heads": None}, "num_attention_heads = missing"),
    ],
)
def test_what_is_missing_is_one_line(change, message):
    with pytest.raises(DataError) as raised:
        model_from_mapping({**NEMO, **change}, "mine", "params.json")
    assert str(raised.value).startswith(f"params.json: {message}")
