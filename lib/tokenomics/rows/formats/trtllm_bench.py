"""Results of ``trtllm-bench``: the report that it prints, which is mostly kept as a log.

Lines as in NVIDIA/TensorRT-LLM ``tensorrt_llm/bench/dataclasses/reporting.py``; milliseconds, and tokens or requests a
second. All requests are given at once unless an issue rate says otherwise; with a limit on requests in flight, which is
not printed, their mean number is much less than half of all, and stands for the limit.
"""

import re
from collections.abc import Iterable, Iterator

from tokenomics.rows.formats.content import Content
from tokenomics.rows.formats.run import Run, model_name, number, with_version

MARKS = ("total output throughput (tokens/sec)", "request throughput (req/sec)")
RATES = {
    "total output throughput (tokens/sec)": ("output_throughput_total", "tok/s"),
    "total token throughput (tokens/sec)": ("total_throughput_in_plus_out", "tok/s"),
    "request throughput (req/sec)": ("request_throughput", "requests/s"),
}
MEANS = {
    "average time-to-first-token [ttft] (ms)": "ttft",
    "average time-per-output-token [tpot] (ms)": "tpot",
    "average request latency (ms)": "e2e_latency",
}
BREAKDOWN = re.compile(r"\[(latency|ttft|tpot)\] (p50|p90|p95|p99)")
QUANTITIES = {"latency": "e2e_latency"}
ENDLESS = 1e5
"""Requests a second from which an issue rate is none: what the tool prints without a limit is about 1e8."""
BURST = 0.4
"""Share of all requests in flight on average from which they were given at once: half, if they end evenly."""
SETTINGS = {
    "tp": "tp size",
    "pp": "pp size",
    "ep": "ep size",
    "max_num_seqs": "max runtime batch size",
    "max_num_batched_tokens": "max runtime tokens",
    "isl": "average input length (tokens)",
    "osl": "average output length (tokens)",
}
FORMATS = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}


def fits(content: Content) -> bool:
    """Whether a text holds such a report."""
    return all(mark in content.pairs for mark in MARKS)


def read(texts: Iterable[Content], content: Content) -> Iterator[Run]:
    """The run of a report."""
    for text in texts:
        pairs, run = text.pairs, Run()
        quantised = pairs.get("quantization", "")
        storage = FORMATS.get(pairs.get("dtype", ""), pairs.get("dtype"))
        run.state(model=model_name(pairs.get("model")), kv_precision=pairs.get("kv cache dtype"))
        run.state(precision=storage)
        run.state(precision=quantised)
        run.state(**{column: number(pairs.get(key)) for column, key in SETTINGS.items()})
        run.state(**with_version("TensorRT-LLM", pairs.get("tensorrt llm version", pairs.get("tensorrt-llm version"))))
        memory = re.fullmatch(r"([\d.]+)%", pairs.get("kv memory percentage", ""))
        run.state(gpu_memory_utilization=float(memory[1]) / 100 if memory else None)
        _arrival(run, pairs)
        for key, quantity in MEANS.items():
            run.add_statistics(quantity, {"mean": pairs.get(key)}, "ms")
        for key, value in pairs.items():
            if part := BREAKDOWN.fullmatch(key):
                run.add_statistics(QUANTITIES.get(part[1], part[1]), {part[2]: value}, "ms")
        for key, (metric, unit) in RATES.items():
            run.add(metric, pairs.get(key), unit)
        yield run


def _arrival(run: Run, pairs: dict[str, str]) -> None:
    rate = number(pairs.get("issue rate (req/sec)"), endless=True)
    requests = number(pairs.get("number of requests"))
    in_flight = number(pairs.get("number of concurrent requests"))
    if rate is not None and rate < ENDLESS:
        run.arrive(rate=rate, requests=requests)
    elif in_flight and requests and in_flight < BURST * requests:
        run.arrive(in_flight=max(1.0, round(in_flight)), requests=requests)
    else:
        run.arrive(rate="inf", requests=requests)
