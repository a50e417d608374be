"""Which approach is cheapest where: by queries and updates, on price lists, by index, on own devices, by situation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from tokenomics.compute.inference.server import Server
from tokenomics.economics import adaptation, cost
from tokenomics.economics.adaptation import Approach, Index, QueryUsd, Use
from tokenomics.errors import Infeasible
from tokenomics.estimate import Estimate
from tokenomics.facts import catalogue
from tokenomics.facts.prices import ApiPrice
from tokenomics.notebook import units
from tokenomics.notebook.report import Metric
from tokenomics.sections.s02_rag_vs_finetuning import task
from tokenomics.sections.s02_rag_vs_finetuning.task import BOTH, RAG, TUNED, Case, Right

GRID = (10.0 ** np.arange(1, 8.01, 0.25), 10.0 ** np.arange(-1, 3.01, 0.2))
"""Queries and updates a month of the maps."""
SIZES = 10.0 ** np.arange(6, 9.01, 0.5)
"""Chunks of the indexes."""
SATURATED = ["saturated_usd", "saturated_low_usd", "saturated_high_usd"]
FACTORS, READ = (1.0, 1.25, 1.5, 2.0, 3.0, 6.0), (1, 5, 20)
"""Prices of tuned tokens over listed ones, and chunks read, that are tried."""


def least_per_right(approach: Approach, use: Use, price: QueryUsd) -> np.ndarray:
    """USD per right answer where updates are followed or let pass, whichever is cheaper."""
    return np.minimum(*(adaptation.usd_per_right(approach, use, price, follows=f).value for f in (True, False)))


def cheapest(
    approaches: Mapping[str, Approach],
    price: QueryUsd,
    queries: Sequence[float],
    updates: Sequence[float],
    changed: float,
) -> pd.DataFrame:
    """The cheapest approach per right answer for each number of queries and updates a month.

    Each may follow the updates or let them pass, whichever is cheaper per right answer.

    Returns:
        Columns queries, updates, cheapest, usd (per right answer).
    """
    use = Use(np.asarray(queries)[:, None], updates=np.asarray(updates, dtype=float)[None], changed=changed)
    usd = {name: least_per_right(each, use, price) for name, each in approaches.items()}
    names, least = cost.cheapest(usd), np.minimum.reduce(list(usd.values()))
    grid = [
        {"queries": n, "updates": u, "cheapest": str(names[i, j]), "usd": float(least[i, j])}
        for i, n in enumerate(queries)
        for j, u in enumerate(updates)
    ]
    return pd.DataFrame(grid)


def regions(beliefs: Mapping[str, Mapping[str, Approach]], offers: Sequence[ApiPrice], changed: float) -> pd.DataFrame:
    """:func:`cheapest` over :data:`GRID`, a panel for each offer and each belief about right answers."""
    parts = [
        cheapest(approaches, task.priced_at(offer), *GRID, changed).assign(panel=f"{offer.model}, {belief}")
        for offer in offers
        for belief, approaches in beliefs.items()
    ]
    return pd.concat(parts, ignore_index=True)


def breakeven(approaches: Mapping[str, Approach], use: Use, price: QueryUsd) -> Estimate:
    """Queries from which tuning is no dearer than RAG; infinite where weights do not hold the knowledge."""
    if TUNED not in approaches:
        return Estimate(*[np.asarray(np.inf)] * 3)
    return adaptation.breakeven_queries(approaches[TUNED], approaches[RAG], use, price)


def by_list(approaches: Mapping[str, Approach], use: Use, prices: Sequence[ApiPrice]) -> pd.DataFrame:
    """On each listed price: USD of 1000 queries of each approach, and queries from which tuning is no dearer than RAG.

    Returns:
        Columns model, provider, one an approach (``rag_usd``), breakeven_queries (infinite where tuning never pays).
    """
    rows = []
    for listed in prices:
        price = task.priced_at(listed)
        usd = {_column(name): 1e3 * float(each.usd_per_query(price).value) for name, each in approaches.items()}
        found = breakeven(approaches, use, price)
        told = {"model": listed.model, "provider": listed.provider}
        rows.append(told | usd | {"breakeven_queries": float(found.value)})
    return pd.DataFrame(rows).sort_values(["breakeven_queries", "model", "provider"], ignore_index=True)


def _column(approach: str) -> str:
    return f"{approach.lower().replace(' ', '_')}_usd"


def drawn_lists(found: pd.DataFrame, offers: Sequence[ApiPrice]) -> pd.DataFrame:
    """Offers on which tuning pays at some number of queries, with the price of input, open weights apart."""
    known = {(each.model, each.provider): each.usd_per_mtoken_input for each in offers}
    rows = found[np.isfinite(found["breakeven_queries"])]
    paid = [known[key] for key in zip(rows["model"], rows["provider"], strict=True)]
    weights = np.where(rows["model"].isin(list(catalogue.models())), "open weights", "closed weights")
    table = rows[["model", "provider", "breakeven_queries"]].assign(input_usd_per_mtok=paid, weights=weights)
    return table.sort_values(["weights", "input_usd_per_mtok", "model", "provider"], ignore_index=True)


def list_metrics(found: pd.DataFrame, first: ApiPrice, breakeven: Estimate) -> dict[str, Metric]:
    """What the prose says of all lists, and of the first product on its own."""
    never = float(np.isinf(found["breakeven_queries"]).mean())
    dearer = "at every number tuning is dearer, or its weights do not hold the knowledge"
    return {
        "never_share": Metric(never, "share", "offers on which tuning never pays"),
        "offers": Metric(len(found), "1", "offers of the year"),
        "list_breakeven": Metric(
            float(breakeven.value), "1", f"queries from which tuning pays, {first.model}", reason=dearer
        ),
        "first_product": Metric(first.model, "text", "product of the first map"),
    }


def by_size(indexes: Mapping[str, Index], question: float) -> pd.DataFrame:
    """What indexes cost by their number of chunks: to build, a month, and a million queries, with ends.

    Returns:
        Columns kind, chunks, part (build, month, million queries), cost_usd and its ends.
    """
    parts = []
    for kind, index in indexes.items():
        amounts = {"build": (index.build_usd(), 1.0), "month": (index.month_usd(), 1.0)}
        amounts["million queries"] = (index.query_usd(question), 1e6)
        for name, (usd, times) in amounts.items():
            told = {"kind": kind, "chunks": np.asarray(index.chunks), "part": name}
            parts.append(pd.DataFrame(told | units.columns("cost_usd", usd, times)))
    return pd.concat(parts, ignore_index=True)


def index_metrics(kinds: Mapping[str, Index], sizes: pd.DataFrame) -> dict[str, Metric]:
    """What the prose says of the largest index."""
    most, found = float(SIZES[-1]), sizes.set_index(["kind", "part", "chunks"])["cost_usd"]
    graph_tb = float(np.max(kinds[adaptation.GRAPH].memory_bytes)) / 1e12
    flat = found[adaptation.FLAT, "million queries", most] / 1e6
    kept = {
        f"{kind}_month_usd": Metric(found[kind, "month", most], "USD/month", f"keeping the largest {kind} index")
        for kind in (adaptation.GRAPH, adaptation.CODES)
    }
    return kept | {
        "largest_chunks": Metric(most, "1", "chunks of the largest index"),
        "graph_memory_tb": Metric(graph_tb, "TB", "memory of the largest graph"),
        "flat_query_usd": Metric(flat, "USD", "a query of the largest flat index"),
    }


def on_devices(
    approaches: Mapping[str, Approach],
    server: Server,
    hour: cost.Hour,
    rank: int,
    ttft_s: float,
    *,
    queries: int = 4000,
) -> pd.DataFrame:
    """USD of 1000 queries of each approach on own devices: saturated (closed form), and in time under arrivals
    (simulated).

    Args:
        approaches: tuned ones run adapters of ``rank`` beside the weights.
        server: one replica.
        hour: of a device.
        rank: of adapters.
        ttft_s: to the first token, kept for 90 % of queries.
        queries: simulated at each rate.

    Returns:
        Columns approach, prompt_tokens, cached_tokens, saturated_usd and its ends (missing where a prompt fits into no
        memory or context), simulated_usd (missing where the objective cannot be kept as well). A beginning that all
        prompts share is held once in the simulation, by each request in the closed form, which makes a long prompt
        dearer there.
    """
    rows = []
    for name, each in approaches.items():
        factor = adaptation.adapter_factor(server.on.model, rank) if name in (TUNED, BOTH) else 1.0
        row = {"approach": name, "prompt_tokens": float(each.query.input), "cached_tokens": float(each.query.cached)}
        try:
            server.room(float(each.query.input) + float(each.query.output))
            rate = adaptation.queries_per_s(server, each.query, ttft_s, queries=queries) / factor
            saturated = adaptation.on_server(server, hour)(each.query)
        except Infeasible:
            rows.append(row)
            continue
        served = float(adaptation.from_served(hour, server.devices, rate).value) if rate > 0 else np.nan
        rows.append(row | units.columns("saturated_usd", saturated, 1e3 * factor) | {"simulated_usd": 1e3 * served})
    columns = ["approach", "prompt_tokens", "cached_tokens", *SATURATED, "simulated_usd"]
    return pd.DataFrame(rows, columns=columns)


def on_replicas(
    approaches: Mapping[str, Approach], replicas: Mapping[str, Server], hour: cost.Hour, rank: int, ttft_s: float
) -> pd.DataFrame:
    """:func:`on_devices` of several models, whose ``model`` column says on how many devices each runs."""
    parts = [
        on_devices(approaches, it, hour, rank, ttft_s).assign(
            model=f"{name}, {it.devices:.0f} device{'s' * (it.devices > 1)}"
        )
        for name, it in replicas.items()
    ]
    return pd.concat(parts, ignore_index=True)


def ratios(priced: pd.DataFrame) -> pd.Series:
    """A saturated query with RAG over one of the tuned model, by model, of :func:`on_replicas`."""
    wide = priced.pivot(index="model", columns="approach", values="saturated_usd").reindex(
        columns=list(task.APPROACHES)
    )
    return (wide[RAG] / wide[TUNED]).loc[list(dict.fromkeys(priced["model"]))]


def device_metrics(priced: pd.DataFrame, models: Sequence[str], tuning: Estimate) -> dict[str, Metric]:
    """RAG over tuned on the first and the last of the models served, and tuning the last one once.

    Args:
        models: names, in the order of ``priced``.
        tuning: USD of one run.
    """
    found = dict(zip(models, ratios(priced), strict=True))
    metrics = {"own_tuning_usd": Metric.of(tuning, "USD", "accelerator-hours of one tuning run")}
    for key, name in (("small", models[0]), ("large", models[-1])):
        meaning, none = f"RAG over tuned, saturated, {name}", "one of them is no option or does not fit"
        metrics[f"own_ratio_{key}"] = Metric(found[name], "1", meaning, reason=none)
        metrics[f"own_{key}"] = Metric(name, "text", "model served on own devices")
    return metrics


@dataclass(frozen=True)
class Situation:
    """Somebody who must choose: queries and updates a month, share changed by each, tokens of knowledge."""

    name: str
    queries: float
    updates: float
    changed: float
    knowledge: float


SITUATIONS = (
    Situation("handbook, few readers", 1e3, 1, 0.02, 3e4),
    Situation("handbook, many readers", 1e6, 1, 0.02, 3e4),
    Situation("support desk", 1e5, 4, 0.05, 1e6),
    Situation("catalogue, prices daily", 1e6, 30, 0.1, 1e7),
    Situation("fixed rules, many queries", 1e7, 0, 0.0, 1e5),
    Situation("archive", 1e5, 1, 0.001, 1e9),
)
"""Made up, from few readers to many and from fixed to changing; the sizes are theirs, not measured."""


def decisions(case: Case, right: Mapping[str, Right], index: Index, price: QueryUsd) -> pd.DataFrame:
    """The cheapest approach per right answer for each of :data:`SITUATIONS`, what it costs, the runner-up, and which
    were cheapest if all were equally right.

    Returns:
        Columns situation, queries, updates, changed_share, knowledge_tokens, cheapest, thousand_usd (of 1000 right
        answers), next, next_ratio (its price over the cheapest), if_equally_right.
    """
    rows = []
    for each in SITUATIONS:
        best, second = _ranked(each, case, right, index, price)[:2]
        equal = _ranked(each, case, task.EQUAL, index, price)[0]
        told = {"situation": each.name, "queries": each.queries, "updates": each.updates}
        told |= {"changed_share": each.changed, "knowledge_tokens": each.knowledge, "cheapest": best[1]}
        told |= {"thousand_usd": 1e3 * best[0], "next": second[1], "next_ratio": second[0] / best[0]}
        rows.append(told | {"if_equally_right": equal[1]})
    return pd.DataFrame(rows)


def _ranked(
    at: Situation, case: Case, right: Mapping[str, Right], index: Index, price: QueryUsd
) -> list[tuple[float, str]]:
    """USD of a right answer and the approach, cheapest first."""
    some = replace(case, knowledge=at.knowledge)
    approaches = task.approaches(some, right, replace(index, chunks=max(at.knowledge / case.chunk, 1.0)))
    use = Use(at.queries, updates=at.updates, changed=at.changed)
    return sorted((float(least_per_right(each, use, price)), name) for name, each in approaches.items())


def decision_metrics(decided: pd.DataFrame) -> dict[str, Metric]:
    """Situations, and those in which shares of right answers decide."""
    apart = int((decided["cheapest"] != decided["if_equally_right"]).sum())
    return {
        "situations": Metric(len(decided), "1", "situations of the decision table"),
        "undecided": Metric(apart, "1", "situations in which shares of right answers decide"),
    }


def sensitivity(p: Any, right: Mapping[str, Right], price: QueryUsd) -> pd.DataFrame:
    """Queries from which tuning is no dearer than RAG, by the price of tuned tokens and the chunks that RAG reads.

    Returns:
        Columns tuned_factor, chunks (read), breakeven_queries (empty where never).
    """
    rows, use = [], Use(1.0, updates=p.updates, changed=p.changed)
    for factor in FACTORS:
        for read in READ:
            some = replace(task.case(p), tuned_factor=factor, chunks=float(read))
            approaches = task.approaches(some, {name: right[name] for name in (RAG, TUNED)}, task.index(p))
            pays = float(breakeven(approaches, use, price).value)
            rows.append((factor, read, pays if np.isfinite(pays) else np.nan))
    return pd.DataFrame(rows, columns=["tuned_factor", "chunks", "breakeven_queries"])


def sensitivity_metrics(moved: pd.DataFrame) -> dict[str, Metric]:
    """The largest finite break-even among the cases, and how many have none."""
    never = int(moved["breakeven_queries"].isna().sum())
    return {
        "most_breakeven": Metric(
            moved["breakeven_queries"].max(), "1", "largest finite break-even among these", reason="there is none"
        ),
        "never_cases": Metric(never, "1", "cases in which tuning never pays"),
    }
