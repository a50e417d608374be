"""How far off a prediction may be: quantiles of held-out residuals, from ``data/calibration/intervals.csv``.

Split conformal prediction (Vovk et al. 2005; Papadopoulos et al. 2002) on log(measured / predicted): an interval holds
with the stated coverage for rows exchangeable with those of its group. Groups run from fine (an engine's profile,
how near the accelerator is to measured ones, quantity) to coarse; the finest that has enough rows is taken.
"""

from collections.abc import Mapping
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics import paths
from tokenomics.compute.deployment import Deployment
from tokenomics.compute.inference.engines import Profile, left_out
from tokenomics.compute.operators.fitted import RELATIONS, read_table
from tokenomics.compute.operators.selection import kernels

TABLE = paths.DATA / "calibration" / "intervals.csv"
COVERAGE = 0.8
"""Share of held-out rows inside an interval."""
ANY, OWN, PROFILED = "any", "own", "profiled"


def kind_of(on: Deployment, profile: Profile) -> str:
    """How near a prediction is to what was measured.

    ``own``: the device's operators were measured; ``profiled``: they were not, but the engine was, on this device (and
    not on another one of its name); else the farthest relation of its operators: ``generation``, ``vendor`` or
    ``other``.
    """
    from tokenomics.facts import catalogue

    relation = max((each.relation for each in kernels(on).all()), key=RELATIONS.index)
    profiled = on.device.name in profile.accelerators and catalogue.holds(on.device)
    return PROFILED if relation != OWN and profiled else relation


def keys(profile: str, kind: str, quantity: str, moe: bool) -> list[tuple[str, str, str]]:
    """Groups of a prediction, finest first: (profile, kind with experts or dense, quantity)."""
    fine = f"{kind} {'experts' if moe else 'dense'}"
    groups = [(profile, fine, quantity), (profile, kind, quantity), (profile, kind, ANY), (ANY, fine, quantity)]
    return [*groups, (ANY, kind, quantity), (ANY, kind, ANY), (ANY, ANY, ANY)]


def interval(
    value: ArrayLike, on: Deployment, profile: Profile, quantity: str, without: str = ""
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Low and high around durations (or bytes), with :data:`COVERAGE`.

    Args:
        value: predicted seconds.
        on: the deployment.
        profile: the engine's profile.
        quantity: ``prefill``, ``first_token``, ``decode``, ``throughput`` or ``memory``.
        without: model family whose residuals must not have been seen.
    """
    low, high = quantiles_of(profile.name, kind_of(on, profile), quantity, on.model.is_moe, without)
    return np.asarray(value, dtype=float) * np.exp(low), np.asarray(value, dtype=float) * np.exp(high)


def quantiles_of(profile: str, kind: str, quantity: str, moe: bool, without: str = "") -> tuple[float, float]:
    """Quantiles of log(measured / predicted) of the finest group that has enough rows."""
    return pick(_quantiles(), keys(profile, kind, quantity, moe), without)


def pick(
    table: Mapping[tuple[str, str, str, str], tuple[float, float]], groups: list[tuple[str, str, str]], without: str
) -> tuple[float, float]:
    """The first group with quantiles: without the family where the group has rows of it; a group that has too few
    others is there with NaN and passed over."""
    for key in groups:
        found = table.get((*key, without), table.get((*key, "")))
        if found is not None and np.isfinite(found[0]):
            return found
    return np.nan, np.nan


@cache
def _quantiles() -> dict[tuple[str, str, str, str], tuple[float, float]]:
    return {
        (row["profile"], row["kind"], row["quantity"], left_out(row)): (
            float(row["log_low"] or "nan"),
            float(row["log_high"] or "nan"),
        )
        for row in read_table(TABLE)
    }
