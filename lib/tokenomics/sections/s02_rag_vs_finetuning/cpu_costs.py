"""What the experiment's queries and tuning runs took, in processor seconds, and from where tuning pays off there.

Costs are those of one thread of the machine that the experiment ran on. Energy is not measured there: it is watts of a
core, assumed, times processor seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tokenomics.economics import adaptation
from tokenomics.economics.adaptation import Approach, Reading, Use
from tokenomics.estimate import ENDS, Amount, Estimate, combine
from tokenomics.notebook import units
from tokenomics.notebook.report import Metric
from tokenomics.sections.s02_rag_vs_finetuning.arms import NAMES, RECIPES, named
from tokenomics.sections.s02_rag_vs_finetuning.task import BOTH, LONG, RAG, TUNED, Right

LIKE = {"aware_rag": "lora_rag", "both_rag": "lora_rag"}
"""Arms that were not timed one by one, and one that reads as many tokens with adapters of the same size."""
PREFIX = "prefix"
SECONDS_PER_HOUR = 3600.0


def one_by_one(latency: pd.DataFrame, core_w: float) -> pd.DataFrame:
    """What one query costs when it is asked alone.

    Args:
        latency: rows of ``latency.csv``.
        core_w: watts of a busy core.

    Returns:
        Columns arm, prompt_tokens, cached_tokens, output_tokens, read_s, write_s, wall_s, wall_p90_s, cpu_s,
        cpu_s_per_tok (of output), energy_j, peak_bytes, prefix_cpu_s; means, but wall-clock seconds are medians.
    """
    rows = []
    asked = latency[latency["question"] != PREFIX]
    shared = latency[latency["question"] == PREFIX].set_index(["arm", "chunks"])["cpu_s"]
    for key, some in asked.groupby(["arm", "chunks"]):
        mean = some[["prompt_tokens", "cached_tokens", "output_tokens", "read_s", "write_s"]].mean().to_dict()
        wall = {"wall_s": some["wall_s"].median(), "wall_p90_s": some["wall_s"].quantile(0.9)}
        cpu = float(some["cpu_s"].mean())
        spent = {"cpu_s": cpu, "cpu_s_per_tok": cpu / some["output_tokens"].mean(), "energy_j": core_w * cpu}
        memory = {"peak_bytes": float(some["peak_bytes"].max()), "prefix_cpu_s": float(shared.get(key, 0.0))}
        rows.append({"key": key, "arm": named(*key)} | mean | wall | spent | memory)
    return _ordered(rows)


def together(costs: pd.DataFrame, splits: Sequence[str]) -> pd.DataFrame:
    """What one query costs when many are asked together, over some splits and all seeds.

    Returns:
        Columns arm, questions, batched_cpu_s, batched_wall_s (of a query).
    """
    rows = []
    for key, some in costs[costs["split"].isin(splits)].groupby(["arm", "chunks"]):
        count = some["questions"].sum()
        spent = {"batched_cpu_s": some["cpu_s"].sum() / count, "batched_wall_s": some["wall_s"].sum() / count}
        rows.append({"key": key, "arm": named(*key), "questions": count} | spent)
    return _ordered(rows)


def tuning(runs: pd.DataFrame, core_w: float) -> pd.DataFrame:
    """What tuning costs: mean over seeds, with the least and the most of them, the run it starts from included.

    Returns:
        Columns recipe, seeds, examples, tokens, trained_parameters, own_cpu_s (without the run it starts from), cpu_s,
        cpu_low_s, cpu_high_s, energy_j, peak_bytes.
    """
    alone = runs.set_index(["recipe", "seed"])["cpu_s"]
    before = [alone.get(key, 0.0) for key in zip(runs["start"], runs["seed"], strict=True)]
    rows = []
    for recipe, some in runs.assign(whole=runs["cpu_s"] + before).groupby("recipe"):
        told = some[["examples", "tokens", "trained_parameters"]].iloc[0].to_dict()
        ends = units.columns("cpu_s", Estimate(*(some["whole"].agg(how) for how in ("mean", "min", "max"))))
        spent = {"own_cpu_s": some["cpu_s"].mean(), **ends, "energy_j": core_w * ends["cpu_s"]}
        rows.append({"recipe": recipe, "seeds": len(some)} | told | spent | {"peak_bytes": some["peak_bytes"].max()})
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Spent:
    """Processor seconds of the experiment's parts, from its tables.

    Attributes:
        one: of :func:`one_by_one`.
        tuned: of :func:`tuning`.
        index: rows of ``index_costs.csv``.
        facts: chunks of the knowledge base.
    """

    one: pd.DataFrame
    tuned: pd.DataFrame
    index: pd.DataFrame
    facts: int

    def query(self, arm: str, chunks: int) -> pd.Series:
        """A row of :attr:`one`; of an arm that was not timed, the row of its like."""
        return self.one.set_index("arm").loc[named(LIKE.get(arm, arm), chunks)]

    def tuning(self, recipe: str) -> Estimate:
        """CPU-seconds of a recipe and what it starts from: mean, least and most over seeds."""
        row = self.tuned.set_index("recipe").loc[recipe]
        return Estimate(*(np.asarray(row[column]) for column in ("cpu_s", "cpu_low_s", "cpu_high_s")))

    def embedding(self, step: str) -> float:
        """CPU-seconds of embedding one text."""
        row = self.index.set_index("step").loc[step]
        return float(row["cpu_s"] / row["items"])


def on_this_core(
    spent: Spent, right: Mapping[str, Right], depths: Mapping[str, int], per_cpu_s: float
) -> dict[str, Approach]:
    """The four approaches as they were run, in whatever a CPU-second is worth (USD, joules, 1).

    Args:
        spent: processor seconds.
        right: shares of right answers of each approach.
        depths: chunks that RAG and both read.
        per_cpu_s: worth of a CPU-second.

    Returns:
        Approaches whose tokens cost nothing by themselves (:data:`FREE`): a query's seconds hold them. A version
        costs the index, the tuning run, or reading the long prompt once; both is tuned once for all.
    """
    build = spent.facts * spent.embedding("embed_chunks")
    ask = spent.embedding("embed_questions")
    queries = {
        LONG: spent.query("long_prompt", 0),
        RAG: spent.query("rag", depths[RAG]),
        TUNED: spent.query("lora", 0),
        BOTH: spent.query("both_rag", depths[BOTH]),
    }
    version: dict[str, Amount] = {LONG: float(queries[LONG]["prefix_cpu_s"]), RAG: build, BOTH: build}
    version[TUNED] = spent.tuning("lora")
    first: dict[str, Amount] = {BOTH: spent.tuning("both")}
    made = {}
    for name, row in queries.items():
        search = ask if name in (RAG, BOTH) else 0.0
        paid = [combine(lambda s: s * per_cpu_s, [each.get(name, 0.0)]) for each in (first, version)]
        reading = Reading(float(row["prompt_tokens"]), float(row["output_tokens"]), float(row["cached_tokens"]))
        share = {"right": right[name].fresh, "right_changed": right[name].changed}
        used = per_cpu_s * (float(row["cpu_s"]) + search)
        made[name] = Approach(name, reading, once_usd=paid[0], version_usd=paid[1], query_usd=used, **share)
    return made


def FREE(reading: Reading) -> Estimate:  # noqa: N802  the price that charges nothing
    """No price for tokens: what a query costs is in its seconds."""
    return Estimate.of(0.0)


def per_right(
    approaches: Mapping[str, Approach],
    queries: Sequence[float],
    uses: Mapping[str, Use],
    core_w: float,
    core_hour_usd: float,
) -> pd.DataFrame:
    """What a right answer costs against the number of queries.

    Args:
        approaches: of :func:`on_this_core`, in CPU-seconds.
        queries: in all.
        uses: by panel, how the knowledge changes; its own queries are not looked at.
        core_w, core_hour_usd: watts of a busy core, and USD of an hour of it.

    Returns:
        Columns panel, approach, queries, cpu_s and its ends, energy_j, usd, of the cheaper of following updates and
        letting them pass.
    """
    parts = []
    for panel, use in uses.items():
        asked = Use(np.asarray(queries, dtype=float), use.months, use.updates, use.changed)
        for name, each in approaches.items():
            spent = _cheaper(each, asked)
            cpu = np.asarray(spent.value)
            row = {"panel": panel, "approach": name, "queries": queries} | units.columns("cpu_s", spent)
            parts.append(pd.DataFrame(row | {"energy_j": core_w * cpu, "usd": core_hour_usd / SECONDS_PER_HOUR * cpu}))
    return pd.concat(parts, ignore_index=True)


def _cheaper(approach: Approach, use: Use) -> Estimate:
    """CPU-seconds of a right answer with updates followed or let pass, whichever takes less."""
    both = [adaptation.usd_per_right(approach, use, FREE, follows=follows) for follows in (True, False)]
    best = np.where(both[0].value <= both[1].value, 0, 1)
    return Estimate(*(np.choose(best, [each.at(end) for each in both]) for end in ENDS))


def tuning_metrics(runs: pd.DataFrame, parameters: float) -> dict[str, Metric]:
    """What the prose says of tuning.

    Args:
        runs: of :func:`tuning`.
        parameters: of the model.
    """
    rows = runs.set_index("recipe")
    lora = rows.loc["lora"]
    metrics = {
        "lora_share": Metric(lora["trained_parameters"] / parameters, "share", "adapters over all weights"),
        "lora_peak_gb": Metric(lora["peak_bytes"] / 1e9, "GB", "most memory while adapters are trained"),
    }
    spent = {f"{k}_cpu_s": Metric(rows.loc[k, "cpu_s"], "s", f"CPU-seconds of a run, {w}") for k, w in RECIPES.items()}
    return metrics | spent


def query_metrics(spent: Spent, depths: Mapping[str, int]) -> dict[str, Metric]:
    """What the prose says of a query asked alone."""
    metrics = {}
    for key, arm in (("rag", ("rag", depths[RAG])), ("lora", ("lora", 0)), ("long", ("long_prompt", 0))):
        row, name = spent.query(*arm), named(*arm)
        metrics[f"{key}_wall_ms"] = Metric(1e3 * row["wall_s"], "ms", f"median of a query alone, {name}")
        metrics[f"{key}_j"] = Metric(row["energy_j"], "J", f"modelled energy of a query alone, {name}")
    return metrics


def breakeven_metrics(here: Mapping[str, Approach], pays: Estimate) -> dict[str, Metric]:
    """Where tuning pays off here, and the CPU-seconds that decide it.

    Args:
        here: of :func:`on_this_core`, in CPU-seconds.
        pays: queries from which tuning takes no more than RAG.
    """
    rag, tuned = here[RAG].query_usd, here[TUNED].query_usd
    index = float(Estimate.of(here[RAG].version_usd).value)
    return {
        "here_breakeven": Metric.of(pays, "1", "queries from which tuning takes no more CPU-seconds than RAG"),
        "index_cpu_s": Metric(index, "s", "CPU-seconds of the index"),
        "lora_query_cpu_s": Metric(tuned, "s", "CPU-seconds of a tuned query"),
        "rag_cpu_s": Metric(rag, "s", "CPU-seconds of a query with RAG, its search included"),
        "cpu_ratio": Metric(rag / tuned, "1", "RAG over tuned, a query"),
    }


def breakeven_by_hand(spent: Spent, depths: Mapping[str, int]) -> float:
    """Queries from which the tuned model has taken no more CPU-seconds than RAG."""
    rag, tuned = (float(spent.query(*arm)["cpu_s"]) for arm in (("rag", depths[RAG]), ("lora", 0)))
    saved = rag + spent.embedding("embed_questions") - tuned
    return (float(spent.tuning("lora").value) - spent.facts * spent.embedding("embed_chunks")) / saved


def _ordered(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    order = sorted(table.index, key=lambda at: (list(NAMES).index(table["key"][at][0]), table["key"][at][1]))
    return table.loc[order].drop(columns="key").reset_index(drop=True)
