"""What a cell calls: ``p = begin(section.Parameters, globals())``, then ``figures``, ``tables``, ``checks``, ``report``."""

from tokenomics.notebook.context import begin

__all__ = ["begin"]
