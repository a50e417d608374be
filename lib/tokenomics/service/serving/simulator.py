"""Requests through one replica or several, on the plain loop or on the compiled one."""

import numpy as np

from tokenomics.errors import DataError
from tokenomics.service.serving.outcome import Outcome
from tokenomics.service.serving.plain import Job, Replica
from tokenomics.service.serving.record import Record
from tokenomics.service.serving.requests import Requests
from tokenomics.service.serving.rules import Rules
from tokenomics.service.serving.times import StepTable, StepTimes

ROUND_ROBIN, LEAST_LOADED = "round robin", "least loaded"
AUTO, PLAIN, FAST = "auto", "plain", "fast"


def simulate(
    requests: Requests,
    times: StepTimes,
    rules: Rules = Rules(),  # noqa: B008 (frozen)
    *,
    replicas: int = 1,
    routing: str = ROUND_ROBIN,
    tokens: bool = False,
    log: bool = False,
    loop: str = AUTO,
) -> Outcome:
    """Serve requests by continuous batching.

    The same requests, times and rules give the same numbers on every run and on both loops; nothing is drawn here.
    An overloaded service ends all the same, late; :meth:`Outcome.load` says that it was overloaded, and
    ``rules.most_waiting`` ends it early.

    Args:
        requests: what arrives.
        times: seconds of a pass: a :class:`StepTable` or any callable of that form.
        rules: scheduling of each replica.
        replicas: equal replicas, each with its own queue and cache.
        routing: ``round robin``, or ``least loaded``: to the replica with fewest requests inside, the first of equals.
        tokens: keep the time of every token.
        log: keep one row a pass.
        loop: ``plain`` Python, ``fast`` (needs numba, a step table and one pipeline stage), or whichever can run.

    Returns:
        Times of every request.

    Raises:
        DataError: a request that never fits, more requests in a batch than the table has, a name not listed here.

    Left out: network and tokenising, speculation, cancelling of running requests.
    """
    rules.check(requests)
    most = getattr(times, "max_batch", rules.max_batch)
    if rules.pass_requests > most:
        raise DataError("simulate", "max_batch", rules.pass_requests, f"at most the table's {most}")
    if replicas != int(replicas) or replicas < 1:
        raise DataError("simulate", "replicas", replicas, "a whole number >= 1")
    for name, value, allowed in (
        ("routing", routing, (ROUND_ROBIN, LEAST_LOADED)),
        ("loop", loop, (AUTO, PLAIN, FAST)),
    ):
        if value not in allowed:
            raise DataError("simulate", name, value, ", ".join(allowed))
    if loop != PLAIN and _can_run_fast(times, rules, loop == FAST):
        from tokenomics.service.serving.fast import run

        return run(requests, times, rules, (replicas, routing == LEAST_LOADED), (tokens, log))
    record = Record(requests, tokens, log)
    _plain(
        requests,
        [Replica(rules, times, record, number, requests.prefix) for number in range(replicas)],
        routing == LEAST_LOADED,
    )
    return record.outcome()


def _can_run_fast(times: StepTimes, rules: Rules, wanted: bool) -> bool:
    try:
        import numba  # noqa: F401
    except ImportError:
        reason = "without numba"
    else:
        if isinstance(times, StepTable) and rules.stages == 1:
            return True
        reason = "with a callable or pipeline stages"
    if wanted:
        raise DataError("simulate", "loop", FAST, f"auto or plain {reason}")
    return False


def _plain(requests: Requests, replicas: list[Replica], by_load: bool) -> None:
    for job, arrival in zip(_jobs(requests), requests.arrival_s.tolist(), strict=True):
        for replica in replicas:
            replica.advance(arrival)
        turn = replicas[job.index % len(replicas)]
        chosen = min(replicas, key=lambda replica: replica.inside) if by_load else turn
        chosen.push(job, arrival)
        if len(chosen.waiting) > chosen.rules.most_waiting:
            return
    for replica in replicas:
        replica.advance(np.inf)


def _jobs(requests: Requests):
    count, prefix = len(requests), requests.prefix
    chains = [()] * count
    if prefix is not None:
        ends = prefix.start[:-1] + prefix.full(requests.prompt)
        chains = [prefix.units[a:b].tolist() for a, b in zip(prefix.start[:-1], ends, strict=True)]
    columns = requests.keys, requests.prompt, requests.output, requests.arrival_s + requests.patience_s
    for index, (key, prompt, output, gives_up) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
        yield Job(key, index, prompt, output, gives_up, to_read=prompt, chain=chains[index])
