"""Releases and accelerators through time: what figures show, growth of each quantity, tables and metrics of growth."""

from collections.abc import Iterable, Mapping
from functools import partial

import pandas as pd

from tokenomics.errors import DataError
from tokenomics.facts.accelerators import Accelerator
from tokenomics.notebook.report import Metric
from tokenomics.sections.s01_ubiquitous_llms.growth import SMALLEST_SAMPLE, Growth, at_frontier, fit_growth

FLOP_PER_PARAMETER_AND_TOKEN = 6
COUNTS = ("parameters", "active_parameters", "training_tokens", "context_tokens")
ARCHITECTURES = {"moe": "mixture of experts", "encoder_decoder": "encoder-decoder"}
RIDGE = "flop_per_byte"
HARDWARE = {"peak_16bit_flop_per_s": "arithmetic", "bandwidth_bytes_per_s": "bandwidth", "memory_bytes": "memory"}
"""Columns of accelerators and what each is called."""
QUANTITIES = {
    "parameters": "total parameters",
    "training_flop": "training compute",
    "context_tokens": "context",
    "price": "price, same weights",
}
HARDWARE_KEYS = {
    "flops_growth": "peak_16bit_flop_per_s",
    "bandwidth_growth": "bandwidth_bytes_per_s",
    "memory_growth": "memory_bytes",
}


def six_nd(releases: pd.DataFrame) -> pd.Series:
    """Training FLOP by active parameters and tokens; missing for architectures that it does not hold for."""
    flop = FLOP_PER_PARAMETER_AND_TOKEN * releases["active_parameters"] * releases["training_tokens"]
    return flop.where(releases["architecture"].isin(["dense", "moe"]))


def with_training_flop(releases: pd.DataFrame) -> pd.DataFrame:
    """Releases with ``training_flop`` (as developers report it, else :func:`six_nd`) and which of both, ``counted``."""
    releases = releases.astype(dict.fromkeys(COUNTS, float))
    reported = releases["training_flop_reported"]
    counted = reported.notna().map({True: "by its developers", False: "6 N D"})
    return releases.assign(training_flop=reported.fillna(six_nd(releases)), counted=counted)


def frontier(releases: pd.DataFrame, column: str, rank: int) -> pd.DataFrame:
    """Releases whose value was among the ``rank`` largest published until their day."""
    known = releases.dropna(subset=[column])
    return known[at_frontier(known["year"], known[column], rank)]


def growth_of(table: pd.DataFrame, column: str, **fit) -> Growth:
    """Growth of a column over its known rows, unknown if they are too few; ``fit`` as :func:`.growth.fit_growth`."""
    known = table.dropna(subset=[column])
    if len(known) < SMALLEST_SAMPLE or known["year"].nunique() < 2:
        return Growth.unknown(len(known))
    return fit_growth(known["year"], known[column], **fit)


def sizes(releases: pd.DataFrame) -> pd.DataFrame:
    """Parameters of releases by architecture."""
    known = releases.dropna(subset=["parameters", "architecture"])
    known = known[["year", "name", "parameters", "active_parameters", "architecture"]]
    return known.assign(architecture=known["architecture"].replace(ARCHITECTURES))


def compute(releases: pd.DataFrame) -> pd.DataFrame:
    """Training compute of releases in FLOP, and whether their developers or :func:`six_nd` counted it."""
    return releases.dropna(subset=["training_flop"])[["year", "name", "training_flop", "counted"]]


def contexts(releases: pd.DataFrame) -> pd.DataFrame:
    """Context of releases with open or closed weights."""
    known = releases.dropna(subset=["context_tokens"])
    weights = known["open_weights"].map({True: "open", False: "closed"})
    return known[["year", "name", "context_tokens"]].assign(weights=weights)


def hardware_growth(hardware: pd.DataFrame, **fit) -> dict[str, Growth]:
    """Growth of each quantity of accelerators and of their ridge, by column."""
    return {column: growth_of(hardware, column, **fit) for column in [*HARDWARE, RIDGE]}


def relative_hardware(hardware: pd.DataFrame, growth: Mapping[str, Growth], first_year: int) -> pd.DataFrame:
    """Each quantity of accelerators over its fit in the first year, tidy."""
    long = hardware.melt(["year", "name"], list(HARDWARE), "column", "value")
    start = long["column"].map(lambda column: growth[column].at(first_year))
    ratio, quantity = long["value"].astype(float) / start, long["column"].map(HARDWARE)
    long = long[["year", "name"]].assign(quantity=quantity, over_first_year_ratio=ratio)
    return long.sort_values(["quantity", "year", "name"])


def ridge(device: Accelerator) -> float:
    """The 16-bit FLOP per byte of an accelerator; NaN if no such peak is published."""
    try:
        return float(device.ridge_flop_per_byte("bf16"))
    except DataError:
        return float("nan")


def by_year_listed(speeds: pd.DataFrame) -> pd.DataFrame:
    """Measured output speeds of provider interfaces by the year of their list."""
    known = speeds.dropna(subset=["date", "output_tokens_per_s"]).rename(columns={"output_tokens_per_s": "tok_per_s"})
    known = known.assign(listed=known["date"].dt.year.astype(str))
    return known[["listed", "provider", "model", "tok_per_s"]].sort_values(["listed", "tok_per_s", "model"])


def speed_metrics(speeds: pd.DataFrame) -> dict[str, Metric]:
    """Median output speed of each year."""
    median = speeds.groupby("listed")["tok_per_s"].median()
    return {
        f"speed_median_{year}": Metric(value, "tok/s", f"median output speed in {year}")
        for year, value in median.items()
    }


def growth_metric(fitted: Growth, meaning: str) -> Metric:
    """A fitted growth: factor a year with its interval."""
    few = f"{fitted.n} points in these years, too few to fit"
    return Metric(fitted.factor_per_year, "1/year", f"growth of {meaning}", fitted.low, fitted.high, few)


def compute_metrics(fitted: Growth) -> dict[str, Metric]:
    """Growth and doubling time of training compute."""
    return {
        "compute_growth": growth_metric(fitted, "disclosed training compute at the frontier"),
        "compute_doubling_months": Metric(fitted.doubling_months, "month", "doubling time of training compute"),
    }


def hardware_metrics(growth: Mapping[str, Growth]) -> dict[str, Metric]:
    """Growth of arithmetic, bandwidth and memory."""
    return {
        key: growth_metric(growth[column], f"accelerator {HARDWARE[column]}") for key, column in HARDWARE_KEYS.items()
    }


def growth_table(growth: Mapping[str, Growth], hardware: Mapping[str, Growth]) -> pd.DataFrame:
    """All growth rates, with doubling times.

    Args:
        growth: of releases and prices, by the keys of :data:`QUANTITIES`.
        hardware: of :func:`hardware_growth`.
    """
    named = {name: growth[key] for key, name in QUANTITIES.items()}
    named |= {f"accelerator {HARDWARE.get(column, 'FLOP per byte')}": one for column, one in hardware.items()}
    rows = [
        {"quantity": name, **_rate(one), "doubling_months": one.doubling_months, "points": one.n}
        for name, one in named.items()
    ]
    return pd.DataFrame(rows)


def _rate(growth: Growth) -> dict[str, float]:
    names = ("factor_per_year", "factor_low_per_year", "factor_high_per_year")
    return dict(zip(names, (growth.factor_per_year, growth.low, growth.high), strict=True))


def sensitivity(releases: pd.DataFrame, last_years: Iterable[int], ranks: Iterable[int], **fit) -> pd.DataFrame:
    """Growth of training compute for other last years and other ranks that count as the frontier."""
    ranks, grow = list(ranks), partial(growth_of, column="training_flop", **fit)
    rows = []
    for last_year in last_years:
        early = releases[releases["released"].dt.year <= last_year]
        for rank in ranks:
            leading = frontier(early, "training_flop", rank)
            rows.append({"last_year": last_year, "rank": rank, **_rate(grow(leading)), "points": len(leading)})
    return pd.DataFrame(rows)


def sensitivity_metrics(table: pd.DataFrame) -> dict[str, Metric]:
    """The highest growth of :func:`sensitivity`."""
    meaning = "highest growth among other choices"
    return {"compute_growth_highest": Metric(table["factor_per_year"].max(), "1/year", meaning)}
