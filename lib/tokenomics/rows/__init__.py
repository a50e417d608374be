"""From a row of measurements to a deployment, a question and a prediction, without reading the measured value.

``formats`` reads what benchmark tools write, ``reading`` a file of rows; ``predict`` applies a model (``bounds``,
``constant``, ``inference``, ``fallback``) to its rows, and ``share_of_bound`` compares the measurement tables with
their bounds.
"""
