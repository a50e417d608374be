"""Which layout: every way to cut a model over devices, and the best under limits of latency.

All layouts of a device count are tried (powers of two in TP, PP, attention groups and expert spread, the rest as
replicas), each at many concurrencies at once; the best by a goal is kept.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.compute.deployment import Settings
from tokenomics.compute.inference.server import Server, server
from tokenomics.compute.layout import Layout
from tokenomics.compute.operators.communication import domain
from tokenomics.errors import DataError
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.models import Model

CONCURRENCIES = 2.0 ** np.arange(0, 13)
"""Requests in flight of one replica that are tried."""


@dataclass(frozen=True)
class Candidate:
    """A layout with its replicas at its best concurrency.

    Attributes:
        layout: of one replica.
        replicas: how many stand side by side.
        concurrency: requests in flight of one replica.
        tpot_s, ttft_s: what a request sees.
        output_rate: tokens per second of all replicas.
    """

    layout: Layout
    replicas: int
    concurrency: float
    tpot_s: float
    ttft_s: float
    output_rate: float

    @property
    def devices(self) -> int:
        """All devices."""
        return self.layout.devices * self.replicas


def layouts(model: Model, device: Accelerator, devices: int) -> Iterator[Layout]:
    """Ways to cut a model over at most ``devices``: heads within a fast domain, layers in even stages, experts whole or
    cut; replicas that do not divide ``devices`` are left out."""
    for tp in _powers(domain(device, devices)):
        if model.heads % tp:
            continue
        for pp in _powers(devices // tp):
            if pp > model.layers:
                continue
            for dp in _powers(devices // (tp * pp)) if model.is_moe else (1,):
                if devices % (tp * pp * dp):
                    continue
                spread = _powers(tp * dp) if model.is_moe else (1,)
                yield from (Layout(tp, pp, dp, ep) for ep in spread if ep <= model.experts or ep == 1)


def _powers(most: int) -> list[int]:
    return [2**each for each in range(int(np.log2(max(most, 1))) + 1)]


def search(
    model: Model,
    device: Accelerator,
    devices: int,
    *,
    prompt: float,
    output: float,
    precision: str = "bf16",
    kv_precision: str = "",
    engine: str = "",
    most_tpot_s: float = np.inf,
    most_ttft_s: float = np.inf,
    among: Iterable[Layout] | None = None,
    settings: Callable[[Layout], Settings] | None = None,
) -> list[Candidate]:
    """Layouts of ``devices`` by output rate within limits of latency, best first.

    Args:
        model: the architecture.
        device: the accelerator.
        devices: in all; replicas fill them.
        prompt, output: tokens of a request.
        precision, kv_precision, engine: as for :func:`tokenomics.compute.inference.server.server`.
        most_tpot_s, most_ttft_s: limits in a closed loop.
        among: layouts of at most ``devices`` to look at; all of :func:`layouts` where ``None``.
        settings: what the engine is told on a layout; as published throughput runs set it where ``None``.

    Returns:
        One candidate a layout that fits and keeps the limits; empty where none does.

    Raises:
        DataError: fewer than one device.
    """
    if devices < 1:
        raise DataError("search", "devices", devices, ">= 1")
    found, texts = [], {"precision": precision, "kv_precision": kv_precision, "engine": engine}
    for layout in layouts(model, device, devices) if among is None else among:
        one = server(model, device, layout=layout, settings=settings and settings(layout), **texts)
        best = _best(one, prompt, output, most_tpot_s, most_ttft_s) if one.fits() else None
        if best is not None:
            at, tpot, ttft, rate = best
            replicas = devices // layout.devices
            found.append(Candidate(layout, replicas, at, tpot, ttft, rate * replicas))
    return sorted(found, key=lambda each: (-each.output_rate, each.layout))


def _best(one: Server, prompt: float, output: float, most_tpot_s: float, most_ttft_s: float) -> tuple | None:
    """Concurrency, TPOT, TTFT and output rate of one replica at its best point; ``None`` where no request fits or keeps
    the limits."""
    at = CONCURRENCIES[one.capacity(prompt + output) >= CONCURRENCIES]
    if not at.size:
        return None
    loop = one.closed_loop(at, prompt, output)
    tpot, ttft = loop.step.seconds(one.profile), loop.ttft_s
    rate = at * output / (ttft + tpot * np.maximum(output - 1, 0))
    rate = np.where((tpot <= most_tpot_s) & (ttft <= most_ttft_s), rate, -np.inf)
    best = int(np.argmax(rate))
    if not np.isfinite(rate[best]):
        return None
    return float(at[best]), float(tpot[best]), float(ttft[best]), float(rate[best])


def fewest(candidates: list[Candidate], rate: ArrayLike) -> NDArray[np.float64]:
    """Least devices of the best candidate's replicas that deliver ``rate`` output tokens a second.

    Raises:
        DataError: no candidate.
    """
    if not candidates:
        raise DataError("fewest", "candidates", "none", "at least one layout that keeps the limits")
    best = max(candidates, key=lambda each: each.output_rate / each.devices)
    each = best.output_rate / best.replicas
    return np.ceil(np.asarray(rate, dtype=float) / each) * best.layout.devices
