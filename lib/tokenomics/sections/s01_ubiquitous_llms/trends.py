"""Releases and accelerators through time: what figures show, growth of each quantity, tables and metrics of growth."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from tokenomics.errors import DataError
from tokenomics.facts import history
from tokenomics.facts.accelerators import Accelerator
from tokenomics.notebook.report import Metric
from tokenomics.sections.s01_ubiquitous_llms.growth import SMALLEST_SAMPLE, Growth, at_frontier, fit_growth

FLOP_PER_PARAMETER_AND_TOKEN = 6
COUNTS = ("parameters", "active_parameters", "training_tokens", "context_tokens")
ARCHITECTURES = {"moe": "mixture of experts", "encoder_decoder": "encoder-decoder"}
RIDGE = "flop_per_byte"
HARDWARE_16BIT = "peak_16bit_flop_per_s"
HARDWARE = {HARDWARE_16BIT: "arithmetic", "bandwidth_bytes_per_s": "bandwidth", "memory_bytes": "memory"}
"""Columns of accelerators and what each is called."""
PEAKS = {
    "16 bit": ("peak_bf16_flop_per_s", "peak_fp16_flop_per_s"),
    "8 bit": ("peak_fp8_flop_per_s",),
    "4 bit": ("peak_fp4_flop_per_s",),
}
"""Formats of floating-point numbers, and the columns of accelerators that hold their dense peaks."""
QUANTITIES = {
    "parameters": "total parameters",
    "training_flop": "training compute",
    "context_tokens": "context",
    "same_offer": "price, same offer",
    "median_offer": "price, median offer",
    "cheapest_offer": "price, cheapest offer",
}
HARDWARE_KEYS = {
    "flops_growth": "peak_16bit_flop_per_s",
    "bandwidth_growth": "bandwidth_bytes_per_s",
    "memory_growth": "memory_bytes",
}
PUBLISHED = {
    "compute_growth_notable": "training compute, notable models",
    "compute_growth_frontier": "training compute, ten largest",
    "compute_growth_language": "training compute, language models",
}
"""Rows of ``catalogue/published_figures`` and what each is called beside ours."""
RATE = ("factor_per_year", "factor_low_per_year", "factor_high_per_year")
OURS, THEIRS = "here", "Epoch AI, with estimates of closed models"


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


def with_frontier(releases: pd.DataFrame, column: str, rank: int) -> pd.DataFrame:
    """Releases whose value is known, with ``frontier``: whether each was at the frontier on its day.

    A value that nobody here read in its source is never at the frontier, nor does it keep another one from it.
    """
    known = releases.dropna(subset=[column])
    read = known[known["verified"].astype(bool)]
    leading = read.index[at_frontier(read["year"], read[column], rank)]
    return known.assign(frontier=known.index.isin(leading), verified=known["verified"].astype(bool))


def frontier(releases: pd.DataFrame, column: str, rank: int) -> pd.DataFrame:
    """The releases at the frontier of :func:`with_frontier`."""
    marked = with_frontier(releases, column, rank)
    return marked[marked["frontier"]]


def growth_of(table: pd.DataFrame, column: str, **fit) -> Growth:
    """Growth of a column over its known rows, unknown if they are too few; ``fit`` as :func:`.growth.fit_growth`."""
    known = table.dropna(subset=[column])
    if len(known) < SMALLEST_SAMPLE or known["year"].nunique() < 2:
        return Growth.unknown(len(known))
    return fit_growth(known["year"], known[column], **fit)


def sizes(releases: pd.DataFrame, rank: int) -> pd.DataFrame:
    """Parameters of releases by architecture, with the frontier marked."""
    known = with_frontier(releases, "parameters", rank).dropna(subset=["architecture"])
    known = known[["year", "name", "parameters", "active_parameters", "architecture", "verified", "frontier"]]
    return known.assign(architecture=known["architecture"].replace(ARCHITECTURES))


def compute(releases: pd.DataFrame, rank: int) -> pd.DataFrame:
    """Training compute of releases in FLOP, and whether their developers or :func:`six_nd` counted it."""
    known = with_frontier(releases, "training_flop", rank)
    return known[["year", "name", "training_flop", "counted", "verified", "frontier"]]


def contexts(releases: pd.DataFrame, rank: int) -> pd.DataFrame:
    """Context of releases with open or closed weights, with the frontier marked."""
    known = with_frontier(releases, "context_tokens", rank)
    weights = known["open_weights"].map({True: "open weights", False: "closed"})
    return known[["year", "name", "context_tokens", "verified", "frontier"]].assign(weights=weights)


def read_in_source(hardware: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """Whether the values of these columns were read in the row's source: the row is, or it names others as unread."""
    unread = hardware["unverified_columns"].fillna("").str.split(";")
    named = unread.map(lambda names: bool(set(names) - {""}) and not set(names) & set(columns))
    return hardware["verified"].astype(bool) | named


def hardware_growth(hardware: pd.DataFrame, **fit) -> dict[str, Growth]:
    """Growth of each quantity of accelerators and of their ridge, by column, over values that were read in a source."""
    columns = {column: (column,) for column in HARDWARE} | {HARDWARE_16BIT: PEAKS["16 bit"]}
    columns[RIDGE] = (*PEAKS["16 bit"], "bandwidth_bytes_per_s")
    return {
        column: growth_of(hardware[read_in_source(hardware, used)], column, **fit) for column, used in columns.items()
    }


def relative_hardware(hardware: pd.DataFrame, growth: Mapping[str, Growth]) -> pd.DataFrame:
    """Each quantity of accelerators over its fit at the first accelerator, tidy."""
    parts = []
    for column, quantity in HARDWARE.items():
        used = PEAKS["16 bit"] if column == HARDWARE_16BIT else (column,)
        ratio = hardware[column].astype(float) / growth[column].at(growth[column].first)
        part = hardware[["year", "name"]].assign(quantity=quantity, over_first_ratio=ratio)
        parts.append(part.assign(verified=read_in_source(hardware, used)))
    return pd.concat(parts).sort_values(["quantity", "year", "name"])


def ridges(hardware: pd.DataFrame) -> pd.DataFrame:
    """FLOP per byte of each accelerator by format of its numbers, a row for each that has such a peak."""
    parts = []
    for name, columns in PEAKS.items():
        ratio = hardware[list(columns)].max(axis=1).astype(float) / hardware["bandwidth_bytes_per_s"].astype(float)
        part = hardware[["year", "name", "vendor"]].assign(numbers=name, flop_per_byte=ratio)
        parts.append(part.assign(verified=read_in_source(hardware, (*columns, "bandwidth_bytes_per_s"))))
    return pd.concat(parts).dropna(subset=[RIDGE]).sort_values(["numbers", "year", "name"])


def ridge_metrics(data: pd.DataFrame, fitted: Growth) -> dict[str, Metric]:
    """Growth of the 16-bit ridge, and the highest ridge of each format whose numbers were read."""
    metrics = {"ridge_growth": growth_metric(fitted, "FLOP per byte, 16 bit")}
    for name in PEAKS:
        rows = data[(data["numbers"] == name) & data["verified"]]
        top = rows.loc[rows[RIDGE].idxmax()] if len(rows) else {RIDGE: np.nan, "name": None}
        bits, reason = name.split()[0], "no accelerator of these years has such a peak"
        metrics[f"ridge_{bits}bit"] = Metric(top[RIDGE], "FLOP/byte", f"highest ridge at {name}", reason=reason)
        metrics[f"ridge_{bits}bit_name"] = Metric(
            top["name"], "text", f"accelerator of that ridge at {name}", reason=reason
        )
    return metrics


def ridge(device: Accelerator) -> float:
    """The 16-bit FLOP per byte of an accelerator; NaN if no such peak is published."""
    try:
        return float(device.ridge_flop_per_byte("bf16"))
    except DataError:
        return float("nan")


def growth_metric(fitted: Growth, meaning: str) -> Metric:
    """A fitted growth: factor a year with its interval."""
    few = f"{fitted.n} points in these years, too few to fit"
    return Metric(fitted.factor_per_year, "1/year", f"growth of {meaning}", fitted.low, fitted.high, few)


def compute_metrics(fitted: Growth, data: pd.DataFrame) -> dict[str, Metric]:
    """Growth and doubling time of training compute, and the largest release whose compute was read in its source."""
    read = data[data["verified"]]
    record = read.loc[read["training_flop"].idxmax(), "name"] if len(read) else None
    return {
        "compute_last_record": Metric(record, "text", "release with the largest disclosed training compute"),
        "compute_growth": growth_metric(fitted, "disclosed training compute at the frontier"),
        "compute_doubling_months": Metric(fitted.doubling_months, "month", "doubling time of training compute"),
    }


def context_metrics(data: pd.DataFrame, fitted: Growth) -> dict[str, Metric]:
    """Growth of the longest contexts, and how many of the releases with a known context make that frontier."""
    return {
        "context_growth": growth_metric(fitted, "the longest contexts"),
        "context_leading": Metric(int(data["frontier"].sum()), "1", "releases at the frontier of context"),
        "context_known": Metric(len(data), "1", "releases whose context is known"),
    }


def hardware_metrics(growth: Mapping[str, Growth]) -> dict[str, Metric]:
    """Growth of arithmetic, bandwidth and memory."""
    return {
        key: growth_metric(growth[column], f"accelerator {HARDWARE[column]}") for key, column in HARDWARE_KEYS.items()
    }


def published_lines(published: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Growth of training compute as others published it and the decimal year until which it holds, by whose it is."""
    lines = {}
    for key, words in (("compute_growth_frontier", "ten largest"), ("compute_growth_language", "language models")):
        until = pd.Series(pd.to_datetime(published.loc[key, "period"].split(" to ")[1]))
        lines[f"Epoch AI, {words}"] = (float(published.loc[key, "value"]), float(history.decimal_year(until).iloc[0]))
    return lines


def published_metrics(published: pd.DataFrame) -> dict[str, Metric]:
    """Growth of training compute as others published it; ``published`` is indexed by key."""
    rows = {key: published.loc[key] for key in PUBLISHED}
    return {f"published_{key}": Metric(row["value"], row["unit"], row["quantity"]) for key, row in rows.items()}


def growth_table(growth: Mapping[str, Growth], hardware: Mapping[str, Growth], published: pd.DataFrame) -> pd.DataFrame:
    """All growth rates, ours and published ones.

    Args:
        growth: of releases and prices, by the keys of :data:`QUANTITIES`.
        hardware: of :func:`hardware_growth`.
        published: table ``catalogue/published_figures``, indexed by key.
    """
    named = {name: growth[key] for key, name in QUANTITIES.items()}
    named |= {f"accelerator, {HARDWARE.get(column, 'FLOP per byte')}": one for column, one in hardware.items()}
    rows = [
        {"quantity": name, "found_by": OURS, **_rate(one), "doubling_months": one.doubling_months, "points": one.n}
        for name, one in named.items()
    ]
    for key, name in PUBLISHED.items():
        factor, low, high = published.loc[key, ["value", "low", "high"]]
        ends = dict(zip(RATE, (factor, low, high), strict=True))
        rows.append({"quantity": name, "found_by": THEIRS, **ends, "doubling_months": 12 / np.log2(factor)})
    return pd.DataFrame(rows).sort_values("factor_per_year", ascending=False, kind="stable")


def _rate(growth: Growth) -> dict[str, float]:
    return dict(zip(RATE, (growth.factor_per_year, growth.low, growth.high), strict=True))


def sensitivity(releases: pd.DataFrame, last_years: Iterable[int], ranks: Iterable[int], **fit) -> pd.DataFrame:
    """Growth of training compute for other last years, other ranks that count as the frontier, and with what nobody
    here read in its source."""
    ranks, grow = list(ranks), partial(growth_of, column="training_flop", **fit)
    rows = []
    for last_year in last_years:
        early = releases[releases["released"].dt.year <= last_year]
        for rank in ranks:
            for unread in (False, True):
                leading = frontier(early.assign(verified=True) if unread else early, "training_flop", rank)
                rate = _rate(grow(leading))
                rows.append(
                    {"last_year": last_year, "rank": rank, "unread_too": unread, **rate, "points": len(leading)}
                )
    return pd.DataFrame(rows)


def sensitivity_metrics(table: pd.DataFrame) -> dict[str, Metric]:
    """The lowest and highest growth of :func:`sensitivity`."""
    rates = table["factor_per_year"]
    return {
        "compute_growth_lowest": Metric(rates.min(), "1/year", "lowest growth among other choices"),
        "compute_growth_highest": Metric(rates.max(), "1/year", "highest growth among other choices"),
    }
