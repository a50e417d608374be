"""What a promise costs: the price of a million tokens at an objective, and what one change does to it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from tokenomics.compute.inference import provision
from tokenomics.economics import cost
from tokenomics.errors import Infeasible
from tokenomics.notebook import units
from tokenomics.notebook.report import Metric, cell, extreme
from tokenomics.sections import operating_points
from tokenomics.sections.s05_tokenomics_qoe.case import Case
from tokenomics.service import qoe, workload

BASE = "as above"
PRICE, RATIO = "usd_per_mtok", "over_base_ratio"
Variant = tuple[Case, qoe.Slo]


def prices(case: Case, slos: Iterable[qoe.Slo]) -> pd.DataFrame:
    """Price of each objective: the closed form (mean times of a closed loop) beside the simulation (the share's
    quantiles under Poisson arrivals), USD per million output tokens, each over its own saturated price; missing where
    nothing keeps the objective."""
    rent = case.usd_per_device_hour
    saturated = cost.usd_per_mtoken(rent, case.saturated_tok_per_s, case.server.devices)
    rows = []
    for slo in slos:
        closed = cost.price_of_slo(case.server, rent, slo, case.prompt, case.output)
        rate = case.rate_within(slo)
        row = {"objective": slo.name, "ttft_s": slo.ttft_s, "tpot_ms": 1e3 * slo.tpot_s, "kept_share": slo.share}
        row |= {"closed_usd_per_mtok": float(closed.usd_per_mtoken.value), "closed_ratio": closed.ratio}
        row |= {"replica_rps": float(rate.value), "replica_share": float(rate.value) / case.saturated_rps}
        price = case.usd_per_mtok(rate)
        row |= units.columns("simulated_usd_per_mtok", price)
        rows.append(row | {"simulated_ratio": float(price.value / saturated.value)})
    return pd.DataFrame(rows).replace(np.inf, np.nan)


def price_metrics(promises: pd.DataFrame) -> dict[str, Metric]:
    """The dearest objective over a saturated replica, in both ways."""
    worst = extreme(promises, "simulated_ratio")
    return {
        "slo_dearest": cell(worst, "simulated_ratio", "dearest objective over a saturated replica, simulated"),
        "slo_dearest_closed": cell(worst, "closed_ratio", "the same objective by the closed form"),
    }


def changes(base: Variant, changed: Mapping[str, Callable[[], Variant]]) -> pd.DataFrame:
    """A row a change: devices of a replica, its highest rate, its price and that over the price of the base, with the
    ends of its own step times and rent; missing where a change does not fit or the objective is never kept."""
    table = pd.DataFrame([_changed(name, make) for name, make in {BASE: lambda: base, **changed}.items()])
    table = table.replace(np.inf, np.nan)
    unchanged = table.set_index("change").loc[BASE, PRICE]
    table[RATIO] = table[PRICE] / unchanged
    for end in (units.LOW, units.HIGH):
        table[units.end_of(RATIO, end)] = table[units.end_of(PRICE, end)] / unchanged
    return table


def _changed(name: str, make: Callable[[], Variant]) -> dict:
    try:
        case, slo = make()
    except Infeasible:
        return {"change": name}
    rate = case.rate_within(slo)
    row = {"change": name, "devices": case.server.devices, "replica_rps": float(rate.value)}
    return row | units.columns(PRICE, case.usd_per_mtok(rate))


def change_metrics(table: pd.DataFrame) -> dict[str, Metric]:
    """The changes that move the price most, up and down."""
    others = table[table["change"] != BASE]
    metrics = {}
    for key, least in (("dearest", False), ("cheapest", True)):
        row = extreme(others, RATIO, least=least)
        metrics[f"{key}_change"] = Metric(row["change"], "text", f"change that makes the objective {key}")
        metrics[f"{key}_ratio"] = Metric(row[RATIO], "1", "price after it over price before")
    return metrics


def variants(case: Case, slo: qoe.Slo, load: provision.Load, least: int) -> dict[str, Callable[[], Variant]]:
    """Changes of one thing each, made when they are called for.

    Args:
        load: what the replica was chosen for.
        least: devices of the replica, at least.
    """
    model, device = case.server.on.model, case.server.on.device

    def other(change: Mapping, devices: int = least) -> Variant:
        server = provision.replica_of(replace(load, **change), model, device, devices)
        return replace(case, server=server), slo

    def asked(pool: workload.Stream) -> Variant:
        return replace(case, pool=pool), slo

    gaps = workload.arrival_times(workload.Gamma(1.0, 3.0), len(case.pool), seed=0)
    return {
        **{
            f"weights {each or 'as published'}": partial(other, {"weight_format": each})
            for each in operating_points.other_formats(case.server)
        },
        "twice the accelerators": lambda: other({}, 2 * case.server.devices),
        "TTFT within half": lambda: (case, replace(slo, ttft_s=slo.ttft_s / 2)),
        "TPOT within half": lambda: (case, replace(slo, tpot_s=slo.tpot_s / 2)),
        "99 % instead": lambda: (case, replace(slo, share=0.99)),
        "bursts (gaps' cv 3)": lambda: asked(replace(case.pool, arrival_s=gaps)),
        "prompts twice as long": lambda: asked(replace(case.pool, input_tokens=2 * case.pool.input_tokens)),
        "replies twice as long": lambda: asked(replace(case.pool, output_tokens=2 * case.pool.output_tokens)),
        "prefill goes first": lambda: (case.told(policy="prefill"), slo),
        "chunks of 512 tokens": lambda: (case.told(max_num_batched_tokens=512), slo),
    }
