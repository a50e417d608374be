"""The layout of a row: as its columns state it, in whichever notation; where they state none, the engine's best.

Tables write attention that is data parallel in three ways: ``dp_attention`` with ``dp`` groups inside ``tp`` (SGLang),
with ``tp`` devices in all and no ``dp`` (TensorRT-LLM), or ``tp x dp`` devices (vLLM); others only name more devices
for the experts than for attention, or ``dp`` and ``ep`` without ``tp``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tokenomics.compute.deployment import Deployment
from tokenomics.compute.inference import durations, engines, feasibility, memory, saturation
from tokenomics.compute.inference.search import layouts as all_layouts
from tokenomics.compute.inference.server import put_together
from tokenomics.compute.layout import Layout
from tokenomics.errors import Infeasible
from tokenomics.facts.engines import published
from tokenomics.rows.case import Case, Setting
from tokenomics.rows.columns import ATTENTION

SIZES = ("n_gpu", "tp", "pp", "dp", "ep", ATTENTION)
DOMAIN = 8
"""Devices joined by fast links, where the vendor states no number."""
EMPTY = -1.0
"""Stands for an empty cell, so that empty cells are alike."""
FULL = ("max", "production", "mlperf_offline", "mlperf_server", "mlperf_interactive")
"""Loads under which whoever runs a system picks the layout that delivers most."""
LOAD = {"isl": 512.0, "osl": 512.0, "batch": np.inf}
"""Columns that a layout is chosen for, and what is taken where a row states none."""


@dataclass(frozen=True)
class _Alike:
    """A case without its numbers, alike if everything else is."""

    case: Case

    def __hash__(self) -> int:
        return hash((self.case.model, self.case.device, self.case.precision, self.case.engine, self.case.setting))


@dataclass(frozen=True)
class Stated:
    """Sizes that a row states; NaN: not stated."""

    n_gpu: float
    tp: float
    pp: float
    dp: float
    ep: float
    attention: float

    def whole(self, name: str) -> int:
        """A size, 1 where it is not stated."""
        value = getattr(self, name)
        return 1 if np.isnan(value) else int(value)

    @property
    def open(self) -> bool:
        """Whether devices are stated, and not how the model lies on them."""
        return (
            self.n_gpu > 1
            and all(np.isnan(each) or each <= 1 for each in (self.tp, self.dp, self.ep))
            and (np.isnan(self.tp) and self.n_gpu > self.whole("pp"))
        )


def by_sizes(case: Case) -> Iterator[tuple[Stated, NDArray[np.int64]]]:
    """Sizes that rows share, with their numbers; rows whose layout is chosen for their load share that too."""
    for sizes, rows in _alike(case, SIZES):
        stated = Stated(*sizes)
        if not (stated.open and _chosen(case, stated.whole("pp"))):
            yield stated, rows
            continue
        for _, some in _alike(case.only(rows), LOAD):
            yield stated, rows[some]


def _alike(case: Case, names: Sequence[str]) -> Iterator[tuple[list[float], NDArray[np.int64]]]:
    """Rows with the same numbers, cells that are empty included."""
    stated = np.stack([case.known(name, EMPTY) for name in names], axis=1)
    for numbers in np.unique(stated, axis=0):
        same = np.flatnonzero((stated == numbers).all(axis=1))
        yield np.where(numbers == EMPTY, np.nan, numbers).tolist(), same


def _chosen(case: Case, pp: int) -> bool:
    """Whether a layout that rows do not state is chosen for their load."""
    return pp == 1 and (case.load in FULL or (case.model.is_moe and case.load == "closed"))


def resolved(case: Case, stated: Stated) -> tuple[Layout, list[str]]:
    """The layout of one replica that rows mean, and what was assumed.

    Args:
        case: rows that share these sizes.
        stated: what they state.

    Raises:
        DataError: sizes that are no whole numbers.
        Infeasible: what cannot be.
    """
    sizes = {name: getattr(stated, name) for name in ("tp", "pp", "dp", "ep")}
    feasibility.check_counts(stated.n_gpu, **{k: 1 if np.isnan(v) else v for k, v in sizes.items()})
    n, pp = int(stated.n_gpu), stated.whole("pp")
    if n == 1 == stated.whole("tp") == pp == stated.whole("dp"):
        return Layout(), []
    if published(case.engine).splits_layers:
        layout = Layout(pp=n)
        return layout, feasibility.check_layout(case.model, layout)
    if stated.open:
        return _open(case, n, pp)
    layout, notes = _stated(case, stated)
    return layout, [*notes, *feasibility.check_layout(case.model, layout)]


def _open(case: Case, n: int, pp: int) -> tuple[Layout, list[str]]:
    """The engine's best layout of ``n`` devices where it is chosen for the load, else tensor parallelism over all."""
    if _chosen(case, pp):
        layout = best(case, n)
        return layout, [f"layout not stated: {_words(layout, n)}, the fastest"]
    if n % pp:
        feasibility.check_replicas(n, 1, pp)
    layout = Layout(tp=n // pp, pp=pp)
    notes = feasibility.check_layout(case.model, layout)
    return layout, [f"layout not stated: {_words(layout, n)}", *notes]


def _stated(case: Case, stated: Stated) -> tuple[Layout, list[str]]:
    """A layout of which a row states something."""
    n, pp, dp, ep = (int(stated.n_gpu), *(stated.whole(name) for name in ("pp", "dp", "ep")))
    moe, notes = case.model.is_moe, []
    within = case.model.is_moe and stated.attention == 1
    if np.isnan(stated.tp) or (within and np.isnan(stated.dp) and stated.tp == 1):
        return _without_tp(case, n, pp, dp, stated)
    tp = stated.whole("tp")
    apart = moe and case.model.heads % tp != 0
    feasibility.check_layout(case.model, Layout(1 if apart else tp, pp))
    if within and (np.isnan(stated.dp) or tp * pp * dp != n) and tp * pp <= n:  # groups are counted within tp
        groups = dp if dp > 1 and not tp % dp else tp
        notes.append(f"attention data parallel: {groups} groups within tp {tp}")
        return _spread(tp // groups, pp, groups, ep, notes)
    notes += feasibility.check_replicas(n, tp, pp, dp)
    if apart:  # heads that cannot be shared evenly: attention runs on every device by itself
        notes.append(f"attention data parallel: {case.model.heads} heads cannot be shared by {tp}")
        return _spread(1, pp, tp, ep, notes)
    if tp * pp * dp > n:
        dp = max(1, n // (tp * pp))
    if not moe:
        return _spread(_within_domain(case, tp), pp, 1, ep, notes)
    if dp == 1 and ep > tp and not ep % tp and not n % (ep * pp):
        dp = ep // tp
        notes.append(f"attention data parallel: {dp} groups")
    elif stated.attention != 1:
        tp = _within_domain(case, tp)
    return _spread(tp, pp, dp, ep, notes)


def _without_tp(case: Case, n: int, pp: int, dp: int, stated: Stated) -> tuple[Layout, list[str]]:
    """Devices shared by attention groups and experts, or by replicas of a dense model."""
    feasibility.check_replicas(n, 1, pp, dp)
    each = n // pp
    if not case.model.is_moe:
        return _spread(each // dp, pp, 1, stated.whole("ep"), [])
    groups = dp if dp > 1 else each
    ep = stated.whole("ep") if stated.ep > 1 else each
    return _spread(each // groups, pp, groups, ep, [f"attention data parallel: {groups} groups, experts over {ep}"])


def _spread(tp: int, pp: int, dp: int, ep: int, notes: list[str]) -> tuple[Layout, list[str]]:
    if (tp * dp) % ep:
        raise Infeasible("row", "ep", ep, f"ep {ep} does not divide tp x dp = {tp * dp}", str(tp * dp))
    return Layout(tp=tp, pp=pp, dp=dp, ep=ep), notes


def _within_domain(case: Case, tp: int) -> int:
    """Nobody cuts heads across nodes: what lies beyond are replicas."""
    domain = case.device.link_devices or DOMAIN
    return min(tp, domain) if not tp % domain else tp


def _words(layout: Layout, n: int) -> str:
    sizes = {"tp": layout.tp, "pp": layout.pp, "attention dp": layout.dp, "ep": layout.ep}
    parts = [f"{name} {size}" for name, size in sizes.items() if size > 1 or (name == "tp" and layout.dp == 1)]
    replicas = n // layout.devices
    return ", ".join([*parts, f"{replicas} replicas"] if replicas > 1 else parts)


def best(case: Case, n: int) -> Layout:
    """The layout with which ``n`` devices write most under the load of the rows (lengths and batch of the first), as
    whoever runs a benchmark would choose: tensor parallelism, experts spread over it, attention data parallel."""
    isl, osl, batch = (float(case.known(name, otherwise)[0]) for name, otherwise in LOAD.items())
    lengths, in_flight = (isl, osl), batch if case.load == "closed" else np.inf
    plain = replace(case, metric="", load="", columns={}, setting=Setting(left_out=case.setting.left_out))
    return _best(_Alike(plain), n, lengths, in_flight)


@lru_cache(maxsize=256)
def _best(of: "_Alike", n: int, lengths: tuple[float, float], in_flight: float) -> Layout:
    case = of.case
    name = engines.profile_name(case.engine, case.device)
    profile, rates = engines.profile(name, case.model.is_moe), {}
    candidates = _candidates(case, n)
    for layout in candidates:
        on = put_together(case.model, case.device, case.precision, layout, name, left_out=case.setting.left_out)
        if memory.capacity(on, name, sum(lengths)) >= 1:
            rates[layout] = _rate(on, profile, n, lengths, in_flight)
    return max(rates, key=rates.get, default=max(candidates, key=lambda each: (each.devices, each.tp)))


def _candidates(case: Case, n: int) -> list[Layout]:
    """Layouts without stages that fill ``n`` devices with replicas; experts cut, or spread over the whole replica."""
    groups = published(case.engine).attention_dp
    found = [each for each in all_layouts(case.model, case.device, n) if each.pp == 1]
    found = [each for each in found if each.ep in (1, each.tp * each.dp) and (each.dp == 1 or (groups and each.ep > 1))]
    found += [Layout(dp=n, ep=n)] if case.model.is_moe and groups else []
    return [each for each in dict.fromkeys(found) if not n % each.devices]


def _rate(on: Deployment, profile: engines.Profile, n: int, lengths: tuple[float, float], in_flight: float) -> float:
    replicas = n / on.layout.devices
    each = np.maximum(in_flight / replicas, 1.0)
    running = durations.in_flight(on, profile.name, each, *lengths)
    cycle = saturation.saturated_cycle(on, profile, *lengths, each)
    return float(running / cycle.seconds(profile) * np.minimum(replicas, in_flight))
