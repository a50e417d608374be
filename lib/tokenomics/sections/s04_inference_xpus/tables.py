"""Tidy tables of predictions beside their bounds: devices, latencies, parts of a step, memory, limits, sensitivity."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from tokenomics.compute import bounds, sizing
from tokenomics.compute.inference.intervals import kind_of
from tokenomics.compute.inference.server import Server
from tokenomics.estimate import Estimate
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.models import Model
from tokenomics.sections.s04_inference_xpus.load import Load, ask, deployment, fastest, label

MILLI, GIGA = 1e3, 1e9
HOST = "host"
PARTS = ("products", "experts", "attention", "elementwise", "communication", HOST)
"""Where a step's time goes, in the order in which bars are stacked."""
ENDS = {"": "value", "low_": "low", "high_": "high"}
"""How the columns of an estimate begin, and what they hold."""
RELATED = {"own": "measured", "profiled": "engine measured", "generation": "same generation", "vendor": "same vendor"}
RELATED |= {"other": "another vendor"}
"""How near an accelerator is to what was measured, in words."""
USES = ("weights", "cache", "activations", "buffers", "runtime")


def fleet(load: Load, models: Iterable[Model], devices: Sequence[Accelerator]) -> pd.DataFrame:
    """Every model on every accelerator, on the fewest devices that hold the load: devices, latencies, rate, bounds.

    Devices are missing where not even 1024 hold it.
    """
    return pd.DataFrame([_fleet_row(load, model, device) for model in models for device in devices])


def _fleet_row(load: Load, model: Model, device: Accelerator) -> dict:
    bare = sizing.deployment(model, device, load.weight_bits, load.kv_bits)
    row = {"model": model.name, "accelerator": device.name}
    row["devices_bound"] = float(bounds.devices_to_hold(bare, load.batch, load.context))
    it = fastest(load, model, device)
    if it is None:
        return row | {"devices": np.nan}
    on, at = deployment(load, it), load.prompt + 1
    row |= {"devices": float(it.devices), "layout": label(it.on.layout), "profile": it.profile.name}
    row["operators"] = RELATED[kind_of(it.on, it.profile)]
    ttft, tpot = it.ttft(load.prompt), it.tpot(load.batch, at)
    rate = it.output_rate(load.prompt, load.output, load.batch)
    floors = {
        "ttft": bounds.prefill_seconds(on, 1, load.prompt),
        "tpot": bounds.decode_step_seconds(on, load.batch, at),
    }
    for name, estimate in (("ttft", ttft), ("tpot", tpot)):
        row |= {f"{name}_bound_ms": MILLI * float(floors[name])}
        row |= {f"{name}_{end}ms": MILLI * float(getattr(estimate, key)) for end, key in ENDS.items()}
    row["rate_bound"] = float(bounds.output_rate(on, load.prompt, load.output, load.batch)) / it.devices
    row |= {f"rate{end and '_' + end[:-1]}": float(getattr(rate, key)) / it.devices for end, key in ENDS.items()}
    return row


def by_bits(load: Load, models: Iterable[Model], device: Accelerator, widths: Iterable[int]) -> pd.DataFrame:
    """Devices that hold the load by bits a weight: bound beside the model's answer, and the memory of all devices."""
    rows = []
    for model in models:
        for bits in widths:
            narrow = replace(load, weight_bits=bits)
            bare = sizing.deployment(model, device, bits, load.kv_bits)
            least = float(bounds.memory_bytes(bare, load.batch, load.context)) / GIGA
            hold, it = float(bounds.devices_to_hold(bare, load.batch, load.context)), fastest(narrow, model, device)
            used = np.nan if it is None else float(it.memory(load.batch, load.context).total) * it.devices / GIGA
            rows.append((model.name, bits, least, used, hold, np.nan if it is None else float(it.devices)))
    columns = ["model", "weight_bits", "least_gb", "used_gb", "devices_bound", "devices"]
    return pd.DataFrame(rows, columns=columns)


def latency(load: Load, servers: Mapping[str, Server], kind: str, points: Sequence[float], column: str) -> pd.DataFrame:
    """Milliseconds of ``prefill`` against the prompt, of ``decode`` against the batch, or of ``context`` against the
    context at the load's batch, with the interval and the bound, for every named server that holds the point."""
    found = []
    for name, it in servers.items():
        on, x = deployment(load, it), np.asarray(points, dtype=float)
        batch = {"prefill": np.ones_like(x), "decode": x, "context": np.full_like(x, load.batch)}[kind]
        length = {"prefill": x, "decode": np.full_like(x, load.prompt + 1), "context": x}[kind]
        keep = it.capacity(length + (load.output if kind == "decode" else 1)) >= batch
        x, batch, length = x[keep], batch[keep], length[keep]
        if kind == "prefill":
            floor, estimate = bounds.prefill_seconds(on, 1, length), it.ttft(length)
        else:
            floor, estimate = bounds.decode_step_seconds(on, batch, length), it.tpot(batch, length)
        found.append(pd.DataFrame({"panel": name, column: x, "bound": MILLI * floor} | ends(estimate, MILLI)))
    return pd.concat(found, ignore_index=True)


def ends(estimate: Estimate, scale: float = 1.0) -> dict[str, np.ndarray]:
    """The columns value, low and high of an estimate."""
    return {key: scale * np.asarray(getattr(estimate, key)) for key in ENDS.values()}


def holds(load: Load, servers: Mapping[str, Server], contexts: Sequence[float]) -> pd.DataFrame:
    """Sequences that fit at a time, by context: as the engine keeps memory back, beside the bound."""
    found = []
    for name, it in servers.items():
        x = np.asarray(contexts, dtype=float)
        most = bounds.largest_batch(deployment(load, it), x)
        found.append(pd.DataFrame({"panel": name, "context": x, "value": it.capacity(x), "bound": most}))
    return pd.concat(found, ignore_index=True)


def loaded(load: Load, it: Server, concurrencies: Sequence[float]) -> pd.DataFrame:
    """TTFT and TPOT in milliseconds, with intervals, against the requests in flight."""
    at = np.asarray(concurrencies, dtype=float)
    found = {
        "TTFT [ms]": it.loaded_ttft(at, load.prompt, load.output),
        "TPOT [ms]": it.loaded_tpot(at, load.prompt, load.output),
    }
    frames = [pd.DataFrame({"panel": name, "concurrency": at} | ends(e, MILLI)) for name, e in found.items()]
    return pd.concat(frames, ignore_index=True)


def operating_points(load: Load, it: Server, concurrencies: Sequence[float]) -> pd.DataFrame:
    """A row for each number of requests in flight: what each sees, what a device gives, what limits the step."""
    at = np.asarray(concurrencies, dtype=float)
    both = loaded(load, it, at)
    rows = pd.DataFrame({"concurrency": at})
    for name in ("ttft", "tpot"):
        part = both[both["panel"].str.startswith(name.upper())].reset_index(drop=True)
        rows = rows.assign(**{f"{name}_ms": part["value"], f"{name}_low": part["low"], f"{name}_high": part["high"]})
    rate = it.output_rate(load.prompt, load.output, at)
    rows = rows.assign(
        **{f"rate{end and '_' + end[:-1]}": getattr(rate, key) / it.devices for end, key in ENDS.items()}
    )
    return rows.assign(limit=it.limited_by(at, load.middle))


def step_parts(load: Load, servers: Mapping[str, Server]) -> pd.DataFrame:
    """Milliseconds of a decode step by what they are spent on, the engine's slowdown spread over the device's parts.

    The host's share is put together from the profile's own two numbers, so the sum is a second way to the step's time.
    """
    rows = []
    for name, it in servers.items():
        at = load.middle
        parts, profile = it.step_parts(np.ceil(load.batch / it.on.layout.pp), at), it.profile
        host = float(profile.pass_s(it.on.layers_together)) + profile.sequence_s * load.batch
        spent = {part: profile.decode_slowdown * float(getattr(parts, part)) for part in PARTS if part != HOST}
        rows += [(name, part, MILLI * (spent | {HOST: host})[part]) for part in PARTS]
    return pd.DataFrame(rows, columns=["deployment", "part", "milliseconds"])


def memory_parts(load: Load, servers: Mapping[str, Server]) -> pd.DataFrame:
    """Gigabytes on the fullest device by use, while the load is served, and what is left of the device."""
    rows = []
    for name, it in servers.items():
        memory = it.memory(load.batch, load.context)
        rows += [(name, use, float(getattr(memory, use)) / GIGA) for use in USES]
        rows.append((name, "free", (it.on.device.memory_bytes * bounds.LARGEST_GB - float(memory.total)) / GIGA))
    return pd.DataFrame(rows, columns=["deployment", "use", "gigabytes"])


def limits(it: Server, batches: Sequence[float], contexts: Sequence[float]) -> pd.DataFrame:
    """What takes most of a decode step over a grid of batch and context."""
    size, length = np.meshgrid(batches, contexts, indexing="ij")
    limit = it.limited_by(size.ravel(), length.ravel())
    return pd.DataFrame({"batch": size.ravel(), "context": length.ravel(), "limit": limit})


def sensitivity(cases: Mapping[str, tuple[Load, Server]]) -> pd.DataFrame:
    """TTFT alone, TPOT and output rate a device, with intervals, of each named load on its server."""
    rows = []
    for name, (load, other) in cases.items():
        ttft = other.ttft(load.prompt - load.cached, 1, load.cached)
        tpot = other.tpot(load.batch, load.middle)
        rate = other.output_rate(load.prompt - load.cached, load.output, load.batch)
        row = {"change": name, "devices": other.devices}
        row |= {f"ttft_{key}": MILLI * float(getattr(ttft, key)) for key in ENDS.values()}
        row |= {f"tpot_{key}": MILLI * float(getattr(tpot, key)) for key in ENDS.values()}
        row |= {f"rate_{key}": float(getattr(rate, key)) / other.devices for key in ENDS.values()}
        rows.append(row)
    return pd.DataFrame(rows)


def changed(load: Load, it: Server, **changes) -> tuple[Load, Server]:
    """A load with something changed, and the same devices asked for it."""
    other = replace(load, **changes)
    return other, ask(other, it.on.model, it.on.device, it.on.layout)
