"""What a first token waits for in a closed loop: an engine's front end and a share of the others' prefills."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tokenomics.calibration.engines.profiles import OUTLIER, Fitted, ask, duration, is_queued, profile_of
from tokenomics.compute.inference.engines import Profile

LOWEST, HIGHEST = np.array([1e-4, 1e-4]), np.array([1.0, 2.0])
Waits = dict[tuple[str, bool, str], tuple[float, float]]
"""Burst and wait_s by profile, experts and what was left out."""


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
    """Rows that wait and are predicted, by profiles that have not seen their family (or accelerator)."""
    rows = rows[is_queued(rows)].reset_index(drop=True)
    table = {(each.name, each.experts, each.without): each.numbers for each in fitted}
    own, others = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    for (name, moe, group), where in rows.groupby(["profile", "moe", column]).indices.items():
        numbers, some = table[name, bool(moe), group], rows.iloc[where]
        own[where] = ask(some, profile_of(numbers, 0.0), column == "accelerator")
        others[where] = ask(some, profile_of(numbers, 1.0), column == "accelerator") - own[where]
    good = np.isfinite(own)
    return Queued(rows[good].reset_index(drop=True), own[good], others[good])


def waits(data: Queued, fitted: list[Fitted], column: str = "family") -> Waits:
    """Burst and front end of each profile, without each family (or accelerator)."""
    rows, found = data.rows, {}
    for each in fitted:
        mask = (rows["profile"] == each.name) & (rows[column] != each.without)
        mask = (mask & ((rows["moe"] == each.experts) | each.experts)).to_numpy(bool)
        found[each.name, each.experts, each.without] = _fit(data.seconds[mask], data.own[mask], data.others[mask])
    return found


def held_out(data: Queued, found: Waits, column: str = "family") -> NDArray[np.float64]:
    """Durations of all rows by numbers that have not seen their family (or accelerator)."""
    keys = zip(data.rows["profile"], data.rows["moe"].astype(bool), data.rows[column], strict=True)
    burst, wait = np.array([found[key] for key in keys]).reshape(-1, 2).T
    return data.own + burst * data.others + wait


def _fit(seconds: NDArray, own: NDArray, others: NDArray) -> tuple[float, float]:
    """Robust least squares on log residuals; a profile nobody measured so keeps the usual numbers."""
    from scipy.optimize import least_squares

    usual = np.array([Profile().burst, Profile().wait_s])
    if not len(seconds):
        return tuple(usual.tolist())

    def residuals(x: NDArray[np.float64]) -> NDArray[np.float64]:
        burst, wait = np.exp(x)
        return np.log(seconds / (own + burst * others + wait))

    bounds = (np.log(LOWEST), np.log(HIGHEST))
    found = least_squares(residuals, np.log(usual), bounds=bounds, loss="soft_l1", f_scale=2 * OUTLIER)
    burst, wait = np.exp(found.x)
    return float(burst), float(wait)
