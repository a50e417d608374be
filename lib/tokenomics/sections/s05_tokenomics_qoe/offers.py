"""What APIs asked and how fast they answered, beside what the same tokens cost to make; and one task told in full."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tokenomics.compute.inference import provision
from tokenomics.economics import cost
from tokenomics.estimate import Estimate
from tokenomics.facts import catalogue, prices, tables
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.models import Model
from tokenomics.facts.prices import ApiPrice
from tokenomics.notebook import units
from tokenomics.notebook.report import Metric
from tokenomics.sections import operating_points
from tokenomics.sections.s05_tokenomics_qoe.case import Case
from tokenomics.sections.s05_tokenomics_qoe.frontiers import PRICE, PRICE_HIGH, PRICE_LOW, SPEED, point_prices

NEAR_DAYS = 180
"""Most days between the measurement of a speed and the list that shows a price."""
CONCURRENCIES = 2.0 ** np.arange(0, 10, 0.5)
MILLION = 1e6
YEAR = 2024
"""Year of the offers: the only one with speeds that were measured from outside."""
LISTS_OF = dt.date(2024, 5, 20)
RENTED_THEN = ("A100-SXM-80GB", "H100-SXM-80GB")
"""Accelerators of that year, and the day of the rental lists that are taken for it."""
MADE_FORMAT, MADE_KV_BITS, MADE_DEVICES = "bf16", 16, 8
"""Format of weights, bits of the cache, and most devices of a replica, with which the tokens of an offer are made."""
CACHED, ALL = 0.5, 1.0
SATURATED, USED = "own replica, saturated", "own replica, used"


def measured_offers(first_year: int = YEAR - 1, last_year: int = YEAR) -> pd.DataFrame:
    """Dated, verified speeds of catalogued APIs in these years, each with the price on the list nearest in time.

    Speeds are those of a whole request: output over the time from sending it to its last token.

    Returns:
        ``model, provider, date, apart_days, speed_tok_per_s, ttft_s, input_tok, output_tok, usd_per_mtok`` (USD per
        million output tokens of such a request, its prompt paid with it); offers without a price are left out.
    """
    speeds = tables.read("catalogue/api_speeds")
    dated = speeds[speeds["verified"] & speeds["date"].notna() & speeds["input_tokens"].notna()]
    years = pd.to_datetime(dated["date"]).dt.year
    rows = []
    for row in dated[(years >= first_year) & (years <= last_year)].itertuples():
        day = pd.Timestamp(row.date).date()
        offer = _nearest(row.model, row.provider, day)
        if offer is not None:
            apart = _apart(offer, day)
            usd = float(offer.usd(row.input_tokens, row.output_tokens))
            whole = row.ttft_s, row.input_tokens, row.output_tokens, MILLION * usd / row.output_tokens
            rows.append((row.model, row.provider, str(day), apart, row.output_tokens_per_s, *whole))
    columns = ["model", "provider", "date", "apart_days", SPEED, "ttft_s", "input_tok", "output_tok", PRICE]
    return pd.DataFrame(rows, columns=columns)


def _nearest(model: str, provider: str, day: dt.date) -> ApiPrice | None:
    some = [p for p in prices.api_prices() if p.usable and p.verified and (p.model, p.provider) == (model, provider)]
    some = sorted((each for each in some if _apart(each, day) <= NEAR_DAYS), key=lambda each: _apart(each, day))
    return some[0] if some else None


def _apart(offer: ApiPrice, day: dt.date) -> int:
    """Days between a day and the time in which lists showed the price; 0 inside it."""
    return max((offer.date - day).days, (day - offer.listed_until).days, 0)


def made_then(offered: pd.DataFrame, engine: str) -> pd.DataFrame:
    """What the requests of the offers cost to make, for each of their models, on rented accelerators of the year."""
    then = prices.listed_on(prices.rental_prices(), LISTS_OF)
    rents = {each: cost.rent(each, then) for each in map(catalogue.accelerator, RENTED_THEN)}
    lengths = offered["input_tok"].iloc[0], offered["output_tok"].iloc[0]
    load = provision.Load(*lengths, 1, MADE_FORMAT, MADE_KV_BITS, engine)
    models = [catalogue.model(name) for name in sorted(set(offered["model"]))]
    return pd.concat([made(model, rents, load, MADE_DEVICES) for model in models])


def made(
    model: Model,
    rents: Mapping[Accelerator, Estimate],
    load: provision.Load,
    most: int,
    concurrencies: Sequence[float] = CONCURRENCIES,
) -> pd.DataFrame:
    """What it costs to make the tokens at each speed: closed loops on up to ``most`` devices of every accelerator, of
    which none beats another; the speed is that of a whole request, as offers are measured."""
    points = operating_points.frontier(load, model, list(rents), most, concurrencies)
    if points.empty:
        return points
    seconds = (points["ttft_ms"] + points["tpot_ms"] * (load.output - 1)) / 1e3
    table = pd.DataFrame({"model": model.name, "accelerator": points["accelerator"], "devices": points["devices"]})
    table[SPEED] = load.output / seconds
    table = table.join(pd.DataFrame([units.columns(PRICE, price) for price in point_prices(points, rents)]))
    table = table.assign(layout=points["layout"], cheap=-table[PRICE])
    return operating_points.better(table, SPEED, "cheap").drop(columns="cheap")


def margins(offers: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """Each offer with the least cost of making its tokens so fast; missing where no point is.

    Returns:
        The offers with ``cost_usd_per_mtok`` and its ends, ``least_used_share`` (cost over price: the utilisation below
        which the offer loses money) and ``margin_share`` when saturated (1 less that).
    """
    rows = []
    for offer in offers.to_dict("records"):
        own = costs[(costs["model"] == offer["model"]) & (costs[SPEED] >= offer[SPEED])]
        best = own.loc[own[PRICE].idxmin()] if len(own) else None
        for column in (PRICE, PRICE_LOW, PRICE_HIGH):
            offer[f"cost_{column}"] = np.nan if best is None else best[column]
        offer["on"] = "none so fast" if best is None else f"{best['devices']:.0f} {best['accelerator']}"
        offer["least_used_share"] = offer[f"cost_{PRICE}"] / offer[PRICE]
        rows.append(offer | {"margin_share": 1 - offer["least_used_share"]})
    return pd.DataFrame(rows)


def offer_metrics(offered: pd.DataFrame) -> dict[str, Metric]:
    """How many offers there are, how many lie above and below cost, and who is faster than rented accelerators."""
    reached = offered.dropna(subset=["margin_share"])
    fast = ", ".join(sorted(set(offered[offered["margin_share"].isna()]["provider"]))) or "none"
    below = int((reached[PRICE] < reached[f"cost_{PRICE_LOW}"]).sum())
    above = int((reached["margin_share"] > 0).sum())
    return {
        "offer_year": Metric(YEAR, "year", "year of the API offers"),
        "offers": Metric(len(offered), "1", "offers with a measured speed and a price"),
        "offer_day": Metric(offered["date"].iloc[0], "text", "day on which the speeds were measured"),
        "reached": Metric(len(reached), "1", "offers no faster than rented accelerators"),
        "above_cost": Metric(above, "1", "of these, above the cost of a saturated replica"),
        "below_cost": Metric(below, "1", "offers below the low end of that cost"),
        "median_used": Metric(reached["least_used_share"].median(), "1", "median cost over price"),
        "too_fast": Metric(fast, "text", "providers faster than any point"),
    }


def _in_year(offer: ApiPrice, year: int) -> bool:
    shown = offer.date <= dt.date(year, 12, 31) and offer.listed_until >= dt.date(year, 1, 1)
    return offer.usable and offer.verified and shown


def of_year(models: Sequence[str], prompt: float, output: float, year: int = YEAR) -> pd.DataFrame:
    """Every usable, verified list price of a year for these models: USD per million output tokens of such a request,
    prompt included; one row a product, provider and price."""
    rows = [
        (p.model, p.provider, str(p.date), MILLION * float(p.usd(prompt, output)) / output)
        for p in prices.api_prices()
        if p.model in models and _in_year(p, year)
    ]
    table = pd.DataFrame(rows, columns=["model", "provider", "date", PRICE])
    return table.drop_duplicates(["model", "provider", PRICE]).reset_index(drop=True)


def by_hand(offered: pd.DataFrame) -> list[float]:
    """The price of measured offers once more, straight from the two tables: USD per million output tokens."""
    listed, speeds = tables.read("catalogue/prices_api"), tables.read("catalogue/api_speeds")
    found = []
    for model, provider, day in offered[["model", "provider", "date"]].itertuples(index=False):
        offer = _nearest(model, provider, dt.date.fromisoformat(day))
        row = listed[(listed["model_id"] == offer.model_id) & (listed["date"] == str(offer.date))].iloc[0]
        asked = speeds[(speeds["model"] == model) & (speeds["provider"] == provider) & (speeds["date"] == day)].iloc[0]
        ratio = asked["input_tokens"] / asked["output_tokens"]
        found.append(float(row["usd_per_mtoken_input"] * ratio + row["usd_per_mtoken_output"]))
    return found


@dataclass(frozen=True)
class Task:
    """A request and how often somebody sends it.

    Attributes:
        prompt, output: tokens as ``tokenizer`` cuts them.
        thought: hidden tokens of a model that reasons.
        a_day: requests of a user.
    """

    prompt: float
    output: float
    thought: float
    a_day: float
    tokenizer: str


def chosen(products: Iterable[str], task: Task, year: int = YEAR) -> list[ApiPrice]:
    """Of each product the offer of a year that is in the middle by what the task costs (of two, the cheaper)."""
    found = []
    for name in products:
        some = [p for p in prices.api_prices() if p.model == name and _in_year(p, year)]
        some.sort(key=lambda p: (float(p.usd(task.prompt, task.output)), p.provider, p.date))
        found += some[(len(some) - 1) // 2 : (len(some) + 1) // 2]
    return found


def tasks(case: Case, task: Task, offers: Sequence[ApiPrice], used: float) -> pd.DataFrame:
    """A row an offer, then two of the replica (saturated, and used to a share: the closed form ``C_sat / U``): USD of
    the task as it is, with half of its prompt cached, sent as a batch, with hidden thoughts, and of a user's month.

    The batch discount is taken as given everywhere. A batch costs a replica what a saturated one costs, since it can
    wait until one is idle. Missing: thoughts of a model without any.
    """
    full = _own(case, task, 1.0)
    partly = _own(case, task, used) if used > 0 else {"date": "", "task_usd": np.nan}
    own = [full | {"offer": SATURATED}, partly | {"offer": f"{USED} {used:.0%}"}]
    rows = [_offer(offer, task) for offer in offers] + [row | {"batch_usd": full["task_usd"]} for row in own]
    each = float(cost.per_user_month(1.0, task.a_day).value)
    return pd.DataFrame(rows).assign(user_usd_per_month=lambda table: each * table["task_usd"])


def _offer(offer: ApiPrice, task: Task) -> dict:
    ratio = cost.tokenizer_ratio(offer.tokenizer, task.tokenizer) if offer.tokenizer else 1.0
    common = {"price": offer, "input_tokens": task.prompt, "output_tokens": task.output, "tokens_ratio": ratio}
    row = {"offer": f"{offer.model}, {offer.provider}", "date": str(offer.date), "tokens_ratio": ratio}
    row["task_usd"] = float(cost.api_usd(**common))
    row["cached_usd"] = float(cost.api_usd(**common, cached_share=CACHED))
    row["batch_usd"] = float(cost.api_usd(**common, batch_share=ALL))
    thinks = offer.reasoning_billed is True
    return row | {"thought_usd": float(cost.api_usd(**common, reasoning_tokens=task.thought)) if thinks else np.nan}


def _own(case: Case, task: Task, used: float) -> dict:
    settings = {"concurrency": case.max_num_seqs, "utilisation": used}
    made = cost.self_hosted(case.server, case.usd_per_device_hour, task.prompt, task.output, **settings)
    row = {"date": "", "tokens_ratio": 1.0} | units.columns("task_usd", made.usd(task.prompt, task.output))
    row["cached_usd"] = float(made.usd(task.prompt, task.output, 0.0, CACHED).value)
    return row | {"thought_usd": float(made.usd(task.prompt, task.output, task.thought).value)}


def task_metrics(billed: pd.DataFrame) -> dict[str, Metric]:
    """A thousand tasks on the own replica as the objective allows, the first product over it, and what thoughts add."""
    own = billed[billed["offer"].str.startswith(USED)].iloc[0]
    offered = billed[~billed["offer"].isin([SATURATED, own["offer"]])]["task_usd"]
    ratio = offered.iloc[0] / own["task_usd"] if len(offered) else None
    thoughts = (billed["thought_usd"] / billed["task_usd"]).max()
    return {
        "task_usd": Metric(1e3 * own["task_usd"], "USD", "a thousand tasks on the own replica, used as promised"),
        "task_ratio": Metric(ratio, "1", "price of the first product's task over that"),
        "thought_ratio": Metric(thoughts, "1", "most that thoughts add"),
    }
