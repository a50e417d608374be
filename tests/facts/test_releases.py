"""Releases: what the table says of itself must hang together, in time, in size and in compute."""

from pathlib import Path

import pandas as pd
import pytest

CATALOGUE = Path(__file__).resolve().parents[2] / "data" / "catalogue"
FLOP_PER_PARAMETER_AND_TOKEN = 6
COMPUTE_TOLERANCE = 0.25
# Developers whose rule counts something else than the forward and backward pass.
COMPUTE_EXCEPTIONS = {"BloombergGPT 50B": "measured FLOP/s x time: the recomputed forward pass adds a third"}
LINES = """
GPT-1 | GPT-2 1.5B | GPT-3 175B | GPT-4 | GPT-4 Turbo | GPT-4o | GPT-4.1 | GPT-5 | GPT-5.4
LLaMA 65B | Llama 2 70B | Llama 3 70B | Llama 3.1 405B | Llama 3.2 3B | Llama 3.3 70B | Llama 4 Scout
T5-11B | LaMDA 137B | PaLM 540B | PaLM 2 | Gemini 1.0 Pro | Gemini 1.5 Pro | Gemini 2.5 Pro | Gemini 3 Pro
Gemma 7B | Gemma 2 27B | Gemma 3 27B | Gemma 4 31B
Claude 100K | Claude 2 | Claude 2.1 | Claude 3 Opus | Claude 3.5 Sonnet | Claude Opus 4.6 | Claude Sonnet 5
Qwen-7B | Qwen-72B | Qwen2-72B | Qwen2.5-72B | Qwen3-235B-A22B | Qwen3.5-397B-A17B
DeepSeek LLM 67B | DeepSeek-V2 | DeepSeek-V3 | DeepSeek-R1 | DeepSeek-V3.1 | DeepSeek-V3.2 | DeepSeek-V4-Pro
Phi-1.5 | Phi-2 | Phi-3-mini | Phi-4
OLMo 7B | OLMo 2 7B | OLMo 2 32B | OLMo 3 32B
GLM-130B | GLM-4.5 | GLM-5 | GLM-5.2
Kimi K2 | Kimi K2.5 | Kimi K3 | Kimi K3.1 Pro
GPT-J-6B | GPT-NeoX-20B | Pythia-12B
"""
LINES = [line.split(" | ") for line in LINES.strip().splitlines()]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.read_csv(CATALOGUE / "releases.csv", parse_dates=["released"]).set_index("name")


@pytest.fixture(scope="module")
def computed(table) -> pd.Series:
    """6 N D of every row that gives active parameters and tokens."""
    return (FLOP_PER_PARAMETER_AND_TOKEN * table["active_parameters"] * table["training_tokens"]).dropna()


def test_six_n_d_meets_reported_compute(table, computed):
    ratio = (computed / table["training_flop_reported"]).dropna()
    assert len(ratio) >= 10
    off = ratio[(ratio - 1).abs() > COMPUTE_TOLERANCE]
    assert set(off.index) == set(COMPUTE_EXCEPTIONS), off.to_dict()
    assert ratio.median() == pytest.approx(1, abs=0.03)


def test_accelerators_are_busy_but_not_above_their_peak(table, computed):
    hours = table.loc[table["training_accelerator_hours"].notna()]
    assert hours["training_accelerator"].notna().all()
    rate = (computed / (hours["training_accelerator_hours"] * 3600)).dropna()
    peak = pd.read_csv(CATALOGUE / "accelerators.csv").set_index("name")["peak_bf16_flop_per_s"]
    utilisation = rate / peak[hours.loc[rate.index, "training_accelerator"]].to_numpy()
    assert utilisation.between(0.04, 0.6).all(), utilisation[~utilisation.between(0.04, 0.6)].to_dict()
    assert 0.2 < utilisation.median() < 0.4


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[-1])
def test_a_line_of_products_goes_forward_in_time(table, line):
    assert table.loc[line, "released"].is_monotonic_increasing


def test_active_parameters_are_a_part(table):
    known = table.dropna(subset=["parameters", "active_parameters"])
    dense = known["architecture"] != "moe"
    assert (known.loc[dense, "active_parameters"] == known.loc[dense, "parameters"]).all()
    assert (known.loc[~dense, "active_parameters"] < known.loc[~dense, "parameters"] / 2).all()
    assert table.loc[table["active_parameters"].notna(), "parameters"].notna().all()


def test_tokens_per_parameter_tell_the_era(table):
    ratio = (table["training_tokens"] / table["active_parameters"]).dropna()
    released = table.loc[ratio.index, "released"]
    assert ratio.between(0.5, 8000).all()
    assert (ratio[released < "2022-01-01"] < 100).all()
    assert (ratio[released >= "2024-01-01"] > 20).all()


def test_undisclosed_stays_empty(table):
    closed = table[~table["open_weights"] & (table["released"] >= "2023-03-01")]
    silent = closed[closed["organisation"].isin(["OpenAI", "Anthropic", "Google"])]
    columns = ["parameters", "active_parameters", "training_tokens", "training_flop_reported"]
    assert len(silent) >= 15
    assert silent[columns].isna().all().all()
    assert silent["context_tokens"].notna().all()


def test_rule_and_reported_compute_come_together(table):
    assert (table["training_flop_reported"].notna() == table["training_flop_rule"].notna()).all()


def test_sizes_agree_with_the_catalogue(table):
    official = pd.read_csv(CATALOGUE / "models.csv").set_index("name")
    models = table["model"].dropna()
    assert models.is_unique
    assert set(models) <= set(official.index)
    counted = official.loc[models, "params_counted"].eq("all").to_numpy()
    size = table.loc[models.index, "parameters"].to_numpy()
    ratio = size / official.loc[models, "params_official"].to_numpy()
    ratio = pd.Series(ratio, index=models.index)[counted].dropna()
    # developers round: 7, 14 or 32 billion stand for 6.7, 14.7 or 32.8
    assert ratio.between(0.93, 1.07).all(), ratio[~ratio.between(0.93, 1.07)].to_dict()
