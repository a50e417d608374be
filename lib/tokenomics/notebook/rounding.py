"""Numbers as they are written: six significant digits, so that what is drawn is what can be read."""

import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

SIGNIFICANT_DIGITS = 6


def rounded(value: Any) -> Any:
    """A number at six significant digits, as plain Python; anything else unchanged.

    Raises:
        ValueError: not finite (a result that is not a number has no place in a record).
    """
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        if not math.isfinite(value):
            raise ValueError(f"{value} is not a finite number")
        return float(f"{float(value):.{SIGNIFICANT_DIGITS}g}")
    return value


def csv_text(frame: pd.DataFrame) -> str:
    """A frame as CSV: rows in the given order, no index, LF, numbers at six significant digits."""
    return frame.to_csv(
        index=False, float_format=f"%.{SIGNIFICANT_DIGITS}g", lineterminator="\n", date_format="%Y-%m-%d"
    )


def write_csv(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Write a frame and return what stands in the file, with the frame's own column types where they survive."""
    text = csv_text(frame)
    path.write_text(text, encoding="utf-8")
    if not len(frame.columns):
        return frame.copy()
    dates = [name for name in frame if pd.api.types.is_datetime64_any_dtype(frame[name])]
    return pd.read_csv(io.StringIO(text), parse_dates=dates)


def write_json(value: Any, path: Path) -> None:
    """Write JSON with sorted keys and a final newline; NaN is refused."""
    path.write_text(json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")
