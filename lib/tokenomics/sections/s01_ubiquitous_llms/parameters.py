"""Parameters of notebook ``01_ubiquitous_llms``: type, bounds, default, unit and meaning."""

from typing import Annotated, ClassVar, Self

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
        1500.0,
        ge=0,
        le=1e6,
        description="[word] assumed: words a reasoning model thinks before it answers, billed as output",
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
    score_levels: list[Annotated[float, Field(gt=0, le=100)]] = Field(
        [68, 82, 84.7],
        min_length=1,
        max_length=4,
        description="[%] scores on MMLU at which the least price is followed; 84.7 is that of GPT-4 Turbo of 2023",
    )
    input_share: float = Field(0.75, ge=0, le=1, description="[1] share of input tokens in a blended price")
    own_model: ModelName = Field(
        "Llama-3.1-70B",
        description="[name or path] model marked on the size figure and used by the service; a config.json works",
    )
    own_accelerator: AcceleratorName = Field(
        "H100-SXM-80GB",
        description="[name or path] accelerator marked on the hardware figure and behind the service; a YAML works too",
    )

    users: float = Field(7e8, gt=0, le=1e10, description="[user] people who use a service in a week (unu_chatgpt_use)")
    messages_per_user_and_day: float = Field(
        3.57, gt=0, le=1e4, description="[1/day] messages a user sends: 2.5 billion a day by all (unu_chatgpt_use)"
    )
    message_prompt_tokens: float = Field(
        1155.0, ge=0, le=1e7, description="[token] mean prompt of a conversation (azure_llm_2023)"
    )
    message_reply_tokens: float = Field(
        211.0, gt=0, le=1e6, description="[token] mean reply of a conversation (azure_llm_2023)"
    )
    peak_share: float = Field(
        0.2,
        gt=0,
        le=1,
        description="[1] share of the 16-bit peak that a service uses on the mean of a day (deepseek_open_infra_index)",
    )
    busiest_over_mean: float = Field(
        1.5, ge=1, le=10, description="[1] assumed: load of the busiest hour over the mean"
    )
    server_over_accelerator: float = Field(
        1.5, ge=1, le=4, description="[1] assumed: power of a server over that of its accelerators"
    )
    pue: float = Field(1.25, ge=1, le=3, description="[1] assumed: power of the site over power of its computers")

    @model_validator(mode="after")
    def _years_hold_releases(self) -> Self:
        from tokenomics.facts import history

        if self.first_year >= self.last_year:
            raise DataError("parameters", "first_year", self.first_year, f"before last_year = {self.last_year}")
        if history.releases(self.first_year, self.last_year).empty:
            allowed = f"a year up to {history.releases(2010, 2035)['released'].max():%Y}, the last of the tables"
            raise DataError("parameters", "first_year", self.first_year, allowed)
        return self
