"""Arrays for the compiled loop, and an :class:`Outcome` from them."""

import numpy as np
from numpy.typing import NDArray

from tokenomics.service.simulator import compiled_columns as column
from tokenomics.service.simulator import compiled_drive as kernel
from tokenomics.service.simulator.outcome import COLUMNS, Outcome
from tokenomics.service.simulator.requests import Requests
from tokenomics.service.simulator.routing import LEAST_LOADED, PREFIX_AWARE, ROUND_ROBIN
from tokenomics.service.simulator.rules import CHUNKED, DECODE, SWAP, Rules
from tokenomics.service.simulator.scaling import Fleet, Held
from tokenomics.service.simulator.times import StepTable

ROWS = 65536
"""Passes for which there is room at first, where they are written down."""
ROUTINGS = {ROUND_ROBIN: kernel.IN_TURN, LEAST_LOADED: kernel.BY_LOAD, PREFIX_AWARE: kernel.BY_PREFIX}


class FastLoop:
    """As :class:`tokenomics.service.simulator.reference_loop.PlainLoop`, with a step table."""

    def __init__(self, requests: Requests, table: StepTable, rules: Rules, fleet: Fleet, keep: tuple[bool, bool]):
        self.requests, self.grid, self.keep = requests, table.grid, keep
        self.limits = _limits(requests, rules, fleet)
        self.state = _state(requests, rules, self.limits, len(fleet.state), keep)

    def run(self, first: int, last: int, until: float) -> bool:
        """Send rows ``first`` up to ``last`` to replicas and go on to ``until``; False where too many wait."""
        row, fixed = first, (self.limits, self.grid, self.requests.arrival_s)
        while (row := kernel.drive(self.state, *fixed, (row, last, float(until)))) >= 0:
            self.state = _more_room(self.state)
        return row == kernel.DONE

    def held(self) -> Held:
        """What each replica holds."""
        at = self.state.at
        inside = at[:, [column.WAITING, column.SWAPPED, column.DECODES, column.FRESH]].sum(axis=1)
        used = (self.limits.blocks - at[:, column.FREE]) / self.limits.blocks
        inside += at[:, column.PARTIAL] != column.NOBODY
        return Held(at[:, column.WAITING].copy(), inside, used, self.state.now[:, column.CLOCK].copy())

    def open(self, taking: NDArray[np.bool_], back: NDArray[np.intp]) -> None:
        """Send requests to these places from now on; those given ``back`` begin anew."""
        self.state.at[:, column.TAKING] = taking
        self.state.at[back, column.IDLE] = 0
        self.state.users[back] = column.UNKNOWN
        for links in (self.state.older, self.state.newer):
            links[back] = self.state.users.shape[1]

    def outcome(self, paid_s: float, fleet: dict[str, NDArray]) -> Outcome:
        """What came out."""
        return _outcome(self.requests, self.state, self.keep, paid_s, fleet)


def _limits(requests: Requests, rules: Rules, fleet: Fleet) -> column.Limits:
    return column.Limits(
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


def _state(
    requests: Requests, rules: Rules, limits: column.Limits, replicas: int, keep: tuple[bool, bool]
) -> column.State:
    count, most = len(requests), min(rules.max_batch, len(requests)) + 1
    who, when = _rows(requests, limits)
    at, now = np.zeros((replicas, column.AT), dtype=np.int64), np.zeros((replicas, column.NOW))
    at[:, column.FREE], at[:, column.PARTIAL], at[:, column.FILLING] = rules.kv_blocks, column.NOBODY, 1
    now[:, column.LATE] = np.inf
    at[:, column.NUMBER], at[:, column.TAKING] = np.arange(replicas), 1
    units = requests.prefix.units.copy() if requests.prefix else np.empty(0, dtype=np.int64)
    different = requests.prefix.count if requests.prefix else 0
    links = np.full((replicas, different + 1), different)
    starts = np.cumsum(requests.output) - requests.output
    return column.State(
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
        np.full((replicas, different), column.UNKNOWN),
        links,
        links.copy(),
    )


def _rows(requests: Requests, limits: column.Limits) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """``who`` and ``when`` at the start."""
    count = len(requests)
    who, when = np.zeros((count, column.WHO), dtype=np.int64), np.full((count, column.CANCELLED_AT), np.nan)
    who[:, column.KEY] = requests.priority << limits.bits | np.arange(count)
    who[:, column.PROMPT], who[:, column.OUTPUT] = requests.prompt, requests.output
    who[:, column.STATUS], who[:, column.REPLICA] = column.UNSERVED, column.NOBODY
    when[:, column.GIVES_UP] = requests.gives_up_s
    if requests.prefix:
        who[:, column.CHAIN], who[:, column.UNITS] = requests.prefix.start[:-1], requests.prefix.full(requests.prompt)
    if np.isfinite(requests.timeout_s).any():
        when = np.column_stack([when, requests.arrival_s + requests.timeout_s])
    return who, when


def _more_room(state: column.State) -> column.State:
    return state._replace(
        ends=np.concatenate([state.ends, np.empty_like(state.ends)], axis=1),
        log=np.concatenate([state.log, np.empty_like(state.log)]),
    )


def _outcome(
    requests: Requests, state: column.State, keep: tuple[bool, bool], paid_s: float, fleet: dict[str, NDArray]
) -> Outcome:
    at, rows = state.at, state.log[: state.logged[0]]
    totals = {
        "passes": at[:, column.PASSES].sum(),
        "decode_tokens": at[:, column.DECODED].sum(),
        "prompt_tokens": at[:, column.PROMPT_TOKENS].sum(),
        "cached_tokens": at[:, column.CACHED].sum(),
        "preemptions": at[:, column.PREEMPTIONS].sum(),
        "swapped_blocks": at[:, column.SWAPPED_BLOCKS].sum(),
        "most_used_blocks": at[:, column.MOST_USED].max(),
        "busy_s": state.now[:, column.BUSY].sum(),
    }
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    times = {name for name in COLUMNS if name.endswith("_s")}
    log = {name: rows[:, i] if name in times else rows[:, i].astype(np.int64) for i, name in enumerate(COLUMNS)}
    return Outcome(
        requests,
        *(state.when[:, each].copy() for each in (column.STARTED, column.FIRST, column.FINISH)),
        *(state.who[:, each].copy() for each in (column.PREEMPTED, column.STATUS, column.REPLICA)),
        {name: value.item() for name, value in totals.items()} | {"paid_s": paid_s},
        state.token_s if keep[0] else None,
        log if keep[1] else {},
        fleet,
    )
