"""Rent, buy or API: what an hour of a device costs by each option, and which option is cheapest at which load."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from tokenomics.economics import cost
from tokenomics.estimate import ENDS, Estimate
from tokenomics.notebook import units
from tokenomics.notebook.report import Metric, cell
from tokenomics.sections.s05_tokenomics_qoe.case import Case
from tokenomics.sections.s05_tokenomics_qoe.parameters import Parameters

API, ON_DEMAND, SPOT, RESERVED, OWN = "API", "on demand", "spot", "reserved", "own"
OFFERED, PRICE = "offered_usd_per_mtok", "usd_per_mtok"
NEVER = Estimate(*[np.asarray(np.inf)] * 3)


@dataclass(frozen=True)
class Option:
    """How devices are come by.

    Attributes:
        hour: USD of one.
        hourly: paid for the hours in which it is wanted; else for all hours, as many as the peak needs.
        fixed_usd_per_hour: paid once, however many there are.
    """

    hour: cost.Hour
    hourly: bool = False
    fixed_usd_per_hour: float = 0.0


def options(rent: Estimate, spot: Estimate | None, tdp_w: float, p: Parameters) -> dict[str, Option]:
    """On demand and (where a list has an offer) spot by the hour; reserved and owned all the time.

    Args:
        rent: USD an hour on demand.
        spot: USD an hour of spot.
    """
    found = {ON_DEMAND: Option(cost.on_demand(rent), hourly=True)}
    term = rent.map(lambda usd: usd * (1 - p.reserved_discount))
    found[RESERVED] = Option(cost.reserved(term, p.reserved_used_share))
    if spot is not None:
        lost = {"interruptions_per_hour": p.spot_interruptions_per_hour, "lost_hours": p.spot_lost_hours}
        hour = cost.spot(spot, **lost, fallback_share=p.spot_fallback_share, fallback=rent)
        found[SPOT] = Option(hour, hourly=True)
    team = p.team_usd_per_year / cost.amounts.HOURS_PER_YEAR
    found[OWN] = Option(cost.own(purchase(tdp_w, p)), fixed_usd_per_hour=team)
    return found


def purchase(tdp_w: float, p: Parameters) -> cost.Purchase:
    """An accelerator of one's own under the parameters' assumptions."""
    return cost.Purchase(
        usd=p.purchase_usd,
        power=power(tdp_w, p),
        pue=p.pue,
        usd_per_kwh=p.usd_per_kwh,
        years=p.purchase_years,
        interest=p.interest,
        space_usd_per_kw_month=p.space_usd_per_kw_month,
        people_usd_per_year=p.people_usd_per_year,
        maintenance_share=p.maintenance_share,
    )


def power(tdp_w: float, p: Parameters) -> cost.Power:
    """Watts of an accelerator with its share of a host."""
    busy = p.busy_share_of_tdp * tdp_w
    return cost.Power(busy, min(p.idle_share_of_tdp * tdp_w, busy), p.host_w)


def hours_table(by: Mapping[str, Option]) -> pd.DataFrame:
    """A row an option and part of its hour, USD with its interval."""
    rows = [
        {"option": name, "part": part} | units.columns("usd_per_hour", usd)
        for name, option in by.items()
        for part, usd in option.hour.parts.items()
    ]
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Served:
    """What is bought for: a replica that serves ``replica_rps`` requests a second under its objective (0: no number of
    them is enough), and the rate of each hour over the mean (ones for a load that stays)."""

    case: Case
    replica_rps: float
    hourly: np.ndarray

    def usd_per_hour(self, option: Option, rates: Sequence[float], end: str = "value") -> np.ndarray:
        """USD an hour of whole replicas for mean loads, shape of ``rates``, at an end of the hour's price."""
        load = np.asarray(rates, dtype=float)
        with np.errstate(divide="ignore"):
            replicas = np.maximum(np.ceil(load[..., None] * self.hourly / np.float64(self.replica_rps) - 1e-9), 1)
        paid = replicas.mean(axis=-1) if option.hourly else replicas.max(axis=-1)
        return paid * self.case.server.devices * float(option.hour.usd.at(end)) + option.fixed_usd_per_hour

    def mtok_per_hour(self, rates: Sequence[float]) -> np.ndarray:
        """Million output tokens an hour of mean loads."""
        return np.asarray(rates, dtype=float) * 3600 * self.case.output / 1e6


def choices(
    served: Mapping[str, Served], by: Mapping[str, Option], rates: Sequence[float], offered: Sequence[float]
) -> pd.DataFrame:
    """What is cheapest over load and API price, in whole replicas, through a day; a panel for each of ``served``.

    Args:
        rates: mean loads, requests a second.
        offered: prices of an API of the same quality, USD per million output tokens with the prompt in it.

    Returns:
        ``rate_rps, offered_usd_per_mtok, limit, panel``: the third is the cheapest option.
    """
    load, price = np.meshgrid(np.asarray(rates, dtype=float), np.asarray(offered, dtype=float), indexing="ij")
    tables = []
    for name, it in served.items():
        usd = {each: it.usd_per_hour(option, load) for each, option in by.items()}
        best = cost.cheapest(usd | {API: price * it.mtok_per_hour(load)}).ravel()
        columns = {"rate_rps": load.ravel(), OFFERED: price.ravel(), "limit": best, "panel": name}
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables)


def borders(served: Mapping[str, Served], by: Mapping[str, Option], rates: Sequence[float]) -> pd.DataFrame:
    """Price of an API at which it is as cheap as the cheapest of the other options, for each load, with the ends of
    their hours: ``rate_rps, usd_per_mtok`` and its ends, ``panel``."""
    tables = []
    for name, it in served.items():
        least = (np.min([it.usd_per_hour(option, rates, end) for option in by.values()], axis=0) for end in ENDS)
        price = Estimate(*(usd / it.mtok_per_hour(rates) for usd in least))
        columns = {"rate_rps": np.asarray(rates, dtype=float)} | units.columns(PRICE, price)
        tables.append(pd.DataFrame(columns | {"panel": name}))
    return pd.concat(tables).replace(np.inf, np.nan)


def breakeven(case: Case, by: Mapping[str, Option], replica_rps: Estimate, offered: Sequence[float]) -> pd.DataFrame:
    """Load from which one replica is no dearer than the API, for each option and price; missing where a replica cannot
    serve so much under the objective, or nobody offers the model.

    Ends: of the hour; the middle of the rate decides what can be served. A team's wages are left out.
    """
    rows = []
    for name, option in by.items():
        for price in offered:
            most, rate = float(replica_rps.value), NEVER
            if most > 0 and price > 0:
                rate = cost.breakeven_rate(option.hour, price * case.output / 1e6, case.server.devices, most)
            row = {"option": name, OFFERED: float(price)} | units.columns("breakeven_rps", rate)
            rows.append(row | {"breakeven_share": float(rate.value) / most if most > 0 else np.nan})
    return pd.DataFrame(rows).replace(np.inf, np.nan)


def breakeven_metrics(even: pd.DataFrame, offered: float) -> dict[str, Metric]:
    """The price that the API asks, and the load from which one replica on demand is no dearer."""
    row = even[(even["option"] == ON_DEMAND) & np.isclose(even[OFFERED], offered, equal_nan=True)].iloc[0]
    dearer = "a replica on demand is dearer at every load that it serves under the objective"
    if not offered > 0:
        dearer = "nobody offered the model in that year"
    meaning = "median offer of the year for the same weights, prompt included"
    return {
        "api_price": Metric(offered, "USD/Mtok", meaning, reason=dearer),
        "breakeven_rps": replace(
            cell(row, "breakeven_rps", "load from which a replica on demand is no dearer"), reason=dearer
        ),
        "breakeven_share": replace(
            cell(row, "breakeven_share", "that over what it can take under the objective", "1"), reason=dearer
        ),
    }
