"""The scorer's report by group: errors, coverage and width of intervals, and the share of rows predicted."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

LEVEL = 0.8
"""Nominal coverage of the intervals: from the 10 % to the 90 % quantile."""
NEAR = 0.1 + 1e-9
COLUMNS = {
    "n": "{:.0f}",
    "predicted": "{:.0%}",
    "mean_error": "{:.1%}",
    "median_error": "{:.1%}",
    "p90_error": "{:.1%}",
    "within_10": "{:.0%}",
    "bias": "{:+.1%}",
    "coverage": "{:.0%}",
    "half_width": "{:.1%}",
    "interval_score": "{:.2f}",
    "constant_width": "{:.2f}",
}
LEGEND = (
    "n rows with a value; predicted: share of them; errors relative to the value, of predicted rows; within_10: share "
    "of all n within 10 % (a refused row is a miss); bias: mean signed error; coverage: values inside low..high (an "
    "open side holds everything); half_width: median of (high - low)/2 over predicted; interval_score: mean score of "
    "the 80 % interval in ln units, lower is better; constant_width: the same for one width for all rows, chosen with "
    "hindsight."
)


def errors(frame: pd.DataFrame) -> NDArray[np.float64]:
    """Signed relative errors, NaN where not predicted; of a verdict 0 where right, 1 where wrong."""
    measured, predicted = frame["measured"].to_numpy(), frame["predicted"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(frame["verdict"], np.abs(predicted - measured), predicted / measured - 1)


def coverage(measured: NDArray, low: NDArray, high: NDArray) -> float:
    """Share of values between low and high, ends included; a NaN end is open. NaN where both ends of all are open."""
    closed = ~(np.isnan(low) & np.isnan(high))
    if not closed.any():
        return np.nan
    low, high = np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)
    return float(np.mean(((low <= measured) & (measured <= high))[closed]))


def interval_scores(measured: NDArray, low: NDArray, high: NDArray, level: float = LEVEL) -> NDArray[np.float64]:
    """Interval score of each value, of logarithms so that large and small values have the same weight; NaN if open.

    Width plus 2/(1 - level) times the distance by which a value lies outside (Gneiting and Raftery 2007, eq. 43).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        value, low, high = np.log(measured), np.log(low), np.log(high)
    outside = np.maximum(low - value, 0) + np.maximum(value - high, 0)
    return high - low + 2 / (1 - level) * outside


def constant_width(frame: pd.DataFrame) -> float:
    """Half-width in ln units within which :data:`LEVEL` of all values lie around their predictions."""
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.abs(np.log(frame["measured"] / frame["predicted"]))[~frame["verdict"]].dropna()
    return float(distance.quantile(LEVEL)) if len(distance) else np.nan


def measures(frame: pd.DataFrame, width: float) -> dict[str, float]:
    """The measures :data:`COLUMNS` of rows of one model.

    Args:
        frame: measured, predicted, low, high, verdict; NaN where not predicted.
        width: half-width of the constant-width interval.
    """
    error = errors(frame)
    done = ~np.isnan(error)
    absolute = np.abs(error[done])
    rows = frame[done & ~frame["verdict"].to_numpy()]
    value, predicted = rows["measured"].to_numpy(), rows["predicted"].to_numpy()
    low, high = rows["low"].to_numpy(), rows["high"].to_numpy()
    scores = interval_scores(value, low, high)
    fixed = interval_scores(value, predicted * np.exp(-width), predicted * np.exp(width))
    return {
        "n": len(frame),
        "predicted": float(done.mean()) if len(frame) else np.nan,
        "mean_error": _of(np.mean, absolute),
        "median_error": _of(np.median, absolute),
        "p90_error": _of(lambda x: np.quantile(x, 0.9), absolute),
        "within_10": float(np.sum(absolute <= NEAR) / len(frame)) if len(frame) else np.nan,
        "bias": _of(np.mean, error[done & ~frame["verdict"].to_numpy()]),
        "coverage": coverage(value, low, high),
        "half_width": _of(np.median, (high - low) / 2 / predicted),
        "interval_score": _of(np.mean, scores),
        "constant_width": _of(np.mean, fixed),
    }


def _of(statistic, values: NDArray) -> float:
    values = values[np.isfinite(values)]
    return float(statistic(values)) if values.size else np.nan


def report(frames: Mapping[str, pd.DataFrame], by: str = "group") -> pd.DataFrame:
    """One line a group and model, and ``all`` where there are several groups.

    Args:
        frames: rows with a value by model: measured, predicted, low, high, verdict and the group's name in ``by``.
        by: column of the group.

    Returns:
        group, model and :data:`COLUMNS`, groups in alphabetical order.
    """
    lines = []
    for model, frame in frames.items():
        width = constant_width(frame)
        groups = list(frame.groupby(by, sort=True))
        if len(groups) > 1:
            groups.append(("all", frame))
        lines += [
            {"group": name, "model": model, "_order": order, **measures(rows, width)}
            for order, (name, rows) in enumerate(groups)
        ]
    table = pd.DataFrame(lines, columns=["group", "model", "_order", *COLUMNS])
    return table.sort_values("_order", kind="stable").drop(columns="_order").reset_index(drop=True)


def as_text(table: pd.DataFrame) -> str:
    """The report as aligned text; a dash where a number does not exist."""
    shown = table[["group", "model"]].astype(str)
    shown["group"] = shown["group"].mask(shown["group"].duplicated(), "")
    for name, form in COLUMNS.items():
        shown[name] = [form.format(x) if np.isfinite(x) else "-" for x in table[name]]
    widths = {name: max(len(name), *shown[name].str.len()) for name in shown}
    lines = [list(shown), *shown.to_numpy().tolist()]
    left = {"group", "model"}
    return "\n".join(
        "  ".join(
            cell.ljust(width) if name in left else cell.rjust(width)
            for cell, (name, width) in zip(line, widths.items(), strict=True)
        ).rstrip()
        for line in lines
    )
