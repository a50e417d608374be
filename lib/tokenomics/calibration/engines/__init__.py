"""Fits engine profiles and intervals to measured latencies, and predicts every row with its model family held out.

Run by ``make calibrate`` after the operators; writes to ``data/calibration`` the tables ``engines.csv`` and
``intervals.csv``, the predictions of held-out rows (``held_out_family.csv``, ``held_out_accelerator.csv``,
``held_out_disaggregated.csv``) and what share of the silicon sample was predicted (``silicon_sample.csv``). What is
known before any fit goes to ``copies.csv`` (one measurement in two sources) and ``left_out.csv`` (rows no fit reads).

Method. An engine's profile is six numbers. Every measured duration, except a first token that waits in a queue, is
linear in four of them. Their coefficients for a row are predictions of the scorer's own model with one number at a
time. The four are then fitted by robust least squares on log residuals, shrunk towards the profile of all engines
together. The other two, ``burst`` and ``wait_s``, are fitted to the first tokens that queue in a closed loop. All six
are fitted once with all rows and once without each model family. Intervals are quantiles of the residuals of the
held-out families. A second round holds out each accelerator, with its measured operators, and gives the errors on
accelerators that nobody has measured.
"""
