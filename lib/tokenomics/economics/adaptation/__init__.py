"""Long prompt, retrieval, tuning or both: what each costs over its life and per right answer, and where they cross.

:mod:`.approach` says what an approach reads, costs and gets right; :mod:`.totals` sums it over queries and updates and
finds break-even points; :mod:`.index` prices a search index; :mod:`.hosting` prices queries and tuning on devices of
one's own, :mod:`.served` simulates how many queries those answer in time. Accuracies are the user's, measured or
published: no formula here predicts them. Energy and carbon join by the same call: anything that maps a
``Reading`` to an amount can stand for the price.
"""

from tokenomics.economics.adaptation.approach import Approach, QueryUsd, Reading, at_prices
from tokenomics.economics.adaptation.hosting import adapter_factor, from_served, on_server, tuning_usd
from tokenomics.economics.adaptation.index import CODES, FLAT, GRAPH, Index
from tokenomics.economics.adaptation.served import queries_per_s
from tokenomics.economics.adaptation.totals import (
    Use,
    breakeven_queries,
    right_share,
    total_usd,
    usd_per_right,
)

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
