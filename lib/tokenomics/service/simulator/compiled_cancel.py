"""Requests whose time is over, in the compiled loop (:mod:`tokenomics.service.simulator.compiled`)."""

import numpy as np

from tokenomics.service.simulator import compiled_prefix, heaps
from tokenomics.service.simulator.compiled_columns import (
    CLOCK,
    DECODES,
    ENDING,
    FREE,
    INLINE,
    JOINED,
    KEY,
    LATE,
    MADE,
    NOBODY,
    OUTPUT,
    PARTIAL,
    SWAPPED,
    TO_READ,
)
from tokenomics.service.simulator.compiled_state import blocks_for, give_up, leave, over


@INLINE
def _first_late(s):
    """Of those in the batch whose time is over, the first in order; and when the time of the next one is."""
    late, until = NOBODY, np.inf
    for place in range(-1, s.at[DECODES]):
        i = s.running[place] if place >= 0 else s.at[PARTIAL]
        if i == NOBODY:
            continue
        until = min(until, over(s, i))
        if over(s, i) < s.now[CLOCK] and (late == NOBODY or s.who[i, KEY] < s.who[late, KEY]):
            late = i
    return late, until


@INLINE
def _from_batch(s, limits):
    """Take them out of the batch; when the time of the next one is."""
    at = s.at
    late, until = _first_late(s)
    while late != NOBODY:
        if late == at[PARTIAL]:
            at[PARTIAL] = NOBODY
            at[FREE] += blocks_for(limits, at[TO_READ]) - compiled_prefix.release(s, limits, late)
        else:
            end = s.who[late, JOINED] + s.who[late, OUTPUT] - s.who[late, MADE]
            at[ENDING] = heaps.remove(s.ending, at[ENDING], end << limits.bits | late)
            leave(s, limits, late)
        give_up(s, late)
        late, until = _first_late(s)
    return until


@INLINE
def cancel(s, limits):
    """Started requests whose time is over leave; those that wait do so when they are the first."""
    at, now = s.at, s.now
    if now[CLOCK] <= now[LATE]:
        return
    until, place = _from_batch(s, limits), 0
    while place < at[SWAPPED]:
        i = s.swapped[place] & ((1 << limits.bits) - 1)
        place += 1
        if over(s, i) < now[CLOCK]:
            give_up(s, i)
            at[SWAPPED] = heaps.remove(s.swapped, at[SWAPPED], s.swapped[place - 1])
            place = 0
        else:
            until = min(until, over(s, i))
    now[LATE] = until
