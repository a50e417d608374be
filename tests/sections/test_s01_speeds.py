"""Speeds are compared only where model or house is the same."""

import pytest

from tokenomics.facts import tables
from tokenomics.sections.s01_ubiquitous_llms import speeds


@pytest.fixture(scope="module")
def data():
    return speeds.side_by_side(tables.read("catalogue/api_speeds"))


def test_one_model_at_several_providers(data):
    same = data[data["kind"] == speeds.SAME]
    assert set(same["what"]) == {"Llama-2-70B"} and same["provider"].is_unique and len(same) == 8
    assert same["date"].nunique() == 1
    found = speeds.metrics(data)
    assert found["speed_span"].value == pytest.approx(184 / 9)
    assert found["speed_span_others"].value == pytest.approx(64 / 9)
    assert found["speed_fastest"].value == "groq"


def test_houses_with_their_range(data):
    house = data[data["kind"] == speeds.HOUSE]
    assert house["provider"].is_unique and not set(house["provider"]) & set(
        data[data["kind"] == speeds.SAME]["provider"]
    )
    assert (house["low_tok_per_s"] <= house["tok_per_s"]).all() and (
        house["tok_per_s"] <= house["high_tok_per_s"]
    ).all()
    table = tables.read("catalogue/api_speeds")
    unstated = table[table["requests_in_flight"].isna() & table["date"].notna()]
    assert house["models_number"].sum() == len(unstated)


def test_no_speed_is_compared_between_years(data):
    assert not any("median" in key or "20" in key for key in speeds.metrics(data))
