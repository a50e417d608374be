"""Replays the requests of others through our simulator, and writes what came out beside what they report.

Run by ``python -m tokenomics.service.replays FOLDER`` where the folder holds the request streams, which are not kept
here (``simulator_reference``, ``serving_runs``); writes ``data/serving/replays.csv`` and ``replayed_runs.csv``.
"""
