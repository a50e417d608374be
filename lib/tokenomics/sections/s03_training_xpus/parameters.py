"""Parameters of notebook ``03_training_xpus``: type, bounds, default, unit and meaning."""

from typing import ClassVar

from pydantic import Field

from tokenomics.parameters.types import AcceleratorNames, ManyModels, ModelNames


class Parameters(ManyModels):
    """How many xPUs, for how long, to train or tune a model; what limits it?"""

    notebook: ClassVar[str] = "03_training_xpus"

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
        le=2048,
        description="[token] sequence length in the bounds of published runs, no longer than any of theirs",
    )
    fp8_runs: list[str] = Field(
        ["DeepSeek-V3", "Llama 4 Maverick", "Llama 4 Scout"],
        description="[names] published runs whose bound takes the 8-bit peak: their developers trained in FP8",
    )
    days: float = Field(30.0, gt=0, le=10_000, description="[day] time in which a run must end")
    largest_fleet: int = Field(100_000, ge=10, le=10_000_000, description="[1] most devices on the figure")
    lora_rank: int = Field(16, ge=1, le=4096, description="[1] rank of adapters when tuning")
