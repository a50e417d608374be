"""Replicas behind a router, compiled: :mod:`tokenomics.service.simulator.reference_loop` on the replicas of
:mod:`tokenomics.service.simulator.compiled`."""

import inspect

import numpy as np
from numba import njit

from tokenomics.service.simulator import (
    compiled,
    compiled_cancel,
    compiled_columns,
    compiled_prefix,
    compiled_state,
    heaps,
    times,
)
from tokenomics.service.simulator.compiled_columns import (
    CLOCK,
    DECODES,
    FRESH,
    INLINE,
    KEY,
    NOBODY,
    PARTIAL,
    PENDING,
    SWAPPED,
    TAKING,
    WAITING,
)

DONE, STOPPED = -1, -2
IN_TURN, BY_LOAD, BY_PREFIX = 0, 1, 2


@INLINE
def inside(state, r):
    """Requests that were sent to a replica and have not left."""
    at = state.at
    return at[r, WAITING] + at[r, SWAPPED] + at[r, DECODES] + at[r, FRESH] + (at[r, PARTIAL] != NOBODY)


@INLINE
def _in_turn(state, i):
    turn = i % np.sum(state.at[:, TAKING])
    for r in range(len(state.at)):
        turn -= state.at[r, TAKING]
        if turn < 0:
            return r
    return NOBODY


@INLINE
def _choose(state, limits, i):
    """The replica for a request; see :mod:`tokenomics.service.simulator.routing`."""
    if limits.routing == IN_TURN:
        return _in_turn(state, i)
    chosen, fewest = NOBODY, 0
    for r in range(len(state.at)):
        if state.at[r, TAKING] and (chosen == NOBODY or inside(state, r) < fewest):
            chosen, fewest = r, inside(state, r)
    if limits.routing == BY_LOAD or not limits.unit:
        return chosen
    most, best, load = fewest + limits.most_ahead, NOBODY, 0
    for r in range(len(state.at)):
        if state.at[r, TAKING] and inside(state, r) <= most:
            known = compiled_prefix.hits(compiled_state.row(state, r), limits, i)
            if known > best or (known == best and inside(state, r) < load):
                chosen, best, load = r, known, inside(state, r)
    return chosen


@INLINE
def _write_running(state):
    """Note the tokens of requests that still run when the simulation stops."""
    for r in range(len(state.at)):
        for place in range(state.at[r, DECODES] if state.token_s.size else 0):
            compiled_state.write_tokens(compiled_state.row(state, r), state.running[r, place])


@INLINE
def _drive(state, limits, grid, arrival, span):
    first, last, end = span
    for i in range(first, last + 1):
        until = arrival[i] if i < last else end
        for r in range(len(state.at)):
            if state.now[r, CLOCK] < until and not compiled.advance(compiled_state.row(state, r), limits, grid, until):
                return i
        if i < last:
            r = _choose(state, limits, i)
            if not state.at[r, PENDING]:
                state.now[r, CLOCK] = max(state.now[r, CLOCK], until)
            state.at[r, WAITING] = heaps.push(state.waiting[r], state.at[r, WAITING], state.who[i, KEY])
            if state.at[r, WAITING] > limits.most_waiting:
                _write_running(state)
                return STOPPED
    return DONE


def _compiled(sources):
    """The entry, kept on disk between processes where there is a place for it. numba notices a change of this file
    only; a variable of the enclosing function is part of its key, so the sources of all that is compiled stand in one.
    """

    def drive(state, limits, grid, arrival, span):
        """Send the rows of a ``span`` (first, beyond the last, seconds to go on to) to the replicas; the row to go on
        from when there is more room to write, or :data:`DONE`, or :data:`STOPPED` when too many wait."""
        len(sources)
        return _drive(state, limits, grid, arrival, span)

    try:
        return njit(cache=True, error_model="numpy", _nrt=False)(drive)
    except RuntimeError:
        return njit(error_model="numpy", _nrt=False)(drive)


drive = _compiled(
    "".join(
        inspect.getsource(module)
        for module in (heaps, times, compiled, compiled_cancel, compiled_columns, compiled_prefix, compiled_state)
    )
)
