"""Parameters of notebook ``04_inference_xpus``: type, bounds, default, unit and meaning."""

from typing import ClassVar, Self

from pydantic import Field, model_validator

from tokenomics.parameters.types import (
    AcceleratorName,
    AcceleratorNames,
    Bits,
    EngineName,
    FormatName,
    ManyModels,
    ModelName,
    ModelNames,
    PriceList,
)


class Parameters(ManyModels):
    """How many xPUs to serve a model; prefill, decode, memory: what limits it?"""

    notebook: ClassVar[str] = "04_inference_xpus"

    accelerators: AcceleratorNames = Field(
        [
            "A100-SXM-80GB",
            "L40S",
            "H100-SXM-80GB",
            "H200-SXM-141GB",
            "B200-SXM-180GB",
            "B300-SXM-288GB",
            "MI300X",
            "MI355X",
            "TPU-v5p",
            "TPU-v6e",
            "Gaudi3",
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
    weight_format: FormatName = Field(
        "",
        description="[name] of the weights: bf16, fp8, nvfp4, AWQ, Q4_K_M ...; empty: as published, else bf16",
    )
    kv_bits: Bits = Field(16, description="[bit] bits per cached key or value")
    engine: EngineName = Field(
        "vLLM 0.19",
        description="[name] engine as published, with its version; a profile of its own where one was measured",
    )
    prompt_tokens: int = Field(1024, ge=1, le=10_000_000, description="[token] prompt of a request")
    output_tokens: int = Field(256, ge=1, le=10_000_000, description="[token] answer of a request")
    batch: int = Field(32, ge=1, le=100_000, description="[1] sequences served together")
    largest_batch: int = Field(1024, ge=2, le=100_000, description="[1] largest batch on the figures")
    context_tokens: int = Field(131_072, ge=2, le=10_000_000, description="[token] longest context on the figures")
    node_devices: int = Field(8, ge=1, le=256, description="[1] devices of the replica whose times are drawn, at least")
    most_tpot_ms: float = Field(
        50.0, gt=0, le=10_000, description="[ms] time per output token that a user accepts, for prices and layouts"
    )
    price_list: PriceList = Field(
        "skypilot_catalog", description="[key] source of the rents: one list, so that prices are of one time"
    )
    layout_model: ModelName = Field("DeepSeek-V3", description="[name or path] model whose layouts are searched")
    layout_accelerator: AcceleratorName = Field("H200-SXM-141GB", description="[name or path] xPU of the search")
    layout_devices: int = Field(16, ge=1, le=1024, description="[1] devices of the search, all replicas together")
    draft_model: ModelName = Field("Llama-3.2-1B", description="[name or path] model that drafts for the own model")
    acceptances: list[float] = Field([0.6, 0.7, 0.8], min_length=1, description="[1] shares of drafts accepted")
    adapter_rank: int = Field(16, ge=1, le=4096, description="[1] rank of each of many adapters")
    image_pixels: int = Field(1024, ge=1, le=16_384, description="[pixel] side of an image in a prompt")

    @model_validator(mode="after")
    def _replica_can_exist(self) -> Self:
        from tokenomics.sections.operating_points import Load, must_exist

        requests = self.prompt_tokens, self.output_tokens, self.batch
        load = Load(*requests, self.weight_format, self.kv_bits, self.engine)
        must_exist("own_model", self.own_model, self.own_accelerator, load, self.node_devices)
        return self
