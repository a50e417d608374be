"""Parameters of notebook 05: who serves what to whom, at which prices, promising what.

Prices and powers of a machine of one's own are assumptions, named so; rents come from a list.
"""

from typing import ClassVar, Self

from pydantic import Field, model_validator

from tokenomics.parameters.types import (
    AcceleratorName,
    AcceleratorNames,
    Bits,
    Common,
    EngineName,
    FormatName,
    ModelName,
    ModelNames,
    PriceList,
    ProductName,
    TokenizerName,
    WorkloadName,
)


class Parameters(Common):
    """What does a million tokens cost at a given experience; rent, buy or API?"""

    notebook: ClassVar[str] = "05_tokenomics_qoe"

    own_model: ModelName = Field(
        "Llama-3.1-70B",
        description="[name or path] model followed through the notebook, of equal layers with full attention",
    )
    own_accelerator: AcceleratorName = Field(
        "H100-SXM-80GB", description="[name or path] accelerator followed through the notebook; needs an offer to rent"
    )
    models: ModelNames = Field(
        ["Llama-3.1-8B", "Llama-3.1-70B", "gpt-oss-120b", "Qwen3-235B-A22B", "DeepSeek-V3"],
        min_length=1,
        max_length=6,
        description="[names or paths] models of the price-speed figure",
    )
    accelerators: AcceleratorNames = Field(
        ["A100-SXM-80GB", "L40S", "H100-SXM-80GB", "H200-SXM-141GB", "B200-SXM-180GB"],
        min_length=1,
        max_length=6,
        description="[names or paths] accelerators of the price-speed figure; those without a rent are left out",
    )
    underused_models: ModelNames = Field(
        ["Qwen3-30B-A3B", "Mixtral-8x7B", "Llama-3.1-8B", "Llama-3.1-70B"],
        min_length=1,
        max_length=6,
        description="[names or paths] models whose price at low load is compared",
    )
    weight_format: FormatName = Field(
        "",
        description="[name] of the weights: bf16, fp8, nvfp4, AWQ, Q4_K_M ...; empty: as published, else bf16",
    )
    kv_bits: Bits = Field(16, description="[bit] bits per cached key or value")
    engine: EngineName = Field("vLLM 0.19", description="[name] engine as published, with its version")
    node_devices: int = Field(4, ge=1, le=256, description="[1] devices of the own replica, at least")
    frontier_devices: int = Field(
        8, ge=1, le=64, description="[1] most devices of a replica on the price-speed figures"
    )
    max_batch: int = Field(256, ge=2, le=1024, description="[1] requests that an engine runs together, at most")
    max_tokens: int = Field(2048, ge=64, le=65_536, description="[token] tokens of a step of chunked prefill, at most")
    workload_name: WorkloadName = Field(
        "azure_conversation_2023", description="[name] workload of data/workloads whose lengths are served"
    )
    requests: int = Field(4000, ge=1000, le=20_000, description="[1] requests of each simulation")
    slo_ttft_s: float = Field(1.0, gt=0, le=600, description="[s] time to the first token that is promised")
    slo_tpot_ms: float = Field(50.0, gt=0, le=10_000, description="[ms] time per later token that is promised")
    slo_share: float = Field(0.95, gt=0, lt=1, description="[1] share of requests that must keep each promise")
    offered_model: ProductName = Field(
        "Llama-3.1-70B", description="[name] product of prices_api.csv whose offers of 2024 stand for the same quality"
    )
    task_products: list[ProductName] = Field(
        ["Llama-3.1-70B", "GPT-4o", "GPT-4o mini", "o1"],
        min_length=1,
        description="[names] products of prices_api.csv at whose offers of 2024 a task is priced",
    )
    task_reasoning_tokens: float = Field(
        1500.0, ge=0, le=1e6, description="[token] assumed: hidden tokens of a task on a model that reasons"
    )
    tokenizer: TokenizerName = Field("llama_3", description="[name] tokenizer that turns words read into tokens")
    price_list: PriceList = Field(
        "skypilot_catalog", description="[key] source of the rents: one list, so that prices are of one time"
    )
    reserved_discount: float = Field(
        0.3, ge=0, lt=1, description="[1] assumed: off the on-demand price for a year's term"
    )
    reserved_used_share: float = Field(1.0, gt=0, le=1, description="[1] assumed: share of a term that is wanted")
    spot_interruptions_per_hour: float = Field(0.05, ge=0, le=10, description="[1/h] assumed: spot accelerators lost")
    spot_lost_hours: float = Field(0.25, ge=0, le=24, description="[h] assumed: paid hours lost by each interruption")
    spot_fallback_share: float = Field(0.1, ge=0, le=1, description="[1] assumed: hours in which no spot is to be had")
    purchase_usd: float = Field(
        35_000.0, gt=0, le=1e6, description="[USD] assumed: an accelerator with its share of server and network"
    )
    purchase_years: float = Field(4.0, gt=0, le=20, description="[year] assumed: years of depreciation")
    interest: float = Field(0.08, ge=0, le=1, description="[1/year] assumed: on money tied up")
    space_usd_per_kw_month: float = Field(120.0, ge=0, le=2000, description="[USD/(kW month)] assumed: hall")
    people_usd_per_year: float = Field(500.0, ge=0, le=1e5, description="[USD/year] assumed: hands, an accelerator")
    team_usd_per_year: float = Field(
        300_000.0, ge=0, le=1e8, description="[USD/year] assumed: a team for machines of one's own, however many"
    )
    maintenance_share: float = Field(0.04, ge=0, le=1, description="[1/year] assumed: repairs, share of the purchase")
    usd_per_kwh: float = Field(0.1, gt=0, le=2, description="[USD/kWh] assumed: electricity")
    pue: float = Field(1.25, ge=1, le=3, description="[1] assumed: power of the site over power of its computers")
    busy_share_of_tdp: float = Field(0.8, gt=0, le=1, description="[1] assumed: power of a busy accelerator over TDP")
    idle_share_of_tdp: float = Field(0.15, ge=0, le=1, description="[1] assumed: power of an idle accelerator over TDP")
    host_w: float = Field(300.0, ge=0, le=5000, description="[W] assumed: share of a host, per accelerator")
    users_per_day: list[float] = Field(
        [1e3, 1e4, 1e5, 1e6, 1e7], min_length=1, max_length=8, description="[1] users a day of the capacity plans"
    )
    requests_per_user: float = Field(10.0, gt=0, le=1e4, description="[1] assumed: requests of a user a day")
    day_swing: float = Field(
        0.5, ge=0, le=0.95, description="[1] synthetic: peak and trough of a day over its mean, less one"
    )
    day_peak_hour: float = Field(15.0, ge=0, le=24, description="[h] synthetic: hour of the peak")
    peak_replicas: int = Field(3, ge=1, le=64, description="[1] replicas that serve the peak of the simulated day")
    scale_headroom: float = Field(
        0.8, gt=0, le=1, description="[1] share of the requests a replica bears from which another one is started"
    )
    scale_start_s: float = Field(120.0, ge=0, le=86_400, description="[s] assumed: until a started replica serves")
    arranged_replicas: int = Field(4, ge=2, le=32, description="[1] replicas whose arrangements are compared; even")
    handover_bytes_per_s: float = Field(
        50e9, gt=0, le=1e15, description="[byte/s] assumed: at which a replica hands a prompt's cache to another"
    )
    spares: int = Field(1, ge=0, le=100, description="[1] replicas of a plan that may fail (N + 1)")
    prompts_per_day: float = Field(2.5e9, gt=0, le=1e12, description="[1] prompts a day of the large fleet")
    shard_replicas: int = Field(8, ge=1, le=64, description="[1] replicas of the largest shard that is simulated")
    spare_share: float = Field(0.05, ge=0, le=1, description="[1] assumed: spare replicas of the large fleet")

    @model_validator(mode="after")
    def _replica_can_be_had(self) -> Self:
        from tokenomics.sections.operating_points import Load, must_exist, must_have_rent
        from tokenomics.service import workload

        must_have_rent(self.own_accelerator, self.price_list)
        some = workload.workload(self.workload_name).draw(1000, seed=self.seed, prefixes=False)
        load = Load(
            some.input_tokens.mean(), some.output_tokens.mean(), 32, self.weight_format, self.kv_bits, self.engine
        )
        must_exist("own_model", self.own_model, self.own_accelerator, load, self.node_devices)
        return self
