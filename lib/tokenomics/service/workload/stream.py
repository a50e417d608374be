"""A request stream: parallel arrays, one entry per request, in order of arrival; priorities and several as one."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tokenomics.errors import DataError, positive, require


@dataclass(frozen=True, eq=False)
class Blocks:
    """The prompts cut into blocks of ``tokens`` tokens, the last one of a prompt perhaps partial.

    Two blocks have the same id where they and everything before them are the same text, so a block is in a prefix cache
    exactly if its id is.

    Args:
        ids: flat array, the blocks of the first request, then those of the second, and so on; >= 0.
        offsets: requests + 1 positions in ``ids``; request i owns ``ids[offsets[i]:offsets[i + 1]]``.
        tokens: tokens per block.
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    tokens: int

    def of(self, request: int) -> NDArray[np.int32]:
        """Block ids of one request, first to last."""
        return self.ids[self.offsets[request] : self.offsets[request + 1]]

    def take(self, requests: NDArray[np.int64]) -> Self:
        """The blocks of some requests, in the given order."""
        counts = np.diff(self.offsets)[requests]
        offsets = np.concatenate(([0], np.cumsum(counts)))
        places = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1][requests] - offsets[:-1], counts)
        return replace(self, ids=self.ids[places], offsets=offsets)

    def hit_share(self) -> float:
        """Share of blocks that came before in the stream: hits of a prefix cache that forgets nothing."""
        seen = np.zeros(int(self.ids.max()) + 1, dtype=bool)
        seen[self.ids] = True
        return 1.0 - float(seen.sum()) / len(self.ids)


@dataclass(frozen=True, eq=False)
class Stream:
    """Requests in order of arrival.

    Args:
        arrival_s: seconds, >= 0, never falling; float.
        input_tokens: tokens of the prompt, whole conversation included, >= 1.
        output_tokens: tokens generated, hidden reasoning included, >= 1.
        reasoning_tokens: part of ``output_tokens`` that the reader does not see; absent: none.
        session: number of the conversation; absent: every request stands alone.
        think_s: seconds between the end of the session's last reply and this request, 0 for a first turn. A simulator
            that closes the loop uses it in place of ``arrival_s`` of later turns.
        priority: whole numbers, 0 is served first; absent: all alike.
        blocks: prefix blocks of the prompts; absent: nothing is shared.
        name: what error messages call the stream.

    Raises:
        DataError: lengths that differ, times that are negative, not finite or unsorted, requests without tokens,
            fractional tokens, more hidden than generated tokens, no request at all.
    """

    arrival_s: NDArray[np.float64]
    input_tokens: NDArray[np.int64]
    output_tokens: NDArray[np.int64]
    reasoning_tokens: NDArray[np.int64] | None = None
    session: NDArray[np.int64] | None = None
    think_s: NDArray[np.float64] | None = None
    priority: NDArray[np.int64] | None = None
    blocks: Blocks | None = None
    name: str = "stream"

    def __post_init__(self):
        for key, values in self._arrays().items():
            object.__setattr__(self, key, self._typed(key, values))
        self._ordered("arrival_s")
        for key in ("input_tokens", "output_tokens"):
            self._all(getattr(self, key) >= 1, key, ">= 1 token")
        if self.reasoning_tokens is not None:
            hidden = self.reasoning_tokens
            self._all((hidden >= 0) & (hidden <= self.output_tokens), "reasoning_tokens", "0 to output_tokens")
        for key in ("session", "think_s", "priority"):
            if getattr(self, key) is not None:
                self._all(getattr(self, key) >= 0, key, ">= 0")
        if self.blocks is not None:
            given = len(self.blocks.offsets) - 1
            require(given == len(self), self.name, "blocks", given, f"blocks of {len(self)} requests")

    def __len__(self) -> int:
        return len(self.arrival_s)

    @property
    def duration_s(self) -> float:
        """Seconds from the first to the last arrival."""
        return float(self.arrival_s[-1] - self.arrival_s[0])

    @property
    def rate_rps(self) -> float:
        """Requests per second of :attr:`duration_s`; infinite where all arrive at once."""
        return len(self) / self.duration_s if self.duration_s else np.inf

    def take(self, requests: NDArray) -> Self:
        """The stream of some requests (numbers in rising order, or a mask)."""
        places = np.flatnonzero(requests) if np.asarray(requests).dtype == bool else np.asarray(requests)
        arrays = {key: values[places] for key, values in self._arrays().items()}
        return replace(self, **arrays, blocks=self.blocks and self.blocks.take(places))

    def first(self, requests: int) -> Self:
        """The first so many requests."""
        return self.take(np.arange(min(requests, len(self))))

    def at_rate(self, rate_rps: float) -> Self:
        """The same requests at another mean rate: time runs slower or faster from the first arrival on.

        Burst lengths stretch with it; think times stay.

        Raises:
            DataError: a rate that is not above zero, or a stream that arrives all at once.
        """
        positive(self.name, "rate_rps", rate_rps)
        require(self.duration_s > 0, self.name, "duration_s", 0.0, "a stream that lasts")
        return replace(self, arrival_s=(self.arrival_s - self.arrival_s[0]) * (self.rate_rps / rate_rps))

    def spread(self, tick_s: float, seed: int = 0) -> Self:
        """Times of a log that rounds to ticks, spread uniformly over the tick that follows; order within it is kept.

        Raises:
            DataError: a tick that is not above zero.
        """
        positive(self.name, "tick_s", tick_s)
        late = np.random.default_rng(seed).random(len(self)) * tick_s
        return replace(self, arrival_s=np.sort(self.arrival_s + late))

    def _arrays(self) -> dict[str, NDArray]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {key: each for key, each in values.items() if key not in ("blocks", "name") and each is not None}

    def _typed(self, key: str, values: NDArray) -> NDArray:
        kind = np.float64 if key.endswith("_s") else np.int64
        try:
            array = np.asarray(values)
            numbers = array if array.dtype == np.int64 else array.astype(np.float64)
        except (TypeError, ValueError):
            raise DataError(self.name, key, repr(values)[:40], "numbers") from None
        require(numbers.ndim == 1 and numbers.size > 0, self.name, key, numbers.shape, "one value for each request")
        same = len(numbers) == len(self.arrival_s)
        require(same, self.name, key, len(numbers), f"{len(self.arrival_s)} values, as many as arrival_s")
        if numbers.dtype == np.float64:
            self._all(np.isfinite(numbers), key, "a finite number", numbers)
            whole = kind is np.float64 or numbers == np.floor(numbers)
            self._all(np.broadcast_to(whole, numbers.shape), key, "a whole number", numbers)
        return numbers.astype(kind, copy=False)

    def _ordered(self, key: str) -> None:
        times = getattr(self, key)
        self._all(times >= 0, key, ">= 0")
        self._all(np.concatenate(([True], times[1:] >= times[:-1])), key, "not before the request above it")

    def _all(self, good: NDArray[np.bool_], key: str, allowed: str, values: NDArray | None = None) -> None:
        if not good.all():
            values = getattr(self, key) if values is None else values
            worst = int(np.argmin(good))
            raise DataError(f"{self.name}, request {worst + 1}", key, values[worst].item(), allowed)


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
