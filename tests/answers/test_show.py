"""What is known of a model or an accelerator: plain values, with a source."""

import json

import pytest

from tokenomics.answers.show import show
from tokenomics.errors import DataError
from tokenomics.facts.sources import sources


@pytest.mark.parametrize(
    ("kind", "name", "numbers"),
    [
        ("model", "llama 3.1 70b", {"layers": 80, "parameters_total": 70553706496, "kv_bytes_per_token": 327680}),
        ("xpu", "H100 SXM 80GB", {"memory_bytes": 80e9, "link_devices": 8, "bandwidth_bytes_per_s": 3.35e12}),
    ],
)
def test_facts_are_plain_values_at_the_top(kind, name, numbers):
    found = json.loads(json.dumps(show(kind, name).as_dict()))
    assert {key: found[key] for key in numbers} == numbers
    assert set(found["sources"]) <= sources().keys() and found["sources"] and found["verified"] is True


def test_the_rent_has_its_list_and_its_day():
    found = show("xpu", "H100-SXM-80GB").as_dict()
    assert found["usd_per_hour"] > 0 and found["usd_per_hour_source"] in sources() and found["usd_per_hour_date"]
    assert "usd_per_hour" not in show("xpu", "MI300X").values


def test_print_gives_units():
    assert "memory_bytes            80,000,000,000 byte" in str(show("xpu", "H100-SXM-80GB"))


@pytest.mark.parametrize(("kind", "name", "words"), [("gpu", "H100", "model, xpu"), ("xpu", "H1000", "nearest")])
def test_what_nobody_knows_is_refused(kind, name, words):
    with pytest.raises(DataError, match=words):
        show(kind, name)


BAMBA = {
    "architectures": ["BambaForCausalLM"],
    "model_type": "bamba",
    "attn_layer_indices": [9, 18, 27],
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "mamba_d_conv": 4,
    "mamba_d_head": 64,
    "mamba_d_state": 128,
    "mamba_n_heads": 128,
    "max_position_embeddings": 262144,
    "vocab_size": 128256,
}


def test_a_configuration_gives_the_keys_that_programs_read(tmp_path):
    path = tmp_path / "Bamba" / "config.json"
    path.parent.mkdir()
    path.write_text(json.dumps(BAMBA), encoding="utf-8")
    found = json.loads(json.dumps(show("model", str(path)).as_dict()))
    assert (found["name"], found["format"], found["context_tokens"]) == ("Bamba", "bf16", 262144)
    assert found["parameters_total"] == found["parameters_active"] == pytest.approx(9.78e9, abs=5e6)
    assert found["kv_bytes_per_token"] == 3 * 2 * 8 * 128 * 2
    assert found["state_bytes_per_sequence"] == 29 * (128 * 64 * 128 + 3 * (128 * 64 + 2 * 128)) * 4
    assert found["weight_bytes"] == found["weight_bytes_bf16"] == pytest.approx(2 * found["parameters_total"], rel=1e-6)
    assert found["weight_bytes_int4"] < found["weight_bytes_fp8"] < found["weight_bytes_bf16"]
    assert found["sources"] == [str(path)] and found["verified"] is False
    parts = [value for key, value in found.items() if key.startswith("parameters_")][2:]
    assert sum(parts) == found["parameters_total"]


def test_a_published_format_is_the_one_that_is_weighed():
    found = show("model", "gpt-oss-120b").values
    assert found["format"] == "mxfp4" and 60e9 < found["weight_bytes"] < 70e9 < found["weight_bytes_fp8"]


def test_the_bar_is_to_scale():
    bar = str(show("model", "Llama-3.1-70B")).splitlines()[-1]
    weights, cache = 141.1e9, 327680 * 131072
    assert bar.count("#") - 1 == round(48 * weights / (weights + cache))
    assert bar.count("=") - 1 == round(48 * cache / (weights + cache))
    assert "weights 141 GB" in bar and "cache of 131,072 tokens at 16 bit 42.9 GB" in bar and "state" not in bar


def test_whose_operators_stand_in_is_said(tmp_path):
    assert show("xpu", "H100-SXM-80GB").values["operators"] == "measured"
    other = show("xpu", "RTX-5070-Ti-16GB").values
    assert other["operators"] == "not measured" and other["operators_of"].endswith(")")
    chip = tmp_path / "chip.yaml"
    own = {"name": "Mine", "vendor": "Me", "kind": "gpu", "memory_bytes": 8e10, "bandwidth_bytes_per_s": 2e12}
    lines = [f"{key}: {value}" for key, value in {**own, "peak_bf16_flop_per_s": 3e14}.items()]
    chip.write_text("\n".join(lines), encoding="utf-8")
    mine = show("xpu", str(chip)).values
    assert mine["sources"] == [str(chip)] and mine["verified"] is False and "operators_of" in mine
