"""Facts about formats of weights: ``data/catalogue/weight_formats.csv`` as frozen records."""

import re
from dataclasses import dataclass
from functools import cache

from tokenomics.facts import tables

TABLE = "catalogue/weight_formats"
PARTS = {
    "embedding_bits": ("embedding",),
    "head_bits": ("head",),
    "router_bits": ("router",),
    "attention_bits": ("attention",),
    "query_key_bits": ("query", "key"),
    "value_bits": ("value",),
    "output_bits": ("attention output",),
    "up_bits": ("mlp up", "expert up", "shared expert up"),
    "down_bits": ("mlp down", "expert down", "shared expert down"),
}
"""Columns of bits and the parts and matrices (``compute.counts.matrices``) that are stored in them."""
BESIDE = {"beside_attention_bits": "attention", "beside_mlp_bits": "mlp"}
"""The same for what is no expert in a model that has experts."""


@dataclass(frozen=True)
class Format:
    """A format of weights; columns of the table, with the meaning given there.

    Attributes:
        others: parts or matrices in other bits.
        beside_experts: the same, in a model that has experts.
    """

    name: str
    pattern: str
    bits: float
    arithmetic: str
    group_size: int | None
    scale_bits: int | None
    others: tuple[tuple[str, float], ...]
    beside_experts: tuple[tuple[str, float], ...]
    wide_layers: int
    expert_multiple: int | None


@cache
def formats() -> tuple[Format, ...]:
    """All formats, in the order in which their patterns are tried."""
    return tuple(_format(row) for row in tables.records(TABLE))


def named(text: str) -> Format | None:
    """The format that a text means, ``None`` where it names none that is known."""
    name = text.strip().casefold()
    return next((each for each in formats() if re.search(each.pattern, name)), None)


def _format(row: dict) -> Format:
    others = [(part, row[key]) for key, parts in PARTS.items() if row[key] for part in parts]
    beside = [(part, row[key]) for key, part in BESIDE.items() if row[key]]
    plain = {key: row[key] for key in ("name", "pattern", "bits", "arithmetic")}
    whole = {
        key: None if row[key] is None else int(row[key]) for key in ("group_size", "scale_bits", "expert_multiple")
    }
    return Format(
        **plain, **whole, others=tuple(others), beside_experts=tuple(beside), wide_layers=int(row["wide_layers"] or 0)
    )
