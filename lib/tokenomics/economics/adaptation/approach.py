"""Ways to give a model knowledge: what a query reads and writes, what a version costs, how often it is right.

A *version* is the knowledge between two changes of it. What an approach pays once a version (an index, a tuned model)
is paid again at every update that it follows; an approach that does not follow goes stale.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

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
    """A way to answer from knowledge of one's own.

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
    notes: str = field(default="", compare=False)

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
