"""Price against speed: by accelerator and model, as Epoch computes it, and what the rest of reality adds to that."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from tokenomics.compute.inference import provision
from tokenomics.economics import cost
from tokenomics.economics import frontier as epoch
from tokenomics.economics.frontier import H100, Shape
from tokenomics.errors import DataError
from tokenomics.estimate import Estimate
from tokenomics.facts import tables
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.models import Model
from tokenomics.sections import operating_points
from tokenomics.sections.s05_tokenomics_qoe.case import Case
from tokenomics.sections.s05_tokenomics_qoe.day import Day
from tokenomics.sections.s05_tokenomics_qoe.units import sides
from tokenomics.service.simulator import Outcome
from tokenomics.service.timeline import quantiles

FLIGHT = 2.0 ** np.arange(0, 11, 0.5)
MARKET = "observed_market"


def priced(
    load: provision.Load,
    model: Model,
    hours: dict[Accelerator, Estimate],
    most: int,
    flight: Sequence[float] = FLIGHT,
) -> pd.DataFrame:
    """Points of closed loops that none beats in speed and price on its accelerator: speed for one user, USD per million
    output tokens with its ends (rents and predictions together); all that fit nowhere are left out."""
    points = operating_points.frontier(load, model, list(hours), most, flight)
    if points.empty:
        return points
    known = {device.name: hour for device, hour in hours.items()}
    rows = []
    for point in points.itertuples():
        rate = Estimate(*(getattr(point, end) for end in operating_points.PER_DEVICE_ENDS))
        price = cost.usd_per_mtoken(known[point.accelerator], rate)
        row = {"model": model.name, "accelerator": point.accelerator, "layout": point.layout}
        row |= {"devices": float(point.devices), "in_flight": point.concurrency}
        row |= {"speed_tokens_per_s": getattr(point, operating_points.PER_USER)}
        rows.append(row | sides("usd_per_mtoken", price))
    return pd.DataFrame(rows)


def cheapest_at(points: pd.DataFrame, speed: float, *by: str) -> pd.DataFrame:
    """The cheapest point of each value of ``by`` (columns) that is at least so fast; those that reach it, cheapest
    first."""
    fast = points[points["speed_tokens_per_s"] >= speed].sort_values(["usd_per_mtoken", *by])
    return fast.drop_duplicates([*by]).reset_index(drop=True)


def settings() -> pd.DataFrame:
    """Published points that Epoch's model gives (no market points), in the order of their table."""
    rows = tables.read("catalogue/cost_speed_frontier")
    return rows[rows["point"] != MARKET].reset_index(drop=True)


def reproduced(published: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every published point beside ours, and our frontiers.

    Returns:
        Points: ``setting, point, target_tokens_per_s``, speeds and prices published and ``own_``, ``price_off`` and
        ``speed_off`` relative; curves: ``setting, speed_tokens_per_s, usd_per_mtoken``.
    """
    points, curves = [], []
    for setting, rows in published.groupby("setting", sort=False):
        curve = _curve(rows.iloc[0])
        curves.append(
            pd.DataFrame(
                {"setting": setting, "speed_tokens_per_s": curve.tokens_per_s, "usd_per_mtoken": curve.usd_per_mtoken}
            )
        )
        for row in rows.itertuples():
            place = curve.at_least(row.target_tokens_per_s) if row.point == "at_least" else getattr(curve, row.point)()
            if place is None:
                raise DataError(f"frontier of {setting}", row.point, row.target_tokens_per_s, "a speed it reaches")
            own = float(curve.tokens_per_s[place]), float(curve.usd_per_mtoken[place])
            points.append(
                (setting, row.point, row.target_tokens_per_s, row.tokens_per_s, row.usd_per_mtoken_output, *own)
            )
    columns = ["setting", "point", "target_tokens_per_s", "tokens_per_s", "usd_per_mtoken"]
    table = pd.DataFrame(points, columns=[*columns, "own_tokens_per_s", "own_usd_per_mtoken"])
    table["speed_off"] = table["own_tokens_per_s"] / table["tokens_per_s"] - 1
    table["price_off"] = table["own_usd_per_mtoken"] / table["usd_per_mtoken"] - 1
    return table, pd.concat(curves, ignore_index=True)


DRAWN = ("Llama 3 8B (1M tok/sec)", "Llama 3 70B 8-bit", "Llama 3 70B (1M tok/sec)")
DRAWN += ("Mixtral 8x22B", "GPT-3", "Llama 3.1 405B")


def thinned(curves: pd.DataFrame, most_usd: float, every: int = 3) -> pd.DataFrame:
    """Every so many points of some frontiers, up to a price and with their last: enough for a picture."""
    some = curves[curves["setting"].isin(DRAWN) & (curves["usd_per_mtoken"] < most_usd)]
    place = some.groupby("setting").cumcount(ascending=False)
    return some[place % every == 0].reset_index(drop=True)


def _curve(row: pd.Series) -> epoch.Frontier:
    demand = np.inf if np.isnan(row["demand_tokens_per_s"]) else row["demand_tokens_per_s"]
    shape = epoch.shapes()[row["model"]]
    return epoch.frontier(shape, bits=row["weight_bits"], context=row["context_tokens"], most_tokens_per_s=demand)


EPOCH, DECODE, PREFILL = "Epoch: decode, ideal", "calibrated decode", "+ prefill"
QUEUE, TAIL, DAY = "+ open arrivals", "+ 99 % of requests", "+ a day's idle hours"
TAIL_SHARE = 0.99
STEPS = (EPOCH, DECODE, PREFILL, QUEUE, TAIL, DAY)


def added(case: Case, bits: float, rates: Sequence[float], day: Day) -> pd.DataFrame:
    """Price against speed of one model and accelerator, with one more thing counted at each step.

    The steps: Epoch's model at the same rent and context (any number of devices); this copy's calibrated decode with no
    prompt to read; a closed loop that reads prompts, at the full rate those loops give; requests that arrive by
    themselves (simulated), mean TPOT; the slowest in a hundred requests; and a whole day (simulated) in which the same
    copy, sized for its crest, has less to do in other hours and is paid in all.

    Args:
        bits: stored per weight.
        rates: loads of the simulated points, requests a second; of the day's crest in the last step.
        day: its shape.

    Returns:
        ``step, speed_tokens_per_s, usd_per_mtoken``.
    """
    server, prompt, output = case.server, case.prompt, case.output
    middle, devices = prompt + output / 2, server.devices
    found = [_epoch(case, bits, middle)]
    flight = FLIGHT[min(float(server.capacity(middle)), case.rules.max_batch) >= FLIGHT]
    step = server.tpot(flight, middle).value
    found.append(_line(DECODE, 1 / step, cost.usd_per_mtoken(case.hour, flight / step, devices).value))
    full = cost.usd_per_mtoken(case.hour, server.output_rate(prompt, output, flight), devices)
    found.append(_line(PREFILL, 1 / server.loaded_tpot(flight, prompt, output).value, full.value))
    open_loop = [case.run(rate) for rate in rates]
    found += [_line(QUEUE, *_points(case, open_loop, None)), _line(TAIL, *_points(case, open_loop, TAIL_SHARE))]
    whole = day.stream(max(rates))
    days = [case.serve(day.thinned(whole, rate / max(rates))) for rate in rates]
    return pd.concat([*found, _line(DAY, *_points(case, days, TAIL_SHARE))], ignore_index=True)


def _points(case: Case, outcomes: Sequence[Outcome], share: float | None) -> tuple[list[float], list[float]]:
    """Speed (of the mean TPOT, or of the TPOT that a share of requests keeps) and price of each simulation."""
    tpots = [each.tpot_s[~np.isnan(each.tpot_s)] for each in outcomes]
    speeds = [float(1 / (each.mean() if share is None else quantiles(each, share))) for each in tpots]
    return speeds, [float(cost.simulated(each, case.hour, case.server.devices).value) for each in outcomes]


def _epoch(case: Case, bits: float, context: float) -> pd.DataFrame:
    device = replace(H100, usd_per_hour=float(case.hour.value))
    curve = epoch.frontier(Shape.of(case.server.on.model), device, bits=bits, context=context)
    return _line(EPOCH, curve.tokens_per_s, curve.usd_per_mtoken)


def _line(step: str, speed: Sequence[float], price: Sequence[float]) -> pd.DataFrame:
    return pd.DataFrame({"step": step, "speed_tokens_per_s": speed, "usd_per_mtoken": price})


def at_speed(lines: pd.DataFrame, speed: float) -> pd.DataFrame:
    """Price of each step for at least so many tokens a second: the cheapest point that fast, and how much dearer than
    the step before; missing where none is."""
    fast = lines[lines["speed_tokens_per_s"] >= speed]
    price = fast.groupby("step")["usd_per_mtoken"].min().reindex(STEPS)
    table = price.rename_axis("step").reset_index()
    return table.assign(
        over_step_before=(price / price.shift()).to_numpy(), over_first=(price / price.iloc[0]).to_numpy()
    )
