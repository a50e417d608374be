"""Results of ``vllm bench throughput`` and ``vllm bench latency``: JSON that states neither model nor lengths.

Keys as in vllm-project/vllm ``vllm/benchmarks/throughput.py`` and ``latency.py``; seconds, and tokens or requests a
second. A throughput run gives all requests at once; a latency run repeats one static batch, whose size (``--batch``)
the file does not state. The throughput counts prompts and output together.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tokenomics.rows.formats.content import Content
from tokenomics.rows.formats.run import STATIC, Run, nested, number


def fits(document: Mapping[str, Any]) -> bool:
    """Whether a JSON object is such a result."""
    return {"elapsed_time", "num_requests"} <= set(document) or {"avg_latency", "percentiles"} <= set(document)


def read(documents: Iterable[Mapping[str, Any]], content: Content) -> Iterator[Run]:
    """A run of each JSON object."""
    for document in documents:
        run = Run()
        run.state(engine="vLLM")
        if "avg_latency" in document:
            run.needs = (*run.needs, "batch")
            run.state(load=STATIC)
            shares = {f"p{name}": value for name, value in nested(document["percentiles"]).items()}
            statistics = {"mean": document["avg_latency"], **shares}
            run.add_statistics("e2e_latency", statistics, "s")
        else:
            run.state(load="max", requests=number(document["num_requests"]))
            run.add("total_throughput_in_plus_out", document.get("tokens_per_second"), "tok/s")
            run.add("request_throughput", document.get("requests_per_second"), "requests/s")
        yield run
