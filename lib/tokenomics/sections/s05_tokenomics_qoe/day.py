"""A day of traffic: fleets of fixed size, one that follows the hour, and one that is scaled, on the same requests.

The shape of the day is synthetic (one peak, one trough); lengths are those of a workload.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from tokenomics.economics import cost
from tokenomics.notebook.report import Metric, cell
from tokenomics.sections.s05_tokenomics_qoe.case import Case
from tokenomics.sections.s05_tokenomics_qoe.parameters import Parameters
from tokenomics.service import qoe, workload
from tokenomics.service.simulator import Outcome, Scaling
from tokenomics.service.timeline import quantiles
from tokenomics.service.workload.arrivals import DAY_S, HOUR_S

HOURS = np.arange(24)
FOR_PEAK, FOR_MEAN, BY_HOUR, AUTOSCALED = "for the peak", "for the mean", "by the hour", "autoscaled"
FLEETS = {"peak": FOR_PEAK, "mean": FOR_MEAN, "follow": BY_HOUR, "scaled": AUTOSCALED}
NEVER = "the objective is kept at no load"


@dataclass(frozen=True)
class Day:
    """Who comes when.

    Attributes:
        lengths: workload whose lengths are drawn.
        swing, peak_hour: of :func:`tokenomics.service.workload.cosine_day`.
        seed: of every draw.
    """

    lengths: str
    swing: float
    peak_hour: float
    seed: int

    @property
    def hourly(self) -> np.ndarray:
        """Rate of each hour over the mean."""
        return np.array(workload.cosine_day(self.swing, self.peak_hour))

    @property
    def peak(self) -> float:
        """Rate of the busiest hour over the mean."""
        return float(self.hourly.max())

    def stream(self, peak_rps: float) -> workload.Stream:
        """A day's requests whose busiest hour brings ``peak_rps``."""
        shape = workload.Diurnal(workload.Poisson(peak_rps / self.peak), tuple(self.hourly))
        drawn = workload.workload(self.lengths)
        return drawn.draw(duration_s=DAY_S, seed=self.seed, arrivals=shape, prefixes=False)

    def thinned(self, stream: workload.Stream, share: float) -> workload.Stream:
        """Each request kept with a probability: the same day with fewer users."""
        return stream.take(np.random.default_rng(self.seed).random(len(stream)) < share)

    def needed(self, peak_rps: float, replica_rps: float) -> np.ndarray:
        """Replicas that each hour needs at ``replica_rps`` each, at least one."""
        rates = self.hourly / self.peak * peak_rps
        return np.maximum(np.ceil(rates / replica_rps - 1e-9), 1)


def following(case: Case, stream: workload.Stream, replicas: np.ndarray) -> list[Outcome]:
    """As many replicas as each hour has, there at once and gone at once: no start-up, and what is under way at the end
    of an hour is finished on replicas that are no longer paid. The least that any scaling could cost.

    Args:
        replicas: for each hour.
    """
    hour = np.minimum((stream.arrival_s // HOUR_S).astype(int), 23)
    parts = []
    for each in HOURS:
        some = stream.take(hour == each)
        parts.append(case.serve(replace(some, arrival_s=some.arrival_s - each * HOUR_S), replicas=int(replicas[each])))
    return parts


def scaling(case: Case, replica_rps: float, most: int, headroom: float, start_s: float) -> Scaling:
    """An autoscaler that aims at a share of the requests that a replica has inside at its highest rate.

    Args:
        replica_rps: that rate, under the objective.
        most: replicas, at most.
        headroom: share of those requests from which another replica is started; at three quarters of it one may go.
        start_s: seconds until a new replica serves.
    """
    inside = replica_rps * float(np.nanmean(case.run(replica_rps).e2e_s))
    return Scaling(most=most, high=headroom * inside, low=0.75 * headroom * inside, start_s=start_s)


def scaled(case: Case, stream: workload.Stream, rule: Scaling, first: int) -> tuple[Outcome, np.ndarray]:
    """A day under an autoscaler that starts with ``first`` replicas, and the mean number of replicas paid in each hour
    (serving, starting and draining ones)."""
    done = case.serve(stream, replicas=first, scaling=rule)
    log = done.fleet
    there = log["serving"] + log["starting"] + log["draining"]
    paid = np.concatenate([[0.0], np.cumsum(np.diff(np.r_[log["time_s"], DAY_S]) * there)])
    at = np.interp(np.arange(25) * HOUR_S, np.r_[log["time_s"], DAY_S], paid)
    return done, np.diff(at) / HOUR_S


def hours(parts: Outcome | Sequence[Outcome], slo: qoe.Slo, replicas: np.ndarray, name: str) -> pd.DataFrame:
    """A row an hour of arrival: load, 95 % quantiles, share of requests that keeps the objective.

    Args:
        parts: a whole day, or its hours one by one.
        replicas: paid in each hour.
    """
    if isinstance(parts, Outcome):
        arrived = np.minimum(parts.requests.arrival_s // HOUR_S, 23)
        seen = [(parts, arrived == each) for each in HOURS]
    else:
        seen = [(part, np.ones(len(part.status), dtype=bool)) for part in parts]
    rows = [
        {"fleet": name, "hour": each, "replicas": float(paid)} | _seen(done, inside, slo)
        for each, paid, (done, inside) in zip(HOURS, replicas, seen, strict=True)
    ]
    return pd.DataFrame(rows)


def _seen(done: Outcome, inside: np.ndarray, slo: qoe.Slo) -> dict[str, float]:
    """Of the requests inside an hour."""
    ttft, tpot = done.ttft_s[inside], np.nan_to_num(done.tpot_s[inside])
    kept = done.finished[inside] & (ttft <= slo.ttft_s) & (tpot <= slo.tpot_s)
    row = {"requests": float(inside.sum()), "rate_rps": inside.sum() / HOUR_S, "attained_share": float(kept.mean())}
    row |= {"ttft_p95_s": float(quantiles(ttft, 0.95)), "tpot_p95_ms": 1e3 * float(quantiles(tpot, 0.95))}
    return row | {"output_tok": float(done.requests.output[inside].sum())}


def played(case: Case, traffic: Day, slo: qoe.Slo, replica_rps: float, p: Parameters) -> pd.DataFrame:
    """The hours of four fleets through the same day, whose peak asks for as many replicas as the parameters say: fixed
    for the peak, fixed for the mean, following the hour, autoscaled.

    Args:
        replica_rps: highest rate of a replica under the objective; at 0 no fleet is large enough, and there is no row.
    """
    if not replica_rps > 0:
        return pd.DataFrame(columns=["fleet", "hour", "replicas", "requests", "rate_rps", "attained_share"])
    most = p.peak_replicas
    stream = traffic.stream(most * replica_rps)
    found = []
    for name, fixed in ((FOR_PEAK, most), (FOR_MEAN, max(round(most / traffic.peak), 1))):
        found.append(hours(case.serve(stream, replicas=fixed), slo, np.full(24, fixed), name))
    needed = traffic.needed(most * replica_rps, replica_rps)
    found.append(hours(following(case, stream, needed), slo, needed, BY_HOUR))
    rule = scaling(case, replica_rps, most + 1, p.scale_headroom, p.scale_start_s)
    done, paid = scaled(case, stream, rule, int(needed[0]))
    return pd.concat([*found, hours(done, slo, paid, AUTOSCALED)], ignore_index=True)


def compared(case: Case, table: pd.DataFrame) -> pd.DataFrame:
    """A row a fleet: replica-hours paid, dollars, price of a token, requests that kept the objective, worst hour."""
    rows = []
    for name, some in table.groupby("fleet", sort=False):
        paid, tokens = some["replicas"].sum(), some["output_tok"].sum()
        price = float(case.usd_per_replica_hour.value) * paid
        attained = (some["attained_share"] * some["requests"]).sum() / some["requests"].sum()
        row = {"fleet": name, "most_replicas": some["replicas"].max(), "replica_hours": paid, "usd_per_day": price}
        row |= {"usd_per_mtok": price / tokens * cost.amounts.TOKENS, "attained_share": attained}
        row |= {"worst_hour_ttft_p95_s": some["ttft_p95_s"].max()}
        row |= {"worst_hour_attained_share": some["attained_share"].min()}
        rows.append(row | {"kept_usd_per_mtok": price / (tokens * attained) * cost.amounts.TOKENS})
    return pd.DataFrame(rows)


def metrics(table: pd.DataFrame, fleets: pd.DataFrame) -> dict[str, Metric]:
    """Requests of the day, and of each fleet the share that kept the objective and its dollars over those for the peak.

    Args:
        table: as :func:`played` gives it.
        fleets: as :func:`compared` gives it.
    """
    if fleets.empty:
        keys = ("day_requests", "mean_replicas", *(f"{key}_{what}" for key in FLEETS for what in ("attained", "paid")))
        return {key: Metric(None, "1", "a fleet through the day", reason=NEVER) for key in keys}
    by_fleet = fleets.set_index("fleet")
    few, served = by_fleet.loc[FOR_MEAN, "most_replicas"], table[table["fleet"] == FOR_PEAK]["requests"].sum()
    found = {
        "day_requests": Metric(int(served), "1", "requests of the simulated day"),
        "mean_replicas": Metric(int(few), "1", "replicas of the fleet for the mean"),
    }
    for key, name in FLEETS.items():
        row = by_fleet.loc[name]
        ratio = row["usd_per_day"] / by_fleet.loc[FOR_PEAK, "usd_per_day"]
        meaning = f"requests within the objective, fleet {name}"
        found[f"{key}_attained"] = cell(row, "attained_share", meaning, "1")
        found[f"{key}_paid"] = Metric(ratio, "1", f"dollars over those for the peak, fleet {name}")
    return found
