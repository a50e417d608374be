"""Prompts that begin alike: which parts they share, and a replica's memory of parts it has read.

A prompt is cut into units of so many tokens; a unit's number stands for it and all before it, so equal numbers mean
equal beginnings (block hashes of vLLM's automatic prefix caching; ``hash_ids`` of the Mooncake trace).
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tokenomics.errors import whole


@dataclass(frozen=True)
class Prefixes:
    """Units of every request's prompt; made by :meth:`of`.

    Attributes:
        tokens: tokens of a unit, whole blocks of the cache.
        units: numbers 0, 1 ..., request after request.
        start: where each request's begin, one entry more than requests.
    """

    tokens: int
    units: NDArray[np.int64]
    start: NDArray[np.int64]

    @classmethod
    def of(cls, chains: Iterable[Sequence[int]], tokens: int) -> "Prefixes":
        """From each request's list of numbers, whatever they are; a last unit that is not full is not counted."""
        whole("Prefixes", "tokens", tokens)
        chains = [np.asarray(chain, dtype=np.int64).ravel() for chain in chains]
        start = np.concatenate([[0], np.cumsum([chain.size for chain in chains])]).astype(np.int64)
        units = np.concatenate([np.empty(0, dtype=np.int64), *chains])
        return cls(int(tokens), np.unique(units, return_inverse=True)[1].astype(np.int64), start)

    @property
    def count(self) -> int:
        """Different units."""
        return int(self.units.max(initial=-1)) + 1

    def full(self, prompt: NDArray[np.int64]) -> NDArray[np.int64]:
        """Full units of each prompt."""
        return np.minimum(np.diff(self.start), prompt // self.tokens)


class PrefixCache:
    """Units in a replica's cache. Those that no running request uses stay until their blocks are wanted; the one that
    was used longest ago goes first, of one prompt the last."""

    def __init__(self, blocks: int):
        self.blocks = blocks
        self.users: dict[int, int] = {}
        self.idle: OrderedDict[int, None] = OrderedDict()

    def known(self, chain: Sequence[int]) -> int:
        """Units from the beginning on that are here."""
        return next((n for n, unit in enumerate(chain) if unit not in self.users and unit not in self.idle), len(chain))

    def shared(self, chain: Sequence[int]) -> int:
        """Blocks of these units that are in use already."""
        return self.blocks * sum(unit in self.users for unit in chain)

    def use(self, chain: Sequence[int]) -> None:
        """One more request uses these units."""
        for unit in chain:
            self.idle.pop(unit, None)
            self.users[unit] = self.users.get(unit, 0) + 1

    def add(self, chain: Sequence[int]) -> list[int]:
        """Units just read become known, where they are not; those."""
        new = [unit for unit in chain if unit not in self.users and unit not in self.idle]
        self.use(new)
        return new

    def release(self, chain: Sequence[int]) -> int:
        """A request leaves; blocks that nobody uses any more."""
        freed = 0
        for unit in reversed(chain):
            self.users[unit] -= 1
            if not self.users[unit]:
                del self.users[unit]
                self.idle[unit] = None
                freed += self.blocks
        return freed

    def trim(self, free: int) -> None:
        """Forget idle units beyond the ``free`` blocks that nobody uses."""
        while len(self.idle) * self.blocks > free:
            self.idle.popitem(last=False)
