"""Which of the experiment's arms stand for which way, how they are compared, and what of them the prose says."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tokenomics.estimate import Estimate
from tokenomics.notebook import report
from tokenomics.sections.s02_rag_vs_finetuning.costs import BOTH, LONG, RAG, TUNED, Right
from tokenomics.sections.s02_rag_vs_finetuning.measured import NAMES, Spent, way

DEPTHS = (1, 3, 5)
RECIPES = {
    "lora": "adapters, facts alone",
    "aware": "adapters, to read",
    "both": "adapters, facts, then to read",
    "full": "all weights, facts alone",
}
AS_PUBLISHED = {"rag": RAG, "tuned": TUNED, "both": BOTH}
"""How published studies call the ways."""
READERS = ("rag", "lora_rag", "aware_rag", "both_rag")
PAIRED = (
    "combined_over_best",
    "combined_over_rag",
    "combined_over_reader",
    "combined_over_reader_updated",
    "three_over_one",
)
UNKNOWN = "unknown"
Shares = Mapping[str, pd.DataFrame]


def depths(tried: pd.DataFrame) -> dict[str, int]:
    """Chunks that RAG and the combined arm read: those of the taken prompt and recipe that were best in development,
    where chunks that say what was learned and chunks that say something else count alike.

    Args:
        tried: rows of ``recipes_tried.csv``.
    """
    taken = tried[tried["taken"] & (tried["chunks"] > 0)]
    readers = {RAG: taken["candidate"].str.startswith("asked_first"), BOTH: taken["candidate"].str.startswith("both")}
    return {name: int(taken[some].groupby("chunks")["correct"].mean().idxmax()) for name, some in readers.items()}


def developed(tried: pd.DataFrame) -> dict[str, float]:
    """Right answers on the development wording: of the taken recipes, by what their names start with, those that read
    with their best number of chunks; ``low`` and ``high`` of the adapters that learned the facts (loss below 0.1).
    """
    recipes = tried[(tried["kind"] == "recipe") & ~tried["changed"]]
    alone, kinds = recipes["chunks"] == 0, recipes["candidate"].str.split("-").str[0]
    learned = recipes.loc[(kinds == "lora") & (recipes["loss"] < 0.1), "correct"]
    chosen = recipes[recipes["taken"] & (alone == kinds.isin(["lora", "full"]))]
    found = chosen.groupby(kinds)["correct"].max().to_dict()
    return {key: float(v) for key, v in (found | {"low": learned.min(), "high": learned.max()}).items()}


def named(k: Mapping[str, int]) -> dict[str, str]:
    """The arms that stand for the ways, in words, by the key that metrics use."""
    return {
        "base": way("base", 0),
        "long": way("long_prompt", 0),
        "rag": way("rag", k[RAG]),
        "lora": way("lora", 0),
        "naive": way("lora_rag", 1),
        "aware": way("aware_rag", k[BOTH]),
        "both": way("both_rag", k[BOTH]),
    }


def record(shares: Shares, names: Mapping[str, str]) -> None:
    """Shares of right answers of the main arms, with their intervals, as ``ARM_SPLIT``."""
    for split, part in shares.items():
        for key, name in names.items():
            row = part.loc[name]
            meaning = f"right answers, {name}, {split}"
            report.metric(f"{key}_{split}", row["value"], "1", meaning, low=row["value_low"], high=row["value_high"])


def widest(shares: Shares, names: Mapping[str, str]) -> float:
    """The widest half interval of the main arms."""
    rows = pd.concat([part.loc[list(names.values())] for part in shares.values()])
    return float((rows["value_high"] - rows["value_low"]).max() / 2)


def right(shares: Shares, names: Mapping[str, str]) -> dict[str, Right]:
    """Measured shares of each way, with their intervals: on unseen wordings, and on changed facts that it did not
    follow, where a reading way whose chunks are old can only say what they say."""

    def of(key: str, split: str) -> Estimate:
        row = shares[split].loc[names[key]]
        return Estimate(*(np.asarray(float(row[column])) for column in ("value", "value_low", "value_high")))

    keys = {LONG: "long", RAG: "rag", TUNED: "lora", BOTH: "both"}
    return {name: Right(of(key, "unseen"), of(key, "updated") if name == TUNED else 0.0) for name, key in keys.items()}


def pairs(k: Mapping[str, int], shares: Shares) -> list[tuple]:
    """The comparisons of :data:`PAIRED`: two arms with their chunks, and a split."""
    combined, reader, alone = ("both_rag", k[BOTH]), ("rag", k[RAG]), ("lora", 0)
    better = max((reader, alone), key=lambda arm: shares["unseen"].loc[way(*arm), "value"])
    return [
        (combined, better, "unseen"),
        (combined, reader, "updated"),
        (combined, ("aware_rag", k[BOTH]), "unseen"),
        (combined, ("aware_rag", k[BOTH]), "updated"),
        (("both_rag", 3), ("both_rag", 1), "unseen"),
    ]


def paired(difference: Any, first: tuple[str, int], second: tuple[str, int], split: str) -> dict[str, Any]:
    """A row of a comparison."""
    told = {"first": way(*first), "second": way(*second), "split": split, "difference": difference.value}
    return told | {key: getattr(difference, key) for key in ("low", "high", "p_value", "facts")}


def record_splits(every: pd.DataFrame) -> None:
    """What the prose says of the other splits."""
    found = every.set_index(["split", "way"])["value"]
    closed = {"base": "base", "lora": "lora", "aware": "aware_closed", "both": "both_closed"}
    general = {key: way(name, 0) for key, name in closed.items()}
    report.metric("both_closed", found["unseen", general["both"]], "1", "right answers, combined model without chunks")
    for key, name in general.items():
        report.metric(f"{key}_general", found["general", name], "1", f"general questions right, {name}")
    report.metric(
        "general_questions", int(every[every["split"] == "general"]["facts"].iloc[0]), "1", "general questions"
    )
    for key, name in (("rag", way("rag", 3)), ("lora", way("lora", 0)), ("both", way("both_rag", 3))):
        report.metric(f"{key}_abstains", found["unanswerable", name], "1", f"says that nothing answers, {name}")
    report.metric("two_hop_best", found["two_hop"].max(), "1", "best share on questions of two hops")


def readers(rows: Iterable[Mapping[str, Any]], splits: Sequence[str]) -> pd.DataFrame:
    """Arms that read retrieved chunks, by their number.

    Returns:
        Columns split, arm (in words), chunks, value, value_low, value_high.
    """
    kept = [row for row in rows if row["arm"] in READERS and row["split"] in splits]
    kept.sort(key=lambda row: (list(splits).index(row["split"]), list(NAMES).index(row["arm"]), row["chunks"]))
    return pd.DataFrame(
        {
            "split": row["split"],
            "arm": NAMES[row["arm"]],
            "chunks": row["chunks"],
            "value": row["value"],
            "value_low": row["low"],
            "value_high": row["high"],
        }
        for row in kept
    )


def by_depth(found: pd.DataFrame, splits: Sequence[str]) -> pd.DataFrame:
    """Recall in rows: columns split, retriever, k, recall."""
    some = found[found["split"].isin(splits)]
    long = some.melt(["split", "retriever"], [c for c in some if c.startswith("recall_")], "k", "recall")
    long["k"] = long["k"].str.removeprefix("recall_").astype(int)
    return long.sort_values(["split", "retriever", "k"])[["split", "retriever", "k", "recall"]].reset_index(drop=True)


def beyond_recall(read: pd.DataFrame, limit: pd.DataFrame) -> np.ndarray:
    """Right answers over recall, of readers whose weights cannot hold the answer."""
    found = limit.set_index(["split", "k"])["recall"]
    tuned = read["arm"].isin([NAMES["aware_rag"], NAMES["both_rag"]]) & (read["split"] == "updated")
    blind = read[(read["arm"] == NAMES["rag"]) | tuned]
    return np.array([row.value / found[row.split, row.chunks] for row in blind.itertuples()])


def searched(asked: pd.DataFrame, questions: pd.DataFrame) -> pd.Series:
    """Share of right answers by plain text search, by split and way: a second opinion on the library's scores."""
    rows = asked.merge(questions[["question", "answer"]], on="question", suffixes=("", "_right"))
    hits = [
        any(re.search(rf"\b{re.escape(each.lower())}\b", str(said).lower()) for each in wanted.split("|"))
        for said, wanted in zip(rows["answer"], rows["answer_right"], strict=True)
    ]
    rows = rows.assign(hit=hits, way=[way(*each) for each in zip(rows["arm"], rows["chunks"], strict=True)])
    return rows.groupby(["split", "way"])["hit"].mean()


def by_wording(
    scores: Iterable[Any], questions: pd.DataFrame, facts: pd.DataFrame, names: Iterable[str], split: str = "unseen"
) -> pd.DataFrame:
    """Share of right answers by relation and wording: how much hangs on how a question is put.

    Args:
        scores: of ``experiment.summary.scored``.
        questions, facts: the tables.
        names: arms in words.
        split: whose questions.

    Returns:
        Columns way, relation, wording, value.
    """
    kept = [(way(s.arm, s.chunks), s.question, s.correct) for s in scores if s.split == split]
    rows = pd.DataFrame(kept, columns=["way", "question", "value"])
    rows = rows[rows["way"].isin(list(names))].merge(questions[["question", "fact", "wording"]], on="question")
    rows = rows.merge(facts[["fact", "relation"]], on="fact")
    return rows.groupby(["way", "relation", "wording"], sort=True)["value"].mean().reset_index()


def record_tuning(runs: pd.DataFrame, parameters: float) -> None:
    """What the prose says of tuning."""
    rows = runs.set_index("recipe")
    report.metric("lora_share", rows.loc["lora", "trained_parameters"] / parameters, "1", "adapters over all weights")
    report.metric("lora_peak_gb", rows.loc["lora", "peak_bytes"] / 1e9, "GB", "most memory while adapters are trained")
    for key, words in RECIPES.items():
        report.metric(f"{key}_cpu_s", rows.loc[key, "cpu_s"], "s", f"CPU-seconds of a run, {words}")


def record_costs(spent: Spent, k: Mapping[str, int]) -> None:
    """What the prose says of a query asked alone."""
    for key, arm in (("rag", ("rag", k[RAG])), ("lora", ("lora", 0)), ("long", ("long_prompt", 0))):
        row = spent.query(*arm)
        report.metric(f"{key}_wall_ms", 1e3 * row["wall_s"], "ms", f"median of a query alone, {way(*arm)}")
        report.metric(f"{key}_j", row["energy_j"], "J", f"modelled energy of a query alone, {way(*arm)}")


def breakeven_by_hand(spent: Spent, k: Mapping[str, int]) -> float:
    """Queries from which the tuned model has taken no more CPU-seconds than RAG."""
    rag, tuned = (float(spent.query(*arm)["cpu_s"]) for arm in (("rag", k[RAG]), ("lora", 0)))
    saved = rag + spent.embedding("embed_questions") - tuned
    return (float(spent.tuning("lora").value) - spent.facts * spent.embedding("embed_chunks")) / saved
