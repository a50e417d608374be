"""Results of ``vllm bench serve`` (and its older script), SGLang's ``bench_serving`` and copies: JSON, JSON lines.

All write the same keys: ``mean_ttft_ms``, ``median_tpot_ms``, ``p99_itl_ms`` ... in milliseconds, and rates a second.
SGLang adds the server's own settings, which vLLM's file never states. Keys as in vllm-project/vllm
``vllm/benchmarks/serve.py`` (since 2024) and sgl-project/sglang ``python/sglang/bench_serving.py``.

A log of what they print is read too, report by report. Left out: the rate at which prompts are read, which depends on
arrivals; goodput, which depends on limits of one's own.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tokenomics.rows.formats.content import Content, pairs
from tokenomics.rows.formats.run import APART, Run, day, first, model_name, nested, number, per, with_version

TIME = re.compile(r"(mean|median|p\d+)_(ttft|tpot|itl|e2el|e2e_latency)_ms")
QUANTITIES = {"e2el": "e2e_latency"}
RATES = {
    "output_throughput": ("output_throughput_total", "tok/s"),
    "total_token_throughput": ("total_throughput_in_plus_out", "tok/s"),
    "total_throughput": ("total_throughput_in_plus_out", "tok/s"),
    "request_throughput": ("request_throughput", "requests/s"),
}
ENGINES = {
    "vllm": "vLLM",
    "sglang": "SGLang",
    "sgl": "SGLang",
    "tgi": "TGI",
    "lmdeploy": "LMDeploy",
    "tensorrt-llm": "TensorRT-LLM",
    "trt": "TensorRT-LLM",
    "deepspeed-mii": "DeepSpeed",
    "scalellm": "ScaleLLM",
    "llama.cpp": "llama.cpp",
}
"""Engines by what the client calls its backend; ``openai`` and the like name a protocol, not an engine."""
PARALLEL = {"tp": "tensor_parallel_size", "pp": "pipeline_parallel_size", "dp": "data_parallel_size"}
"""Settings that users add themselves with ``--metadata KEY=VALUE``, by the engine's own names."""
PRINTED = re.compile(r"=+ Serving Benchmark Result =+")
RULE = re.compile(r"^=+\s*$", re.M)
LINES = {
    "traffic request rate": "request_rate",
    "maximum request concurrency": "max_concurrency",
    "max request concurrency": "max_concurrency",
    "backend": "backend",
    "successful requests": "completed",
    "total input tokens": "total_input_tokens",
    "total generated tokens": "total_output_tokens",
    "request throughput (req/s)": "request_throughput",
    "output token throughput (tok/s)": "output_throughput",
    "total token throughput (tok/s)": "total_token_throughput",
}
"""Lines of the printed report, and the keys of the same values in the JSON."""
PRINTED_TIME = re.compile(r"(mean|median|p\d+) (?:ttft|tpot|itl|e2el|e2e latency) \(ms\)")


def fits(document: Mapping[str, Any]) -> bool:
    """Whether a JSON object is such a result."""
    timed = any(TIME.fullmatch(key) for key in document)
    return timed and any(key in document for key in ("request_rate", "num_prompts", "completed", "backend", "model_id"))


def read(documents: Iterable[Mapping[str, Any]], content: Content) -> Iterator[Run]:
    """A run of each JSON object."""
    for document in documents:
        run = Run()
        _conditions(run, document)
        for key, value in document.items():
            if found := TIME.fullmatch(key):
                run.add_statistics(QUANTITIES.get(found[2], found[2]), {found[1]: value}, "ms")
            elif key in RATES and not ("total_token_throughput" in document and key == "total_throughput"):
                metric, unit = RATES[key]
                run.add(metric, value, unit)
        yield run


def fits_report(content: Content) -> bool:
    """Whether a text holds printed reports."""
    return PRINTED.search(content.text) is not None


def read_reports(texts: Iterable[Content], content: Content) -> Iterator[Run]:
    """A run of each report that is printed; its load stands before it, or in it."""
    for text in texts:
        before, *reports = PRINTED.split(text.text)
        for text_of_report in reports:
            report, after = (*RULE.split(text_of_report, maxsplit=1), "")[:2]
            lines = pairs(before, last=True) | pairs(report)
            document = {LINES[key]: value for key, value in lines.items() if key in LINES}
            times = {key: value for key, value in lines.items() if PRINTED_TIME.fullmatch(key)}
            document |= {key.replace(" (ms)", "_ms").replace(" ", "_"): value for key, value in times.items()}
            yield from read([document], content)
            before = after


def _conditions(run: Run, document: Mapping[str, Any]) -> None:
    done = first(document, "completed", "num_prompts")
    run.state(
        model=model_name(first(document, "model_id", "model")),
        isl=per(document.get("total_input_tokens"), done) or number(document.get("random_input_len")),
        osl=per(document.get("total_output_tokens"), done) or number(document.get("random_output_len")),
        date=day(document.get("date")),
    )
    requests = first(document, "num_prompts", "completed")
    run.arrive(document.get("request_rate"), document.get("max_concurrency"), requests)
    backend = str(first(document, "backend", "endpoint_type") or "").casefold()
    engine = next((name for start, name in ENGINES.items() if backend.startswith(start)), None)
    if engine:
        run.state(**with_version(engine, first(document, "vllm_version", "engine_version")))
    run.state(**{name: number(document.get(key)) for name, key in PARALLEL.items()})
    if info := nested(document.get("server_info")):
        _server(run, info)


def _server(run: Run, info: Mapping[str, Any]) -> None:
    """What SGLang's server says of itself: its arguments at the top, or in its first ``internal_states``."""
    states, prefill, decode = (_objects(info.get(name)) for name in ("internal_states", "prefill", "decode"))
    pools = [*prefill, *decode]
    arguments = {**(pools[-1] if pools else {}), **(states[0] if states else {}), **info}
    tp, dp = number(arguments.get("tp_size")), number(arguments.get("dp_size"))
    attention = bool(arguments.get("enable_dp_attention"))
    if attention and tp and dp and dp > 1:
        tp = tp / dp  # SGLang's tensor-parallel size counts every device of the attention's data parallel groups
    run.state(
        model=model_name(arguments.get("model_path")),
        tp=tp,
        pp=number(arguments.get("pp_size")),
        dp=dp,
        ep=number(arguments.get("ep_size")),
        dp_attention="true" if attention else None,
        redundant_experts=number(arguments.get("ep_num_redundant_experts")),
        precision=arguments.get("quantization") or arguments.get("dtype"),
        kv_precision=arguments.get("kv_cache_dtype"),
        spec_method=arguments.get("speculative_algorithm"),
        draft_tokens=number(arguments.get("speculative_num_draft_tokens")),
        max_num_seqs=number(arguments.get("max_running_requests")),
        max_num_batched_tokens=number(arguments.get("chunked_prefill_size")),
        gpu_memory_utilization=number(arguments.get("mem_fraction_static")),
        **with_version("SGLang", arguments.get("version")),
    )
    if pools:
        sizes = [_devices(pool) for pool in pools]
        run.state(n_gpu=sum(sizes), note=f"{APART}: " + " + ".join(f"{size:g}" for size in sizes))


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _devices(arguments: Mapping[str, Any]) -> float:
    """Devices of one server: data parallel replicas have devices of their own unless they share the attention's."""
    sizes = {name: number(arguments.get(f"{name}_size")) or 1 for name in ("tp", "pp", "dp")}
    return sizes["tp"] * sizes["pp"] * (1 if arguments.get("enable_dp_attention") else sizes["dp"])
