"""MiniLM-L6 (BERT, 6 layers) as plain tensor functions: one unit vector for each text.

Mean over the last layer's rows, as the model card asks (Reimers and Gurevych, arXiv:1908.10084).
"""

from functools import cache
from typing import Any

import torch
from torch.nn import functional

from tokenomics.experiment import packages

HEADS, EPSILON, LAYERS, LONGEST = 12, 1e-12, 6, 256


@cache
def _parts() -> tuple[dict[str, torch.Tensor], Any]:
    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    cutter = Tokenizer.from_file(str(packages.file(packages.MINILM_TOKENIZER)))
    cutter.no_padding()
    cutter.enable_truncation(LONGEST)
    return load_file(packages.file(packages.MINILM)), cutter


@torch.inference_mode()
def vectors(texts: list[str]) -> torch.Tensor:
    """Unit vectors (texts, 384); each text by itself, so that no other text changes it."""
    _, cutter = _parts()
    return torch.stack([_vector(torch.tensor(each.ids)) for each in cutter.encode_batch(texts)])


def _vector(tokens: torch.Tensor) -> torch.Tensor:
    weights, _ = _parts()

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return functional.layer_norm(x, x.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"], EPSILON)

    def linear(x: torch.Tensor, name: str) -> torch.Tensor:
        return functional.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    table = "embeddings."
    x = weights[table + "word_embeddings.weight"][tokens] + weights[table + "position_embeddings.weight"][: len(tokens)]
    x = norm(x + weights[table + "token_type_embeddings.weight"][0], table + "LayerNorm")
    for layer in range(LAYERS):
        block = f"encoder.layer.{layer}."
        q, k, v = (
            linear(x, f"{block}attention.self.{name}").view(len(x), HEADS, -1).transpose(0, 1)
            for name in ("query", "key", "value")
        )
        seen = functional.scaled_dot_product_attention(q[None], k[None], v[None])[0].transpose(0, 1).reshape(x.shape)
        x = norm(x + linear(seen, block + "attention.output.dense"), block + "attention.output.LayerNorm")
        wide = functional.gelu(linear(x, block + "intermediate.dense"))
        x = norm(x + linear(wide, block + "output.dense"), block + "output.LayerNorm")
    return functional.normalize(x.mean(0), dim=0)
