"""The best point of each accelerator within a limit, its output for a dollar and for a joule, and the best layout."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from tokenomics.compute.inference.provision import Load, label
from tokenomics.compute.inference.search import Candidate, search
from tokenomics.economics import cost
from tokenomics.facts import prices
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.models import Model
from tokenomics.notebook import units
from tokenomics.notebook.report import Metric, cell, extreme
from tokenomics.sections.operating_points import MILLI, PER_DEVICE

SECONDS_PER_HOUR, MILLION = 3600.0, 1e6


def within(points: pd.DataFrame, most_tpot_ms: float) -> pd.DataFrame:
    """The point of each accelerator with the highest output a device among those that keep the limit, if any does."""
    kept = points[points["tpot_ms"] <= most_tpot_ms].sort_values(["accelerator", PER_DEVICE], ascending=[True, False])
    return kept.drop_duplicates("accelerator").reset_index(drop=True)


def point_of(chosen: pd.DataFrame, device: Accelerator) -> pd.Series:
    """The chosen point of one accelerator; one of no values where it has none within the limit."""
    return extreme(chosen[chosen["accelerator"] == device.name], PER_DEVICE)


def best(chosen: pd.DataFrame, column: str, key: str) -> dict[str, Metric]:
    """The accelerator with the highest value of a column, its interval, and how many other intervals overlap it.

    Ties go to the first name.
    """
    meaning = f"accelerator with the best {column}"
    overlap = f"others whose interval of {column} overlaps the best one"
    first = extreme(chosen.sort_values("accelerator"), column)
    overlapping = int((chosen[units.end_of(column, units.HIGH)] >= first[units.end_of(column, units.LOW)]).sum()) - 1
    none = "no accelerator of the table keeps the limit and has what this is divided by"
    return {
        f"best_{key}": Metric(first["accelerator"], "text", meaning, reason=none),
        f"best_{key}_value": replace(cell(first, column, f"the best {column}"), reason=none),
        f"overlapping_{key}": Metric(max(overlapping, 0), "1", overlap),
    }


def value_metrics(chosen: pd.DataFrame, own: pd.Series, profile: str) -> dict[str, Metric]:
    """Output of the own accelerator within the limit, accelerators with another engine profile, and the best ones."""
    others = [f"{row.accelerator} ({row.profile})" for row in chosen.itertuples() if row.profile != profile]
    meaning = "output tokens a second and device within the limit, own accelerator"
    metrics = {"own_rate": replace(cell(own, PER_DEVICE, meaning), reason="it does not keep the limit")}
    metrics["other_profiles"] = Metric(", ".join(others) or "none", "text", "accelerators with another engine profile")
    return metrics | best(chosen, "mtok_per_usd", "usd") | best(chosen, "tok_per_j", "joule")


def value(points: pd.DataFrame, devices: Iterable[Accelerator], price_list: str) -> pd.DataFrame:
    """Output of the chosen points per dollar of rent and per joule at the devices' TDP.

    A TDP is an upper limit of the power of the device itself, without host and cooling, so tokens a joule are those of
    a device that draws all it may.

    Args:
        points: a row an accelerator, as :func:`within` gives it.
        devices: their records; those without a point are left out.
        price_list: source key of the rental list.
    """
    rows = points.copy()
    known = {device.name: device for device in devices}
    listed = prices.listed_by(price_list)
    rents = [cost.rent(known[name], listed) for name in rows["accelerator"]]
    rows["usd_per_hour"] = [np.nan if rent is None else float(rent.value) for rent in rents]
    rows["tdp_w"] = [known[name].tdp_w or np.nan for name in rows["accelerator"]]
    for end in ("", units.LOW, units.HIGH):
        speed, usd, joule = (
            units.end_of(each, end) if end else each for each in (PER_DEVICE, "mtok_per_usd", "tok_per_j")
        )
        rows[usd] = rows[speed] * SECONDS_PER_HOUR / MILLION / rows["usd_per_hour"]
        rows[joule] = rows[speed] / rows["tdp_w"]
    return rows


def candidates(load: Load, model: Model, device: Accelerator, devices: int, most_tpot_ms: float) -> list[Candidate]:
    """Layouts and replicas on ``devices`` devices in all that serve the load within the limit, best first."""
    formats = {"precision": load.weight_format, "kv_precision": load.cache, "engine": load.engine}
    limit_s = most_tpot_ms / MILLI
    return search(model, device, devices, prompt=load.prompt, output=load.output, most_tpot_s=limit_s, **formats)


def layouts_table(candidates: Sequence[Candidate]) -> pd.DataFrame:
    """Candidates of a search as a table, in their order; without rows where none keeps the limit."""
    return pd.DataFrame(
        {
            "layout": [label(each.layout) for each in candidates],
            "tp": [each.layout.tp for each in candidates],
            "replicas": [each.replicas for each in candidates],
            "concurrency": [each.concurrency * each.replicas for each in candidates],
            "tpot_ms": [MILLI * each.tpot_s for each in candidates],
            "ttft_ms": [MILLI * each.ttft_s for each in candidates],
            "rate_tok_per_s": [each.output_rate / (each.layout.devices * each.replicas) for each in candidates],
        }
    )


def search_metrics(table: pd.DataFrame, model: str, device: str) -> dict[str, Metric]:
    """How many layouts keep the limit, the best one, and its output over that of the median."""
    first, none = table[:1].to_dict("records"), "no layout on these devices holds the load and keeps the limit"
    words = f"{first[0]['layout']} x {first[0]['replicas']}" if first else None
    gain = first[0]["rate_tok_per_s"] / table["rate_tok_per_s"].median() if first else None
    return {
        "layout_model": Metric(model, "text", "model whose layouts are searched"),
        "layout_accelerator": Metric(device, "text", "accelerator of the search"),
        "layouts": Metric(len(table), "1", "layouts that keep the limit"),
        "layout_best": Metric(words, "text", "best layout, and replicas of it", reason=none),
        "layout_gain": Metric(gain, "1", "best over median layout", reason=none),
    }
