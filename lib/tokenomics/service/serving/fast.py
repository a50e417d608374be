"""Arrays for the compiled loop, and an :class:`Outcome` from them."""

import numpy as np

from tokenomics.service.serving import kernel
from tokenomics.service.serving import kernel_columns as column
from tokenomics.service.serving.outcome import COLUMNS, Outcome
from tokenomics.service.serving.requests import Requests
from tokenomics.service.serving.rules import CHUNKED, DECODE, SWAP, Rules
from tokenomics.service.serving.times import StepTable

ROWS = 65536
"""Passes for which there is room at first, where they are written down."""


def run(
    requests: Requests, table: StepTable, rules: Rules, fleet: tuple[int, bool], keep: tuple[bool, bool]
) -> Outcome:
    """As :func:`tokenomics.service.serving.simulator.simulate`; ``fleet`` is replicas and whether they are chosen by
    load, ``keep`` whether to keep tokens and the log."""
    limits = _limits(requests, rules, fleet[1])
    state = _state(requests, rules, limits, fleet[0], keep)
    row = 0
    while (row := kernel.drive(state, limits, table.grid, requests.arrival_s, row)) != kernel.STOPPED:
        state = _more_room(state)
    return _outcome(requests, state, keep)


def _limits(requests: Requests, rules: Rules, by_load: bool) -> column.Limits:
    return column.Limits(
        chunked=rules.policy == CHUNKED,
        refill=rules.policy != DECODE,
        padded=rules.padded,
        swap=rules.preemption == SWAP,
        by_load=by_load,
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
    who, when = np.zeros((count, column.WHO), dtype=np.int64), np.full((count, 4), np.nan)
    who[:, column.KEY] = requests.priority << limits.bits | np.arange(count)
    who[:, column.PROMPT], who[:, column.OUTPUT] = requests.prompt, requests.output
    who[:, column.STATUS], who[:, column.REPLICA] = column.UNSERVED, column.NOBODY
    when[:, column.GIVES_UP] = requests.arrival_s + requests.patience_s
    at, now = np.zeros((replicas, column.AT), dtype=np.int64), np.zeros((replicas, column.NOW))
    at[:, column.FREE], at[:, column.PARTIAL], at[:, column.FILLING] = rules.kv_blocks, column.NOBODY, 1
    at[:, column.NUMBER] = np.arange(replicas)
    units = np.empty(0, dtype=np.int64)
    if requests.prefix:
        units, who[:, column.CHAIN] = requests.prefix.units.copy(), requests.prefix.start[:-1]
        who[:, column.UNITS] = requests.prefix.full(requests.prompt)
    different = requests.prefix.count if requests.prefix else 0
    links = np.full((replicas, different + 1), different)
    starts = np.cumsum(requests.output) - requests.output
    return column.State(
        who,
        when,
        at,
        now,
        np.empty((replicas, count), dtype=np.int64),
        *(np.empty((replicas, most), dtype=np.int64) for _ in range(4)),
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


def _more_room(state: column.State) -> column.State:
    return state._replace(
        ends=np.concatenate([state.ends, np.empty_like(state.ends)], axis=1),
        log=np.concatenate([state.log, np.empty_like(state.log)]),
    )


def _outcome(requests: Requests, state: column.State, keep: tuple[bool, bool]) -> Outcome:
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
        {name: value.item() for name, value in totals.items()},
        state.token_s if keep[0] else None,
        log if keep[1] else {},
    )
