"""Results of ``text-generation-benchmark``, TGI's own: three Markdown tables.

Tables as in huggingface/text-generation-inference ``benchmark/src/table.rs``: parameters, latencies in ms, rates. Each
batch is static. The latency of the prefill is the TTFT of the batch, that of a decode step is its TPOT. The rates are
other forms of these latencies (the prefill's counts one token a prompt) and left out.
"""

import re
from collections.abc import Iterable, Iterator

from tokenomics.rows.formats.content import Content, Table
from tokenomics.rows.formats.run import STATIC, Run, model_name, number

STEPS = {"Prefill": "ttft", "Decode (token)": "tpot"}
VALUE = re.compile(r"([\d.,]+)\s*(ms|s|us|µs)")


def fits(table: Table) -> bool:
    """Whether a Markdown table holds the latencies."""
    return {"Step", "Batch Size", "Average", "p50"} <= table[0].keys()


def read(tables: Iterable[Table], content: Content) -> Iterator[Run]:
    """A run of each batch size."""
    parameters = {}
    for table in content.grids:
        if {"Parameter", "Value"} <= table[0].keys():
            parameters |= {row["Parameter"]: row["Value"] for row in table}
    for table in tables:
        runs: dict[str, Run] = {}
        for row in table:
            quantity = STEPS.get(row["Step"])
            if quantity is None:
                continue
            run = runs.setdefault(row["Batch Size"], Run())
            run.state(
                load=STATIC,
                batch=number(row["Batch Size"]),
                engine="TGI",
                model=model_name(parameters.get("Model")),
                isl=number(parameters.get("Sequence Length")),
                osl=number(parameters.get("Decode Length")),
            )
            for statistic, cell in row.items():
                if value := VALUE.fullmatch(cell):
                    run.add_statistics(quantity, {statistic: value[1]}, value[2])
        yield from runs.values()
