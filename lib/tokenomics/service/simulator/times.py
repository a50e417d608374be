"""Seconds of a step of a replica, from a table of three parts.

A step holds ``n`` decodes with ``context`` tokens together and prompts' chunks with ``new`` tokens together::

    seconds = decode[n, context / n]  +  linear[n + new] - linear[n]  +  prefill[past, chunk]

``decode`` is a whole step of decodes; ``linear`` what grows with the tokens of a step whatever they are (matrix
products, communication, element-wise work), so that tokens added to decodes cost what they add to the step and no
second reading of weights; ``prefill`` the attention of chunks. Several chunks are read as one with the same work:
``chunk = sqrt(sum of squares)`` and ``past = sum(chunk x past) / chunk``, exact for the products of attention.

The functions that look up are plain Python and are compiled as they stand by ``simulator.compiled``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import sqrt
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tokenomics.errors import DataError

Values = NDArray[np.float64]


class StepTimes(Protocol):
    """Anything that knows how long a step takes; a :class:`StepTable` runs on the compiled loop too."""

    def __call__(self, decodes: int, context: int, chunks: Sequence[tuple[int, int]]) -> float:
        """Seconds of a step of ``decodes`` sequences with ``context`` cached tokens together, the new ones included,
        and of prompt ``chunks``, each as (tokens, tokens read before)."""

    def hop(self, tokens: int) -> float:
        """Seconds of sending the step's tokens to the next pipeline stage."""


class Grid(NamedTuple):
    """A :class:`StepTable` as the look-ups see it: flat (``contexts`` and ``sizes`` long rows, one after another), as
    lists in the reference loop and arrays in compiled code."""

    linear: Sequence[float]
    decode: Sequence[float]
    prefill: Sequence[float]
    contexts: int
    sizes: int
    context_step: int
    past_step: int
    chunk_step: int
    several: float
    rounded: bool


class Chunks(NamedTuple):
    """Chunks of a step, together: how many, their tokens, the sum of the squares of their tokens; ``past``, the sum of
    tokens before each chunk, each rounded up to the grid; ``work``, the sum of chunk x tokens before it."""

    count: int
    tokens: int
    squares: int
    past: int
    work: int


def along(values, start, count, x):
    """Value at place ``x`` of the ``count`` values from ``start`` on, linear between places and beyond the last."""
    i = min(int(x), count - 2)
    low = values[start + i]
    return low + (x - i) * (values[start + i + 1] - low)


def decode_seconds(grid, n, context):
    """Seconds of a step of ``n >= 1`` decodes alone."""
    place = float(-(-(context // n) // grid.context_step)) if grid.rounded else context / n / grid.context_step
    return along(grid.decode, n * grid.contexts, grid.contexts, place)


def prompt_seconds(grid, n, chunks):
    """Seconds that chunks add to a step of ``n`` decodes."""
    size = sqrt(chunks.squares)
    if grid.rounded:
        place, size = chunks.past / grid.past_step, float(round(size))
    else:
        place = chunks.work / size / grid.past_step
    i = min(int(place), len(grid.prefill) // grid.sizes - 2)
    low = along(grid.prefill, i * grid.sizes, grid.sizes, size / grid.chunk_step)
    high = along(grid.prefill, (i + 1) * grid.sizes, grid.sizes, size / grid.chunk_step)
    attention = low + (place - i) * (high - low)
    if chunks.count > 1:
        attention *= grid.several
    count = len(grid.linear)
    grows = along(grid.linear, 0, count, float(n + chunks.tokens)) - along(grid.linear, 0, count, float(n))
    return grows + attention


@dataclass(frozen=True)
class StepTable:
    """Times of a step as a table; see the module for the formula.

    Attributes:
        decode_s: shape (batch + 1, contexts): row ``n`` for ``n`` decodes (row 0 is not used), column ``k`` for a mean
            context of ``k context_step`` tokens. Seconds; linear between columns and beyond the last.
        linear_s: shape (tokens + 1,): seconds against tokens of a step, ``linear_s[0] = 0``; linear beyond the last.
        prefill_s: shape (pasts, chunks): seconds of attention of a chunk of ``j chunk_step`` tokens after ``i
            past_step``; none where not given.
        context_step, past_step, chunk_step: spacing of the columns, tokens.
        hop_s: seconds to the next pipeline stage, as ``linear_s``; none where not given.
        several: factor on ``prefill_s`` where a step holds more than one chunk.
        rounded: read as Vidur's profiles are: contexts rounded up to the grid instead of interpolated, tokens before
            chunks added up, ``chunk`` rounded.

    Raises:
        DataError: a wrong shape, a negative or infinite time.
    """

    decode_s: Values
    linear_s: Values
    prefill_s: Values = field(default_factory=lambda: np.zeros((2, 2)))
    context_step: int = 64
    past_step: int = 64
    chunk_step: int = 64
    hop_s: Values = field(default_factory=lambda: np.zeros(2))
    several: float = 1.0
    rounded: bool = False

    def __post_init__(self):
        for name, dimensions in (("decode_s", 2), ("linear_s", 1), ("prefill_s", 2), ("hop_s", 1)):
            values = np.array(getattr(self, name), dtype=float, order="C")
            if values.ndim != dimensions or min(values.shape) < 2:
                raise DataError("StepTable", name, values.shape, f"{dimensions} dimensions, each of 2 or more")
            if not np.all(np.isfinite(values) & (values >= 0)):
                raise DataError("StepTable", name, float(values.min()), "finite seconds, zero or more")
            object.__setattr__(self, name, values)
        lists = [values.tolist() for values in self.grid[:3]]
        object.__setattr__(self, "_lists", Grid(*lists, *self.grid[3:]))
        object.__setattr__(self, "_hops", self.hop_s.tolist())

    @property
    def grid(self) -> Grid:
        """For compiled code."""
        return Grid(
            linear=self.linear_s,
            decode=self.decode_s.ravel(),
            prefill=self.prefill_s.ravel(),
            contexts=self.decode_s.shape[1],
            sizes=self.prefill_s.shape[1],
            context_step=self.context_step,
            past_step=self.past_step,
            chunk_step=self.chunk_step,
            several=float(self.several),
            rounded=bool(self.rounded),
        )

    def scaled(self, decode: float, prompt: float) -> "StepTable":
        """The table with decodes and prompts slower by a factor each: two numbers to fit to a run."""
        times = {"decode_s": self.decode_s * decode, "linear_s": self.linear_s * prompt}
        return replace(self, **times, prefill_s=self.prefill_s * prompt)

    @property
    def max_batch(self) -> int:
        """Decodes of the largest step."""
        return len(self.decode_s) - 1

    def __call__(self, decodes: int, context: int, chunks: Sequence[tuple[int, int]] = ()) -> float:
        """Seconds of a step; see :class:`StepTimes`."""
        seconds = decode_seconds(self._lists, decodes, context) if decodes else 0.0
        if chunks:
            past = sum(-(-p // self.past_step) * self.past_step for _, p in chunks)
            tokens, squares = sum(c for c, _ in chunks), sum(c * c for c, _ in chunks)
            together = Chunks(len(chunks), tokens, squares, past, sum(c * p for c, p in chunks))
            seconds += prompt_seconds(self._lists, decodes, together)
        return seconds

    def hop(self, tokens: int) -> float:
        """Seconds of sending the step's tokens to the next pipeline stage."""
        return along(self._hops, 0, len(self._hops), float(tokens))
