"""Choosing: the frontier of speed and throughput of an accelerator, what it costs in money and power, and layouts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import pandas as pd

from tokenomics.compute.inference.search import Candidate, layouts
from tokenomics.compute.inference.server import Server
from tokenomics.errors import DataError
from tokenomics.facts import prices
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.models import Model
from tokenomics.sections.s04_inference_xpus.load import Load, ask, fastest, label
from tokenomics.sections.s04_inference_xpus.tables import MILLI

SECONDS_PER_HOUR, MILLION, KILO = 3600.0, 1e6, 1e3


def frontier(
    load: Load, model: Model, devices: Iterable[Accelerator], most: int, concurrencies: Sequence[float]
) -> pd.DataFrame:
    """Points of a closed loop that no other beats in both speed for a user and output a device, for each accelerator.

    Tried are all layouts of one copy on up to ``most`` devices (on the fewest that hold a single request where that is
    more), at all concurrencies that fit in memory.

    Returns:
        A row a point, fastest for the user first; an accelerator that cannot hold the model has none.
    """
    found = []
    for device in devices:
        points = _points(load, model, device, most, np.asarray(concurrencies, dtype=float))
        if not points.empty:
            found.append(better(points, "per_user", "per_device"))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def _points(load: Load, model: Model, device: Accelerator, most: int, at: np.ndarray) -> pd.DataFrame:
    single = Load(load.prompt, load.output, 1, load.weight_bits, load.kv_bits, load.engine)
    least = fastest(single, model, device)
    if least is None:
        return pd.DataFrame()
    most = max(most, least.devices)
    rows = []
    for count in (2**each for each in range(int(np.log2(least.devices)), int(np.log2(most)) + 1)):
        for layout in layouts(model, device, count):
            it = ask(load, model, device, layout)
            if layout.devices == count and it.fits():
                rows.append(_loop(load, it, at[at <= it.capacity(load.context)]))
    return pd.concat(rows, ignore_index=True)


def _loop(load: Load, it: Server, at: np.ndarray) -> pd.DataFrame:
    tpot = it.loaded_tpot(at, load.prompt, load.output)
    rate = it.output_rate(load.prompt, load.output, at)
    rows = pd.DataFrame({"concurrency": at, "per_user": 1 / tpot.value})
    names = {"accelerator": it.on.device.name, "devices": it.devices, "layout": label(it.on.layout)}
    rows = rows.assign(
        **names,
        profile=it.profile.name,
        ttft_ms=MILLI * it.loaded_ttft(at, load.prompt, load.output).value,
        tpot_ms=MILLI * tpot.value,
    )
    ends = {"per_device": rate.value, "per_device_low": rate.low, "per_device_high": rate.high}
    rows = rows.assign(**{name: end / it.devices for name, end in ends.items()})
    return rows.assign(limit=it.limited_by(at, load.middle))


def better(points: pd.DataFrame, x: str, y: str) -> pd.DataFrame:
    """Points that no other one beats in both columns, from the largest ``x`` down; of equal ones the first by name."""
    ordered = points.sort_values([x, y, "layout"], ascending=[False, False, True])
    best = ordered[y].cummax().shift(fill_value=-np.inf)
    return ordered[ordered[y] > best].reset_index(drop=True)


def within(points: pd.DataFrame, most_tpot_ms: float) -> pd.DataFrame:
    """The point of each accelerator with the highest output a device among those that keep the limit, if any does."""
    kept = points[points["tpot_ms"] <= most_tpot_ms].sort_values(["accelerator", "per_device"], ascending=[True, False])
    return kept.drop_duplicates("accelerator").reset_index(drop=True)


def point_of(chosen: pd.DataFrame, device: Accelerator, most_tpot_ms: float) -> pd.Series:
    """The chosen point of one accelerator.

    Raises:
        DataError: it has none within the limit.
    """
    rows = chosen[chosen["accelerator"] == device.name]
    if rows.empty:
        raise DataError("parameters", "most_tpot_ms", most_tpot_ms, f"what {device.name} can keep with the own model")
    return rows.iloc[0]


@dataclass(frozen=True)
class Best:
    """The accelerator with the highest value of a column, its interval, and how many other intervals reach into it."""

    name: str = "no accelerator of the table"
    value: float = 0.0
    low: float = 0.0
    high: float = 0.0
    rivals: int = 0


def best(chosen: pd.DataFrame, column: str) -> Best:
    """The best of a column that has ``_low`` and ``_high`` beside it; ties go to the first name."""
    rows = chosen.dropna(subset=[column]).sort_values([column, "accelerator"], ascending=[False, True])
    if rows.empty:
        return Best()
    first = rows.iloc[0]
    low, high = first[f"{column}_low"], first[f"{column}_high"]
    rivals = int((rows[f"{column}_high"] >= low).sum()) - 1
    return Best(first["accelerator"], float(first[column]), float(low), float(high), rivals)


def rent(device: Accelerator, price_list: str) -> float:
    """USD an hour of one accelerator: the median over providers of the cheapest on-demand offer on one list.

    Returns:
        NaN where the list has no offer.
    """
    cheapest: dict[str, float] = {}
    for offer in prices.rental_prices():
        if (offer.accelerator, offer.source, offer.kind) == (device.name, price_list, "on_demand") and offer.usable:
            price = offer.usd_per_accelerator_hour
            cheapest[offer.provider] = min(price, cheapest.get(offer.provider, price))
    return median(cheapest.values()) if cheapest else np.nan


def value(points: pd.DataFrame, devices: Iterable[Accelerator], price_list: str) -> pd.DataFrame:
    """Output of the chosen points per dollar of rent and per joule at the devices' TDP.

    A TDP is an upper limit of the device's own power, hosts and cooling are not in it: so tokens a joule are those of a
    device that draws all it may.

    Args:
        points: a row an accelerator, as :func:`within` gives it.
        devices: their records; those without a point are left out.
        price_list: source key of the rental list.
    """
    rows = points.copy()
    known = {device.name: device for device in devices}
    rows["usd_per_hour"] = [rent(known[name], price_list) for name in rows["accelerator"]]
    rows["tdp_w"] = [known[name].tdp_w or np.nan for name in rows["accelerator"]]
    for end in ("", "_low", "_high"):
        speed = rows[f"per_device{end}"]
        rows[f"mtoken_per_usd{end}"] = speed * SECONDS_PER_HOUR / MILLION / rows["usd_per_hour"]
        rows[f"token_per_j{end}"] = speed / rows["tdp_w"]
    return rows


def layouts_table(found: Sequence[Candidate], most_tpot_ms: float = np.inf) -> pd.DataFrame:
    """Candidates of a search as a table, in their order.

    Raises:
        DataError: the search found none within the limit.
    """
    if not found:
        raise DataError("parameters", "most_tpot_ms", most_tpot_ms, "what some layout of layout_devices can keep")
    return pd.DataFrame(
        {
            "layout": [label(each.layout) for each in found],
            "tp": [each.layout.tp for each in found],
            "replicas": [each.replicas for each in found],
            "concurrency": [each.concurrency * each.replicas for each in found],
            "tpot_ms": [MILLI * each.tpot_s for each in found],
            "ttft_ms": [MILLI * each.ttft_s for each in found],
            "rate": [each.output_rate / (each.layout.devices * each.replicas) for each in found],
        }
    )
