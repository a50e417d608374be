"""What a deployment bears: loads that only simulation finds."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tokenomics.errors import DataError, positive, require
from tokenomics.service.simulator.requests import Requests
from tokenomics.service.simulator.rules import Rules
from tokenomics.service.simulator.simulator import simulate
from tokenomics.service.simulator.times import StepTimes

WARMING = 0.2
"""Share of the starts that are left out, until the replies in the batch are at different places."""


def saturated_tok_per_s(given: Requests, times: StepTimes, rules: Rules) -> float:
    """Output tokens a second of a saturated replica, where requests wait at all times.

    All requests are there from the start; tokens are counted between a fifth of the starts and the last start, while
    others still wait.

    Args:
        given: lengths and priorities; arrival times and patience are not looked at.
        times: seconds of a step.
        rules: scheduling of the replica.

    Raises:
        DataError: requests that all fit into the batch at once, so that nothing waits.
    """
    crowd = replace(given, arrival_s=np.zeros(len(given)), patience_s=np.inf)
    done = simulate(crowd, times, rules, tokens=True)
    begin, end = np.quantile(done.started_s, WARMING), done.started_s.max()
    if not end > begin:
        raise DataError("saturated_tok_per_s", "given", len(given), f"more than fit into a batch ({rules.max_batch})")
    inside = (done.token_s > begin) & (done.token_s <= end)
    return float(np.count_nonzero(inside) / (end - begin))


def highest_rate(keeps: Callable[[float], bool], least: float, most: float, rtol: float = 0.01) -> float:
    """The highest rate that ``keeps`` an objective, by bisection on a logarithmic scale.

    Args:
        keeps: whether a rate can be held; true below some rate and false above it.
        least, most: between which to look, in any unit.
        rtol: relative width at which to stop.

    Returns:
        A rate that keeps it, at most ``1 + rtol`` below one that does not; 0 where ``least`` does not, ``most`` where
        all do.

    Raises:
        DataError: ``least`` that is not above zero or not below ``most``, a width that is not above zero.
    """
    require(0 < least < most < np.inf, "highest_rate", "least, most", (least, most), "0 < least < most")
    positive("highest_rate", "rtol", rtol)
    if not keeps(least):
        return 0.0
    if keeps(most):
        return float(most)
    good, bad = float(least), float(most)
    while bad > good * (1 + rtol):
        middle = float(np.sqrt(good * bad))
        good, bad = (middle, bad) if keeps(middle) else (good, middle)
    return good
