"""One deployment: a model on the devices of a layout, as an engine runs it.

It is put together by :func:`tokenomics.compute.inference.server.put_together`, from names, from a benchmark's row or
from parameters alike; whether it can exist is the matter of :mod:`tokenomics.compute.inference.feasibility`.
"""

from dataclasses import dataclass, field, replace

from tokenomics.compute.bounds import Precision
from tokenomics.compute.layout import Layout
from tokenomics.errors import Infeasible, proportion, require, whole
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.engines import GENERIC, POLICIES, Engine, Sliding, of_profile
from tokenomics.facts.models import Model

UNSTATED = 256, 2048
"""Sequences and tokens of a step where an engine's documentation names none."""
BLOCK_TOKENS = 16
"""Tokens of a block of cache where an engine's documentation names none (vLLM's)."""


@dataclass(frozen=True)
class Drafts:
    """Speculative decoding: tokens that are drafted cheaply and verified together in one step of the model.

    Attributes:
        tokens: drafted a step.
        acceptance: probability that a drafted token is accepted.
        draft: the draft model on (some of) the same devices; its host time a step is taken as the model's.
        share: without a draft model, the device time of drafting one token over that of a decode step; what drafts
            takes the same share of weights and cache.

    Raises:
        DataError: a count that is not whole and positive, a number outside 0 to 1, neither a draft model nor a share,
            or both, a draft model on other or more devices.
    """

    tokens: int
    acceptance: float
    draft: "Deployment | None" = None
    share: float | None = None

    def __post_init__(self):
        whole("settings", "drafts.tokens", self.tokens)
        proportion("settings", "drafts.acceptance", self.acceptance)
        share = self.share
        if share is not None:
            proportion("settings", "drafts.share", share)
        one = (self.draft is None) != (share is None)
        require(one, "settings", "drafts", "both" if share is not None else "neither", "a draft model or a share")

    @property
    def by(self) -> "Deployment | float":
        """What drafts: the draft model, or a share of the model."""
        return self.draft if self.share is None else self.share

    def check(self, on: "Deployment") -> None:
        """Refuse a draft model on other or more devices, and stages, which no formula here drafts with."""
        if self.draft:
            name, most = self.draft.device.name, on.layout.devices
            require(name == on.device.name, "settings", "drafts.draft.device", name, on.device.name)
            devices = self.draft.layout.devices
            require(devices <= most, "settings", "drafts.draft.devices", devices, f"at most {most}")
        if on.layout.pp > 1:
            raise Infeasible("settings", "drafts", f"pp {on.layout.pp}", "drafting in stages is not modelled", "pp 1")


@dataclass(frozen=True)
class Settings:
    """What an engine is told when it is started, in vLLM's words; by default as published throughput runs set it.

    Attributes:
        max_num_seqs: sequences that a replica runs at a time, at most.
        max_num_batched_tokens: prompt tokens that it takes into one step, at most.
        memory_utilisation: share of memory that may be filled; ``None``: the engine's own.
        policy: how prompts and decodes share steps (:data:`tokenomics.facts.engines.POLICIES`); ``None``: the engine's.
        block_tokens: tokens of a block of cache; ``None``: the engine's.
        watermark: share of blocks that starting a request must leave free.
        prefix_cache: whether a beginning that prompts share is read once and kept; ``None``: the engine's.
        prefix_tokens: tokens with which all prompts begin alike, where requests do not say what they share; whole
            blocks of them are known, and at least one token of a prompt is read.
        drafts: speculative decoding; ``None``: none.

    Raises:
        DataError: a count that is not whole and positive, a share outside its bounds, an unknown policy.
    """

    max_num_seqs: int = 2048
    max_num_batched_tokens: int = 8192
    memory_utilisation: float | None = None
    policy: str | None = None
    block_tokens: int | None = None
    watermark: float = 0.01
    prefix_cache: bool | None = None
    prefix_tokens: int = 0
    drafts: Drafts | None = None

    @classmethod
    def documented(cls, engine: Engine, groups: int, device: Accelerator) -> "Settings":
        """What an engine does on a device when it is told nothing (``data/catalogue/engines.csv``), each attention
        group by itself; :data:`UNSTATED` where its documentation names no number."""
        seqs = engine.seqs(device) or UNSTATED[0]
        tokens = engine.max_num_batched_tokens or engine.tokens(device) or UNSTATED[1]
        return cls(groups * seqs, groups * tokens)

    def __post_init__(self):
        for name in ("max_num_seqs", "max_num_batched_tokens", "block_tokens"):
            if name != "block_tokens" or self.block_tokens is not None:
                whole("settings", name, getattr(self, name))
        whole("settings", "prefix_tokens", self.prefix_tokens, 0)
        policy = self.policy
        require(policy is None or policy in POLICIES, "settings", "policy", policy, ", ".join(POLICIES))
        if self.memory_utilisation is not None:
            proportion("settings", "memory_utilisation", self.memory_utilisation, without=[0])
        proportion("settings", "watermark", self.watermark, without=[1])
        for name in ("prefix_cache", "drafts"):
            given, kind = getattr(self, name), bool if name == "prefix_cache" else Drafts
            require(given is None or isinstance(given, kind), "settings", name, given, f"None or a {kind.__name__}")

    def filled(self, engine: Engine) -> "Settings":
        """With what an engine does where it was told nothing; the share of memory stays a matter of its profile."""
        own = {
            "policy": engine.policy,
            "block_tokens": engine.block_tokens or BLOCK_TOKENS,
            "prefix_cache": engine.prefix_cache,
        }
        missing = {key: value for key, value in own.items() if getattr(self, key) is None}
        return replace(self, **missing) if missing else self


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
        settings: what the engine is told, with its own choice (the generic engine's) where it was told nothing.
        sliding: what the engine keeps of a sequence in layers with a window.
        skewed: tokens choose experts as unevenly as those of real text do; else a balancer spreads them evenly.
        left_out: take the parameters of relatives although this device was measured (to learn what that costs).
    """

    model: Model
    device: Accelerator
    precision: Precision = field(default_factory=Precision)
    layout: Layout = field(default_factory=Layout)
    kernels: str | None = None
    fused: bool = True
    alike: bool = False
    skewed: bool = True
    left_out: bool = False
    settings: Settings = Settings()
    sliding: Sliding = field(default_factory=Sliding)

    def __post_init__(self):
        object.__setattr__(self, "settings", self.settings.filled(of_profile(GENERIC)))
        if self.settings.drafts:
            self.settings.drafts.check(self)

    @property
    def known_tokens(self) -> int:
        """Tokens of a shared beginning that the prefix cache holds, whole blocks."""
        told = self.settings
        return told.prefix_tokens // told.block_tokens * told.block_tokens if told.prefix_cache else 0

    @property
    def layers_together(self) -> int:
        """Layers that several devices compute together; 0 on one device."""
        return self.model.layers if self.layout.devices > 1 else 0

    @property
    def stage_share(self) -> float:
        """Share of a step's time that the fullest pipeline stage takes."""
        return self.layout.fullest_stage(self.model.layers)
