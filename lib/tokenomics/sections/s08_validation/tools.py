"""The baseline and other tools on the same measured rows."""

import numpy as np
import pandas as pd

from tokenomics.calibration.engines.profiles import INPUTS
from tokenomics.facts import measurements, tables
from tokenomics.notebook.report import Metric
from tokenomics.rows import predict as score
from tokenomics.scoring import report
from tokenomics.sections.s08_validation.rows import KEY, KINDS, all_inputs

OWN, BASELINE = "this model", "constant"
BORROWED = "this, accelerator left out"
COLUMNS = ["tool", *KEY, "source", "load", "measured", "predicted", "low", "high"]
ROW = ["table", "case"]
MEASURES = {
    "n": "n",
    "median_error": "median_error",
    "mean_error": "mean_error",
    "p90_error": "p90_error",
    "within_10": "within_10_share",
    "bias": "mean_signed_error",
    "coverage": "coverage",
}
"""Measures of the scorer's report to the columns of a table that hold them."""


def answers(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Predictions of every tool for the held-out rows that the other tools predict too, in the unit of the row.

    Rows that are suspect in any way are left out, early software included.

    Args:
        frames: held-out rows by ``family`` and ``accelerator``.

    Returns:
        :data:`COLUMNS`, one line a tool and row; ``predicted`` is NaN where a tool has no answer.
    """
    others = tables.read("peers/predictions")
    sound = [measurements.for_validation(measurements.read(kind)).assign(table=kind)[ROW] for kind in KINDS]
    compared = others[ROW].drop_duplicates().merge(pd.concat(sound))
    rows = frames["family"].merge(compared, on=ROW)
    published = all_inputs().merge(rows[ROW], on=ROW)
    values = published[[*ROW, "value"]].rename(columns={"value": "published"})
    about = rows[[*KEY, "source", "load"]].merge(values, on=ROW)
    parts = [
        _own(frames["family"], about, OWN),
        _own(frames["accelerator"], about, BORROWED),
        about.merge(_baseline(published), on=ROW).assign(tool=BASELINE),
    ]
    for name, predictions in others.groupby("peer"):
        parts.append(about.merge(predictions[[*ROW, "predicted"]], on=ROW, how="left").assign(tool=name))
    lines = pd.concat(parts, ignore_index=True).rename(columns={"published": "measured"})
    return lines[COLUMNS].assign(verdict=False, error=lines["predicted"] / lines["measured"] - 1)


def _own(frame: pd.DataFrame, about: pd.DataFrame, name: str) -> pd.DataFrame:
    """Our predictions in published units: ours are in seconds, or rates as published."""
    rows = about.merge(frame[[*KEY, "measured", "predicted", "low", "high"]], on=KEY)
    scale = rows["published"] / rows.pop("measured")
    return rows.assign(tool=name, **{each: rows[each] * scale for each in ("predicted", "low", "high")})


def _baseline(published: pd.DataFrame) -> pd.DataFrame:
    predicted = score.predict(published[INPUTS], BASELINE)
    return published[ROW].assign(**predicted[["predicted", "low", "high"]])


def common(answers: pd.DataFrame) -> pd.DataFrame:
    """Lines of the rows that every tool predicts."""
    tools = answers["tool"].nunique()
    return answers[answers.groupby(ROW)["predicted"].transform("count") == tools].reset_index(drop=True)


def errors(answers: pd.DataFrame) -> pd.DataFrame:
    """One line a tool over the same rows: the measures of :func:`tokenomics.scoring.report.measures`, best first."""
    frames = dict(iter(answers.groupby("tool", sort=True)))
    measures = {tool: report.measures(frame, report.constant_width(frame)) for tool, frame in frames.items()}
    table = pd.DataFrame(measures).T[list(MEASURES)].rename(columns=MEASURES).rename_axis("tool").reset_index()
    return table.sort_values(["median_error", "tool"]).reset_index(drop=True)


def metrics(table: pd.DataFrame) -> dict[str, Metric]:
    """Median errors of this model, of the baseline and of the best other tool, from the table of :func:`errors`."""
    medians = table.set_index("tool")["median_error"]
    others = medians.drop([OWN, BORROWED, BASELINE])
    return {
        "common_rows": Metric(int(table["n"].iloc[0]), "1", "rows that every tool predicts"),
        "own_common": Metric(medians[OWN], "share", "our median error on those rows, family held out"),
        "baseline_common": Metric(medians[BASELINE], "share", "median error of the baseline on those rows"),
        "tool_common": Metric(others.min(), "share", "median error of the best other tool on those rows"),
        "best_tool": Metric(others.idxmin(), "text", "the best other tool on those rows"),
    }


def quantiles(answers: pd.DataFrame, points: int = 100) -> pd.DataFrame:
    """Quantiles of each tool's errors: ``tool``, ``error`` and ``rows_share``, the share of rows up to that error."""
    shares = np.arange(1, points + 1) / points
    parts = [
        pd.DataFrame({"tool": tool, "error": np.quantile(rows["error"].abs(), shares), "rows_share": shares})
        for tool, rows in answers.groupby("tool", sort=True)
    ]
    return pd.concat(parts, ignore_index=True)


def one_by_one(answers: pd.DataFrame) -> pd.DataFrame:
    """Each tool on the rows that it predicts: how many rows there are, the share it predicts, and on those the median
    errors of the tool, of this model and of the baseline."""
    own = answers[answers["tool"] == OWN].set_index(KEY)["error"].abs()
    baseline = answers[answers["tool"] == BASELINE].set_index(KEY)["error"].abs()
    lines = []
    for tool, rows in answers.groupby("tool", sort=True):
        predicted = rows.dropna(subset=["predicted"])
        keys = pd.MultiIndex.from_frame(predicted[KEY])
        medians = (predicted["error"].abs().median(), own[keys].median(), baseline[keys].median())
        lines.append((tool, len(rows), len(predicted) / len(rows), *medians))
    columns = ["tool", "rows", "predicted_share", "median_error", "own_median_error", "baseline_median_error"]
    return pd.DataFrame(lines, columns=columns)
