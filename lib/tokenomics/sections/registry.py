"""Every parameter of every notebook: type, bounds, default, unit and meaning.

The files ``params/*.yaml`` hold the values in use, ``params/schema/*.json`` lets an editor check them, and each
notebook's ``parameters`` cell repeats name and default; all three are generated from, or tested against, this module.
Descriptions start with the unit in brackets.
"""

from pydantic import Field

from tokenomics.parameters.types import (
    AcceleratorName,
    AcceleratorNames,
    Bits,
    Common,
    ModelName,
    ModelNames,
    PriceList,
    ProductName,
    Year,
)
from tokenomics.sections.s02_rag_vs_finetuning.parameters import RagVsFinetuning
from tokenomics.sections.s05_tokenomics_qoe.parameters import TokenomicsQoE


class UbiquitousLLMs(Common):
    """How fast have size, training compute, context, speed and token price moved?"""

    first_year: Year = Field(2018, description="[year] first release year on the figures")
    last_year: Year = Field(2026, description="[year] last release year on the figures")
    frontier_rank: int = Field(
        10,
        ge=1,
        le=50,
        description="[1] a release is at the frontier while its training compute is among this many largest so far",
    )
    bootstrap_samples: int = Field(1000, ge=100, le=100_000, description="[1] resamples behind each interval")
    task_prompt_words: float = Field(750.0, gt=0, le=1e6, description="[word] English words a task sends to the model")
    task_answer_words: float = Field(250.0, gt=0, le=1e6, description="[word] English words a task reads back")
    task_reasoning_words: float = Field(
        1500.0, ge=0, le=1e6, description="[word] words a reasoning model thinks before it answers, billed as output"
    )
    task_models: list[ProductName] = Field(
        [
            "GPT-4",
            "GPT-4 Turbo",
            "GPT-4o",
            "o1",
            "o3",
            "GPT-5",
            "GPT-5.5",
            "DeepSeek-R1",
            "Llama-3.1-70B",
            "Gemini 2.5 Pro",
        ],
        min_length=1,
        description="[names] products whose price for the task is compared, as in prices_api.csv",
    )
    price_models: list[ProductName] = Field(
        ["Llama-2-70B", "Mixtral-8x7B", "Llama-3.1-8B", "Llama-3.1-70B", "Llama-3.1-405B"],
        min_length=1,
        max_length=6,
        description="[names] open weights whose offers are followed through time",
    )
    flagship_models: list[ProductName] = Field(
        ["GPT-4", "GPT-4 Turbo", "GPT-4o", "GPT-5", "GPT-5.5"],
        min_length=2,
        description="[names] one vendor's successive main products, as in prices_api.csv",
    )
    input_share: float = Field(0.75, ge=0, le=1, description="[1] share of input tokens in a blended price")
    own_model: ModelName = Field(
        "Llama-3.1-70B",
        description="[name or path] model marked on the size figures; a config.json or YAML works too",
    )
    own_accelerator: AcceleratorName = Field(
        "H100-SXM-80GB",
        description="[name or path] accelerator marked on the hardware figures; a YAML works too",
    )


class ManyModels(Common):
    """Shared by notebooks that set many models against many accelerators and follow one of each."""

    models: ModelNames = Field(
        [
            "GPT-3-175B",
            "Llama-2-7B",
            "Llama-2-70B",
            "Llama-3.1-8B",
            "Llama-3.1-70B",
            "Llama-3.1-405B",
            "Mixtral-8x7B",
            "Mixtral-8x22B",
            "DeepSeek-V3",
            "gpt-oss-20b",
            "gpt-oss-120b",
            "Qwen3-30B-A3B",
            "Qwen3-235B-A22B",
            "Kimi-K2",
        ],
        min_length=1,
        max_length=20,
        description="[names or paths] models of the tables",
    )
    own_model: ModelName = Field(
        "Llama-3.1-70B", description="[name or path] model followed through the notebook; a config.json works too"
    )
    own_accelerator: AcceleratorName = Field(
        "H100-SXM-80GB", description="[name or path] accelerator followed through the notebook; a YAML works too"
    )


class TrainingXPUs(ManyModels):
    """How many xPUs, for how long, to train or tune a model; what limits it?"""

    accelerators: AcceleratorNames = Field(
        [
            "V100-SXM-32GB",
            "A100-SXM-80GB",
            "L40S",
            "H100-SXM-80GB",
            "H200-SXM-141GB",
            "B200-SXM-180GB",
            "MI300X",
            "TPU-v5p",
            "Gaudi3",
            "Ascend-910C",
            "Apple-M2-Ultra-76-core",
            "Jetson-AGX-Orin-64GB",
        ],
        min_length=1,
        max_length=12,
        description="[names or paths] accelerators of the tables",
    )
    followed_models: ModelNames = Field(
        ["Llama-3.1-8B", "Llama-3.1-70B", "GPT-3-175B", "Llama-3.1-405B", "DeepSeek-V3"],
        min_length=1,
        max_length=6,
        description="[names or paths] models drawn as lines",
    )
    tokens: float = Field(1e12, gt=0, le=1e16, description="[token] training tokens; days are proportional to them")
    sequence_tokens: int = Field(4096, ge=1, le=10_000_000, description="[token] length of a training sequence")
    published_sequence_tokens: int = Field(
        2048,
        ge=1,
        le=10_000_000,
        description="[token] sequence length in the floors of published runs, no longer than any of theirs",
    )
    fp8_runs: list[str] = Field(
        ["DeepSeek-V3", "Llama 4 Maverick", "Llama 4 Scout"],
        description="[names] published runs whose floor takes the 8-bit peak: their developers trained in FP8",
    )
    days: float = Field(30.0, gt=0, le=10_000, description="[day] time in which a run must end")
    largest_fleet: int = Field(100_000, ge=10, le=10_000_000, description="[1] most devices on the figure")
    lora_rank: int = Field(16, ge=1, le=4096, description="[1] rank of adapters when tuning")


class InferenceXPUs(ManyModels):
    """How many xPUs to serve a model; prefill, decode, memory: what limits it?"""

    accelerators: AcceleratorNames = Field(
        [
            "A100-SXM-80GB",
            "L40S",
            "H100-SXM-80GB",
            "H200-SXM-141GB",
            "B200-SXM-180GB",
            "MI300X",
            "TPU-v5p",
            "Gaudi3",
            "Apple-M2-Ultra-76-core",
            "Jetson-AGX-Orin-64GB",
            "Snapdragon-8-Gen-3",
        ],
        min_length=1,
        max_length=12,
        description="[names or paths] accelerators of the tables",
    )
    followed_models: ModelNames = Field(
        ["Llama-3.1-8B", "Llama-3.1-70B", "DeepSeek-V3", "gpt-oss-120b"],
        min_length=1,
        max_length=5,
        description="[names or paths] models drawn as lines",
    )
    followed_accelerators: AcceleratorNames = Field(
        ["A100-SXM-80GB", "H100-SXM-80GB", "B200-SXM-180GB", "MI300X", "TPU-v5p"],
        min_length=1,
        max_length=6,
        description="[names or paths] accelerators drawn as lines",
    )
    weight_bits: Bits = Field(
        8, description="[bit] bits per weight, multiplied in the fastest data type of at least that width"
    )
    kv_bits: Bits = Field(16, description="[bit] bits per cached key or value")
    engine: str = Field(
        "vLLM 0.19",
        max_length=100,
        description="[name] engine as published, with its version; a profile of its own where one was measured",
    )
    prompt_tokens: int = Field(1024, ge=1, le=10_000_000, description="[token] prompt of a request")
    output_tokens: int = Field(256, ge=1, le=10_000_000, description="[token] answer of a request")
    batch: int = Field(32, ge=1, le=100_000, description="[1] sequences served together")
    largest_batch: int = Field(1024, ge=2, le=100_000, description="[1] largest batch on the figures")
    context_tokens: int = Field(131_072, ge=2, le=10_000_000, description="[token] longest context on the figures")
    node_devices: int = Field(8, ge=1, le=256, description="[1] devices of the group whose times are drawn, at least")
    most_tpot_ms: float = Field(
        50.0, gt=0, le=10_000, description="[ms] time per output token that a user accepts, for prices and layouts"
    )
    price_list: PriceList = Field(
        "skypilot_catalog", description="[key] source of the rents: one list, so that prices are of one time"
    )
    layout_model: ModelName = Field("DeepSeek-V3", description="[name or path] model whose layouts are searched")
    layout_accelerator: AcceleratorName = Field("H200-SXM-141GB", description="[name or path] xPU of the search")
    layout_devices: int = Field(16, ge=1, le=1024, description="[1] devices of the search, all copies together")
    draft_model: ModelName = Field("Llama-3.2-1B", description="[name or path] model that drafts for the own model")
    acceptances: list[float] = Field([0.6, 0.7, 0.8], min_length=1, description="[1] shares of drafts accepted")
    adapter_rank: int = Field(16, ge=1, le=4096, description="[1] rank of each of many adapters")
    image_pixels: int = Field(1024, ge=1, le=16_384, description="[pixel] side of an image in a prompt")


class Validation(Common):
    """How far off are all these numbers, and compared with other tools?"""

    least_rows: int = Field(30, ge=5, le=1000, description="[1] fewest rows of a group that is shown")
    band: float = Field(0.1, gt=0, le=1, description="[1] relative error that counts as near")
    far_factor: float = Field(2.0, gt=1, le=100, description="[1] a row off by more than this factor gets a reason")
    drawn_rows: int = Field(600, ge=10, le=5000, description="[1] most rows of a source and quantity that are drawn")
    worst_rows: int = Field(10, ge=1, le=100, description="[1] rows in the table of the worst")


COMMON_FILE = "00_common"
NOTEBOOK_PARAMETERS: dict[str, type[Common]] = {
    "01_ubiquitous_llms": UbiquitousLLMs,
    "02_rag_vs_finetuning": RagVsFinetuning,
    "03_training_xpus": TrainingXPUs,
    "04_inference_xpus": InferenceXPUs,
    "05_tokenomics_qoe": TokenomicsQoE,
    "08_validation": Validation,
}
