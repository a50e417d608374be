"""Units of columns by how their names end, so that tables of one notebook cannot disagree about them."""

import pandas as pd

ENDINGS = {
    "usd_per_mtoken": "USD/Mtoken",
    "usd_per_hour": "USD/h",
    "usd_per_month": "USD/month",
    "usd_per_day": "USD/day",
    "usd_per_request": "USD",
    "usd": "USD",
    "tokens_per_s": "token/s",
    "tokens": "token",
    "rps": "request/s",
    "per_day": "1/day",
    "month": "month",
    "hour": "h",
    "hours": "h",
    "days_apart": "day",
    "mw": "MW",
    "kw": "kW",
    "ms": "ms",
    "s": "s",
}
"""Longest endings first: the first that fits is taken; a column of numbers that none fits counts something."""
SIDES = ("_low", "_high")


def units(frame: pd.DataFrame, **given: str) -> dict[str, str]:
    """The unit of every column: as given, ``text`` for words, by the ending of its name (before ``_low``, ``_high``),
    else ``1``."""
    return {column: given.get(column) or _unit(str(column), frame[column]) for column in frame}


def _unit(name: str, values: pd.Series) -> str:
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return "text"
    for side in SIDES:
        name = name.removesuffix(side)
    return next((unit for ending, unit in ENDINGS.items() if name == ending or name.endswith(f"_{ending}")), "1")
