"""A row of measurements becomes a deployment, a question and a prediction; its value is never looked at.

``reading`` and ``units`` take a file in, ``predict`` applies a model of the ``registry`` to its rows.
"""
