"""What is measured: every point with its shape, grouped by what it shares. Plain Python, no torch."""

import dataclasses
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

OPERATORS = ("gemm", "prefill_attention", "decode_attention", "decode_step")
WEIGHT_BYTES = {"bf16": 2, "fp8": 1}
MEMORY_SHARE = 0.88
"""Part of the memory that a point may fill; the rest is left to the context, workspaces and fragmentation."""
WEIGHT_SHARE = 0.7
"""Part of the memory that the weights of a stack of ``fit`` layers may fill, so that a cache still fits beside them."""
SEED = 0


@dataclass(frozen=True)
class Stack:
    """A decoder shaped like Llama: grouped-query attention, gated MLP, untied embeddings."""

    layers: int
    d_model: int
    d_ff: int
    heads: int
    kv_heads: int
    head_dim: int = 128
    vocab: int = 128_256

    @property
    def matrices(self) -> dict[str, tuple[int, int]]:
        """Rows and columns (outputs and inputs) of the four matrices of a layer."""
        inner = self.heads * self.head_dim
        return {
            "qkv": (inner + 2 * self.kv_heads * self.head_dim, self.d_model),
            "out": (self.d_model, inner),
            "gate_up": (2 * self.d_ff, self.d_model),
            "down": (self.d_model, self.d_ff),
        }

    @property
    def layer_elements(self) -> int:
        return sum(n * k for n, k in self.matrices.values())

    @property
    def parameters(self) -> int:
        return self.layers * (self.layer_elements + 2 * self.d_model) + (2 * self.vocab + 1) * self.d_model

    def weight_bytes(self, dtype: str) -> int:
        """Only the layers' matrices are stored in ``dtype``; embedding, output and norms stay bf16, as in engines."""
        in_layers = self.layers * self.layer_elements
        return WEIGHT_BYTES[dtype] * in_layers + 2 * (self.parameters - in_layers)

    @property
    def cache_bytes_per_token(self) -> int:
        return 4 * self.layers * self.kv_heads * self.head_dim


STACKS = {
    "8b": Stack(layers=32, d_model=4096, d_ff=14336, heads=32, kv_heads=8),
    "70b": Stack(layers=80, d_model=8192, d_ff=28672, heads=64, kv_heads=8),
    "tiny": Stack(layers=2, d_model=64, d_ff=128, heads=4, kv_heads=2, head_dim=16, vocab=256),
}


@dataclass(frozen=True)
class Point:
    """One row of the result before it is measured; a column that does not apply is None."""

    operator: str
    dtype: str
    kernel: str
    stack: Stack | None = None
    batch: int | None = None
    tokens: int | None = None
    context: int | None = None
    m: int | None = None
    n: int | None = None
    k: int | None = None
    heads: int | None = None
    kv_heads: int | None = None
    head_dim: int | None = None

    @property
    def group(self) -> tuple:
        """Points of a group share their weights, and their share of the time."""
        return self.operator, self.dtype, self.stack

    def columns(self) -> dict[str, object]:
        """Shape columns; those of a stack stand in columns of their own."""
        own = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "stack"}
        return own | (dataclasses.asdict(self.stack) if self.stack else {})

    def bytes(self) -> int:
        """Memory that one call needs at least: weights or cache, inputs, outputs."""
        if self.operator == "gemm":
            return WEIGHT_BYTES[self.dtype] * (self.n + self.m) * self.k + 2 * self.m * self.n
        if self.operator == "prefill_attention":
            return 2 * self.batch * self.tokens * self.head_dim * (2 * self.heads + 2 * self.kv_heads)
        if self.operator == "decode_attention":
            return 4 * self.batch * self.context * self.head_dim * self.kv_heads
        # Logits in bf16 are the widest activation of a decode step; twice, since argmax may copy them.
        activations = 4 * self.batch * (self.stack.vocab + 4 * self.stack.d_ff)
        cache = self.batch * self.context * self.stack.cache_bytes_per_token
        return self.stack.weight_bytes(self.dtype) + cache + activations

    def rotated_bytes(self) -> int:
        """What a call must find in memory and not in a cache: weights, keys and values, a prompt's queries."""
        if self.operator == "gemm":
            return WEIGHT_BYTES[self.dtype] * self.n * self.k
        if self.operator == "prefill_attention":
            return 2 * self.batch * self.tokens * self.head_dim * (self.heads + 2 * self.kv_heads)
        return self.bytes()

    def __str__(self) -> str:
        shape = " ".join(f"{name}={value}" for name, value in list(self.columns().items())[3:] if value is not None)
        return f"{self.operator} {self.dtype} {self.kernel} {shape}"


def parse_stack(text: str) -> tuple[Stack, bool]:
    """A stack and whether its layers are still to be cut to what fits.

    ``8b``, ``70b:40`` (only 40 layers), ``70b:fit``, or LAYERSxD_MODELxD_FFxHEADSxKV_HEADS: ``40x5120x13824x40x8``.

    Raises:
        ValueError: a text of another form, or heads that the key heads do not divide.
    """
    name, _, layers = text.strip().casefold().partition(":")
    try:
        stack = STACKS[name] if name in STACKS else Stack(*_five(name))
        if layers and layers != "fit":
            stack = dataclasses.replace(stack, layers=int(layers))
    except ValueError:
        allowed = f"{', '.join(STACKS)}, NAME:LAYERS, NAME:fit or LAYERSxD_MODELxD_FFxHEADSxKV_HEADS"
        raise ValueError(f"{text!r} is no stack; allowed: {allowed}") from None
    if min(dataclasses.astuple(stack)) < 1 or stack.heads % stack.kv_heads or stack.d_model % 16 or stack.d_ff % 16:
        raise ValueError(f"{text!r}: sizes above zero, heads a multiple of kv_heads, d_model and d_ff of 16")
    return stack, layers == "fit"


def _five(text: str) -> list[int]:
    numbers = [int(part) for part in text.split("x")]
    if len(numbers) != 5:
        raise ValueError
    return numbers


def fitted(stack: Stack, dtype: str, memory: int) -> Stack:
    """As many of the stack's layers as leave room for a cache; at least one."""
    outside = dataclasses.replace(stack, layers=0).weight_bytes(dtype)
    layer = dataclasses.replace(stack, layers=1).weight_bytes(dtype) - outside
    layers = int((WEIGHT_SHARE * memory - outside) // layer)
    return dataclasses.replace(stack, layers=max(1, min(stack.layers, layers)))


@dataclass(frozen=True)
class Grid:
    """Sizes that are combined with one another."""

    gemm_rows: tuple[int, ...]
    weights: tuple[tuple[int, int], ...]
    attention: tuple[tuple[int, int, int], ...]
    prefill: tuple[tuple[int, int], ...]
    batches: tuple[int, ...]
    contexts: tuple[int, ...]
    step_batches: tuple[int, ...]
    step_contexts: tuple[int, ...]


def _weights(*names: str) -> tuple[tuple[int, int], ...]:
    return tuple(sorted({shape for name in names for shape in STACKS[name].matrices.values()}))


FULL = Grid(
    gemm_rows=(1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 16384),
    weights=_weights("8b", "70b"),
    attention=((32, 8, 128), (64, 8, 128), (32, 32, 128)),
    prefill=tuple((b, t) for b, t in product((1, 4), (128, 512, 1024, 2048, 4096, 8192, 16384)) if b * t <= 32768),
    batches=(1, 4, 16, 64, 256),
    contexts=(128, 1024, 4096, 16384, 131072),
    step_batches=(1, 4, 16, 32, 64, 128, 256),
    step_contexts=(128, 1024, 4096, 16384, 65536),
)
TINY = Grid(
    gemm_rows=(1, 16),
    weights=_weights("tiny"),
    attention=((4, 2, 16),),
    prefill=((1, 32), (2, 16)),
    batches=(1, 2),
    contexts=(16, 64),
    step_batches=(1, 2),
    step_contexts=(16, 32),
)


def points(
    grid: Grid, stacks: Iterable[tuple[Stack, bool]], memory: int, *, kernels: tuple[str, ...], step_kernel: str
) -> Iterator[Point]:
    """Every point of the grid, whether or not it fits in memory.

    Args:
        grid: the sizes.
        stacks: decoders, each with whether its layers are cut to what fits.
        memory: bytes of the device.
        kernels: attention kernels that are measured beside one another.
        step_kernel: how the small kernels of a decode step are made (``eager`` or ``compiled``).
    """
    for dtype, kernel in (("bf16", "linear"), ("fp8", "scaled_mm")):
        for m, (n, k) in product(grid.gemm_rows, grid.weights):
            yield Point("gemm", dtype, kernel, m=m, n=n, k=k)
    for (h, kv, d), kernel in product(grid.attention, kernels):
        shape = {"heads": h, "kv_heads": kv, "head_dim": d}
        for b, t in grid.prefill:
            yield Point("prefill_attention", "bf16", kernel, batch=b, tokens=t, **shape)
        for b, c in product(grid.batches, grid.contexts):
            yield Point("decode_attention", "bf16", kernel, batch=b, context=c, **shape)
    for (stack, fit), dtype in product(stacks, WEIGHT_BYTES):
        chosen = fitted(stack, dtype, memory) if fit else stack
        for b, c in product(grid.step_batches, grid.step_contexts):
            yield Point("decode_step", dtype, step_kernel, stack=chosen, batch=b, context=c)


def grouped(chosen: Iterable[Point]) -> list[list[Point]]:
    """Points by group, shuffled within it: a run that is cut short has still seen the whole range of shapes."""
    groups: dict[tuple, list[Point]] = {}
    for point in chosen:
        groups.setdefault(point.group, []).append(point)
    for members in groups.values():
        random.Random(SEED).shuffle(members)
    return list(groups.values())
