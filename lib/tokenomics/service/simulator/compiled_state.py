"""Moves of single requests in the compiled loop (:mod:`tokenomics.service.simulator.compiled`)."""

import numpy as np

from tokenomics.service.simulator.compiled_arrays import (
    CACHED,
    CANCELLED_AT,
    CLOCK,
    CONTEXT,
    COUNTER,
    DECODES,
    ENDING,
    FINISH,
    FIRST,
    FREE,
    FRESH,
    GIVES_UP,
    INLINE,
    JOINED,
    KEY,
    LANDED,
    LATE,
    MADE,
    NOBODY,
    NUMBER,
    OUTPUT,
    PARTIAL,
    PENDING,
    PLACE,
    PREEMPTED,
    PREEMPTIONS,
    PROMPT,
    REPLICA,
    STARTED,
    STATUS,
    SWAPPED,
    TO_READ,
    WAITING,
    State,
    heap_pop,
    heap_push,
    heap_remove,
    prefix_add,
    prefix_hits,
    prefix_release,
    prefix_shared,
    prefix_trim,
    prefix_use,
)
from tokenomics.service.simulator.outcome import ABANDONED, CANCELLED, FINISHED


@INLINE
def row(s, r):
    """The state of one replica: views."""
    return State(
        s.who,
        s.when,
        s.at[r],
        s.now[r],
        s.waiting[r],
        s.swapped[r],
        s.ending[r],
        s.running[r],
        s.fresh[r],
        s.landed[r],
        s.phases[r],
        s.ends[r],
        s.token_start,
        s.token_s,
        s.log,
        s.logged,
        s.units,
        s.held,
        s.users[r],
        s.older[r],
        s.newer[r],
    )


@INLINE
def blocks_for(limits, tokens):
    return -(-tokens // limits.block)


@INLINE
def phase(s, limits, i):
    """Remainder of the counter at which a running request needs a new block."""
    return (s.who[i, JOINED] - s.who[i, PROMPT] - s.who[i, MADE] + 1) % limits.block


@INLINE
def join(s, limits, i):
    """A request with its prompt in cache takes part in decodes from the next step on."""
    at, who = s.at, s.who
    who[i, JOINED] = at[COUNTER]
    who[i, PLACE] = at[DECODES]
    s.running[at[DECODES]] = i
    at[DECODES] += 1
    at[CONTEXT] += who[i, PROMPT] + who[i, MADE]
    s.phases[phase(s, limits, i)] += 1
    end = at[COUNTER] + who[i, OUTPUT] - who[i, MADE]
    at[ENDING] = heap_push(s.ending, at[ENDING], end << limits.bits | i)


@INLINE
def write_tokens(s, i):
    """Note when a running request's tokens came, from the ends of steps since it joined."""
    joined, first = s.who[i, JOINED], s.token_start[i] + s.who[i, MADE]
    for step in range(s.at[COUNTER] - joined):
        s.token_s[first + step] = s.ends[joined + step]


@INLINE
def leave(s, limits, i):
    """A running request stops decoding; its tokens are counted and its blocks freed; how many."""
    at, who = s.at, s.who
    s.phases[phase(s, limits, i)] -= 1
    if s.token_s.size:
        write_tokens(s, i)
    who[i, MADE] += at[COUNTER] - who[i, JOINED]
    at[DECODES] -= 1
    last = s.running[at[DECODES]]
    s.running[who[i, PLACE]] = last
    who[last, PLACE] = who[i, PLACE]
    at[CONTEXT] -= who[i, PROMPT] + who[i, MADE]
    blocks = blocks_for(limits, who[i, PROMPT] + who[i, MADE] - 1)
    at[FREE] += blocks - prefix_release(s, limits, i)
    return blocks


@INLINE
def complete(s, limits):
    """The step under way ends: its tokens exist."""
    at, who, clock = s.at, s.who, s.now[CLOCK]
    if at[PENDING] == 2:
        if s.token_s.size:
            s.ends[at[COUNTER]] = clock
        at[COUNTER] += 1
        at[CONTEXT] += at[DECODES]
    at[PENDING] = 0
    for place in range(at[LANDED]):
        s.when[s.landed[place], FIRST] = clock
    at[LANDED] = 0
    while at[ENDING] and s.ending[0] >> limits.bits == at[COUNTER]:
        i = s.ending[0] & ((1 << limits.bits) - 1)
        at[ENDING] = heap_pop(s.ending, at[ENDING])
        leave(s, limits, i)
        s.when[i, FINISH], who[i, STATUS] = clock, FINISHED
    for place in range(at[FRESH]):
        i = s.fresh[place]
        if limits.unit:
            prefix_add(s, i)
        if s.token_s.size:
            s.token_s[s.token_start[i] + who[i, MADE]] = clock
        if who[i, MADE] == 0:
            s.when[i, FIRST] = clock
        who[i, MADE] += 1
        if who[i, MADE] == who[i, OUTPUT]:
            s.when[i, FINISH], who[i, STATUS] = clock, FINISHED
            at[FREE] += blocks_for(limits, who[i, PROMPT] + who[i, MADE] - 1) - prefix_release(s, limits, i)
        else:
            join(s, limits, i)
    at[FRESH] = 0


@INLINE
def preempt(s, limits):
    """The last in order loses its place; the blocks that go to the host."""
    at, who, moved = s.at, s.who, 0
    last = at[PARTIAL]
    for place in range(at[DECODES]):
        if last == NOBODY or who[s.running[place], KEY] > who[last, KEY]:
            last = s.running[place]
    at[PREEMPTIONS] += 1
    who[last, PREEMPTED] += 1
    if last == at[PARTIAL]:
        at[PARTIAL] = NOBODY
        at[FREE] += blocks_for(limits, at[TO_READ]) - prefix_release(s, limits, last)
    else:
        end = who[last, JOINED] + who[last, OUTPUT] - who[last, MADE]
        at[ENDING] = heap_remove(s.ending, at[ENDING], end << limits.bits | last)
        moved = leave(s, limits, last)
        if limits.swap:
            at[SWAPPED] = heap_push(s.swapped, at[SWAPPED], who[last, KEY])
            return moved
    at[WAITING] = heap_push(s.waiting, at[WAITING], who[last, KEY])
    return 0


@INLINE
def decodes(s, limits):
    """Room for the next token of all running requests, then swapped ones come back; (preempted, swapped blocks)."""
    at, preempted, moved = s.at, False, 0
    while s.phases[at[COUNTER] % limits.block] > at[FREE]:
        moved += preempt(s, limits)
        preempted = True
    at[FREE] -= s.phases[at[COUNTER] % limits.block]
    prefix_trim(s, limits, at[FREE])
    while at[SWAPPED] and not preempted and at[DECODES] + (at[PARTIAL] != NOBODY) < limits.max_batch:
        i = s.swapped[0] & ((1 << limits.bits) - 1)
        blocks = blocks_for(limits, s.who[i, PROMPT] + s.who[i, MADE])
        if at[FREE] - blocks < limits.kept:
            break
        at[SWAPPED] = heap_pop(s.swapped, at[SWAPPED])
        at[FREE] -= blocks
        prefix_trim(s, limits, at[FREE])
        moved += blocks
        join(s, limits, i)
    return preempted, moved


@INLINE
def over(s, i):
    """When a request's time is over."""
    return s.when[i, CANCELLED_AT] if s.when.shape[1] > CANCELLED_AT else np.inf


@INLINE
def leaves(s, limits):
    """When the first waiting request leaves if it is not started."""
    i = s.waiting[0] & ((1 << limits.bits) - 1)
    return s.when[i, GIVES_UP] if np.isnan(s.when[i, STARTED]) else over(s, i)


@INLINE
def give_up(s, i):
    """A request leaves unfinished."""
    started = not np.isnan(s.when[i, STARTED])
    s.when[i, FINISH] = over(s, i) if started else s.when[i, GIVES_UP]
    s.who[i, STATUS] = CANCELLED if started else ABANDONED


@INLINE
def may_start(s, limits, preempted):
    """Whether the first waiting request can start now; those whose patience or time is over leave."""
    at = s.at
    while at[WAITING] and leaves(s, limits) < s.now[CLOCK]:
        give_up(s, s.waiting[0] & ((1 << limits.bits) - 1))
        at[WAITING] = heap_pop(s.waiting, at[WAITING])
    if not at[WAITING] or at[SWAPPED] or preempted:
        return False
    if at[DECODES] + at[FRESH] + (at[PARTIAL] != NOBODY) >= limits.max_batch:
        return False
    i = s.waiting[0] & ((1 << limits.bits) - 1)
    there = prefix_shared(s, limits, i, prefix_hits(s, limits, i))
    return at[FREE] - blocks_for(limits, s.who[i, PROMPT] + s.who[i, MADE]) + there >= limits.kept


@INLINE
def lands(s, limits):
    """Whether the first waiting request starts with a decode, its prompt having been read elsewhere."""
    return limits.landing and np.isnan(s.when[s.waiting[0] & ((1 << limits.bits) - 1), STARTED])


@INLINE
def land(s, limits):
    """Start the first waiting request as one of the decodes of this step."""
    i, _ = start(s, limits)
    s.landed[s.at[LANDED]] = i
    s.at[LANDED] += 1
    join(s, limits, i)


@INLINE
def start(s, limits):
    """Take the first waiting request; its row, and the tokens of its prompt that are known."""
    at = s.at
    i = s.waiting[0] & ((1 << limits.bits) - 1)
    at[WAITING] = heap_pop(s.waiting, at[WAITING])
    known = prefix_hits(s, limits, i)
    at[FREE] -= blocks_for(limits, s.who[i, PROMPT] + s.who[i, MADE]) - prefix_shared(s, limits, i, known)
    prefix_use(s, i, known)
    prefix_trim(s, limits, at[FREE])
    at[CACHED] += known * limits.unit_tokens
    if np.isnan(s.when[i, STARTED]):
        s.when[i, STARTED], s.who[i, REPLICA] = s.now[CLOCK], at[NUMBER]
    s.now[LATE] = min(s.now[LATE], over(s, i))
    return i, known * limits.unit_tokens
