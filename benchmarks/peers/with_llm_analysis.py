"""llm-analysis: a roofline of each layer's attention and MLP at a given efficiency, 1 by default.

The last release (0.2.2) refuses every model whose MLP is no whole multiple of its width, all Llama models among them,
unless the ratio is given as well, which is done here. Its MLP has two matrices: one with a gate is given 3/2 of the
width, which keeps weights and arithmetic of its three.
"""

import logging
from functools import cache
from importlib.metadata import version

from llm_analysis.analysis import LLMAnalysis
from llm_analysis.config import (
    ModelConfig,
    ParallelismConfig,
    dtype_configs,
    gpu_configs,
    populate_model_and_gpu_configs,
)
from rows import CannotDoError, Point, plain

from tokenomics.facts import catalogue

DEVICES = {
    "A10": "a10-pcie-28gb",
    "A100-PCIe-40GB": "a100-pcie-40gb",
    "A100-PCIe-80GB": "a100-pcie-80gb",
    "A100-SXM-40GB": "a100-sxm-40gb",
    "A100-SXM-80GB": "a100-sxm-80gb",
    "H100-PCIe-80GB": "h100-pcie-80gb",
    "H100-SXM-80GB": "h100-sxm-80gb",
    "RTX-A6000-48GB": "a6000-48gb",
}
TYPES = {"16": "w16a16e16", "fp8": "w8a8e16", "w8a16": "w8a16e16", "w4a16": "w4a16e16"}
NO_ROOM = ("too large", "to fit in")
GATED = 1.5
"""Two matrices of this width weigh as much as three of width one."""


class LLMAnalysisPeer:
    """llm-analysis at its defaults: efficiency 1 of arithmetic, memory and links."""

    name = "llm-analysis"
    source = "llm_analysis_package"
    version = version("llm-analysis")
    reads_engine = False

    def __init__(self):
        logging.getLogger("__name__").setLevel(logging.ERROR)  # the name its logger has
        populate_model_and_gpu_configs()

    def prefill_ms(self, at: Point) -> float:
        """Milliseconds of the prefill of the whole batch."""
        return 1e3 * self._summary(at)["prefill_latency"]

    def step_ms(self, at: Point) -> float:
        """Milliseconds of a decode step; the peer takes every step at the full context."""
        return 1e3 * self._summary(at)["decode_latency"]

    def max_output_tok_s(self, at: Point) -> float:
        """llm-analysis has no model of in-flight batching."""
        raise CannotDoError("load")

    def tidy(self) -> None:
        """Nothing is left behind."""

    def _summary(self, at: Point) -> dict:
        if at.accelerator not in DEVICES:
            raise CannotDoError("accelerator")
        try:
            return analysis(at.model, DEVICES[at.accelerator], TYPES[at.weights], at.tp).inference(
                batch_size_per_gpu=at.batch,
                seq_len=at.isl,
                num_tokens_to_generate=at.osl,
                kv_cache_dtype_bytes=at.kv_bits / 8,
            )
        except AssertionError as error:
            if any(words in str(error) for words in NO_ROOM):
                raise CannotDoError("memory") from None
            raise


@cache
def analysis(model: str, device: str, types: str, tp: int) -> LLMAnalysis:
    """The peer's analysis of a catalogued model on a device."""
    return LLMAnalysis(shape(model), gpu_configs[device], dtype_configs[types], ParallelismConfig(tp_size=tp))


@cache
def shape(name: str) -> ModelConfig:
    """The peer's description of a catalogued model."""
    model = plain(catalogue.model(name))
    width = (model.expert_width if model.is_moe else model.d_ff) * (GATED if model.gated_mlp else 1)
    experts = {"moe_num_experts": model.experts, "moe_top_k": model.experts_per_token} if model.is_moe else {}
    return ModelConfig(
        name=model.name,
        num_layers=model.layers,
        n_head=model.heads,
        hidden_dim=model.d_model,
        vocab_size=model.vocab,
        num_key_value_heads=int(model.kv_heads),
        ffn_embed_dim=width,
        expansion_ratio=width / model.d_model,
        **experts,
    )
