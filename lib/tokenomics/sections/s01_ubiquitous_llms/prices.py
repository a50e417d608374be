"""Prices of a token through time: of the same offers, at the same score, of one vendor's products; and of a task."""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from tokenomics.facts import history
from tokenomics.notebook.report import Metric
from tokenomics.sections.s01_ubiquitous_llms.growth import Growth, fit_growth_within
from tokenomics.sections.s01_ubiquitous_llms.parameters import Parameters
from tokenomics.sections.s01_ubiquitous_llms.trends import growth_metric

FLAGSHIP_VENDOR = "openai"
OFFER, MEDIAN, CHEAPEST = "one offer", "median offer", "cheapest offer"
FLAGSHIP = "flagship"
PARTS = ("prompt", "thinking", "answer")
BLENDED = "usd_per_mtok"
CENTS_PER_USD = 100
LEAST_DATES = 3


def blended(offers: pd.DataFrame, input_share: float) -> pd.DataFrame:
    """Offers with a blended price, ``input_share`` of the tokens being input."""
    price = input_share * offers["usd_per_mtoken_input"] + (1 - input_share) * offers["usd_per_mtoken_output"]
    return offers.assign(**{BLENDED: price})


def same_weights(standing: pd.DataFrame, models: Collection[str]) -> pd.DataFrame:
    """Prices of the same weights on each list, tidy: each offer, the median of all, and the cheapest.

    Args:
        standing: offers on each list with their blended price in USD per million tokens, of
            :func:`tokenomics.facts.history.offers_by_snapshot`.
        models: open models; those on fewer than three lists are left out.

    Returns:
        Columns ``kind`` (:data:`OFFER`, :data:`MEDIAN`, :data:`CHEAPEST`), ``model``, ``offer`` (provider and
        its name of the model; the kind itself for the other two), ``year`` and the price.
    """
    rows = standing[standing["model"].isin(models)]
    rows = rows[rows.groupby("model")["year"].transform("nunique") >= LEAST_DATES]
    each = rows.assign(offer=rows["provider"] + " " + rows["model_id"], kind=OFFER)
    each = each.groupby(["kind", "model", "offer", "year"])[BLENDED].min().reset_index()
    by_list = rows.groupby(["model", "year"])[BLENDED]
    ends = [(MEDIAN, by_list.median()), (CHEAPEST, by_list.min())]
    table = pd.concat([each, *(of.reset_index().assign(kind=kind, offer=kind) for kind, of in ends)])
    return table.sort_values(["kind", "model", "offer", "year"]).reset_index(drop=True)


def same_weights_growth(prices: pd.DataFrame, **fit) -> dict[str, Growth]:
    """Growth common to all open models, by what is followed: ``same_offer``, ``median_offer``, ``cheapest_offer``.

    An offer is followed from the first list that has it to the last, so that none enters or leaves; the median and the
    cheapest change with whoever sells at the time. ``fit`` as :func:`.growth.fit_growth_within`.
    """
    rates = {}
    for key, kind in (("same_offer", OFFER), ("median_offer", MEDIAN), ("cheapest_offer", CHEAPEST)):
        rows = prices[prices["kind"] == kind]
        rates[key] = fit_growth_within(rows["model"] + " " + rows["offer"], rows["year"], rows[BLENDED], **fit)
    return rates


def changes(prices: pd.DataFrame) -> pd.DataFrame:
    """What became of each offer on more than one list: its last price over its first, and the years between."""
    rows = prices[prices["kind"] == OFFER].sort_values("year")
    by_offer = rows.groupby(["model", "offer"])
    first, last = by_offer.first(), by_offer.last()
    table = pd.DataFrame({"change": last[BLENDED] / first[BLENDED], "years": last["year"] - first["year"]})
    return table[table["years"] > 0]


def same_weights_metrics(prices: pd.DataFrame, fitted: dict[str, Growth]) -> dict[str, Metric]:
    """How many open models and offers are followed, growth by what is followed, and how many offers never changed."""
    change = changes(prices)["change"]
    return {
        "models_followed": Metric(int(prices["model"].nunique()), "1", "open models whose prices are followed"),
        "offers_followed": Metric(len(change), "1", "offers that stand on more than one list"),
        "offers_unchanged": Metric(float(np.isclose(change, 1).mean()), "1", "share of them whose price never changed"),
        "same_offer_factor": growth_metric(fitted["same_offer"], "the price of one offer"),
        "median_offer_factor": growth_metric(fitted["median_offer"], "the median price of the same open weights"),
        "cheapest_offer_factor": growth_metric(fitted["cheapest_offer"], "the least price of the same open weights"),
    }


def at_score(standing: pd.DataFrame, scores: pd.Series, levels: Sequence[float]) -> pd.DataFrame:
    """The cheapest offer on each list of any model that reaches a score, for each level, in %.

    Only prices that were read in their source are taken. A list without any such offer gives no row.

    Args:
        standing: as in :func:`same_weights`.
        scores: score of each model in %, indexed by model.
        levels: scores to reach, in %.
    """
    read = standing[standing["verified"].astype(bool)]
    read = read.assign(score_pct=read["model"].map(scores)).dropna(subset=["score_pct"])
    order = ["year", BLENDED, "model", "provider"]
    parts = [
        read[read["score_pct"] >= level].sort_values(order).drop_duplicates("year").assign(level_pct=level)
        for level in sorted(set(levels))
    ]
    columns = ["year", "model", "provider", "score_pct", BLENDED, "level_pct"]
    return pd.concat(parts)[columns].assign(kind="at least this score")


def flagships(offers: pd.DataFrame, names: Collection[str]) -> pd.DataFrame:
    """Products of :data:`FLAGSHIP_VENDOR`, each with its price on the first list that has it, oldest first."""
    new = offers[offers["model"].isin(names) & (offers["provider"] == FLAGSHIP_VENDOR)]
    new = new.sort_values(["date", "model"]).drop_duplicates("model")
    return new.assign(year=history.decimal_year(new["date"]), kind=FLAGSHIP)[
        ["year", "model", "provider", BLENDED, "kind"]
    ]


def token_prices(least: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """What the figure of token prices shows: rows of :func:`at_score` and of :func:`flagships`."""
    return pd.concat([least, new]).sort_values(["kind", "level_pct", "year"])


def score_metrics(data: pd.DataFrame, levels: Sequence[float]) -> dict[str, Metric]:
    """First and least price at the highest level, their ratio, and the years between.

    The least price is that of the first list which shows it.
    """
    rows = data[data["level_pct"] == max(levels)].sort_values([BLENDED, "year"])
    reason = "no model with a known score reaches the highest level on a list"
    if rows.empty:
        rows = pd.DataFrame({BLENDED: [np.nan], "year": [np.nan], "model": [None]})
    least, first = rows.iloc[0], rows.sort_values("year").iloc[0]
    return {
        "score_level": Metric(max(levels), "%", "highest score at which the price is followed"),
        "score_first": Metric(first["model"], "text", "cheapest model at that score on the first list", reason=reason),
        "score_first_usd": Metric(first[BLENDED], "USD/Mtok", "its price on the first list", reason=reason),
        "score_least": Metric(least["model"], "text", "cheapest model at that score on any list", reason=reason),
        "score_least_usd": Metric(least[BLENDED], "USD/Mtok", "its price", reason=reason),
        "score_ratio": Metric(
            first[BLENDED] / least[BLENDED], "1", "first price at that score over the least", reason=reason
        ),
        "score_years": Metric(least["year"] - first["year"], "year", "years between the two", reason=reason),
    }


def flagship_metrics(data: pd.DataFrame) -> dict[str, Metric]:
    """How far the price of the flagship fell to its lowest, and how far it rose since."""
    new = data[data["kind"] == FLAGSHIP].sort_values("year").reset_index(drop=True)
    reason = "fewer than two of them were listed"
    if len(new) < 2:
        new = pd.DataFrame({BLENDED: [np.nan], "model": [None]})
    first, last, least = new.iloc[0], new.iloc[-1], new.sort_values(BLENDED).iloc[0]
    return {
        "flagship_first": Metric(first["model"], "text", "first flagship", reason=reason),
        "flagship_least": Metric(least["model"], "text", "cheapest flagship", reason=reason),
        "flagship_last": Metric(last["model"], "text", "last flagship", reason=reason),
        "flagship_fall": Metric(
            first[BLENDED] / least[BLENDED], "1", "price of the first over the cheapest", reason=reason
        ),
        "flagship_rise": Metric(
            last[BLENDED] / least[BLENDED], "1", "price of the last over the cheapest", reason=reason
        ),
    }


def newest(standing: pd.DataFrame, models: Collection[str]) -> pd.DataFrame:
    """The cheapest offer of each model on the newest list that has it; only models whose tokenizer is counted."""
    rows = standing[standing["model"].isin(models) & standing["tokens_per_word"].notna()]
    rows = rows.sort_values(["snapshot", BLENDED, "provider"], ascending=[False, True, True])
    return rows.drop_duplicates("model").set_index("model").sort_index()


def task(offers: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """Price of the task in US cents for each model: its parts (:data:`PARTS`) and their total, cheapest first.

    The words that a reasoning model thinks are an assumption, the same for all of them.

    Args:
        offers: of :func:`newest`.
    """
    cents = offers["tokens_per_word"] / 1e6 * CENTS_PER_USD
    thinks = offers["reasoning_billed"].fillna(False).astype(bool)
    parts = {
        "prompt_us_cent": cents * p.task_prompt_words * offers["usd_per_mtoken_input"],
        "thinking_us_cent": cents * p.task_reasoning_words * thinks * offers["usd_per_mtoken_output"],
        "answer_us_cent": cents * p.task_answer_words * offers["usd_per_mtoken_output"],
    }
    table = pd.DataFrame(parts)
    table = table.assign(total_us_cent=table.sum(axis=1)).sort_values("total_us_cent").reset_index()
    return table[["model", *parts, "total_us_cent"]]


def task_metrics(prices: pd.DataFrame) -> dict[str, Metric]:
    """The dearest price over the cheapest, without the assumed thinking and with it."""
    total = prices["total_us_cent"]
    without = total - prices["thinking_us_cent"]
    return {
        "task_span_without": Metric(without.max() / without.min(), "1", "dearest over cheapest if no model thinks"),
        "task_span": Metric(total.max() / total.min(), "1", "dearest over cheapest with the assumed thinking"),
    }
