"""Decode steps of a Llama-shaped stack with random weights: embedding to the chosen token, cache written and read.

The matrices of the layers are bf16 or fp8 (activations are quantised with a fixed scale), everything else bf16.
Every replay computes the same position, so that time does not drift while it is measured.
"""

from collections.abc import Callable

import torch
from operators import FP8, decode_attention, fp8_scale, product, random
from points import Point, Stack
from torch.nn.functional import embedding, linear, rms_norm, silu


def normed(x: torch.Tensor, weight: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """RMS norm, cast to the type the next matrix wants."""
    return rms_norm(x, weight.shape, weight, 1e-5).to(dtype)


def gated(gate_up: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """The gated activation of the MLP, cast to the type the next matrix wants."""
    gate, up = gate_up.chunk(2, dim=-1)
    return (silu(gate) * up).to(dtype)


def rotated(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary position embedding of (batch, 1, heads, dim), halves rotated as in Llama's published code."""
    low, high = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-high, low), dim=-1) * sin


class Decoder:
    """Weights of a stack on a device; :meth:`calls` gives one decode step at a batch and context."""

    def __init__(self, stack: Stack, dtype: str, kernel: str, device: str):
        self.stack, self.device = stack, device
        self.dtype = FP8 if dtype == "fp8" else torch.bfloat16
        self.scales = {name: fp8_scale(k, device) for name, (_, k) in stack.matrices.items()}
        self.layers = [
            {name: self._matrix(n, k, dtype) for name, (n, k) in stack.matrices.items()}
            | {norm: torch.ones(stack.d_model, device=device, dtype=torch.bfloat16) for norm in ("before", "between")}
            for _ in range(stack.layers)
        ]
        self.embedding, self.output = (self._matrix(stack.vocab, stack.d_model, "bf16") for _ in range(2))
        self.norm = torch.ones(stack.d_model, device=device, dtype=torch.bfloat16)
        self.normed, self.gated, self.rotated = normed, gated, rotated
        if kernel == "compiled":  # engines fuse each of these into one kernel
            torch.compiler.reset()  # shapes of an earlier stack count towards the limit of compilations
            self.normed, self.gated, self.rotated = (
                torch.compile(function, dynamic=True) for function in (normed, gated, rotated)
            )

    def _matrix(self, n: int, k: int, dtype: str) -> torch.Tensor:
        weight = random(n, k, device=self.device, dtype=dtype)
        return weight if dtype == "fp8" else weight.mul_(k**-0.5)  # fp8 is scaled when it is multiplied

    def tensors(self) -> list[torch.Tensor]:
        """All weights."""
        return [self.embedding, self.output, self.norm, *(w for layer in self.layers for w in layer.values())]

    def calls(self, point: Point) -> list[Callable[[], torch.Tensor]]:
        """One call: the whole step of ``batch`` sequences whose newest token is number ``context``."""
        shape = (point.batch, point.context, self.stack.kv_heads, self.stack.head_dim)
        caches = [tuple(random(*shape, device=self.device) for _ in range(2)) for _ in self.layers]
        tokens = torch.arange(point.batch, device=self.device) % self.stack.vocab
        turn = self.turn(point.context - 1)
        return [lambda: self.step(tokens, caches, turn)]

    def turn(self, position: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Cosine and sine of the rotary embedding at a position."""
        half = torch.arange(0, self.stack.head_dim, 2, device=self.device) / self.stack.head_dim
        angle = (position / 500_000.0**half).repeat(2)
        return angle.cos().bfloat16(), angle.sin().bfloat16()

    def step(self, tokens: torch.Tensor, caches: list, turn: tuple) -> torch.Tensor:
        """The next token of every sequence."""
        return self.logits(tokens, caches, turn).argmax(dim=-1)

    def logits(self, tokens: torch.Tensor, caches: list, turn: tuple) -> torch.Tensor:
        """Logits of the next token; keys and values of this one are written to the end of the caches."""
        x = embedding(tokens, self.embedding)
        for layer, cache in zip(self.layers, caches, strict=True):
            x = x + self._attention(self.normed(x, layer["before"], self.dtype), layer, cache, turn)
            hidden = product(self.normed(x, layer["between"], self.dtype), layer["gate_up"], self.scales["gate_up"])
            x = x + product(self.gated(hidden, self.dtype), layer["down"], self.scales["down"])
        return linear(self.normed(x, self.norm, torch.bfloat16), self.output)

    def _attention(self, x: torch.Tensor, layer: dict, cache: tuple, turn: tuple) -> torch.Tensor:
        s = self.stack
        heads = product(x, layer["qkv"], self.scales["qkv"]).view(-1, 1, s.heads + 2 * s.kv_heads, s.head_dim)
        q, k, v = heads.split((s.heads, s.kv_heads, s.kv_heads), dim=2)
        for kept, new in zip(cache, (self.rotated(k, *turn), v), strict=True):
            kept[:, -1:].copy_(new)
        out = decode_attention(self.rotated(q, *turn), *cache, "flash")
        return product(out.to(self.dtype), layer["out"], self.scales["out"])
