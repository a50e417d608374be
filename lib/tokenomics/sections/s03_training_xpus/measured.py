"""Measured runs and published trainings beside their bounds."""

from collections.abc import Collection, Sized

import pandas as pd

from tokenomics.compute import bounds
from tokenomics.compute.bounds import IdealDevices, Precision
from tokenomics.facts import catalogue
from tokenomics.notebook.report import Metric

FEW, MANY = 16, 128
"""Devices of small runs at most, of large ones at least."""


def published(releases: pd.DataFrame, sequence: int, fp8_runs: Collection[str] = ()) -> pd.DataFrame:
    """Released models whose developers state accelerator-hours, beside the lower bound of these hours.

    Args:
        releases: rows of :func:`tokenomics.facts.history.releases`; those without tokens, hours, accelerator or
            a catalogued architecture are dropped.
        sequence: sequence length to count attention at; a lower bound only if no run's sequences are shorter.
        fp8_runs: names of runs whose bound takes the 8-bit peak.

    Returns:
        name, year, accelerator, tokens, hours, bound_hours, share (bound over hours), lowest share first.
    """
    needed = ["model", "training_tokens", "training_accelerator_hours", "training_accelerator"]
    runs = releases.dropna(subset=needed).astype({"training_tokens": float, "training_accelerator_hours": float})
    hours = [_bound_hours(row, sequence, "fp8" if row.name in fp8_runs else "bf16") for row in runs.itertuples()]
    old = {"training_tokens": "tokens", "training_accelerator_hours": "hours", "training_accelerator": "accelerator"}
    runs = runs.rename(columns=old).assign(bound_hours=hours)
    runs["share"] = runs["bound_hours"] / runs["hours"]
    columns = ["name", "year", "accelerator", "tokens", "hours", "bound_hours", "share"]
    return runs.sort_values(["share", "name"])[columns].reset_index(drop=True)


def _bound_hours(run, sequence: int, dtype: str) -> float:
    device = catalogue.accelerator(run.training_accelerator)
    on = IdealDevices(catalogue.model(run.model), device, Precision(dtype=dtype))
    return 24 * float(bounds.training_days(on, run.training_tokens, sequence))


def data_metrics(models: Sized, xpus: Sized, runs: Sized, releases: Sized) -> dict[str, Metric]:
    """How much data stands behind the notebook."""
    return {
        "models": Metric(len(models), "1", "models in the tables"),
        "xpus": Metric(len(xpus), "1", "accelerators in the tables"),
        "runs": Metric(len(runs), "1", "measured training runs with a bound"),
        "published": Metric(len(releases), "1", "released models with published accelerator-hours"),
    }


def drawn_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """The columns of measured runs that figures show."""
    return runs[["run", "model", "accelerator", "n_gpu", "metric", "share"]].rename(columns={"n_gpu": "devices"})


def by_median(runs: pd.DataFrame) -> list[str]:
    """Accelerators by the median share of their runs, highest first."""
    return runs.groupby("accelerator")["share"].median().sort_values(ascending=False).index.tolist()


def share_metrics(shares: pd.DataFrame, runs: pd.DataFrame) -> dict[str, Metric]:
    """What share of the bound runs reach, and the MFU as published beside it where a run has both."""
    both = shares[shares["metric"].isin(["mfu", "tokens_per_s_per_gpu"])]
    both = both.pivot(index="run", columns="metric", values="share").dropna()
    rate, median = both["tokens_per_s_per_gpu"].median(), runs["share"].median()
    return {
        "mfu_published": Metric(both["mfu"].median(), "1", "median MFU as published, runs that give tokens/s too"),
        "mfu_causal": Metric(rate, "1", "median share of the bound, the same runs"),
        "share_median": Metric(median, "1", "median share of the bound, measured runs"),
        "slowdown": Metric(1 / median, "1", "days over the lower bound at the median share"),
        "share_best": Metric(runs["share"].max(), "1", "largest share of the bound, measured runs"),
    }


def scale_metrics(runs: pd.DataFrame) -> dict[str, Metric]:
    """Median share of the bound on few and on many devices (:data:`FEW`, :data:`MANY`)."""
    few, many = (runs.loc[which, "share"].median() for which in (runs["devices"] <= FEW, runs["devices"] >= MANY))
    return {
        "few_devices": Metric(FEW, "1", "devices of a small run, at most"),
        "many_devices": Metric(MANY, "1", "devices of a large run, at least"),
        "share_few": Metric(few, "1", f"median share of the bound on at most {FEW} devices"),
        "share_many": Metric(many, "1", f"median share of the bound on {MANY} devices or more"),
    }


def published_metrics(releases: pd.DataFrame) -> dict[str, Metric]:
    """Lower bound of device-hours over the published ones, median."""
    meaning = "median share of the lower bound in published hours"
    return {"published_median": Metric(releases["share"].median(), "1", meaning)}
