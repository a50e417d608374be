"""State of the compiled loop (:mod:`tokenomics.service.simulator.compiled`): what it consists of.

Requests are rows of ``who`` (whole numbers) and ``when`` (seconds), a replica's state is ``at`` and ``now`` besides
queues; the constants name their columns. ``LATE`` is a time before which no started request is cancelled;
``CANCELLED_AT`` is left out where none is.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

INLINE = njit(error_model="numpy", forceinline=True, _nrt=False)
"""Without counting references to arrays (the caller holds them all) a pass takes a twentieth of the time."""

KEY, PROMPT, OUTPUT, MADE, JOINED, PLACE, PREEMPTED, STATUS, REPLICA, CHAIN, UNITS, WHO = range(12)
GIVES_UP, STARTED, FIRST, FINISH, CANCELLED_AT = range(5)
COUNTER, DECODES, CONTEXT, FREE, WAITING, SWAPPED, ENDING, FRESH, PARTIAL, READ, TO_READ, PENDING, FILLING = range(13)
PASSES, DECODED, PROMPT_TOKENS, PREEMPTIONS, SWAPPED_BLOCKS, MOST_USED, NUMBER, CACHED, IDLE, LANDED, TAKING, AT = (
    range(13, 25)
)
CLOCK, BUSY, LATE, NOW = range(4)
NOBODY, UNKNOWN, UNSERVED, FINISHED, ABANDONED, CANCELLED = -1, -1, 2, 0, 1, 3


class Limits(NamedTuple):
    """Rules as numbers; ``landing``: prompts were read elsewhere; ``bits`` of a queue entry hold the request's row;
    ``unit`` blocks of a prefix cache, or 0."""

    chunked: bool
    refill: bool
    padded: bool
    swap: bool
    landing: bool
    routing: int
    most_ahead: int
    max_batch: int
    max_tokens: int
    blocks: int
    kept: int
    block: int
    bits: int
    most_waiting: int
    swap_block_s: float
    unit: int
    unit_tokens: int


class State(NamedTuple):
    """Arrays of a simulation; those after ``when`` have one row a replica, or are empty where not asked for."""

    who: np.ndarray
    when: np.ndarray
    at: np.ndarray
    now: np.ndarray
    waiting: np.ndarray
    swapped: np.ndarray
    ending: np.ndarray
    running: np.ndarray
    fresh: np.ndarray
    landed: np.ndarray
    phases: np.ndarray
    ends: np.ndarray
    token_start: np.ndarray
    token_s: np.ndarray
    log: np.ndarray
    logged: np.ndarray
    units: np.ndarray
    held: np.ndarray
    users: np.ndarray
    older: np.ndarray
    newer: np.ndarray
