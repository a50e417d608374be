"""Fits profiles and intervals, predicts every row that was held out, and writes ``data/calibration``."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from tokenomics import paths
from tokenomics.calibration import intervals
from tokenomics.calibration.engines import campaigns, disaggregated, profiles, samples
from tokenomics.calibration.engines.profiles import NUMBERS, Fitted, Waits, ask, design, duration
from tokenomics.compute.inference.engines import NONE, Profile
from tokenomics.compute.inference.intervals import OWN, PROFILED, keys, pick
from tokenomics.compute.operators.fitted import RELATIONS, nearest, read_table, relation
from tokenomics.compute.operators.fitted import TABLE as OPERATORS
from tokenomics.facts import catalogue, tables
from tokenomics.rows.inference import quantity

FOLDER = paths.DATA / "calibration"
SOURCE = "own_calibration"
Row = dict[str, object]


def learn(folder: Path = FOLDER) -> None:
    """Rewrite the tables of engines, intervals and held-out rows; the same inputs give the same bytes."""
    everything = samples.examined()
    write_examined(everything, folder)
    measured = samples.fit_for(everything)
    fitted, waits, by_family = _round(measured, "family")
    _, _, by_accelerator = _round(measured, "accelerator")
    held = pd.concat([by_family, by_accelerator], ignore_index=True)
    table = intervals.widened(held, list(intervals.quantiles(held)))
    held = held.assign(**_interval_columns(held, table))
    tables.write_rows(
        folder / "engines.csv", [_profile_row(each, waits) for each in fitted], ("name", "experts", "without")
    )
    rows = [row | {"without": row["without"] or NONE, "source": SOURCE} for row in table]
    tables.write_rows(folder / "intervals.csv", rows, ("profile", "kind", "quantity", "without"))
    apart = list(disaggregated.predictions(fitted, waits))
    tables.write_rows(folder / "held_out_disaggregated.csv", apart, ("table", "case", "metric"))
    tables.write_rows(folder / "silicon_sample.csv", _shares(measured, by_family, apart), ("mode",))
    for fold, rows_of_fold in held.groupby("fold"):
        tables.write_rows(
            folder / f"held_out_{fold}.csv", list(_held_out_rows(rows_of_fold)), ("table", "case", "metric")
        )


def write_examined(everything: pd.DataFrame, folder: Path = FOLDER) -> None:
    """Rewrite what was found before any fit: copies across sources, and rows of the sample that are left out.

    Args:
        everything: of :func:`samples.examined`.
        folder: where the tables and their metadata lie.
    """
    pairs = campaigns.copies(everything)
    one, other = (everything.loc[pairs[side]].reset_index(drop=True) for side in ("left", "right"))
    found = one[["table", "case", "metric", "campaign"]].assign(
        other_table=other["table"], other_case=other["case"], source=one["source"] + ";" + other["source"]
    )
    tables.write_rows(folder / "copies.csv", found.to_dict("records"), ("table", "case", "other_case"))
    left = everything[everything["reason"] != ""].drop_duplicates(["table", "case"])
    columns = ["table", "case", "campaign", "reason", "ratio", "source"]
    records = left[columns].astype({"ratio": object}).where(left[columns].notna(), None).to_dict("records")
    tables.write_rows(folder / "left_out.csv", records, ("table", "case"))


def _round(measured: pd.DataFrame, column: str) -> tuple[list[Fitted], Waits, pd.DataFrame]:
    """Leave every family out in turn (or campaign, or accelerator, then with its operators hidden too).

    Returns:
        Profiles, waits, and all predicted rows with ``seconds, predicted, residual, kind, quantity``.
    """
    hidden = column == "accelerator"
    data = design(measured)
    fitted = profiles.profiles(data, column)
    shown = design(measured, left_out=True) if hidden else data
    queued = profiles.queued(measured, fitted, column)
    waits = profiles.fit_waits(queued, fitted, column)
    parts = [
        (shown.rows, shown.seconds, profiles.held_out(shown, fitted, column)),
        (queued.rows, queued.seconds, profiles.held_out_queued(queued, waits, column)),
        _memory(measured),
    ]
    held = pd.concat([rows.assign(seconds=s, predicted=p) for rows, s, p in parts], ignore_index=True)
    held["fold"] = column
    held["residual"] = np.log(held["seconds"] / held["predicted"])
    held["quantity"] = [quantity(*each) for each in zip(held["metric"], held["load"], strict=True)]
    held["kind"] = held["accelerator"].map(_relations(hidden))
    return fitted, waits, held


def _shares(measured: pd.DataFrame, held: pd.DataFrame, apart: list[Row]) -> list[Row]:
    """How many rows of the silicon sample are complete and no duplicates, and how many of these are predicted."""
    counts = {
        "aggregated": (_points(measured), _points(held)),
        "disaggregated": (len(disaggregated.disaggregated()), len(apart) // len(samples.TTFT_TPOT)),
    }
    return [{"mode": m, "asked": a, "predicted": p, "source": samples.SILICON} for m, (a, p) in counts.items()]


def _points(table: pd.DataFrame) -> int:
    """Operating points of the silicon sample in a table."""
    return int((table["table"] == samples.SILICON).sum()) // len(samples.TTFT_TPOT)


def _memory(measured: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Rows of memory, which no profile's numbers touch: measured and predicted bytes."""
    table = measured[measured["metric"] == "gpu_memory_used"].reset_index(drop=True)
    return table, duration(table, table["value"].to_numpy(float)), ask(table, Profile())


def _relations(hidden: bool) -> dict[str, str]:
    """Kind of each accelerator's predictions: as measured, or as if nobody had measured it."""
    measured = sorted({row["accelerator"] for row in read_table(OPERATORS)})
    donors = [catalogue.accelerator(name) for name in measured]
    kinds = {}
    for name, device in catalogue.accelerators().items():
        others = [each for each in donors if each.name != name]
        if not hidden:
            kinds[name] = OWN if name in measured else PROFILED
        else:
            kinds[name] = relation(device, nearest(device, others))
    assert set(kinds.values()) <= {*RELATIONS, PROFILED}
    return kinds


def _interval_columns(held: pd.DataFrame, table: list[Row]) -> dict[str, np.ndarray]:
    """Ends of each row's interval, from residuals of other families."""
    known = intervals.lookup(table)
    ends = [
        pick(known, keys(row.profile, row.kind, row.quantity, bool(row.moe)), row.family) for row in held.itertuples()
    ]
    low, high = np.exp(np.array(ends)).T
    return {"low": held["predicted"] * low, "high": held["predicted"] * high}


def _profile_row(each: Fitted, waits: Waits) -> Row:
    burst, wait = waits[each.name, each.experts, each.without]
    numbers = dict(zip(NUMBERS, map(float, each.numbers), strict=True))
    return {
        "name": each.name,
        "experts": each.experts,
        "without": each.without or NONE,
        "rows": each.rows,
        **numbers,
        "burst": burst,
        "wait_s": wait,
        "accelerators": " ".join(each.accelerators),
        "source": SOURCE,
    }


def _held_out_rows(held: pd.DataFrame) -> Iterator[Row]:
    """Measured values and held-out predictions: durations in seconds, or rates where a rate was measured."""
    rate = held["metric"].str.contains(profiles.RATES).to_numpy()
    for place, row in enumerate(held.itertuples()):
        values = {"measured": row.seconds, "predicted": row.predicted, "low": row.low, "high": row.high}
        if rate[place]:
            values = {
                "measured": 1 / row.seconds,
                "predicted": 1 / row.predicted,
                "low": 1 / row.high,
                "high": 1 / row.low,
            }
        named = ("table", "case", "metric", "source", "profile", "family", "accelerator", "kind")
        numbers = {key: float(value) for key, value in values.items()}
        yield {key: getattr(row, key) for key in named} | {"experts": bool(row.moe), **numbers}
