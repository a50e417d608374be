"""What does a token take, cost, feel like and emit?

The library behind the notebooks. Its rooms, from the ground up, each importing only from lower ones: ``facts`` (sourced
data as typed records), ``parameters``, ``estimate``, ``compute`` (counts and times), ``service`` (requests),
``economics`` (money), ``rows``, ``calibration``, ``notebook``, ``scoring``, ``sections``, ``pipeline``, ``site``.
Importing this package loads none of them.
"""

__version__ = "0.1.0"
