"""Which architectures are counted. Deny by default: any other is refused by its name, with what is missing.

An architecture is the class that a configuration names under ``architectures``, and the ``model_type`` of its text
part. The types that are counted are those of :data:`~tokenomics.facts.huggingface.config.TRAITS`; a type belongs to the
class of the same name (``llama`` to ``LlamaForCausalLM``) and to those of :data:`ALSO`. Names and parts were read in
the package ``transformers``, 5.23.0, and in the configurations themselves.
"""

import difflib
import re

from tokenomics.errors import DataError
from tokenomics.facts.huggingface import states
from tokenomics.facts.huggingface.config import TRAITS, Config

HEADS_OF_WORDS = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel")

# Classes whose text part has a type of another name.
ALSO = {
    "RW": ("falcon",),
    "LLaMA": ("llama",),
    "InternLM": ("llama",),
    "Yi": ("llama",),
    "Aquila": ("llama",),
    "BaiChuan": ("baichuan",),
    "BailingMoeLinearV2": ("bailing_moe_linear",),
    "BailingMoeV2": ("bailing_moe",),
    "ChatGLMModel": ("chatglm",),
    "DBRX": ("dbrx",),
    "DeepseekV3": ("kimi_k2",),
    "Gemma4UnifiedText": ("gemma4_text",),
    "Grok1": ("grok1",),
    "Grok1Model": ("grok1",),
    "HunYuan": ("hunyuan_v1_moe",),
    "HunYuanDenseV1": ("hunyuan_v1_dense",),
    "HunYuanMoEV1": ("hunyuan_v1_moe",),
    "KimiK25": ("kimi_k2", "deepseek_v3"),
    "KimiK3": ("kimi_linear",),
    "MiniMaxM1": ("minimax_m1",),
    "MiniMaxText01": ("minimax_text_01",),
    "Mllama": ("mllama_text_model",),
    "MiniMaxM3Sparse": ("minimax_m3",),
    "Ministral": ("mistral",),
    "Step3p7Flash": ("step3p7",),
    "QWen": ("qwen",),
    "Qwen2VL": ("qwen2_vl_text",),
    "Qwen2_5_VL": ("qwen2_5_vl_text",),
    "Glm4vMoe": ("glm4v_moe_text",),
    "StableLMEpoch": ("stablelm",),
}

# Classes that put a tower before a text model of any known type, which stands in the configuration for itself.
WRAPPERS = (
    *("AyaVisionForConditionalGeneration", "DeepseekVLV2ForCausalLM", "Idefics3ForConditionalGeneration"),
    *("InternVLChatModel", "InternVLForConditionalGeneration", "KimiVLForConditionalGeneration"),
    *("LlavaForConditionalGeneration", "LlavaNextForConditionalGeneration", "LlavaOnevisionForConditionalGeneration"),
    *("Mistral3ForConditionalGeneration", "PaliGemmaForConditionalGeneration", "SmolVLMForConditionalGeneration"),
)

# Model types under which some configurations of a class are published.
RENAMED = {
    "git": "grok1",
    "minimax_m3_vl": "minimax_m3",
    "minimax_text01": "minimax_text_01",
    "bailing_hybrid": "bailing_moe_linear",
    "hunyuan": "hunyuan_v1_moe",
    "stablelm_epoch": "stablelm",
    "InternLM": "llama",
    "internlm": "llama",
    "aquila": "llama",
    "Yi": "llama",
}

STATE_SPACE = "state-space layers are not counted here"
LINEAR = "linear attention layers are not counted here"
RECURRENT_LAYERS = "recurrent layers are not counted here"
CONVOLUTION = "convolution layers are not counted here"
ENCODER_DECODER = "an encoder-decoder is not counted"
ENCODER = "encoder-only models are not read"
CROSS = "cross-attention layers are not counted here"
UNEVEN = "layers of unlike widths are not counted"
RESIDUAL = "a dense MLP beside the experts is not counted here"
UNKNOWN = "not known to be counted right"

# What is missing, by the name of the class without its head, or of the model type (letters and digits alone count).
MISSING = {
    STATE_SPACE: "Zamba Zamba2 PLaMo2 Hymba Samba Phi4Flash Phi4MiniFlash",
    LINEAR: "BailingMoeV2_5 RetNet GatedDeltaNet JetNemotron",
    RECURRENT_LAYERS: "Rwkv Rwkv5 Rwkv6 Rwkv7 xLSTM",
    CONVOLUTION: "StripedHyena Evo Evo2",
    ENCODER_DECODER: "T5 MT5 UMT5 LongT5 SwitchTransformers T5Gemma Bart MBart Pegasus Whisper M2M100 Marian",
    ENCODER: "Bert Roberta XLMRoberta Deberta DebertaV2 DistilBert Electra Albert ModernBert MPNet NomicBert",
    UNEVEN: "DeciLM Deci NemotronNAS OpenELM",
    "layers inside other layers are not counted": "Gemma3n Gemma3nText",
    "experts that do nothing are not counted": "LongcatFlash",
    "attention with factored queries is not counted": "Step3 Step3Text Step3VL",
}

# The same, by a field that only such models set, unless the type is one that is counted with it.
FIELDS = {
    "is_encoder_decoder": ENCODER_DECODER,
    "cross_attention_layers": CROSS,
    "add_cross_attention": CROSS,
    **dict.fromkeys(
        ("mamba_d_state", "mamba_d_conv", "mamba_d_ssm", "mamba_expand", "ssm_cfg", "state_size"), STATE_SPACE
    ),
    **dict.fromkeys(("attn_layer_indices", "attn_layer_period", "hybrid_layer_ids"), STATE_SPACE),
    **dict.fromkeys(("attn_type_list", "layer_group_size"), LINEAR),
    "lru_width": RECURRENT_LAYERS,
    "conv_L_cache": CONVOLUTION,
    "block_configs": UNEVEN,
    "residual_moe": RESIDUAL,
    "num_kv_shared_layers": "caches that layers share are not counted",
    "hidden_size_per_layer_input": "embeddings in every layer are not counted",
    "compress_ratios": "compressed caches are not counted",
}
COUNTED = {
    STATE_SPACE: states.MAMBA1 + states.MAMBA2,
    LINEAR: states.LIGHTNING,
    RECURRENT_LAYERS: states.RECURRENT,
    CONVOLUTION: states.CONVOLUTIONS,
    CROSS: ("mllama_text_model",),
    RESIDUAL: ("grok1",),
}
"""Types that are counted with what :data:`FIELDS` says."""

# The same, by the head that the name of a class ends with.
OTHER_HEADS = {
    "ForMaskedLM": ENCODER,
    "ForSequenceClassification": "a classifier is not counted",
    "ForTokenClassification": "a classifier is not counted",
    "ForQuestionAnswering": "a classifier is not counted",
    "RewardModel": "a reward model is not counted",
    "Model": "a model without a head of words is not counted",
}

OF_A_BENCHMARK = ("request_throughput", "output_throughput", "mean_ttft_ms", "median_ttft_ms", "mean_tpot_ms")


def known_type(config: Config) -> str:
    """The model type of a configuration, in the spelling of ``TRAITS``.

    Raises:
        DataError: an architecture that is not counted, named with what is missing; or no architecture at all.
    """
    classes = _classes(config)
    if not classes and not config.type:
        _refuse_no_architecture(config)
    name = next((each for each in classes if not _types_of(each)), classes[0] if classes else config.type)
    types = _types_of(name) if classes else [each for each in TRAITS if _plain(each) == _plain(config.type)]
    found = _spelled(config.type, types) if config.type else (types[0] if types else "")
    missing, field = _missing(config, name, found)
    if missing or found not in types:
        _refuse(config, name, missing or (f"not known of type {found}" if types and found else UNKNOWN), field)
    return found


def _spelled(given: str, types: list[str]) -> str:
    """A model type in the spelling of ``TRAITS``, if it is among ``types``."""
    known = RENAMED.get(given, given)
    return next((each for each in types if _plain(each) == _plain(known)), given)


def _classes(config: Config) -> list[str]:
    named = config.get("architectures", default=[])
    if not isinstance(named, list) or not all(isinstance(each, str) for each in named):
        raise DataError(config.where, "architectures", named, "a list of class names, such as LlamaForCausalLM")
    return named


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.removesuffix("_text").lower())


def _stem(name: str) -> str:
    """A class without its head, or a type as it is: what :data:`MISSING` names."""
    for head in (*HEADS_OF_WORDS, *OTHER_HEADS):
        name = name.removesuffix(head)
    return name


def _types_of(name: str) -> list[str]:
    """The known model types that the text part of a class may have; none for a class that is not counted."""
    head = next((each for each in HEADS_OF_WORDS if name.endswith(each)), None)
    if name in WRAPPERS:
        return list(TRAITS)
    stem = name.removesuffix(head or "")
    if head is None:
        return list(ALSO.get(stem, ()))
    own = [each for each in TRAITS if _plain(each) == _plain(stem)]
    return list(dict.fromkeys((*own, *ALSO.get(stem, ()))))


def _missing(config: Config, name: str, found: str) -> tuple[str, str]:
    """What of an architecture is not counted, as far as its names and fields tell, and the field that tells it."""
    stems = {_plain(_stem(name)), _plain(_stem(config.type))}
    named = next((reason for reason, each in MISSING.items() if stems & set(map(_plain, each.split()))), "")
    set_fields = (each for each in FIELDS if config.get(each) not in (None, False, [], 0) and not _idle(config, each))
    field = next((each for each in set_fields if found not in COUNTED.get(FIELDS[each], ())), "")
    headed = ""
    if not name.endswith(HEADS_OF_WORDS) and not _types_of(name):
        headed = next((reason for head, reason in OTHER_HEADS.items() if name.endswith(head)), "")
    return named or FIELDS.get(field, "") or headed, "" if named else field


def _idle(config: Config, field: str) -> bool:
    """A list of mixers that names attention alone (MiniMax-M2), or groups of one layer."""
    given = config.get(field)
    if field == "attn_type_list":
        return isinstance(given, list) and all(each == 1 for each in given)
    return field == "layer_group_size" and given == 1


def _refuse(config: Config, name: str, reason: str, field: str) -> None:
    """Name the architecture, what is missing, and what would be read instead."""
    near = difflib.get_close_matches(_plain(_stem(name)), [_plain(each) for each in TRAITS], 2, cutoff=0.6)
    known = ", ".join(each for each in TRAITS if _plain(each) in near) or "llama, mistral, qwen3, deepseek_v3 ..."
    without = f" without {field}" if field else ""
    allowed = (
        f"an architecture that is counted{without}, nearest: {known}; or a YAML of our columns (layers, d_model ...)"
    )
    raise DataError(config.where, "architecture", f"{name}: {reason}", allowed)


def _refuse_no_architecture(config: Config) -> None:
    allowed = "a config.json with architectures and model_type, or our columns (layers, d_model ...)"
    measured = next((each for each in OF_A_BENCHMARK if each in config.values), None)
    if measured:
        raise DataError(config.where, "file", f"the result of a benchmark (has {measured})", allowed)
    raise DataError(config.where, "architecture", "missing", allowed)
