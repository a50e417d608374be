"""Dollars of tokens, tasks and months: rent, own or call an API; what a load, an objective and a fleet cost.

From the hour to the token: :mod:`.hourly` prices an accelerator-hour; :mod:`.tokens` turns it into USD per million
input, cached and output tokens, per task and user-month, at saturation, below it and as simulated; :mod:`.api` prices
lists and sets one against the other; :mod:`.capacity` prices an SLO and sizes a fleet. Amounts are numbers, arrays or
:class:`tokenomics.estimate.Estimate`; answers are estimates, whose ends come from the worst and the best of what went
in, taken together (wider than independent errors would make them).

The closed forms hold for means at one mix of lengths. Under a load that queues, :mod:`tokenomics.service` simulates;
the two stand side by side and are never multiplied: a simulated cost already holds the idle time that ``C_sat / U``
adds.
"""

from tokenomics.economics.cost.api import api_usd, breakeven_rate, cheapest, listed, tokenizer_ratio
from tokenomics.economics.cost.capacity import Demand, Plan, SloPrice, plan, price_of_slo
from tokenomics.economics.cost.hourly import (
    Hour,
    Power,
    Purchase,
    offers,
    on_demand,
    own,
    rent,
    required_rent,
    reserved,
    spot,
)
from tokenomics.economics.cost.tokens import (
    TokenPrices,
    achieved,
    effective,
    per_user_month,
    self_hosted,
    simulated,
    usd_per_mtoken,
    utilisation,
)

__all__ = [
    "Demand",
    "Hour",
    "Plan",
    "Power",
    "Purchase",
    "SloPrice",
    "TokenPrices",
    "achieved",
    "api_usd",
    "breakeven_rate",
    "cheapest",
    "effective",
    "listed",
    "offers",
    "on_demand",
    "own",
    "per_user_month",
    "plan",
    "price_of_slo",
    "rent",
    "required_rent",
    "reserved",
    "self_hosted",
    "simulated",
    "spot",
    "tokenizer_ratio",
    "usd_per_mtoken",
    "utilisation",
]
