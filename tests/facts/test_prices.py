"""Prices: hand-worked examples, refusals, published anchors and the plausibility of the committed tables."""

import datetime as dt
import re
from dataclasses import replace

import numpy as np
import pytest

from tokenomics.errors import DataError
from tokenomics.facts import prices, tables
from tokenomics.facts.prices import ApiPrice, RentalPrice

API_ROW = {
    "date": "2025-01-01",
    "listed_until": "2025-06-30",
    "provider": "acme",
    "model_id": "thinker-1",
    "model": "Thinker 1",
    "usd_per_mtoken_input": 2,
    "usd_per_mtoken_output": 8.0,
    "usd_per_mtoken_cached_input": 0.5,
    "context_tokens": 128000,
    "reasoning_billed": True,
    "tokenizer": "o200k_base",
    "usable": True,
    "source": "a_source",
    "verified": True,
}
RENTAL_ROW = {
    "date": "2025-01-01",
    "listed_until": "2025-06-30",
    "provider": "acme",
    "instance": "a-8",
    "accelerator_listed": "H100 (80 GB)",
    "accelerator": "",
    "n_accelerators": 8,
    "kind": "on_demand",
    "usd_per_accelerator_hour": 3.6,
    "usable": True,
    "source": "a_source",
    "verified": True,
}


def test_price_of_a_request_by_hand():
    price = ApiPrice.from_row(API_ROW)
    # 1000 in, of them 400 cached: 600 * 2 + 400 * 0.5 = 1400; 250 + 750 out: 1000 * 8 = 8000; together 9400e-6 USD
    assert price.usd(1000, 250, reasoning_tokens=750, cached_input_tokens=400) == pytest.approx(0.0094, rel=1e-12)


def test_price_of_a_task_in_words_by_hand():
    price = ApiPrice.from_row(API_ROW)
    # 800 words in and 200 out at 1.25 tokens a word: 1000 * 2 + (250 + 500) * 8 = 8000e-6 USD
    assert price.usd_per_task(800, 200, 1.25, reasoning_tokens=500) == pytest.approx(0.008, rel=1e-12)
    # a finer tokenizer makes the same words dearer in proportion, hidden reasoning aside
    assert price.usd_per_task(800, 200, 2.5) == pytest.approx(2 * price.usd_per_task(800, 200, 1.25), rel=1e-12)


def test_price_without_cached_price_is_full_price():
    price = replace(ApiPrice.from_row(API_ROW), usd_per_mtoken_cached_input=None)
    assert price.usd(1000, 0, cached_input_tokens=1000) == pytest.approx(0.002, rel=1e-12)


def test_price_is_vectorised():
    price = ApiPrice.from_row(API_ROW)
    many = price.usd(np.array([0.0, 1e6]), np.array([1e6, 0.0]))
    assert many.tolist() == [8.0, 2.0]


def test_an_offer_of_unknown_form_factor_has_no_canonical_name():
    assert RentalPrice.from_row(RENTAL_ROW).accelerator is None


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("usd_per_mtoken_input", -1.0, "> 0"),
        ("usd_per_mtoken_output", "eight", "> 0"),
        ("usd_per_mtoken_output", float("nan"), "> 0"),
        ("usd_per_mtoken_input", True, "> 0"),
        ("context_tokens", 1.5, "whole"),
        ("reasoning_billed", "yes", "true or false"),
        ("date", "yesterday", "YYYY-MM-DD"),
        ("date", None, "a value"),
        ("model", 7, "text"),
    ],
)
def test_api_row_refused(key, value, allowed):
    with pytest.raises(DataError, match=allowed) as error:
        ApiPrice.from_row(API_ROW | {key: value}, "my.yaml")
    assert f"my.yaml: {key} = " in str(error.value)


def test_missing_key_refused():
    with pytest.raises(DataError, match="usd_per_mtoken_output = missing"):
        ApiPrice.from_row({k: v for k, v in API_ROW.items() if k != "usd_per_mtoken_output"})


@pytest.mark.parametrize(
    ("key", "value"), [("kind", "stolen"), ("usd_per_accelerator_hour", 0), ("n_accelerators", None)]
)
def test_rental_row_refused(key, value):
    with pytest.raises(DataError, match=key):
        RentalPrice.from_row(RENTAL_ROW | {key: value})


def test_impossible_requests_refused():
    price = ApiPrice.from_row(API_ROW)
    plain = replace(price, reasoning_billed=False)
    refused = [
        ("output_tokens", lambda: price.usd(1, -1)),
        ("cached_input_tokens", lambda: price.usd(np.array([5, 1]), 1, cached_input_tokens=2)),
        ("reasoning_tokens", lambda: plain.usd(1, 1, reasoning_tokens=1)),
        ("tokens_per_word", lambda: price.usd_per_task(1, 1, 0)),
    ]
    for key, call in refused:
        with pytest.raises(DataError, match=key):
            call()


def test_listed_on_takes_usable_dated_prices_of_the_day():
    price = ApiPrice.from_row(API_ROW)
    others = [replace(price, usable=False), replace(price, listed_until=dt.date(2025, 1, 2))]
    undated = RentalPrice.from_row(RENTAL_ROW | {"date": "", "listed_until": ""})
    assert prices.listed_on([price, *others], dt.date(2025, 3, 1)) == [price]
    assert prices.listed_on([undated], dt.date(2025, 3, 1)) == []


@pytest.mark.parametrize(
    ("provider", "model", "first_by", "usd_input", "usd_output"),
    [
        ("openai", "GPT-3 (davinci)", "2022-12-31", 60, 60),
        ("openai", "GPT-3.5 (text-davinci-003)", "2023-04-30", 20, 20),
        ("openai", "GPT-3.5 Turbo", "2023-03-31", 2, 2),
        ("openai", "GPT-4", "2023-04-30", 30, 60),
        ("anthropic", "Claude Instant", "2023-12-31", 1.63, 5.51),
        ("anthropic", "Claude 2", "2023-12-31", 8, 24),
        ("anthropic", "Claude 3 Opus", "2024-03-31", 15, 75),
        ("openai", "GPT-4o", "2024-05-31", 5, 15),
        ("gemini", "Gemini 1.5 Flash", "2024-06-30", 0.35, 1.05),
        ("vertex_ai", "Gemini 1.5 Pro", "2024-12-31", 1.25, 5),
        ("openai", "o1", "2024-12-31", 15, 60),
        ("deepseek", "DeepSeek-V3", "2025-02-28", 0.27, 1.1),
        ("deepseek", "DeepSeek-R1", "2025-02-28", 0.55, 2.19),
        ("together", "Llama-3.1-405B", "2025-02-28", 3.5, 3.5),
        ("openai", "GPT-5", "2025-08-31", 1.25, 10),
    ],
)
def test_published_prices_are_in_the_table(provider, model, first_by, usd_input, usd_output):
    found = [p for p in prices.api_prices() if (p.provider, p.model) == (provider, model) and p.usable and p.verified]
    found = [p for p in found if p.date <= dt.date.fromisoformat(first_by)]
    assert (usd_input, usd_output) in {(p.usd_per_mtoken_input, p.usd_per_mtoken_output) for p in found}


def test_known_wrong_prices_are_not_usable():
    usable = [p for p in prices.api_prices() if p.usable]
    for name, floor in (("Claude Instant", 1.0), ("Claude 3 Opus", 10.0), ("Gemini 1.5 Pro", 1.0), ("GPT-4", 30.0)):
        assert min(p.usd_per_mtoken_input for p in usable if p.model == name) >= floor


def test_api_table_is_plausible():
    for price in prices.api_prices():
        assert price.date <= price.listed_until, price
        if price.usable:
            assert price.usd_per_mtoken_input <= price.usd_per_mtoken_output <= 12 * price.usd_per_mtoken_input, price
            assert (price.usd_per_mtoken_cached_input or 0) <= price.usd_per_mtoken_input, price
        else:
            assert not price.verified, price


KIN = ("distill", "lite", "mini", "nano", "flash", "air", "coder", "haiku", "sonnet", "opus", "maverick", "scout")
"""Words that make another model of the same line."""


def test_an_id_and_its_model_name_the_same_product():
    """A distilled, smaller or otherwise named sibling must not lend its price to the model it is named after."""
    for price in prices.api_prices():
        words, named = (set(re.split(r"[^a-z0-9]+", text.lower())) for text in (price.model_id, price.model))
        assert not {word for word in KIN if (word in words) != (word in named)}, price
        sizes, stated = (
            set(re.findall(r"(?<![\w.])(\d+(?:\.\d+)?)b(?![a-z])", text.lower().replace("_", "-")))
            for text in (price.model_id, price.model)
        )
        assert not (sizes and stated) or stated <= sizes, price


def test_unusable_rows_say_why():
    for name in ("prices_api", "prices_rental"):
        table = tables.read(f"catalogue/{name}")
        assert table.loc[~table["usable"], "note"].notna().all()


def test_reasoning_is_known_where_a_vendor_states_it():
    stated = {p.model: p.reasoning_billed for p in prices.api_prices() if p.provider in ("openai", "deepseek")}
    assert stated["o1"] and stated["o3"] and stated["DeepSeek-R1"]
    assert stated["GPT-4o"] is False


def test_tokenizers_of_prices_are_measured():
    table = tables.read("catalogue/tokenizers")
    assert {p.tokenizer for p in prices.api_prices()} - {None} <= set(table["tokenizer"])
    counted = table["tokens"] / table["words"]
    assert np.allclose(counted.dropna(), table["tokens_per_word"].dropna(), rtol=5e-4)


def test_rental_table_is_plausible():
    spot = {}
    for price in prices.rental_prices():
        key = (price.provider, price.instance, price.accelerator_listed, price.n_accelerators, price.date)
        spot.setdefault(key, {}).setdefault(price.kind, []).append(price.usd_per_accelerator_hour)
    pairs = [kinds for kinds in spot.values() if {"spot", "on_demand"} <= set(kinds)]
    assert len(pairs) > 20
    assert all(max(kinds["spot"]) < max(kinds["on_demand"]) for kinds in pairs)
