"""Results of MLPerf inference: ``mlperf_log_summary.txt``, with the description of the system (JSON) beside it.

Lines as LoadGen prints them (mlcommons/inference ``loadgen/results.cc``), keys as in a submission's ``systems/*.json``.
The summary names neither model nor system. Times in nanoseconds. The answers' mean length is tokens over samples.
Left out: latencies of the offline scenario, which are those of the whole run; the single- and multi-stream scenarios.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tokenomics.rows.formats.content import Content
from tokenomics.rows.formats.run import Run, number, per

SCENARIOS = {"offline": "mlperf_offline_throughput", "server": "mlperf_server_throughput"}
TOKENS = ("completed tokens per second", "tokens per second")
SAMPLES = ("completed samples per second", "samples per second", "scheduled samples per second")
NAMES = {
    "first token latency": "ttft",
    "time to output token": "tpot",
    "time per output token": "tpot",
    "latency": "e2e_latency",
}
"""Times of the server scenario, as versions of LoadGen call them."""
TIME = re.compile(rf"(?:(50|90|95|99)\.00 percentile|mean) ({'|'.join(NAMES)}) \(ns\)")


def fits(content: Content) -> bool:
    """Whether a text is a summary."""
    return {"scenario", "result is"} <= content.pairs.keys()


def read(texts: Iterable[Content], content: Content) -> Iterator[Run]:
    """The run of a summary."""
    for text in texts:
        pairs, run = text.pairs, Run(needs=("model", "hardware", "n_gpu", "precision"))
        metric = SCENARIOS.get(pairs["scenario"].casefold())
        if metric is None:
            continue
        tokens, samples = ([pairs[name] for name in names if name in pairs] for names in (TOKENS, SAMPLES))
        run.state(load=metric.removesuffix("_throughput"))
        run.state(osl=per(tokens[0], samples[0]) if tokens and samples else None)
        if pairs["result is"] != "VALID":
            run.state(note=f"result {pairs['result is']}")
        if tokens:
            run.add(metric, tokens[0], "tok/s")
        elif samples:
            run.add(metric, samples[0], "samples/s")
        for key, value in pairs.items():
            time = TIME.fullmatch(key)
            if time and metric == SCENARIOS["server"]:
                run.add_statistics(NAMES[time[2]], {f"p{time[1]}" if time[1] else "mean": value}, "ns")
        yield run


def fits_system(document: Mapping[str, Any]) -> bool:
    """Whether a JSON object describes a system."""
    return {"accelerator_model_name", "accelerators_per_node"} <= document.keys()


def read_systems(documents: Iterable[Mapping[str, Any]], content: Content) -> Iterator[Run]:
    """The conditions of each system, without a measurement of its own."""
    for system in documents:
        devices, nodes = number(system["accelerators_per_node"]), number(system.get("number_of_nodes")) or 1
        run = Run(needs=())
        run.state(
            hardware=system["accelerator_model_name"],
            n_gpu=devices and devices * nodes,
            engine=str(system.get("framework") or "").partition(",")[0].strip(),
        )
        yield run
