"""Results of LLMPerf: the summary (one JSON object) and the individual responses (a list of requests).

Keys as in ray-project/llmperf ``token_benchmark_ray.py``, in seconds. LLMPerf's inter-token latency is the latency of
the whole request over its tokens, the first one's wait included, so it is neither ITL nor TPOT. Written instead is the
TPOT, latency less TTFT over the later tokens: of each request where they are given, else of the means.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from tokenomics.rows.formats.content import Content
from tokenomics.rows.formats.run import Run, model_name, number

QUANTITIES = {"ttft_s": "ttft", "end_to_end_latency_s": "e2e_latency"}
LENGTHS = {"number_input_tokens": "isl", "number_output_tokens": "osl"}
PER_REQUEST = "request_output_throughput_token_per_s"
PERCENTILES = (50, 90, 95, 99)
OF_MEANS = "TPOT from the means of latency, TTFT and length"


def fits(document: Mapping[str, Any]) -> bool:
    """Whether a JSON object is a summary."""
    return "results_ttft_s_mean" in document or "results_end_to_end_latency_s_mean" in document


def fits_request(document: Mapping[str, Any]) -> bool:
    """Whether a JSON object is a single request."""
    return {"ttft_s", "end_to_end_latency_s", "number_output_tokens"} <= document.keys()


def read(documents: Iterable[Mapping[str, Any]], content: Content) -> Iterator[Run]:
    """A run of each summary."""
    for document in documents:
        run = Run()
        run.state(model=model_name(document.get("model")))
        requests = document.get("results_num_completed_requests")
        run.arrive(in_flight=document.get("num_concurrent_requests"), requests=requests)
        for name, column in LENGTHS.items():
            run.state(**{column: number(document.get(f"results_{name}_mean"))})
        for name, quantity in QUANTITIES.items():
            statistics = {f"p{share}": document.get(f"results_{name}_quantiles_p{share}") for share in PERCENTILES}
            run.add_statistics(quantity, {"mean": document.get(f"results_{name}_mean"), **statistics}, "s")
        _tpot_of_means(run)
        run.add("output_tok_s_per_request", document.get(f"results_{PER_REQUEST}_mean"), "tok/s")
        run.add("output_throughput_total", document.get("results_mean_output_throughput_token_per_s"), "tok/s")
        finished = number(document.get("results_num_completed_requests_per_min"))
        run.add("request_throughput", finished and finished / 60, "requests/s")
        yield run


def _tpot_of_means(run: Run) -> None:
    means = {metric: value for metric, value, _ in run.measured}
    output = run.conditions.get("osl", 0)
    if {"ttft_mean", "e2e_latency_mean"} <= means.keys() and output > 1:
        run.add("tpot_mean", (means["e2e_latency_mean"] - means["ttft_mean"]) / (output - 1), "s")
        run.state(note=OF_MEANS)


def read_requests(documents: Iterable[Mapping[str, Any]], content: Content) -> Iterator[Run]:
    """One run of all requests that succeeded; the file states no load."""
    names = (*QUANTITIES, *LENGTHS, PER_REQUEST)
    good = [[number(each.get(name)) for name in names] for each in documents if each.get("error_code") is None]
    table = np.array(good, dtype=float).reshape(-1, len(names))
    table = table[np.isfinite(table[:, :4]).all(axis=1)]
    if not len(table):
        return
    ttft, latency, prompt, output, rate = table.T
    run = Run()
    run.state(isl=prompt.mean(), osl=output.mean(), requests=len(table))
    several = output > 1
    tpot = (latency - ttft)[several] / (output[several] - 1)
    for quantity, values in {"ttft": ttft, "tpot": tpot, "e2e_latency": latency}.items():
        if len(values):
            statistics = {f"p{share}": np.percentile(values, share) for share in PERCENTILES}
            run.add_statistics(quantity, {"mean": values.mean(), **statistics}, "s")
    run.add("output_tok_s_per_request", rate.mean(), "tok/s")
    yield run
