"""Sessions: requests that carry on from earlier ones, so that a prefix cache has something to find.

There are two options. :class:`Ties` strings independent requests together without changing any length or time: within
a session the lengths it got are put in rising order, so each turn's prompt begins with the one before.
:func:`sessions` builds chats and agents from scratch: the prompt of a turn is the system prompt, all earlier turns and
replies, and what is new.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tokenomics.errors import positive, proportion, require
from tokenomics.service.workload.arrivals import Process, arrival_times
from tokenomics.service.workload.stream import Blocks, Stream

BLOCK_TOKENS = 64


@dataclass(frozen=True)
class Ties:
    """How independent requests are strung together.

    Args:
        turns: mean turns of a session (geometric), >= 1.
        gap_s: mean seconds between its turns (near exponential).
        shared_blocks: leading blocks that all sessions have in common, such as a system prompt.
        block_tokens: tokens per block.

    Raises:
        DataError: a value out of range.
    """

    turns: float
    gap_s: float
    shared_blocks: int = 0
    block_tokens: int = BLOCK_TOKENS

    def __post_init__(self):
        positive("Ties", "turns", self.turns)
        require(self.turns >= 1, "Ties", "turns", self.turns, ">= 1")
        positive("Ties", "gap_s", self.gap_s)
        require(self.shared_blocks >= 0, "Ties", "shared_blocks", self.shared_blocks, ">= 0")
        positive("Ties", "block_tokens", self.block_tokens)

    def tie(self, stream: Stream, seed: int | np.random.Generator = 0) -> Stream:
        """The stream with sessions and prefix blocks.

        Requests fall at random on as many users as keep ``gap_s`` at the stream's rate; a user's requests are cut into
        sessions. Every (input, output) pair and every time stays in the stream; pairs change places within a session.
        A stream that is short beside turns x gap cuts sessions off, so that it finds less in the cache than a long one.
        """
        rng = np.random.default_rng(seed)
        users = max(1, round(stream.rate_rps * self.gap_s)) if np.isfinite(stream.rate_rps) else len(stream)
        user = rng.integers(users, size=len(stream))
        order = np.argsort(user, kind="stable")
        starts = (rng.random(len(stream)) * self.turns < 1) | (np.diff(user[order], prepend=-1) != 0)
        session = np.empty(len(stream), dtype=np.int64)
        session[order] = np.cumsum(starts) - 1
        given = np.lexsort((stream.input_tokens, session))
        pairs = {key: np.empty(len(stream), dtype=np.int64) for key in ("input_tokens", "output_tokens")}
        for key, values in pairs.items():
            values[order] = getattr(stream, key)[given]
        blocks = prefix_blocks(session, pairs["input_tokens"], self.block_tokens, self.shared_blocks)
        return replace(stream, **pairs, session=session, blocks=blocks)


@dataclass(frozen=True)
class Spread:
    """A log-normal quantity by its median and the standard deviation of its logarithm; 0: always the median."""

    median: float
    log_sd: float = 0.0

    def __post_init__(self):
        positive("Spread", "median", self.median)
        require(self.log_sd >= 0, "Spread", "log_sd", self.log_sd, ">= 0")

    def draw(self, rng: np.random.Generator, size: int) -> NDArray[np.float64]:
        """Independent values."""
        return self.median * np.exp(self.log_sd * rng.standard_normal(size))

    def tokens(self, rng: np.random.Generator, size: int) -> NDArray[np.int64]:
        """Independent values as whole tokens, at least one."""
        return np.maximum(np.rint(self.draw(rng, size)), 1).astype(np.int64)


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
    proportion("with_reasoning", "share", share)
    require(stream.reasoning_tokens is None, stream.name, "reasoning_tokens", "given", "a stream without")
    rng = np.random.default_rng(seed)
    tokens = np.where(rng.random(len(stream)) < share, hidden.tokens(rng, len(stream)), 0)
    return replace(stream, reasoning_tokens=tokens, output_tokens=stream.output_tokens + tokens)


@dataclass(frozen=True)
class SessionShape:
    """What a session is like.

    Args:
        turns: mean requests of a session (geometric), >= 1.
        system_tokens: leading tokens that all sessions share.
        first_tokens: what the first request adds to them.
        added_tokens: what each later request adds: a message, or the result of a tool.
        output_tokens: reply to each request.
        think_s: seconds between the end of a reply and the next request: reading and typing, or running a tool.
        reply_tokens_per_s: pace of replies assumed for ``arrival_s``; a simulator that closes the loop ignores it.
        context_tokens: a session ends before the request that would not fit, its reply included.

    Raises:
        DataError: a value out of range.
    """

    turns: float
    system_tokens: int
    first_tokens: Spread
    added_tokens: Spread
    output_tokens: Spread
    think_s: Spread
    reply_tokens_per_s: float = 30.0
    context_tokens: int = 131072

    def __post_init__(self):
        positive("SessionShape", "turns", self.turns)
        require(self.turns >= 1, "SessionShape", "turns", self.turns, ">= 1")
        require(self.system_tokens >= 0, "SessionShape", "system_tokens", self.system_tokens, ">= 0")
        positive("SessionShape", "reply_tokens_per_s", self.reply_tokens_per_s)
        positive("SessionShape", "context_tokens", self.context_tokens)


CHAT = SessionShape(4, 500, Spread(100, 1.0), Spread(50, 1.0), Spread(250, 0.8), Spread(40, 1.0))
"""Somebody chatting. Round numbers, assumed, not measured."""
AGENT = SessionShape(15, 4000, Spread(1500, 0.8), Spread(600, 1.2), Spread(120, 0.8), Spread(2, 1.2))
"""A program calling tools: many turns, long additions, short replies and pauses. Assumed, not measured."""


def sessions(
    shape: SessionShape, arrivals: Process, count: int, seed: int = 0, block_tokens: int | None = BLOCK_TOKENS
) -> Stream:
    """Whole sessions that start with ``arrivals``, as one stream in order of arrival, with think times and blocks.

    Args:
        shape: what a session is like.
        arrivals: process of first requests.
        count: sessions.
        seed: everything drawn depends on it alone.
        block_tokens: tokens per prefix block; smaller ones see more of what is shared and take more memory (engines
            have 16 and more). None: no blocks.

    Left out: sessions that branch, are edited or compacted; dependence between the lengths of a session's turns.

    Raises:
        DataError: not a positive number of sessions or tokens per block, or nothing fits into the context.
    """
    positive("sessions", "count", count)
    start_rng, rng = np.random.default_rng(seed).spawn(2)
    starts = arrival_times(arrivals, requests=count, seed=start_rng)
    turns = rng.geometric(1 / shape.turns, count)
    heads = np.concatenate(([0], np.cumsum(turns)[:-1]))
    session = np.repeat(np.arange(count), turns)
    first = np.arange(len(session)) == heads[session]
    added = np.where(first, *(each.tokens(rng, len(session)) for each in (shape.first_tokens, shape.added_tokens)))
    output = shape.output_tokens.tokens(rng, len(session))
    think_s = np.where(first, 0.0, shape.think_s.draw(rng, len(session)))
    reply_s = output / shape.reply_tokens_per_s
    context = shape.system_tokens + _sums_within(added + output, heads, turns)
    arrival_s = starts[session] + _sums_within(think_s + reply_s, heads, turns) - reply_s
    fits = np.flatnonzero(context <= shape.context_tokens)
    require(fits.size > 0, "sessions", "context_tokens", shape.context_tokens, "room for one request of a session")
    order = fits[np.argsort(arrival_s[fits], kind="stable")]
    _, numbered = np.unique(session[order], return_inverse=True)
    prompt = (context - output)[order]
    blocks = None
    if block_tokens is not None:
        positive("sessions", "block_tokens", block_tokens)
        blocks = prefix_blocks(numbered, prompt, block_tokens, shape.system_tokens // block_tokens)
    return Stream(arrival_s[order], prompt, output[order], None, numbered, think_s[order], None, blocks, "sessions")


def _sums_within(values: NDArray, heads: NDArray, turns: NDArray) -> NDArray:
    """Running sums that start anew at each session."""
    total = np.cumsum(values)
    return total - np.repeat(total[heads] - values[heads], turns)


def prefix_blocks(session: NDArray, input_tokens: NDArray, block_tokens: int, shared_blocks: int) -> Blocks:
    """Blocks of prompts that begin alike within a session: its whole blocks are common, a partial last one is nobody's.

    Args:
        session: numbers from 0 up.
        input_tokens: tokens of each prompt.
        block_tokens: tokens per block.
        shared_blocks: leading blocks common to all sessions.
    """
    whole, rest = np.divmod(input_tokens, block_tokens)
    counts = whole + (rest > 0)
    widest = np.zeros(session.max() + 1, dtype=np.int64)
    np.maximum.at(widest, session, whole)
    widths = np.maximum(widest - shared_blocks, 0)
    base = np.cumsum(widths) - widths
    offsets = np.concatenate(([0], np.cumsum(counts)))
    tops = shared_blocks + int(widths.sum()) + len(session)
    few = max(tops, offsets[-1]) < 2**31
    require(few, "prefix blocks", "blocks", int(offsets[-1]), "fewer than 2**31: larger blocks")
    place = np.arange(offsets[-1], dtype=np.int32)
    place -= np.repeat(offsets[:-1].astype(np.int32), counts)
    ids = np.repeat(base[session].astype(np.int32), counts)
    ids[place < shared_blocks] = 0
    ids += place
    partial = np.flatnonzero(rest > 0)
    ids[offsets[1:][partial] - 1] = tops - len(session) + partial
    return Blocks(ids, offsets, int(block_tokens))
