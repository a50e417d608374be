"""A row of measurements becomes a deployment, a question and a prediction; its value is never looked at.

``reading`` takes a file in, ``predict`` applies a model (``bounds``, ``constant``, ``inference``, ``fallback``) to its
rows; ``share_of_bound`` sets the measurement tables beside their bounds.
"""
