"""What a deployment bears: streams as requests, outcomes as timelines, and loads that only simulation finds."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tokenomics.compute.inference.intervals import kind_of, quantiles_of
from tokenomics.compute.inference.server import Server
from tokenomics.errors import DataError
from tokenomics.service.simulator.outcome import Outcome
from tokenomics.service.simulator.prefix import Prefixes
from tokenomics.service.simulator.requests import Requests
from tokenomics.service.simulator.rules import Rules
from tokenomics.service.simulator.simulator import simulate
from tokenomics.service.simulator.times import StepTable, StepTimes
from tokenomics.service.timeline import Timeline
from tokenomics.service.workload.stream import Stream

WARMING = 0.2
"""Share of the starts that pass before a queue that is never empty is watched."""


def requests(stream: Stream, prefixes: bool = True) -> Requests:
    """A stream as a simulation takes it: arrivals as they stand (loops of sessions stay open), shared beginnings kept.

    Args:
        prefixes: whether prompts' common beginnings are known to a prefix cache.
    """
    shared = None
    if prefixes and stream.blocks is not None:
        shared = Prefixes(stream.blocks.tokens, stream.blocks.ids.astype(np.int64), stream.blocks.offsets)
    first = 0 if stream.priority is None else stream.priority
    return Requests(stream.arrival_s, stream.input_tokens, stream.output_tokens, first, prefix=shared)


def delivered(outcome: Outcome) -> Timeline:
    """The tokens of a simulation that kept them, for every measure of experience.

    Raises:
        DataError: a simulation without ``tokens=True``.
    """
    if outcome.token_s is None:
        raise DataError("delivered", "token_s", "none", "an outcome of simulate(..., tokens=True)")
    came = ~np.isnan(outcome.token_s)
    wanted = outcome.requests.output
    count = np.add.reduceat(came.astype(np.int64), outcome.token_start)
    return Timeline(outcome.requests.arrival_s, outcome.token_s[came], count, wanted)


def at_end(table: StepTable, server: Server, end: str = "value") -> StepTable:
    """A server's table at the ``low`` (fast) or ``high`` (slow) end of its intervals for decoding and for prefill.

    Both ends are taken together, which makes what follows wider than independent errors would. The fast end is not held
    against the bound, which lies far below it.

    Raises:
        DataError: another end.
    """
    if end not in ("value", "low", "high"):
        raise DataError("at_end", "end", end, "value, low, high")
    if end == "value":
        return table
    side, on, profile = ("low", "high").index(end), server.on, server.profile
    kind, moe = kind_of(on, profile), on.model.is_moe
    decode, prompt = (quantiles_of(profile.name, kind, each, moe)[side] for each in ("decode", "prefill"))
    return table.scaled(float(np.exp(decode)), float(np.exp(prompt)))


def saturated(given: Requests, times: StepTimes, rules: Rules) -> float:
    """Output tokens a second with a queue that is never empty.

    All requests are there from the start; tokens are counted between a fifth of the starts and the last start, while
    others still wait. Arrival times are not looked at.

    Raises:
        DataError: requests that all fit into the batch at once, so that nothing waits.
    """
    crowd = replace(given, arrival_s=np.zeros(len(given)), patience_s=np.inf)
    done = simulate(crowd, times, rules, tokens=True)
    begin, end = np.quantile(done.started_s, WARMING), done.started_s.max()
    if not end > begin:
        raise DataError("saturated", "requests", len(given), f"more than fit into a batch ({rules.max_batch})")
    inside = (done.token_s > begin) & (done.token_s <= end)
    return float(np.count_nonzero(inside) / (end - begin))


def largest(keeps: Callable[[float], bool], least: float, most: float, rtol: float = 0.01) -> float:
    """The largest load that ``keeps`` an objective, by bisection on a logarithmic scale.

    Args:
        keeps: whether a load can be held; true below some load and false above it.
        least, most: between which to look.
        rtol: relative width at which to stop.

    Returns:
        A load that keeps it, at most ``1 + rtol`` below one that does not; 0 where ``least`` does not, ``most`` where
        all do.

    Raises:
        DataError: ``least`` that is not above zero or not below ``most``, a width that is not above zero.
    """
    if not 0 < least < most < np.inf:
        raise DataError("largest", "least, most", (least, most), "0 < least < most")
    if not rtol > 0:
        raise DataError("largest", "rtol", rtol, "above 0")
    if not keeps(least):
        return 0.0
    if keeps(most):
        return float(most)
    good, bad = float(least), float(most)
    while bad > good * (1 + rtol):
        middle = float(np.sqrt(good * bad))
        good, bad = (middle, bad) if keeps(middle) else (good, middle)
    return good
