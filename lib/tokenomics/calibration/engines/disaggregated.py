"""Predicts rows of the silicon sample with separate prefill and decode pools; nothing is fitted to them."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from tokenomics.calibration.engines.profiles import NUMBERS, Fitted, Waits
from tokenomics.calibration.engines.samples import SAME, TTFT_TPOT, precisions, sample
from tokenomics.compute.counts.precision import parse
from tokenomics.compute.deployment import Deployment
from tokenomics.compute.inference.disaggregation import Pools, closed_loop
from tokenomics.compute.inference.engines import Profile, profile_name
from tokenomics.compute.layout import Layout
from tokenomics.facts.engines import of_profile
from tokenomics.rows.held_out import family_of
from tokenomics.rows.predict import record

SIZES = ("tp_size", "attention_dp_size", "moe_tp_size", "moe_ep_size")
KEPT = ("table", "case", "metric", "source", "profile", "family", "accelerator", "experts", "measured", "predicted")


def disaggregated() -> pd.DataFrame:
    """Rows that state their numbers of workers, without duplicates."""
    raw = sample()
    raw = raw[(raw["mode"] == "disagg") & raw["prefill_num_workers"].notna()].drop_duplicates(SAME)
    return raw.assign(precision_text=precisions(raw))


def predictions(fitted: list[Fitted], waits: Waits) -> Iterator[dict[str, object]]:
    """Measured and predicted TTFT and TPOT of every row, by profiles that have not seen its family."""
    table = {(each.name, each.experts, each.without): each for each in fitted}
    for row in disaggregated().to_dict("records"):
        model, device = record("model", row["model_name"]), record("accelerator", row["system"])
        name, family = profile_name(row["engine"], device), family_of(model)
        fit = table.get((name, model.is_moe, family)) or table[name, model.is_moe, ""]
        burst, wait = waits[name, model.is_moe, fit.without]
        numbers = dict(zip(NUMBERS, map(float, fit.numbers), strict=True))
        profile = Profile(name, **numbers, burst=burst, wait_s=wait)
        precision = parse(row["precision_text"])
        engine = of_profile(name)
        workers = [
            Deployment(model, device, precision, _layout(row, pool, model.is_moe), engine.kernels, fused=engine.fuses)
            for pool in ("prefill", "decode")
        ]
        counts = [int(row[f"{pool}_num_workers"]) for pool in ("prefill", "decode")]
        concurrency = row["decode_batch_size"] * counts[1]
        loop = closed_loop(Pools(*workers, *counts), profile, concurrency, row["isl"], row["osl"])
        for (metric, column), value in zip(TTFT_TPOT, (loop.ttft_s, loop.tpot_s), strict=True):
            known = ("silicon_sample", row["id"], metric, "silicon_sample", name, family, device.name, model.is_moe)
            yield dict(zip(KEPT, (*known, row[column] / 1e3, float(value)), strict=True))


def _layout(row: dict, pool: str, experts: bool) -> Layout:
    """A worker's layout; experts over more devices than attention mean attention groups."""
    tp, dp, *spread = (max(int(np.nan_to_num(row[f"{pool}_{size}"], nan=1.0)), 1) for size in SIZES)
    if not experts:
        return Layout(tp=tp)
    dp = max(dp, spread[0] * spread[1] // tp)
    ep = spread[1] if not (tp * dp) % spread[1] else 1
    return Layout(tp=tp, dp=dp, ep=ep)
