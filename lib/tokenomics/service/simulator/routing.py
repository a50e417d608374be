"""Which replica a request goes to.

All rules look at what replicas hold at the arrival, after every pass that ended before it, and nothing is moved later:

* ``round robin``: the next in turn;
* ``least loaded``: the one with fewest requests inside, the first of equals;
* ``prefix aware``: the one that knows most units of the prompt, counted from its beginning; among equals the one with
  fewest requests inside, then the first. So that a popular beginning does not pile up on one replica, those with more
  than ``most_ahead`` requests above the least loaded are left out. The exact content of each cache is known here
  (routers that follow the engines' cache events come near); a prompt that is being read counts only once it is read.

:data:`MOST_AHEAD` is the absolute threshold of the cache-aware policy of SGLang's gateway (its documentation,
``balance-abs-threshold``); its second, relative threshold is left out.
"""

from collections.abc import Sequence

from tokenomics.service.simulator.reference import Job, Replica

ROUND_ROBIN, LEAST_LOADED, PREFIX_AWARE = "round robin", "least loaded", "prefix aware"
ROUTINGS = (ROUND_ROBIN, LEAST_LOADED, PREFIX_AWARE)
MOST_AHEAD = 64


def choose(replicas: Sequence[Replica], job: Job, routing: str, most_ahead: int) -> Replica:
    """The replica for a request, of those that take requests."""
    if routing == ROUND_ROBIN:
        return replicas[job.index % len(replicas)]
    if routing == LEAST_LOADED:
        return min(replicas, key=lambda replica: replica.inside)
    most = min(replica.inside for replica in replicas) + most_ahead
    near = (replica for replica in replicas if replica.inside <= most)
    return max(near, key=lambda replica: (len(replica.hits(job)), -replica.inside))
