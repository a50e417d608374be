"""Tables of notebook 02 from what the experiment left: arms in words, errors, costs of a query, break-even here.

Costs are those of one thread of the machine that the experiment ran on. Energy is not measured there: it is watts of a
core, assumed, times processor seconds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tokenomics.economics import adaptation
from tokenomics.economics.adaptation import Approach, Reading, Use
from tokenomics.errors import DataError
from tokenomics.estimate import Amount, Estimate, combine
from tokenomics.sections.s02_rag_vs_finetuning.costs import BOTH, LONG, RAG, TUNED, Right

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
LIKE = {"aware_rag": "lora_rag", "both_rag": "lora_rag"}
"""Arms that were not timed one by one, and one that reads as many tokens with adapters of the same size."""
PREFIX = "prefix"
SECONDS_PER_HOUR = 3600.0


def way(arm: str, chunks: int) -> str:
    """An arm in words, with its number of chunks.

    Raises:
        DataError: an unknown arm.
    """
    if arm not in NAMES:
        raise DataError("experiment", "arm", arm, ", ".join(NAMES))
    return f"{NAMES[arm]}, k = {chunks}" if chunks and arm != "oracle" else NAMES[arm]


def in_words(rows: Iterable[Mapping[str, Any]], splits: Sequence[str]) -> pd.DataFrame:
    """Arms with their intervals on some splits, in the order of :data:`NAMES`.

    Args:
        rows: of ``experiment.summary.arms``.
        splits: in the order wanted.

    Returns:
        Columns split, way, chunks, value, value_low, value_high, answers, facts, seeds.
    """
    table = pd.DataFrame(rows)
    table = table[table["split"].isin(splits)].rename(columns={"low": "value_low", "high": "value_high"})
    table["way"] = [way(*each) for each in zip(table["arm"], table["chunks"], strict=True)]
    places = [table["split"].map(list(splits).index), table["arm"].map(list(NAMES).index), table["chunks"]]
    order = np.lexsort([each.to_numpy() for each in reversed(places)])
    columns = ["split", "way", "chunks", "value", "value_low", "value_high", "answers", "facts", "seeds"]
    return table.iloc[order][columns].reset_index(drop=True)


def kinds(counts: Mapping[tuple[str, int], Mapping[str, int]]) -> pd.DataFrame:
    """Kinds of answers as shares: columns way, kind, share.

    Args:
        counts: by arm and chunks, of ``experiment.summary.kinds``.
    """
    rows = [
        {"way": way(*arm), "kind": kind, "share": count / sum(some.values())}
        for arm, some in counts.items()
        for kind, count in some.items()
    ]
    return pd.DataFrame(rows)


def one_by_one(latency: pd.DataFrame, core_w: float) -> pd.DataFrame:
    """What one query costs when it is asked alone.

    Args:
        latency: rows of ``latency.csv``.
        core_w: watts of a busy core.

    Returns:
        Columns way, prompt_tokens, cached_tokens, output_tokens, read_s, write_s, wall_s, wall_p90_s, cpu_s,
        cpu_s_per_output_token, energy_j, peak_bytes, prefix_cpu_s; means, but wall-clock seconds are medians.
    """
    rows = []
    asked = latency[latency["question"] != PREFIX]
    shared = latency[latency["question"] == PREFIX].set_index(["arm", "chunks"])["cpu_s"]
    for key, some in asked.groupby(["arm", "chunks"]):
        mean = some[["prompt_tokens", "cached_tokens", "output_tokens", "read_s", "write_s"]].mean().to_dict()
        wall = {"wall_s": some["wall_s"].median(), "wall_p90_s": some["wall_s"].quantile(0.9)}
        cpu = float(some["cpu_s"].mean())
        spent = {"cpu_s": cpu, "cpu_s_per_output_token": cpu / some["output_tokens"].mean(), "energy_j": core_w * cpu}
        memory = {"peak_bytes": float(some["peak_bytes"].max()), "prefix_cpu_s": float(shared.get(key, 0.0))}
        rows.append({"arm": key[0], "chunks": key[1], "way": way(*key)} | mean | wall | spent | memory)
    return _ordered(rows)


def together(costs: pd.DataFrame, splits: Sequence[str]) -> pd.DataFrame:
    """What one query costs when many are asked together, over some splits and all seeds.

    Returns:
        Columns way, questions, batched_cpu_s, batched_wall_s (of a query).
    """
    rows = []
    for key, some in costs[costs["split"].isin(splits)].groupby(["arm", "chunks"]):
        count = some["questions"].sum()
        spent = {"batched_cpu_s": some["cpu_s"].sum() / count, "batched_wall_s": some["wall_s"].sum() / count}
        rows.append({"arm": key[0], "chunks": key[1], "way": way(*key), "questions": count} | spent)
    return _ordered(rows)


def tuning(runs: pd.DataFrame, core_w: float) -> pd.DataFrame:
    """What tuning costs: mean over seeds, with the least and the most of them, the run it starts from included.

    Returns:
        Columns recipe, seeds, examples, tokens, trained_parameters, own_cpu_s (without the run it starts from), cpu_s,
        cpu_s_low, cpu_s_high, energy_j, peak_bytes.
    """
    alone = runs.set_index(["recipe", "seed"])["cpu_s"]
    before = [alone.get(key, 0.0) for key in zip(runs["start"], runs["seed"], strict=True)]
    rows = []
    for recipe, some in runs.assign(whole=runs["cpu_s"] + before).groupby("recipe"):
        told = some[["examples", "tokens", "trained_parameters"]].iloc[0].to_dict()
        ends = {f"cpu_s{end}": how(some["whole"]) for end, how in (("", np.mean), ("_low", min), ("_high", max))}
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
        rows = self.one.set_index("way")
        return rows.loc[way(LIKE.get(arm, arm), chunks)]

    def tuning(self, recipe: str) -> Estimate:
        """CPU-seconds of a recipe and what it starts from: mean, least and most over seeds."""
        row = self.tuned.set_index("recipe").loc[recipe]
        return Estimate(*(np.asarray(row[f"cpu_s{end}"]) for end in ("", "_low", "_high")))

    def embedding(self, step: str) -> float:
        """CPU-seconds of embedding one text."""
        row = self.index.set_index("step").loc[step]
        return float(row["cpu_s"] / row["items"])


def on_this_core(
    spent: Spent, right: Mapping[str, Right], depths: Mapping[str, int], per_cpu_s: float
) -> dict[str, Approach]:
    """The four ways as they were run, in whatever a CPU-second is worth (USD, joules, 1).

    Args:
        spent: processor seconds.
        right: shares of right answers of each way.
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


def per_right(ways: Mapping[str, Approach], queries: Sequence[float], uses: Mapping[str, Use]) -> pd.DataFrame:
    """What a right answer costs against the number of queries.

    Args:
        ways: of :func:`on_this_core`.
        queries: in all.
        uses: by panel, how the knowledge changes; its own queries are not looked at.

    Returns:
        Columns panel, way, queries, value, low, high, of the cheaper of following updates and letting them pass.
    """
    rows = []
    for panel, use in uses.items():
        asked = Use(np.asarray(queries, dtype=float), use.months, use.updates, use.changed)
        for name, each in ways.items():
            both = [adaptation.usd_per_right(each, asked, FREE, follows=follows) for follows in (True, False)]
            best = np.where(both[0].value <= both[1].value, 0, 1)
            ends = [np.choose(best, [getattr(b, end) for b in both]) for end in ("value", "low", "high")]
            rows += [
                {"panel": panel, "way": name, "queries": n, "value": v, "low": low, "high": high}
                for n, v, low, high in zip(queries, *ends, strict=True)
            ]
    return pd.DataFrame(rows)


def beside_ours(published: pd.DataFrame, ours: Mapping[str, float], setting: str) -> pd.DataFrame:
    """Published shares of right answers beside those measured here, in percent.

    Args:
        published: rows of ``published_studies.csv``; rows that are gains or words are left out.
        ours: by approach (base, rag, tuned, both), shares.
        setting: what was asked here.

    Returns:
        Columns study (with its setting), approach, value, read.
    """
    shares = published[published["value"].notna() & published["metric"].isin(["exact match, %", "accuracy, %"])]
    rows = pd.DataFrame({"study": shares["study"] + ": " + shares["setting"], "approach": shares["approach"]})
    rows = rows.assign(value=shares["value"], read=shares["read"])
    own = pd.DataFrame({"study": f"here: {setting}", "approach": list(ours), "value": [100 * v for v in ours.values()]})
    return pd.concat([own.assign(read="own"), rows], ignore_index=True)


def _ordered(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    order = np.lexsort([table["chunks"], table["arm"].map(list(NAMES).index)])
    return table.iloc[order].drop(columns=["arm", "chunks"]).reset_index(drop=True)
