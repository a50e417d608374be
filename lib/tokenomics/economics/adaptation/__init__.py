"""Long prompt, retrieval, tuning or both: what each costs over its life and per right answer, and where they cross.

:mod:`.approach` says what an approach reads, costs and gets right, sums it over queries and updates and finds
break-even points; :mod:`.index` prices a search index; :mod:`.hosting` prices queries and tuning on devices of one's
own, and simulates how many queries those answer in time. Accuracies are the user's, measured or published: no formula
here predicts them. Energy and carbon join by the same call: anything that maps a ``Reading`` to an amount can stand for
the price.
"""

from tokenomics.economics.adaptation.approach import (
    Approach,
    QueryUsd,
    Reading,
    Use,
    at_prices,
    breakeven_queries,
    right_share,
    total_usd,
    usd_per_right,
)
from tokenomics.economics.adaptation.hosting import adapter_factor, from_served, on_server, queries_per_s, tuning_usd
from tokenomics.economics.adaptation.index import CODES, FLAT, GRAPH, Index

__all__ = [
    "CODES",
    "FLAT",
    "GRAPH",
    "Approach",
    "Index",
    "QueryUsd",
    "Reading",
    "Use",
    "adapter_factor",
    "at_prices",
    "breakeven_queries",
    "from_served",
    "on_server",
    "queries_per_s",
    "right_share",
    "total_usd",
    "tuning_usd",
    "usd_per_right",
]
