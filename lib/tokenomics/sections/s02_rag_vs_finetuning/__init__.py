"""Notebook 02: :mod:`.measured` puts the experiment's arms into words, costs and break-even points; :mod:`.costs` says
which way is cheapest where, on lists, by index and on own devices; :mod:`.drawing` and :mod:`.drawing_costs` draw."""

from tokenomics.sections.s02_rag_vs_finetuning.costs import (
    BOTH,
    LONG,
    RAG,
    TUNED,
    WAYS,
    Case,
    Right,
    approaches,
    by_list,
    by_size,
    crossover,
    decisions,
    on_devices,
    on_groups,
)

__all__ = [
    "BOTH",
    "LONG",
    "RAG",
    "TUNED",
    "WAYS",
    "Case",
    "Right",
    "approaches",
    "by_list",
    "by_size",
    "crossover",
    "decisions",
    "on_devices",
    "on_groups",
]
