"""What is asked of a deployment, and which deployment answers: fewest devices, or the fastest layout of so many."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from tokenomics.compute import bounds, sizing
from tokenomics.compute.counts.precision import stored
from tokenomics.compute.deployment import Settings
from tokenomics.compute.inference.search import layouts
from tokenomics.compute.inference.server import Server, server
from tokenomics.compute.layout import Layout
from tokenomics.errors import Infeasible
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.models import Model

CACHES = {16: "bf16", 8: "fp8", 4: "fp4"}
"""How a width of the cache in bits is written for the library."""
MOST_DEVICES = 1024


@dataclass(frozen=True)
class Load:
    """Requests and how they are served.

    Attributes:
        prompt, output: tokens of a request.
        batch: requests served together.
        weight_format: of the weights, as published tables write it; empty: as the model is published, else bf16. A
            device without units of the format widens weights as it reads them.
        kv_bits: 16, 8 or 4 bits a cached value.
        engine: software as published; the generic profile where empty.
        cached: tokens of the prompt that are known already.
        settings: what the engine is told.
    """

    prompt: float = 1024
    output: float = 256
    batch: float = 32
    weight_format: str = ""
    kv_bits: int = 16
    engine: str = ""
    cached: float = 0
    settings: Settings = field(default_factory=Settings)

    @property
    def context(self) -> float:
        """Tokens of a sequence at its end."""
        return self.prompt + self.output

    @property
    def cache(self) -> str:
        """The format of the cache, as published tables write it."""
        return CACHES[self.kv_bits]

    def format_of(self, model: Model) -> str:
        """The format in which a model's weights are stored."""
        return stored(model, self.weight_format)[0]

    @property
    def weights(self) -> str:
        """The formats of the weights of several models, in words."""
        return f"weights in {self.weight_format}" if self.weight_format else "weights as published"

    @property
    def middle(self) -> float:
        """Tokens of a sequence half-way through its answer: the context of its mean step."""
        return self.prompt + self.output / 2


def ask(load: Load, model: Model, device: Accelerator, layout: Layout | None = None) -> Server:
    """The server of a load on a layout; one device where ``None``."""
    texts = {"precision": load.weight_format, "kv_precision": load.cache}
    return server(model, device, engine=load.engine, layout=layout or Layout(), settings=load.settings, **texts)


def deployment(load: Load, it: Server) -> bounds.IdealDevices:
    """The same devices as the bounds see them, for the formats of a load."""
    return sizing.deployment(it.on.model, it.on.device, load.weight_format, load.kv_bits, it.devices)


def holding(load: Load, model: Model, device: Accelerator, devices: int) -> Iterator[Server]:
    """Servers of one replica on exactly so many devices that hold the load's sequences at their end."""
    for layout in layouts(model, device, devices):
        if layout.devices == devices:
            it = ask(load, model, device, layout)
            if it.capacity(load.context) >= load.batch:
                yield it


def fastest(load: Load, model: Model, device: Accelerator, least: int = 1) -> Server | None:
    """The replica with the shortest decode step on the fewest devices that hold the load, from ``least`` on.

    Counts are powers of two, as engines cut heads and layers; ``None`` where :data:`MOST_DEVICES` do not hold it.
    """
    bare = sizing.deployment(model, device, load.weight_format, load.kv_bits)
    bound = float(bounds.devices_to_hold(bare, load.batch, load.context))
    devices = 2 ** int(np.ceil(np.log2(max(bound, least))))
    while devices <= MOST_DEVICES:
        found = list(holding(load, model, device, devices))
        if found:
            return min(found, key=lambda it: (float(it.tpot(load.batch, load.middle).value), it.on.layout))
        devices *= 2
    return None


def replica_of(load: Load, model: Model, device: Accelerator, least: int = 1) -> Server:
    """As :func:`fastest`, for a model that a notebook follows.

    Raises:
        Infeasible: no number of devices holds the load.
    """
    it = fastest(load, model, device, least)
    if it is None:
        what = f"{load.batch:.0f} requests of {load.context:.0f} tokens"
        reason = f"{MOST_DEVICES} {device.name} do not hold {what} with weights in {load.format_of(model)}"
        raise Infeasible("replica", "model", model.name, reason)
    return it


def label(layout: Layout) -> str:
    """A layout in words: ``TP8 PP2``, ``TP4 DP2 EP8``; ``1`` for a single device."""
    parts = [f"{name.upper()}{getattr(layout, name)}" for name in ("tp", "pp", "dp", "ep") if getattr(layout, name) > 1]
    return " ".join(parts) or "1"


def short(device: Accelerator) -> str:
    """A device's name without form factor and memory, for a legend: ``H100``, ``MI300X``, ``TPU-v5p``."""
    words = device.name.split("-")
    return words[0] if len(words) > 1 and words[1] in ("SXM", "PCIe") else "-".join(words[:2])
