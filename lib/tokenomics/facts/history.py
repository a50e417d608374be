"""Facts through time: releases of models, offers of tokens, generations of hardware.

Selections and joins of catalogued tables, nothing fitted. Dates become decimal years so that growth can be fitted.
"""

from typing import TYPE_CHECKING

from tokenomics.facts import tables, tokenizers

if TYPE_CHECKING:
    import pandas as pd

DAYS_PER_YEAR = 365.25


def decimal_year(dates: "pd.Series") -> "pd.Series":
    """Days as decimal years: 2024-07-01 is 2024.5."""
    return dates.dt.year + (dates.dt.day_of_year - 1) / DAYS_PER_YEAR


def releases(first_year: int, last_year: int) -> "pd.DataFrame":
    """Notable models released in ``first_year`` to ``last_year``, oldest first (ties by name), with ``year`` added."""
    table = tables.read("catalogue/releases")
    table["year"] = decimal_year(table["released"])
    table = table[table["released"].dt.year.between(first_year, last_year)]
    return table.sort_values(["released", "name"]).reset_index(drop=True)


def datacenter_hardware(first_year: int, last_year: int) -> "pd.DataFrame":
    """Data-centre accelerators with release date, 16-bit peak, bandwidth and memory, oldest first, with ``year``.

    Of parts of one chip that came out on one day with one ratio of arithmetic to bandwidth, the largest stands for all.
    ``peak_16bit_flop_per_s`` is the larger of the dense bf16 and fp16 peaks; ``flop_per_byte`` the ridge of the
    roofline, the FLOP per byte moved at which peak and bandwidth are both used up.
    """
    table = tables.read("catalogue/accelerators")
    table = table[(table["device_class"] == "datacenter") & (table["kind"] != "cpu") & table["released"].notna()].copy()
    table["year"] = decimal_year(table["released"])
    table["peak_16bit_flop_per_s"] = table[["peak_bf16_flop_per_s", "peak_fp16_flop_per_s"]].max(axis=1)
    table["flop_per_byte"] = table["peak_16bit_flop_per_s"] / table["bandwidth_bytes_per_s"]
    table = table.dropna(subset=["peak_16bit_flop_per_s", "bandwidth_bytes_per_s", "memory_bytes"])
    table = table[table["released"].dt.year.between(first_year, last_year)]
    table = table.sort_values(["memory_bytes", "name"], ascending=[False, True])
    table = table.drop_duplicates(["vendor", "released", "flop_per_byte"])
    return table.sort_values(["released", "name"]).reset_index(drop=True)


def api_prices() -> "pd.DataFrame":
    """Usable API list prices with the tokens per English word of the model's tokenizer (NaN where unpublished)."""
    prices = tables.read("catalogue/prices_api")
    words = tables.read("catalogue/tokenizers")
    words = words.loc[words["text"] == tokenizers.TEXTS["English"], ["tokenizer", "tokens_per_word"]]
    prices = prices[prices["usable"].astype(bool)].merge(words, on="tokenizer", how="left")
    return prices.sort_values(["date", "provider", "model_id"]).reset_index(drop=True)


def offers_by_snapshot(prices: "pd.DataFrame") -> "pd.DataFrame":
    """Every offer at every list date on which it was listed: ``prices`` repeated, with ``snapshot`` and ``year``."""
    import pandas as pd

    dates = pd.Series(sorted(prices["date"].unique()), name="snapshot")
    spread = prices.merge(dates, how="cross")
    spread = spread[(spread["snapshot"] >= spread["date"]) & (spread["snapshot"] <= spread["listed_until"])].copy()
    spread["year"] = decimal_year(spread["snapshot"])
    return spread
