"""Images as prompt tokens: how many a published rule makes of an image, and what encoding and reading them takes.

An image is scaled, or cut into crops, as the rule of its model family says; a vision transformer encodes the patches of
each crop; neighbouring patches are merged, projected to the language model's width, and stand in its prompt and cache
like any other token. The encoder runs on the same devices through the same calibrated operators, in 16 bit, before the
prefill. Every device of a tensor-parallel group holds it whole and takes its share of the crops: cut into pieces, so
small a model would talk longer than it computes.

Not validated: no measurement in our data has images. Intervals are those of a plain prefill. Left out: decoding and
scaling images on the host, encoding while another request is served, video, and models that attend to images across
layers instead of reading them as tokens (Llama 3.2).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import ceil, floor, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.compute import bounds
from tokenomics.compute.counts.parameters import parameters
from tokenomics.compute.counts.precision import parse
from tokenomics.compute.deployment import Deployment
from tokenomics.compute.inference import durations, memory
from tokenomics.compute.inference.engines import Work
from tokenomics.compute.inference.feasibility import refuse_told
from tokenomics.compute.inference.server import Server
from tokenomics.compute.inference.steps import device_seconds
from tokenomics.compute.layout import ROUTER, Layout
from tokenomics.compute.operators import times
from tokenomics.compute.operators.selection import kernels
from tokenomics.errors import DataError
from tokenomics.estimate import Estimate
from tokenomics.facts.models import Model

Values = NDArray[np.float64]
BYTES = 2.0
"""Of a weight of the encoder."""


@dataclass(frozen=True)
class Picture:
    """What an image becomes.

    Attributes:
        crops: pieces that are encoded apart.
        patches: of each piece.
        tokens: of the whole image, in the prompt.
    """

    crops: int
    patches: int
    tokens: int


Rule = Callable[[int, int], Picture]


def fixed(side: int, patch: int) -> Rule:
    """Every image is scaled to one square; each patch is a token: ``(side / patch)^2``.

    LLaVA-1.5 (Liu et al. 2023, arXiv:2310.03744): 336 pixels in patches of 14 are 576 tokens.
    """
    tokens = (side // patch) ** 2
    return lambda height, width: Picture(1, tokens, tokens)


def native(cell: int, merged: int, least_pixels: int, most_pixels: int, marks: int = 2) -> Rule:
    """An image keeps its own size, rounded to whole cells; a cell of ``merged`` patches is a token.

    Qwen2-VL (Wang et al. 2024, arXiv:2409.12191, section 2.1): cells of 28 x 28 pixels, 2 x 2 patches of 14; two
    tokens mark start and end. An image with more or fewer pixels than allowed is scaled, keeping its sides' ratio.
    """

    def rule(height: int, width: int) -> Picture:
        rows, columns = max(round(height / cell), 1), max(round(width / cell), 1)
        if rows * columns * cell**2 > most_pixels:
            scale = sqrt(height * width / most_pixels)
            rows, columns = max(floor(height / scale / cell), 1), max(floor(width / scale / cell), 1)
        elif rows * columns * cell**2 < least_pixels:
            scale = sqrt(least_pixels / (height * width))
            rows, columns = ceil(height * scale / cell), ceil(width * scale / cell)
        return Picture(1, rows * columns * merged, rows * columns + marks)

    return rule


def tiled(side: int, patch: int, merged: int, most_tiles: int) -> Rule:
    """An image is cut into up to ``most_tiles`` squares, in the grid whose sides' ratio is nearest to its own, and a
    small copy of the whole is added to several; ``merged`` patches of a square are a token.

    InternVL 1.5 (Chen et al. 2024, arXiv:2404.16821, section 3.3): 448 pixels, 256 tokens a tile, 12 tiles at most. Of
    grids of one ratio, the larger is taken if the image has more than half of its pixels.
    """
    patches = (side // patch) ** 2

    def rule(height: int, width: int) -> Picture:
        grids = [(rows, columns) for rows in range(1, most_tiles + 1) for columns in range(1, most_tiles // rows + 1)]
        off = {grid: abs(width / height - grid[1] / grid[0]) for grid in grids}
        nearest = [grid for grid in grids if off[grid] == min(off.values())]
        tiles = sorted(rows * columns for rows, columns in nearest)
        count = max([tiles[0], *(n for n in tiles if height * width > 0.5 * n * side**2)])
        crops = count + (count > 1)
        return Picture(crops, patches, crops * patches // merged)

    return rule


@dataclass(frozen=True)
class Encoder:
    """A vision transformer with its projector, and the rule by which it takes images.

    Attributes:
        name: the model family that uses it.
        layers, width, heads, mlp_width: its shape; all patches of a crop attend to each other.
        patch_values: numbers of a patch (colours x pixels, x 2 frames in Qwen2-VL).
        merged: patches that become one token.
        rule: how an image is cut.
        hidden: inner width of the projector's two layers; the language model's width where ``None``.
    """

    name: str
    layers: int
    width: int
    heads: int
    mlp_width: int
    patch_values: int
    merged: int
    rule: Rule = field(compare=False)
    hidden: int | None = None

    @property
    def transformer(self) -> Model:
        """Its layers as a record, to be counted and timed like any other."""
        none = dict.fromkeys(("sliding_layers", "linear_layers", "moe_layers", "positions"), 0)
        shape = {"d_model": self.width, "heads": self.heads, "kv_heads": self.heads, "d_ff": self.mlp_width}
        depth = dict.fromkeys(("layers", "full_layers", "dense_layers"), self.layers)
        traits = {"gated_mlp": False, "mlp_bias": True, "norm_bias": True, "attention_bias": "all"}
        sizes = {"head_dim": self.width // self.heads, "vocab": 1, "tied_embeddings": True}
        return Model(name=self.name, family="vision", **none, **shape, **depth, **traits, **sizes)

    def projector(self, d_model: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Inputs and outputs of the two layers between encoder and a language model of a width."""
        hidden = self.hidden or d_model
        return (self.merged * self.width, hidden), (hidden, d_model)

    def parameters(self, d_model: int) -> float:
        """Weights of transformer, patch embedding and projector; positions and the projector's biases left out."""
        beside = self.patch_values * self.width + sum(a * b for a, b in self.projector(d_model))
        return parameters(self.transformer).total + beside


ENCODERS = {
    each.name: each
    for each in (
        Encoder("LLaVA-1.5", 24, 1024, 16, 4096, 3 * 14**2, 1, fixed(336, 14)),
        Encoder("Qwen2-VL", 32, 1280, 16, 5120, 6 * 14**2, 4, native(28, 4, 56**2, 1280 * 28**2), hidden=5120),
        Encoder("InternVL-1.5", 45, 3200, 25, 12_800, 3 * 14**2, 4, tiled(448, 14, 4, 12)),
    )
}
"""Encoders by the family that uses them, shapes from the published configurations: CLIP ViT-L/14 at 336 pixels, the
675M encoder of Qwen2-VL (pixels as its image processor limits them by default), InternViT-6B at 448 pixels."""


def encoder(name: str) -> Encoder:
    """An encoder by name.

    Raises:
        DataError: an unknown name.
    """
    if name not in ENCODERS:
        raise DataError("vision", "encoder", name, ", ".join(ENCODERS))
    return ENCODERS[name]


def picture(of: Encoder, height: int, width: int) -> Picture:
    """What an image of so many pixels becomes.

    Raises:
        DataError: a side below one pixel.
    """
    _check_sides(height, width)
    return of.rule(height, width)


def _check_sides(height: int, width: int) -> None:
    for name, side in (("height", height), ("width", width)):
        if side < 1:
            raise DataError("vision", name, side, ">= 1 pixel")


@dataclass(frozen=True)
class Sighted:
    """A server whose model sees images through an encoder on the same devices."""

    base: Server
    encoder: Encoder

    def __post_init__(self):
        refuse_told(self.base.on, "Sighted", "drafts", "prefix_tokens")

    @property
    def encoding(self) -> Deployment:
        """The encoder's own deployment, on each device."""
        return replace(self.base.on, model=self.encoder.transformer, precision=parse("bf16"), layout=Layout())

    @property
    def encoder_bytes(self) -> float:
        """Bytes of encoder and projector on a device."""
        return BYTES * self.encoder.parameters(self.base.on.model.d_model)

    def prompt(self, text: ArrayLike, images: ArrayLike, height: int, width: int) -> Values:
        """Prompt tokens of ``text`` tokens and ``images`` images of so many pixels."""
        return np.asarray(text, dtype=float) + np.asarray(images) * picture(self.encoder, height, width).tokens

    def encode_seconds(self, images: ArrayLike, height: int, width: int) -> Values:
        """Seconds of the devices for encoding images together, projection included; 0 for none."""
        one, on, images = picture(self.encoder, height, width), self.encoding, np.asarray(images, dtype=float)
        crops, use = np.ceil(images * one.crops / self.base.on.layout.tp), kernels(on)
        # A causal triangle after half as many tokens has as many pairs as the full square of all patches.
        layers = device_seconds(on, new=crops * one.patches, past=one.patches / 2, prompts=np.maximum(crops, 1)).total
        products = [(crops * one.patches, self.encoder.patch_values, self.encoder.width)]
        merged = crops * one.patches / self.encoder.merged
        products += [(merged, *sides) for sides in self.encoder.projector(self.base.on.model.d_model)]
        apart = sum(
            times.gemm_seconds(use.products[ROUTER], use.device, np.maximum(rows, 1.0), outputs, inputs)
            for rows, inputs, outputs in products
        )
        return np.where(images > 0, layers + apart, 0.0)

    def ttft(self, text: ArrayLike, images: ArrayLike, height: int, width: int, batch: ArrayLike = 1) -> Estimate:
        """Seconds to the first token of ``batch`` requests read together, on an idle server.

        Args:
            text: prompt tokens beside the images.
            images: of each request.
            height, width: pixels of each image.
            batch: requests.
        """
        batch, images = np.asarray(batch, dtype=float), np.asarray(images, dtype=float)
        encoded = self.encode_seconds(batch * images, height, width)
        prompt = self.prompt(text, images, height, width)
        work = durations.prefill(self.base.on, batch, prompt) + Work(prefill_s=encoded, prefill_steps=images > 0)
        least = bounds.prefill_seconds(self.base.bound, batch, prompt)
        return self.base.estimate(work.seconds(self.base.profile), "prefill", least)

    def capacity(self, text: ArrayLike, images: ArrayLike, height: int, width: int) -> Values:
        """Sequences of ``text`` tokens, the answer included, and ``images`` images that fit beside the encoder."""
        context = self.prompt(text, images, height, width)
        own = self.base.on.model.tower_parameters  # lies among the weights already
        return memory.capacity(self.base.on, self.base.profile.name, context, 0.0 if own else self.encoder_bytes)
