"""What does a token take, cost, feel like and emit?

The library behind the notebooks. Floors, each importing only from the ones below it: ``paths`` and ``errors``,
``facts`` (sourced data as typed records), ``compute`` (counts and times), ``service`` (request streams), ``paper``
(notebooks, figures, the pipeline). Importing this package loads none of them.
"""

__version__ = "0.1.0"
