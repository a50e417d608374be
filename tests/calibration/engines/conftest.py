"""Rows as the engines' calibration knows them, made by hand."""

import pandas as pd
import pytest

ROW = {
    "table": "inference_latency",
    "source": "one",
    "family": "DeepSeek-V3",
    "canonical": "DeepSeek-V3",
    "accelerator": "B200-SXM-180GB",
    "engine_word": "sglang",
    "version": "0.5.9",
    "date": "2026-03-25",
    "spec_method": "",
    "bits": 8,
    "n_gpu": 8.0,
    "tp": 8.0,
    "load": "closed",
    "batch": 16.0,
    "rate_qps": float("nan"),
    "isl": 1024.0,
    "osl": 1024.0,
    "metric": "tpot_mean",
    "seconds": 0.0123456,
}


@pytest.fixture(scope="session")
def rows():
    """One row a change; ``value`` in ms follows ``seconds``, and ``case`` the place, unless given."""
    return _rows


def _rows(*changes: dict) -> pd.DataFrame:
    made = [{"case": f"case {place}"} | ROW | change for place, change in enumerate(changes)]
    return pd.DataFrame([{"value": round(1e3 * row["seconds"], 9)} | row for row in made])
