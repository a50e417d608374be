"""Operating points of closed loops that more than one notebook shows: the frontier of speed against throughput."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches

import numpy as np
import pandas as pd

from tokenomics.compute.counts.precision import parse, stored
from tokenomics.compute.inference.provision import Load, ask, fastest, label, replica_of
from tokenomics.compute.inference.search import layouts
from tokenomics.compute.inference.server import Server
from tokenomics.economics.cost.hourly import rent
from tokenomics.errors import DataError, Infeasible
from tokenomics.facts import catalogue, prices
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.models import Model
from tokenomics.notebook import units

MILLI = 1e3
PER_USER, PER_DEVICE = "per_user_tok_per_s", "per_device_tok_per_s"
PER_DEVICE_ENDS = (PER_DEVICE, units.end_of(PER_DEVICE, units.LOW), units.end_of(PER_DEVICE, units.HIGH))


FORMATS = "bf16", "fp8", "nvfp4"
"""Formats of weights that are compared with the published one, or with that of a parameter."""


def other_formats(server: Server) -> list[str]:
    """Of "as published" (empty) and :data:`FORMATS` those that store the weights in another way than a server does."""
    now, model = server.on.precision.weights, server.on.model
    found = {given: parse(stored(model, given)[0]).weights for given in ("", *FORMATS)}
    return [given for given, weights in found.items() if weights != now and (not given or weights != found[""])]


def must_exist(key: str, model: str, device: str, load: Load, least: int = 1) -> None:
    """Refuse parameters whose replica cannot exist, before anything runs.

    Args:
        key: parameter that names the model.
        least: devices of the replica, at least.

    Raises:
        DataError: requests longer than the model's context, or more than the devices hold.
    """
    chosen = catalogue.model(model)
    longest = chosen.context_tokens or np.inf
    if load.context > longest:
        allowed = f"a model that reads {load.context:.0f} tokens; it reads {longest}"
        raise DataError("parameters", key, chosen.name, allowed)
    try:
        replica_of(load, chosen, catalogue.accelerator(device), least)
    except Infeasible as error:
        raise DataError("parameters", key, chosen.name, f"a replica that exists; {error.reason}") from None


def must_have_rent(device: str, price_list: str) -> None:
    """Refuse an accelerator that a list of rents does not have.

    Raises:
        DataError: it has no on-demand rent there; the message names some that do.
    """
    listed = prices.listed_by(price_list)
    if rent(catalogue.accelerator(device), listed) is None:
        known = [each.name for each in catalogue.accelerators().values() if rent(each, listed) is not None]
        near = ", ".join(get_close_matches(device, known, 3, cutoff=0.0))
        raise DataError("parameters", "own_accelerator", device, f"one that {price_list} rents; nearest: {near}")


def frontier(
    load: Load, model: Model, devices: Iterable[Accelerator], most: int, concurrencies: Sequence[float]
) -> pd.DataFrame:
    """Points of a closed loop that no other beats in both speed for a user and output a device, for each accelerator.

    Tried are all layouts of one replica on up to ``most`` devices (on the fewest that hold a single request where that
    is more), at all concurrencies that fit in memory.

    Returns:
        A row a point, fastest for the user first; an accelerator that cannot hold the model has none.
    """
    found = []
    for device in devices:
        points = _points(load, model, device, most, np.asarray(concurrencies, dtype=float))
        if not points.empty:
            found.append(better(points, PER_USER, PER_DEVICE))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def _points(load: Load, model: Model, device: Accelerator, most: int, at: np.ndarray) -> pd.DataFrame:
    least = fastest(replace(load, batch=1), model, device)
    if least is None:
        return pd.DataFrame()
    most = max(most, least.devices)
    rows = []
    for count in (2**each for each in range(int(np.log2(least.devices)), int(np.log2(most)) + 1)):
        for layout in layouts(model, device, count):
            it = ask(load, model, device, layout)
            held = at[at <= it.capacity(load.context)]
            if layout.devices == count and held.size:
                rows.append(_loop(load, it, held))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()


def _loop(load: Load, it: Server, at: np.ndarray) -> pd.DataFrame:
    tpot = it.loaded_tpot(at, load.prompt, load.output)
    rate = it.output_rate(load.prompt, load.output, at)
    rows = {"concurrency": at, PER_USER: 1 / tpot.value, "accelerator": it.on.device.name, "devices": it.devices}
    rows |= {"layout": label(it.on.layout), "profile": it.profile.name}
    rows |= {"ttft_ms": MILLI * it.loaded_ttft(at, load.prompt, load.output).value, "tpot_ms": MILLI * tpot.value}
    rows |= units.columns(PER_DEVICE, rate.map(lambda tokens: tokens / it.devices))
    return pd.DataFrame(rows | {"limit": it.limited_by(at, load.middle)})


def better(points: pd.DataFrame, x: str, y: str) -> pd.DataFrame:
    """Points that no other one beats in both columns, from the largest ``x`` down; of equal ones the first by name."""
    ordered = points.sort_values([x, y, "layout"], ascending=[False, False, True])
    best = ordered[y].cummax().shift(fill_value=-np.inf)
    return ordered[ordered[y] > best].reset_index(drop=True)
