"""One deployment: a model on the devices of a layout, as an engine runs it.

It is put together by :func:`tokenomics.compute.inference.server.put_together`, from names, from a benchmark's row or
from parameters alike; whether it can exist is the matter of :mod:`tokenomics.compute.inference.feasibility`.
"""

from dataclasses import dataclass, field

from tokenomics.compute.bounds import Precision
from tokenomics.compute.layout import Layout
from tokenomics.errors import require, whole
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.engines import Engine, Sliding
from tokenomics.facts.models import Model

UNSTATED = 256, 2048
"""Sequences and tokens of a step where an engine's documentation names none."""


@dataclass(frozen=True)
class Settings:
    """What an engine is told when it is started, in vLLM's words; by default as published throughput runs set it.

    Attributes:
        max_num_seqs: sequences that a replica runs at a time, at most.
        max_num_batched_tokens: prompt tokens that it takes into one step, at most.
        memory_utilisation: share of memory that may be filled; ``None``: the engine's own.

    Raises:
        DataError: a count that is not whole and positive, a share outside (0, 1].
    """

    max_num_seqs: int = 2048
    max_num_batched_tokens: int = 8192
    memory_utilisation: float | None = None

    @classmethod
    def documented(cls, engine: Engine, groups: int = 1) -> "Settings":
        """What an engine does when it is told nothing (``data/catalogue/engines.csv``), each attention group by itself;
        :data:`UNSTATED` where its documentation names no number."""
        seqs, tokens = engine.max_num_seqs or UNSTATED[0], engine.max_num_batched_tokens or UNSTATED[1]
        return cls(groups * seqs, groups * tokens)

    def __post_init__(self):
        whole("settings", "max_num_seqs", self.max_num_seqs)
        whole("settings", "max_num_batched_tokens", self.max_num_batched_tokens)
        share = self.memory_utilisation
        require(share is None or 0 < share <= 1, "settings", "memory_utilisation", share, "above 0, at most 1")


@dataclass(frozen=True)
class Deployment:
    """One replica of a model on the devices of a layout, run by an engine.

    Attributes:
        model: the architecture.
        device: the accelerator.
        precision: storage and arithmetic.
        layout: how the model is cut.
        kernels: engine whose measured kernels are used (``trtllm``, ``vllm``, ``sglang``; others: nearest).
        fused: activations are quantised within the kernel before, so that a product keeps the 16-bit kernel's floor.
        alike: every sequence holds the same prompt, so that all tokens of a step choose the same experts.
        settings: what the engine is told.
        sliding: what the engine keeps of a sequence in layers with a window.
        left_out: take the parameters of relatives although this device was measured (to learn what that costs).
    """

    model: Model
    device: Accelerator
    precision: Precision = field(default_factory=Precision)
    layout: Layout = field(default_factory=Layout)
    kernels: str | None = None
    fused: bool = True
    alike: bool = False
    left_out: bool = False
    settings: Settings = Settings()
    sliding: Sliding = field(default_factory=Sliding)

    @property
    def layers_together(self) -> int:
        """Layers that several devices compute together; 0 on one device."""
        return self.model.layers if self.layout.devices > 1 else 0

    @property
    def stage_share(self) -> float:
        """Share of a step's time that the fullest pipeline stage takes."""
        return self.layout.fullest_stage(self.model.layers)
