"""Rent, buy or API; what an objective costs; how many accelerators users take: closed forms beside simulations."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tokenomics.economics import cost
from tokenomics.estimate import Estimate, combine
from tokenomics.sections.s05_tokenomics_qoe.case import ENDS, Case
from tokenomics.sections.s05_tokenomics_qoe.units import sides
from tokenomics.service import qoe

API = "API"
MOST_SIMULATED = 64
"""Most copies of a fleet that is simulated as a whole."""


@dataclass(frozen=True)
class Way:
    """How accelerators are come by.

    Attributes:
        hour: USD of one.
        hourly: paid for the hours in which it is wanted; else for all hours of the crest's number.
        fixed_usd_per_hour: paid once, however many there are.
    """

    hour: cost.Hour
    hourly: bool = False
    fixed_usd_per_hour: float = 0.0


def hires(rent: Estimate, taken: Estimate | None, p) -> dict[str, cost.Hour]:
    """An hour of an accelerator in each way, from a notebook's parameters; spot only where a list has an offer.

    Args:
        rent: USD an hour on demand.
        taken: USD an hour of spot.
        p: parameters, see :class:`tokenomics.sections.s05_tokenomics_qoe.parameters.Parameters`.
    """
    term = Estimate(*(getattr(rent, end) * (1 - p.reserved_discount) for end in ENDS))
    ways = {"on demand": cost.on_demand(rent), "reserved": cost.reserved(term, p.reserved_used_share)}
    if taken is not None:
        lost = {"interruptions_per_hour": p.spot_interruptions_per_hour, "lost_hours": p.spot_lost_hours}
        ways["spot"] = cost.spot(taken, **lost, fallback_share=p.spot_fallback_share, fallback=rent)
    return ways


@dataclass(frozen=True)
class Site:
    """Where accelerators stand: power of each, power of the site over that of its computers, copies of a plan that may
    fail, and spare copies of a large fleet over those needed."""

    power: cost.Power
    pue: float
    spares: int
    spare_share: float


def site(tdp_w: float, p) -> Site:
    """The site of the parameters."""
    return Site(power(tdp_w, p), p.pue, p.spares, p.spare_share)


def purchase(tdp_w: float, p) -> cost.Purchase:
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


def power(tdp_w: float, p) -> cost.Power:
    """Watts of an accelerator with its share of a host."""
    busy = p.busy_share_of_tdp * tdp_w
    return cost.Power(busy, min(p.idle_share_of_tdp * tdp_w, busy), p.host_w)


def ways(rent: Estimate, taken: Estimate | None, tdp_w: float, p) -> dict[str, Way]:
    """On demand and (where a list has an offer) spot by the hour; reserved and one's own all the time."""
    found = {name: Way(hour, name != "reserved") for name, hour in hires(rent, taken, p).items()}
    team = p.team_usd_per_year / cost.amounts.HOURS_PER_YEAR
    return found | {"own": Way(cost.own(purchase(tdp_w, p)), fixed_usd_per_hour=team)}


def hours_table(by: Mapping[str, Way]) -> pd.DataFrame:
    """A row a way and part of its hour, USD with ends."""
    rows = [
        {"way": name, "part": part} | sides("usd_per_hour", usd)
        for name, way in by.items()
        for part, usd in way.hour.parts.items()
    ]
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Served:
    """What is bought for: a copy that serves ``copy_rps`` requests a second under its objective, and the rate of each
    hour over the mean (ones for a load that stays)."""

    case: Case
    copy_rps: float
    hourly: np.ndarray

    def usd_per_hour(self, way: Way, rates: Sequence[float], end: str = "value") -> np.ndarray:
        """USD an hour of whole copies for mean loads, shape of ``rates``, at an end of the hour's price."""
        load = np.asarray(rates, dtype=float)
        copies = np.maximum(np.ceil(load[..., None] * self.hourly / self.copy_rps - 1e-9), 1)
        paid = copies.mean(axis=-1) if way.hourly else copies.max(axis=-1)
        return paid * self.case.server.devices * float(getattr(way.hour.usd, end)) + way.fixed_usd_per_hour

    def mtokens_per_hour(self, rates: Sequence[float]) -> np.ndarray:
        """Million output tokens an hour of mean loads."""
        return np.asarray(rates, dtype=float) * 3600 * self.case.output / 1e6


def choices(served: Served, by: Mapping[str, Way], rates: Sequence[float], offered: Sequence[float]) -> pd.DataFrame:
    """What is cheapest over load and API price, in whole copies, through a day.

    Args:
        rates: mean loads, requests a second.
        offered: prices of an API of the same quality, USD per million output tokens with the prompt in it.

    Returns:
        ``rate_rps, offered_usd_per_mtoken, limit``: the last is the cheapest way.
    """
    load, price = np.meshgrid(np.asarray(rates, dtype=float), np.asarray(offered, dtype=float), indexing="ij")
    usd = {name: served.usd_per_hour(way, load) for name, way in by.items()}
    best = cost.cheapest(usd | {API: price * served.mtokens_per_hour(load)}).ravel()
    return pd.DataFrame({"rate_rps": load.ravel(), "offered_usd_per_mtoken": price.ravel(), "limit": best})


def borders(served: Served, by: Mapping[str, Way], rates: Sequence[float]) -> pd.DataFrame:
    """Price of an API at which it is as cheap as the cheapest of the other ways, for each load, with the ends of their
    hours: ``rate_rps, usd_per_mtoken`` and its ends."""
    table = {"rate_rps": np.asarray(rates, dtype=float)}
    for side, end in (("", "value"), ("_low", "low"), ("_high", "high")):
        least = np.min([served.usd_per_hour(way, rates, end) for way in by.values()], axis=0)
        table[f"usd_per_mtoken{side}"] = least / served.mtokens_per_hour(rates)
    return pd.DataFrame(table)


def breakeven(case: Case, by: Mapping[str, Way], copy_rps: Estimate, offered: Sequence[float]) -> pd.DataFrame:
    """Load from which one copy is no dearer than the API, for each way and price; infinite (missing) where a copy
    cannot serve so much under the objective. Ends: of the hour; the capacity's middle decides what can be served. A
    team's wages are left out."""
    rows = []
    for name, way in by.items():
        for price in offered:
            task = price * case.output / 1e6
            rate = cost.breakeven_rate(way.hour, task, case.server.devices, float(copy_rps.value))
            row = {"way": name, "offered_usd_per_mtoken": float(price)} | sides("breakeven_rps", rate)
            share = {"breakeven_share": float(rate.value) / float(copy_rps.value)}
            rows.append({key: np.nan if value == np.inf else value for key, value in (row | share).items()})
    return pd.DataFrame(rows)


def slo_prices(case: Case, slos: Iterable[qoe.Slo]) -> pd.DataFrame:
    """Price of each objective: the closed form (mean times of a closed loop) beside the simulation (the share's
    quantiles under Poisson arrivals), USD per million output tokens, each over its own price without an objective."""
    full = cost.usd_per_mtoken(case.hour, case.saturated, case.server.devices)
    rows = []
    for slo in slos:
        closed = cost.price_of_slo(case.server, case.hour, slo, case.prompt, case.output)
        most = case.most_with_ends(slo)
        row = {"objective": slo.name, "ttft_s": slo.ttft_s, "tpot_ms": 1e3 * slo.tpot_s, "share_kept": slo.share}
        row |= {"closed_usd_per_mtoken": float(closed.usd_per_mtoken.value), "closed_ratio": closed.ratio}
        row |= {"copy_rps": float(most.value), "copy_share": float(most.value) / case.saturated_rps}
        tokens = Estimate(*(getattr(most, end) * case.output for end in ENDS))
        priced = _price(case, tokens)
        row |= sides("simulated_usd_per_mtoken", priced)
        row["simulated_ratio"] = float(priced.value / full.value)
        rows.append({key: np.nan if value == np.inf else value for key, value in row.items()})
    return pd.DataFrame(rows)


def _price(case: Case, tokens: Estimate) -> Estimate:
    """USD per million tokens at rates of which some may be 0, where nothing keeps the objective."""
    with np.errstate(divide="ignore"):
        return combine(lambda p, r: 1e6 * case.server.devices * p / (3600 * r), rising=[case.hour], falling=[tokens])


def plans(case: Case, demand: cost.Demand, slo: qoe.Slo, copy_rps: Estimate, at: Site) -> pd.DataFrame:
    """Fleets for each number of users: the closed form, and with the rate of a copy that a simulation found; beside
    them the fewest copies of a simulated fleet (least loaded routing) that keep the objective, up to 64.

    Returns:
        A row a number of users; ``error`` is closed over simulated copies, spares left out, less 1, and ``shard_error``
        the same of what one copy's rate says.
    """
    spares = at.spares
    common = {"power": at.power, "pue": at.pue, "spares": spares, "share": slo.share}
    closed = cost.plan(demand, case.server, case.hour, slo, **common)
    by_rate = cost.plan(demand, case.server, case.hour, slo, **common, replica_rate=copy_rps)
    rows = []
    for place, users in enumerate(np.atleast_1d(demand.users_per_day)):
        peak = float(np.atleast_1d(demand.peak_rate)[place])
        row = {"users_per_day": users, "peak_rps": peak, "closed_copies": float(closed.replicas.value[place])}
        for name, each in (("copies", by_rate.replicas), ("accelerators", by_rate.accelerators)):
            row |= sides(name, _of(each, place))
        row |= sides("usd_per_month", _of(by_rate.usd_per_month, place))
        row |= sides("usd_per_mtoken", _of(by_rate.usd_per_mtoken, place))
        row |= {
            "mean_kw": float(by_rate.mean_w.value[place]) / 1e3,
            "peak_kw": float(by_rate.peak_w.value[place]) / 1e3,
        }
        row |= {"used": float(by_rate.utilisation.value[place])}
        fleet = fewest(case, slo, peak, int(row["copies"]))
        row |= {"simulated_copies": fleet + spares if fleet else np.nan}
        row["error"] = (row["closed_copies"] - spares) / fleet - 1 if fleet else np.nan
        rows.append(row | {"shard_error": (row["copies"] - spares) / fleet - 1 if fleet else np.nan})
    return pd.DataFrame(rows)


def _of(estimate: Estimate, place: int) -> Estimate:
    return Estimate(*(np.atleast_1d(getattr(estimate, end))[place] for end in ENDS))


def fewest(case: Case, slo: qoe.Slo, peak_rps: float, most: int) -> int | None:
    """Copies of the smallest fleet that keeps the objective at a load, at most ``most``; ``None`` where that is more
    than :data:`MOST_SIMULATED` or not enough."""
    if most > MOST_SIMULATED:
        return None
    low, high = 0, most
    if not case.keeps(case.run(peak_rps / high, replicas=high), slo):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if case.keeps(case.run(peak_rps / middle, replicas=middle), slo) else (middle, high)
    return high
