"""The tables behind the figures about serving: what is asked, who answers, and what was measured beside it.

A :class:`Load` says what is asked; the functions put it to :mod:`tokenomics.compute.server` and to the bounds, and give
tidy tables in which ``value`` stands between ``low`` and ``high`` and beside ``bound``.
"""

from tokenomics.paper.serving import drawing
from tokenomics.paper.serving.added import OWN_LAYER, adapted, drafted, drafter, sighted
from tokenomics.paper.serving.choice import best, better, frontier, layouts_table, point_of, value, within
from tokenomics.paper.serving.load import TEXTS, Layout, Load, ask, deployment, fastest, group, label, short
from tokenomics.paper.serving.measured import ceilings, held_out, kernel_roof, summary
from tokenomics.paper.serving.tables import (
    by_bits,
    changed,
    fleet,
    holds,
    latency,
    limits,
    loaded,
    memory_parts,
    operating_points,
    sensitivity,
    step_parts,
)

__all__ = [
    "OWN_LAYER",
    "TEXTS",
    "Layout",
    "Load",
    "adapted",
    "ask",
    "best",
    "better",
    "by_bits",
    "ceilings",
    "changed",
    "deployment",
    "drafted",
    "drafter",
    "drawing",
    "fastest",
    "fleet",
    "frontier",
    "group",
    "held_out",
    "holds",
    "kernel_roof",
    "label",
    "latency",
    "layouts_table",
    "limits",
    "loaded",
    "memory_parts",
    "operating_points",
    "point_of",
    "sensitivity",
    "short",
    "sighted",
    "step_parts",
    "summary",
    "value",
    "within",
]
