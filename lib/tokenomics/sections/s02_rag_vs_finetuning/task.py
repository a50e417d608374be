"""The task of notebook 02's price maps, from its parameters: case, indexes, offers, tuning on own devices."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from tokenomics.economics import adaptation, cost
from tokenomics.economics.adaptation import Approach, Index, QueryUsd, Use
from tokenomics.errors import DataError
from tokenomics.estimate import Estimate
from tokenomics.facts import catalogue, prices
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.models import Model
from tokenomics.facts.prices import ApiPrice
from tokenomics.notebook import report
from tokenomics.sections.s02_rag_vs_finetuning import costs
from tokenomics.sections.s02_rag_vs_finetuning.costs import LORA, RAG, TUNED, Case, Right

GRID = (10.0 ** np.arange(1, 8.01, 0.25), 10.0 ** np.arange(-1, 3.01, 0.2))
"""Queries and updates a month of the maps."""
SIZES = 10.0 ** np.arange(6, 9.01, 0.5)
"""Chunks of the indexes."""
EQUAL = {name: Right(1.0, 0.0) for name in costs.WAYS}
"""As if every way were right on all that it knows, and on nothing that changed unnoticed."""
FACTORS, READ = (1.0, 1.25, 1.5, 2.0, 3.0, 6.0), (1, 5, 20)


def case(p: Any) -> Case:
    """The task of the parameters."""
    names = {"question": "question_tokens", "output": "answer_tokens", "instruction": "instruction_tokens"}
    names |= {"chunks": "chunks_read", "chunk": "chunk_tokens", "knowledge": "knowledge_tokens"}
    names |= {"context": "context_tokens", "tunable": "tunable_tokens"}
    names |= {key: key for key in ("wordings", "passes", "tuning_usd_per_mtoken", "tuned_factor", "tuned_month_usd")}
    return Case(**{key: float(getattr(p, name)) for key, name in names.items()})


def index(p: Any, kind: str = adaptation.GRAPH, chunks: Any = None) -> Index:
    """An index at the parameters' prices; by default of the task's knowledge."""
    return Index(
        kind,
        max(p.knowledge_tokens / p.chunk_tokens, 1.0) if chunks is None else chunks,
        usd_per_mtoken=p.embedding_usd_per_mtoken,
        usd_per_gb_month=p.usd_per_gb_month,
        usd_per_core_hour=p.usd_per_core_hour,
        comparisons_per_core_s=p.comparisons_per_core_s,
        chunk_tokens=p.chunk_tokens,
        usd_per_gb_month_disk=p.usd_per_gb_month_disk,
    )


def indexes(p: Any) -> dict[str, Index]:
    """Each kind of index over :data:`SIZES`."""
    return {kind: index(p, kind, SIZES) for kind in (adaptation.FLAT, adaptation.GRAPH, adaptation.CODES)}


def record_indexes(kinds: Mapping[str, Index], sizes: pd.DataFrame) -> None:
    """What the prose says of the largest index."""
    found = sizes.set_index(["kind", "cost", "chunks"])["value"]
    most = float(SIZES[-1])
    report.metric("largest_chunks", most, "1", "chunks of the largest index")
    report.metric(
        "graph_memory_tb", kinds[adaptation.GRAPH].memory_bytes[-1] / 1e12, "TB", "memory of the largest graph"
    )
    for kind in (adaptation.GRAPH, adaptation.CODES):
        report.metric(f"{kind}_month_usd", found[kind, "month", most], "USD/month", f"keeping the largest {kind} index")
    flat = found[adaptation.FLAT, "million queries", most] / 1e6
    report.metric("flat_query_usd", flat, "USD", "a query of the largest flat index")


def every_offer(year: int) -> list[ApiPrice]:
    """The newest usable, verified price of each offer first listed in a year."""
    newest: dict[tuple[str, str], ApiPrice] = {}
    some = [each for each in prices.api_prices() if each.usable and each.verified and each.date.year == year]
    for each in sorted(some, key=lambda offer: (offer.date, offer.model_id)):
        newest[each.model, each.provider] = each
    return [newest[key] for key in sorted(newest)]


def newest(product: str, year: int) -> ApiPrice:
    """The newest price of a product up to a year, of its offers the one that also prices cached tokens.

    Raises:
        DataError: none so early.
    """
    some = [each for each in prices.api_prices() if each.usable and each.verified and each.model == product]
    some = [each for each in some if each.date.year <= year]
    if not some:
        raise DataError("parameters", "products", product, f"a product with a verified price of {year} or before")
    return max(some, key=lambda each: (each.date, each.usd_per_mtoken_cached_input is not None, each.provider))


def regions(beliefs: Mapping[str, Mapping[str, Approach]], offers: Sequence[ApiPrice], changed: float) -> pd.DataFrame:
    """:func:`.costs.crossover` over :data:`GRID`, a panel for each offer and each belief about right answers."""
    parts = [
        costs.crossover(ways, priced_at(offer), *GRID, changed).assign(panel=f"{offer.model}, {belief}")
        for offer in offers
        for belief, ways in beliefs.items()
    ]
    return pd.concat(parts, ignore_index=True)


def drawn_lists(found: pd.DataFrame, offers: Sequence[ApiPrice]) -> pd.DataFrame:
    """Offers on which tuning pays at some number of queries, with the price of input, open weights apart."""
    known = {(each.model, each.provider): each.usd_per_mtoken_input for each in offers}
    rows = found[np.isfinite(found["breakeven"])]
    paid = [known[key] for key in zip(rows["model"], rows["provider"], strict=True)]
    weights = np.where(rows["model"].isin(list(catalogue.models())), "open weights", "closed weights")
    table = rows[["model", "provider", "breakeven"]].assign(usd_per_mtoken_input=paid, weights=weights)
    return table.sort_values(["weights", "usd_per_mtoken_input", "model", "provider"], ignore_index=True)


def own_tuning(p: Any, model: Model, device: Accelerator, rent: Estimate) -> Estimate:
    """USD of the accelerator-hours of tuning adapters once on devices of one's own."""
    tokens = p.knowledge_tokens * p.wordings
    setting = {"method": LORA, "sequence": p.chunk_tokens, "mfu": p.tuning_mfu, "passes": p.passes}
    return adaptation.tuning_usd(model, device, rent, tokens, **setting)


def ratios(priced: pd.DataFrame) -> pd.Series:
    """A saturated query with RAG over one of the tuned model, by model, of :func:`.costs.on_devices`."""
    wide = priced.pivot(index="model", columns="way", values="value").loc[list(dict.fromkeys(priced["model"]))]
    return wide[RAG] / wide[TUNED]


def sensitivity(p: Any, right: Mapping[str, Right], price: QueryUsd) -> pd.DataFrame:
    """Queries from which tuning is no dearer than RAG, by the price of tuned tokens and the chunks that RAG reads.

    Returns:
        Columns tuned_factor, chunks_read, breakeven (empty where never).
    """
    rows, use = [], Use(1.0, updates=p.updates, changed=p.changed)
    for factor in FACTORS:
        for read in READ:
            some = replace(case(p), tuned_factor=factor, chunks=float(read))
            ways = costs.approaches(some, {name: right[name] for name in (RAG, TUNED)}, index(p))
            pays = float(adaptation.breakeven_queries(ways[TUNED], ways[RAG], use, price).value)
            rows.append((factor, read, pays if np.isfinite(pays) else np.nan))
    return pd.DataFrame(rows, columns=["tuned_factor", "chunks_read", "breakeven"])


def priced_at(offer: ApiPrice) -> QueryUsd:
    """A query at an offer's list price."""
    return adaptation.at_prices(cost.listed(offer))
