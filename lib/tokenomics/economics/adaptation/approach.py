"""Approaches that give a model knowledge: what each costs, in all and per right answer, and where two cost the same.

A *version* is the knowledge between two changes of it. What an approach pays once a version (an index, a tuned model)
is paid again at every update that it follows; an approach that does not follow goes stale.

For N queries, U updates followed and T months: ``once + (1 + U) version + N query + T month`` (F + N v for short). A
right answer costs the total over the share that is right: the expected number of tries until one is (cost-of-pass,
Erol et al., arXiv:2504.13359), where wrong answers are recognised and asked again at no other price; a price ``L`` of
a wrong answer adds ``L (1 - A) / A``. Left out: discounting, the price of waiting, learning from users.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tokenomics.economics.cost.amounts import TOKENS, checked, share
from tokenomics.economics.cost.tokens import TokenPrices
from tokenomics.errors import DataError
from tokenomics.estimate import Amount, Estimate, combine


@dataclass(frozen=True)
class Reading:
    """Tokens of one query.

    Attributes:
        input: of the prompt, cached ones included.
        output: written.
        cached: of the prompt that is known from earlier queries (an instruction, a knowledge base).
    """

    input: Amount
    output: Amount
    cached: Amount = 0.0

    def __post_init__(self):
        read = checked("query", "input tokens", self.input)
        checked("query", "output tokens", self.output, zero=True)
        known = checked("query", "cached tokens", self.cached, zero=True)
        if np.any(known.value > read.value):
            raise DataError("query", "cached tokens", float(np.max(known.value)), "at most the input tokens")


QueryUsd = Callable[[Reading], Estimate]
"""USD of the tokens of one query."""


@dataclass(frozen=True)
class Approach:
    """One approach to answering from knowledge of one's own.

    Attributes:
        name: long prompt, RAG, tuned, both, or any other.
        query: tokens of a query.
        right: share of answers that are right on facts as they stood when the version was made.
        right_changed: share that are right on facts that changed since, with the approach's own data not redone.
        once_usd: before the first query (labelling, evaluation, engineering).
        version_usd: for each version (indexing, tuning).
        query_usd: of a query besides its tokens (embedding the question, searching).
        month_usd: kept running whatever the load (an index in memory, a model of one's own).
        token_factor: price of its tokens over that of the model as listed (a tuned model often costs more).
    """

    name: str
    query: Reading
    right: Amount = 1.0
    right_changed: Amount = 1.0
    once_usd: Amount = 0.0
    version_usd: Amount = 0.0
    query_usd: Amount = 0.0
    month_usd: Amount = 0.0
    token_factor: Amount = 1.0

    def __post_init__(self):
        for key in ("once_usd", "version_usd", "query_usd", "month_usd"):
            checked(self.name, key, getattr(self, key), zero=True)
        for key in ("right", "right_changed"):
            share(self.name, key, getattr(self, key), zero=True)
        checked(self.name, "token_factor", self.token_factor)

    def usd_per_query(self, price: QueryUsd) -> Estimate:
        """Tokens, embedding and search of one query."""
        tokens = price(self.query)
        return combine(lambda t, f, q: t * f + q, rising=[tokens, self.token_factor, self.query_usd])

    def right_share(self, stale: Amount) -> Estimate:
        """Share of right answers when a share ``stale`` of what is asked has changed since the version was made.

        Raises:
            DataError: a share outside 0 to 1.
        """
        old = share(self.name, "stale share", stale, zero=True)
        # the mean of two shares lies between them: ends from the ends of both, at the worse and the better staleness
        fresh, changed = Estimate.of(self.right), Estimate.of(self.right_changed)
        ends = [
            [getattr(fresh, end) * (1 - part) + getattr(changed, end) * part for part in (old.low, old.high)]
            for end in ("low", "high")
        ]
        value = fresh.value * (1 - old.value) + changed.value * old.value
        return Estimate(np.asarray(value), np.minimum(*ends[0]), np.maximum(*ends[1]))


def at_prices(prices: TokenPrices) -> QueryUsd:
    """USD of a query's tokens at fixed prices: an API's list (:func:`tokenomics.economics.cost.listed`)."""

    def usd(reading: Reading) -> Estimate:
        amounts = [prices.input, prices.cached, prices.output, reading.input, reading.output]
        return combine(
            lambda fresh, cheap, out, i, o, c: (fresh * (i - c) + cheap * c + out * o) / TOKENS,
            rising=amounts,
            falling=[reading.cached],
        )

    return usd


@dataclass(frozen=True)
class Use:
    """How much is asked and how the knowledge changes; numbers or arrays that broadcast.

    Attributes:
        queries: in all.
        months: over which they come.
        updates: changes of the knowledge in that time, evenly spaced.
        changed: share of what is asked that one update changes.
    """

    queries: Amount
    months: Amount = 1.0
    updates: Amount = 0.0
    changed: Amount = 0.0

    def __post_init__(self):
        checked("use", "queries", self.queries)
        checked("use", "months", self.months)
        checked("use", "updates", self.updates, zero=True)
        share("use", "changed share", self.changed, zero=True)

    def stale(self) -> Estimate:
        """Mean share of queries about changed facts where no update is followed.

        Updates come at the ends of equal stretches of time; after ``i`` of them ``1 - (1 - changed)^i`` is stale.
        """

        def mean(updates, changed):
            kept = 1.0 - np.asarray(changed, dtype=float)
            count = np.asarray(updates, dtype=float) + 1.0
            part = np.where(kept < 1.0, (1.0 - kept**count) / np.where(kept < 1.0, count * (1.0 - kept), 1.0), 1.0)
            return 1.0 - part

        return combine(mean, rising=[self.updates, self.changed])


def total_usd(approach: Approach, use: Use, price: QueryUsd, *, follows: bool = True) -> Estimate:
    """USD of an approach over a use.

    Args:
        approach: what is paid for and how often.
        use: how much is asked, how often the knowledge changes.
        price: of a query's tokens.
        follows: whether every update is followed, and paid; else only the first version is.
    """
    versions = combine(lambda u: 1.0 + u, [use.updates]) if follows else checked("use", "versions", 1.0)
    return combine(
        lambda once, n, count, version, query, month, t: once + count * version + n * query + t * month,
        [
            *(approach.once_usd, use.queries, versions, approach.version_usd),
            *(approach.usd_per_query(price), approach.month_usd, use.months),
        ],
    )


def right_share(approach: Approach, use: Use, *, follows: bool = True) -> Estimate:
    """Share of right answers over a use."""
    return approach.right_share(0.0 if follows else use.stale())


def usd_per_right(
    approach: Approach, use: Use, price: QueryUsd, *, follows: bool = True, wrong_usd: Amount = 0.0
) -> Estimate:
    """USD of a right answer; infinite where none is right.

    Args:
        wrong_usd: what a wrong answer costs besides.
    """
    total = total_usd(approach, use, price, follows=follows)
    right = right_share(approach, use, follows=follows)

    def each(usd, queries_inverse, loss, part):
        safe = np.where(part > 0, part, 1.0)
        return np.where(part > 0, usd * queries_inverse / safe + loss * (1 - part) / safe, np.inf)

    queries = checked("use", "queries", use.queries)
    inverse = Estimate(1 / queries.value, 1 / queries.value, 1 / queries.value)
    return combine(each, [total, inverse, wrong_usd], [right])


def breakeven_queries(dear_start: Approach, dear_query: Approach, use: Use, price: QueryUsd) -> Estimate:
    """Queries from which an approach that costs more to start is no dearer than one that costs more a query.

    ``N* = (F_1 - F_2) / (v_2 - v_1)`` over the use's months and followed updates; its own ``queries`` are not looked
    at. Zero where the first is also cheaper to start, infinite where its queries are no cheaper.
    """
    fixed = [_fixed(each, use) for each in (dear_start, dear_query)]
    each = [approach.usd_per_query(price) for approach in (dear_start, dear_query)]

    def queries(f1, v2_falls, f2, v1):
        saved = v2_falls - v1
        more = np.maximum(f1 - f2, 0.0)
        return np.where(saved > 0, more / np.where(saved > 0, saved, 1.0), np.where(more > 0, np.inf, 0.0))

    # rises with F_1 and v_1, falls with F_2 and v_2
    return combine(lambda f1, v1, f2, v2: queries(f1, v2, f2, v1), [fixed[0], each[0]], [fixed[1], each[1]])


def _fixed(approach: Approach, use: Use) -> Estimate:
    return combine(
        lambda once, u, version, t, month: once + (1 + u) * version + t * month,
        [approach.once_usd, use.updates, approach.version_usd, use.months, approach.month_usd],
    )
