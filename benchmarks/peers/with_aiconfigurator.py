"""aiconfigurator: measured operator tables of an engine, interpolated and summed to steps.

The newest tables of the row's engine are taken; rows of other engines get those of TensorRT-LLM, the peer's default. A
model is given as a ``config.json`` made from the catalogue, with the quantisation file of an FP8 checkpoint where the
row is FP8, so that the peer itself picks the kernels.
"""

import json
import logging
import math
import tempfile
from functools import cache
from importlib.metadata import version
from pathlib import Path

from aiconfigurator.sdk.inference_session import InferenceSession
from aiconfigurator_core.sdk import common, config, models, perf_database
from aiconfigurator_core.sdk.backends.factory import get_backend
from aiconfigurator_core.sdk.errors import PerfDataNotAvailableError
from rows import CannotDoError, Point, plain

from tokenomics.facts import catalogue
from tokenomics.facts.models import Model

SYSTEMS = {
    "A100-SXM-80GB": "a100_sxm",
    "H100-SXM-80GB": "h100_sxm",
    "H200-SXM-141GB": "h200_sxm",
    "L40S": "l40s",
}
"""Systems with measured tables; its PCIe systems have none."""
ENGINES = {"TensorRT-LLM": "trtllm", "vLLM": "vllm"}
DEFAULT_ENGINE = "trtllm"
WEIGHT_ONLY = {"w8a16": "int8_wo", "w4a16": "int4_wo"}
FP8_CHECKPOINT = {"quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}}


class AIConfigurator:
    """aiconfigurator at its defaults."""

    name = "aiconfigurator"
    source = "aiconfigurator"
    version = version("aiconfigurator")
    reads_engine = True

    def __init__(self):
        logging.disable(logging.WARNING)
        self._folder = tempfile.TemporaryDirectory()

    def prefill_ms(self, at: Point) -> float:
        """Milliseconds of the prefill of the whole batch."""
        return sum(self._static(at).get_context_latency_dict().values())

    def step_ms(self, at: Point) -> float:
        """Milliseconds of a decode step, mean over the output as the peer samples it."""
        return sum(self._static(at).get_generation_latency_dict().values()) / (at.osl - 1)

    def max_output_tok_s(self, at: Point) -> float:
        """Output tokens a second at the best batch of the peer's own sweep, without a limit on latency."""
        runtime = config.RuntimeConfig(isl=at.isl, osl=at.osl, ttft=math.inf, tpot=math.inf)
        best = self.session(at).find_best_agg_result_under_constraints(runtime).get_summary_df()
        if best.empty:
            raise CannotDoError("memory")
        return float(best["tokens/s"].iloc[0])

    def tidy(self) -> None:
        """Remove the model descriptions."""
        self._folder.cleanup()

    def session(self, at: Point) -> InferenceSession:
        """The peer's session of a point's model, device, engine, layout and precision."""
        if at.accelerator not in SYSTEMS:
            raise CannotDoError("accelerator")
        engine = ENGINES.get(at.engine, DEFAULT_ENGINE)
        return session(self._described(at), SYSTEMS[at.accelerator], engine, at.tp, (at.weights, at.kv_bits))

    def _static(self, at: Point):
        runtime = config.RuntimeConfig(batch_size=at.batch, isl=at.isl, osl=at.osl)
        try:
            summary = self.session(at).run_static(runtime, "static")
        except PerfDataNotAvailableError:
            raise CannotDoError("no_data") from None
        if summary.check_oom() or summary.check_kv_cache_oom():
            raise CannotDoError("memory")
        return summary

    def _described(self, at: Point) -> str:
        """Folder with the description of the point's model."""
        folder = Path(self._folder.name) / f"{at.model}_{at.weights}"
        if not folder.exists():
            text = json.dumps(hugging_face(plain(catalogue.model(at.model))))
            folder.mkdir()
            (folder / "config.json").write_text(text, encoding="utf-8")
            if at.weights == "fp8":
                (folder / "hf_quant_config.json").write_text(json.dumps(FP8_CHECKPOINT), encoding="utf-8")
        return str(folder)


@cache
def session(folder: str, system: str, engine: str, tp: int, precision: tuple[str, int]) -> InferenceSession:
    """A session, kept for all points that differ in batch and lengths only; ``precision``: weights, bits of cache."""
    weights, kv_bits = precision
    newest = perf_database.get_latest_database_version(system, engine)
    database = perf_database.get_database(system, engine, newest)
    wanted = config.ModelConfig(tp_size=tp, moe_tp_size=tp, moe_ep_size=1)
    wanted.kvcache_quant_mode = common.KVCacheQuantMode["fp8" if kv_bits == 8 else "bfloat16"]
    if weights in WEIGHT_ONLY:
        wanted.gemm_quant_mode = common.GEMMQuantMode[WEIGHT_ONLY[weights]]
    return InferenceSession(models.get_model(folder, wanted, engine), database, get_backend(engine))


def hugging_face(model: Model) -> dict:
    """A ``config.json`` of the two architectures in which the peer takes any shape: gated MLP, dense or experts.

    Raises:
        CannotDoError: an MLP without a gate.
    """
    if not model.gated_mlp:
        raise CannotDoError("model")
    described = {
        "architectures": ["MixtralForCausalLM" if model.is_moe else "LlamaForCausalLM"],
        "num_hidden_layers": model.layers,
        "hidden_size": model.d_model,
        "num_attention_heads": model.heads,
        "num_key_value_heads": int(model.kv_heads),
        "head_dim": model.head_dim,
        "intermediate_size": int(model.expert_width if model.is_moe else model.d_ff),
        "vocab_size": model.vocab,
        "max_position_embeddings": model.context_tokens or 4096,
    }
    if model.is_moe:
        described |= {"num_local_experts": model.experts, "num_experts_per_tok": model.experts_per_token}
    return described
