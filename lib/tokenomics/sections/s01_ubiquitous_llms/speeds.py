"""Output speed at interfaces of providers, compared only where like stands beside like."""

import pandas as pd

from tokenomics.notebook.report import Metric

SAME, HOUSE = "same weights", "a house's own models"
SPEED = "tok_per_s"


def side_by_side(speeds: pd.DataFrame) -> pd.DataFrame:
    """Speeds of two comparisons, tidy, slowest first within each.

    * :data:`SAME`: the model that most providers served in one campaign of stated load, a row for each provider;
    * :data:`HOUSE`: models of which one house alone sells all that is listed, a row for each house with the median and
      the range over its models. Who measured these, and under which load, is not stated.

    The two have neither model nor provider in common, so that they tell nothing about growth.

    Args:
        speeds: table ``catalogue/api_speeds``.
    """
    known = speeds.dropna(subset=["date"]).rename(columns={"output_tokens_per_s": SPEED})
    stated = known[known["requests_in_flight"].notna()]
    followed = stated.groupby(["date", "model"])["provider"].nunique().sort_index().idxmax()
    same = stated.set_index(["date", "model"]).loc[[followed]].reset_index()
    same = same.assign(kind=SAME, what=same["model"], models_number=1)
    houses = known[known["requests_in_flight"].isna()].groupby(["date", "provider"])[SPEED]
    house = houses.agg(**{SPEED: "median", "low_tok_per_s": "min", "high_tok_per_s": "max", "models_number": "size"})
    house = house.reset_index().assign(kind=HOUSE, what=HOUSE)
    table = pd.concat([same, house])
    columns = ["kind", "what", "date", "provider", SPEED, "low_tok_per_s", "high_tok_per_s", "models_number"]
    return table[columns].sort_values(["kind", SPEED], ascending=[False, True]).reset_index(drop=True)


def metrics(data: pd.DataFrame) -> dict[str, Metric]:
    """How far providers differ in speed on the same weights, with and without the fastest."""
    same = data.loc[data["kind"] == SAME]
    speed = same[SPEED].sort_values()
    return {
        "speed_model": Metric(same["what"].iloc[0], "text", "model that several providers served"),
        "speed_providers": Metric(len(same), "1", "providers that served it"),
        "speed_fastest": Metric(same.loc[speed.index[-1], "provider"], "text", "the fastest of them"),
        "speed_span": Metric(speed.iloc[-1] / speed.iloc[0], "1", "fastest over slowest provider of the same weights"),
        "speed_span_others": Metric(speed.iloc[-2] / speed.iloc[0], "1", "the same without the fastest"),
    }
