"""Results of AIPerf and GenAI-Perf: CSV of two or three tables, or JSON, with the same metrics under the same names.

Names as in ai-dynamo/aiperf ``docs/metrics-reference.md`` and triton-inference-server/perf_analyzer
``genai-perf/docs``. Both define inter-token latency, a request, as the time after the first token over the later
tokens: the TPOT of this project. Units stand in the file ("(ms)", "unit"); GenAI-Perf puts commas between thousands.

The CSV does not state the load. Left out: time to the second token, chunk latencies, rates of single users, HTTP.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tokenomics.rows.formats.content import Content, Table
from tokenomics.rows.formats.run import Run, alike, day, found, model_name, number

TIMES = {"time_to_first_token": "ttft", "inter_token_latency": "tpot", "request_latency": "e2e_latency"}
LENGTHS = {"input_sequence_length": "isl", "output_sequence_length": "osl"}
RATES = {
    "output_token_throughput": ("output_throughput_total", "tok/s"),
    "total_token_throughput": ("total_throughput_in_plus_out", "tok/s"),
    "request_throughput": ("request_throughput", "requests/s"),
}
UNITS = {"ms", "s", "us", "ns"}
NAMED = re.compile(r"(.+?)\s*\(([^)]*)\)\s*")
"""A metric of the CSV and its unit in parentheses."""


def fits(document: Mapping[str, Any]) -> bool:
    """Whether a JSON object is such a result: metrics that are objects with unit and mean."""
    return any(isinstance(document.get(name), dict) and {"unit", "avg"} <= document[name].keys() for name in TIMES)


def fits_table(table: Table) -> bool:
    """Whether a CSV table is the first one of such a result."""
    return {"Metric", "avg"} <= table[0].keys() and any(_key(row["Metric"])[0] in TIMES for row in table)


def read(documents: Iterable[Mapping[str, Any]], content: Content) -> Iterator[Run]:
    """A run of each JSON object."""
    for document in documents:
        run = Run()
        config = document.get("input_config") or {}
        names = found(config, "model_names", "model")
        run.state(
            model=model_name(names[0] if isinstance(names, list) and names else names),
            hardware=found(document.get("telemetry_data"), "gpu_name"),
            date=day(document.get("start_time")),
        )
        metrics = {name: value for name, value in document.items() if isinstance(value, dict) and "avg" in value}
        _fill(run, {name: (str(value.get("unit", "")), value) for name, value in metrics.items()})
        requests = (metrics.get("request_count") or {}).get("avg")
        run.arrive(found(config, "request_rate"), found(config, "concurrency"), requests)
        yield run


def read_tables(tables: Iterable[Table], content: Content) -> Iterator[Run]:
    """One run of each first table, with the rates of the table of single values that follows it."""
    for table in tables:
        run = Run()
        position = next(place for place, each in enumerate(content.tables) if each is table)
        rows = [(row["Metric"], row) for row in table]
        for other in content.tables[position + 1 :]:
            if fits_table(other):
                break
            rows += [(row["Metric"], {"avg": row["Value"]}) for row in other if {"Metric", "Value"} <= row.keys()]
            _devices(run, other)
        metrics = {name: (unit, row) for text, row in rows for name, unit in [_key(text)]}
        _fill(run, metrics)
        run.state(requests=number(metrics.get("request_count", ("", {}))[1].get("avg")))
        yield run


def _devices(run: Run, table: Table) -> None:
    """AIPerf's table of GPU telemetry names each device, once a metric."""
    if {"GPU_Name", "GPU_Index"} <= table[0].keys():
        devices = {(row.get("Endpoint"), row["GPU_Index"]): row["GPU_Name"] for row in table}
        run.state(hardware=alike(devices.values())[0])


def _fill(run: Run, metrics: Mapping[str, tuple[str, Mapping[str, Any]]]) -> None:
    """Lengths, times and rates of metrics by key, each with its unit and its statistics."""
    for name, column in LENGTHS.items():
        run.state(**{column: number(metrics.get(name, ("", {}))[1].get("avg"))})
    for name, quantity in TIMES.items():
        unit, statistics = metrics.get(name, ("", {}))
        if unit in UNITS:
            run.add_statistics(quantity, statistics, unit)
    for name, (metric, unit) in RATES.items():
        run.add(metric, metrics.get(name, ("", {}))[1].get("avg"), unit)


def _key(text: str) -> tuple[str, str]:
    """The JSON key and the unit of a metric as the CSV names it."""
    parts = NAMED.fullmatch(text)
    name, unit = parts.groups() if parts else (text, "")
    return name.strip().casefold().replace(" ", "_"), unit
