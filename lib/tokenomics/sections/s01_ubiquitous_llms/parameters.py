"""Parameters of notebook ``01_ubiquitous_llms``: type, bounds, default, unit and meaning."""

from typing import ClassVar, Self

from pydantic import Field, model_validator

from tokenomics.errors import DataError
from tokenomics.parameters.types import AcceleratorName, Common, ModelName, ProductName, Year


class Parameters(Common):
    """How fast have size, training compute, context, speed and token price moved?"""

    notebook: ClassVar[str] = "01_ubiquitous_llms"

    first_year: Year = Field(2018, description="[year] first release year on the figures")
    last_year: Year = Field(2026, description="[year] last release year on the figures")
    frontier_rank: int = Field(
        3,
        ge=1,
        le=50,
        description="[1] a release is at the frontier if fewer releases than this were as large by its day",
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
        description="[names] open-weight models whose prices are drawn through time",
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

    @model_validator(mode="after")
    def _years_hold_releases(self) -> Self:
        from tokenomics.facts import history

        if self.first_year >= self.last_year:
            raise DataError("parameters", "first_year", self.first_year, f"before last_year = {self.last_year}")
        if history.releases(self.first_year, self.last_year).empty:
            allowed = f"a year up to {history.releases(2010, 2035)['released'].max():%Y}, the last of the tables"
            raise DataError("parameters", "first_year", self.first_year, allowed)
        return self
