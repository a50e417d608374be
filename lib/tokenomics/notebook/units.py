"""One registry of units: a column's name ends in its unit, and from that follow unit, axis label and interval columns.

``tpot_ms`` is in milliseconds, its 80 % interval lies between ``tpot_low_ms`` and ``tpot_high_ms``; ``devices`` counts
something and has no unit; ``coverage_share`` is a share, drawn in per cent.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from tokenomics.errors import RunError
from tokenomics.estimate import ENDS, Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

SUFFIXES = {
    "usd_per_mtok": "USD/Mtok",
    "mtok_per_usd": "Mtok/USD",
    "usd_per_hour": "USD/h",
    "usd_per_month": "USD/month",
    "usd_per_day": "USD/day",
    "usd_per_request": "USD/request",
    "us_cent": "US cent",
    "usd": "USD",
    "tok_per_s": "tok/s",
    "tok_per_j": "tok/J",
    "j_per_tok": "J/tok",
    "s_per_tok": "s/tok",
    "tok": "tok",
    "tokens": "tok",
    "rps": "request/s",
    "qps": "request/s",
    "per_day": "1/day",
    "per_year": "1/year",
    "flop_per_byte": "FLOP/byte",
    "tflop_per_s": "TFLOP/s",
    "flop": "FLOP",
    "nat_per_tok": "nat/tok",
    "g_co2e": "g CO₂e",
    "gb": "GB",
    "bytes": "byte",
    "bits": "bit",
    "j": "J",
    "mw": "MW",
    "kw": "kW",
    "w": "W",
    "year": "year",
    "months": "month",
    "days": "day",
    "hours": "h",
    "hour": "h",
    "ms": "ms",
    "s": "s",
    "pct": "%",
    "share": "share",
    "error": "share",
    "coverage": "share",
    "bias": "share",
    **dict.fromkeys(("ratio", "factor", "score", "number", "p_value"), "1"),
}
"""Ending of a column's name to its unit; the longest that fits is taken. A ``share`` is one of 1, drawn in per cent."""
COUNTS = {
    *("devices", "replicas", "requests", "rows", "batch", "concurrency", "parameters", "queries", "n", "seed", "rank"),
    *("tp", "pp", "dp", "ep", "chunks", "seeds", "points", "accelerators", "users", "updates", "examples", "facts"),
    *("adapters", "images", "sequences", "kernels", "questions", "answers", "epoch"),
}
"""Last words of columns that count something."""
WORDS = {
    "tpot": "TPOT",
    "ttft": "TTFT",
    "itl": "ITL",
    "e2e": "end to end",
    "usd": "price",
    "flop": "FLOP",
    "p50": "median",
    "p90": "p90",
    "p95": "p95",
    "p99": "p99",
    "rps": "rate",
    "mtok": "Mtok",
}
"""How parts of a column's name are written in a label."""
LOW, HIGH, BOUND = "low", "high", "bound"


def suffix_of(column: str) -> str:
    """The longest registered ending of a column's name; empty where there is none."""
    fitting = (end for end in SUFFIXES if column == end or column.endswith(f"_{end}"))
    return max(fitting, key=len, default="")


def unit_of(column: str, values: pd.Series | None = None) -> str:
    """Unit of a column: ``text`` for words, ``date`` for days, by its ending, or ``1`` for what counts something.

    Raises:
        RunError: numbers under a name that tells neither.
    """
    if values is not None and pd.api.types.is_datetime64_any_dtype(values):
        return "date"
    if values is not None and (not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values)):
        return "text"
    suffix = suffix_of(column)
    if suffix:
        return SUFFIXES[suffix]
    stem = column.removesuffix(f"_{LOW}").removesuffix(f"_{HIGH}").removesuffix(f"_{BOUND}")
    last = stem.rsplit("_", 1)[-1]
    if last not in COUNTS and values is not None and values.isna().all():
        return "text"  # a column of words, none of which is known
    if last not in COUNTS:
        raise RunError(f"column {column} tells no unit: end its name in one of notebook.units ({', '.join(SUFFIXES)})")
    return "1"


def units(frame: pd.DataFrame) -> dict[str, str]:
    """Unit of every column, by its name.

    Raises:
        RunError: see :func:`unit_of`.
    """
    return {str(name): unit_of(str(name), frame[name]) for name in frame}


def end_of(column: str, end: str) -> str:
    """The column beside one: ``tpot_ms`` and ``low`` give ``tpot_low_ms``, a ``bound`` gives ``tpot_bound_ms``."""
    suffix = suffix_of(column)
    stem = column.removesuffix(suffix).rstrip("_")
    return "_".join(part for part in (stem, end, suffix) if part)


def columns(name: str, estimate: Estimate, scale: float = 1.0) -> dict[str, Any]:
    """An estimate as columns, numbers or arrays: ``name`` and both ends of its interval, all times ``scale``."""
    names = {"value": name, "low": end_of(name, LOW), "high": end_of(name, HIGH)}
    return {names[end]: scale * _plain(estimate.at(end)) for end in ENDS}


def _plain(values: ArrayLike) -> Any:
    values = np.asarray(values)
    return float(values) if values.ndim == 0 else values


def label(column: str, words: str = "") -> str:
    """An axis label: what the column is in words, and its unit in brackets where it has one.

    Args:
        words: said instead of the column's own name.
    """
    suffix = suffix_of(column)
    stem = column.removesuffix(suffix).rstrip("_") or suffix
    spoken = words or " ".join(WORDS.get(part, part) for part in stem.split("_"))
    unit = {"share": "%", "1": ""}.get(unit := SUFFIXES.get(suffix, ""), unit)
    return f"{spoken} [{unit}]" if unit else spoken


def axis_labels(axes: "Axes", x: str = "", y: str = "", x_words: str = "", y_words: str = "") -> None:
    """Label axes by the columns they show; shares are marked in per cent. An axis without a column gets no label."""
    for axis, column, words in ((axes.xaxis, x, x_words), (axes.yaxis, y, y_words)):
        axis.set_label_text(label(column, words) if column else "")
        if SUFFIXES.get(suffix_of(column)) == "share":
            per_cent(axis)


def per_cent(axis: "Axis") -> None:
    """Mark an axis of shares in per cent."""
    from matplotlib.ticker import PercentFormatter

    axis.set_major_formatter(PercentFormatter(1.0, symbol=""))
