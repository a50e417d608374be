"""Tables of notebook 02 that need no experiment: which way is cheapest where, on lists, by index, on own devices.

How often each way is right is an input (:class:`Right`): the experiment's measured shares, a published study's, or an
assumption that says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from tokenomics.compute.inference.server import Server
from tokenomics.compute.training.tuning import METHODS
from tokenomics.economics import adaptation, cost
from tokenomics.economics.adaptation import Approach, Index, QueryUsd, Reading, Use
from tokenomics.errors import DataError
from tokenomics.estimate import Amount, combine
from tokenomics.facts.prices import ApiPrice

LONG, RAG, TUNED, BOTH = "long prompt", "RAG", "tuned", "both"
WAYS = (LONG, RAG, TUNED, BOTH)
LORA = METHODS[1]


@dataclass(frozen=True)
class Right:
    """Share of right answers: on facts as they stood when the version was made, and on facts that changed since."""

    fresh: Amount
    changed: Amount


@dataclass(frozen=True)
class Case:
    """A task and its knowledge.

    Attributes:
        question, output: tokens of a question and of an answer.
        instruction: tokens that every prompt starts with.
        chunks, chunk: chunks given to a query, and tokens of each.
        knowledge: tokens of the whole knowledge base.
        context: most tokens of a prompt that the model reads.
        wordings, passes: of the training set made from the knowledge, and over it.
        tuning_usd_per_mtoken: USD per million training tokens.
        tuned_factor: price of a tuned model's tokens over the listed ones.
        tuned_month_usd: of keeping a tuned model ready.
        tunable: most tokens of knowledge that tuning is taken to hold; beyond, a tuned model alone is no way.
    """

    question: float = 25
    output: float = 80
    instruction: float = 100
    chunks: float = 5
    chunk: float = 200
    knowledge: float = 1e6
    context: float = 128e3
    wordings: float = 4
    passes: float = 3
    tuning_usd_per_mtoken: float = 10.0
    tuned_factor: float = 1.5
    tuned_month_usd: float = 0.0
    tunable: float = np.inf

    @property
    def version_usd(self) -> float:
        """USD of tuning once."""
        return self.knowledge * self.wordings * self.passes * self.tuning_usd_per_mtoken / 1e6


def approaches(case: Case, right: Mapping[str, Right], index: Index) -> dict[str, Approach]:
    """The ways to answer that ``right`` knows.

    Both is tuned once, to read; updates touch its index. A long prompt is a way only where the context holds the
    knowledge, a tuned model only where its weights do.

    Raises:
        DataError: a way that is not one of :data:`WAYS`.
    """
    start, given = case.instruction + case.question, case.chunks * case.chunk
    search = {"query_usd": index.query_usd(case.question), "month_usd": index.month_usd()}
    build = index.build_usd()
    tuned_tokens = {"token_factor": case.tuned_factor}
    kept = combine(lambda search, own: search + own, [search["month_usd"], case.tuned_month_usd])
    settings: dict[str, dict[str, Any]] = {
        LONG: {"query": Reading(start + case.knowledge, case.output, case.instruction + case.knowledge)},
        RAG: {"query": Reading(start + given, case.output, case.instruction), "version_usd": build} | search,
        TUNED: {"query": Reading(case.question, case.output), "version_usd": case.version_usd} | tuned_tokens,
        BOTH: {"query": Reading(case.question + given, case.output), "version_usd": build} | search | tuned_tokens,
    }
    settings[BOTH]["once_usd"] = case.version_usd
    settings[TUNED]["month_usd"], settings[BOTH]["month_usd"] = case.tuned_month_usd, kept
    made = {}
    for name, share in right.items():
        if name not in WAYS:
            raise DataError("approaches", "way", name, ", ".join(WAYS))
        fits = {LONG: start + case.knowledge + case.output <= case.context, TUNED: case.knowledge <= case.tunable}
        if fits.get(name, True):
            made[name] = Approach(name, right=share.fresh, right_changed=share.changed, **settings[name])
    return made


def crossover(
    ways: Mapping[str, Approach], price: QueryUsd, queries: Sequence[float], updates: Sequence[float], changed: float
) -> pd.DataFrame:
    """The cheapest way per right answer for each number of queries and updates a month.

    Every way may follow the updates or let them pass, whichever is cheaper per right answer.

    Returns:
        Columns queries, updates, limit (the way), usd (per right answer).
    """
    use = Use(np.asarray(queries)[:, None], updates=np.asarray(updates, dtype=float)[None], changed=changed)
    usd = {name: least_per_right(way, use, price) for name, way in ways.items()}
    names, least = cost.cheapest(usd), np.minimum.reduce(list(usd.values()))
    grid = [
        {"queries": n, "updates": u, "limit": str(names[i, j]), "usd": float(least[i, j])}
        for i, n in enumerate(queries)
        for j, u in enumerate(updates)
    ]
    return pd.DataFrame(grid)


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
    """The cheapest way per right answer for each of :data:`SITUATIONS`, what it costs, and the runner-up.

    Returns:
        Columns situation, queries, updates, changed, knowledge, cheapest, usd_per_1000, next, next_over_cheapest.
    """
    rows = []
    for each in SITUATIONS:
        some = replace(case, knowledge=each.knowledge)
        ways = approaches(some, right, replace(index, chunks=max(each.knowledge / case.chunk, 1.0)))
        use = Use(each.queries, updates=each.updates, changed=each.changed)
        usd = sorted((float(least_per_right(way, use, price)), name) for name, way in ways.items())
        told = {key: getattr(each, key) for key in ("queries", "updates", "changed", "knowledge")}
        best, second = usd[:2]
        found = {"cheapest": best[1], "usd_per_1000": 1e3 * best[0], "next": second[1]}
        rows.append({"situation": each.name} | told | found | {"next_over_cheapest": second[0] / best[0]})
    return pd.DataFrame(rows)


def least_per_right(way: Approach, use: Use, price: QueryUsd) -> np.ndarray:
    """USD per right answer where updates are followed or let pass, whichever is cheaper."""
    return np.minimum(*(adaptation.usd_per_right(way, use, price, follows=f).value for f in (True, False)))


def by_list(ways: Mapping[str, Approach], use: Use, prices: Sequence[ApiPrice]) -> pd.DataFrame:
    """On each listed price: USD of 1000 queries of each way, and queries from which tuning is no dearer than RAG.

    Returns:
        Columns model, provider, one a way, breakeven (infinite where tuning never pays).
    """
    rows = []
    for listed in prices:
        price = adaptation.at_prices(cost.listed(listed))
        usd = {name: 1e3 * float(way.usd_per_query(price).value) for name, way in ways.items()}
        found = adaptation.breakeven_queries(ways[TUNED], ways[RAG], use, price)
        rows.append({"model": listed.model, "provider": listed.provider, **usd, "breakeven": float(found.value)})
    return pd.DataFrame(rows).sort_values(["breakeven", "model", "provider"], ignore_index=True)


def by_size(indexes: Mapping[str, Index], question: float) -> pd.DataFrame:
    """What indexes cost by their number of chunks: to build, a month, and a million queries, with ends.

    Returns:
        Columns kind, chunks, cost (build, month, million queries), value, low, high.
    """
    rows = []
    for kind, index in indexes.items():
        parts = {"build": (index.build_usd(), 1.0), "month": (index.month_usd(), 1.0)}
        parts["million queries"] = (index.query_usd(question), 1e6)
        for name, (usd, times) in parts.items():
            ends = [np.broadcast_to(each, np.shape(index.chunks)) * times for each in (usd.value, usd.low, usd.high)]
            rows += [
                {"kind": kind, "chunks": n, "cost": name, "value": v, "low": low, "high": high}
                for n, v, low, high in zip(np.asarray(index.chunks), *ends, strict=True)
            ]
    return pd.DataFrame(rows)


def on_devices(
    ways: Mapping[str, Approach], server: Server, hour: cost.Hour, rank: int, ttft_s: float, *, queries: int = 4000
) -> pd.DataFrame:
    """USD of 1000 queries of each way on own devices: saturated (closed form), and in time under arrivals (simulated).

    Args:
        ways: tuned ones run adapters of ``rank`` beside the weights.
        server: one copy.
        hour: of a device.
        rank: of adapters.
        ttft_s: to the first token, kept for 90 % of queries.
        queries: simulated at each rate.

    Returns:
        Columns way, prompt, cached, value, low, high, simulated (infinite where the objective cannot be kept). A
        beginning that all prompts share is held once in the simulation, by each request in the closed form, which
        makes a long prompt dearer there.
    """
    price, rows = adaptation.on_server(server, hour), []
    for name, way in ways.items():
        factor = adaptation.adapter_factor(server.on.model, rank) if name in (TUNED, BOTH) else 1.0
        usd = price(way.query)
        rate = adaptation.queries_per_s(server, way.query, ttft_s, queries=queries) / factor
        served = float(adaptation.from_served(hour, server.devices, rate).value) if rate > 0 else np.inf
        ends = {end: 1e3 * factor * float(getattr(usd, end)) for end in ("value", "low", "high")}
        read = {"way": name, "prompt": float(way.query.input), "cached": float(way.query.cached)}
        rows.append(read | ends | {"simulated": 1e3 * served})
    return pd.DataFrame(rows)


def on_groups(
    ways: Mapping[str, Approach], groups: Mapping[str, Server], hour: cost.Hour, rank: int, ttft_s: float
) -> pd.DataFrame:
    """:func:`on_devices` of several models, whose ``model`` column says on how many devices each runs."""
    parts = [
        on_devices(ways, it, hour, rank, ttft_s).assign(
            model=f"{name}, {it.devices:.0f} device{'s' * (it.devices > 1)}"
        )
        for name, it in groups.items()
    ]
    return pd.concat(parts, ignore_index=True)
