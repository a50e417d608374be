"""Fits an engine's six numbers to measured durations, without the model family that they will predict.

Every measured duration, except a first token that waits in a queue, is linear in four of them. Their coefficients are
predictions of the scorer's own model with one number at a time; the numbers are then fitted by robust least squares on
log residuals. The other two describe how long a first token waits in a closed loop: the engine's front end (``wait_s``)
and a share of the others' prefills (``burst``).
"""

import re
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tokenomics.compute.inference.engines import Profile
from tokenomics.facts.engines import GENERIC, ProfileName
from tokenomics.rows import reading, units
from tokenomics.rows.case import Setting
from tokenomics.rows.predict import predict

NUMBERS = ("prefill_slowdown", "decode_slowdown", "step_s", "sequence_s")
"""The four numbers in which a duration is linear."""
LOWEST = np.array([0.4, 0.5, 1e-6, 1e-8])
FIRST = np.array([1.1, 1.0, 1e-3, 1e-5])
HIGHEST = np.array([60.0, 40.0, 0.1, 2e-3])
"""Bounds of the four numbers; a slowdown below one half would beat any kernel ever measured."""
LEAST_PRIOR = np.array([0.8, 0.7, 2e-4, 3e-6])
"""Least prior of each number, so that data can move one that other profiles did not need."""
DRAWN = 1.5
"""Distance of a number from its prior, in log units, that costs as much as one row off by ``OUTLIER``."""
OUTLIER = 0.1
MOST_ROWS = 40
"""Rows of a profile that count in the generic one, so that no large source dominates."""
SEED = 20261124
LOWEST_WAITS, HIGHEST_WAITS = np.array([1e-4, 1e-4]), np.array([1.0, 2.0])
"""Bounds of burst and wait_s."""
Waits = dict[tuple[str, bool, str], tuple[float, float]]
"""Burst and wait_s by profile, experts and what was left out."""
RATES = re.compile(r"throughput|tok_s")
QUEUED = ("closed",)
UNFIT = ("gpu_memory_used", "mlperf_offline_throughput")
"""No durations, and rows whose prompt lengths are not published."""
INPUTS = [*reading.TEXTS, *reading.NUMBERS["inference"]]
"""All columns that a prediction may read."""


@dataclass(frozen=True)
class Design:
    """Rows as a linear problem: ``seconds = coefficients @ numbers``, up to a factor of each row's own."""

    rows: pd.DataFrame
    coefficients: NDArray[np.float64]
    seconds: NDArray[np.float64]

    def take(self, mask: NDArray[np.bool_]) -> "Design":
        """The rows of a mask."""
        return Design(self.rows[mask], self.coefficients[mask], self.seconds[mask])


def duration(rows: pd.DataFrame, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values as something that grows with time: rates are inverted, times are in seconds."""
    rate = rows["metric"].str.contains(RATES).to_numpy()
    si = [units.unit(*each).si for each in zip(rows["metric"], rows["unit"], strict=True)]
    with np.errstate(divide="ignore"):
        return np.where(rate, 1 / values, values * np.array(si))


def profile_of(numbers: NDArray[np.float64], burst: float = 0.0) -> Profile:
    """Fitted numbers as a profile without a front end."""
    return Profile(**dict(zip(NUMBERS, map(float, numbers), strict=True)), burst=burst, wait_s=0.0)


def is_queued(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Rows whose time to first token holds a queue, and so is not linear in a profile."""
    return (rows["metric"].str.startswith("ttft") & rows["load"].isin(QUEUED)).to_numpy()


def _waits_and_decodes(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Whole requests of a closed loop: a queued first token and decode steps, which rows of the same run give apart."""
    return ((rows["metric"] == "e2e_latency") & rows["load"].isin(QUEUED)).to_numpy()


def ask(rows: pd.DataFrame, profile: Profile, left_out: bool = False) -> NDArray[np.float64]:
    """The scorer's predictions of rows under one profile, as durations; NaN where there is none.

    A profile's name decides what memory its engine keeps back, so each name's rows are asked under that name.
    """
    values = np.full(len(rows), np.nan)
    for name, where in rows["profile"].groupby(rows["profile"]).indices.items():
        inputs = rows.iloc[where][INPUTS].reset_index(drop=True)
        forced = Setting(profile=replace(profile, name=name), left_out=left_out, plain=True)
        values[where] = predict(inputs, "inference", forced)["predicted"]
    return duration(rows, values)


def design(rows: pd.DataFrame, left_out: bool = False) -> Design:
    """Coefficients of every row that the model predicts and that is linear in a profile."""
    unfit = rows["metric"].isin(UNFIT).to_numpy() | _waits_and_decodes(rows)
    rows = rows[~is_queued(rows) & ~unfit]
    zero = dict.fromkeys(NUMBERS, 0.0)
    columns = [ask(rows, Profile(**{**zero, name: 1.0}), left_out) for name in NUMBERS]
    coefficients = np.stack(columns, axis=1)
    answered = np.isfinite(coefficients).all(axis=1) & (coefficients.sum(axis=1) > 0)
    seconds = duration(rows, rows["value"].to_numpy(float))
    return Design(rows[answered], coefficients[answered], seconds[answered])


def fit(data: Design, prior: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """The four numbers with the smallest robust squared log residuals, drawn towards a prior."""
    from scipy.optimize import least_squares

    start = FIRST if prior is None else np.maximum(prior, LEAST_PRIOR)
    low, high = np.log(LOWEST), np.log(HIGHEST)

    def residuals(x: NDArray[np.float64]) -> NDArray[np.float64]:
        off = np.log(data.seconds / (data.coefficients @ np.exp(x)))
        drawn = (x - np.log(start)) / DRAWN * OUTLIER if prior is not None else np.empty(0)
        return np.concatenate([off, drawn])

    solution = least_squares(
        residuals, np.clip(np.log(start), low, high), bounds=(low, high), loss="soft_l1", f_scale=OUTLIER
    )
    return np.exp(solution.x)


@dataclass(frozen=True)
class Fitted:
    """A profile's numbers and what they were fitted to."""

    name: str
    experts: bool
    without: str
    numbers: NDArray[np.float64]
    rows: int = 0
    accelerators: tuple[str, ...] = ()


def profiles(data: Design, column: str = "family") -> list[Fitted]:
    """Every profile for dense models and for those with experts: with all rows, and without each value of a column.

    The generic profile is a fit to at most :data:`MOST_ROWS` rows of each profile, so that no large source dominates.

    Args:
        data: the rows.
        column: what is left out in turn, ``family``, ``accelerator`` or ``campaign``; an empty value leaves none out.
    """
    fitted = []
    for without in ("", *sorted(data.rows[column].unique())):
        seen = data.take((data.rows[column] != without).to_numpy())
        touched = data.rows if without == "" else data.rows[data.rows[column] == without]
        for experts in (False, True):
            known = seen if experts else seen.take(~seen.rows["moe"].to_numpy(bool))
            generic = fit(_evened(known))
            fitted.append(Fitted(GENERIC, experts, without, generic, len(known.rows)))
            for name in sorted(set(touched["profile"]) - {GENERIC}):
                fitted.append(_fitted(known, name, experts, without, generic))
    return fitted


def _fitted(known: Design, name: str, experts: bool, without: str, generic: NDArray[np.float64]) -> Fitted:
    own = known.take((known.rows["profile"] == name).to_numpy())
    prior = _prior(known, name, generic)
    numbers = fit(own, prior) if len(own.rows) else prior
    return Fitted(name, experts, without, numbers, len(own.rows), tuple(sorted(own.rows["accelerator"].unique())))


def held_out(data: Design, fitted: list[Fitted], column: str = "family") -> NDArray[np.float64]:
    """Durations of all rows by the profile that has not seen their family (or accelerator)."""
    table = {(each.name, each.experts, each.without): each.numbers for each in fitted}
    predicted = np.full(len(data.rows), np.nan)
    for (name, moe, group), rows in data.rows.groupby(["profile", "moe", column]).indices.items():
        predicted[rows] = data.coefficients[rows] @ table[name, bool(moe), group]
    return predicted


def _prior(seen: Design, name: str, generic: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a profile is drawn to: the same engine on the same devices in other periods, else the generic one."""
    names = [each for each in seen.rows["profile"].unique() if each != name]
    stack = ProfileName.parse(name)
    same_engine = [each for each in names if ProfileName.parse(each).same_stack(stack)]
    others = seen.take(seen.rows["profile"].isin(same_engine).to_numpy())
    return fit(others, generic) if len(others.rows) else generic


def _evened(data: Design) -> Design:
    """At most :data:`MOST_ROWS` rows of each profile, drawn with a seed; early software on other vendors left out."""
    draw = np.random.default_rng(SEED)
    plain = ~data.rows["profile"].map(lambda name: bool(ProfileName.parse(name).devices)).to_numpy()
    keep = np.zeros(len(data.rows), dtype=bool)
    for rows in data.rows["profile"].groupby(data.rows["profile"]).indices.values():
        keep[draw.choice(rows, min(MOST_ROWS, len(rows)), replace=False)] = True
    return data.take(keep & plain)


@dataclass(frozen=True)
class Queued:
    """Rows whose first token waits in a queue: ``seconds = own + burst x others + wait_s``."""

    rows: pd.DataFrame
    own: NDArray[np.float64]
    others: NDArray[np.float64]

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Measured seconds."""
        return duration(self.rows, self.rows["value"].to_numpy(float))


def queued(rows: pd.DataFrame, fitted: list[Fitted], column: str = "family") -> Queued:
    """Rows whose first token waits and is predicted, by profiles that have not seen their family (or accelerator)."""
    rows = rows[is_queued(rows)].reset_index(drop=True)
    table = {(each.name, each.experts, each.without): each.numbers for each in fitted}
    own, others = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    for (name, moe, group), where in rows.groupby(["profile", "moe", column]).indices.items():
        numbers, part = table[name, bool(moe), group], rows.iloc[where]
        own[where] = ask(part, profile_of(numbers, 0.0), column == "accelerator")
        others[where] = ask(part, profile_of(numbers, 1.0), column == "accelerator") - own[where]
    answered = np.isfinite(own)
    return Queued(rows[answered].reset_index(drop=True), own[answered], others[answered])


def fit_waits(data: Queued, fitted: list[Fitted], column: str = "family") -> Waits:
    """Burst and front end of each profile, without each family (or accelerator)."""
    rows, waits = data.rows, {}
    for each in fitted:
        mask = (rows["profile"] == each.name) & (rows[column] != each.without)
        mask = (mask & ((rows["moe"] == each.experts) | each.experts)).to_numpy(bool)
        waits[each.name, each.experts, each.without] = _fit_wait(data.seconds[mask], data.own[mask], data.others[mask])
    return waits


def held_out_queued(data: Queued, waits: Waits, column: str = "family") -> NDArray[np.float64]:
    """Durations of all rows by numbers that have not seen their family (or accelerator)."""
    keys = zip(data.rows["profile"], data.rows["moe"].astype(bool), data.rows[column], strict=True)
    burst, wait = np.array([waits[key] for key in keys]).reshape(-1, 2).T
    return data.own + burst * data.others + wait


def _fit_wait(seconds: NDArray, own: NDArray, others: NDArray) -> tuple[float, float]:
    """Robust least squares on log residuals; a profile without queued rows keeps the usual numbers."""
    from scipy.optimize import least_squares

    usual = np.array([Profile().burst, Profile().wait_s])
    if not len(seconds):
        return tuple(usual.tolist())

    def residuals(x: NDArray[np.float64]) -> NDArray[np.float64]:
        burst, wait = np.exp(x)
        return np.log(seconds / (own + burst * others + wait))

    bounds = (np.log(LOWEST_WAITS), np.log(HIGHEST_WAITS))
    solution = least_squares(residuals, np.log(usual), bounds=bounds, loss="soft_l1", f_scale=2 * OUTLIER)
    burst, wait = np.exp(solution.x)
    return float(burst), float(wait)
