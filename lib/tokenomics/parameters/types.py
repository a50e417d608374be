"""The types that parameters are declared with: names that must be catalogued, widths, years, and the strict base."""

from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tokenomics.errors import DataError

WIDTHS = (4, 8, 16)
Year = Annotated[int, Field(ge=2010, le=2035)]


def _is_catalogued(kind: str):
    """A known name, or a file: given as a path that means the same from every working directory."""

    def check(name: str) -> str:
        from tokenomics.facts import catalogue

        try:
            getattr(catalogue, kind)(name)
            return catalogue.portable(name)
        except DataError as error:
            raise ValueError(f"{error.key} {error.value}: {error.allowed}") from None

    return AfterValidator(check)


def _are_catalogued(kind: str):
    single = _is_catalogued(kind)
    return AfterValidator(lambda names: [single.func(name) for name in names])


def _is_width(bits: int) -> int:
    if bits not in WIDTHS:
        raise ValueError(f"one of {', '.join(map(str, WIDTHS))}")
    return bits


def _is_priced(name: str) -> str:
    import difflib

    from tokenomics.facts import tables

    known = sorted(set(tables.read("catalogue/prices_api")["model"]))
    if name not in known:
        near = ", ".join(difflib.get_close_matches(name, known, 4, cutoff=0.4)) or "see prices_api.csv"
        raise ValueError(f"a product of prices_api.csv; nearest: {near}")
    return name


ModelName = Annotated[str, _is_catalogued("model"), Field(json_schema_extra={"lookup": "models"})]
AcceleratorName = Annotated[str, _is_catalogued("accelerator"), Field(json_schema_extra={"lookup": "xpus"})]
ModelNames = Annotated[list[str], _are_catalogued("model"), Field(json_schema_extra={"lookup": "models"})]
AcceleratorNames = Annotated[list[str], _are_catalogued("accelerator"), Field(json_schema_extra={"lookup": "xpus"})]
Bits = Annotated[int, AfterValidator(_is_width), Field(json_schema_extra={"enum": list(WIDTHS)})]


def _is_price_list(key: str) -> str:
    from tokenomics.facts import prices

    known = sorted({offer.source for offer in prices.rental_prices()})
    if key not in known:
        raise ValueError(f"a source of prices_rental.csv: {', '.join(known)}")
    return key


def _is_engine(text: str) -> str:
    from tokenomics.facts import engines

    try:
        engines.known(text)
    except DataError as error:
        raise ValueError(error.allowed) from None
    return text


def _is_format(text: str) -> str:
    from difflib import get_close_matches

    from tokenomics.facts import formats

    if text and formats.named(text) is None:
        names = {each.name.casefold(): each.name for each in formats.formats()}
        near = get_close_matches(text.casefold(), names, 3, cutoff=0.4) or ["bf16", "fp8", "nvfp4", "mxfp4", "q4_k_m"]
        known = ", ".join(names.get(each, each) for each in near)
        raise ValueError(f"a format of weight_formats.csv, or empty for the published one; nearest: {known}")
    return text


EngineName = Annotated[str, AfterValidator(_is_engine), Field(max_length=100)]
FormatName = Annotated[str, AfterValidator(_is_format), Field(max_length=100)]
ProductName = Annotated[str, AfterValidator(_is_priced)]
PriceList = Annotated[str, AfterValidator(_is_price_list)]


class Strict(BaseModel):
    """Strict and frozen: a misspelt key, another type or an out-of-range value is an error."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class Common(Strict):
    """Shared by all notebooks.

    Attributes:
        notebook: ``NN_name`` of the notebook that a declaration belongs to; empty for what all share.
    """

    notebook: ClassVar[str] = ""

    seed: int = Field(20240911, ge=0, description="[1] seed of every random draw")
    coverage: float = Field(0.8, gt=0, lt=1, description="[1] nominal coverage of every interval")


def _is_workload(name: str) -> str:
    from tokenomics.facts import tables

    known = sorted(tables.read("workloads/arrivals")["workload"])
    if name not in known:
        raise ValueError(f"a workload of data/workloads with arrivals: {', '.join(known)}")
    return name


def _is_tokenizer(name: str) -> str:
    from tokenomics.facts import tables

    known = sorted(set(tables.read("catalogue/tokenizers")["tokenizer"]))
    if name not in known:
        raise ValueError(f"a tokenizer of tokenizers.csv: {', '.join(known)}")
    return name


WorkloadName = Annotated[str, AfterValidator(_is_workload)]
TokenizerName = Annotated[str, AfterValidator(_is_tokenizer)]


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
