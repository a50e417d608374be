"""Notebooks and what they leave behind: figures, tables, checks, metrics, and the runs that make them.

A notebook starts with ``p = begin("NN_name", globals())`` and then uses ``figures``, ``tables``, ``checks`` and
``report``.
"""

from tokenomics.paper.context import begin

__all__ = ["begin"]
