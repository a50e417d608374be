"""Requests through one replica or several, on the reference loop or on the compiled one."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tokenomics.errors import DataError, require, whole
from tokenomics.service.simulator.fleet import MOST_AHEAD, ROUND_ROBIN, ROUTINGS, SERVING, Fleet, Scaling
from tokenomics.service.simulator.outcome import Outcome
from tokenomics.service.simulator.reference import ReferenceLoop
from tokenomics.service.simulator.requests import Requests
from tokenomics.service.simulator.rules import Rules
from tokenomics.service.simulator.times import StepTable, StepTimes

AUTO, REFERENCE, COMPILED = "auto", "reference", "compiled"
SOURCES = ("compiled*.py", "outcome.py", "times.py")
"""Files from which compiled code is made."""


def simulate(
    requests: Requests,
    times: StepTimes,
    rules: Rules = Rules(),  # noqa: B008 (frozen)
    *,
    replicas: int = 1,
    routing: str = ROUND_ROBIN,
    most_ahead: int = MOST_AHEAD,
    scaling: Scaling | None = None,
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
        times: seconds of a step: a :class:`StepTable` or any callable of that form.
        rules: scheduling of each replica.
        replicas: equal replicas, each with its own queue and cache; with ``scaling`` those at the start.
        routing: ``round robin``, ``least loaded`` or ``prefix aware``
            (see :mod:`tokenomics.service.simulator.fleet`).
        most_ahead: with ``prefix aware``, a replica with more requests than the least loaded one and these is left out.
        scaling: when replicas start and stop; ``None`` keeps them.
        tokens: keep the time of every token.
        log: keep one row a step.
        loop: ``reference`` (Python), ``compiled`` (needs numba, a step table and one pipeline stage), or ``auto``: the
            compiled one where it can run. Both give the same numbers.

    Returns:
        Times of every request.

    Raises:
        DataError: a request that never fits, more requests in a batch than the table has, a name not listed here, a
            number of replicas out of bounds.

    Left out: network and tokenising, speculation, moving of waiting requests to another replica.
    """
    rules.check(requests)
    most = getattr(times, "max_batch", rules.max_batch)
    require(rules.step_requests <= most, "simulate", "max_batch", rules.step_requests, f"at most the table's {most}")
    _check(replicas, routing, most_ahead, loop)
    if scaling is not None:
        scaling.check(rules, replicas)
    if loop != REFERENCE and _can_compile(times, rules, loop == COMPILED):
        from tokenomics.service.simulator.compiled_loop import CompiledLoop as Loop
    else:
        Loop = ReferenceLoop  # noqa: N806 (a class)
    fleet = Fleet(int(replicas), routing, int(most_ahead), scaling)
    return _serve(Loop(requests, times, rules, fleet, (tokens, log)), fleet, requests.arrival_s)


def without_compiling() -> str:
    """The loop that starts at once: the compiled one if numba has kept it from an earlier run, else the reference.

    For answers that take a few short simulations; both loops give the same numbers, and compiling takes long.
    """
    folder = Path(__file__).parent
    changed = max(each.stat().st_mtime for pattern in SOURCES for each in folder.glob(pattern))
    kept = folder.joinpath("__pycache__").glob("compiled_loop.*.nbi")
    return AUTO if any(each.stat().st_mtime > changed for each in kept) else REFERENCE


def keep_compiled() -> bool:
    """Compile the loop on the smallest stream there is; numba keeps it for later processes. False without numba."""
    table = StepTable(decode_s=np.ones((2, 2)), linear_s=np.ones(2) - [1, 0])
    if not _can_compile(table, Rules(), wanted=False):
        return False
    simulate(Requests([0.0], prompt=[1], output=[1]), table, Rules(max_batch=1, max_tokens=1), loop=COMPILED)
    return True


def _check(replicas: int, routing: str, most_ahead: int, loop: str) -> None:
    whole("simulate", "replicas", replicas)
    whole("simulate", "most_ahead", most_ahead, 0)
    for name, value, allowed in (("routing", routing, ROUTINGS), ("loop", loop, (AUTO, REFERENCE, COMPILED))):
        require(value in allowed, "simulate", name, value, ", ".join(allowed))


def _serve(run, fleet: Fleet, arrival: NDArray[np.float64]) -> Outcome:
    """Go from one look at the fleet to the next, then to the end; after the last arrival nothing needs to be decided.
    What is due at the same time comes in this order: the look, arrivals, steps that end."""
    row, going = 0, True
    if fleet.scaling:
        run.open(fleet.state == SERVING, np.empty(0, dtype=np.intp))
    while going and (now := fleet.next_s) <= arrival[-1]:
        last = int(np.searchsorted(arrival, now))
        going, row = run.run(row, last, now), last
        back = fleet.look(now, run.held())
        run.open(fleet.state == SERVING, back)
    going = going and run.run(row, len(arrival), np.inf)
    return run.outcome(*fleet.close(arrival[-1] if going else np.nan, run.held()))


def _can_compile(times: StepTimes, rules: Rules, wanted: bool) -> bool:
    try:
        import numba  # noqa: F401
    except ImportError:
        reason = "without numba"
    else:
        if isinstance(times, StepTable) and rules.stages == 1:
            return True
        reason = "with a callable or pipeline stages"
    if wanted:
        raise DataError("simulate", "loop", COMPILED, f"auto or reference {reason}")
    return False
