"""What a cell calls: ``p = begin(Parameters, globals())``, then ``figures``, ``tables``, ``checks`` and ``report``."""

from tokenomics.notebook.context import begin

__all__ = ["begin"]
