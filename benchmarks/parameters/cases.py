"""Parameters to try: every extreme, every name of the catalogue in turn, random values and random pairs, seeded.

Nothing here knows a notebook: bounds, lists and kinds of names are read from the declarations.
"""

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any, get_args, get_origin

from pydantic import ValidationError

from tokenomics.errors import DataError
from tokenomics.facts import catalogue, engines, formats, prices, tables
from tokenomics.parameters import types
from tokenomics.parameters.types import Common
from tokenomics.sections import registry

HARD: dict[str, list[dict[str, Any]]] = {
    "01_ubiquitous_llms": [{"last_year": 2024}, {"first_year": 2018, "last_year": 2019}],
    "02_rag_vs_finetuning": [
        {"knowledge_tokens": 2e6},
        {"own_accelerator": "L40S"},
        {"own_accelerator": "B200-SXM-180GB", "own_models": ["Llama-3.1-8B"]},
        {"slo_ttft_s": 1e-3},
        {"context_tokens": 100.0},
        {"price_year": 2025},
    ],
    "03_training_xpus": [{"days": 1e-4}, {"models": ["GPT-2-124M"], "own_model": "GPT-2-124M"}],
    "04_inference_xpus": [
        {"own_model": "Mixtral-8x7B"},
        {"most_tpot_ms": 1e-3},
        {"layout_accelerator": "Snapdragon-8-Gen-3", "layout_devices": 1},
        {"draft_model": "Llama-3.1-405B"},
        {"adapter_rank": 4096, "largest_batch": 2},
        {"image_pixels": 16_384, "context_tokens": 2},
        {"own_model": "GPT-2-124M", "prompt_tokens": 512},
        {"models": ["Llama-3.1-8B"]},
        {"weight_format": "MXFP4", "own_accelerator": "A100-SXM-80GB"},
        {"weight_format": "Q4_K_M"},
        {"weight_format": "fp8", "own_accelerator": "V100-SXM-32GB"},
    ],
    "05_tokenomics_qoe": [
        {"own_model": "Mixtral-8x22B"},
        {"slo_ttft_s": 1e-3},
        {"own_accelerator": "GeForce-RTX-4090"},
        {"own_model": "Qwen3-30B-A3B", "own_accelerator": "L40S"},
        {"offered_model": "GPT-5", "task_products": ["GPT-5"]},
        {"slo_tpot_ms": 12.0},
        {"own_model": "Llama-3.1-8B", "own_accelerator": "L40S"},
        {"users_per_day": [1e12]},
        {"weight_format": "fp8"},
        {"own_model": "gpt-oss-120b", "weight_format": ""},
        {"own_accelerator": "H200-SXM-141GB"},
    ],
}
"""What ended a run once, and what leaves a section of a notebook without any feasible choice."""

QUICK: dict[str, dict[str, Any]] = {
    "01_ubiquitous_llms": {"bootstrap_samples": 100},
    "03_training_xpus": {
        "models": ["Llama-3.1-8B", "Mixtral-8x7B", "DeepSeek-V3"],
        "accelerators": ["V100-SXM-32GB", "L40S", "MI300X"],
    },
    "04_inference_xpus": {
        "models": ["Llama-3.1-8B", "Mixtral-8x7B", "DeepSeek-V3"],
        "accelerators": ["L40S", "MI300X", "Snapdragon-8-Gen-3"],
        "followed_models": ["Llama-3.1-8B", "DeepSeek-V3"],
        "followed_accelerators": ["A100-SXM-80GB", "MI300X"],
    },
    "05_tokenomics_qoe": {
        "requests": 1000,
        "peak_replicas": 1,
        "shard_replicas": 2,
        "models": ["Llama-3.1-8B", "gpt-oss-120b"],
        "accelerators": ["A100-SXM-80GB", "L40S"],
        "underused_models": ["Llama-3.1-8B"],
    },
}
"""Values that make a run short, beside every case that does not name the parameter itself."""
SEED_RANGE = (0, 2**32 - 1)
RANDOM = 50
"""Random single values, and random pairs, of each notebook."""
SOME = 4


def drawn(notebook: str, seed: int = 1) -> list[dict[str, Any]]:
    """Sets of overrides that the declaration allows. First the hard ones, then in turns, each in a seeded
    order: an extreme of a parameter, a random value, a random pair, a name (for lists: some names) of the catalogue."""
    declared = registry.declared(notebook)
    source = random.Random(f"{notebook} {seed}")
    kinds = [list(_extremes(declared, source)), list(_names(declared, source))]
    kinds += [[_randoms(declared, many, source) for _ in range(RANDOM)] for many in (1, 2)]
    for cases in kinds:
        source.shuffle(cases)
    found: list[dict[str, Any]] = []
    turns = itertools.chain.from_iterable(itertools.zip_longest(*kinds))
    for case in [*HARD.get(notebook, []), *turns]:
        if case and case not in found and allowed(declared, QUICK.get(notebook, {}) | case):
            found.append(case)
    return [QUICK.get(notebook, {}) | each for each in found]


def allowed(declared: type[Common], overrides: dict[str, Any]) -> bool:
    """Whether the declaration takes these values beside its defaults."""
    try:
        declared(**overrides)
    except (DataError, ValidationError):
        return False
    return True


def _extremes(declared: type[Common], source: random.Random) -> Iterator[dict[str, Any]]:
    for key, field in declared.model_fields.items():
        if get_origin(field.annotation) is list:
            yield from ({key: _list(field, many, source)} for many in sorted(set(_sizes(field))))
        elif not _known_names(field):
            yield from ({key: field.annotation(end)} for end in _bounds(field))


def _names(declared: type[Common], source: random.Random) -> Iterator[dict[str, Any]]:
    for key, field in declared.model_fields.items():
        names = _known_names(field)
        source.shuffle(names)
        if get_origin(field.annotation) is list:
            many = min(SOME, _sizes(field)[1])
            yield from ({key: some} for some in _batches(names, many))
        else:
            yield from ({key: name} for name in names)


def _batches(names: list[Any], many: int) -> Iterator[list[Any]]:
    return (names[start : start + many] for start in range(0, len(names), many))


def _randoms(declared: type[Common], many: int, source: random.Random) -> dict[str, Any]:
    return {key: _random(declared, key, source) for key in source.sample(list(declared.model_fields), many)}


def _random(declared: type[Common], key: str, source: random.Random) -> Any:
    field = declared.model_fields[key]
    if get_origin(field.annotation) is list:
        return _list(field, source.randint(*_sizes(field)), source)
    return _one(field, field.annotation, source)


def _list(field: Any, many: int, source: random.Random) -> list[Any]:
    names = _known_names(field)
    if names:
        return source.sample(names, min(many, len(names)))
    (kind,) = get_args(field.annotation)
    if kind is str:
        return list(field.default)[:many]
    low, high = min(field.default), max(field.default)
    return [kind(low + (high - low) * source.random()) for _ in range(many)]


def _sizes(field: Any) -> tuple[int, int]:
    least = next((each.min_length for each in field.metadata if hasattr(each, "min_length")), 0)
    most = next((each.max_length for each in field.metadata if hasattr(each, "max_length")), None)
    return least, most or max(len(field.default), 6)


def _one(field: Any, kind: type, source: random.Random) -> Any:
    names = _known_names(field)
    if names:
        return source.choice(names)
    low, high = _bounds(field)
    if low > 0 and high / low > 100:
        return kind(low * (high / low) ** source.random())
    return kind(low + (high - low) * source.random())


def _bounds(field: Any) -> tuple[float, float]:
    """Ends of the allowed values; just inside where the end itself is not allowed."""
    bounds = {
        word: getattr(each, word)
        for each in field.metadata
        for word in ("ge", "gt", "le", "lt")
        if getattr(each, word, None) is not None
    }
    if "ge" not in bounds and "gt" not in bounds:
        return SEED_RANGE
    high = bounds.get("le", bounds["lt"] * (1 - 1e-3) if "lt" in bounds else SEED_RANGE[1])
    return bounds.get("ge", bounds["gt"] + 1e-6 * min(high, 1e3) if "gt" in bounds else 0), high


def _known_names(field: Any) -> list[Any]:
    """Everything that a parameter of names, or of widths, may be; empty for other kinds."""
    for check, known in KNOWN:
        if check in field.metadata:
            return known()
    inner = get_args(field.annotation)
    for each in inner:
        for check, known in KNOWN:
            if check in getattr(each, "__metadata__", ()):
                return known()
    return []


def _check(annotated: Any) -> Any:
    return next(each for each in annotated.__metadata__ if type(each).__name__ == "AfterValidator")


def _column(table: str, column: str) -> Callable[[], list[str]]:
    return lambda: sorted(set(tables.read(table)[column].dropna()))


KNOWN: list[tuple[Any, Callable[[], list[Any]]]] = [
    (_check(types.ModelName), lambda: sorted(catalogue.models())),
    (_check(types.ModelNames), lambda: sorted(catalogue.models())),
    (_check(types.AcceleratorName), lambda: sorted(catalogue.accelerators())),
    (_check(types.AcceleratorNames), lambda: sorted(catalogue.accelerators())),
    (_check(types.Bits), lambda: list(types.WIDTHS)),
    (_check(types.FormatName), lambda: ["", *(each.name for each in formats.formats())]),
    (_check(types.EngineName), lambda: sorted({each.name for each in engines.engines()})),
    (_check(types.PriceList), lambda: sorted({each.source for each in prices.rental_prices()})),
    (_check(types.ProductName), _column("catalogue/prices_api", "model")),
    (_check(types.WorkloadName), _column("workloads/arrivals", "workload")),
    (_check(types.TokenizerName), _column("catalogue/tokenizers", "tokenizer")),
]
