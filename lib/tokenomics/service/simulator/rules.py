"""How an engine schedules: policy, limits of a step, blocks of cache, what happens when they run out."""

from dataclasses import dataclass

import numpy as np

from tokenomics.errors import DataError, proportion, require, whole
from tokenomics.facts.engines import CHUNKED, POLICIES
from tokenomics.service.simulator.requests import Requests

RECOMPUTE, SWAP = "recompute", "swap"
UNLIMITED = 2**40


@dataclass(frozen=True)
class Rules:
    """Scheduling of one replica. Names and order of decisions as in vLLM (Kwon et al. 2023, arXiv:2309.06180) and
    Sarathi-Serve (Agrawal et al. 2024, arXiv:2403.02310, section 2.3 for the three policies).

    Attributes:
        policy: ``prefill``: waiting prompts go before decodes, whole, in steps of their own (vLLM before chunking,
            Orca). ``decode``: a batch is filled only when the last one has ended (FasterTransformer). ``chunked``:
            every step holds all decodes and as much of prompts as its tokens allow (Sarathi-Serve, vLLM 1).
        max_batch: requests that are in the batch at a time; with pipeline stages, shared evenly by steps in flight.
        max_tokens: tokens of a step. With whole prompts the first is taken however long it is.
        padded: a step of whole prompts counts each as long as the longest.
        kv_blocks: blocks of the cache.
        block_tokens: tokens of a block.
        watermark: share of blocks that starting a request must leave free.
        preemption: ``recompute``: the last request in order loses its cache and reads prompt and output again;
            ``swap``: its cache goes to the host (while its prompt is unfinished, it reads it again).
        swap_block_s: seconds that a step takes longer for each block swapped in or out.
        stages: pipeline stages, each with a step of its own.
        even: with stages, a step decodes for at most an even share of the running requests, so that no stage is left
            without one; else for all that are ready (Vidur).
        most_waiting: requests waiting at which the simulation stops instead of following a growing queue.

    Raises:
        DataError: an unknown policy, a limit below one, a share outside 0..1.
    """

    policy: str = CHUNKED
    max_batch: int = 256
    max_tokens: int = 2048
    padded: bool = False
    kv_blocks: int = UNLIMITED
    block_tokens: int = 16
    watermark: float = 0.01
    preemption: str = RECOMPUTE
    swap_block_s: float = 0.0
    stages: int = 1
    even: bool = True
    most_waiting: int = UNLIMITED

    def __post_init__(self):
        for name, allowed in (("policy", POLICIES), ("preemption", (RECOMPUTE, SWAP))):
            require(getattr(self, name) in allowed, "Rules", name, getattr(self, name), ", ".join(allowed))
        for name in ("max_batch", "max_tokens", "kv_blocks", "block_tokens", "stages", "most_waiting"):
            whole("Rules", name, getattr(self, name))
        proportion("Rules", "watermark", self.watermark, without=[1])
        require(0 <= self.swap_block_s < np.inf, "Rules", "swap_block_s", self.swap_block_s, "0 <= seconds < inf")
        enough = self.max_batch >= self.stages
        require(enough, "Rules", "max_batch", self.max_batch, f"as many as stages ({self.stages}) or more")

    @property
    def kept_blocks(self) -> int:
        """Blocks that starting a request must leave free; none of a cache without limit."""
        return int(self.watermark * self.kv_blocks) if self.kv_blocks < UNLIMITED else 0

    @property
    def step_requests(self) -> int:
        """Requests of one step, at most."""
        return self.max_batch // self.stages

    def check(self, requests: Requests) -> None:
        """Refuse a request that could never end: its whole sequence has to fit alone, above the watermark."""
        if requests.prefix is not None and requests.prefix.tokens % self.block_tokens:
            raise DataError(
                "Prefixes", "tokens", requests.prefix.tokens, f"a multiple of block_tokens ({self.block_tokens})"
            )
        most = (self.kv_blocks - self.kept_blocks) * self.block_tokens
        longest = requests.prompt + requests.output - 1
        if longest.max() > most:
            row = int(np.argmax(longest > most))
            raise DataError(
                f"Requests row {row}", "prompt + output", int(longest[row] + 1), f"<= {most + 1} (KV capacity)"
            )
