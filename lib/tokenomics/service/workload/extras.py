"""What can be laid over any stream: hidden reasoning, priorities, other streams."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tokenomics.errors import require
from tokenomics.service.workload.conversations import Spread
from tokenomics.service.workload.stream import Stream


def with_reasoning(stream: Stream, hidden: Spread, share: float = 1.0, seed: int = 0) -> Stream:
    """Some requests think first: hidden tokens come before the visible reply and are generated like it.

    Args:
        stream: its ``output_tokens`` are the visible replies.
        hidden: log-normal number of hidden tokens. No trace at hand tells hidden from visible tokens: an assumption.
        share: share of requests that think, 0 to 1.
        seed: of the draw.

    Raises:
        DataError: a share outside 0..1, or a stream that has hidden tokens already.
    """
    require(0 <= share <= 1, "with_reasoning", "share", share, "0 to 1")
    require(stream.reasoning_tokens is None, stream.name, "reasoning_tokens", "given", "a stream without")
    rng = np.random.default_rng(seed)
    tokens = np.where(rng.random(len(stream)) < share, hidden.tokens(rng, len(stream)), 0)
    return replace(stream, reasoning_tokens=tokens, output_tokens=stream.output_tokens + tokens)


def with_priorities(stream: Stream, shares: Sequence[float], seed: int = 0) -> Stream:
    """Requests in classes 0 (served first), 1, ..., drawn with the given shares; turns of a session stay together.

    Raises:
        DataError: shares that are negative or do not add up to one.
    """
    good = len(shares) > 0 and min(shares) >= 0 and abs(sum(shares) - 1) < 1e-9
    require(good, "with_priorities", "shares", list(shares), "shares >= 0 that add up to 1")
    one = np.arange(len(stream)) if stream.session is None else stream.session
    drawn = np.random.default_rng(seed).random(int(one.max()) + 1)
    limits = np.cumsum(shares)[:-1]
    return replace(stream, priority=np.searchsorted(limits, drawn, side="right")[one])


def mixed(streams: Sequence[Stream], name: str = "mixed") -> Stream:
    """Several streams as one, in order of arrival; sessions and blocks of different streams stay apart.

    What only some of them have is filled in: no hidden tokens, no pause, priority 0, a session for every request.

    Raises:
        DataError: no stream at all, or blocks in some of the streams only or of different sizes.
    """
    require(len(streams) > 0, name, "streams", 0, "at least one")
    sizes = {each.blocks and each.blocks.tokens for each in streams}
    require(len(sizes) == 1, name, "blocks", sorted(map(str, sizes)), "blocks of one size in all streams or in none")
    joined = {
        key: np.concatenate([getattr(s, key) for s in streams])
        for key in ("arrival_s", "input_tokens", "output_tokens")
    }
    for key in ("reasoning_tokens", "think_s", "priority"):
        if any(getattr(each, key) is not None for each in streams):
            parts = [np.zeros(len(s)) if getattr(s, key) is None else getattr(s, key) for s in streams]
            joined[key] = np.concatenate(parts)
    if any(each.session is not None for each in streams):
        parts = [np.arange(len(s)) if s.session is None else s.session for s in streams]
        joined["session"] = _apart(parts)
    blocks = None
    if streams[0].blocks is not None:
        offsets = np.concatenate(([0], np.cumsum(np.concatenate([np.diff(s.blocks.offsets) for s in streams]))))
        ids = _apart([each.blocks.ids for each in streams])
        blocks = replace(streams[0].blocks, ids=ids.astype(np.int32), offsets=offsets)
    order = np.argsort(joined["arrival_s"], kind="stable")
    arrays = {key: values[order] for key, values in joined.items()}
    return Stream(**arrays, blocks=blocks and blocks.take(order), name=name)


def _apart(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Numbers of several streams, each shifted above those before it."""
    above = np.cumsum([0, *(int(each.max()) + 1 for each in parts)])
    return np.concatenate([each + shift for each, shift in zip(parts, above[:-1], strict=True)])
