"""GenZ: a roofline of every operator with one efficiency for arithmetic and memory, and ring collectives.

Its release knows a model by name or by shape; the catalogue's shapes are given, since one spelling of Llama-3.1-70B
gets the shape of Llama-2-70B. One width serves weights, activations and cache. Steps are taken at the mean context,
which is exact for a time that grows linearly with the context.
"""

import shutil
import warnings
from functools import cache
from importlib.metadata import version

from GenZ import decode_moddeling, prefill_moddeling
from GenZ.Models import ModelConfig
from GenZ.Models.get_language_model import DATA_PATH
from rows import CannotDoError, Point, plain

from tokenomics.facts import catalogue

SYSTEMS = {"A100-SXM-40GB": "A100_40GB_GPU", "A100-SXM-80GB": "A100_80GB_GPU", "H100-SXM-80GB": "H100_GPU"}
"""GenZ's names. Its GH200 stands for no measured device, and its peak is that of sparse matrices."""
BITS = {("16", 16): "bf16", ("fp8", 8): "fp8"}
NO_ROOM = "would not fit"


class GenZ:
    """GenZ at one efficiency.

    Args:
        efficiency: share of peak arithmetic and bandwidth that is reached; 1 is its default.
    """

    source = "genz"
    version = version("genz-llm")
    reads_engine = False

    def __init__(self, efficiency: float = 1.0):
        self.efficiency = efficiency
        self.name = "genz" if efficiency == 1 else f"genz_eff{efficiency:g}"

    def prefill_ms(self, at: Point) -> float:
        """Milliseconds of the prefill of the whole batch."""
        return self._latency(prefill_moddeling, at)

    def step_ms(self, at: Point) -> float:
        """Milliseconds of a decode step at the mean context."""
        return self._latency(decode_moddeling, at, output_tokens=at.osl // 2, Bb=1)

    def max_output_tok_s(self, at: Point) -> float:
        """GenZ has no model of in-flight batching."""
        raise CannotDoError("load")

    def tidy(self) -> None:
        """Remove the file that GenZ leaves behind for every call."""
        shutil.rmtree(DATA_PATH, ignore_errors=True)

    def _latency(self, call, at: Point, **more) -> float:
        if at.accelerator not in SYSTEMS:
            raise CannotDoError("accelerator")
        if (at.weights, at.kv_bits) not in BITS:
            raise CannotDoError("precision")
        try:
            with warnings.catch_warnings(action="ignore"):
                result = call(
                    model=shape(at.model),
                    batch_size=at.batch,
                    input_tokens=at.isl,
                    system_name=SYSTEMS[at.accelerator],
                    system_eff=self.efficiency,
                    bits=BITS[at.weights, at.kv_bits],
                    tensor_parallel=at.tp,
                    parallelism_heirarchy=f"TP{{{at.tp}}}_EP{{1}}_PP{{1}}",
                    **more,
                )
        except ValueError as error:
            if NO_ROOM in str(error):
                raise CannotDoError("memory") from None
            raise
        return float(result["Latency"])


@cache
def shape(name: str) -> ModelConfig:
    """GenZ's description of a catalogued model."""
    model = plain(catalogue.model(name))
    experts = {"num_experts": model.experts, "expert_top_k": model.experts_per_token} if model.is_moe else {}
    return ModelConfig(
        model=model.name,
        vocab_size=model.vocab,
        hidden_size=model.d_model,
        intermediate_size=int(model.expert_width if model.is_moe else model.d_ff),
        num_ffi=2 if model.gated_mlp else 1,
        num_decoder_layers=model.layers,
        num_attention_heads=model.heads,
        num_key_value_heads=int(model.kv_heads),
        head_dim=model.head_dim,
        **experts,
    )
