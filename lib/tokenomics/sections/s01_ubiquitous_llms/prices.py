"""Prices of a token through time, and of a task given in words."""

from collections.abc import Collection

import pandas as pd

from tokenomics.facts import history
from tokenomics.notebook.report import Metric
from tokenomics.sections.s01_ubiquitous_llms.growth import Growth
from tokenomics.sections.s01_ubiquitous_llms.parameters import Parameters
from tokenomics.sections.s01_ubiquitous_llms.trends import growth_metric

FLAGSHIP_VENDOR = "openai"
SAME, NEW = "same weights, median offer", "new products at first listing"
PARTS = ("prompt", "reasoning", "answer")
BLENDED = "usd_per_mtok"
CENTS_PER_USD = 100


def blended(offers: pd.DataFrame, input_share: float) -> pd.DataFrame:
    """Offers with a blended price, ``input_share`` of the tokens being input."""
    price = input_share * offers["usd_per_mtoken_input"] + (1 - input_share) * offers["usd_per_mtoken_output"]
    return offers.assign(**{BLENDED: price})


def medians(standing: pd.DataFrame, models: Collection[str]) -> pd.DataFrame:
    """Median price of each of the models on each list."""
    rows = standing[standing["model"].isin(models)]
    return rows.groupby(["model", "year"])[BLENDED].median().reset_index()


def with_several_dates(median: pd.DataFrame) -> pd.DataFrame:
    """Rows of the models whose prices are known on more than two dates."""
    return median[median.groupby("model")["year"].transform("nunique") > 2]


def same_weights_metrics(prices: pd.DataFrame, fitted: Growth) -> dict[str, Metric]:
    """How many open models have a price through time, and the growth that is common to them."""
    return {
        "models_followed": Metric(int(prices["model"].nunique()), "1", "open models whose prices are followed"),
        "same_weights_price_factor": growth_metric(fitted, "the price of the same open weights"),
    }


def through_time(
    median: pd.DataFrame, offers: pd.DataFrame, models: Collection[str], flagships: Collection[str]
) -> pd.DataFrame:
    """Prices that the figure shows, a row a model and date, tidy by ``kind``.

    Args:
        median: median price of each open model on each list, of :func:`medians`.
        offers: all offers with their blended price in USD per million tokens.
        models: open models drawn as lines.
        flagships: products of :data:`FLAGSHIP_VENDOR`, each at the date of the first list that has it.
    """
    lines = median[median["model"].isin(models)].assign(kind=SAME)
    new = offers[offers["model"].isin(flagships) & (offers["provider"] == FLAGSHIP_VENDOR)]
    new = new.sort_values(["date", "model"]).drop_duplicates("model")
    new = new.assign(year=history.decimal_year(new["date"]), kind=NEW)
    rows = pd.concat([lines, new[["model", "year", BLENDED, "kind"]]])
    return rows.sort_values(["kind", "model", "year"])


def flagship_metrics(data: pd.DataFrame) -> dict[str, Metric]:
    """How much cheaper the last flagship is than the first."""
    new = data[data["kind"] == NEW].sort_values("year")[BLENDED]
    meaning, reason = "price of the first flagship over that of the last", "fewer than two of them were listed"
    ratio = new.iloc[0] / new.iloc[-1] if len(new) > 1 else None
    return {"flagship_price_ratio": Metric(ratio, "1", meaning, reason=reason)}


def newest(standing: pd.DataFrame, models: Collection[str]) -> pd.DataFrame:
    """The cheapest offer of each model on the newest list that has it; only models whose tokenizer is counted."""
    rows = standing[standing["model"].isin(models) & standing["tokens_per_word"].notna()]
    rows = rows.sort_values(["snapshot", BLENDED, "provider"], ascending=[False, True, True])
    return rows.drop_duplicates("model").set_index("model").sort_index()


def task(offers: pd.DataFrame, p: Parameters) -> pd.DataFrame:
    """Price of the task in USD for each model: its parts (:data:`PARTS`) and their ``total``, cheapest first.

    Args:
        offers: of :func:`newest`.
    """
    tokens = offers["tokens_per_word"] / 1e6
    thinks = offers["reasoning_billed"].fillna(False).astype(bool)
    parts = {
        "prompt": tokens * p.task_prompt_words * offers["usd_per_mtoken_input"],
        "reasoning": tokens * p.task_reasoning_words * thinks * offers["usd_per_mtoken_output"],
        "answer": tokens * p.task_answer_words * offers["usd_per_mtoken_output"],
    }
    table = pd.DataFrame(parts)
    return table.assign(total=table.sum(axis=1)).sort_values("total").reset_index()


def task_cents(prices: pd.DataFrame) -> pd.DataFrame:
    """The parts and total of :func:`task` in US cents."""
    cents = prices.set_index("model") * CENTS_PER_USD
    return cents.add_suffix("_us_cent").reset_index()


def task_table(prices: pd.DataFrame) -> pd.DataFrame:
    """Price of a thousand tasks, and the share of hidden reasoning in it."""
    share = prices["reasoning"] / prices["total"]
    return prices[["model"]].assign(thousand_tasks_usd=1000 * prices["total"], reasoning_share=share)


def task_metrics(prices: pd.DataFrame) -> dict[str, Metric]:
    """The largest share of hidden reasoning in the price, and the dearest price over the cheapest."""
    share, total = (prices["reasoning"] / prices["total"]).max(), prices["total"]
    return {
        "reasoning_share": Metric(share, "1", "largest share of hidden reasoning in the price of the task"),
        "task_price_span": Metric(total.max() / total.min(), "1", "dearest over cheapest model for the task"),
    }
