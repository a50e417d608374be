"""Data sets of MLPerf's language models: ``data/catalogue/mlperf_datasets.csv`` as frozen records."""

import re
from dataclasses import dataclass
from functools import cache

from tokenomics.facts import tables

TABLE = "catalogue/mlperf_datasets"


@dataclass(frozen=True)
class Dataset:
    """Mean tokens of prompts and answers."""

    name: str
    input_tokens: float
    output_tokens: float


@cache
def dataset(model: str) -> Dataset | None:
    """The data set with which MLPerf measures a model, by any of its names; ``None`` for a model without one."""
    name = re.sub(r"[^a-z0-9]", "", model.casefold())
    for row in tables.records(TABLE):
        if name.startswith(row["pattern"]):
            return Dataset(row["dataset"], row["input_tokens"], row["output_tokens"])
    return None
