"""What an approach costs over a time, and per right answer; where two approaches cost the same.

For N queries, U updates followed and T months: ``once + (1 + U) version + N query + T month`` (F + N v for short). A
right answer costs the total over the share that is right: the expected number of tries until one is (cost of pass,
Erol et al., arXiv:2504.13359), where wrong answers are recognised and asked again at no other price; a price ``L`` of
a wrong answer adds ``L (1 - A) / A``. Left out: discounting, the price of waiting, learning from users.
"""

from dataclasses import dataclass

import numpy as np

from tokenomics.economics.adaptation.approach import Approach, QueryUsd
from tokenomics.economics.cost.amounts import checked, share
from tokenomics.estimate import Amount, Estimate, combine


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
        approach: the way to answer.
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
