"""What a cell calls: ``p = begin("NN_name", globals())``, then ``figures``, ``tables``, ``checks``, ``report``."""

from tokenomics.notebook.context import begin

__all__ = ["begin"]
