"""Parameters of notebook 02: the task and its knowledge, what tuning, indexes and cores cost, who serves it.

What an experiment measured is read from its tables and is no parameter; prices that no table has are assumptions.
"""

from typing import ClassVar, Self

from pydantic import Field, model_validator

from tokenomics.errors import DataError
from tokenomics.parameters.types import (
    AcceleratorName,
    Common,
    EngineName,
    FormatName,
    ModelNames,
    PriceList,
    ProductName,
)


class Parameters(Common):
    """When does retrieval beat tuning: accuracy, freshness, latency, energy, money?"""

    notebook: ClassVar[str] = "02_rag_vs_finetuning"

    core_w: float = Field(5.0, gt=0, le=1000, description="[W] assumed: a busy core with its share of the server")
    usd_per_core_hour: float = Field(0.05, gt=0, le=100, description="[USD/h] assumed: rent of a core")
    question_tokens: float = Field(25.0, ge=1, le=1e5, description="[token] assumed: of a question")
    answer_tokens: float = Field(80.0, ge=1, le=1e5, description="[token] assumed: of an answer")
    instruction_tokens: float = Field(
        100.0, ge=1, le=1e5, description="[token] assumed: that every prompt starts with, unless the model is tuned"
    )
    chunk_tokens: float = Field(200.0, ge=1, le=1e5, description="[token] assumed: of a chunk")
    chunks_read: int = Field(5, ge=1, le=1000, description="[1] assumed: chunks given to a query")
    knowledge_tokens: float = Field(5e4, ge=1, le=1e12, description="[token] assumed: of the whole knowledge base")
    context_tokens: float = Field(128e3, ge=100, le=1e8, description="[token] longest prompt that is read")
    tunable_tokens: float = Field(
        1e6, ge=1, le=1e12, description="[token] assumed: most knowledge that tuning can put into the weights"
    )
    wordings: float = Field(4.0, ge=1, le=1000, description="[1] assumed: times each fact is worded for tuning")
    epochs: float = Field(3.0, ge=1, le=1000, description="[1] assumed: epochs of training")
    tuning_usd_per_mtoken: float = Field(
        25.0, gt=0, le=1e5, description="[USD/Mtoken] assumed: price of training tokens"
    )
    tuned_factor: float = Field(
        1.5, gt=0, le=100, description="[1] assumed: price of a tuned model's tokens over listed"
    )
    tuned_month_usd: float = Field(0.0, ge=0, le=1e7, description="[USD/month] assumed: to keep a tuned model ready")
    updates: float = Field(4.0, ge=0, le=1e5, description="[1/month] assumed: changes of the knowledge")
    changed: float = Field(0.05, ge=0, le=1, description="[1] assumed: share of facts that a change touches")
    products: list[ProductName] = Field(
        ["GPT-4o", "GPT-4o mini"],
        min_length=1,
        max_length=4,
        description="[names] products of prices_api.csv whose maps are drawn, at their newest list price",
    )
    price_year: int = Field(2024, ge=2010, le=2035, description="[year] newest lists that the maps may use")
    embedding_usd_per_mtoken: float = Field(0.02, ge=0, le=1e4, description="[USD/Mtoken] assumed: price of embedding")
    usd_per_gb_month: float = Field(5.0, ge=0, le=1e4, description="[USD/(GB month)] assumed: memory of an index")
    usd_per_gb_month_disk: float = Field(0.1, ge=0, le=1e4, description="[USD/(GB month)] assumed: disk of its text")
    comparisons_per_core_s: float = Field(
        2e6, gt=0, le=1e12, description="[1/s] assumed: vectors that a core compares with a question"
    )
    own_models: ModelNames = Field(
        ["Llama-3.1-8B", "Llama-3.1-70B"],
        min_length=1,
        max_length=4,
        description="[names or paths] models that are served on own devices, the last one also tuned there",
    )
    own_accelerator: AcceleratorName = Field(
        "H100-SXM-80GB", description="[name or path] accelerator it is served on; needs an offer to rent"
    )
    own_weight_format: FormatName = Field(
        "fp8", description="[name] format of the own models' weights; empty: as published, else bf16"
    )
    engine: EngineName = Field("vLLM 0.19", description="[name] engine as published, with its version")
    lora_rank: int = Field(16, ge=1, le=1024, description="[1] rank of adapters on the own models")
    tuning_mfu: float = Field(0.35, gt=0, le=1, description="[1] assumed: share of peak that tuning achieves there")
    slo_ttft_s: float = Field(1.0, gt=0, le=600, description="[s] time to the first token that is promised there")
    price_list: PriceList = Field("skypilot_catalog", description="[key] source of the rents")

    @model_validator(mode="after")
    def _have_prices_and_fit(self) -> Self:
        from tokenomics.sections.operating_points import Load, must_exist, must_have_rent
        from tokenomics.sections.s02_rag_vs_finetuning import task

        if not task.every_offer(self.price_year):
            known = [year for year in range(2010, 2036) if task.every_offer(year)]
            raise DataError("parameters", "price_year", self.price_year, f"a year of which there are lists: {known}")
        for product in self.products:
            task.newest(product, self.price_year)
        must_have_rent(self.own_accelerator, self.price_list)
        for name in self.own_models:
            load = Load(1024, self.answer_tokens, 32, self.own_weight_format, 16, self.engine)
            must_exist("own_models", name, self.own_accelerator, load)
        return self
