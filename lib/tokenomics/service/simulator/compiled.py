"""One replica of :mod:`tokenomics.service.simulator.reference` on arrays, compiled by numba: the same decisions, the
same arithmetic in the same order, hence the same numbers. One pipeline stage.

What makes it fast is that nothing is done for each running request and step:

* every step with decodes serves all that are running, so a request's tokens follow from a counter of such steps; when
  it ends is known when it joins, and the next to end stands on top of a heap;
* which of them need a block in a step depends on the counter modulo the size of a block: a count for each remainder;
* while nobody can end, start, come back or run out of blocks, the next step differs from the last by one token a
  request: :func:`_stretch` adds up such steps one after the other, a few nanoseconds each. (A closed sum over the
  stretch would round differently from the reference loop and now and then put an arrival on the other side of a step.)
"""

import numpy as np
from numba.extending import register_jitable

from tokenomics.service.simulator import times
from tokenomics.service.simulator.compiled_arrays import (
    BUSY,
    CLOCK,
    CONTEXT,
    COUNTER,
    DECODED,
    DECODES,
    ENDING,
    FILLING,
    FREE,
    FRESH,
    INLINE,
    JOINED,
    KEY,
    LANDED,
    LATE,
    MADE,
    MOST_USED,
    NOBODY,
    NUMBER,
    OUTPUT,
    PARTIAL,
    PENDING,
    PROMPT,
    PROMPT_TOKENS,
    READ,
    STEPS,
    SWAPPED,
    SWAPPED_BLOCKS,
    TO_READ,
    WAITING,
    heap_remove,
    prefix_hits,
    prefix_release,
    prefix_trim,
)
from tokenomics.service.simulator.compiled_state import (
    blocks_for,
    complete,
    decodes,
    give_up,
    land,
    lands,
    leave,
    leaves,
    may_start,
    over,
    start,
)

for _function in (times.along, times.decode_seconds, times.prompt_seconds):
    register_jitable(_function)
Chunks = times.Chunks


@INLINE
def _read(s, i, read, to_read):
    """A request started in this step reads so much of its prompt."""
    at = s.at
    if read == to_read:
        s.fresh[at[FRESH]] = i
        at[FRESH] += 1
    else:
        at[PARTIAL], at[READ], at[TO_READ] = i, read, to_read


@INLINE
def _chunked(s, limits, past_step):
    """Compose a step of decodes and chunks: (preempted, swapped blocks, chunks)."""
    at = s.at
    preempted, moved = decodes(s, limits)
    room = limits.max_tokens - at[DECODES]
    count, tokens, squares, past, work = 0, 0, 0, 0, 0
    if at[PARTIAL] != NOBODY and room > 0:
        tokens = min(at[TO_READ] - at[READ], room)
        count, squares = 1, tokens * tokens
        past, work = -(-at[READ] // past_step) * past_step, tokens * at[READ]
        i, read = at[PARTIAL], at[READ] + tokens
        at[PARTIAL] = NOBODY
        _read(s, i, read, at[TO_READ])
    while may_start(s, limits, preempted) and tokens < room:
        if lands(s, limits):
            land(s, limits)
            room -= 1
            continue
        i, known = start(s, limits)
        to_read = s.who[i, PROMPT] + s.who[i, MADE]
        read = min(to_read - known, room - tokens)
        _read(s, i, known + read, to_read)
        count, tokens, squares = count + 1, tokens + read, squares + read * read
        past, work = past + -(-known // past_step) * past_step, work + read * known
    return preempted, moved, Chunks(count, tokens, squares, past, work)


@INLINE
def _whole(s, limits, past_step):
    """Compose a step of whole prompts, or of decodes where none can start: (preempted, swapped blocks, chunks)."""
    at = s.at
    count, tokens, squares, past, work, longest = 0, 0, 0, 0, 0, 0
    if not limits.refill and at[DECODES] == 0:
        at[FILLING] = 1
    while at[FILLING] and may_start(s, limits, False) and not lands(s, limits):
        i = s.waiting[0] & ((1 << limits.bits) - 1)
        to_read = s.who[i, PROMPT] + s.who[i, MADE]
        read = to_read - prefix_hits(s, limits, i) * limits.unit_tokens
        longest = max(longest, read)
        total = (count + 1) * longest if limits.padded else tokens + read
        if count and total > limits.max_tokens:
            break
        i, known = start(s, limits)
        _read(s, i, to_read, to_read)
        count, tokens, squares = count + 1, tokens + read, squares + read * read
        past, work = past + -(-known // past_step) * past_step, work + read * known
    chunks = Chunks(count, tokens, squares, past, work)
    if count:
        return False, 0, chunks
    preempted, moved = decodes(s, limits)
    while at[FILLING] and may_start(s, limits, preempted) and lands(s, limits):
        land(s, limits)
    at[FILLING] = limits.refill or at[DECODES] == 0
    return preempted, moved, chunks


@INLINE
def _note(s, limits, running, chunks, seconds):
    """Count a step, and log it where asked for."""
    at, now = s.at, s.now
    used = limits.blocks - at[FREE]
    at[STEPS] += 1
    at[DECODED] += running
    at[PROMPT_TOKENS] += chunks.tokens
    at[MOST_USED] = max(at[MOST_USED], used)
    now[BUSY] += seconds
    if s.log.size:
        columns = (
            float(at[NUMBER]),
            now[CLOCK],
            now[CLOCK] + seconds,
            float(running),
            float(at[CONTEXT]) if running else 0.0,
            float(chunks.count),
            float(chunks.tokens),
            float(used),
            float(at[WAITING]),
        )
        for i in range(len(columns)):
            s.log[s.logged[0], i] = columns[i]
        s.logged[0] += 1
    now[CLOCK] += seconds


@INLINE
def _room(s):
    """Whether there is room to write down one more step."""
    return (not s.log.size or s.logged[0] < len(s.log)) and (not s.token_s.size or s.at[COUNTER] < len(s.ends))


@INLINE
def _compose(s, limits, grid, until):
    """The next step, and those after it that differ in nothing but a token a request; whether there was one."""
    at = s.at
    _cancel(s, limits)
    if limits.chunked:
        preempted, moved, chunks = _chunked(s, limits, grid.past_step)
    else:
        preempted, moved, chunks = _whole(s, limits, grid.past_step)
    running = at[DECODES] if limits.chunked or not chunks.count else 0
    if not running and not chunks.count:
        return False
    seconds = times.decode_seconds(grid, running, at[CONTEXT]) if running else 0.0
    if chunks.count:
        seconds += times.prompt_seconds(grid, running, chunks)
    at[SWAPPED_BLOCKS] += moved
    _note(s, limits, running, chunks, seconds + moved * limits.swap_block_s)
    at[PENDING] = 2 if running else 1
    if not chunks.count and not preempted and not moved and not at[LANDED] and at[PARTIAL] == NOBODY:
        _stretch(s, limits, grid, until)
    return True


@INLINE
def _stretch(s, limits, grid, until):
    """Complete and compose steps of the same decodes until something else can happen."""
    at, now = s.at, s.now
    if s.log.size or s.token_s.size:
        return
    running, counter, context, free = at[DECODES], at[COUNTER], at[CONTEXT], at[FREE]
    clock, busy, before = now[CLOCK], now[BUSY], counter
    patience, last = now[LATE], s.ending[0] >> limits.bits
    if at[WAITING]:
        patience = min(patience, leaves(s, limits))
    phase = (counter + 1) % limits.block
    while counter + 1 < last and clock < until and clock <= patience and s.phases[phase] <= free:
        counter += 1
        context += running
        free -= s.phases[phase]
        seconds = times.decode_seconds(grid, running, context)
        clock += seconds
        busy += seconds
        phase = phase + 1 if phase + 1 < limits.block else 0
    prefix_trim(s, limits, free)
    at[COUNTER], at[CONTEXT], at[FREE] = counter, context, free
    now[CLOCK], now[BUSY] = clock, busy
    at[STEPS] += counter - before
    at[DECODED] += (counter - before) * running
    at[MOST_USED] = max(at[MOST_USED], limits.blocks - free)


@INLINE
def advance(s, limits, grid, until):
    """Complete and compose every step due before ``until``; whether there was room to write it down."""
    at = s.at
    while s.now[CLOCK] < until:
        if at[PENDING]:
            complete(s, limits)
        if not _room(s):
            return False
        if not _compose(s, limits, grid, until):
            break
    return True


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
            at[FREE] += blocks_for(limits, at[TO_READ]) - prefix_release(s, limits, late)
        else:
            end = s.who[late, JOINED] + s.who[late, OUTPUT] - s.who[late, MADE]
            at[ENDING] = heap_remove(s.ending, at[ENDING], end << limits.bits | late)
            leave(s, limits, late)
        give_up(s, late)
        late, until = _first_late(s)
    return until


@INLINE
def _cancel(s, limits):
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
            at[SWAPPED] = heap_remove(s.swapped, at[SWAPPED], s.swapped[place - 1])
            place = 0
        else:
            until = min(until, over(s, i))
    now[LATE] = until
