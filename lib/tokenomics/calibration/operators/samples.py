"""Reads the package's tables into samples: inputs of a formula, measured seconds, and what was measured."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import metadata, resources
from pathlib import Path

import numpy as np
import pandas as pd

from tokenomics.compute.operators.fitted import COLLECTIVES
from tokenomics.facts import tables

PACKAGE = "aiconfigurator-core"
SEED = 20261124
MOST_ROWS = 2000
"""Most rows of a sample; more would not change the second digit of a parameter."""
FOLDS = 3
MAIN_SHARE = 0.15
"""Kernels with a smaller share of an engine's rows serve odd shapes only."""
TABLES = {
    "gemm": ("gemm", "gemm_perf"),
    "prefill_attention": ("attention", "context_attention_perf"),
    "decode_attention": ("attention", "generation_attention_perf"),
    "decode_attention_mha": ("attention", "generation_attention_perf"),
    "prefill_mla": ("mla", "context_mla_perf"),
    "decode_mla": ("mla", "generation_mla_perf"),
    "expert_gemm": ("moe", "moe_perf"),
    "all_reduce": ("comm", "custom_allreduce_perf"),
    "all_to_all": ("comm", "nccl_perf"),
    "elementwise": ("quantize", "scale_matrix_perf"),
}
WEIGHT_TYPES = {
    "bfloat16": "bf16",
    "fp8": "fp8",
    "fp8_block": "fp8_block",
    "nvfp4": "nvfp4",
    "sq": "int8",
    "int8_wo": "int8_weight",
    "int4_wo": "int4_weight",
    "w4a16_mxfp4": "mxfp4_weight",
    "w4a8_mxfp4_mxfp8": "mxfp4_mxfp8",
}
CACHE_TYPES = {("bfloat16", "bfloat16"): "bf16", ("bfloat16", "fp8"): "bf16_kv8", ("fp8", "fp8"): "fp8"}
LARGEST_GROUP = 32
"""Query heads a key head; with more, TensorRT-LLM falls back to a kernel that reads the cache once a query head."""
UNGATED_HIDDEN, UNGATED_TOP_K = 2688, 22
"""Nemotron-3's experts have no gate."""


@dataclass(frozen=True)
class System:
    """A system of the package, a row of ``data/calibration/systems.csv``.

    Attributes:
        name: the package's.
        accelerator: the catalogue's name.
        multiprocessors: streaming multiprocessors (Xe cores for Intel).
        cache_bytes: last-level cache; it shapes how warm measurements are read, not what is predicted for serving.
    """

    name: str
    accelerator: str
    multiprocessors: int
    cache_bytes: float


@cache
def systems() -> tuple[System, ...]:
    """All systems, in alphabetical order."""
    rows = tables.read("calibration/systems").itertuples()
    return tuple(System(r.system, r.accelerator, int(r.multiprocessors), float(r.cache_bytes)) for r in rows)


@dataclass(frozen=True)
class Sample:
    """Measured rows of one kernel.

    Attributes:
        accelerator, operator, dtype, engine, engine_version, kernel: what was measured.
        main: the kernel with most rows of its engine and data type.
        compute_units: multiprocessors.
        cache_bytes: last-level cache.
        inputs: arguments of the operator's formula, one array each.
        seconds: measured time of a call.
        group: number of the group of shapes that a fold holds out together.
    """

    accelerator: str
    operator: str
    dtype: str
    engine: str
    engine_version: str
    kernel: str
    main: bool
    compute_units: int
    cache_bytes: float
    inputs: Mapping[str, np.ndarray]
    seconds: np.ndarray
    group: np.ndarray

    def rows(self, chosen: np.ndarray) -> "Sample":
        """The same kernel with the chosen rows (a mask or indices)."""
        inputs = {key: value[chosen] for key, value in self.inputs.items()}
        return replace(self, inputs=inputs, seconds=self.seconds[chosen], group=self.group[chosen])


def package_version() -> str:
    """Version of the installed package."""
    return metadata.version(PACKAGE)


def samples(system: System, operator: str) -> Iterator[Sample]:
    """Samples of an operator on a system, by engine, data type and kernel; none where it was not measured."""
    family, table = TABLES[operator]
    folder = system_folder(system) / family
    for engine in (COLLECTIVES,) if operator == "all_to_all" else ("sglang", "trtllm", "vllm"):
        path = newest(folder.glob(f"{engine}/*/{table}.parquet"))
        if path is None:
            continue
        frame = PREPARE[operator](pd.read_parquet(path))
        frame = frame[frame["dtype"].notna() & (frame["seconds"] > 0)]
        for dtype, rows in frame.groupby("dtype", sort=True):
            yield from _kernels(system, operator, engine, str(dtype), rows)


def system_folder(system: System) -> Path:
    """Where the package keeps a system's tables."""
    return Path(str(resources.files("aiconfigurator_core"))) / "systems" / "data" / system.name


def newest(candidates: Iterable[Path]) -> Path | None:
    """The table, in a folder named by its version, of the newest version at least half as long as the longest."""
    import pyarrow.parquet

    lengths = {path: pyarrow.parquet.read_metadata(path).num_rows for path in candidates}
    complete = [path for path, rows in lengths.items() if 2 * rows >= max(lengths.values())]
    return max(complete, key=lambda path: [int(each) for each in re.findall(r"\d+", path.parent.name)], default=None)


def _kernels(system: System, operator: str, engine: str, dtype: str, rows: pd.DataFrame) -> Iterator[Sample]:
    """Samples of an engine's kernels: experts have one each, GEMMs and collectives one of all, others the main one."""
    counts = rows["kernel_source"].value_counts()
    counts = counts[counts >= MAIN_SHARE * len(rows)].sort_index().sort_values(ascending=False, kind="stable")
    pooled = operator in ("gemm", "all_reduce", "all_to_all")
    sets = [list(counts.index)] if pooled else [[each] for each in counts.index]
    for place, names in enumerate(sets[: None if operator == "expert_gemm" else 1]):
        kept = rows[rows["kernel_source"].isin(names)]
        inputs = [each for each in kept if each not in ("dtype", "seconds", "kernel_source", "version", "group")]
        kept = (
            kept.groupby([*inputs, "group"], as_index=False)["seconds"].median().assign(version=kept["version"].iloc[0])
        )
        if len(kept) > MOST_ROWS:
            kept = kept.sample(MOST_ROWS, random_state=SEED).sort_index()
        yield Sample(
            *(system.accelerator, operator, dtype, engine, str(kept["version"].iloc[0]), "+".join(sorted(names))),
            main=place == 0,
            compute_units=system.multiprocessors,
            cache_bytes=system.cache_bytes,
            inputs={each: kept[each].to_numpy(dtype=float) for each in inputs},
            seconds=kept["seconds"].to_numpy(dtype=float),
            group=_groups(kept, inputs[0]),
        )


def _groups(kept: pd.DataFrame, first: str) -> np.ndarray:
    """Numbers of the groups that are held out together; where there are too few shapes, values of the first input."""
    column = "group" if kept["group"].nunique() >= FOLDS else first
    return pd.factorize(kept[column], sort=True)[0]


def _frame(raw: pd.DataFrame, dtype: pd.Series, group: list[str], **inputs: pd.Series) -> pd.DataFrame:
    name = raw[group].astype(str).agg("/".join, axis=1) if len(raw) else pd.Series(dtype=str)
    kept = {"dtype": dtype, "kernel_source": raw["kernel_source"], "version": raw["version"], "group": name}
    return pd.DataFrame({**kept, "seconds": raw["latency"] * 1e-3, **inputs})


def _gemm(raw: pd.DataFrame) -> pd.DataFrame:
    raw = raw[(raw["n"] >= 256) & (raw["k"] >= 256)]
    return _frame(raw, raw["gemm_dtype"].map(WEIGHT_TYPES), ["n", "k"], m=raw["m"], n=raw["n"], k=raw["k"])


def _cache_types(raw: pd.DataFrame, arithmetic: str) -> pd.Series:
    pairs = zip(raw[arithmetic], raw["kv_cache_dtype"], strict=True)
    return pd.Series([CACHE_TYPES.get(pair) for pair in pairs], index=raw.index, dtype=object)


def _heads(raw: pd.DataFrame) -> dict[str, pd.Series]:
    window = raw["window_size"] if "window_size" in raw else pd.Series(0, index=raw.index)
    return {
        "batch": raw["batch_size"],
        "heads": raw["num_heads"],
        "kv_heads": raw[["num_key_value_heads", "num_heads"]].min(axis=1),
        "head_dim": raw["head_dim"],
        "window": window.where(window > 0, np.inf),
    }


def _prefill(raw: pd.DataFrame) -> pd.DataFrame:
    raw = raw[raw["head_dim"] <= 256]
    group = ["num_heads", "num_key_value_heads", "head_dim"]
    return _frame(raw, _cache_types(raw, "attn_dtype"), group, tokens=raw["isl"], **_heads(raw))


def _decode(raw: pd.DataFrame, grouped: bool) -> pd.DataFrame:
    """Rows whose query heads share key heads, or those with a key head each: engines have a kernel for either."""
    raw = raw[(raw["head_dim"] <= 256) & (raw["num_heads"] <= LARGEST_GROUP * raw["num_key_value_heads"])]
    raw = raw[(raw["num_heads"] > raw["num_key_value_heads"]) == grouped]
    group = ["num_heads", "num_key_value_heads", "head_dim"]
    return _frame(raw, _cache_types(raw, "attn_dtype"), group, context=raw["step"] + 1, **_heads(raw))


def _latent(raw: pd.DataFrame, **inputs: pd.Series) -> pd.DataFrame:
    inputs = {"batch": raw["batch_size"], "heads": raw["num_heads"], **inputs}
    return _frame(raw, _cache_types(raw, "mla_dtype"), ["num_heads"], **inputs)


def _experts(raw: pd.DataFrame) -> pd.DataFrame:
    gated = (raw["hidden_size"] != UNGATED_HIDDEN) & (raw["topk"] != UNGATED_TOP_K)
    raw = raw[gated & raw["distribution"].isin(["balanced", "power_law_1.2"])]
    return _frame(
        raw,
        raw["moe_dtype"].map(WEIGHT_TYPES),
        ["hidden_size", "inter_size", "topk", "num_experts"],
        tokens=raw["num_tokens"],
        hidden=raw["hidden_size"],
        width=raw["inter_size"] / raw["moe_tp_size"],
        experts=raw["num_experts"],
        top_k=raw["topk"],
        expert_parallel=raw["moe_ep_size"],
        skewed=(raw["distribution"] != "balanced").astype(float),
    )


def _all_reduce(raw: pd.DataFrame) -> pd.DataFrame:
    """The table counts a message in elements of two bytes, whatever its column is called."""
    raw = raw[~raw["kernel_source"].str.contains("eager")]
    dtype = raw["allreduce_dtype"].map({"bfloat16": "bf16"})
    return _frame(raw, dtype, ["message_size"], message=2 * raw["message_size"], devices=raw["num_gpus"])


def _all_to_all(raw: pd.DataFrame) -> pd.DataFrame:
    """A device's whole message, counted in elements of two bytes as in :func:`_all_reduce`."""
    raw = raw[raw["op_name"] == "alltoall"]
    dtype = raw["nccl_dtype"].map({"half": "bf16"})
    return _frame(raw, dtype, ["message_size"], message=2 * raw["message_size"], devices=raw["num_gpus"])


def _elementwise(raw: pd.DataFrame) -> pd.DataFrame:
    """Quantising 16-bit activations to 8 bits: two bytes read and one written per element."""
    raw = raw[raw["quant_dtype"] == "fp8"]
    return _frame(raw, pd.Series("bf16", index=raw.index), ["k"], moved_bytes=3 * raw["m"] * raw["k"])


PREPARE = {
    "gemm": _gemm,
    "prefill_attention": _prefill,
    "decode_attention": lambda raw: _decode(raw, grouped=True),
    "decode_attention_mha": lambda raw: _decode(raw, grouped=False),
    "prefill_mla": lambda raw: _latent(raw, tokens=raw["isl"]),
    "decode_mla": lambda raw: _latent(raw, context=raw["step"] + 1),
    "expert_gemm": _experts,
    "all_reduce": _all_reduce,
    "all_to_all": _all_to_all,
    "elementwise": _elementwise,
}
