"""Tables of notebook 02 that need no experiment: regions, lists, indexes, own devices."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tokenomics.compute.inference.server import server
from tokenomics.economics import adaptation, cost
from tokenomics.economics.adaptation import Index, Use
from tokenomics.economics.cost.tokens import TokenPrices
from tokenomics.errors import DataError
from tokenomics.estimate import Estimate
from tokenomics.facts import catalogue
from tokenomics.facts.prices import api_prices
from tokenomics.sections import s02_rag_vs_finetuning as tables
from tokenomics.sections.s02_rag_vs_finetuning import BOTH, LONG, RAG, TUNED, Case, Right
from tokenomics.sections.s02_rag_vs_finetuning.units import units

INDEX = Index("graph", 5e3, 0.02, 5.0, 0.05, 1e6)
RIGHT = {LONG: Right(0.7, 0.7), RAG: Right(0.8, 0.8), TUNED: Right(0.85, 0.0), BOTH: Right(0.9, 0.85)}
CASE = Case(knowledge=5e4)
PRICE = adaptation.at_prices(TokenPrices(*(Estimate.of(usd) for usd in (2.0, 0.5, 8.0))))


@pytest.fixture
def ways():
    return tables.approaches(CASE, RIGHT, INDEX)


def test_what_each_way_reads(ways):
    read = {name: (float(way.query.input), float(way.query.cached)) for name, way in ways.items()}
    assert read == {LONG: (50125, 50100), RAG: (1125, 100), TUNED: (25, 0), BOTH: (1025, 0)}
    assert ways[TUNED].version_usd == pytest.approx(5e4 * 4 * 3 * 10 / 1e6)
    assert ways[BOTH].version_usd.value == ways[RAG].version_usd.value == pytest.approx(5e3 * 200 / 1e6 * 0.02)
    assert ways[BOTH].once_usd == ways[TUNED].version_usd


def test_a_context_too_short_rules_the_long_prompt_out():
    assert LONG not in tables.approaches(replace(CASE, context=5e4), RIGHT, INDEX)
    with pytest.raises(DataError, match="way = magic; allowed: long prompt, RAG, tuned, both"):
        tables.approaches(CASE, {"magic": Right(1, 1)}, INDEX)


def test_few_queries_read_and_many_tune(ways):
    made = tables.crossover(ways, PRICE, [10, 1e4, 1e8], [0, 300], changed=0.2).set_index(["queries", "updates"])
    assert made.loc[(10, 0), "limit"] in (LONG, RAG) and made.loc[(1e8, 0), "limit"] == TUNED
    assert made.loc[(1e4, 300), "limit"] == RAG
    assert made["usd"].groupby("updates").is_monotonic_decreasing.all()
    by_hand = min(
        float(adaptation.usd_per_right(way, Use(1e4, updates=300, changed=0.2), PRICE, follows=follows).value)
        for way in ways.values()
        for follows in (True, False)
    )
    assert made.loc[(1e4, 300), "usd"] == pytest.approx(by_hand)


def test_every_list(ways):
    prices = [each for each in api_prices() if each.usable][:40]
    made = tables.by_list(ways, Use(1e4), prices)
    assert len(made) == 40 and made["breakeven"].is_monotonic_increasing
    assert (made[RAG] < made[LONG]).all() and (made[TUNED] < made[RAG]).any()


def test_indexes_by_size():
    sizes = np.array([1e6, 1e9])
    kinds = {kind: replace(INDEX, kind=kind, chunks=sizes) for kind in ("flat", "graph", "codes")}
    made = tables.by_size(kinds, 25).set_index(["kind", "cost", "chunks"])["value"]
    assert made["flat", "million queries", 1e9] > 1e4 * made["graph", "million queries", 1e9]
    assert made["codes", "month", 1e9] < made["graph", "month", 1e9]
    assert made["graph", "build", 1e9] == pytest.approx(1e9 * 200 / 1e6 * 0.02)


def test_adapters_on_a_70b(ways):
    group = server(catalogue.model("Llama-3.1-70B"), catalogue.accelerator("H100-SXM-80GB"), engine="vLLM 0.19", tp=4)
    made = tables.on_devices(ways, group, cost.on_demand(2.5), 16, 2.0).set_index("way")
    assert made.loc[TUNED, "value"] < made.loc[RAG, "value"] < made.loc[LONG, "value"]
    assert (made["low"] < made["value"]).all() and (made["value"] < made["high"]).all()
    # in time under arrivals is a little dearer than saturated; a shared beginning held once is cheaper
    ratio = made["simulated"] / made["value"]
    assert (ratio[[RAG, TUNED, BOTH]] > 1).all() and (ratio[[RAG, TUNED, BOTH]] < 1.5).all() and ratio[LONG] < 1


def test_several_models_on_own_devices(ways):
    device = catalogue.accelerator("H100-SXM-80GB")
    groups = {n: server(catalogue.model(n), device, engine="vLLM 0.19", tp=t) for n, t in (("Llama-3.1-8B", 1),)}
    made = tables.on_groups({TUNED: ways[TUNED]}, groups, cost.on_demand(2.5), 16, 2.0)
    assert made["model"].tolist() == ["Llama-3.1-8B, 1 device"] and made["value"].iloc[0] > 0


def test_situations_name_the_cheapest_and_the_next():
    made = tables.decisions(CASE, RIGHT, INDEX, PRICE)
    assert (made["next_over_cheapest"] >= 1).all() and (made["cheapest"] != made["next"]).all()
    by_name = made.set_index("situation")["cheapest"]
    assert by_name["handbook, few readers"] in (RAG, LONG) and by_name["fixed rules, many queries"] == TUNED
    # what the weights cannot hold is looked up
    held = tables.decisions(replace(CASE, tunable=1e4), RIGHT, INDEX, PRICE)
    assert TUNED not in set(held["cheapest"])


def test_units_follow_from_names():
    frame = pd.DataFrame(
        {"copy": ["a"], "usd_per_mtoken_low": [1.0], "ttft_p95_s": [1.0], "share": [1.0], "ok": [True]}
    )
    expected = {"copy": "text", "usd_per_mtoken_low": "USD/Mtoken", "ttft_p95_s": "s", "share": "1", "ok": "text"}
    assert units(frame) == expected
    assert units(frame, share="percent")["share"] == "percent"
