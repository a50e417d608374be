"""Throw broken input at what users feed in, and count tracebacks and impossible answers: there must be none.

    python benchmarks/fuzz/campaign.py              # 10,000 rows, 2,000 parameter files, 500 of each kind of file
    python benchmarks/fuzz/campaign.py --share 0.01 --seed 7

A traceback is any exception but a one-line refusal. An answer is impossible if a row is ``ok`` without a finite number
above zero, outside its interval, or with an interval of no width. What goes wrong is printed with what caused it.
"""

import argparse
import csv
import io
import json
import math
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tokenomics import paths
from tokenomics.errors import TokenomicsError

SEED = 20261130
COUNTS = {"rows": 10_000, "parameters": 2_000, "tables": 500, "notebooks": 500, "configurations": 500}
BATCH = 500
"""Rows of one file."""
HEADER = (
    *("model", "hardware", "n_gpu", "tp", "pp", "dp", "ep", "precision", "kv_precision", "isl", "osl", "load", "batch"),
    *("rate_qps", "requests", "metric", "unit", "value", "engine", "seq_len", "global_batch_seq", "tokens_b", "pue"),
    "grid_kgco2_per_kwh",
)
USUAL: dict[str, tuple[Any, ...]] = {
    "model": ("Llama-3.1-8B", "Llama-3.1-70B", "Mixtral-8x7B", "DeepSeek-V3", "Qwen2.5-7B", "Gemma-2-9B", "GPT-J-6B"),
    "hardware": ("H100 SXM 80GB", "A100 SXM 80GB", "L40S", "MI300X", "TPU v5e", "RTX 4090", "B200", "T4"),
    "n_gpu": (1, 1, 1, 2, 4, 8, 8, 16, 64),
    "tp": ("", "", 1, 2, 4, 8),
    "pp": ("", "", "", 1, 2),
    "dp": ("", "", "", 1, 2),
    "ep": ("", "", "", 1, 8),
    "precision": ("", "fp16", "bf16", "fp8", "int8", "int4", "AWQ", "fp4"),
    "kv_precision": ("", "", "fp8"),
    "isl": (1, 17, 128, 500, 2048, 8000, 120_000),
    "osl": (1, 2, 20, 128, 512, 2000),
    "load": ("", "static", "static", "closed", "closed", "open", "max", "mlperf_offline", "production"),
    "batch": ("", 1, 4, 32, 256),
    "rate_qps": ("", 0.1, 1, 5, 30, "inf"),
    "requests": ("", "", 50, 300),
    "engine": ("", "vLLM 0.6.3", "vLLM 0.19", "SGLang 0.4", "TensorRT-LLM 0.14", "llama.cpp", "mine"),
    "unit": ("",),
    "value": ("", 1, 35.5, 900),
    "seq_len": ("", 2048, 4096),
    "global_batch_seq": ("", 1, 512),
    "tokens_b": ("", 1, 300),
    "pue": ("", 1.1),
    "grid_kgco2_per_kwh": ("", 0.4),
}
ODD = (
    *("", " ", "nan", "NaN", "inf", "-inf", "-1", "0", "-0", "0.5", "1e-300", "1e300", "1e-7", "1e9", "1e6", "9" * 400),
    *("1,5", "1,234", "1.234,5", "1_000", "0x10", "1e", "--", "?", "many", "TRUE", "None", "null", "é", "漢字", "\x00"),
    *("a\nb", 'say "so"', "=1+1", "#", "../../etc/passwd", "none.yaml", "x" * 3000, "⅓", "१२", "TPOT", "furlong", "GB"),
    *("ms", "s", "tok/s", "samples/s", "tok/s/GPU", "%", "3", "7", "1000000", "10000000", "100000"),
)
VALUES = (
    *(None, True, False, 0, -1, 1, 2, 0.5, -0.0, 1e-300, 1e300, 1e9, 10**18, 1 << 9000, "", " ", "x", "1e400", "yes"),
    *("é\x07", "~", "nan", [], [1], [[]], [-1, "a"], {}, {"a": 1}, ["x"] * 50, "9" * 50, "2020-01-01"),
    *(float("nan"), float("inf"), -float("inf")),
)
CONFIGURATIONS = (
    {
        **{"model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32},
        **{"num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256, "tie_word_embeddings": False},
        "max_position_embeddings": 131072,
    },
    {
        **{"model_type": "deepseek_v3", "hidden_size": 7168, "num_hidden_layers": 61, "num_attention_heads": 128},
        **{
            "kv_lora_rank": 512,
            "q_lora_rank": 1536,
            "qk_nope_head_dim": 128,
            "qk_rope_head_dim": 64,
            "v_head_dim": 128,
        },
        **{"n_routed_experts": 256, "n_shared_experts": 1, "num_experts_per_tok": 8, "moe_intermediate_size": 2048},
        **{"intermediate_size": 18432, "first_k_dense_replace": 3, "vocab_size": 129280, "num_key_value_heads": 128},
    },
    {
        **{"model_type": "gemma2", "hidden_size": 3584, "num_hidden_layers": 42, "num_attention_heads": 16},
        **{"num_key_value_heads": 8, "head_dim": 256, "intermediate_size": 14336, "vocab_size": 256000},
        **{"sliding_window": 4096, "layer_types": ["sliding_attention", "full_attention"] * 21},
    },
    {
        **{"model_type": "mixtral", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32},
        **{"num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 32000, "num_local_experts": 8},
        **{"num_experts_per_tok": 2, "sliding_window": None, "text_config": None},
    },
    {"layers": 12, "d_model": 768, "heads": 12, "kv_heads": 12, "d_ff": 3072, "vocab": 50257, "gated_mlp": False},
)


class Findings:
    """What was tried and what went wrong, by area."""

    def __init__(self):
        self.tried, self.answered, self.refused, self.wrong = Counter(), Counter(), Counter(), []

    def attempt(self, area: str, cause: object, work: Callable[[], Any]) -> Any:
        """Do ``work``; refusals are counted, tracebacks noted with their ``cause``."""
        self.tried[area] += 1
        try:
            found = work()
        except TokenomicsError as refusal:
            self.refused[area] += 1
            if "\n" in str(refusal) or len(str(refusal)) > 3000:
                self.wrong.append((area, "a refusal of several lines", str(refusal)[:300]))
            return None
        except Exception:
            last = traceback.format_exc().strip().splitlines()
            self.wrong.append((area, "traceback", f"{last[-1]} at {last[-3].strip()[-120:]}; {str(cause)[:400]}"))
            return None
        self.answered[area] += 1
        return found


def row(rng: random.Random, metrics: tuple[str, ...], odd: float) -> list[str]:
    """A row, of which each cell is odd with a probability."""
    chosen = {**{name: rng.choice(USUAL[name]) for name in USUAL}, "metric": rng.choice(metrics)}
    if rng.random() < 0.01:
        chosen["load"] = "mlperf_server"
    for name in HEADER:
        if rng.random() < odd:
            chosen[name] = rng.choice(ODD)
    if chosen["model"] == "#":  # a comment is no row
        chosen["model"] = "1 #"
    return [str(chosen[name]) for name in HEADER]


def rows(findings: Findings, rng: random.Random, count: int, folder: Path) -> None:
    """Score files of odd rows with every model, plot included."""
    from tokenomics.facts.measurements import METRICS
    from tokenomics.scoring.run import score_file

    metrics = (*METRICS, *METRICS, "TPOT", "time_to_joy", "")
    path, out = folder / "rows.csv", folder / "out.csv"
    for start in range(0, count, BATCH):
        made = [row(rng, metrics, rng.choice((0.0, 0.02, 0.1))) for _ in range(min(BATCH, count - start))]
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([HEADER, *made])
        model = "best" if start % (4 * BATCH) < 2 * BATCH else ("inference", "constant", "bounds")[start // BATCH % 3]
        score = partial(score_file, path, out=out, model=model, force=True)
        if findings.attempt("rows", f"{model}, rows from {start}", lambda score=score: str(score())):
            with out.open(encoding="utf-8", newline="") as file:
                _judge(findings, model, list(csv.DictReader(file)), len(made))
    findings.tried["rows"] = findings.answered["rows"] = count


def _judge(findings: Findings, model: str, found: list[dict[str, str]], count: int) -> None:
    """Note every answer that no measurement could give."""
    if len(found) != count:
        findings.wrong.append(("rows", "rows lost", f"{len(found)} of {count}"))
    for each in found:
        reason = impossible(each, model)
        if reason:
            findings.wrong.append(("rows", reason, f"{model}: {json.dumps(each, ensure_ascii=False)[:700]}"))


def impossible(each: dict[str, str], model: str) -> str:
    """Why a written row cannot be; empty if it can."""
    cells = [each[name] for name in ("predicted", "low", "high")]
    if each["status"] != "ok":
        return "" if each["status"] and cells == ["", "", ""] else "a refused row with numbers, or without a status"
    if each["metric"].strip().casefold() == "fits_in_memory":
        return "" if cells[0] in ("ok", "OOM") else "no verdict"
    value, low, high = (float(cell) if cell else math.nan for cell in cells)
    if not 0 < value < math.inf:
        return "no finite number above zero"
    if model != "bounds" and not 0 <= low <= value <= high < math.inf:
        return "outside its interval, or an open one"
    if model != "bounds" and not low < high:
        return "an interval of no width"
    return "low or high on the wrong side" if low > value or high < value else ""


def parameters(findings: Findings, rng: random.Random, count: int, folder: Path) -> None:
    """Load parameter files with values that are not allowed, keys nobody knows, and broken syntax."""
    from ruamel.yaml import YAML

    from tokenomics.facts import yaml_file
    from tokenomics.parameters import loading
    from tokenomics.sections import registry

    known = {path.stem: yaml_file.read(path) for path in sorted(paths.PARAMS.glob("*.yaml"))}
    dumper = YAML(typ="safe", pure=True)
    for _ in range(count):
        notebook = rng.choice(registry.NOTEBOOKS)
        for stem in (loading.COMMON_FILE, notebook):
            values = dict(known[stem])
            for _ in range(rng.choice((0, 1, 1, 2))):
                key = rng.choice((*values, "nobody_knows", "sed"))
                values[key] = _spoilt(rng, values.get(key))
            stream = io.StringIO()
            dumper.dump(values, stream)
            content = stream.getvalue().encode()
            (folder / f"{stem}.yaml").write_bytes(damaged(rng, content) if rng.random() < 0.1 else content)
        declared = registry.declared(notebook)
        findings.attempt("parameters", (notebook, values), lambda declared=declared: loading.load(declared, folder))


def _spoilt(rng: random.Random, value: Any) -> Any:
    """Another value, or the same one with a part exchanged."""
    if isinstance(value, list) and value and rng.random() < 0.5:
        return [*value[:-1], rng.choice(VALUES)]
    if isinstance(value, dict) and value and rng.random() < 0.5:
        return {**value, rng.choice(list(value)): rng.choice(VALUES)}
    if isinstance(value, int | float) and rng.random() < 0.3:
        return value * rng.choice((-1, 0, 1e-9, 1e9, 1.5))
    return rng.choice(VALUES)


def damaged(rng: random.Random, content: bytes) -> bytes:
    """Bytes cut, doubled, exchanged, spelt in another encoding, or anything at all."""
    start, end = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    kinds: tuple[Callable[[], bytes], ...] = (
        lambda: content[:end],
        lambda: content[:start] + content[end:],
        lambda: content[:end] + content[start:],
        lambda: content[:start] + bytes([rng.randrange(256)]) + content[start + 1 :],
        lambda: (
            content[:start] + rng.choice((b'"', b"\x00", b"\n", b",", b"\xff", b"{", b"[", b"&a *a")) + content[start:]
        ),
        lambda: content.replace(b",", rng.choice((b";", b"\t", b"|", b"", b",,"))),
        lambda: content.decode("utf-8", "replace").encode(rng.choice(("utf-16", "utf-8-sig", "utf-32", "utf-16-le"))),
        lambda: content.replace(b"\n", rng.choice((b"\r\n", b"\r", b"", b"\n\n"))),
        lambda: rng.randbytes(rng.randrange(300)),
        lambda: b"",
    )
    return rng.choice(kinds)()


def tables(findings: Findings, rng: random.Random, count: int, folder: Path) -> None:
    """Score broken tables by bounds."""
    from tokenomics.rows import reading
    from tokenomics.rows.predict import predict

    def answers() -> int:
        return sum(len(predict(chunk.inputs, "bounds", refused=chunk.refused)) for chunk in reading.chunks(path))

    path = folder / "table.csv"
    for number in range(count):
        stream = io.StringIO()
        csv.writer(stream).writerows([HEADER, *(row(rng, ("ttft", "tpot", "mfu"), 0.02) for _ in range(8))])
        content = stream.getvalue().encode()
        for _ in range(rng.choice((1, 1, 2, 3))):
            content = damaged(rng, content)
        path.write_bytes(content)
        findings.attempt("tables", (number, content), answers)


def notebooks(findings: Findings, rng: random.Random, count: int, folder: Path) -> None:
    """Check broken notebooks."""
    from tokenomics.pipeline.run import check_notebook

    given = [path.read_bytes() for path in sorted(paths.NOTEBOOKS.glob("*.ipynb"))]
    path = folder / "notebook.ipynb"
    for number in range(count):
        content = damaged(rng, rng.choice(given))
        path.write_bytes(content)
        findings.attempt("notebooks", (number, content[-200:]), lambda: check_notebook(path))


def configurations(findings: Findings, rng: random.Random, count: int, folder: Path) -> None:
    """Read spoilt model configurations, count what is read, and predict a row with it."""
    from tokenomics.compute.counts.parameters import kv_bytes_per_token, parameters
    from tokenomics.facts import catalogue

    def counts() -> tuple[float, ...]:
        model = catalogue.model(str(path))
        found = parameters(model)
        return float(found.total), float(found.active), float(kv_bytes_per_token(model))

    for number in range(count):
        values = dict(rng.choice(CONFIGURATIONS))
        for _ in range(rng.choice((0, 1, 1, 1, 2))):
            values[rng.choice(list(values))] = rng.choice(VALUES)
        for _ in range(rng.choice((0, 0, 1))):
            values.pop(rng.choice(list(values)))
        path = folder / f"model{number}.json"
        content = json.dumps(values).encode()
        path.write_bytes(damaged(rng, content) if rng.random() < 0.2 else content)
        found = findings.attempt("configurations", values, counts)
        if found and not (all(0 < each < math.inf for each in found[:2]) and 0 <= found[2] < math.inf):
            findings.wrong.append(("configurations", "impossible counts", f"{found}: {json.dumps(values)[:500]}"))
        if found:
            _predict_with(findings, path)


def _predict_with(findings: Findings, model: Path) -> None:
    """Predict rows of a user's own model."""
    from tokenomics.rows import reading
    from tokenomics.rows.predict import predict

    table = model.with_suffix(".csv")
    table.write_text(
        "model,hardware,n_gpu,isl,osl,load,batch,metric\n"
        + "".join(f"{model},H100 SXM 80GB,8,500,100,static,4,{name}\n" for name in ("ttft", "tpot", "e2e_latency"))
    )

    def answers() -> list[dict[str, str]]:
        chunk = next(reading.chunks(table))
        found = predict(chunk.inputs, "best", refused=chunk.refused).assign(metric=chunk.inputs["metric"])
        return found.astype(object).where(found.notna(), "").astype(str).to_dict("records")

    for each in findings.attempt("configurations predicted", model.read_text(), answers) or ():
        reason = impossible(each, "best")
        if reason:
            findings.wrong.append(("configurations", reason, f"{each}: {model.read_text()[:500]}"))


AREAS = {each.__name__: each for each in (rows, parameters, tables, notebooks, configurations)}


def campaign(seed: int, counts: dict[str, int]) -> Findings:
    """Try everything, the same for the same seed.

    Args:
        seed: of all draws.
        counts: how many of each area.
    """
    findings = Findings()
    with tempfile.TemporaryDirectory() as name:
        for area, count in counts.items():
            AREAS[area](findings, random.Random(f"{seed} {area}"), count, Path(name))
    return findings


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--share", type=float, default=1.0, help="of the usual numbers")
    parser.add_argument("--only", choices=AREAS, action="append", help="one area (repeatable)")
    arguments = parser.parse_args()
    counts = {area: max(int(count * arguments.share), 1) for area, count in COUNTS.items()}
    start, total = time.perf_counter(), 0
    for area in arguments.only or AREAS:
        findings = campaign(arguments.seed, {area: counts[area]})
        for name in findings.tried:
            numbers = f"{findings.answered[name]:,} answered, {findings.refused[name]:,} refused in one line"
            print(
                f"{name}: {findings.tried[name]:,} tried, {numbers} ({time.perf_counter() - start:.0f} s)", flush=True
            )
        for kind, times in Counter((area, kind) for area, kind, _ in findings.wrong).items():
            print(f"  {times} times {kind[1]}, such as")
            print("".join(f"    {text}\n" for area, what, text in findings.wrong if (area, what) == kind)[:3000])
        total += len(findings.wrong)
    tracebacks = "no tracebacks, no impossible answers" if not total else f"{total} things went wrong"
    print(tracebacks)
    return int(total > 0)


if __name__ == "__main__":
    sys.exit(main())
