"""The tables behind the figures about serving: what is asked, who answers, and what was measured beside it.

A :class:`Load` says what is asked; the functions put it to :mod:`tokenomics.compute.inference.server` and to the bounds, and give
tidy tables in which ``value`` stands between ``low`` and ``high`` and beside ``bound``.
"""

from tokenomics.sections.s04_inference_xpus import drawings
from tokenomics.sections.s04_inference_xpus.choice import (
    best,
    better,
    frontier,
    layouts_table,
    point_of,
    value,
    within,
)
from tokenomics.sections.s04_inference_xpus.extras import OWN_LAYER, adapted, drafted, drafter, sighted
from tokenomics.sections.s04_inference_xpus.load import (
    TEXTS,
    Layout,
    Load,
    ask,
    deployment,
    fastest,
    group,
    label,
    short,
)
from tokenomics.sections.s04_inference_xpus.measured import ceilings, held_out, kernel_roof, summary
from tokenomics.sections.s04_inference_xpus.tables import (
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
    "drawings",
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
