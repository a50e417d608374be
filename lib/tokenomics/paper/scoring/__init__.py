"""Score anybody's measurements without looking at their values.

``reading`` and ``units`` take the file in, ``predict`` applies a model of the ``registry`` to
its rows, ``run``, ``report`` and ``plot`` say how far off it was, by group.
"""
