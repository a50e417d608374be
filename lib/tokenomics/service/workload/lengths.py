"""Joint distribution of prompt and reply lengths as two quantile curves and the pairing of their ranks.

Each margin is a quantile function; how they go together is an empirical copula: a square table of how many requests
fall into each pair of rank bins (a checkerboard copula: Carley and Taylor, 2002). So both margins are
reproduced whatever the pairing, ties and spikes included. Left out: structure inside a bin (the longest hundredth of
prompts is paired with replies as one group), limits on the sum of both, order in time.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.errors import require

EDGES = np.array([0, 0.01, 0.025, *np.arange(1, 20) / 20, 0.975, 0.99, 1.0])
"""Ends of the rank bins: twentieths, finer at both ends, where a few long requests carry much of the correlation."""
LEVELS = np.concatenate((np.arange(0, 200) / 200, [0.9975, 0.999, 1.0]))
"""Shares of requests at which the quantile curves are kept; linear in between."""


@dataclass(frozen=True, eq=False)
class Lengths:
    """Lengths to draw from.

    Args:
        levels: rising shares, 0 to 1.
        input_tokens, output_tokens: tokens at each level, never falling, >= 1.
        pairs: requests by rank bin of input (rows) and output (columns); square.
        edges: ends of the bins, 0 to 1, rising; one more than rows.

    Raises:
        DataError: a curve that falls, starts below one token or has another length; a table that is empty, not square.
    """

    levels: NDArray[np.float64]
    input_tokens: NDArray[np.float64]
    output_tokens: NDArray[np.float64]
    pairs: NDArray[np.float64]
    edges: NDArray[np.float64]

    def __post_init__(self):
        for key in ("input_tokens", "output_tokens"):
            curve = getattr(self, key)
            rising = len(curve) == len(self.levels) and bool(np.all(np.diff(curve) >= 0)) and curve[0] >= 1
            require(rising, "lengths", key, curve, f"{len(self.levels)} values from 1 token up, never falling")
        square = self.pairs.shape == (len(self.edges) - 1,) * 2 and bool(np.all(np.diff(self.edges) > 0))
        good = square and bool(np.all(self.pairs >= 0)) and self.pairs.sum() > 0
        require(good, "lengths", "pairs", self.pairs.shape, "a square table of counts, one row fewer than edges")

    @classmethod
    def measured(cls, input_tokens: ArrayLike, output_tokens: ArrayLike) -> Self:
        """The distribution of some requests, in the form that ``data/workloads`` ships."""
        given = np.asarray(input_tokens), np.asarray(output_tokens)
        curves = [np.rint(np.quantile(each, LEVELS)) for each in given]
        levels = ((ordinal_ranks(each) + 0.5) / len(each) for each in given)
        rows, columns = (np.searchsorted(EDGES, each, side="right") - 1 for each in levels)
        pairs = np.zeros((len(EDGES) - 1,) * 2)
        np.add.at(pairs, (rows, columns), 1)
        return cls(LEVELS, *curves, pairs, EDGES)

    def draw(self, rng: np.random.Generator, requests: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Input and output tokens of independent requests."""
        bins = len(self.pairs)
        shares = np.cumsum(self.pairs.ravel())
        cells = np.searchsorted(shares, rng.random(requests) * shares[-1], side="right")
        drawn = []
        for place, curve in zip(np.divmod(cells, bins), (self.input_tokens, self.output_tokens), strict=True):
            level = self.edges[place] + rng.random(requests) * np.diff(self.edges)[place]
            drawn.append(np.rint(np.interp(level, self.levels, curve)).astype(np.int64))
        return drawn[0], drawn[1]


def ordinal_ranks(values: NDArray) -> NDArray[np.int64]:
    """Ranks 0 to n - 1; equal values rank in the order in which they stand."""
    ranks = np.empty(len(values), dtype=np.int64)
    ranks[np.argsort(values, kind="stable")] = np.arange(len(values))
    return ranks
