"""Notebook 02: what it makes of an experiment, and which approach is cheapest where; by hand on small cases."""

from dataclasses import replace
from types import SimpleNamespace

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
from tokenomics.sections.s02_rag_vs_finetuning import answers, arms, costs, cpu_costs, task
from tokenomics.sections.s02_rag_vs_finetuning.cpu_costs import Spent
from tokenomics.sections.s02_rag_vs_finetuning.parameters import Parameters
from tokenomics.sections.s02_rag_vs_finetuning.task import BOTH, LONG, RAG, TUNED, Case, Right

LATENCY = pd.DataFrame(
    [
        ("rag", 1, "prefix", 200, 0, 1, 1.0, 0.1, 1.1, 1.1, 2e8),
        ("rag", 1, "q0001", 240, 200, 8, 0.3, 0.1, 0.5, 0.4, 2e8),
        ("rag", 1, "q0002", 260, 200, 12, 0.5, 0.3, 0.7, 0.8, 2e8),
        ("lora", 0, "q0001", 30, 0, 4, 0.1, 0.1, 0.2, 0.2, 3e8),
        ("lora_rag", 3, "q0001", 90, 0, 4, 0.3, 0.1, 0.4, 0.5, 3e8),
        ("long_prompt", 0, "prefix", 5000, 0, 1, 40.0, 0.1, 40.0, 40.0, 4e8),
        ("long_prompt", 0, "q0001", 5030, 5000, 4, 0.9, 0.3, 1.2, 1.2, 4e8),
    ],
    columns=[
        *("arm", "chunks", "question", "prompt_tokens", "cached_tokens", "output_tokens", "read_s", "write_s"),
        *("wall_s", "cpu_s", "peak_bytes"),
    ],
)
RUNS = pd.DataFrame(
    [("lora", seed, "", 100, 5000, 7, cpu, 1e9) for seed, cpu in enumerate((90.0, 100.0, 110.0))]
    + [("both", seed, "lora", 100, 9000, 7, cpu, 1e9) for seed, cpu in enumerate((60.0, 70.0, 20.0))],
    columns=["recipe", "seed", "start", "examples", "tokens", "trained_parameters", "cpu_s", "peak_bytes"],
)
EMBEDDING = pd.DataFrame({"step": ["embed_chunks", "embed_questions"], "items": [10, 100], "cpu_s": [0.2, 1.0]})
ON_CORE = {LONG: Right(0.2, 0.0), RAG: Right(0.5, 0.0), TUNED: Right(0.8, 0.0), BOTH: Right(0.9, 0.0)}


@pytest.fixture
def spent():
    return Spent(cpu_costs.one_by_one(LATENCY, 5.0), cpu_costs.tuning(RUNS, 5.0), EMBEDDING, facts=10)


@pytest.fixture
def here(spent):
    return cpu_costs.on_this_core(spent, ON_CORE, {RAG: 1, BOTH: 3}, 1.0)


def test_arms_in_words():
    assert arms.named("rag", 3) == "RAG, k = 3" and arms.named("oracle", 1) == "right chunk given"
    with pytest.raises(DataError, match="arm = magic; allowed: base, "):
        arms.named("magic", 1)
    rows = [
        {"arm": arm, "chunks": k, "split": "unseen", "value": 0.5, "low": 0.4, "high": 0.6}
        | {"answers": 10, "facts": 5, "seeds": 1}
        for arm, k in (("rag", 3), ("rag", 1), ("base", 0), ("lora", 0))
    ]
    made = arms.in_words([*rows, rows[0] | {"split": "dev"}], ("unseen",))
    assert made["arm"].tolist() == ["untuned", "RAG, k = 1", "RAG, k = 3", "tuned"]


def test_a_query_alone(spent):
    rag = spent.query("rag", 1)
    assert rag["cpu_s"] == pytest.approx(0.6) and rag["energy_j"] == pytest.approx(3.0)
    assert rag["wall_s"] == pytest.approx(0.6) and rag["prefix_cpu_s"] == pytest.approx(1.1)
    assert rag["cpu_s_per_tok"] == pytest.approx(0.06)
    assert spent.query("both_rag", 3)["cpu_s"] == pytest.approx(0.5)  # as tokens go, it is its like


def test_tuning_over_seeds(spent):
    found = spent.tuning("lora")
    assert (found.value, found.low, found.high) == (100.0, 90.0, 110.0)
    found = spent.tuning("both")  # and the adapters of its seed that it goes on from
    assert (found.value, found.low, found.high) == (150.0, 130.0, 170.0)
    assert spent.tuned.set_index("recipe")["own_cpu_s"]["both"] == pytest.approx(50.0)


def test_many_together():
    costs = pd.DataFrame(
        [("rag", 1, "unseen", 10, 2.0, 3.0), ("rag", 1, "updated", 30, 2.0, 5.0), ("rag", 1, "seen", 9, 9.0, 9.0)],
        columns=["arm", "chunks", "split", "questions", "cpu_s", "wall_s"],
    )
    made = cpu_costs.together(costs, ("unseen", "updated")).iloc[0]
    assert made["batched_cpu_s"] == pytest.approx(0.1) and made["batched_wall_s"] == pytest.approx(0.2)


def test_what_each_approach_pays_here(here, spent):
    assert float(here[RAG].version_usd.value) == pytest.approx(10 * 0.02)
    assert here[RAG].query_usd == pytest.approx(0.6 + 0.01) and here[TUNED].query_usd == pytest.approx(0.2)
    assert float(here[BOTH].once_usd.value) == 150.0 and float(here[BOTH].version_usd.value) == pytest.approx(0.2)
    assert float(here[LONG].version_usd.value) == 40.0
    pays = adaptation.breakeven_queries(here[TUNED], here[RAG], Use(1.0), cpu_costs.FREE)
    assert (
        float(pays.value) == pytest.approx(cpu_costs.breakeven_by_hand(spent, {RAG: 1})) == pytest.approx(99.8 / 0.41)
    )
    assert float(pays.low) < float(pays.value) < float(pays.high)


def test_updates_are_followed_or_let_pass_whichever_is_cheaper(here):
    uses = {"still": Use(1.0), "moving": Use(1.0, updates=9.0, changed=0.5)}
    table = cpu_costs.per_right(here, [10.0, 1e5], uses, 5.0, 0.36)
    assert table["energy_j"].tolist() == (5 * table["cpu_s"]).tolist()
    assert np.allclose(table["usd"], 1e-4 * table["cpu_s"])
    made = table.set_index(["panel", "approach", "queries"])["cpu_s"]
    assert made["still", TUNED, 10.0] == pytest.approx((100 + 2) / 10 / 0.8)
    assert made["moving", RAG, 1e5] == pytest.approx((10 * 0.2 + 1e5 * 0.61) / 1e5 / 0.5)
    # at few queries ten tunings cost more than stale answers; at many they do not
    stale = 1 - sum(0.5**i for i in range(10)) / 10
    assert made["moving", TUNED, 10.0] == pytest.approx((100 + 2) / 10 / (0.8 * (1 - stale)))
    assert made["moving", TUNED, 1e5] == pytest.approx((1000 + 2e4) / 1e5 / 0.8)


def test_depths_come_from_development_of_what_was_taken():
    tried = pd.DataFrame(
        [
            ("prompt", "asked_first_5", True, 1, False, 0.7, np.nan),
            ("prompt", "asked_first_5", True, 3, False, 0.6, np.nan),
            ("prompt", "asked_first_3", False, 3, False, 0.9, np.nan),
            ("prompt", "shown", True, 5, False, 0.95, np.nan),
            ("recipe", "lora-a", True, 0, False, 0.9, 0.01),
            ("recipe", "lora-b", False, 0, False, 0.95, 0.02),
            ("recipe", "lora-c", False, 0, False, 0.3, 0.5),
            ("recipe", "full-a", True, 0, False, 0.99, 0.01),
            ("recipe", "aware-a", True, 1, False, 0.7, 0.2),
            ("recipe", "both-a", True, 0, False, 0.8, 0.2),
            ("recipe", "both-a", True, 1, False, 0.97, 0.2),
            ("recipe", "both-a", True, 1, True, 0.5, 0.2),
            ("recipe", "both-a", True, 3, False, 0.9, 0.2),
            ("recipe", "both-a", True, 3, True, 0.8, 0.2),
        ],
        columns=["kind", "candidate", "taken", "chunks", "changed", "correct", "loss"],
    )
    assert arms.depths(tried) == {RAG: 1, BOTH: 3}
    assert arms.developed(tried) == {"lora": 0.9, "full": 0.99, "aware": 0.7, "both": 0.97, "low": 0.9, "high": 0.95}


def test_shares_of_approaches_and_staleness():
    names = arms.main_arms({RAG: 1, BOTH: 3})
    rows = pd.DataFrame(
        {"right_share": 0.5, "right_low_share": 0.45, "right_high_share": 0.56}, index=list(names.values())
    )
    shares = {"unseen": rows, "updated": rows * 0.5}
    found = arms.by_approach(shares, names)
    assert float(found[RAG].fresh.high) == 0.56 and found[RAG].changed == 0.0
    assert float(found[TUNED].changed.value) == 0.25
    assert answers.widest(shares, names) == pytest.approx(0.055)


def test_text_search_agrees_with_plain_cases():
    asked = pd.DataFrame(
        {
            "arm": "lora",
            "chunks": 0,
            "split": "unseen",
            "question": ["a", "b", "c"],
            "answer": ["It is 275.", "2750", "x"],
        }
    )
    questions = pd.DataFrame({"question": ["a", "b", "c"], "answer": ["275", "275", "y|X"]})
    assert answers.searched(asked, questions)["unseen", "tuned"] == pytest.approx(2 / 3)


def test_readers_beyond_recall_counts_those_that_cannot_know():
    read = pd.DataFrame(
        [
            ("unseen", "RAG", 1, 0.3),
            ("unseen", "tuned to read + RAG", 1, 0.9),
            ("updated", "tuned to read + RAG", 1, 0.2),
        ],
        columns=["split", "arm", "chunks", "right_share"],
    )
    recall = pd.DataFrame({"split": ["unseen", "updated"], "chunks": 1, "recall_share": [0.6, 0.4]})
    assert answers.beyond_recall(read, recall.assign(retriever="hybrid")) == pytest.approx([0.5, 0.5])


def test_kinds_are_shares():
    made = answers.kinds({("lora", 0): {"right": 1, "other": 3}})
    assert made["share"].tolist() == [0.25, 0.75] and set(made["arm"]) == {"tuned"}


def test_published_beside_ours():
    studies = pd.DataFrame(
        [("A", "x", "rag", "accuracy, %", 80.0, "table"), ("B", "y", "tuned", "gain, points", 5.0, "abstract")],
        columns=["study", "setting", "approach", "metric", "value", "read"],
    )
    made = answers.beside(studies, {"rag": 0.5}, "here")
    assert made["right_pct"].tolist() == [50.0, 80.0] and made["read"].tolist() == ["own", "table"]


class TestTask:
    def test_offers_are_the_newest_of_a_year(self):
        some = task.every_offer(2024)
        assert {offer.date.year for offer in some} == {2024}
        assert len({(offer.model, offer.provider) for offer in some}) == len(some)
        assert task.newest("GPT-4o", 2024).usd_per_mtoken_cached_input == 1.25
        with pytest.raises(DataError, match="products = GPT-5; allowed: a product with a verified price of 2024"):
            task.newest("GPT-5", 2024)

    def test_dearer_tuned_tokens_need_more_context(self):
        p = Parameters()
        made = costs.sensitivity(p, ON_CORE, task.priced_at(task.newest("GPT-4o", 2024)))
        rate = 1 / made.pivot(index="tuned_factor", columns="chunks", values="breakeven_queries").fillna(np.inf)
        assert (rate.diff().iloc[1:] <= 0).to_numpy().all() and (rate[20] >= rate[1]).all()

    def test_tuning_on_own_devices_is_hours_times_rent(self):
        model, device = catalogue.model("Llama-3.1-70B"), catalogue.accelerator("H100-SXM-80GB")
        rent = Estimate(*(np.asarray(usd) for usd in (2.0, 1.5, 3.0)))
        one, twice = (task.own_tuning(Parameters(epochs=n), model, device, rent) for n in (1.0, 2.0))
        assert float(twice.value) == pytest.approx(2 * float(one.value)) and float(one.low) < float(one.value)

    def test_index_of_the_task(self):
        p = SimpleNamespace(**Parameters().model_dump())
        assert float(np.asarray(task.index(p).chunks)) == 250
        assert set(task.indexes(p, costs.SIZES)) == {"flat", "graph", "codes"}


INDEX = Index("graph", 5e3, 0.02, 5.0, 0.05, 1e6)
RIGHT = {LONG: Right(0.7, 0.7), RAG: Right(0.8, 0.8), TUNED: Right(0.85, 0.0), BOTH: Right(0.9, 0.85)}
CASE = Case(knowledge=5e4)
PRICE = adaptation.at_prices(TokenPrices(*(Estimate.of(usd) for usd in (2.0, 0.5, 8.0))))


@pytest.fixture
def approaches():
    return task.approaches(CASE, RIGHT, INDEX)


def test_what_each_approach_reads(approaches):
    read = {name: (float(each.query.input), float(each.query.cached)) for name, each in approaches.items()}
    assert read == {LONG: (50125, 50100), RAG: (1125, 100), TUNED: (25, 0), BOTH: (1025, 0)}
    assert approaches[TUNED].version_usd == pytest.approx(5e4 * 4 * 3 * 10 / 1e6)
    assert (
        approaches[BOTH].version_usd.value == approaches[RAG].version_usd.value == pytest.approx(5e3 * 200 / 1e6 * 0.02)
    )
    assert approaches[BOTH].once_usd == approaches[TUNED].version_usd


def test_a_context_too_short_rules_the_long_prompt_out():
    assert LONG not in task.approaches(replace(CASE, context=5e4), RIGHT, INDEX)
    with pytest.raises(DataError, match="approach = magic; allowed: long prompt, RAG, tuned, both"):
        task.approaches(CASE, {"magic": Right(1, 1)}, INDEX)


def test_few_queries_read_and_many_tune(approaches):
    made = costs.cheapest(approaches, PRICE, [10, 1e4, 1e8], [0, 300], changed=0.2).set_index(["queries", "updates"])
    assert made.loc[(10, 0), "cheapest"] in (LONG, RAG) and made.loc[(1e8, 0), "cheapest"] == TUNED
    assert made.loc[(1e4, 300), "cheapest"] == RAG
    assert made["usd"].groupby("updates").is_monotonic_decreasing.all()
    by_hand = min(
        float(adaptation.usd_per_right(each, Use(1e4, updates=300, changed=0.2), PRICE, follows=follows).value)
        for each in approaches.values()
        for follows in (True, False)
    )
    assert made.loc[(1e4, 300), "usd"] == pytest.approx(by_hand)


def test_every_list(approaches):
    prices = [each for each in api_prices() if each.usable][:40]
    made = costs.by_list(approaches, Use(1e4), prices)
    assert len(made) == 40 and made["breakeven_queries"].is_monotonic_increasing
    assert (made["rag_usd"] < made["long_prompt_usd"]).all() and (made["tuned_usd"] < made["rag_usd"]).any()


def test_indexes_by_size():
    sizes = np.array([1e6, 1e9])
    kinds = {kind: replace(INDEX, kind=kind, chunks=sizes) for kind in ("flat", "graph", "codes")}
    made = costs.by_size(kinds, 25).set_index(["kind", "part", "chunks"])["cost_usd"]
    assert made["flat", "million queries", 1e9] > 1e4 * made["graph", "million queries", 1e9]
    assert made["codes", "month", 1e9] < made["graph", "month", 1e9]
    assert made["graph", "build", 1e9] == pytest.approx(1e9 * 200 / 1e6 * 0.02)


def test_adapters_on_a_70b(approaches):
    group = server(catalogue.model("Llama-3.1-70B"), catalogue.accelerator("H100-SXM-80GB"), engine="vLLM 0.19", tp=4)
    made = costs.on_devices(approaches, group, cost.on_demand(2.5), 16, 2.0).set_index("approach")
    usd = made["saturated_usd"]
    assert usd[TUNED] < usd[RAG] < usd[LONG]
    assert (made["saturated_low_usd"] < usd).all() and (usd < made["saturated_high_usd"]).all()
    # in time under arrivals is never cheaper than saturated; a shared beginning held once is cheaper
    ratio = made["simulated_usd"] / usd
    assert (ratio[[RAG, TUNED, BOTH]] > 1 - 1e-9).all() and (ratio[[RAG, TUNED, BOTH]] < 1.5).all() and ratio[LONG] < 1


def test_several_models_on_own_devices(approaches):
    device = catalogue.accelerator("H100-SXM-80GB")
    groups = {n: server(catalogue.model(n), device, engine="vLLM 0.19", tp=t) for n, t in (("Llama-3.1-8B", 1),)}
    made = costs.on_replicas({TUNED: approaches[TUNED]}, groups, cost.on_demand(2.5), 16, 2.0)
    assert made["model"].tolist() == ["Llama-3.1-8B, 1 device"] and made["saturated_usd"].iloc[0] > 0


def test_situations_name_the_cheapest_and_the_next():
    made = costs.decisions(CASE, RIGHT, INDEX, PRICE)
    assert (made["next_ratio"] >= 1).all() and (made["cheapest"] != made["next"]).all()
    by_name = made.set_index("situation")["cheapest"]
    assert by_name["handbook, few readers"] in (RAG, LONG) and by_name["fixed rules, many queries"] == TUNED
    # what the weights cannot hold is looked up
    held = costs.decisions(replace(CASE, tunable=1e4), RIGHT, INDEX, PRICE)
    assert TUNED not in set(held["cheapest"])
