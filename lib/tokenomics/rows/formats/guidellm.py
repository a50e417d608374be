"""Results of GuideLLM: a JSON report with a list of benchmarks, one a rate or concurrency.

Keys as in vllm-project/guidellm ``src/guidellm/benchmark`` (0.1 to 0.6), requests that succeeded. GuideLLM's
inter-token latency is, a request, the time after the first token over the later tokens: the TPOT of this project. Its
own ``time_per_output_token_ms`` counts the first token's wait and is left out.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tokenomics.rows.formats.content import Content
from tokenomics.rows.formats.run import Run, first, found, model_name, nested

TIMES = {
    "time_to_first_token_ms": ("ttft", "ms"),
    "inter_token_latency_ms": ("tpot", "ms"),
    "request_latency": ("e2e_latency", "s"),
    "request_latency_ms": ("e2e_latency", "ms"),
}
RATES = {
    "output_tokens_per_second": ("output_throughput_total", "tok/s"),
    "tokens_per_second": ("total_throughput_in_plus_out", "tok/s"),
    "requests_per_second": ("request_throughput", "requests/s"),
}
ALL_AT_ONCE = "throughput"


def fits(document: Mapping[str, Any]) -> bool:
    """Whether a JSON object is such a report."""
    benchmarks = document.get("benchmarks")
    return isinstance(benchmarks, list) and any(
        isinstance(each, dict) and TIMES.keys() & _metrics(each).keys() for each in benchmarks
    )


def read(documents: Iterable[Mapping[str, Any]], content: Content) -> Iterator[Run]:
    """A run of each benchmark of each report."""
    for report in documents:
        for benchmark in report["benchmarks"]:
            if isinstance(benchmark, dict):
                yield _run(report, benchmark)


def _run(report: Mapping[str, Any], benchmark: Mapping[str, Any]) -> Run:
    run, metrics = Run(), _metrics(benchmark)
    run.state(
        model=model_name(found(benchmark, "model", "backend_model") or found(report.get("args"), "model")),
        isl=_statistics(metrics.get("prompt_token_count")).get("mean"),
        osl=_statistics(metrics.get("output_token_count")).get("mean"),
    )
    _arrival(run, benchmark, metrics)
    for name, (quantity, unit) in TIMES.items():
        run.add_statistics(quantity, _statistics(metrics.get(name)), unit)
    for name, (metric, unit) in RATES.items():
        run.add(metric, _statistics(metrics.get(name)).get("mean"), unit)
    return run


def _arrival(run: Run, benchmark: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
    """How requests arrived; a strategy that only sends at once has no rate."""
    strategy = nested(found({key: benchmark.get(key) for key in ("config", "args")}, "strategy"))
    name = str(first(strategy, "type_", "kind") or "")
    requests = found(metrics.get("request_totals"), "successful")
    if name == "synchronous":
        run.arrive(in_flight=1, requests=requests)
    elif name == "concurrent":
        run.arrive(in_flight=first(strategy, "streams", "max_concurrency"), requests=requests)
    elif name == ALL_AT_ONCE:
        run.arrive(rate="inf", in_flight=strategy.get("max_concurrency"), requests=requests)
    else:
        run.arrive(rate=first(strategy, "rate", "initial_rate"), requests=requests)


def _metrics(benchmark: Mapping[str, Any]) -> Mapping[str, Any]:
    return nested(benchmark.get("metrics"))


def _statistics(metric: Any) -> dict[str, Any]:
    """Mean, median and percentiles of requests that succeeded, by name."""
    metric = nested(metric)
    metric = nested(metric.get("successful", metric))
    named = dict(nested(metric.get("percentiles")))
    if "p50" not in named and "median" in metric:
        named["median"] = metric["median"]
    return {**{key: metric[key] for key in ("mean", "p50", "p90", "p95", "p99") if key in metric}, **named}
