"""Learns engine profiles and intervals from measured latencies, and predicts every row that was held out.

Run by ``make calibrate`` after the operators; writes to ``data/calibration`` the tables ``engines.csv`` and
``intervals.csv``, the predictions of held-out rows (``held_out_family.csv``, ``held_out_accelerator.csv``,
``held_out_disaggregated.csv``) and what share of the silicon sample was predicted (``silicon_sample.csv``).

Method. An engine's profile is six numbers. Every measured duration but a queued first token is linear in four of them,
so the scorer's own model is asked with each number alone for a row's coefficients; the four are then fitted by robust
least squares on log residuals, drawn towards the profile of all engines together. The other two, ``burst`` and
``wait_s``, are fitted to the first tokens that queue in a closed loop. All six are fitted once with all rows and once
without each model family. Intervals are quantiles of the residuals of the held-out families. A second round leaves out
each accelerator, its measured operators included, and gives the errors on accelerators that nobody has measured.
"""
