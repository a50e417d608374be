"""Experience and price against load: every measure of :mod:`tokenomics.service.qoe` from one timeline of tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tokenomics.economics import cost
from tokenomics.sections.s05_tokenomics_qoe.case import Case
from tokenomics.sections.s05_tokenomics_qoe.units import sides
from tokenomics.service import qoe
from tokenomics.service.simulator import Outcome
from tokenomics.service.timeline import Timeline, quantiles

MILLI = 1e3
SHOWN = ["rate_rps", "share", "stable", "ttft_p50_s", "ttft_p99_s", "tpot_p50_ms", "tpot_p99_ms", "itl_p99_ms"]
SHOWN += ["andes", "fluidity", "attained", "smooth", "goodput_rps", "achieved_tokens_per_s"]
SHOWN += ["simulated_usd_per_mtoken", "simulated_usd_per_mtoken_low", "simulated_usd_per_mtoken_high"]
SHOWN += ["closed_usd_per_mtoken", "closed_used"]
"""Columns of the table that readers see."""


@dataclass(frozen=True)
class Reader:
    """What somebody expects: an objective, and tokens a second that are read."""

    slo: qoe.Slo
    pace: float

    def measures(self, of: Timeline, duration_s: float) -> dict[str, float]:
        """Shares of what could be had, all 1 at best: Andes' QoE and the fluidity index (means over requests), requests
        that keep the objective, and smooth goodput over the tokens wanted; and, counting what came within
        ``duration_s``, goodput in requests and tokens a second and smooth goodput in tokens a second."""
        smooth = qoe.smooth_goodput(of, self.slo.ttft_s, self.pace, duration_s)
        came = until(of, duration_s)
        kept = qoe.attained(came, self.slo)
        return {
            "andes": float(qoe.andes(of, self.slo.ttft_s, self.pace).mean()),
            "fluidity": float(qoe.fluidity(of, self.slo.ttft_s, 1 / self.pace).mean()),
            "attained": float(qoe.attained(of, self.slo).mean()),
            "smooth": smooth * duration_s / float(of.wanted.sum()),
            "goodput_rps": float(kept.sum() / duration_s),
            "goodput_tokens_per_s": float(came.count[kept].sum() / duration_s),
            "smooth_tokens_per_s": qoe.smooth_goodput(came, self.slo.ttft_s, self.pace, duration_s),
        }


def until(of: Timeline, end_s: float) -> Timeline:
    """The tokens that came up to a time; what came later counts as not delivered."""
    came = of.token_s <= end_s
    count = np.bincount(of.owner, came, minlength=len(of.count)).astype(np.int64)
    return Timeline(of.arrival_s, of.token_s[came], count, of.wanted)


def sweep(case: Case, rates: Sequence[float], reader: Reader) -> pd.DataFrame:
    """A row a load: quantiles of TTFT and TPOT with the ends of the step times, measures of experience, and the price
    as simulated beside the closed form ``C_sat / U``.

    Measures at a load that grows a queue depend on how long it has grown: here for as long as the requests last.
    """
    rows = []
    for rate in rates:
        done = case.run(rate, tokens=True)
        of, span = done.timeline(), float(done.requests.arrival_s[-1])
        row = {"rate_rps": rate, "share": rate / case.saturated_rps, "stable": bool(done.load().stable)}
        row |= _times(case, rate, done) | reader.measures(of, span)
        row["itl_p99_ms"] = MILLI * float(quantiles(of.itl(), 0.99))
        row["achieved_tokens_per_s"] = cost.achieved(done)
        rows.append(row | _prices(case, rate, done))
    return pd.DataFrame(rows)


def _times(case: Case, rate: float, done: Outcome) -> dict[str, float]:
    others = {"value": done} | {end: case.run(rate, end) for end in ("low", "high")}
    found = {}
    for name, q in (("p50", 0.5), ("p99", 0.99)):
        for key, scale in (("ttft_s", 1.0), ("tpot_ms", MILLI)):
            stem, unit = key.split("_")
            for end, side in (("value", ""), ("low", "_low"), ("high", "_high")):
                values = getattr(others[end], f"{stem}_s")
                found[f"{stem}_{name}_{unit}{side}"] = scale * float(quantiles(values[~np.isnan(values)], q))
    return found


def _prices(case: Case, rate: float, done: Outcome) -> dict[str, float]:
    """USD per million output tokens, in two ways that share nothing but rent and lengths: simulated, and the closed
    form ``C_sat / U`` with the output rate of a queue never empty and ``U`` the offered over that, at most 1."""
    devices, prompt, output = case.server.devices, case.prompt, case.output
    most = case.server.output_rate(prompt, output, case.rules.max_batch)
    used = min(rate * output / float(most.value), 1.0)
    prices = sides("simulated_usd_per_mtoken", cost.simulated(done, case.hour, devices))
    full = cost.usd_per_mtoken(case.hour, float(most.value), devices)
    return prices | {"closed_usd_per_mtoken": float(cost.effective(full, used).value), "closed_used": used}


def at_share(table: pd.DataFrame, share: float) -> float:
    """Simulated price at a share of the saturated load: between loads price times load is taken as straight."""
    paid = np.interp(share, table["share"], table["simulated_usd_per_mtoken"] * table["share"])
    return float(paid / share)


def knee(table: pd.DataFrame, column: str, share: float) -> float:
    """The load up to which a column of shares stays at ``share`` or above, requests a second."""
    return qoe.highest_rate(table["rate_rps"], table[column].clip(0, 1), share)
