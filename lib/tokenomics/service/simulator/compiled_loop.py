"""Replicas behind a router, compiled: :class:`tokenomics.service.simulator.reference.ReferenceLoop` on the replicas of
:mod:`tokenomics.service.simulator.compiled`. First what is compiled, then the arrays it works on and the
:class:`Outcome` made from them."""

import inspect

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tokenomics.facts.engines import CHUNKED, DECODE
from tokenomics.service.simulator import compiled, compiled_arrays, compiled_state, outcome, times
from tokenomics.service.simulator.compiled_arrays import (
    AT,
    BUSY,
    CACHED,
    CANCELLED_AT,
    CHAIN,
    CLOCK,
    DECODED,
    DECODES,
    FILLING,
    FINISH,
    FIRST,
    FREE,
    FRESH,
    GIVES_UP,
    IDLE,
    INLINE,
    KEY,
    LATE,
    MOST_USED,
    NOBODY,
    NOW,
    NUMBER,
    OUTPUT,
    PARTIAL,
    PENDING,
    PREEMPTED,
    PREEMPTIONS,
    PROMPT,
    PROMPT_TOKENS,
    REPLICA,
    STARTED,
    STATUS,
    STEPS,
    SWAPPED,
    SWAPPED_BLOCKS,
    TAKING,
    UNITS,
    UNKNOWN,
    WAITING,
    WHO,
    Limits,
    State,
    heap_push,
    prefix_hits,
)
from tokenomics.service.simulator.fleet import LEAST_LOADED, PREFIX_AWARE, ROUND_ROBIN, Fleet, Held
from tokenomics.service.simulator.outcome import COLUMNS, UNSERVED, Outcome
from tokenomics.service.simulator.requests import Requests
from tokenomics.service.simulator.rules import SWAP, Rules
from tokenomics.service.simulator.times import StepTable

SOURCES = outcome, times, compiled_arrays, compiled_state, compiled
"""Modules from which compiled code takes functions and constants, besides this one."""
DONE, STOPPED = -1, -2
IN_TURN, BY_LOAD, BY_PREFIX = 0, 1, 2
ROWS = 65536
"""Steps for which there is room at first, where they are written down."""
ROUTINGS = {ROUND_ROBIN: IN_TURN, LEAST_LOADED: BY_LOAD, PREFIX_AWARE: BY_PREFIX}


@INLINE
def _inside(state, r):
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
    """The replica for a request; see :mod:`tokenomics.service.simulator.fleet`."""
    if limits.routing == IN_TURN:
        return _in_turn(state, i)
    chosen, fewest = NOBODY, 0
    for r in range(len(state.at)):
        if state.at[r, TAKING] and (chosen == NOBODY or _inside(state, r) < fewest):
            chosen, fewest = r, _inside(state, r)
    if limits.routing == BY_LOAD or not limits.unit:
        return chosen
    most, best, load = fewest + limits.most_ahead, NOBODY, 0
    for r in range(len(state.at)):
        if state.at[r, TAKING] and _inside(state, r) <= most:
            known = prefix_hits(compiled_state.row(state, r), limits, i)
            if known > best or (known == best and _inside(state, r) < load):
                chosen, best, load = r, known, _inside(state, r)
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
            state.at[r, WAITING] = heap_push(state.waiting[r], state.at[r, WAITING], state.who[i, KEY])
            if state.at[r, WAITING] > limits.most_waiting:
                _write_running(state)
                return STOPPED
    return DONE


def _compiled(sources):
    """The entry to compiled code, kept on disk between processes where there is a place for it.

    numba compiles anew when this file changes, but not when another does from which it takes functions. A variable of
    the enclosing function is part of the key under which it keeps the code, so ``sources`` holds the text of them all.
    """

    def drive(state, limits, grid, arrival, span):
        """Send the rows of a ``span`` (first, beyond the last, seconds to go on to) to the replicas.

        Returns the row to go on from once there is more room to write, or :data:`DONE`, or :data:`STOPPED` where too
        many wait.
        """
        len(sources)  # makes it a variable of this function
        return _drive(state, limits, grid, arrival, span)

    try:
        return njit(cache=True, error_model="numpy", _nrt=False)(drive)
    except RuntimeError:
        return njit(error_model="numpy", _nrt=False)(drive)


drive = _compiled("".join(map(inspect.getsource, SOURCES)))


class CompiledLoop:
    """As :class:`tokenomics.service.simulator.reference.ReferenceLoop`, with a step table."""

    def __init__(self, requests: Requests, table: StepTable, rules: Rules, fleet: Fleet, keep: tuple[bool, bool]):
        self.requests, self.grid, self.keep = requests, table.grid, keep
        self.limits = _limits(requests, rules, fleet)
        self.state = _state(requests, rules, self.limits, len(fleet.state), keep)

    def run(self, first: int, last: int, until: float) -> bool:
        """Send rows ``first`` up to ``last`` to replicas and go on to ``until``; False where too many wait."""
        row, fixed = first, (self.limits, self.grid, self.requests.arrival_s)
        while (row := drive(self.state, *fixed, (row, last, float(until)))) >= 0:
            self.state = _more_room(self.state)
        return row == DONE

    def held(self) -> Held:
        """What each replica holds."""
        at = self.state.at
        inside = at[:, [WAITING, SWAPPED, DECODES, FRESH]].sum(axis=1)
        used = (self.limits.blocks - at[:, FREE]) / self.limits.blocks
        inside += at[:, PARTIAL] != NOBODY
        return Held(at[:, WAITING].copy(), inside, used, self.state.now[:, CLOCK].copy())

    def open(self, taking: NDArray[np.bool_], back: NDArray[np.intp]) -> None:
        """Send requests to these places from now on; those given ``back`` begin anew."""
        self.state.at[:, TAKING] = taking
        self.state.at[back, IDLE] = 0
        self.state.users[back] = UNKNOWN
        for links in (self.state.older, self.state.newer):
            links[back] = self.state.users.shape[1]

    def outcome(self, paid_s: float, fleet: dict[str, NDArray]) -> Outcome:
        """What came out."""
        return _outcome(self.requests, self.state, self.keep, paid_s, fleet)


def _limits(requests: Requests, rules: Rules, fleet: Fleet) -> Limits:
    return Limits(
        chunked=rules.policy == CHUNKED,
        refill=rules.policy != DECODE,
        padded=rules.padded,
        swap=rules.preemption == SWAP,
        landing=requests.read,
        routing=ROUTINGS[fleet.routing],
        most_ahead=fleet.most_ahead,
        max_batch=rules.max_batch,
        max_tokens=rules.max_tokens,
        blocks=rules.kv_blocks,
        kept=rules.kept_blocks,
        block=rules.block_tokens,
        bits=len(requests).bit_length(),
        most_waiting=rules.most_waiting,
        swap_block_s=float(rules.swap_block_s),
        unit=requests.prefix.tokens // rules.block_tokens if requests.prefix else 0,
        unit_tokens=requests.prefix.tokens if requests.prefix else 1,
    )


def _state(requests: Requests, rules: Rules, limits: Limits, replicas: int, keep: tuple[bool, bool]) -> State:
    count, most = len(requests), min(rules.max_batch, len(requests)) + 1
    who, when = _rows(requests, limits)
    at, now = np.zeros((replicas, AT), dtype=np.int64), np.zeros((replicas, NOW))
    at[:, FREE], at[:, PARTIAL], at[:, FILLING] = rules.kv_blocks, NOBODY, 1
    now[:, LATE] = np.inf
    at[:, NUMBER], at[:, TAKING] = np.arange(replicas), 1
    units = requests.prefix.units.copy() if requests.prefix else np.empty(0, dtype=np.int64)
    different = requests.prefix.count if requests.prefix else 0
    links = np.full((replicas, different + 1), different)
    starts = np.cumsum(requests.output) - requests.output
    return State(
        who,
        when,
        at,
        now,
        np.empty((replicas, count), dtype=np.int64),
        *(np.empty((replicas, most), dtype=np.int64) for _ in range(5)),
        np.zeros((replicas, rules.block_tokens), dtype=np.int64),
        np.empty((replicas, ROWS if keep[0] else 0)),
        starts if keep[0] else np.empty(0, dtype=np.int64),
        np.full(int(requests.output.sum()) if keep[0] else 0, np.nan),
        np.empty((ROWS if keep[1] else 0, len(COLUMNS))),
        np.zeros(1, dtype=np.int64),
        units,
        np.zeros(units.size, dtype=np.bool_),
        np.full((replicas, different), UNKNOWN),
        links,
        links.copy(),
    )


def _rows(requests: Requests, limits: Limits) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """``who`` and ``when`` at the start."""
    count = len(requests)
    who, when = np.zeros((count, WHO), dtype=np.int64), np.full((count, CANCELLED_AT), np.nan)
    who[:, KEY] = requests.priority << limits.bits | np.arange(count)
    who[:, PROMPT], who[:, OUTPUT] = requests.prompt, requests.output
    who[:, STATUS], who[:, REPLICA] = UNSERVED, NOBODY
    when[:, GIVES_UP] = requests.gives_up_s
    if requests.prefix:
        who[:, CHAIN], who[:, UNITS] = requests.prefix.start[:-1], requests.prefix.full(requests.prompt)
    if np.isfinite(requests.timeout_s).any():
        when = np.column_stack([when, requests.arrival_s + requests.timeout_s])
    return who, when


def _more_room(state: State) -> State:
    return state._replace(
        ends=np.concatenate([state.ends, np.empty_like(state.ends)], axis=1),
        log=np.concatenate([state.log, np.empty_like(state.log)]),
    )


def _outcome(
    requests: Requests, state: State, keep: tuple[bool, bool], paid_s: float, fleet: dict[str, NDArray]
) -> Outcome:
    at, rows = state.at, state.log[: state.logged[0]]
    totals = {
        "steps": at[:, STEPS].sum(),
        "decode_tokens": at[:, DECODED].sum(),
        "prompt_tokens": at[:, PROMPT_TOKENS].sum(),
        "cached_tokens": at[:, CACHED].sum(),
        "preemptions": at[:, PREEMPTIONS].sum(),
        "swapped_blocks": at[:, SWAPPED_BLOCKS].sum(),
        "most_used_blocks": at[:, MOST_USED].max(),
        "busy_s": state.now[:, BUSY].sum(),
    }
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    times = {name for name in COLUMNS if name.endswith("_s")}
    log = {name: rows[:, i] if name in times else rows[:, i].astype(np.int64) for i, name in enumerate(COLUMNS)}
    return Outcome(
        requests,
        *(state.when[:, each].copy() for each in (STARTED, FIRST, FINISH)),
        *(state.who[:, each].copy() for each in (PREEMPTED, STATUS, REPLICA)),
        {name: value.item() for name, value in totals.items()} | {"paid_s": paid_s},
        state.token_s if keep[0] else None,
        log if keep[1] else {},
        fleet,
    )
