"""Speculative decoding: a cheap draft of a few tokens, and one step of the model that verifies them all.

With an acceptance rate ``a`` and ``g`` drafted tokens a step yields ``(1 - a^(g+1)) / (1 - a)`` tokens on average
(Leviathan et al. 2023, arXiv:2211.17192, equation 1). Assumed there and here: each drafted token is accepted with the
same probability, whatever was accepted before and whatever the batch. The rate is the user's; nothing here is fitted
to it.

A step takes ``g + 1`` tokens of each sequence through the calibrated operators (products and experts with that
many rows more, the cache read once), after ``g`` steps of a draft model on the same devices, or ``g`` times a stated
share of the model's own step where it drafts by itself: extra heads or layers (Gloeckle et al. 2024, arXiv:2404.19737;
DeepSeek-V3, arXiv:2412.19437, section 2.2). A draft model's step costs the engine's host time a step, but not its host
time a sequence, which a step pays once.

Not validated: no measurement in our data has drafted tokens. Intervals are those of plain decoding. Left out: trees of
drafts, sequences of one batch that accept unevenly, drafting while the model verifies.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.compute import bounds
from tokenomics.compute.counts.parameters import parameters
from tokenomics.compute.deployment import Deployment
from tokenomics.compute.inference import durations, memory
from tokenomics.compute.inference.durations import expected_tokens
from tokenomics.compute.inference.server import Server
from tokenomics.errors import DataError
from tokenomics.estimate import Estimate
from tokenomics.facts.models import Model

Values = NDArray[np.float64]
LENGTHS = tuple(range(1, 11))
"""Drafted tokens a step that are tried."""


def layer_share(model: Model) -> float:
    """Share of a model's weights that one layer and the output head are: what an extra layer that drafts costs, where
    reading weights takes the time (the shape of DeepSeek-V3's multi-token prediction)."""
    count = parameters(model)
    one = (count.attention + count.mlp + count.experts) / model.layers + model.d_model * model.vocab
    return one / (count.total - (0 if count.tied else count.embedding))


@dataclass(frozen=True)
class Speculative:
    """A server that drafts and verifies.

    Attributes:
        target: the server whose tokens are wanted.
        acceptance: probability that a drafted token is accepted.
        draft: server of the draft model, on (some of) the same devices; its weights and caches take their memory. It
            should share the target's vocabulary, which is not checked.
        share: without a draft model, the device time of drafting one token over that of a decode step; the parts that
            draft take the same share of weights and cache.

    Raises:
        DataError: neither a draft model nor a share of 0 to 1, both, a draft model on other or more devices.
    """

    target: Server
    acceptance: float
    draft: Server | None = None
    share: float | None = None

    def __post_init__(self):
        expected_tokens(self.acceptance, 0)
        told = self.target.on.settings.drafts
        if told:
            raise DataError("Speculative", "target", f"drafts {told.tokens} tokens already", "one that drafts none")
        if (self.draft is None) == (self.share is None):
            raise DataError("Speculative", "draft", self.draft and self.draft.on.model.name, "a draft model or a share")
        if self.share is not None and not 0 <= self.share <= 1:
            raise DataError("Speculative", "share", self.share, "0 to 1")
        if self.draft and self.draft.on.device != self.target.on.device:
            raise DataError("Speculative", "draft", self.draft.on.device.name, self.target.on.device.name)
        if self.draft and self.draft.devices > self.target.devices:
            raise DataError("Speculative", "draft devices", self.draft.devices, f"at most {self.target.devices}")

    def tpot(self, batch: ArrayLike, context: ArrayLike, length: ArrayLike) -> Estimate:
        """Seconds per token of ``batch`` sequences of ``context`` tokens that draft ``length`` tokens a step.

        The interval is that of a decode step; no answer beats a step that needs no drafts and yields as many tokens.
        """
        tokens = expected_tokens(self.acceptance, length)
        least = bounds.decode_step_seconds(self.target.bound, batch, context) / tokens
        return self.target.estimate(self.step_seconds(batch, context, length) / tokens, "decode", least)

    def step_seconds(self, batch: ArrayLike, context: ArrayLike, length: ArrayLike) -> Values:
        """Seconds of drafting and verifying once."""
        length, context = np.asarray(length, dtype=float), np.asarray(context, dtype=float)
        verified = durations.decode_step(self.target.on, batch, context + length, length + 1)
        return verified.seconds(self.target.profile) + self._drafting(batch, context, length)

    @property
    def _by(self) -> Deployment | float:
        return self.draft.on if self.draft else self.share

    def _drafting(self, batch: ArrayLike, context: Values, length: Values) -> Values:
        work = durations.drafting(self.target.on, batch, context, length, self._by)
        return work.seconds((self.draft or self.target).profile)

    def speed_up(self, batch: ArrayLike, context: ArrayLike, length: ArrayLike) -> Estimate:
        """Time per token without drafts over time per token with them; below one where drafts do not pay.

        The ends are as far apart as if the errors of both times had nothing to do with each other. As they share
        kernels and engine, most of these errors cancel, so the interval is wide rather than narrow.
        """
        plain, drafted = self.target.tpot(batch, context), self.tpot(batch, context, length)
        value = plain.value / drafted.value
        up = np.hypot(np.log(plain.high / plain.value), np.log(drafted.value / drafted.low))
        down = np.hypot(np.log(plain.value / plain.low), np.log(drafted.high / drafted.value))
        return Estimate(value, value * np.exp(-down), value * np.exp(up))

    def best_length(self, batch: ArrayLike, context: ArrayLike, lengths: Sequence[int] = LENGTHS) -> Values:
        """The number of drafted tokens with the shortest time per token; with 0 among ``lengths`` drafts may be left.

        Returns:
            One of ``lengths``, in the broadcast shape of batch and context.
        """
        shape = np.broadcast_shapes(np.shape(batch), np.shape(context))
        tried = np.asarray(lengths, dtype=float)
        times = self.tpot(batch, context, tried.reshape(-1, *[1] * len(shape))).value
        return tried[np.argmin(times, axis=0)]

    def capacity(self, context: ArrayLike, length: ArrayLike = 0) -> Values:
        """Sequences of ``context`` tokens, and ``length`` drafted ones, that fit beside what drafts."""
        context = np.asarray(context, dtype=float) + length
        beside, cache = self.drafting_bytes(context)
        return memory.capacity(self.target.on, self.target.profile.name, context, beside, cache)

    def drafting_bytes(self, context: ArrayLike) -> tuple[float, Values]:
        """Bytes on the fullest device that drafting takes: weights, and the cache of each sequence of the device."""
        return memory.drafting_bytes(self.target.on, context, self._by)
