"""The prefix cache (:mod:`.prefix`) of the compiled loop.

A unit's ``users`` is -1 where it is not in the replica's cache. Idle ones (no users) form a ring through ``older`` and
``newer``, whose last place stands for its ends: ``newer[end]`` is the one to forget first.
"""

from tokenomics.service.simulator.compiled_columns import CHAIN, IDLE, INLINE, MADE, PROMPT, UNITS, UNKNOWN


@INLINE
def hits(s, limits, i):
    """Units of a waiting request's prompt that need not be read; at least one token must be."""
    if not limits.unit:
        return 0
    most = min(s.who[i, UNITS], (s.who[i, PROMPT] + s.who[i, MADE] - 1) // limits.unit_tokens)
    known = 0
    while known < most and s.users[s.units[s.who[i, CHAIN] + known]] != UNKNOWN:
        known += 1
    return known


@INLINE
def shared(s, limits, i, known):
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
def use(s, i, known):
    """A request that is started uses its first ``known`` units."""
    for place in range(s.who[i, CHAIN], s.who[i, CHAIN] + known):
        unit = s.units[place]
        if s.users[unit] == 0:
            _unlink(s, unit)
        s.users[unit] += 1
        s.held[place] = True


@INLINE
def add(s, i):
    """The units of a prompt just read become known, where they are not."""
    for place in range(s.who[i, CHAIN], s.who[i, CHAIN] + s.who[i, UNITS]):
        if s.users[s.units[place]] == UNKNOWN:
            s.users[s.units[place]] = 1
            s.held[place] = True


@INLINE
def release(s, limits, i):
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
def trim(s, limits, free):
    """Forget idle units beyond the blocks that nobody uses."""
    while s.at[IDLE] * limits.unit > free:
        unit = s.newer[len(s.users)]
        _unlink(s, unit)
        s.users[unit] = UNKNOWN
