"""Results of optimum-benchmark: ``benchmark.json`` (or its report with a config beside it in one object), CSV of runs.

Names as in huggingface/optimum-benchmark ``optimum_benchmark/benchmark`` (0.2 to 0.6): the CSV flattens the JSON's keys
with dots. Seconds, tokens a second, MB, kWh. One static batch; the prefill is its TTFT, ``per_token`` its TPOT.

Left out: loading, training, images; memory of several devices together; the energy of processor and memory.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tokenomics.rows.formats.content import Content, Table
from tokenomics.rows.formats.run import STATIC, Run, alike, model_name, number, with_version

J_PER_KWH = 3.6e6
MARK = "report.prefill.latency.mean"
SCENARIOS = ("scenario", "benchmark")
"""What the part of the configuration with the lengths is called, now and before."""
ENGINES = {"pytorch": "transformers", "vllm": "vLLM", "tensorrt-llm": "TensorRT-LLM", "llama_cpp": "llama.cpp"}


def fits(document: Mapping[str, Any]) -> bool:
    """Whether a JSON object is a benchmark: a report with a prefill, and its configuration."""
    return {"config", "report"} <= document.keys() and MARK in _flat(document)


def fits_table(table: Table) -> bool:
    """Whether a CSV table is one of benchmarks."""
    return MARK in table[0]


def read(documents: Iterable[Mapping[str, Any]], content: Content) -> Iterator[Run]:
    """The runs of each JSON object: one of inference, one of energy if that was measured."""
    for document in documents:
        yield from _runs(_flat(document))


def read_tables(tables: Iterable[Table], content: Content) -> Iterator[Run]:
    """The runs of each row of CSV tables; rows of failed runs have no report."""
    for table in tables:
        for row in table:
            yield from _runs(row)


def _runs(row: Mapping[str, Any]) -> Iterator[Run]:
    conditions = _conditions(row)
    run = Run()
    run.state(load=STATIC, **conditions)
    for part, quantity in {"prefill": "ttft", "per_token": "tpot"}.items():
        start = f"report.{part}.latency."
        statistics = {name.removeprefix(start): value for name, value in row.items() if name.startswith(start)}
        run.add_statistics(quantity, statistics, "s")
    run.add("prefill_tok_s", row.get("report.prefill.throughput.value"), "tok/s")
    batch, decode = conditions.get("batch"), number(row.get("report.decode.throughput.value"))
    run.add("decode_tok_s_per_user", decode and batch and decode / batch, "tok/s")
    if conditions.get("n_gpu") == 1:
        memory = row.get("report.decode.memory.max_process_vram") or row.get("report.decode.memory.max_global_vram")
        run.add("gpu_memory_used", memory, "MB")
    if run.measured:
        yield run
    energy = [number(row.get(f"report.{part}.energy.gpu")) for part in ("prefill", "decode")]
    if all(energy) and batch and conditions.get("osl"):
        run = Run(kind="energy", needs=("model", "hardware", "tp", "precision", "isl", "osl"))
        run.state(**conditions)
        run.add("energy_per_output_token", sum(energy) * J_PER_KWH / (batch * conditions["osl"]), "J/token")
        yield run


def _conditions(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a run's configuration says, without what it leaves unsaid."""
    scenario = next((name for name in SCENARIOS if any(key.startswith(f"config.{name}.") for key in row)), SCENARIOS[0])
    devices = [each for each in str(row.get("config.backend.device_ids") or "").split(",") if each.strip()]
    name, present = alike(_names(row.get("config.environment.gpu")))
    used = len(devices) or (1 if present == 1 else None)
    backend = str(row.get("config.backend.name") or "")
    version = row.get(f"config.environment.{'transformers' if backend == 'pytorch' else backend}_version")
    run = Run()
    run.state(
        model=model_name(row.get("config.backend.model")),
        hardware=name if len(set(_names(row.get("config.environment.gpu")))) == 1 else None,
        n_gpu=used,
        tp=1 if used == 1 else None,
        precision=row.get("config.backend.torch_dtype"),
        isl=number(row.get(f"config.{scenario}.input_shapes.sequence_length")),
        osl=number(row.get(f"config.{scenario}.generate_kwargs.max_new_tokens")),
        batch=number(row.get(f"config.{scenario}.input_shapes.batch_size")),
        **with_version(ENGINES.get(backend, backend), version),
    )
    run.state(precision=_quantised(row))
    return run.conditions


def _quantised(row: Mapping[str, Any]) -> str | None:
    """Scheme and bits of quantised weights, such as "gptq int4"; empty where they are as the dtype says."""
    scheme = str(row.get("config.backend.quantization_scheme") or "").strip()
    start = "config.backend.quantization_config."
    bits = number(row.get(f"{start}bits"))
    bits = bits or (4 if str(row.get(f"{start}load_in_4bit")) == "True" else None)
    bits = bits or (8 if str(row.get(f"{start}load_in_8bit")) == "True" else None)
    return f"{scheme} int{bits:.0f}" if scheme and bits else scheme or None


def _names(devices: Any) -> list[str]:
    """Names of devices, given as a list or as a list's text."""
    if isinstance(devices, str) and devices.startswith("["):
        try:
            devices = ast.literal_eval(devices)
        except (ValueError, SyntaxError):
            return []
    return [str(name) for name in devices] if isinstance(devices, list) else [devices] if devices else []


def _flat(tree: Mapping[str, Any], start: str = "") -> dict[str, Any]:
    """Nested objects as one, keys joined with dots; lists stay as they are."""
    flat = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{start}{key}.") if isinstance(value, dict) else {f"{start}{key}": value}
    return flat
