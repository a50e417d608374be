"""Single operators as lists of calls, each call on a buffer of its own: weights and caches are read from memory.

Inputs are random numbers, not zeros: a board draws less power, and so clocks higher, on zeros. Activations are not
rotated, since the operator before has just written them.
"""

from collections.abc import Callable

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import linear, scaled_dot_product_attention

BACKENDS = {"flash": SDPBackend.FLASH_ATTENTION, "cudnn": SDPBackend.CUDNN_ATTENTION}
FP8 = torch.float8_e4m3fn


def random(*shape: int, device: str, dtype: str = "bf16") -> torch.Tensor:
    """Normal numbers of standard deviation 1 (fp8 holds up to 448)."""
    values = torch.randn(*shape, device=device, dtype=torch.bfloat16)
    return values.to(FP8) if dtype == "fp8" else values


def product(x: torch.Tensor, weight: torch.Tensor, scale: torch.Tensor | None = None) -> torch.Tensor:
    """``x`` times the transposed weight, in bf16; fp8 with one scale for each tensor and fast accumulation."""
    if weight.dtype != FP8:
        return linear(x, weight)
    return torch._scaled_mm(x, weight.t(), scale_a=scale, scale_b=scale, out_dtype=torch.bfloat16, use_fast_accum=True)


def fp8_scale(k: int, device: str) -> torch.Tensor:
    """Scale of both factors: products of ``k`` normal numbers come out about one, and fit into fp8 again."""
    return torch.tensor(k**-0.25, device=device)


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, kernel: str, causal: bool) -> torch.Tensor:
    """Attention on (batch, tokens, heads, dim) with the named kernel only: torch must not fall back to a slow one."""
    with sdpa_kernel(BACKENDS[kernel]):
        out = scaled_dot_product_attention(
            *(x.transpose(1, 2) for x in (q, k, v)), is_causal=causal, enable_gqa=q.shape[2] != k.shape[2]
        )
    return out.transpose(1, 2)


def decode_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, kernel: str) -> torch.Tensor:
    """One new token a sequence: query heads that share a key head become rows, so each key is read once."""
    batch, _, heads, dim = q.shape
    rows = q.reshape(batch, k.shape[2], heads // k.shape[2], dim).transpose(1, 2)
    return attention(rows, k, v, kernel, causal=False).transpose(1, 2).reshape(batch, heads * dim)


def gemm_calls(point, copies: int, device: str) -> list[Callable[[], torch.Tensor]]:
    """Activations (m x k) times weights (n x k); fp8 activations are already quantised."""
    x = random(point.m, point.k, device=device, dtype=point.dtype)
    scale = fp8_scale(point.k, device)
    weights = [random(point.n, point.k, device=device, dtype=point.dtype) for _ in range(copies)]
    return [lambda w=w: product(x, w, scale) for w in weights]


def prefill_attention_calls(point, copies: int, device: str) -> list[Callable[[], torch.Tensor]]:
    """Causal attention of a prompt over itself."""

    def tensor(heads: int) -> torch.Tensor:
        return random(point.batch, point.tokens, heads, point.head_dim, device=device)

    inputs = [(tensor(point.heads), tensor(point.kv_heads), tensor(point.kv_heads)) for _ in range(copies)]
    return [lambda qkv=qkv: attention(*qkv, point.kernel, causal=True) for qkv in inputs]


def decode_attention_calls(point, copies: int, device: str) -> list[Callable[[], torch.Tensor]]:
    """One new token of each sequence over ``context`` cached ones, itself included."""
    q = random(point.batch, 1, point.heads, point.head_dim, device=device)
    shape = (point.batch, point.context, point.kv_heads, point.head_dim)
    caches = [(random(*shape, device=device), random(*shape, device=device)) for _ in range(copies)]
    return [lambda kv=kv: decode_attention(q, *kv, point.kernel) for kv in caches]


CALLS = {
    "gemm": gemm_calls,
    "prefill_attention": prefill_attention_calls,
    "decode_attention": decode_attention_calls,
}
