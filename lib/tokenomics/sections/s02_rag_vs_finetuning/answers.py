"""Who answers right: tables of what the arms' answers say, and the numbers of them that the prose refers to."""

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from tokenomics.experiment import evaluation, summary
from tokenomics.notebook import units
from tokenomics.notebook.report import Metric, cell
from tokenomics.sections.s02_rag_vs_finetuning.arms import (
    HIGH,
    LOW,
    MAIN,
    NAMES,
    RECIPES,
    SHARE,
    Arm,
    Experiment,
    named,
)
from tokenomics.sections.s02_rag_vs_finetuning.task import BOTH, RAG, TUNED

AS_PUBLISHED = {"rag": RAG, "tuned": TUNED, "both": BOTH}
"""What published studies call the approaches."""
READERS = {"rag": "rag", "naive": "lora_rag", "aware": "aware_rag", "both": "both_rag"}
"""Arms that read retrieved chunks, by the key that metrics use."""
DEPTHS = (1, 3, 5)


def tried_table(tried: pd.DataFrame) -> pd.DataFrame:
    """``recipes_tried.csv`` as it is shown."""
    names = {"exact": "exact_share", "correct": SHARE, "loss": "loss_nat_per_tok"}
    return tried.drop(columns="source").rename(columns=names)


def retrievers(own: Experiment) -> pd.DataFrame:
    """Columns retriever, split, questions, ``recall_1_share`` and on, ``mrr_score`` (mean reciprocal rank)."""
    rows = (own.tables[name].to_dict("records") for name in ("retrieval", "questions"))
    found = pd.DataFrame(summary.retrievers(*rows)).rename(columns={"mrr": "mrr_score"})
    return found.rename(columns=lambda name: f"{name}_share" if name.startswith("recall_") else name)


def recall(found: pd.DataFrame) -> pd.DataFrame:
    """The same on the two main kinds of question in rows: columns split, retriever, chunks, recall_share."""
    some = found[found["split"].isin(MAIN)]
    wide = [name for name in some if name.startswith("recall_")]
    long = some.melt(["split", "retriever"], wide, "chunks", "recall_share")
    long["chunks"] = long["chunks"].str.extract(r"recall_(\d+)_share", expand=False).astype(int)
    order = ["split", "retriever", "chunks"]
    return long.sort_values(order, ignore_index=True)[[*order, "recall_share"]]


def recall_metrics(own: Experiment, found: pd.DataFrame) -> dict[str, Metric]:
    """Recall on unseen wordings: of each retriever at one chunk, of the fused one further down."""
    shares = found[found["split"] == "unseen"].set_index(["retriever", "chunks"])["recall_share"]
    metrics = {
        f"{name}_recall": Metric(shares[name, 1], "share", f"recall@1 on unseen wordings, {name}")
        for name in ("bm25", "dense", "hybrid")
    }
    both = "recall@k of the combined arm, unseen wordings"
    metrics["hybrid_recall_both"] = Metric(shares["hybrid", own.depths[BOTH]], "share", both)
    return metrics | {"hybrid_recall5": Metric(shares["hybrid", 5], "share", "recall@5 on unseen wordings, hybrid")}


def main_metrics(own: Experiment) -> dict[str, Metric]:
    """Shares of right answers of the main arms as ``ARM_SPLIT``, the best arm of each split, the widest interval."""
    found: dict[str, Metric] = {}
    for split, part in own.shares.items():
        asked = int((own.tables["questions"]["split"] == split).sum())
        judged = part.drop(named("oracle", 1))
        found[f"{split}_questions"] = Metric(asked, "1", f"questions, {split}")
        found[f"best_{split}_arm"] = Metric(judged[SHARE].idxmax(), "text", f"best arm on {split}")
        for key, name in own.main.items():
            found[f"{key}_{split}"] = cell(part.loc[name], SHARE, f"right answers, {name}, {split}")
    return found | {"widest": Metric(widest(own.shares, own.main), "share", "widest half interval of the main arms")}


def widest(shares: Mapping[str, pd.DataFrame], names: Mapping[str, str]) -> float:
    """The widest half interval of the main arms."""
    rows = pd.concat([part.loc[list(names.values())] for part in shares.values()])
    return float((rows[HIGH] - rows[LOW]).max() / 2)


def pairs(k: Mapping[str, int], shares: Mapping[str, pd.DataFrame]) -> dict[str, tuple[Arm, Arm, str]]:
    """Two arms with their chunks, and a split, by what their difference is called."""
    combined, reader, alone = ("both_rag", k[BOTH]), ("rag", k[RAG]), ("lora", 0)
    better = max((reader, alone), key=lambda arm: shares["unseen"].loc[named(*arm), SHARE])
    return {
        "combined_over_best": (combined, better, "unseen"),
        "combined_over_rag": (combined, reader, "updated"),
        "combined_over_reader": (combined, ("aware_rag", k[BOTH]), "unseen"),
        "combined_over_reader_updated": (combined, ("aware_rag", k[BOTH]), "updated"),
        "three_over_one": (("both_rag", 3), ("both_rag", 1), "unseen"),
    }


def paired(own: Experiment) -> tuple[pd.DataFrame, dict[str, Metric]]:
    """Paired differences between arms, a row for each of :func:`pairs`, and the same as metrics."""
    rows, column = {}, "difference_share"
    for key, (first, second, split) in pairs(own.depths, own.shares).items():
        found = summary.better(own.answers, first, second, split)
        told = {"first": named(*first), "second": named(*second), "split": split, column: found.value}
        ends = {units.end_of(column, end): getattr(found, end) for end in (units.LOW, units.HIGH)}
        rows[key] = told | ends | {"p_value": found.p_value, "facts": found.facts}
    metrics = {k: cell(row, column, f"{row['first']} less {row['second']}, {row['split']}") for k, row in rows.items()}
    return pd.DataFrame(rows.values()), metrics


def wordings(own: Experiment, seed: int, split: str = "unseen") -> tuple[pd.DataFrame, dict[str, Metric]]:
    """Share of right answers by relation and wording, how much hangs on how a question is put; as metrics the worst and
    the best of the tuned and the combined arm, and their mean with the wordings drawn.

    Args:
        seed: of the draws.

    Returns:
        Columns arm, relation, wording_number, right_share.
    """
    kept = [(named(each.arm, each.chunks), each.question, each.correct) for each in own.answers if each.split == split]
    rows = pd.DataFrame(kept, columns=["arm", "question", SHARE])
    rows = rows[rows["arm"].isin(list(own.main.values()))]
    rows = rows.merge(own.tables["questions"][["question", "fact", "wording"]], on="question")
    rows = rows.merge(own.tables["facts"][["fact", "relation"]], on="fact")
    rows = rows.rename(columns={"wording": "wording_number"})
    table = rows.groupby(["arm", "relation", "wording_number"], sort=True)[SHARE].mean().reset_index()
    metrics = {}
    for key in ("lora", "both"):
        name = own.main[key]
        some = table.loc[table["arm"] == name, SHARE]
        drawn = evaluation.mean(some, list(some.index), [0] * len(some), seed=seed)
        metrics[f"{key}_worst_wording"] = Metric(some.min(), "share", f"{name}: worst of ten ways of asking")
        metrics[f"{key}_best_wording"] = Metric(some.max(), "share", f"{name}: best of ten ways of asking")
        meaning = f"{name}, wordings drawn"
        metrics[f"{key}_wordings"] = Metric(drawn.value, "share", meaning, drawn.low, drawn.high)
    return table, metrics


def asked_more(own: Experiment) -> pd.DataFrame:
    """Rows of the arms that were asked more than the main two kinds of question."""
    further = set(own.right.loc[~own.right["split"].isin(MAIN), "arm"])
    return own.right[own.right["arm"].isin(further)]


def split_metrics(right: pd.DataFrame) -> dict[str, Metric]:
    """What the prose says of the other kinds of question."""
    rows = right.set_index(["split", "arm"])
    closed = {"base": "base", "lora": "lora", "aware": "aware_closed", "both": "both_closed"}
    general = {key: named(name, 0) for key, name in closed.items()}
    readers = {"rag": named("rag", 3), "lora": named("lora", 0), "both": named("both_rag", 3)}
    asked = int(rows.loc[("general", general["base"]), "facts"])
    told = {
        "both_closed": ("unseen", general["both"], "right answers, combined model without chunks"),
        **{f"{key}_general": ("general", name, f"general questions right, {name}") for key, name in general.items()},
        **{f"{key}_abstains": ("unanswerable", n, f"says that nothing answers, {n}") for key, n in readers.items()},
    }
    found = {key: Metric(rows.loc[(split, arm), SHARE], "share", words) for key, (split, arm, words) in told.items()}
    found["general_questions"] = Metric(asked, "1", "general questions")
    best = rows.loc["two_hop", SHARE].max()
    return found | {"two_hop_best": Metric(best, "share", "best share on questions of two hops")}


def every_metric(own: Experiment) -> pd.DataFrame:
    """Every metric of every arm with its interval: columns arm, chunks, split, metric, mean_share, its ends, counts."""
    scores = {"correct": own.scores} | {name: summary.arms(own.answers, name) for name in summary.METRICS[1:]}
    parts = [pd.DataFrame(rows).assign(metric=name) for name, rows in scores.items()]
    names = {"value": "mean_share", "low": "mean_low_share", "high": "mean_high_share"}
    return pd.concat(parts, ignore_index=True).drop(columns=["prompt_tokens", "output_tokens"]).rename(columns=names)


def kinds(counts: Mapping[Arm, Mapping[str, int]]) -> pd.DataFrame:
    """Kinds of answers as shares: columns arm, kind, share.

    Args:
        counts: by arm and chunks, of ``experiment.summary.kinds``.
    """
    rows = [
        {"arm": named(*arm), "kind": kind, "share": count / sum(some.values())}
        for arm, some in counts.items()
        for kind, count in some.items()
    ]
    return pd.DataFrame(rows)


def freshness(own: Experiment) -> pd.DataFrame:
    """What answers about changed facts are, see :func:`kinds`."""
    asked = [("rag", own.depths[RAG]), ("lora", 0), ("lora_rag", 1), ("lora_rag", 3)]
    asked += [("aware_rag", own.depths[BOTH]), ("both_rag", own.depths[BOTH])]
    return kinds({each: summary.kinds(summary.pick(own.answers, *each, "updated")) for each in asked})


def freshness_metrics(own: Experiment, changed: pd.DataFrame) -> dict[str, Metric]:
    """How often the old value is given, and that of a product that was not shown."""
    found = changed.set_index(["arm", "kind"])["share"]
    other = "tuned + RAG: value of a product not given"
    said = {"lora": "tuned", "naive": "tuned + RAG", "both": "tuned on both + RAG"}
    metrics = {
        f"{key}_old": Metric(found[own.main[key], "old value"], "share", f"{words}: old value, changed facts")
        for key, words in said.items()
    }
    return metrics | {"naive_other": Metric(found[own.main["naive"], "of another product"], "share", other)}


def readers(own: Experiment) -> pd.DataFrame:
    """Arms that read retrieved chunks, by their number, on the two main kinds of question.

    Returns:
        Columns split, arm (in words, without the number), chunks, right_share and its ends.
    """
    kept = [row for row in own.scores if row["arm"] in READERS.values() and row["split"] in MAIN]
    kept.sort(key=lambda row: (MAIN.index(row["split"]), list(NAMES).index(row["arm"]), row["chunks"]))
    table = pd.DataFrame(kept).rename(columns={"value": SHARE, "low": LOW, "high": HIGH})
    return table.assign(arm=table["arm"].map(NAMES))[["split", "arm", "chunks", SHARE, LOW, HIGH]]


def reader_metrics(read: pd.DataFrame) -> dict[str, Metric]:
    """Right answers to unseen wordings by the number of chunks read."""
    unseen = read[read["split"] == "unseen"].set_index(["arm", "chunks"])[SHARE]
    return {
        f"{key}_k{depth}": Metric(unseen[NAMES[READERS[key]], depth], "share", f"{key} with {depth} chunks, unseen")
        for key in ("rag", "aware", "both")
        for depth in DEPTHS
    }


def beyond_recall(read: pd.DataFrame, recall: pd.DataFrame) -> np.ndarray:
    """Right answers over recall, of readers whose weights cannot hold the answer."""
    found = recall[recall["retriever"] == "hybrid"].set_index(["split", "chunks"])["recall_share"]
    tuned = read["arm"].isin([NAMES["aware_rag"], NAMES["both_rag"]]) & (read["split"] == "updated")
    blind = read[(read["arm"] == NAMES["rag"]) | tuned]
    return blind[SHARE].to_numpy() / found.loc[list(zip(blind["split"], blind["chunks"], strict=True))].to_numpy()


def asked(own: Experiment) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predictions with the kind of their question, and by arm, seed and kind how many questions were answered (``n``),
    how often (``rows``), and how many there are (``questions``)."""
    rows = own.tables["predictions"].merge(own.tables["questions"][["question", "split"]], on="question")
    counts = rows.groupby(["arm", "chunks", "seed", "split"]).agg(n=("question", "nunique"), rows=("question", "size"))
    whole = own.tables["questions"].groupby("split")["question"].size()
    return rows, counts.assign(questions=counts.index.get_level_values("split").map(whole))


def searched(asked: pd.DataFrame, questions: pd.DataFrame) -> pd.Series:
    """Share of right answers by plain text search, by split and arm: a second opinion on the library's scores."""
    rows = asked.merge(questions[["question", "answer"]], on="question", suffixes=("", "_right"))
    hits = [
        any(re.search(rf"\b{re.escape(each.lower())}\b", str(said).lower()) for each in wanted.split("|"))
        for said, wanted in zip(rows["answer"], rows["answer_right"], strict=True)
    ]
    rows = rows.assign(hit=hits, arm=[named(*each) for each in zip(rows["arm"], rows["chunks"], strict=True)])
    return rows.groupby(["split", "arm"])["hit"].mean()


def learning(losses: pd.DataFrame) -> pd.DataFrame:
    """Loss by epoch: columns recipe (in words), seed, epoch, loss_nat_per_tok."""
    names = {"pass": "epoch", "loss": "loss_nat_per_tok"}
    told = losses.drop(columns="source").rename(columns=names).replace({"recipe": RECIPES})
    return told.astype({"epoch": int})


def reading_over_tuning(shares: pd.DataFrame, study: str) -> pd.Series:
    """Right answers of RAG over those of a tuned model in the settings of one published study, of :func:`beside`."""
    some = shares[shares["study"].str.startswith(study)]
    wide = some.pivot(index="study", columns="approach", values="right_pct")
    return wide["rag"] / wide["tuned"]


def published_table(studies: pd.DataFrame) -> pd.DataFrame:
    """``published_studies.csv`` as it is shown; ``value_pct`` is in per cent, for gains in percentage points."""
    return studies.drop(columns="source").rename(columns={"value": "value_pct"})


def beside_ours(studies: pd.DataFrame, own: Experiment) -> pd.DataFrame:
    """Published shares of right answers beside those measured here on unseen wordings.

    Args:
        studies: rows of ``published_studies.csv``; rows that are gains or words are left out.

    Returns:
        Columns study (with its setting), approach (base, rag, tuned, both), right_pct, read.
    """
    ours = {"base": own.shares["unseen"].loc[own.main["base"], SHARE]}
    ours |= {key: float(own.by_approach[name].fresh.value) for key, name in AS_PUBLISHED.items()}
    return beside(studies, ours, "unseen wordings")


def beside(studies: pd.DataFrame, ours: Mapping[str, float], setting: str) -> pd.DataFrame:
    """Published shares beside given ones, see :func:`beside_ours`."""
    shares = studies[studies["value"].notna() & studies["metric"].isin(["exact match, %", "accuracy, %"])]
    rows = pd.DataFrame({"study": shares["study"] + ": " + shares["setting"], "approach": shares["approach"]})
    rows = rows.assign(right_pct=shares["value"], read=shares["read"])
    own = pd.DataFrame({"study": f"here: {setting}", "approach": list(ours)})
    own = own.assign(right_pct=[100 * share for share in ours.values()], read="own")
    return pd.concat([own, rows], ignore_index=True)
