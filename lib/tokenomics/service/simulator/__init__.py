"""A serving simulator: requests through continuous batching, step by step.

>>> import numpy as np
>>> from tokenomics.service.simulator import Requests, Rules, StepTable, simulate
>>> table = StepTable(decode_s=np.full((9, 2), 0.02), linear_s=np.arange(513) * 1e-4)
>>> done = simulate(Requests([0.0, 0.1], prompt=[300, 200], output=[3, 2]), table, Rules(max_batch=8, max_tokens=512))
>>> done.ttft_s.round(3).tolist()
[0.03, 0.02]

Several replicas behind a router (``replicas``, ``routing``), replicas that come and go with the load (``scaling``), and
prefill and decode on replicas of their own:

>>> from tokenomics.service.simulator import Pool, Transfer, simulate_pools
>>> pool = Pool(table, Rules(max_batch=8, max_tokens=512))
>>> apart = simulate_pools(done.requests, pool, pool, Transfer(token_s=1e-5, latency_s=0.002))
>>> (apart.finish_s - apart.first_s).round(3).tolist()
[0.045, 0.024]
"""

from tokenomics.service.simulator.fleet import Scaling
from tokenomics.service.simulator.outcome import ABANDONED, CANCELLED, FINISHED, UNSERVED, Load, Outcome
from tokenomics.service.simulator.pools import Pool, PoolsOutcome, Transfer, simulate_pools
from tokenomics.service.simulator.prefix import Prefixes
from tokenomics.service.simulator.requests import Requests
from tokenomics.service.simulator.rules import Rules
from tokenomics.service.simulator.simulator import simulate
from tokenomics.service.simulator.times import StepTable, StepTimes

__all__ = [
    "ABANDONED",
    "CANCELLED",
    "FINISHED",
    "UNSERVED",
    "Load",
    "Outcome",
    "Pool",
    "PoolsOutcome",
    "Prefixes",
    "Requests",
    "Rules",
    "Scaling",
    "StepTable",
    "StepTimes",
    "Transfer",
    "simulate",
    "simulate_pools",
]
