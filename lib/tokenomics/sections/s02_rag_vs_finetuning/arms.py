"""The experiment's arms: what they are called, which stand for the approaches, and how often each is right."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from tokenomics.errors import DataError
from tokenomics.estimate import Estimate
from tokenomics.experiment import evaluation, summary
from tokenomics.facts import tables
from tokenomics.notebook.report import Metric
from tokenomics.sections.s02_rag_vs_finetuning.task import BOTH, LONG, RAG, TUNED, Right

NAMES = {
    "base": "untuned",
    "long_prompt": "long prompt",
    "rag": "RAG",
    "oracle": "right chunk given",
    "lora": "tuned",
    "full": "tuned, all weights",
    "lora_rag": "tuned + RAG",
    "aware_rag": "tuned to read + RAG",
    "aware_closed": "tuned to read",
    "both_rag": "tuned on both + RAG",
    "both_closed": "tuned on both",
}
"""The experiment's arms in words, in the order of tables and figures."""
RECIPES = {
    "lora": "adapters, facts alone",
    "aware": "adapters, to read",
    "both": "adapters, facts, then to read",
    "full": "all weights, facts alone",
}
MAIN = ("unseen", "updated")
"""The two kinds of question that matter most: unseen wordings, and facts that changed after tuning."""
SPLITS = ("seen", *MAIN, "unanswerable", "two_hop", "general")
TABLES = (
    *("facts", "questions", "retrieval", "predictions", "recipes_tried", "losses", "tuning_runs", "index_costs"),
    *("answering_costs", "latency", "environment"),
)
SHARE, LOW, HIGH = "right_share", "right_low_share", "right_high_share"
Arm = tuple[str, int]
"""An arm and the chunks it is given."""


def named(arm: str, chunks: int) -> str:
    """An arm in words, with its number of chunks.

    Raises:
        DataError: an unknown arm.
    """
    if arm not in NAMES:
        raise DataError("experiment", "arm", arm, ", ".join(NAMES))
    return f"{NAMES[arm]}, k = {chunks}" if chunks and arm != "oracle" else NAMES[arm]


@dataclass(frozen=True)
class Experiment:
    """What the experiment left, scored here.

    Attributes:
        tables: by name, see :data:`TABLES`.
    """

    tables: Mapping[str, pd.DataFrame]

    @classmethod
    def read(cls) -> "Experiment":
        """From ``data/experiments``."""
        return cls({name: tables.read(f"experiments/{name}") for name in TABLES})

    @cached_property
    def parameters(self) -> float:
        """Parameters of the model."""
        return float(self.tables["environment"].set_index("name")["value"]["model_parameters"])

    @cached_property
    def answers(self) -> list[summary.Scored]:
        """Every answer with its scores."""
        names = ("predictions", "questions", "facts", "retrieval")
        rows = {name: self.tables[name].to_dict("records") for name in names}
        fused = [row for row in rows["retrieval"] if row["retriever"] == "hybrid"]
        return summary.scored(rows["predictions"], rows["questions"], rows["facts"], fused)

    @cached_property
    def scores(self) -> list[dict[str, Any]]:
        """Share of right answers of every arm, number of chunks and kind of question, of ``summary.arms``."""
        return summary.arms(self.answers)

    @cached_property
    def right(self) -> pd.DataFrame:
        """Share of right answers of every arm on every kind of question, see :func:`in_words`."""
        return in_words(self.scores, SPLITS)

    @cached_property
    def depths(self) -> dict[str, int]:
        """Chunks that RAG and the combined arm read, see :func:`depths`."""
        return depths(self.tables["recipes_tried"])

    @cached_property
    def main(self) -> dict[str, str]:
        """The arms that stand for the approaches, see :func:`main_arms`."""
        return main_arms(self.depths)

    @cached_property
    def shares(self) -> dict[str, pd.DataFrame]:
        """Rows of :attr:`right` on each of :data:`MAIN`, indexed by arm."""
        return {split: self.right[self.right["split"] == split].set_index("arm") for split in MAIN}

    @cached_property
    def by_approach(self) -> dict[str, Right]:
        """Measured shares of each approach, see :func:`by_approach`."""
        return by_approach(self.shares, self.main)

    def data_metrics(self, most_output: int) -> dict[str, Metric]:
        """What the data section says of the tables."""
        facts, questions, tried = (self.tables[name] for name in ("facts", "questions", "recipes_tried"))
        counts = {
            "facts": (len(facts), "facts of the knowledge base"),
            "products": (facts["product"].nunique(), "products of the knowledge base"),
            "questions": (len(questions), "questions, training wordings included"),
            "answers": (len(self.answers), "answers scored"),
            "seeds": (self.tables["predictions"]["seed"].nunique(), "seeds of tuning"),
            "tried": (len(tried[["kind", "candidate"]].drop_duplicates()), "recipes tried"),
            "rag_k": (self.depths[RAG], "chunks that RAG reads, chosen on the development wording"),
            "both_k": (self.depths[BOTH], "chunks that the combined arm is given, chosen there too"),
        }
        found = {key: Metric(value, "1", meaning) for key, (value, meaning) in counts.items()}
        found["cap"] = Metric(most_output, "tok", "most output tokens of an answer")
        found["parameters_millions"] = Metric(self.parameters / 1e6, "1e6", "parameters of the experiment's model")
        meaning = "right answers on the development wording"
        return found | {f"{k}_dev": Metric(v, "share", f"{meaning}, {k}") for k, v in developed(tried).items()}


def in_words(rows: Iterable[Mapping[str, Any]], splits: Sequence[str]) -> pd.DataFrame:
    """Arms with their intervals on some splits, in the order of :data:`NAMES`.

    Args:
        rows: of ``experiment.summary.arms``.
        splits: in the order wanted.

    Returns:
        Columns split, arm (in words), chunks, right_share and its ends, answers, facts, seeds.
    """
    table = pd.DataFrame(rows).rename(columns={"value": SHARE, "low": LOW, "high": HIGH})
    table = table[table["split"].isin(splits)]
    places = [table["split"].map(list(splits).index), table["arm"].map(list(NAMES).index), table["chunks"]]
    table["arm"] = [named(*each) for each in zip(table["arm"], table["chunks"], strict=True)]
    order = np.lexsort([each.to_numpy() for each in reversed(places)])
    columns = ["split", "arm", "chunks", SHARE, LOW, HIGH, "answers", "facts", "seeds"]
    return table.iloc[order][columns].reset_index(drop=True)


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


def main_arms(k: Mapping[str, int]) -> dict[str, str]:
    """The arms that stand for the approaches, in words, by the key that metrics use."""
    return {
        "base": named("base", 0),
        "long": named("long_prompt", 0),
        "rag": named("rag", k[RAG]),
        "lora": named("lora", 0),
        "naive": named("lora_rag", 1),
        "aware": named("aware_rag", k[BOTH]),
        "both": named("both_rag", k[BOTH]),
    }


def by_approach(shares: Mapping[str, pd.DataFrame], names: Mapping[str, str]) -> dict[str, Right]:
    """Measured shares of each approach, with their intervals: on unseen wordings, and on changed facts that it did not
    follow, where a reader whose chunks are old can only say what they say."""

    def of(key: str, split: str) -> Estimate:
        row = shares[split].loc[names[key]]
        return Estimate(*(np.asarray(float(row[column])) for column in (SHARE, LOW, HIGH)), evaluation.COVERAGE)

    keys = {LONG: "long", RAG: "rag", TUNED: "lora", BOTH: "both"}
    return {name: Right(of(key, "unseen"), of(key, "updated") if name == TUNED else 0.0) for name, key in keys.items()}
