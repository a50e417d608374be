"""Price against speed: by accelerator and model, as Epoch computes it, what that leaves out; what idle time costs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from tokenomics.compute.inference import provision
from tokenomics.economics import cost
from tokenomics.economics import frontier as epoch
from tokenomics.economics.frontier import H100, Shape
from tokenomics.errors import DataError
from tokenomics.estimate import Estimate
from tokenomics.facts import catalogue, claims, tables
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.models import Model
from tokenomics.notebook import units
from tokenomics.notebook.report import Metric, cell, extreme
from tokenomics.sections import operating_points
from tokenomics.sections.s05_tokenomics_qoe.case import Case
from tokenomics.sections.s05_tokenomics_qoe.day import Day
from tokenomics.service.simulator import Outcome
from tokenomics.service.timeline import quantiles

CONCURRENCIES = 2.0 ** np.arange(0, 11, 0.5)
MARKET = "observed_market"
SPEED, PRICE = "speed_tok_per_s", "usd_per_mtok"
PRICE_LOW, PRICE_HIGH = units.end_of(PRICE, units.LOW), units.end_of(PRICE, units.HIGH)
POINT_COLUMNS = ["model", "accelerator", "layout", "devices", "concurrency", SPEED, PRICE, PRICE_LOW, PRICE_HIGH]


def point_prices(points: pd.DataFrame, rents: Mapping[Accelerator, Estimate]) -> list[Estimate]:
    """USD per million output tokens of operating points, rents and predictions together."""
    usd = {device.name: rent for device, rent in rents.items()}
    rates = zip(*(points[name] for name in operating_points.PER_DEVICE_ENDS), strict=True)
    names = points["accelerator"]
    return [cost.usd_per_mtoken(usd[name], Estimate(*rate)) for name, rate in zip(names, rates, strict=True)]


def priced(
    load: provision.Load,
    models: Iterable[Model],
    rents: Mapping[Accelerator, Estimate],
    most: int,
    concurrencies: Sequence[float] = CONCURRENCIES,
) -> pd.DataFrame:
    """Points of closed loops that none beats in speed and price, for each model and accelerator: speed for one user,
    USD per million output tokens with its interval; what fits nowhere is left out.

    Args:
        rents: USD per device-hour.
        most: devices of a replica.
    """
    found = []
    for model in models:
        points = operating_points.frontier(load, model, list(rents), most, concurrencies)
        if points.empty:
            continue
        prices = point_prices(points, rents)
        table = pd.DataFrame({"model": model.name, "accelerator": points["accelerator"], "layout": points["layout"]})
        table["devices"], table["concurrency"] = points["devices"].astype(float), points["concurrency"]
        table[SPEED] = points[operating_points.PER_USER]
        found.append(table.join(pd.DataFrame([units.columns(PRICE, price) for price in prices])))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=POINT_COLUMNS)


def cheapest_at(points: pd.DataFrame, speed: float, *by: str) -> pd.DataFrame:
    """The cheapest point of each value of ``by`` (columns) that is at least so fast; those that reach it, cheapest
    first; without rows where no point is so fast."""
    fast = points[points[SPEED] >= speed].sort_values([PRICE, *by])
    return fast.drop_duplicates([*by]).reset_index(drop=True)


def speed_metrics(points: pd.DataFrame, speed: float) -> dict[str, Metric]:
    """The accelerator that is cheapest at a speed, its price, and how many intervals of others reach into it."""
    best = cheapest_at(points, speed, "accelerator")
    first, slow = extreme(best, PRICE, least=True), f"no accelerator with a rent makes {speed:g} tokens a second"
    rivals = int((best[PRICE_LOW] <= first[PRICE_HIGH]).sum()) - 1
    return {
        "slo_speed": Metric(speed, "tok/s", "speed that the objective promises"),
        "cheapest_xpu": replace(cell(first, "accelerator", "cheapest accelerator at that speed", "text"), reason=slow),
        "cheapest_price": replace(cell(first, PRICE, "its price, saturated"), reason=slow),
        "cheapest_rivals": Metric(max(rivals, 0), "1", "others whose interval reaches into its"),
    }


def settings() -> pd.DataFrame:
    """Published points that Epoch's model gives (no market points), in the order of their table."""
    rows = tables.read("catalogue/cost_speed_frontier")
    return rows[rows["point"] != MARKET].reset_index(drop=True)


def reproduced(published: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every published point beside ours, and our frontiers.

    Returns:
        Points: ``setting, point, target_tok_per_s``, speeds and prices ``published_`` and ``own_``, relative
        ``speed_error`` and ``price_error``; curves: ``setting, speed_tok_per_s, usd_per_mtok``.

    Raises:
        DataError: a published speed that our frontier does not reach.
    """
    points, curves = [], []
    for setting, rows in published.groupby("setting", sort=False):
        curve = _curve(rows.iloc[0])
        curves.append(pd.DataFrame({"setting": setting, SPEED: curve.tokens_per_s, PRICE: curve.usd_per_mtoken}))
        for row in rows.itertuples():
            target = row.target_tokens_per_s
            place = curve.at_least(target) if row.point == "at_least" else getattr(curve, row.point)()
            if place is None:
                raise DataError(f"frontier of {setting}", row.point, target, "a speed it reaches")
            own = float(curve.tokens_per_s[place]), float(curve.usd_per_mtoken[place])
            points.append((setting, row.point, target, row.tokens_per_s, row.usd_per_mtoken_output, *own))
    columns = ["setting", "point", "target_tok_per_s", "published_tok_per_s", "published_usd_per_mtok"]
    table = pd.DataFrame(points, columns=[*columns, "own_tok_per_s", "own_usd_per_mtok"])
    table["speed_error"] = table["own_tok_per_s"] / table["published_tok_per_s"] - 1
    table["price_error"] = table["own_usd_per_mtok"] / table["published_usd_per_mtok"] - 1
    return table, pd.concat(curves, ignore_index=True)


def epoch_metrics(points: pd.DataFrame) -> dict[str, Metric]:
    """How many points Epoch published, and by how much ours are off at most."""
    metrics = {"epoch_points": Metric(len(points), "1", "published points of Epoch's frontiers")}
    for key in ("price", "speed"):
        worst = points[f"{key}_error"].abs().max()
        metrics[f"epoch_{key}_error"] = Metric(worst, "1", f"largest deviation in {key} of Epoch's points")
    return metrics


DRAWN = ("Llama 3 8B (1M tok/sec)", "Llama 3 70B 8-bit", "Llama 3 70B (1M tok/sec)")
DRAWN += ("Mixtral 8x22B", "GPT-3", "Llama 3.1 405B")


def thinned(curves: pd.DataFrame, most_usd: float, every: int = 3) -> pd.DataFrame:
    """Every so many points of some frontiers, up to a price and with their last: enough for a picture."""
    some = curves[curves["setting"].isin(DRAWN) & (curves[PRICE] < most_usd)]
    place = some.groupby("setting").cumcount(ascending=False)
    return some[place % every == 0].reset_index(drop=True)


def _curve(row: pd.Series) -> epoch.Frontier:
    demand = np.inf if np.isnan(row["demand_tokens_per_s"]) else row["demand_tokens_per_s"]
    shape = epoch.shapes()[row["model"]]
    return epoch.frontier(shape, bits=row["weight_bits"], context=row["context_tokens"], most_tokens_per_s=demand)


EPOCH_BITS = 16, 8, 4
EPOCH, DECODE, PREFILL = "Epoch: decode, ideal", "calibrated decode", "+ prefill"
QUEUE, TAIL, DAY = "+ open arrivals", "+ 99 % of requests", "+ a day's idle hours"
TAIL_SHARE = 0.99
STEPS = (EPOCH, DECODE, PREFILL, QUEUE, TAIL, DAY)


def added(case: Case, rates: Sequence[float], day: Day) -> pd.DataFrame:
    """Price against speed of one model and accelerator, with one more thing counted in each line.

    The lines: Epoch's model at the same rent and context (any number of devices); this replica's calibrated decode with
    no prompt to read; a closed loop that reads prompts, at the saturated rate of those loops; requests that arrive by
    themselves (simulated), mean TPOT; the slowest in a hundred requests; and a whole day (simulated) in which the same
    replica, sized for its peak, has less to do in other hours and is paid in all.

    Args:
        rates: loads of the simulated points, requests a second; of the day's peak in the last line.
        day: its shape.

    Returns:
        ``step, speed_tok_per_s, usd_per_mtok``.
    """
    server, prompt, output, rent = case.server, case.prompt, case.output, case.usd_per_device_hour
    middle, devices = prompt + output / 2, server.devices
    found = [_epoch(case, middle)]
    flight = CONCURRENCIES[min(float(server.capacity(middle)), case.max_num_seqs) >= CONCURRENCIES]
    tpot_s = server.tpot(flight, middle).value
    found.append(_line(DECODE, 1 / tpot_s, cost.usd_per_mtoken(rent, flight / tpot_s, devices).value))
    saturated = cost.usd_per_mtoken(rent, server.output_rate(prompt, output, flight), devices)
    found.append(_line(PREFILL, 1 / server.loaded_tpot(flight, prompt, output).value, saturated.value))
    open_loop = [case.run(rate) for rate in rates]
    found += [_line(QUEUE, *_points(case, open_loop, None)), _line(TAIL, *_points(case, open_loop, TAIL_SHARE))]
    whole = day.stream(max(rates))
    days = [case.serve(day.thinned(whole, rate / max(rates))) for rate in rates]
    return pd.concat([*found, _line(DAY, *_points(case, days, TAIL_SHARE))], ignore_index=True)


def _points(case: Case, outcomes: Sequence[Outcome], share: float | None) -> tuple[list[float], list[float]]:
    """Speed (of the mean TPOT, or of the TPOT that a share of requests keeps) and price of each simulation."""
    tpots = [each.tpot_s[~np.isnan(each.tpot_s)] for each in outcomes]
    speeds = [float(1 / (each.mean() if share is None else quantiles(each, share))) for each in tpots]
    rent, devices = case.usd_per_device_hour, case.server.devices
    return speeds, [float(cost.simulated(each, rent, devices).value) for each in outcomes]


def _epoch(case: Case, context: float) -> pd.DataFrame:
    """Epoch's model at the width, of those it knows, that is nearest to that of the weights."""
    stored_bits = case.server.on.precision.weights.bits
    bits = min(EPOCH_BITS, key=lambda width: abs(width - stored_bits))
    device = replace(H100, usd_per_hour=float(case.usd_per_device_hour.value))
    curve = epoch.frontier(Shape.of(case.server.on.model), device, bits=bits, context=context)
    return _line(EPOCH, curve.tokens_per_s, curve.usd_per_mtoken)


def _line(step: str, speed: Sequence[float], price: Sequence[float]) -> pd.DataFrame:
    return pd.DataFrame({"step": step, SPEED: speed, PRICE: price})


def at_speed(lines: pd.DataFrame, speed: float) -> pd.DataFrame:
    """Price in each line for at least so many tokens a second: the cheapest point that fast, and how much dearer than
    in the line before; missing where none is."""
    price = lines[lines[SPEED] >= speed].groupby("step")[PRICE].min().reindex(STEPS)
    table = price.astype(float).rename_axis("step").reset_index()
    before, first = (price / price.shift()).to_numpy(), (price / price[EPOCH]).to_numpy()
    return table.assign(over_step_before_ratio=before, over_first_ratio=first)


def step_metrics(at: pd.DataFrame) -> dict[str, Metric]:
    """What each thing that is counted adds to Epoch's price, and what all of them do."""
    by_step = at.set_index("step")
    metrics = {
        "step_first": cell(by_step.loc[EPOCH], PRICE, "Epoch's rules at that speed"),
        "step_all": cell(by_step.loc[DAY], "over_first_ratio", "all of it over Epoch's price"),
    }
    for key, step in {"decode": DECODE, "prefill": PREFILL, "queue": QUEUE, "tail": TAIL}.items():
        metrics[f"step_{key}"] = cell(by_step.loc[step], "over_step_before_ratio", f"price over the step before: {key}")
    return metrics


LOW_LOADS = np.array([1.0, 2, 3, 5, 7, 10, 15, 20])
"""Requests a second at which idle time is priced."""
COMPARED_RPS = 10.0
"""Up to which others measured what idle time costs."""
COMPARED = {"mixtral": "Mixtral-8x7B", "qwen": "Qwen3-30B-A3B"}
"""Models whose price at one request a second was measured elsewhere."""
COMPARED_FORMATS = {"Mixtral-8x7B": "bf16", "Qwen3-30B-A3B": "fp8"}
"""Formats of the weights with which they were measured."""
IDLE = "penalty_ratio"


def replicas_of(own: Case, load: provision.Load, models: Iterable[str]) -> dict[str, Case]:
    """A replica of each model, those named and :data:`COMPARED`, on the fewest of the own devices, for the same
    requests; by model, format of the weights and devices. Models that do not fit are left out."""
    found = {}
    for model in dict.fromkeys(map(catalogue.model, [*models, *COMPARED.values()])):
        weights = COMPARED_FORMATS.get(model.name, load.format_of(model))
        asked = replace(load, prompt=own.prompt, output=own.output, weight_format=weights)
        server = provision.fastest(asked, model, own.server.on.device)
        if server is not None:
            found[f"{model.name}, {weights}, {server.devices}"] = replace(own, server=server)
    return found


def underused(cases: Mapping[str, Case], rates: Sequence[float] = LOW_LOADS) -> pd.DataFrame:
    """Price over the saturated price, for each named replica at loads below nine tenths of its saturated rate.

    Returns:
        A row a replica and load: ``penalty_ratio`` from tokens that came and hours that were paid; ``closed_ratio`` is
        ``1 / U``, ``U`` the load's tokens over what :meth:`Server.output_rate` says of a saturated loop, an independent
        way; ``constant_ratio`` is C_eff U / C_sat with the simulated saturation, 1 where the closed form holds.
    """
    rows = []
    for name, case in cases.items():
        full, devices, rent = float(case.saturated_tok_per_s.value), case.server.devices, case.usd_per_device_hour
        formula = float(case.server.output_rate(case.prompt, case.output, case.max_num_seqs).value)
        least = cost.usd_per_mtoken(rent, full, devices)
        for rate in rates:
            if rate > 0.9 * case.saturated_rps:
                continue
            price = cost.simulated(case.run(rate), rent, devices)
            penalty = float(price.value / least.value)
            used = rate * case.output / full
            row = {"replica": name, "rate_rps": float(rate), "share": used, IDLE: penalty}
            row |= {"closed_ratio": formula / (rate * case.output), "constant_ratio": penalty * used}
            rows.append(row | {PRICE: float(price.value), "saturated_usd_per_mtok": float(least.value)})
    return pd.DataFrame(rows, columns=None if rows else ["replica", "rate_rps", "share", IDLE, "constant_ratio"])


def published_penalties() -> dict[str, float]:
    """What others measured: ``low`` and ``high`` at one to ten requests a second, two models at one."""
    claimed = ("low", "high", *(f"idle_{key}" for key in COMPARED))
    return {key.removeprefix("idle_"): claims.claim(f"underuse_{key}") for key in claimed}


def compared_penalties(table: pd.DataFrame) -> dict[str, float]:
    """The simulated penalties that stand beside :func:`published_penalties`, of the models named there."""
    found = dict(zip(("low", "high"), penalty_range(table, COMPARED.values()), strict=True))
    at_one = table[np.isclose(table["rate_rps"], 1.0)]
    for key, model in COMPARED.items():
        found[key] = float(at_one[at_one["replica"].str.startswith(model)][IDLE].min())
    return found


def penalty_range(table: pd.DataFrame, models: Iterable[str] = ("",)) -> tuple[float, float]:
    """Least and largest simulated penalty up to ten requests a second, over all replicas or those of some models."""
    some = table[(table["rate_rps"] <= COMPARED_RPS) & table["replica"].str.startswith(tuple(models))][IDLE]
    return float(some.min()), float(some.max())


def underuse_metrics(table: pd.DataFrame) -> dict[str, Metric]:
    """What idle time costs here, over all models and over the two that were measured elsewhere, and there."""
    every = dict(zip(("low", "high"), penalty_range(table), strict=True))
    both, published = compared_penalties(table), published_penalties()
    metrics = {}
    for end, words in (("low", "least"), ("high", "largest")):
        meaning = f"{words} penalty at 1 to 10 requests/s, simulated"
        metrics[f"under_{end}"] = Metric(every[end], "1", meaning)
        metrics[f"under_both_{end}"] = Metric(both[end], "1", f"{meaning}, models measured elsewhere")
    for key in COMPARED:
        meaning, beyond = (
            f"penalty of {key} at 1 request/s, simulated",
            "its replica does not bear that, or does not fit",
        )
        metrics[f"under_{key}"] = Metric(both[key], "1", meaning, reason=beyond)
    return metrics | {f"published_{key}": Metric(x, "1", "penalty measured elsewhere") for key, x in published.items()}
