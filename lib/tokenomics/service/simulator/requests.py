"""The requests of a simulation, as arrays."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.errors import DataError
from tokenomics.service.simulator.prefix import Prefixes
from tokenomics.service.workload.stream import Stream

WHERE = "Requests"


@dataclass(frozen=True)
class Requests:
    """What arrives, in order of arrival; every field has one entry a request (a number stands for all).

    Attributes:
        arrival_s: seconds, not falling.
        prompt: input tokens, one or more.
        output: output tokens, one or more; the first comes with the end of the prompt.
        priority: smaller goes first; among equals the earlier arrival.
        patience_s: seconds after arrival up to which a request waits to be started; ``inf`` waits for ever.
        prefix: beginnings that prompts share, where a cache of them is simulated.
        read: prompts were read elsewhere: on arrival all but the last of the ``prompt`` tokens are in cache, and a
            request begins with a decode of that one (see :mod:`tokenomics.service.simulator.pools`).
        timeout_s: seconds after arrival at which a request is cancelled, started or not; a running one leaves when the
            step under way ends. ``inf``: never.

    Raises:
        DataError: times that fall, are negative or not finite, tokens below one, no request at all, unequal lengths,
            prefixes of prompts that were read elsewhere.
    """

    arrival_s: ArrayLike
    prompt: ArrayLike
    output: ArrayLike
    priority: ArrayLike = field(default=0)
    patience_s: ArrayLike = field(default=np.inf)
    prefix: Prefixes | None = None
    read: bool = False
    timeout_s: ArrayLike = field(default=np.inf)

    def __post_init__(self):
        arrival = np.array(self.arrival_s, dtype=float)
        if arrival.ndim != 1 or not arrival.size:
            raise DataError(WHERE, "arrival_s", arrival.shape, "a list of one request or more")
        _all(arrival, "arrival_s", np.isfinite(arrival) & (arrival >= 0), "finite, zero or more")
        _all(arrival, "arrival_s", np.diff(arrival, prepend=0.0) >= 0, "in order of time")
        object.__setattr__(self, "arrival_s", arrival)
        for name, least in (("prompt", 1), ("output", 1), ("priority", 0)):
            values = self._filled(name)
            _all(
                values, name, (values >= least) & (values == np.floor(values)) & (values < 2**31), f"whole, >= {least}"
            )
            object.__setattr__(self, name, _kept(values, np.int64))
        for name in ("patience_s", "timeout_s"):
            seconds = self._filled(name)
            _all(seconds, name, seconds >= 0, "zero or more")
            object.__setattr__(self, name, _kept(seconds, np.float64))
        if self.prefix is not None and len(self.prefix.start) != len(self) + 1:
            raise DataError(WHERE, "prefix", len(self.prefix.start) - 1, f"as many as arrivals: {len(self)}")
        if self.prefix is not None and self.read:
            raise DataError(WHERE, "prefix", "given", "none where prompts were read elsewhere")

    @classmethod
    def of(cls, stream: Stream, prefixes: bool = True) -> Self:
        """A stream's arrivals as they stand (a session's later turns do not wait for earlier replies), lengths,
        priorities and common beginnings.

        Args:
            stream: requests in order of arrival.
            prefixes: whether prompts' common beginnings are known to a prefix cache.
        """
        shared = None
        if prefixes and stream.blocks is not None:
            shared = Prefixes(stream.blocks.tokens, stream.blocks.ids.astype(np.int64), stream.blocks.offsets)
        first = 0 if stream.priority is None else stream.priority
        return cls(stream.arrival_s, stream.input_tokens, stream.output_tokens, first, prefix=shared)

    def _filled(self, name: str) -> NDArray[np.float64]:
        given = np.asarray(getattr(self, name), dtype=float)
        if given.ndim and given.shape != self.arrival_s.shape:
            raise DataError(WHERE, name, given.shape, f"one number, or as many as arrivals: {self.arrival_s.size}")
        return np.broadcast_to(given, self.arrival_s.shape)

    def __len__(self) -> int:
        return self.arrival_s.size

    @property
    def gives_up_s(self) -> NDArray[np.float64]:
        """When a request leaves that has not been started."""
        return self.arrival_s + np.minimum(self.patience_s, self.timeout_s)

    @property
    def keys(self) -> NDArray[np.int64]:
        """Place of each request in the order of service: by priority, then by arrival. All different."""
        return self.priority * len(self) + np.arange(len(self))


def _kept(values: NDArray, kind: type) -> NDArray:
    """A copy; of one number for all, still one number in memory."""
    return np.broadcast_to(values[:1].astype(kind), values.shape) if values.strides == (0,) else values.astype(kind)


def _all(values: NDArray, name: str, good: NDArray[np.bool_], allowed: str) -> None:
    if not good.all():
        row = int(np.argmin(good))
        raise DataError(f"{WHERE} row {row}", name, float(values[row]), allowed)
