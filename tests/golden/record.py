"""What must not change while code moves: numbers of deployments and simulations, and the share of rows answered.

``python -m pytest tests/golden --write-golden`` records them anew; do that only when a change of numbers is meant.
"""

import hashlib
import platform
from collections.abc import Iterator
from functools import cache
from itertools import product

import numpy as np
import pandas as pd

from tokenomics import paths
from tokenomics.compute.inference.server import Server, server
from tokenomics.compute.layout import Layout
from tokenomics.economics import cost
from tokenomics.errors import DataError
from tokenomics.estimate import Estimate
from tokenomics.facts import catalogue, measurements
from tokenomics.rows import predict, reading
from tokenomics.sections.s05_tokenomics_qoe import case
from tokenomics.service import qoe

SEED, DEPLOYMENTS, SIMULATIONS = 7, 200, 30
MODELS = ("Llama-3.1-8B", "Llama-3.1-70B", "Qwen3-32B", "Mixtral-8x7B", "gpt-oss-120b", "Qwen3-30B-A3B", "DeepSeek-V3")
DEVICES = (
    "A100-SXM-80GB",
    "H100-SXM-80GB",
    "H200-SXM-141GB",
    "B200-SXM-180GB",
    "L40S",
    "MI300X",
    "RTX-4090",
    "TPU-v5p",
)
ENGINES = ("", "vLLM 0.3", "vLLM 0.19", "TensorRT-LLM 0.9", "TensorRT-LLM 1.2", "SGLang 0.5", "llama.cpp", "DeepSpeed")
PRECISIONS = ("bf16", "fp8", "AWQ")
LAYOUTS = ((1, 1, 1, 1), (2, 1, 1, 1), (4, 1, 1, 1), (8, 1, 1, 1), (2, 2, 1, 1), (4, 1, 2, 8), (8, 1, 2, 16))
MOST = 16, 2000
"""Sequences, and tokens of each, that are asked of a deployment at most."""
ENDS = ("value", "low", "high")
Row = dict[str, object]


@cache
def deployments() -> list[tuple[tuple, Server]]:
    """The first 200 of all combinations, shuffled by a seed, that can exist and hold what is asked."""
    every = list(product(MODELS, DEVICES, ENGINES, PRECISIONS, LAYOUTS))
    found = []
    for place in np.random.default_rng(SEED).permutation(len(every)):
        model, device, engine, precision, (tp, pp, dp, ep) = every[place]
        if (dp > 1 or ep > 1) and not catalogue.model(model).is_moe:
            continue
        try:
            layout = Layout(tp=tp, pp=pp, dp=dp, ep=ep)
            on = catalogue.model(model), catalogue.accelerator(device)
            it = server(*on, precision=precision, engine=engine, layout=layout)
            if it.capacity(MOST[1]) >= MOST[0]:
                found.append((every[place], it))
        except DataError:
            continue
        if len(found) == DEPLOYMENTS:
            break
    return found


def deployment_rows() -> Iterator[Row]:
    """TPOT, TTFT, request time, rate, memory, capacity and price of every deployment."""
    for (model, device, engine, precision, layout), it in deployments():
        row = {"model": model, "device": device, "engine": engine, "precision": precision, "layout": str(layout)}
        saturated = it.output_rate(900, 300)
        usd = cost.usd_per_mtoken(cost.on_demand(2.5), saturated, it.devices)
        row |= _ends("tpot_s", it.tpot(*MOST)) | _ends("ttft_s", it.ttft(900))
        row |= _ends("request_s", it.request(8, 500, 200)) | _ends("loaded_tpot_s", it.loaded_tpot(12, 900, 300))
        row |= _ends("loaded_ttft_s", it.loaded_ttft(12, 900, 300)) | _ends("tok_per_s", saturated)
        row |= _ends("usd_per_mtok", usd)
        row |= {"memory_bytes": _text(it.memory(4, 2000).total), "capacity": _text(it.capacity(2000))}
        yield row | {"admitted": _text(it.admitted(900, 300)), "limit": str(it.limited_by(*MOST))}


def simulated_rows() -> Iterator[Row]:
    """Saturated rate, load within an objective, and every finish time, of the first deployments that hold requests."""
    pool = case.drawn("azure_conversation_2023", 400, SEED)
    objective = qoe.Slo(4.0, 0.1, 0.9)
    done = 0
    for (model, device, engine, precision, layout), it in deployments():
        if it.capacity(6000) < 4:
            continue
        built = case.Case(it.told(max_num_seqs=64, max_num_batched_tokens=2048), pool, 200, Estimate.of(2.5))
        run = built.run(0.6 * built.saturated_rps)
        row = {"model": model, "device": device, "engine": engine, "precision": precision, "layout": str(layout)}
        row |= _ends("saturated_tok_per_s", built.saturated_tok_per_s)
        row["most_rps"] = _text(built.highest_rate(objective))
        row |= {"finish_s": _digest(run.finish_s), "first_s": _digest(run.first_s)}
        yield row | {"e2e_mean_s": _text(run.e2e_s.mean()), "ttft_p95_s": _text(np.quantile(run.ttft_s, 0.95))}
        done += 1
        if done == SIMULATIONS:
            return


def status_rows() -> Iterator[Row]:
    """How many rows of each measurement table get which answer, and a digest of the predictions."""
    for kind in measurements.KINDS:
        path = paths.DATA / "measurements" / f"{kind}.csv"
        (chunk,) = reading.chunks(path, rows=100_000)
        made = predict.predict(chunk.inputs, "best")
        for status, part in made.groupby("status", sort=True):
            digits = part[["predicted", "low", "high"]].map(lambda x: f"{x:.9g}")
            text = digits.agg(" ".join, axis=1).str.cat(sep="\n")
            yield {"table": kind, "status": status, "rows": len(part), "predictions": _hash(text.encode())}


def machine() -> str:
    """The kind of processor and the library whose sums the digits depend on."""
    from numpy._core._multiarray_umath import __cpu_features__ as features

    widths = [name for name in ("AVX2", "FMA3", "AVX512F", "AVX512_SPR", "NEON", "SVE") if features.get(name)]
    return f"{platform.machine()} {' '.join(widths)} numpy {np.__version__}\n"


def table(rows: Iterator[Row]) -> str:
    """Rows as CSV text."""
    return pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")


TABLES = {"deployments": deployment_rows, "simulations": simulated_rows, "statuses": status_rows}


def _ends(name: str, of: Estimate) -> Row:
    return {f"{name}_{end}": _text(getattr(of, end)) for end in ENDS}


def _text(number: object) -> str:
    return repr(float(number))


def _digest(values: np.ndarray) -> str:
    return _hash(np.char.mod("%.12g", values).astype("S").tobytes())


def _hash(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()[:16]
