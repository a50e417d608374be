"""How many replicas users take: plans for a number of users, shards that share arrivals, and billions of prompts a day.

Closed forms stand beside simulations of whole fleets where those are small enough.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd

from tokenomics.economics import cost
from tokenomics.errors import Infeasible
from tokenomics.estimate import ENDS, OPPOSITE, Estimate
from tokenomics.notebook import units
from tokenomics.notebook.report import Metric, extreme
from tokenomics.sections.s05_tokenomics_qoe.case import Case
from tokenomics.sections.s05_tokenomics_qoe.decisions import power
from tokenomics.sections.s05_tokenomics_qoe.parameters import Parameters
from tokenomics.service import qoe
from tokenomics.service.replica import keeps

MOST_SIMULATED = 64
"""Most replicas of a fleet that is simulated as a whole."""
SECONDS_PER_DAY, HOURS_PER_DAY = 86400.0, 24.0
MEGA = 1e6


@dataclass(frozen=True)
class Site:
    """Where accelerators stand: power of each, power of the site over that of its computers, replicas of a plan that
    may fail, and spare replicas of a large fleet over those needed."""

    power: cost.Power
    pue: float
    spares: int
    spare_share: float

    @classmethod
    def of(cls, tdp_w: float, p: Parameters) -> "Site":
        """The site of the parameters."""
        return cls(power(tdp_w, p), p.pue, p.spares, p.spare_share)


def plans(case: Case, demand: cost.Demand, slo: qoe.Slo, replica_rps: Estimate, at: Site) -> pd.DataFrame:
    """Fleets for each number of users: the closed form, and with the rate of a replica that a simulation found; beside
    them the fewest replicas of a simulated fleet (least loaded routing) that keep the objective, up to 64.

    Returns:
        A row a number of users; ``closed_error`` is closed over simulated replicas, spares left out, less 1, and
        ``rate_error`` the same of what one replica's rate says.
    """
    rent, spares = case.usd_per_device_hour, at.spares
    common = {"power": at.power, "pue": at.pue, "spares": spares, "share": slo.share}
    closed = _planned(demand, case.server, rent, slo, **common)
    by_rate = _planned(demand, case.server, rent, slo, **common, replica_rate=replica_rps)
    estimates = {"replicas": by_rate.replicas, "accelerators": by_rate.accelerators}
    estimates |= {"usd_per_month": by_rate.usd_per_month, "usd_per_mtok": by_rate.usd_per_mtoken}
    rows = []
    for place, users in enumerate(np.atleast_1d(demand.users_per_day)):
        peak = float(np.atleast_1d(demand.peak_rate)[place])
        row = {"users_per_day": users, "peak_rps": peak, "closed_replicas": float(closed.replicas.value[place])}
        for name, each in estimates.items():
            row |= units.columns(name, each.map(lambda values, place=place: np.atleast_1d(values)[place]))
        for name, watts in (("mean_kw", by_rate.mean_w), ("peak_kw", by_rate.peak_w)):
            row[name] = float(watts.value[place]) / 1e3
        row["used_share"] = float(by_rate.utilisation.value[place])
        needed = fewest(case, slo, peak, int(row["replicas"])) if np.isfinite(row["replicas"]) else None
        row["simulated_replicas"] = needed + spares if needed else np.nan
        for error, replicas in (("closed_error", "closed_replicas"), ("rate_error", "replicas")):
            row[error] = (row[replicas] - spares) / needed - 1 if needed else np.nan
        rows.append(row)
    return pd.DataFrame(rows).replace(np.inf, np.nan)


def _planned(demand: cost.Demand, *given: Any, **options: Any) -> cost.Plan:
    """A plan; one of infinitely many replicas where the objective cannot be kept."""
    try:
        return cost.plan(demand, *given, **options)
    except Infeasible:
        never = np.full(np.shape(demand.mean_rate), np.inf)
        unknown = np.full(np.shape(demand.mean_rate), np.nan)
        ends = {"utilisation": unknown, "mean_w": unknown, "peak_w": unknown}
        names = [each.name for each in fields(cost.Plan)]
        return cost.Plan(**{name: Estimate(*[ends.get(name, never)] * 3) for name in names})


def fewest(case: Case, slo: qoe.Slo, peak_rps: float, most: int) -> int | None:
    """Replicas of the smallest fleet that keeps the objective at a load, at most ``most``; ``None`` where that is more
    than :data:`MOST_SIMULATED` or not enough."""
    if most > MOST_SIMULATED or not keeps(case.run(peak_rps / most, replicas=most), slo):
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if keeps(case.run(peak_rps / middle, replicas=middle), slo) else (middle, high)
    return high


def plan_metrics(table: pd.DataFrame, devices: int) -> dict[str, Metric]:
    """How far plans are off, and the largest fleet that was simulated as a whole.

    Args:
        devices: of a replica.
    """
    meaning = "replicas over a simulated fleet's, less 1, largest:"
    largest = extreme(table.dropna(subset=["simulated_replicas"]), "users_per_day")
    found = {
        "plan_closed_error": Metric(table["closed_error"].abs().max(), "1", f"{meaning} closed form"),
        "plan_rate_error": Metric(table["rate_error"].abs().max(), "1", f"{meaning} rate of one replica"),
        "plan_users": Metric(largest["users_per_day"], "1", "users a day of the largest fleet simulated as a whole"),
        "plan_accelerators": Metric(largest["simulated_replicas"] * devices, "1", "its accelerators"),
        "plan_kw": Metric(largest["mean_kw"], "kW", "its mean power by the plan"),
    }
    none = f"for none of these users a fleet of up to {MOST_SIMULATED} replicas keeps the objective"
    return {key: replace(each, reason=none) for key, each in found.items()}


def shards(case: Case, slo: qoe.Slo, largest: int) -> pd.DataFrame:
    """Requests a second of a replica that keep the objective in shards of 1, 2, 4 ... replicas behind one least-loaded
    queue: the more replicas share arrivals, the less the largest scatters; a fleet of shards is as good as its shard.

    Args:
        largest: replicas of a shard, at most.
    """
    sizes = [2**n for n in range(int(np.log2(largest)) + 1)]
    table = pd.DataFrame([{"replicas": n, "replica_rps": case.highest_rate(slo, replicas=n)} for n in sizes])
    return table.assign(share=table["replica_rps"] / case.saturated_rps)


def shard_gain(table: pd.DataFrame, replica_rps: Estimate) -> float:
    """What a replica of the largest shard bears over one alone; NaN if that bears nothing."""
    largest, alone = table.loc[table["replicas"].idxmax(), "replica_rps"], float(replica_rps.value)
    return largest / alone if alone > 0 else np.nan


def extrapolated(
    case: Case, replica_rps: Estimate, prompts_per_day: float, peak: float, site: Site
) -> dict[str, Estimate]:
    """A fleet of equal shards: whole replicas for the peak of a day at a rate each, spares on top, all paid all day.

    Taken for granted: prompts and replies are as long as the simulated ones, all of one model; every shard sees the
    same day and Poisson arrivals; routing keeps shards even; a replica draws busy power for the share of the saturated
    rate that it is given, idle power else; network, storage and idle regions are left out.

    Args:
        replica_rps: requests a second of a replica under the objective, from simulated shards.
        peak: busiest hour over the mean.

    Returns:
        By column name, each with the ends of the step times (and, in money, of the rent): ``replicas, accelerators``
        with spares, ``usd_per_day, usd_per_request, usd_per_mtok``, ``used_share`` (mean load over what all replicas do
        when saturated), ``mean_mw, peak_mw`` of the site.
    """
    mean = prompts_per_day / SECONDS_PER_DAY
    found = []
    for end in ENDS:  # a low cost takes the high rate and the low rent
        rate = np.nan_to_num(np.float64(replica_rps.at(OPPOSITE[end])))
        with np.errstate(divide="ignore"):
            replicas = np.ceil(np.ceil(mean * peak / rate) * (1 + site.spare_share))
        devices = replicas * case.server.devices
        usd = devices * HOURS_PER_DAY * float(case.usd_per_device_hour.at(end))
        full = replicas * float(case.saturated_tok_per_s.at(OPPOSITE[end])) / case.output
        watts = [devices * float(site.power.at(min(load / full, 1.0)).value) * site.pue for load in (mean, mean * peak)]
        row = {"replicas": replicas, "accelerators": devices, "usd_per_day": usd}
        row |= {"usd_per_mtok": 1e6 * usd / (prompts_per_day * case.output), "usd_per_request": usd / prompts_per_day}
        found.append(row | {"mean_mw": watts[0] / MEGA, "peak_mw": watts[1] / MEGA, "used_share": mean / full})
    ends = pd.DataFrame(found, index=ENDS)
    return {name: Estimate(*map(np.asarray, (each["value"], each.min(), each.max()))) for name, each in ends.items()}


def in_shard(replica_rps: Estimate, gain: float) -> Estimate:
    """What a replica bears in a shard: alone, times the gain of sharing, which is taken as the same at all ends."""
    return replica_rps.map(lambda rate: rate * gain)


def by_case(
    cases: Mapping[str, Case], slo: qoe.Slo, gain: float, asked: tuple[float, float], site: Site
) -> pd.DataFrame:
    """A fleet of each replica that can keep the objective.

    Args:
        gain: of a shard over a replica alone, from the own replica.
        asked: prompts a day, and the busiest hour over the mean.
    """
    rows = []
    for name, case in cases.items():
        rate = case.rate_within(slo)
        if float(rate.low) > 0:
            found = extrapolated(case, in_shard(rate, gain), *asked, site)
            row = {"replica": name, "replica_rps": float(rate.value)}
            for column in ("accelerators", "usd_per_day", "usd_per_mtok"):
                row |= units.columns(column, found[column])
            rows.append(row | {column: float(found[column].value) for column in ("mean_mw", "used_share")})
    return pd.DataFrame(rows)


def table(fleet: Mapping[str, Estimate]) -> pd.DataFrame:
    """A row an end of the fleet's numbers, a column a number."""
    ends = {name: [float(each.at(end)) for end in ENDS] for name, each in fleet.items()}
    return pd.DataFrame({"end": ENDS} | ends).replace(np.inf, np.nan)


def metrics(fleet: Mapping[str, Estimate], gain: float, prompts_per_day: float) -> dict[str, Metric]:
    """What a shard gains, and devices, money and power of the large fleet."""
    devices, usd = (fleet[name] for name in ("accelerators", "usd_per_day"))
    never = "the objective is kept at no load"
    thousand = fleet["usd_per_request"].map(lambda usd: 1e3 * usd)
    return {
        "shard_gain": Metric(
            gain - 1, "1", "what a replica of the largest shard bears over one alone, less 1", reason=never
        ),
        "prompts_billion": Metric(prompts_per_day / 1e9, "1e9/day", "prompts of the large fleet"),
        "fleet_accelerators": Metric.of(
            devices.map(lambda n: n / 1e3), "1000", "accelerators of the large fleet", never
        ),
        "fleet_usd": Metric.of(
            usd.map(lambda each: each / MEGA), "MUSD/day", "price of a day of the large fleet", never
        ),
        "fleet_prompt": Metric.of(thousand, "USD", "price of a thousand prompts there", never),
        "fleet_mw": Metric.of(fleet["mean_mw"], "MW", "mean power of the large fleet's site", never),
    }
