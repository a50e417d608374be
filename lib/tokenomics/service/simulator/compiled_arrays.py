"""Arrays of the compiled loop (:mod:`tokenomics.service.simulator.compiled_loop`), and what is kept in them: heaps of
requests and the prefix cache.

Requests are rows of ``who`` (whole numbers) and ``when`` (seconds), a replica's state is ``at`` and ``now`` besides
queues; the constants name their columns. ``LATE`` is a time before which no started request is cancelled;
``CANCELLED_AT`` is left out where none is.

Heaps are binary heaps of whole numbers in the front of a fixed array; their size is kept by the caller.

In the prefix cache (:mod:`.prefix`) a unit's ``users`` is -1 where it is not in the replica's cache. Units without
users are idle and form a ring through ``older`` and ``newer``, whose last place stands for its ends: ``newer[end]`` is
the one to forget first.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numba.extending import register_jitable

INLINE = njit(error_model="numpy", forceinline=True, _nrt=False)
"""Without counting references to arrays (the caller holds them all) a step takes a twentieth of the time."""

KEY, PROMPT, OUTPUT, MADE, JOINED, PLACE, PREEMPTED, STATUS, REPLICA, CHAIN, UNITS, WHO = range(12)
GIVES_UP, STARTED, FIRST, FINISH, CANCELLED_AT = range(5)
COUNTER, DECODES, CONTEXT, FREE, WAITING, SWAPPED, ENDING, FRESH, PARTIAL, READ, TO_READ, PENDING, FILLING = range(13)
STEPS, DECODED, PROMPT_TOKENS, PREEMPTIONS, SWAPPED_BLOCKS, MOST_USED, NUMBER, CACHED, IDLE, LANDED, TAKING, AT = range(
    13, 25
)
CLOCK, BUSY, LATE, NOW = range(4)
NOBODY, UNKNOWN = -1, -1


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


@register_jitable
def _rise(heap, place):
    """Move the entry at ``place`` towards the root as far as it is smaller."""
    entry = heap[place]
    while place > 0:
        parent = (place - 1) >> 1
        if heap[parent] <= entry:
            break
        heap[place] = heap[parent]
        place = parent
    heap[place] = entry


@register_jitable
def _sink(heap, size, place):
    """Move the entry at ``place`` towards the leaves as far as it is larger."""
    entry = heap[place]
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= entry:
            break
        heap[place] = heap[child]
        place = child
    heap[place] = entry


@register_jitable
def heap_push(heap, size, entry):
    """Add an entry; the new size."""
    heap[size] = entry
    _rise(heap, size)
    return size + 1


@register_jitable
def heap_pop(heap, size):
    """Drop the smallest entry, ``heap[0]``; the new size."""
    heap[0] = heap[size - 1]
    _sink(heap, size - 1, 0)
    return size - 1


@register_jitable
def heap_remove(heap, size, entry):
    """Drop an entry wherever it is; the new size."""
    place = 0
    while heap[place] != entry:
        place += 1
    size -= 1
    if place < size:
        heap[place] = heap[size]
        _rise(heap, place)
        _sink(heap, size, place)
    return size


@INLINE
def prefix_hits(s, limits, i):
    """Units of a waiting request's prompt that need not be read; at least one token must be."""
    if not limits.unit:
        return 0
    most = min(s.who[i, UNITS], (s.who[i, PROMPT] + s.who[i, MADE] - 1) // limits.unit_tokens)
    known = 0
    while known < most and s.users[s.units[s.who[i, CHAIN] + known]] != UNKNOWN:
        known += 1
    return known


@INLINE
def prefix_shared(s, limits, i, known):
    """Blocks of its first ``known`` units that are in use already."""
    count = 0
    for place in range(s.who[i, CHAIN], s.who[i, CHAIN] + known):
        count += s.users[s.units[place]] > 0
    return count * limits.unit


@INLINE
def _unlink(s, unit):
    s.newer[s.older[unit]], s.older[s.newer[unit]] = s.newer[unit], s.older[unit]
    s.at[IDLE] -= 1


@INLINE
def prefix_use(s, i, known):
    """A request that is started uses its first ``known`` units."""
    for place in range(s.who[i, CHAIN], s.who[i, CHAIN] + known):
        unit = s.units[place]
        if s.users[unit] == 0:
            _unlink(s, unit)
        s.users[unit] += 1
        s.held[place] = True


@INLINE
def prefix_add(s, i):
    """The units of a prompt just read become known, where they are not."""
    for place in range(s.who[i, CHAIN], s.who[i, CHAIN] + s.who[i, UNITS]):
        if s.users[s.units[place]] == UNKNOWN:
            s.users[s.units[place]] = 1
            s.held[place] = True


@INLINE
def prefix_release(s, limits, i):
    """A request leaves; blocks of its units that others go on using, which do not become free."""
    kept, end = 0, len(s.users)
    for place in range(s.who[i, CHAIN] + s.who[i, UNITS] - 1, s.who[i, CHAIN] - 1, -1):
        if s.held[place]:
            unit = s.units[place]
            s.held[place] = False
            s.users[unit] -= 1
            if s.users[unit]:
                kept += 1
            else:
                newest = s.older[end]
                s.older[unit], s.newer[unit] = newest, end
                s.newer[newest], s.older[end] = unit, unit
                s.at[IDLE] += 1
    return kept * limits.unit


@INLINE
def prefix_trim(s, limits, free):
    """Forget idle units beyond the blocks that nobody uses."""
    while s.at[IDLE] * limits.unit > free:
        unit = s.newer[len(s.users)]
        _unlink(s, unit)
        s.users[unit] = UNKNOWN
