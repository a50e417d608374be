"""Fits an engine's four numbers to measured durations, without the model family that they will predict."""

import re
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tokenomics.compute.inference.engines import Profile
from tokenomics.facts.engines import GENERIC
from tokenomics.rows import predict as score
from tokenomics.rows import reading
from tokenomics.rows.deployment import setting
from tokenomics.rows.inference import NAME
from tokenomics.rows.units import unit

NUMBERS = ("prefill_slowdown", "decode_slowdown", "step_s", "sequence_s")
LOWEST = np.array([0.4, 0.5, 1e-6, 1e-8])
FIRST = np.array([1.1, 1.0, 1e-3, 1e-5])
HIGHEST = np.array([60.0, 40.0, 0.1, 2e-3])
"""Bounds of the four numbers; a slowdown below one half would beat any kernel ever measured."""
PRIOR_FLOOR = np.array([0.8, 0.7, 2e-4, 3e-6])
"""A number that other profiles did not need is still drawn to something from which data can pull it."""
DRAWN = 1.5
"""Log units by which a number may stray from its prior before that costs as much as one row off by ``OUTLIER``."""
OUTLIER = 0.1
SEED = 20261124
RATES = re.compile(r"throughput|tok_s")
QUEUED = ("closed",)
UNFIT = ("gpu_memory_used", "mlperf_offline_throughput")
"""No durations, and rows whose prompt lengths are not published."""
INPUTS = [*reading.TEXTS, *reading.NUMBERS["inference"]]
"""All that a prediction sees."""


@dataclass(frozen=True)
class Design:
    """Rows as a linear problem: ``seconds = coefficients @ numbers``, up to a factor of each row's own."""

    rows: pd.DataFrame
    coefficients: NDArray[np.float64]
    seconds: NDArray[np.float64]

    def take(self, mask: NDArray[np.bool_]) -> "Design":
        """Some of the rows."""
        return Design(self.rows[mask], self.coefficients[mask], self.seconds[mask])


def duration(rows: pd.DataFrame, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values as something that grows with time: rates are inverted, times are in seconds."""
    rate = rows["metric"].str.contains(RATES).to_numpy()
    si = [unit(*each).si for each in zip(rows["metric"], rows["unit"], strict=True)]
    with np.errstate(divide="ignore"):
        return np.where(rate, 1 / values, values * np.array(si))


def profile_of(numbers: NDArray[np.float64], burst: float = 0.0) -> Profile:
    """Fitted numbers as a profile without a front end."""
    return Profile(**dict(zip(NUMBERS, map(float, numbers), strict=True)), burst=burst, wait_s=0.0)


def is_queued(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Rows whose time to first token holds a queue, and so is not linear in a profile."""
    return (rows["metric"].str.startswith("ttft") & rows["load"].isin(QUEUED)).to_numpy()


def ask(rows: pd.DataFrame, profile: Profile, left_out: bool = False) -> NDArray[np.float64]:
    """The scorer's predictions of rows under one profile, as durations; NaN where there is none.

    A profile's name decides what memory its engine keeps back, so each name's rows are asked under that name.
    """
    made = np.full(len(rows), np.nan)
    places = rows["profile"].groupby(rows["profile"]).indices
    for name, where in places.items():
        with setting(profile=replace(profile, name=name), left_out=left_out, plain=True):
            found = score.predict(rows.iloc[where][INPUTS].reset_index(drop=True), NAME)
        made[where] = found["predicted"]
    return duration(rows, made)


def design(rows: pd.DataFrame, left_out: bool = False) -> Design:
    """Coefficients of every row that the model predicts and that is linear in a profile."""
    unfit = rows["metric"].isin(UNFIT).to_numpy()
    rows = rows[~is_queued(rows) & ~unfit]
    zero = dict.fromkeys(NUMBERS, 0.0)
    columns = [ask(rows, Profile(**{**zero, name: 1.0}), left_out) for name in NUMBERS]
    coefficients = np.stack(columns, axis=1)
    good = np.isfinite(coefficients).all(axis=1) & (coefficients.sum(axis=1) > 0)
    return Design(rows[good], coefficients[good], duration(rows, rows["value"].to_numpy(float))[good])


def fit(data: Design, prior: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """The four numbers with the smallest robust squared log residuals, drawn towards a prior."""
    from scipy.optimize import least_squares

    start = FIRST if prior is None else np.maximum(prior, PRIOR_FLOOR)
    low, high = np.log(LOWEST), np.log(HIGHEST)

    def residuals(x: NDArray[np.float64]) -> NDArray[np.float64]:
        off = np.log(data.seconds / (data.coefficients @ np.exp(x)))
        drawn = (x - np.log(start)) / DRAWN * OUTLIER if prior is not None else np.empty(0)
        return np.concatenate([off, drawn])

    found = least_squares(
        residuals, np.clip(np.log(start), low, high), bounds=(low, high), loss="soft_l1", f_scale=OUTLIER
    )
    return np.exp(found.x)


@dataclass(frozen=True)
class Fitted:
    """A profile's numbers and what they were fitted to."""

    name: str
    experts: bool
    without: str
    numbers: NDArray[np.float64]
    rows: int = 0
    accelerators: tuple[str, ...] = ()


def profiles(data: Design, column: str = "family", also: tuple[str, ...] = ("",)) -> list[Fitted]:
    """Every profile for dense models and for those with experts: with all rows, and without each value of a column.

    The generic profile is a fit to rows that weigh alike by profile, so that no large source is all of it.

    Args:
        data: the rows.
        column: what is left out in turn, ``family`` or ``accelerator``.
        also: further values to leave out; an empty one leaves out nothing.
    """
    found = []
    for without in (*also, *sorted(data.rows[column].unique())):
        seen = data.take((data.rows[column] != without).to_numpy())
        touched = data.rows if without == "" else data.rows[data.rows[column] == without]
        for experts in (False, True):
            known = seen if experts else seen.take(~seen.rows["moe"].to_numpy(bool))
            generic = fit(_evened(known))
            found.append(Fitted(GENERIC, experts, without, generic, len(known.rows)))
            for name in sorted(set(touched["profile"]) - {GENERIC}):
                found.append(_fitted(known, name, experts, without, generic))
    return found


def _fitted(known: Design, name: str, experts: bool, without: str, generic: NDArray[np.float64]) -> Fitted:
    own = known.take((known.rows["profile"] == name).to_numpy())
    prior = _kin(known, name, generic)
    numbers = fit(own, prior) if len(own.rows) else prior
    return Fitted(name, experts, without, numbers, len(own.rows), tuple(sorted(own.rows["accelerator"].unique())))


def held_out(data: Design, fitted: list[Fitted], column: str = "family") -> NDArray[np.float64]:
    """Durations of all rows by the profile that has not seen their family (or accelerator)."""
    table = {(each.name, each.experts, each.without): each.numbers for each in fitted}
    made = np.full(len(data.rows), np.nan)
    for (name, moe, group), rows in data.rows.groupby(["profile", "moe", column]).indices.items():
        made[rows] = data.coefficients[rows] @ table[name, bool(moe), group]
    return made


def _kin(seen: Design, name: str, generic: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a profile is drawn to: the same engine on the same devices in other periods, else the generic one."""
    kin = [n for n in seen.rows["profile"].unique() if n != name and _without_period(n) == _without_period(name)]
    others = seen.take(seen.rows["profile"].isin(kin).to_numpy())
    return fit(others, generic) if len(others.rows) else generic


def _without_period(name: str) -> tuple[str, str]:
    engine, *rest = name.split(" ")
    return engine, " ".join(word for word in rest if not word.isdigit())


def _evened(data: Design, most: int = 40) -> Design:
    """At most so many rows of each profile, drawn with a seed; early software on other vendors left out."""
    draw = np.random.default_rng(SEED)
    plain = ~data.rows["profile"].map(lambda name: bool(_without_period(name)[1])).to_numpy()
    keep = np.zeros(len(data.rows), dtype=bool)
    for rows in data.rows["profile"].groupby(data.rows["profile"]).indices.values():
        keep[draw.choice(rows, min(most, len(rows)), replace=False)] = True
    return data.take(keep & plain)
