"""What APIs asked and how fast they answered, beside what the same tokens cost to make: the margin that is implied."""

import datetime as dt
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from tokenomics.compute.inference import provision
from tokenomics.economics import cost
from tokenomics.estimate import Estimate
from tokenomics.facts import prices, tables
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.models import Model
from tokenomics.facts.prices import ApiPrice
from tokenomics.sections import operating_points

NEAR_DAYS = 180
"""Most days between the measurement of a speed and the list that shows a price."""
FLIGHT = 2.0 ** np.arange(0, 10, 0.5)
MILLION = 1e6


def measured_offers(year_from: int, year_to: int) -> pd.DataFrame:
    """Dated, verified speeds of catalogued APIs in these years, each with the price on the list nearest in time.

    Speeds are those of a whole request: output over the time from sending it to its last token.

    Returns:
        ``model, provider, date, days_apart, speed_tokens_per_s, ttft_s, input_tokens, output_tokens, usd_per_mtoken``
        (USD per million output tokens of such a request, its prompt paid with it); offers without a price are left out.
    """
    speeds = tables.read("catalogue/api_speeds")
    dated = speeds[speeds["verified"] & speeds["date"].notna() & speeds["input_tokens"].notna()]
    years = pd.to_datetime(dated["date"]).dt.year
    rows = []
    for row in dated[(years >= year_from) & (years <= year_to)].itertuples():
        day = pd.Timestamp(row.date).date()
        offer = _nearest(row.model, row.provider, day)
        if offer is not None:
            apart = _apart(offer, day)
            usd = float(offer.usd(row.input_tokens, row.output_tokens))
            whole = row.ttft_s, row.input_tokens, row.output_tokens, MILLION * usd / row.output_tokens
            rows.append((row.model, row.provider, str(day), apart, row.output_tokens_per_s, *whole))
    columns = ["model", "provider", "date", "days_apart", "speed_tokens_per_s", "ttft_s"]
    return pd.DataFrame(rows, columns=[*columns, "input_tokens", "output_tokens", "usd_per_mtoken"])


def _nearest(model: str, provider: str, day: dt.date) -> ApiPrice | None:
    some = [p for p in prices.api_prices() if p.usable and p.verified and (p.model, p.provider) == (model, provider)]
    some = sorted((each for each in some if _apart(each, day) <= NEAR_DAYS), key=lambda each: _apart(each, day))
    return some[0] if some else None


def _apart(offer: ApiPrice, day: dt.date) -> int:
    """Days between a day and the time in which lists showed the price; 0 inside it."""
    return max((offer.date - day).days, (day - offer.listed_until).days, 0)


def made(
    model: Model,
    hours: Mapping[Accelerator, Estimate],
    load: provision.Load,
    most: int,
    flight: Sequence[float] = FLIGHT,
) -> pd.DataFrame:
    """What it costs to make the tokens at each speed: closed loops on up to ``most`` devices of every accelerator, of
    which none beats another; the speed is that of a whole request, as offers are measured."""
    points = operating_points.frontier(load, model, list(hours), most, flight)
    if points.empty:
        return points
    seconds = (points["ttft_ms"] + points["tpot_ms"] * (load.output - 1)) / 1e3
    known = {device.name: hour for device, hour in hours.items()}
    rates = (points[name] for name in operating_points.PER_DEVICE_ENDS)
    found = [
        cost.usd_per_mtoken(known[name], Estimate(*each))
        for name, *each in zip(points["accelerator"], *rates, strict=True)
    ]
    table = pd.DataFrame({"model": model.name, "accelerator": points["accelerator"], "devices": points["devices"]})
    table["speed_tokens_per_s"] = load.output / seconds
    for side, end in (("", "value"), ("_low", "low"), ("_high", "high")):
        table[f"usd_per_mtoken{side}"] = [float(getattr(each, end)) for each in found]
    table = table.assign(layout=points["layout"], cheap=-table["usd_per_mtoken"])
    return operating_points.better(table, "speed_tokens_per_s", "cheap").drop(columns="cheap")


def margins(offers: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """Each offer with the least cost of making its tokens so fast; missing where no point is.

    Returns:
        The offers with ``cost_usd_per_mtoken`` and its ends, ``least_used`` (cost over price: the utilisation below
        which the offer loses money) and ``margin`` at full load (1 less that).
    """
    rows = []
    for offer in offers.to_dict("records"):
        own = costs[(costs["model"] == offer["model"]) & (costs["speed_tokens_per_s"] >= offer["speed_tokens_per_s"])]
        best = own.loc[own["usd_per_mtoken"].idxmin()] if len(own) else None
        for side in ("", "_low", "_high"):
            offer[f"cost_usd_per_mtoken{side}"] = np.nan if best is None else best[f"usd_per_mtoken{side}"]
        offer["on"] = "none so fast" if best is None else f"{best['devices']:.0f} {best['accelerator']}"
        offer["least_used"] = offer["cost_usd_per_mtoken"] / offer["usd_per_mtoken"]
        rows.append(offer | {"margin": 1 - offer["least_used"]})
    return pd.DataFrame(rows)


def of_year(year: int, models: Sequence[str], prompt: float, output: float) -> pd.DataFrame:
    """Every usable, verified list price of a year for these models: USD per million output tokens of such a request,
    prompt included; one row a product, provider and price."""
    first, last = dt.date(year, 1, 1), dt.date(year, 12, 31)
    rows = [
        (p.model, p.provider, str(p.date), MILLION * float(p.usd(prompt, output)) / output)
        for p in prices.api_prices()
        if p.usable and p.verified and p.model in models and p.date <= last and p.listed_until >= first
    ]
    table = pd.DataFrame(rows, columns=["model", "provider", "date", "usd_per_mtoken"])
    return table.drop_duplicates(["model", "provider", "usd_per_mtoken"]).reset_index(drop=True)


def by_hand(model: str, provider: str, day: str) -> float:
    """The price of a measured offer once more, straight from the two tables: USD per million output tokens."""
    listed, speeds = tables.read("catalogue/prices_api"), tables.read("catalogue/api_speeds")
    offer = _nearest(model, provider, dt.date.fromisoformat(day))
    row = listed[(listed["model_id"] == offer.model_id) & (listed["date"] == str(offer.date))].iloc[0]
    asked = speeds[(speeds["model"] == model) & (speeds["provider"] == provider) & (speeds["date"] == day)].iloc[0]
    ratio = asked["input_tokens"] / asked["output_tokens"]
    return float(row["usd_per_mtoken_input"] * ratio + row["usd_per_mtoken_output"])
