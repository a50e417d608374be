"""Results of ``llama-bench``: Markdown tables (a log around them does not matter), CSV, JSON and JSON lines.

Tests as in ggml-org/llama.cpp ``tools/llama-bench/README.md``: pp512 reads a prompt of 512 tokens, tg128 writes 128
tokens, pp512+tg128 does both, and "@ d4096" starts each with 4,096 tokens in the cache. Always one sequence; rates in
tokens a second. Several devices share the layers. Left out: SQL; the spread of repetitions.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tokenomics.rows.formats.content import Content, Table
from tokenomics.rows.formats.run import STATIC, Run, alike, day, number

TEST = re.compile(r"(?:pp\s*(\d+))?\s*\+?\s*(?:tg\s*(\d+))?\s*(?:@\s*d\s*(\d+))?", re.I)
TYPED = re.compile(r"(?P<model>.*?\b[\d.]+x?[\d.]*[BMKT](?:\.A[\d.]+B)?)\s+(?P<format>\S.*)")
"""The type of a model, such as "qwen2 7B Q4_K - Medium": architecture and size, then the format of its weights."""
QUANTISED = re.compile(r"[-._](?:UD-)?((?:IQ|Q)\d\w*|BF16|F16|F32|FP16|FP8|MXFP4\w*|NVFP4)$", re.I)
"""The format at the end of a file's name, such as Llama-3.1-8B-Q4_K_M.gguf."""
PART = re.compile(r"-\d{5}-of-\d{5}$")
DEVICE = re.compile(r"^\s*Device \d+: (.+?)(?:,|$)", re.M)
WHOLE = 99
"""Layers on the device from which all are meant; fewer are noted."""


def fits(document: Mapping[str, Any]) -> bool:
    """Whether a JSON object, or a row of the CSV, is a test."""
    return {"n_prompt", "n_gen", "avg_ts"} <= document.keys()


def fits_table(table: Table) -> bool:
    """Whether a CSV table is one of tests."""
    return fits(table[0])


def fits_grid(table: Table) -> bool:
    """Whether a Markdown table is one of tests."""
    return {"model", "test", "t/s"} <= table[0].keys()


def read(documents: Iterable[Mapping[str, Any]], content: Content) -> Iterator[Run]:
    """A run of each test."""
    for test in documents:
        run = _run(test.get("n_prompt"), test.get("n_gen"), test.get("n_depth"), test.get("avg_ts"))
        name, precision = _of_file(str(test.get("model_filename") or ""))
        typed, of_type = _of_type(str(test.get("model_type") or ""))
        names = str(test.get("gpu_info") or test.get("cpu_info") or "").split(",")
        run.state(
            model=name or typed,
            precision=of_type or precision,
            kv_precision=test.get("type_k"),
            max_num_batched_tokens=number(test.get("n_ubatch")),
            date=day(test.get("test_time")),
        )
        _device(run, names)
        _build(run, test.get("build_number"), test.get("n_gpu_layers"))
        yield run


def read_tables(tables: Iterable[Table], content: Content) -> Iterator[Run]:
    """A run of each row of CSV tables."""
    for table in tables:
        yield from read(table, content)


def read_grids(tables: Iterable[Table], content: Content) -> Iterator[Run]:
    """A run of each row of Markdown tables; the device and the build stand in lines of the log around them."""
    devices = DEVICE.findall(content.text)
    build = re.search(r"^build:\s*\w+\s*\((\d+)\)", content.text, re.M)
    for table in tables:
        for row in table:
            test = TEST.fullmatch(row.get("test", "").strip())
            if not test or not any(test.groups()[:2]):
                continue
            rate = re.split(r"±|\+/-", row.get("t/s", ""))[0]
            run = _run(*test.groups(), rate)
            typed, of_type = _of_type(row["model"])
            run.state(
                model=typed,
                precision=of_type,
                kv_precision=row.get("type_k"),
                max_num_batched_tokens=number(row.get("n_ubatch")),
            )
            _device(run, devices)
            _build(run, build and build[1], row.get("ngl"))
            yield run


def _run(prompt: Any, output: Any, depth: Any, rate: Any) -> Run:
    """A test by its lengths; text that a test does not read or write is no condition of it."""
    prompt, output, depth = (number(each) or 0 for each in (prompt, output, depth))
    run = Run()
    run.state(load=STATIC, batch=1)
    if prompt and output:
        run.state(isl=prompt + depth, osl=output)
        run.add("total_throughput_in_plus_out", rate, "tok/s")
    elif prompt:
        run.needs = ("model", "hardware", "tp", "precision", "isl")
        run.state(isl=prompt + depth)
        run.add("prefill_tok_s", rate, "tok/s")
    else:
        run.state(osl=output)
        run.conditions["isl"] = depth  # nothing, without a depth
        run.add("decode_tok_s_per_user", rate, "tok/s")
    run.state(prefix_cached_tokens=depth if prompt and depth else None)
    return run


def _device(run: Run, names: Iterable[str]) -> None:
    """The devices that share the layers, where they are named."""
    name, devices = alike(names)
    if devices:
        run.state(hardware=name, n_gpu=devices, tp=1, pp=devices)


def _build(run: Run, build: Any, on_device: Any) -> None:
    """The engine by its build, and how many layers the device held if not all."""
    build, layers = number(build), number(on_device)
    run.state(engine="llama.cpp", engine_version=f"b{build:.0f}" if build else None)
    if layers is not None and 0 <= layers < WHOLE:
        run.state(note=f"{layers:.0f} layers on the device")


def _of_file(path: str) -> tuple[str, str]:
    """Model and format of a file's name."""
    name = PART.sub("", re.split(r"[\\/]", path)[-1].removesuffix(".gguf"))
    precision = QUANTISED.search(name)
    return (name[: precision.start()], precision[1]) if precision else (name, "")


def _of_type(text: str) -> tuple[str, str]:
    """Model and format of a type."""
    parts = TYPED.fullmatch(text.strip())
    if not parts:
        return text.strip(), ""
    precision = parts["format"].removeprefix("mostly ").removesuffix(" MoE")
    letter = {"Small": "_S", "Medium": "_M", "Large": "_L"}
    base, _, size = precision.partition(" - ")
    return parts["model"], base + letter.get(size.strip(), "")
