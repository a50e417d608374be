"""What a copy costs that is not full: the penalty C_eff / C_sat at loads far below saturation."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from tokenomics.economics import cost
from tokenomics.sections.s05_tokenomics_qoe.case import Case


def penalties(cases: Mapping[str, Case], rates: Sequence[float]) -> pd.DataFrame:
    """Price over the price at saturation, for each named copy at loads below nine tenths of its saturated rate.

    Returns:
        A row a copy and load: ``simulated`` from tokens that came and hours that were paid; ``closed`` is ``1 / U``,
        ``U`` the load's tokens over what :meth:`Server.output_rate` says of a queue never empty, an independent way;
        ``constant`` is C_eff U / C_sat with the simulated saturation, 1 where the closed form holds.
    """
    rows = []
    for name, case in cases.items():
        full, devices = float(case.saturated.value), case.server.devices
        formula = float(case.server.output_rate(case.prompt, case.output, case.rules.max_batch).value)
        least = cost.usd_per_mtoken(case.hour, full, devices)
        for rate in rates:
            if rate > 0.9 * case.saturated_rps:
                continue
            price = cost.simulated(case.run(rate), case.hour, devices)
            penalty = float(price.value / least.value)
            used = rate * case.output / full
            row = {"copy": name, "rate_rps": float(rate), "share": used, "simulated": penalty}
            row |= {"closed": formula / (rate * case.output), "constant": penalty * used}
            rows.append(row | {"usd_per_mtoken": float(price.value), "full_usd_per_mtoken": float(least.value)})
    return pd.DataFrame(rows)


def at(table: pd.DataFrame, rate: float) -> pd.Series:
    """Simulated penalties of all copies at one load."""
    rows = table[np.isclose(table["rate_rps"], rate)]
    return rows.set_index("copy")["simulated"]


def of(idle: pd.Series, model: str) -> float:
    """The penalty of the copy of a model, by the beginning of its name."""
    return float(next(value for name, value in idle.items() if str(name).startswith(model)))


def band(table: pd.DataFrame, rates: Iterable[float], models: Iterable[str] = ("",)) -> tuple[float, float]:
    """Least and largest simulated penalty at these loads, over all copies or those of some models."""
    some = table[table["rate_rps"].isin(list(rates)) & table["copy"].str.startswith(tuple(models))]["simulated"]
    return float(some.min()), float(some.max())
