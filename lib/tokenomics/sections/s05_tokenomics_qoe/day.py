"""A day of traffic: fleets of fixed size, and one that follows the hour, on the same requests.

The shape of the day is synthetic (one crest, one trough); lengths are those of a workload.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from tokenomics.economics import cost
from tokenomics.sections.s05_tokenomics_qoe.case import Case
from tokenomics.service import qoe, workload
from tokenomics.service.simulator import Outcome, Scaling
from tokenomics.service.timeline import quantiles
from tokenomics.service.workload.arrivals import DAY_S, HOUR_S

HOURS = np.arange(24)


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
    def crest(self) -> float:
        """Rate of the busiest hour over the mean."""
        return float(self.hourly.max())

    def stream(self, crest_rps: float) -> workload.Stream:
        """A day's requests whose busiest hour brings ``crest_rps``."""
        shape = workload.Diurnal(workload.Poisson(crest_rps / self.crest), tuple(self.hourly))
        drawn = workload.workload(self.lengths)
        return drawn.draw(duration_s=DAY_S, seed=self.seed, arrivals=shape, prefixes=False)

    def thinned(self, stream: workload.Stream, share: float) -> workload.Stream:
        """Each request kept with a probability: the same day with fewer users."""
        return stream.take(np.random.default_rng(self.seed).random(len(stream)) < share)


def fixed(case: Case, stream: workload.Stream, copies: int) -> Outcome:
    """All day the same copies; the least loaded takes a request."""
    return case.serve(stream, replicas=copies)


def following(case: Case, stream: workload.Stream, copies: np.ndarray) -> list[Outcome]:
    """As many copies as each hour has, there at once and gone at once: no start-up, and what is under way at the end of
    an hour is finished on copies that are no longer paid. The least that any scaling could cost.

    Args:
        copies: for each hour.
    """
    hour = np.minimum((stream.arrival_s // HOUR_S).astype(int), 23)
    parts = []
    for each in HOURS:
        some = stream.take(hour == each)
        parts.append(case.serve(replace(some, arrival_s=some.arrival_s - each * HOUR_S), replicas=int(copies[each])))
    return parts


def scaling(case: Case, copy_rps: float, most: int, headroom: float, start_s: float) -> Scaling:
    """An autoscaler that aims at a share of the requests which a copy has inside at the most it bears.

    Args:
        copy_rps: that most, under the objective.
        most: copies, at most.
        headroom: share of them from which another copy is started; at three quarters of that one may go.
        start_s: seconds until a new copy serves.
    """
    inside = copy_rps * float(np.nanmean(case.run(copy_rps).e2e_s))
    return Scaling(most=most, high=headroom * inside, low=0.75 * headroom * inside, start_s=start_s)


def scaled(case: Case, stream: workload.Stream, rule: Scaling, first: int) -> tuple[Outcome, np.ndarray]:
    """A day under an autoscaler that starts with ``first`` copies, and the mean number of copies paid in each hour
    (serving, starting and draining ones)."""
    done = case.serve(stream, replicas=first, scaling=rule)
    log = done.fleet
    there = log["serving"] + log["starting"] + log["draining"]
    paid = np.concatenate([[0.0], np.cumsum(np.diff(np.r_[log["time_s"], DAY_S]) * there)])
    at = np.interp(np.arange(25) * HOUR_S, np.r_[log["time_s"], DAY_S], paid)
    return done, np.diff(at) / HOUR_S


def hours(parts: Outcome | list[Outcome], slo: qoe.Slo, copies: np.ndarray, name: str) -> pd.DataFrame:
    """A row an hour of arrival: load, 95 % quantiles, share of requests that keeps the objective.

    Args:
        parts: a whole day, or its hours one by one.
        copies: paid in each hour.
    """
    rows = []
    for each in HOURS:
        done = parts[each] if isinstance(parts, list) else parts
        inside = np.ones(len(done.status), dtype=bool)
        if not isinstance(parts, list):
            inside = np.minimum(done.requests.arrival_s // HOUR_S, 23) == each
        rows.append({"fleet": name, "hour": each, "copies": float(copies[each])} | _seen(done, inside, slo))
    return pd.DataFrame(rows)


def _seen(done: Outcome, inside: np.ndarray, slo: qoe.Slo) -> dict[str, float]:
    """Of the requests inside an hour."""
    ttft, tpot = done.ttft_s[inside], np.nan_to_num(done.tpot_s[inside])
    kept = done.finished[inside] & (ttft <= slo.ttft_s) & (tpot <= slo.tpot_s)
    row = {"requests": float(inside.sum()), "rate_rps": inside.sum() / HOUR_S, "attained": float(kept.mean())}
    row |= {"ttft_p95_s": float(quantiles(ttft, 0.95)), "tpot_p95_ms": 1e3 * float(quantiles(tpot, 0.95))}
    return row | {"output_tokens": float(done.requests.output[inside].sum())}


def compared(case: Case, table: pd.DataFrame) -> pd.DataFrame:
    """A row a fleet: copy-hours paid, dollars, price of a token, requests that kept the objective, the worst hour."""
    rows = []
    for name, some in table.groupby("fleet", sort=False):
        paid = some["copies"].sum()
        tokens = some["output_tokens"].sum()
        price = float(case.usd_per_copy_hour.value) * paid
        kept = (some["attained"] * some["requests"]).sum()
        row = {"fleet": name, "most_copies": some["copies"].max(), "copy_hours": paid, "usd_per_day": price}
        row |= {"usd_per_mtoken": price / tokens * cost.amounts.TOKENS, "attained": kept / some["requests"].sum()}
        row |= {"worst_hour_ttft_p95_s": some["ttft_p95_s"].max(), "worst_hour_attained": some["attained"].min()}
        rows.append(row | {"kept_usd_per_mtoken": price / (tokens * kept / some["requests"].sum()) * 1e6})
    return pd.DataFrame(rows)


def ideal(case: Case, day: Day, crest_rps: float, copy_rps: float) -> np.ndarray:
    """Copies that each hour needs at ``copy_rps`` each, at least one."""
    rates = day.hourly / day.crest * crest_rps
    return np.maximum(np.ceil(rates / copy_rps - 1e-9), 1)
