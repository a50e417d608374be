"""Learns engine profiles and intervals from measured latencies, and reports errors on rows that were held out.

Run by ``make calibrate`` after the operators; writes ``data/calibration/engines.csv``, ``intervals.csv`` and
``validation.csv``. Method: every measured duration is linear in a profile's four numbers, so the scorer's own model is
asked with each number alone for a row's coefficients; profiles are then fitted by robust least squares on log
residuals, drawn towards the profile of all engines together, once with all rows and once without each model family.
Intervals are quantiles of the residuals of the held-out families. The accelerators' own operators are hidden in a
second round that says what an accelerator costs that nobody measured.
"""
