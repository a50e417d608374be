"""Prices of notebook 01: what each way to follow a price sees, by hand, and on the tables."""

import numpy as np
import pandas as pd
import pytest

from tokenomics.facts import history, tables
from tokenomics.sections.s01_ubiquitous_llms import prices
from tokenomics.sections.s01_ubiquitous_llms.parameters import Parameters

FIT = {"coverage": 0.8, "samples": 100, "seed": 1}


def standing(rows) -> pd.DataFrame:
    columns = ["model", "provider", "year", prices.BLENDED]
    return pd.DataFrame(rows, columns=columns).assign(model_id="id", verified=True)


def test_a_seller_who_leaves_moves_the_median_and_no_offer():
    rows = []
    for model in "abcd":
        for year in (2023, 2024, 2025):
            rows.append((model, "cheap", year, 1.0))
            rows += [(model, "dear", year, 9.0)] if year < 2025 else []
        rows.append((model, "new", 2025, 0.5))
    followed = prices.same_weights(standing(rows), list("abcd"))
    growth = prices.same_weights_growth(followed, **FIT)
    assert growth["same_offer"].factor_per_year == pytest.approx(1.0)
    assert growth["median_offer"].factor_per_year < 0.5
    assert growth["cheapest_offer"].factor_per_year == pytest.approx(10 ** (np.log10(0.5) / 2))
    metrics = prices.same_weights_metrics(followed, growth)
    assert metrics["offers_followed"].value == 8 and metrics["offers_unchanged"].value == 1
    assert metrics["models_followed"].value == 4


def test_models_on_few_lists_are_left_out():
    rows = [("a", "p", year, 1.0) for year in (2023, 2024)] + [("b", "p", year, 1.0) for year in (2023, 2024, 2025)]
    assert set(prices.same_weights(standing(rows), ["a", "b"])["model"]) == {"b"}


def test_the_least_price_at_a_score():
    rows = [("strong", "p", 2023, 8.0), ("weak", "p", 2023, 1.0), ("strong", "p", 2024, 8.0), ("new", "p", 2024, 2.0)]
    scores = pd.Series({"strong": 86.0, "new": 85.0, "weak": 60.0})
    table = prices.at_score(standing(rows), scores, [85, 50])
    top = table[table["level_pct"] == 85]
    assert top[["year", "model", prices.BLENDED]].to_numpy().tolist() == [[2023, "strong", 8.0], [2024, "new", 2.0]]
    assert table[table["level_pct"] == 50][prices.BLENDED].tolist() == [1.0, 2.0]
    found = prices.score_metrics(table, [85, 50])
    assert (found["score_ratio"].value, found["score_years"].value, found["score_least"].value) == (4.0, 1.0, "new")
    unread = standing(rows).assign(verified=[True, True, True, False])
    assert prices.at_score(unread, scores, [85])[prices.BLENDED].tolist() == [8.0, 8.0]
    assert np.isnan(prices.score_metrics(prices.at_score(standing(rows), scores, [99]), [99])["score_ratio"].value)


def test_every_scored_model_has_a_price_and_thinks_not():
    scores = tables.read("catalogue/model_scores")
    listed = tables.read("catalogue/prices_api")
    assert set(scores["model"]) <= set(listed["model"])
    billed = listed[listed["model"].isin(scores["model"])]["reasoning_billed"]
    assert not billed.fillna(False).astype(bool).any()


def test_the_flagship_fell_and_rose():
    offers = prices.blended(history.api_prices(), 0.75)
    new = prices.flagships(offers, ["GPT-4", "GPT-4 Turbo", "GPT-4o", "GPT-5", "GPT-5.5"])
    found = prices.flagship_metrics(new)
    assert found["flagship_fall"].value == pytest.approx(37.5 / 3.4375)
    assert found["flagship_rise"].value == pytest.approx(11.25 / 3.4375)
    assert [found[f"flagship_{key}"].value for key in ("first", "least", "last")] == ["GPT-4", "GPT-5", "GPT-5.5"]
    assert np.isnan(prices.flagship_metrics(new[:1])["flagship_fall"].value)


def test_a_task_by_hand():
    offer = {"usd_per_mtoken_input": 2.0, "usd_per_mtoken_output": 10.0, "tokens_per_word": 1.5}
    offers = pd.DataFrame([offer | {"reasoning_billed": True}, offer | {"reasoning_billed": None}], index=["r", "n"])
    p = Parameters(task_prompt_words=1000, task_answer_words=100, task_reasoning_words=2000)
    table = prices.task(offers.rename_axis("model"), p).set_index("model")
    assert table.loc["n", "total_us_cent"] == pytest.approx(0.3 + 0.15)
    assert table.loc["r", "total_us_cent"] == pytest.approx(0.3 + 0.15 + 3.0)
    found = prices.task_metrics(table)
    assert found["task_span_without"].value == pytest.approx(1.0)
    assert found["task_span"].value == pytest.approx(3.45 / 0.45)
