"""What one change does to the price of a million tokens at an objective."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from tokenomics.compute.inference import provision
from tokenomics.estimate import Estimate, combine
from tokenomics.sections.s05_tokenomics_qoe.case import Case, Setting, build
from tokenomics.sections.s05_tokenomics_qoe.units import sides
from tokenomics.service import qoe, workload

Variant = tuple[Case, qoe.Slo]


def at_objective(case: Case, most: Estimate) -> Estimate:
    """USD per million output tokens of a copy at the most requests a second that keep an objective; infinite where none
    do. Ends: of step times (in the rate) and rent."""
    with np.errstate(divide="ignore"):
        return combine(
            lambda p, r: 1e6 * case.server.devices * p / (3600 * r * case.output), rising=[case.hour], falling=[most]
        )


def table(base: Variant, changed: Mapping[str, Variant]) -> pd.DataFrame:
    """A row a change: accelerators of a copy, what it bears, its price with ends and the ratio to the base's middle."""
    rows = []
    for name, (case, slo) in {"as above": base, **changed}.items():
        most = case.most_with_ends(slo)
        row = {"change": name, "devices": case.server.devices, "copy_rps": float(most.value)}
        row |= sides("usd_per_mtoken", at_objective(case, most))
        rows.append({key: np.nan if value == np.inf else value for key, value in row.items()})
    found = pd.DataFrame(rows)
    for side in ("", "_low", "_high"):
        found[f"ratio{side}"] = found[f"usd_per_mtoken{side}"] / found["usd_per_mtoken"].iloc[0]
    return found


def variants(case: Case, slo: qoe.Slo, load: provision.Load, least: int) -> dict[str, Callable[[], Variant]]:
    """Changes of one thing each, made when they are called for.

    Args:
        load: what the copy was chosen for.
        least: accelerators of the copy, at least.
    """
    model, device = case.server.on.model, case.server.on.device
    setting = Setting(case.rules.max_batch, case.rules.max_tokens, case.count)

    def other(change: Mapping, devices: int = least) -> Variant:
        server = provision.replica_of(replace(load, **change), model, device, devices)
        return build(server, case.pool, case.hour, setting), slo

    def asked(pool: workload.Stream) -> Variant:
        return build(case.server, pool, case.hour, setting), slo

    gaps = workload.arrival_times(workload.Gamma(1.0, 3.0), len(case.pool), seed=0)
    return {
        "16-bit weights": lambda: other({"weight_bits": 16}),
        "4-bit weights": lambda: other({"weight_bits": 4}),
        "twice the accelerators": lambda: other({}, 2 * case.server.devices),
        "TTFT within half": lambda: (case, replace(slo, ttft_s=slo.ttft_s / 2)),
        "TPOT within half": lambda: (case, replace(slo, tpot_s=slo.tpot_s / 2)),
        "99 % instead": lambda: (case, replace(slo, share=0.99)),
        "bursts (gaps' cv 3)": lambda: asked(replace(case.pool, arrival_s=gaps)),
        "prompts twice as long": lambda: asked(replace(case.pool, input_tokens=2 * case.pool.input_tokens)),
        "replies twice as long": lambda: asked(replace(case.pool, output_tokens=2 * case.pool.output_tokens)),
        "prefill goes first": lambda: (replace(case, rules=replace(case.rules, policy="prefill")), slo),
        "chunks of 512 tokens": lambda: (replace(case, rules=replace(case.rules, max_tokens=512)), slo),
    }
