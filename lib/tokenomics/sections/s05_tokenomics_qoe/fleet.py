"""From shards to a fleet: what a copy bears as more copies share arrivals, and what billions of prompts a day take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tokenomics.estimate import Estimate
from tokenomics.sections.s05_tokenomics_qoe.case import ENDS, Case
from tokenomics.sections.s05_tokenomics_qoe.decisions import Site
from tokenomics.sections.s05_tokenomics_qoe.units import sides
from tokenomics.service import qoe

SECONDS_PER_DAY, HOURS_PER_DAY = 86400.0, 24.0
MEGA = 1e6


def shards(case: Case, slo: qoe.Slo, copies: Sequence[int]) -> pd.DataFrame:
    """Requests a second of a copy that keep the objective in shards of several copies behind one least-loaded queue:
    the more copies share arrivals, the less the largest scatters; a fleet of shards is as good as its shard."""
    rows = [{"copies": n, "copy_rps": case.most(slo, replicas=n)} for n in copies]
    table = pd.DataFrame(rows)
    return table.assign(share=table["copy_rps"] / case.saturated_rps)


@dataclass(frozen=True)
class Fleet:
    """A fleet of equal shards, each number with the ends of the step times (and, in money, of the rent).

    Attributes:
        copies, accelerators: spares included.
        usd_per_day, usd_per_mtoken, usd_per_prompt: accelerators paid all day.
        mean_mw, crest_mw: power of the site over the day, and in its busiest hour.
        used: mean load of the day over what all copies can do when saturated.
    """

    copies: Estimate
    accelerators: Estimate
    usd_per_day: Estimate
    usd_per_mtoken: Estimate
    usd_per_prompt: Estimate
    mean_mw: Estimate
    crest_mw: Estimate
    used: Estimate


def extrapolated(case: Case, copy_rps: Estimate, prompts_per_day: float, crest: float, site: Site) -> Fleet:
    """Whole copies for the crest of a day at a rate each, spares on top, all paid all day.

    Taken for granted: prompts and replies are as long as the simulated ones, all of one model; every shard sees the
    same day and Poisson arrivals; routing keeps shards even; a copy draws busy power for the share of the saturated
    rate that it is given, idle power else; network, storage and idle regions are left out.

    Args:
        copy_rps: requests a second of a copy under the objective, from simulated shards.
        crest: busiest hour over the mean.
    """
    mean = prompts_per_day / SECONDS_PER_DAY
    found: dict[str, dict[str, float]] = {name: {} for name in Fleet.__annotations__}
    slow = {"value": "value", "low": "high", "high": "low"}
    for end in ENDS:  # a low cost takes the high rate and the low rent
        rate = float(getattr(copy_rps, slow[end]))
        copies = np.ceil(np.ceil(mean * crest / rate) * (1 + site.spare_share))
        devices = copies * case.server.devices
        usd = devices * HOURS_PER_DAY * float(getattr(case.hour, end))
        full = copies * float(getattr(case.saturated, slow[end])) / case.output
        watts = [
            devices * float(site.power.at(min(load / full, 1.0)).value) * site.pue for load in (mean, mean * crest)
        ]
        row = {"copies": copies, "accelerators": devices, "usd_per_day": usd, "usd_per_prompt": usd / prompts_per_day}
        row |= {"usd_per_mtoken": 1e6 * usd / (prompts_per_day * case.output), "used": mean / full}
        row |= {"mean_mw": watts[0] / MEGA, "crest_mw": watts[1] / MEGA}
        for name, number in row.items():
            found[name][end] = number
    return Fleet(**{name: _sorted(ends) for name, ends in found.items()})


def _sorted(ends: dict[str, float]) -> Estimate:
    values = np.array(list(ends.values()))
    return Estimate(np.asarray(ends["value"]), values.min(), values.max())


def scaled(copy_rps: Estimate, gain: float) -> Estimate:
    """What a copy bears in a shard: alone, times the gain of sharing, which is taken as the same at all ends."""
    return Estimate(*(np.asarray(getattr(copy_rps, end) * gain) for end in ENDS))


def by_case(
    cases: Mapping[str, Case], slo: qoe.Slo, gain: float, asked: tuple[float, float], site: Site
) -> pd.DataFrame:
    """A fleet of each copy that can keep the objective.

    Args:
        gain: of a shard over a copy alone, from the own copy.
        asked: prompts a day, and the busiest hour over the mean.
    """
    rows = []
    for name, case in cases.items():
        most = case.most_with_ends(slo)
        if float(most.low) > 0:
            found = extrapolated(case, scaled(most, gain), *asked, site)
            row = {"copy": name, "copy_rps": float(most.value)} | sides("accelerators", found.accelerators)
            row |= sides("usd_per_day", found.usd_per_day) | sides("usd_per_mtoken", found.usd_per_mtoken)
            rows.append(row | {"mean_mw": float(found.mean_mw.value), "used": float(found.used.value)})
    return pd.DataFrame(rows)


def table(fleet: Fleet) -> pd.DataFrame:
    """A row a quantity: value, low, high."""
    units = {"copies": "1", "accelerators": "1", "usd_per_day": "USD/day", "usd_per_mtoken": "USD/Mtoken"}
    units |= {"usd_per_prompt": "USD", "mean_mw": "MW", "crest_mw": "MW", "used": "1"}
    rows = [
        {"quantity": name, "unit": unit} | {end: float(getattr(getattr(fleet, name), end)) for end in ENDS}
        for name, unit in units.items()
    ]
    return pd.DataFrame(rows)
