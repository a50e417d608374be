"""When the tokens of many requests came: the one record from which every measure of experience is taken.

Times are in seconds on one clock. A simulator fills a :class:`Timeline` directly; :func:`timeline` makes one from
arrays and checks it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.errors import require

Values = NDArray[np.float64]
BLOCK = 4096
"""Requests that are gone through together."""


@dataclass(frozen=True)
class Timeline:
    """Arrivals and token times of requests; made and checked by :func:`timeline`.

    Attributes:
        arrival_s: when each request arrived, shape (requests,).
        token_s: when each token was delivered, request after request, shape (tokens,).
        count: tokens delivered to each request.
        wanted: tokens that the whole reply has; more than ``count`` where it was dropped.
    """

    arrival_s: Values
    token_s: Values
    count: NDArray[np.int64]
    wanted: NDArray[np.int64]

    @property
    def start(self) -> NDArray[np.int64]:
        """Where each request's tokens start in ``token_s``."""
        return np.concatenate([[0], np.cumsum(self.count)[:-1]]).astype(np.int64)

    @property
    def owner(self) -> NDArray[np.int64]:
        """The request of each token."""
        return np.repeat(np.arange(len(self.count)), self.count)

    def ttft(self) -> Values:
        """Seconds from arrival to the first token; infinite where none came."""
        first = np.full(len(self.count), np.inf)
        some = self.count > 0
        first[some] = self.token_s[self.start[some]] - self.arrival_s[some]
        return first

    def tpot(self) -> Values:
        """Mean seconds per token after the first; 0 for one token, infinite where none came."""
        mean = np.where(self.count == 1, 0.0, np.inf)
        some = self.count > 1
        first = self.start[some]
        mean[some] = (self.token_s[first + self.count[some] - 1] - self.token_s[first]) / (self.count[some] - 1)
        return mean

    def itl(self) -> Values:
        """Seconds between neighbouring tokens of all requests, shape (tokens - requests that have any,)."""
        gaps = np.diff(self.token_s)
        return gaps[np.diff(self.owner) == 0]

    def e2e(self) -> Values:
        """Seconds from arrival to the last token; infinite where the reply was not finished."""
        last = np.full(len(self.count), np.inf)
        whole = self.count == self.wanted
        last[whole] = self.token_s[(self.start + self.count - 1)[whole]] - self.arrival_s[whole]
        return last


def timeline(arrival_s: ArrayLike, token_s: Sequence[ArrayLike], wanted: ArrayLike | None = None) -> Timeline:
    """A timeline from one array of token times a request.

    Args:
        arrival_s: seconds, shape (requests,).
        token_s: for each request its tokens' times in seconds, in order; empty where none was delivered.
        wanted: tokens of each whole reply; as many as were delivered by default.

    Raises:
        DataError: other lengths, a time that is negative, not finite, before the one before it or before the arrival,
            a request that wants no token or fewer than it got.
    """
    arrival = np.atleast_1d(np.asarray(arrival_s, dtype=float))
    each = [np.atleast_1d(np.asarray(times, dtype=float)) for times in token_s]
    count = np.array([len(times) for times in each], dtype=np.int64)
    flat = np.concatenate(each) if each else np.empty(0)
    asked = np.atleast_1d(np.asarray(count if wanted is None else wanted, dtype=float))
    whole = np.isfinite(asked) & (asked == np.floor(asked))
    require(bool(whole.all()), "timeline", "wanted", _first_of(asked, ~whole), "whole numbers")
    asked = asked.astype(np.int64)
    require(len(arrival) == len(count) > 0, "timeline", "requests", len(count), f"{len(arrival)}, as many as arrivals")
    require(len(asked) == len(count), "timeline", "wanted", len(asked), f"{len(count)}, as many as requests")
    made = Timeline(arrival, flat, count, asked)
    for key, times in (("arrival_s", arrival), ("token_s", flat)):
        odd = ~(np.isfinite(times) & (times >= 0))
        require(not odd.any(), "timeline", key, _first_of(times, odd), "finite numbers >= 0")
    early = flat < np.where(_first(made), arrival[made.owner], np.concatenate([[0.0], flat[:-1]]))
    require(not early.any(), "timeline", "token_s", _first_of(flat, early), "times in order, none before the arrival")
    few = (asked < count) | (asked < 1)
    require(
        not few.any(), "timeline", "wanted", int(_first_of(asked, few)), "at least 1 and at least the tokens delivered"
    )
    return made


def quantiles(values: ArrayLike, at: ArrayLike) -> Values:
    """Smallest values that at least these shares do not exceed: no interpolation, so unfinished requests count.

    Raises:
        DataError: no values, or a share outside 0 to 1.
    """
    values, at = np.asarray(values, dtype=float), np.asarray(at, dtype=float)
    require(values.size > 0, "quantiles", "values", "none", "at least one")
    require(bool(np.all((at >= 0) & (at <= 1))), "quantiles", "at", at.tolist(), "0 to 1")
    return np.quantile(values, at, method="inverted_cdf")


def positions(of: Timeline) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
    """Position in the reply, the requests that have a token there, and where these tokens stand.

    Block after block of requests of like length, so that memory is read nearly in order; within a block by position.
    """
    order, starts = np.argsort(-of.count, kind="stable"), of.start
    for block in np.split(order, range(BLOCK, len(order), BLOCK)):
        longest, start = of.count[block], starts[block]
        for position in range(int(longest[0])):
            having = int(np.searchsorted(-longest, -position))
            yield position, block[:having], start[:having] + position


def _first(of: Timeline) -> NDArray[np.bool_]:
    first = np.zeros(len(of.token_s), dtype=bool)
    first[of.start[of.count > 0]] = True
    return first


def _first_of(values: NDArray, where: NDArray[np.bool_]) -> float:
    found = values[where]
    return float(found[0]) if len(found) else 0.0
