"""What notebook 02 makes of the experiment's tables: by hand on small ones."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tokenomics.economics import adaptation
from tokenomics.economics.adaptation import Use
from tokenomics.errors import DataError
from tokenomics.estimate import Estimate
from tokenomics.sections.s02_rag_vs_finetuning import BOTH, LONG, RAG, TUNED, Right, arms, measured, task
from tokenomics.sections.s02_rag_vs_finetuning.measured import Spent
from tokenomics.sections.s02_rag_vs_finetuning.parameters import Parameters

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
INDEX = pd.DataFrame({"step": ["embed_chunks", "embed_questions"], "items": [10, 100], "cpu_s": [0.2, 1.0]})
RIGHT = {LONG: Right(0.2, 0.0), RAG: Right(0.5, 0.0), TUNED: Right(0.8, 0.0), BOTH: Right(0.9, 0.0)}


@pytest.fixture
def spent():
    return Spent(measured.one_by_one(LATENCY, 5.0), measured.tuning(RUNS, 5.0), INDEX, facts=10)


@pytest.fixture
def here(spent):
    return measured.on_this_core(spent, RIGHT, {RAG: 1, BOTH: 3}, 1.0)


def test_arms_in_words():
    assert measured.way("rag", 3) == "RAG, k = 3" and measured.way("oracle", 1) == "right chunk given"
    with pytest.raises(DataError, match="arm = magic; allowed: base, "):
        measured.way("magic", 1)
    rows = [
        {"arm": arm, "chunks": k, "split": "unseen", "value": 0.5, "low": 0.4, "high": 0.6}
        | {"answers": 10, "facts": 5, "seeds": 1}
        for arm, k in (("rag", 3), ("rag", 1), ("base", 0), ("lora", 0))
    ]
    made = measured.in_words([*rows, rows[0] | {"split": "dev"}], ("unseen",))
    assert made["way"].tolist() == ["untuned", "RAG, k = 1", "RAG, k = 3", "tuned"]


def test_a_query_alone(spent):
    rag = spent.query("rag", 1)
    assert rag["cpu_s"] == pytest.approx(0.6) and rag["energy_j"] == pytest.approx(3.0)
    assert rag["wall_s"] == pytest.approx(0.6) and rag["prefix_cpu_s"] == pytest.approx(1.1)
    assert rag["cpu_s_per_output_token"] == pytest.approx(0.06)
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
    made = measured.together(costs, ("unseen", "updated")).iloc[0]
    assert made["batched_cpu_s"] == pytest.approx(0.1) and made["batched_wall_s"] == pytest.approx(0.2)


def test_what_each_way_pays_here(here, spent):
    assert float(here[RAG].version_usd.value) == pytest.approx(10 * 0.02)
    assert here[RAG].query_usd == pytest.approx(0.6 + 0.01) and here[TUNED].query_usd == pytest.approx(0.2)
    assert float(here[BOTH].once_usd.value) == 150.0 and float(here[BOTH].version_usd.value) == pytest.approx(0.2)
    assert float(here[LONG].version_usd.value) == 40.0
    pays = adaptation.breakeven_queries(here[TUNED], here[RAG], Use(1.0), measured.FREE)
    assert float(pays.value) == pytest.approx(arms.breakeven_by_hand(spent, {RAG: 1})) == pytest.approx(99.8 / 0.41)
    assert float(pays.low) < float(pays.value) < float(pays.high)


def test_updates_are_followed_or_let_pass_whichever_is_cheaper(here):
    uses = {"still": Use(1.0), "moving": Use(1.0, updates=9.0, changed=0.5)}
    made = measured.per_right(here, [10.0, 1e5], uses).set_index(["panel", "way", "queries"])["value"]
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


def test_shares_of_ways_and_staleness():
    names = arms.named({RAG: 1, BOTH: 3})
    rows = pd.DataFrame({"value": 0.5, "value_low": 0.45, "value_high": 0.56}, index=list(names.values()))
    shares = {"unseen": rows, "updated": rows * 0.5}
    found = arms.right(shares, names)
    assert float(found[RAG].fresh.high) == 0.56 and found[RAG].changed == 0.0
    assert float(found[TUNED].changed.value) == 0.25
    assert arms.widest(shares, names) == pytest.approx(0.055)


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
    assert arms.searched(asked, questions)["unseen", "tuned"] == pytest.approx(2 / 3)


def test_readers_beyond_recall_counts_those_that_cannot_know():
    read = pd.DataFrame(
        [
            ("unseen", "RAG", 1, 0.3),
            ("unseen", "tuned to read + RAG", 1, 0.9),
            ("updated", "tuned to read + RAG", 1, 0.2),
        ],
        columns=["split", "arm", "chunks", "value"],
    )
    limit = pd.DataFrame({"split": ["unseen", "updated"], "k": 1, "recall": [0.6, 0.4]})
    assert arms.beyond_recall(read, limit) == pytest.approx([0.5, 0.5])


def test_kinds_are_shares():
    made = measured.kinds({("lora", 0): {"right": 1, "other": 3}})
    assert made["share"].tolist() == [0.25, 0.75] and set(made["way"]) == {"tuned"}


def test_published_beside_ours():
    studies = pd.DataFrame(
        [("A", "x", "rag", "accuracy, %", 80.0, "table"), ("B", "y", "tuned", "gain, points", 5.0, "abstract")],
        columns=["study", "setting", "approach", "metric", "value", "read"],
    )
    made = measured.beside_ours(studies, {"rag": 0.5}, "here")
    assert made["value"].tolist() == [50.0, 80.0] and made["read"].tolist() == ["own", "table"]


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
        made = task.sensitivity(p, RIGHT, task.priced_at(task.newest("GPT-4o", 2024)))
        rate = 1 / made.pivot(index="tuned_factor", columns="chunks_read", values="breakeven").fillna(np.inf)
        assert (rate.diff().iloc[1:] <= 0).to_numpy().all() and (rate[20] >= rate[1]).all()

    def test_tuning_on_own_devices_is_hours_times_rent(self):
        from tokenomics.facts import catalogue

        model, device = catalogue.model("Llama-3.1-70B"), catalogue.accelerator("H100-SXM-80GB")
        rent = Estimate(*(np.asarray(usd) for usd in (2.0, 1.5, 3.0)))
        one, twice = (task.own_tuning(Parameters(passes=n), model, device, rent) for n in (1.0, 2.0))
        assert float(twice.value) == pytest.approx(2 * float(one.value)) and float(one.low) < float(one.value)

    def test_index_of_the_task(self):
        p = SimpleNamespace(**Parameters().model_dump())
        assert float(np.asarray(task.index(p).chunks)) == 250
        assert set(task.indexes(p)) == {"flat", "graph", "codes"}
