"""Tidy tables of predictions beside their bounds: devices, latencies, parts of a step, memory, limits, sensitivity."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from tokenomics.compute import bounds, sizing
from tokenomics.compute.inference.feasibility import check_format
from tokenomics.compute.inference.intervals import kind_of
from tokenomics.compute.inference.provision import MOST_DEVICES, Load, ask, deployment, fastest, label
from tokenomics.compute.inference.server import Server
from tokenomics.errors import Infeasible
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.models import Model
from tokenomics.notebook import units
from tokenomics.notebook.report import Metric
from tokenomics.sections.operating_points import FORMATS, other_formats

MILLI, GIGA = 1e3, 1e9
HOST = "host"
PARTS = ("products", "experts", "attention", "elementwise", "communication", HOST)
"""Where a step's time goes, in the order in which bars are stacked."""
RELATED = {"own": "measured", "profiled": "engine measured", "generation": "same generation", "vendor": "same vendor"}
RELATED |= {"other": "another vendor"}
"""How near an accelerator is to one whose operators were measured, in words."""
RATE = "tok_per_s"
UNCHANGED = "as above"
PUBLISHED = "as published"
WEIGHTS = "weights "
USES = ("weights", "cache", "activations", "buffers", "runtime")


def fleet(load: Load, models: Iterable[Model], devices: Sequence[Accelerator]) -> pd.DataFrame:
    """Every model on every accelerator, on the fewest devices that hold the load: devices, latencies, rate, bounds.

    Devices are missing where not even 1024 hold it; ``note`` says so, or how a format is emulated.
    """
    return pd.DataFrame([_fleet_row(load, model, device) for model in models for device in devices])


def _fleet_row(load: Load, model: Model, device: Accelerator) -> dict:
    bare = sizing.deployment(model, device, load.weight_format, load.kv_bits)
    row = {"model": model.name, "accelerator": device.name, "weights": load.format_of(model)}
    row["devices_bound"] = float(bounds.devices_to_hold(bare, load.batch, load.context))
    it = fastest(load, model, device)
    row["note"] = _note(it)
    if it is None:
        return row | {"devices": np.nan}
    on, at = deployment(load, it), load.prompt + 1
    row |= {"devices": float(it.devices), "layout": label(it.on.layout), "profile": it.profile.name}
    row["operators"] = RELATED[kind_of(it.on, it.profile)]
    ttft, tpot = it.ttft(load.prompt), it.tpot(load.batch, at)
    rate = it.output_rate(load.prompt, load.output, load.batch)
    bound_s = {
        "ttft": bounds.prefill_seconds(on, 1, load.prompt),
        "tpot": bounds.decode_step_seconds(on, load.batch, at),
    }
    for name, time in (("ttft", ttft), ("tpot", tpot)):
        row |= {f"{name}_bound_ms": MILLI * float(bound_s[name])} | units.columns(f"{name}_ms", time, MILLI)
    row[f"rate_bound_{RATE}"] = float(bounds.output_rate(on, load.prompt, load.output, load.batch)) / it.devices
    return row | units.columns(f"rate_{RATE}", rate.map(lambda tokens: tokens / it.devices))


def by_format(load: Load, models: Iterable[Model], device: Accelerator) -> pd.DataFrame:
    """Devices that hold the load by format of the weights, beside their lower bound, the gigabytes used on all of them,
    and what stands in where the device has no arithmetic of the format."""
    rows = []
    for model in models:
        for given in ("", *FORMATS):
            told = replace(load, weight_format=given)
            bare, it = sizing.deployment(model, device, given, load.kv_bits), fastest(told, model, device)
            row = {"model": model.name, "format": given or PUBLISHED, "weights": told.format_of(model)}
            row["least_gb"] = float(bounds.memory_bytes(bare, load.batch, load.context)) / GIGA
            row["used_gb"] = np.nan if it is None else _used_gb(load, it)
            row["devices_bound"] = float(bounds.devices_to_hold(bare, load.batch, load.context))
            row["devices"] = np.nan if it is None else float(it.devices)
            rows.append(row | {"note": _note(it)})
    return pd.DataFrame(rows)


def _used_gb(load: Load, it: Server) -> float:
    """Gigabytes that a load takes on all devices, if all were as full as the fullest."""
    return float(it.memory(load.batch, load.context).total) * it.devices / GIGA


def _note(it: Server | None) -> str:
    """Why there is no server, or what stands in where its device has no arithmetic of the weights' format."""
    if it is None:
        return f"{MOST_DEVICES} devices do not hold it"
    return "; ".join(check_format(it.on.device, it.on.model, it.on.precision))


def prefill_times(load: Load, servers: Mapping[str, Server], prompts: Sequence[float]) -> pd.DataFrame:
    """TTFT of a lone prompt by its length, on every named server that holds it, with interval and lower bound."""
    tables = []
    for name, it in servers.items():
        prompt = np.asarray(prompts, dtype=float)
        prompt = prompt[it.capacity(prompt + 1) >= 1]
        bound_ms = MILLI * bounds.prefill_seconds(deployment(load, it), 1, prompt)
        columns = {"panel": name, "prompt_tok": prompt, "ttft_bound_ms": bound_ms}
        tables.append(pd.DataFrame(columns | units.columns("ttft_ms", it.ttft(prompt), MILLI)))
    return pd.concat(tables, ignore_index=True)


def decode_times(load: Load, servers: Mapping[str, Server], batches: Sequence[float]) -> pd.DataFrame:
    """TPOT after the prompt by batch, on every named server that holds the batch to its end."""
    context = load.prompt + 1
    tables = []
    for name, it in servers.items():
        batch = np.asarray(batches, dtype=float)
        batch = batch[it.capacity(np.full_like(batch, context + load.output)) >= batch]
        tables.append(_decode_table(load, name, it, batch, np.full_like(batch, context)).drop(columns="context_tok"))
    return pd.concat(tables, ignore_index=True)


def decode_times_by_context(load: Load, it: Server, batches: Sequence[int], contexts: Sequence[float]) -> pd.DataFrame:
    """TPOT by context, a panel for each batch, where it fits."""
    tables = []
    for size in batches:
        context = np.asarray(contexts, dtype=float)
        context = context[it.capacity(context + 1) >= size]
        at = changed(load, it, batch=size)[0]
        table = _decode_table(at, f"batch {size}", it, np.full_like(context, size), context)
        tables.append(table.drop(columns="batch"))
    return pd.concat(tables, ignore_index=True)


def _decode_table(load: Load, name: str, it: Server, batch: np.ndarray, context: np.ndarray) -> pd.DataFrame:
    bound_ms = MILLI * bounds.decode_step_seconds(deployment(load, it), batch, context)
    columns = {"panel": name, "batch": batch, "context_tok": context, "tpot_bound_ms": bound_ms}
    return pd.DataFrame(columns | units.columns("tpot_ms", it.tpot(batch, context), MILLI))


def sequences_held(load: Load, servers: Mapping[str, Server], contexts: Sequence[float]) -> pd.DataFrame:
    """Sequences that fit at a time, by context: as the engine keeps memory back, beside the upper bound."""
    tables = []
    for name, it in servers.items():
        context = np.asarray(contexts, dtype=float)
        bound = bounds.largest_batch(deployment(load, it), context)
        columns = {"panel": name, "context_tok": context, "sequences": it.capacity(context), "sequences_bound": bound}
        tables.append(pd.DataFrame(columns))
    table = pd.concat(tables, ignore_index=True)
    return table[table["sequences"] >= 1]


def loaded(load: Load, it: Server, concurrencies: Sequence[float]) -> pd.DataFrame:
    """A row for each number of requests in flight: what each sees, what a device gives, what limits the step."""
    at = np.asarray(concurrencies, dtype=float)
    columns = {"concurrency": at}
    columns |= units.columns("ttft_ms", it.loaded_ttft(at, load.prompt, load.output), MILLI)
    columns |= units.columns("tpot_ms", it.loaded_tpot(at, load.prompt, load.output), MILLI)
    rate = it.output_rate(load.prompt, load.output, at)
    columns |= units.columns(f"rate_{RATE}", rate.map(lambda tokens: tokens / it.devices))
    return pd.DataFrame(columns | {"limit": it.limited_by(at, load.middle)})


def step_parts(load: Load, servers: Mapping[str, Server]) -> pd.DataFrame:
    """Milliseconds of each part of a decode step, the engine's slowdown applied to the parts of the device.

    Host time comes from the two numbers of the engine profile, so the sum checks the time of the step.
    """
    rows = []
    for name, it in servers.items():
        at = load.middle
        parts, profile = it.step_parts(load.batch, at), it.profile
        host = float(profile.host_s(it.on.layers_together)) + profile.sequence_s * load.batch
        spent = {part: profile.decode_slowdown * float(getattr(parts, part)) for part in PARTS if part != HOST}
        rows += [(name, part, MILLI * (spent | {HOST: host})[part]) for part in PARTS]
    return pd.DataFrame(rows, columns=["deployment", "part", "spent_ms"])


def memory_parts(load: Load, servers: Mapping[str, Server]) -> pd.DataFrame:
    """Gigabytes on the fullest device by use, while the load is served, and what is left of the device."""
    rows = []
    for name, it in servers.items():
        memory = it.memory(load.batch, load.context)
        rows += [(name, use, float(getattr(memory, use)) / GIGA) for use in USES]
        rows.append((name, "free", (it.on.device.driver_memory_bytes - float(memory.total)) / GIGA))
    return pd.DataFrame(rows, columns=["deployment", "use", "used_gb"])


def limits(servers: Mapping[str, Server], batches: Sequence[float], contexts: Sequence[float]) -> pd.DataFrame:
    """What limits a decode step over a grid of batch and context, a panel for each server."""
    size, length = (each.ravel() for each in np.meshgrid(batches, contexts, indexing="ij"))
    tables = [
        pd.DataFrame({"batch": size, "context_tok": length, "limit": it.limited_by(size, length), "panel": name})
        for name, it in servers.items()
    ]
    return pd.concat(tables, ignore_index=True)


def options(load: Load, it: Server) -> dict[str, dict[str, object]]:
    """Changes of a server's load by name, one at a time, without those that would change nothing."""
    prompt, batch = {"prompt": 8 * load.prompt}, {"batch": 4 * load.batch}
    formats = {WEIGHTS + (each or PUBLISHED): {"weight_format": each} for each in other_formats(it)}
    changes: dict[str, dict[str, object]] = {**formats, "8-bit cache": {"kv_bits": 8}}
    changes |= {f"{name} engine": {"engine": name} for name in ("TensorRT-LLM 1.0", "SGLang", "generic")}
    changes |= {"prompt 8 times longer": prompt, "batch 4 times larger": batch}
    changes |= {"9 in 10 of the prompt cached": {"cached": 0.9 * load.prompt}}
    return {UNCHANGED: {}} | {name: each for name, each in changes.items() if each.items() - load.__dict__.items()}


def sensitivity(load: Load, it: Server) -> pd.DataFrame:
    """TTFT alone, TPOT and output rate a device, with intervals, with one thing changed at a time; empty where that is
    not feasible."""
    rows = []
    for name, change in options(load, it).items():
        row = {"change": name, "devices": it.devices}
        try:
            rows.append(row | _seen(*changed(load, it, **change)))
        except Infeasible:
            rows.append(row)
    return pd.DataFrame(rows)


def _seen(load: Load, it: Server) -> dict[str, float]:
    """What a lone prompt and a batch see, and what a device gives, as columns."""
    unread = load.prompt - load.cached
    rate = it.output_rate(unread, load.output, load.batch).map(lambda tokens: tokens / it.devices)
    row = units.columns("ttft_ms", it.ttft(unread, 1, load.cached), MILLI)
    row |= units.columns("tpot_ms", it.tpot(load.batch, load.middle), MILLI)
    return row | units.columns(f"rate_{RATE}", rate)


def against_unchanged(table: pd.DataFrame) -> pd.DataFrame:
    """Each quantity of a sensitivity table over its unchanged one, tidy."""
    names = {"ttft_ms": "TTFT", "tpot_ms": "TPOT", f"rate_{RATE}": "output"}
    ratio = table.set_index("change")[[*names]].rename(columns=names)
    ratio = (ratio / ratio.loc[UNCHANGED]).drop(UNCHANGED).reset_index()
    return ratio.melt("change", var_name="quantity", value_name="over_unchanged_ratio")


def tpot_spread(ratios: pd.DataFrame) -> dict[str, Metric]:
    """Longest over shortest time per token among engines, and among formats of weights."""
    tpot = ratios[ratios["quantity"] == "TPOT"]
    metrics = {}
    named = {"engine": tpot["change"].str.endswith("engine"), "weight_format": tpot["change"].str.startswith(WEIGHTS)}
    for key, rows in named.items():
        among = [1, *tpot.loc[rows, "over_unchanged_ratio"].dropna()]
        meaning = f"longest over shortest TPOT, by {key.replace('_', ' ')}"
        metrics[f"{key}_tpot_ratio"] = Metric(max(among) / min(among), "1", meaning)
    return metrics


def changed(load: Load, it: Server, **changes) -> tuple[Load, Server]:
    """A load with something changed, and the server of the same devices for it."""
    other = replace(load, **changes)
    return other, ask(other, it.on.model, it.on.device, it.on.layout)


def own_metrics(load: Load, own: Server, fleet: pd.DataFrame) -> dict[str, Metric]:
    """Devices, layout, times and lower bounds of the replica that the notebook follows."""
    model, device, at = own.on.model, own.on.device, deployment(load, own)
    mine = fleet.set_index(["model", "accelerator"]).loc[(model.name, device.name)]
    most = sizing.decode_flop_per_byte(at, 1e6, load.prompt + 1)
    metrics = {
        "own_least_devices": Metric(mine["devices_bound"], "1", "fewest devices that hold own model and caches"),
        "own_devices": Metric(mine["devices"], "1", "devices that the own load needs under the engine"),
        "own_replica_devices": Metric(own.devices, "1", "devices of the replica whose times are drawn"),
        "own_layout": Metric(label(own.on.layout), "text", "layout of that replica"),
        "own_format": Metric(mine["weights"], "text", "format of the own model's weights"),
        "weights": Metric(load.weights, "text", "formats of the weights of all models"),
        "own_note": Metric(mine["note"] or "none", "text", "what of that format the own accelerator emulates"),
        "own_model": Metric(model.name, "text", "model followed through the notebook"),
        "own_accelerator": Metric(device.name, "text", "accelerator followed through the notebook"),
        "own_ridge": Metric(at.ridge_flop_per_byte, "FLOP/byte", "ridge, own accelerator"),
        "own_most_flop_per_byte": Metric(float(most), "FLOP/byte", "FLOP per byte of decode, limit of large batches"),
    }
    times = (
        ("ttft", own.ttft(load.prompt), bounds.prefill_seconds(at, 1, load.prompt), "TTFT of a lone prompt"),
        (
            "tpot",
            own.tpot(load.batch, load.middle),
            bounds.decode_step_seconds(at, load.batch, load.middle),
            "TPOT of the batch",
        ),
    )
    for key, answer, bound_s, meaning in times:
        metrics[f"own_{key}_ms"] = Metric.of(answer.map(lambda s: MILLI * s), "ms", f"{meaning}, own replica")
        metrics[f"own_{key}_bound_ms"] = Metric(MILLI * float(bound_s), "ms", f"lower bound of {meaning}, own replica")
    return metrics


def bound_metrics(fleet: pd.DataFrame) -> dict[str, Metric]:
    """Devices needed over their lower bound, geometric mean of all pairs of model and accelerator."""
    ratio = (fleet["devices"] / fleet["devices_bound"]).dropna()
    mean = np.exp(np.log(ratio).mean())
    return {"devices_over_bound": Metric(mean, "1", "devices over their lower bound, geometric mean of all pairs")}


def part_metrics(parts: pd.DataFrame) -> dict[str, Metric]:
    """The share of decode steps that links and host take."""
    total = parts.groupby("part")["spent_ms"].sum() / parts["spent_ms"].sum()
    share = total[["communication", HOST]].sum()
    return {"host_and_link_share": Metric(share, "1", "share of links and host in those steps")}


def limit_metrics(grid: pd.DataFrame) -> dict[str, Metric]:
    """The share of all points of batch and context at which bandwidth limits the step."""
    share = (grid["limit"] == "bandwidth").mean()
    return {"bandwidth_share": Metric(share, "1", "share of these maps limited by bandwidth")}
