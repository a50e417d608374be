"""Many low-rank adapters (LoRA, Hu et al. 2021, arXiv:2106.09685) on one server, a request using one of them.

Weights stay as they are; beside each adapted product ``x W`` every row is shrunk to the rank by its adapter's first
matrix and expanded by its second, in kernels that group rows by adapter (Punica, Chen et al. 2023, arXiv:2310.18547;
S-LoRA, Sheng et al. 2023, arXiv:2311.03285). Here such a kernel is the calibrated 16-bit product whose columns are
those of all distinct adapters of the batch and whose rows are those of one, so each adapter's weights are read once and
its few rows are padded to a tile; rows that it does not count are added as bytes. A step has one pair of kernels for
each product of the layer that engines fuse.

Over devices, products cut by columns keep the first matrix whole and cut the second; products cut by rows the other way
round, so that nothing more is sent. Which adapters a batch holds is drawn from their popularity. Adapters that are not
on the device come over the host's link when a request needs them, and everything waits meanwhile (an upper limit:
S-LoRA fetches ahead).

Not validated: no measurement in our data has adapters. Intervals are those of the plain server. Left out: adapters of
routed experts, ranks that differ, requests without an adapter.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import groupby

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.compute import bounds
from tokenomics.compute.counts.matrices import ATTENTION, MLP, Matrix, matrices
from tokenomics.compute.deployment import Deployment
from tokenomics.compute.inference import durations, memory
from tokenomics.compute.inference.engines import Work
from tokenomics.compute.inference.feasibility import refuse_told
from tokenomics.compute.inference.server import Server
from tokenomics.compute.layout import ROUTER, Layout
from tokenomics.compute.operators import times
from tokenomics.compute.operators.selection import PCIE_BYTES_PER_S, kernels
from tokenomics.errors import DataError
from tokenomics.estimate import Estimate
from tokenomics.facts.models import Model

Values = NDArray[np.float64]
COLUMNS, ROWS, WHOLE = "columns", "rows", "whole"
CUTS = {
    **dict.fromkeys(("query", "key", "value"), ("query, key, value", COLUMNS)),
    "attention output": ("attention output", ROWS),
    "query down": ("query down", WHOLE),
    "latent down": ("latent down", WHOLE),
    "query up": ("query up", COLUMNS),
    "linear input": ("linear input", COLUMNS),
    "linear output": ("linear output", ROWS),
    "mlp up": ("mlp up", COLUMNS),
    "mlp down": ("mlp down", ROWS),
    "shared expert up": ("shared expert up", COLUMNS),
    "shared expert down": ("shared expert down", ROWS),
}
"""Matrices that can be adapted, with the fused product that each is part of and how devices cut it."""
BYTES = 2.0
"""Of an adapter's value and of an activation: adapters stay in 16 bit."""


@dataclass(frozen=True)
class Adapters:
    """A set of adapters of one shape.

    Attributes:
        count: adapters that requests choose from.
        rank: inner width.
        projections: names of the adapted matrices (keys of :data:`CUTS`); by default all of attention.
        resident: adapters kept on the devices; all where ``None``.
        skew: exponent of a power law of popularity: the n-th adapter is chosen in proportion to ``n^-skew``.

    Raises:
        DataError: a count, rank or number of residents below one, a negative skew, or an unknown projection.
    """

    count: int
    rank: int = 16
    projections: tuple[str, ...] = ()
    resident: int | None = None
    skew: float = 0.0

    def __post_init__(self):
        for name, low in (("count", 1), ("rank", 1), ("resident", 1), ("skew", 0)):
            given = getattr(self, name)
            if given is not None and not low <= given < np.inf:
                raise DataError("Adapters", name, given, f">= {low}")
        for name in self.projections:
            if name not in CUTS:
                raise DataError("Adapters", "projections", name, ", ".join(CUTS))

    @property
    def kept(self) -> int:
        """Adapters on the devices."""
        return min(self.count, self.count if self.resident is None else self.resident)

    @property
    def popularity(self) -> Values:
        """Probability of each adapter, the most popular first."""
        weight = np.arange(1, self.count + 1, dtype=float) ** -self.skew
        return weight / weight.sum()

    @property
    def missing(self) -> float:
        """Share of requests whose adapter is not on the devices, where the most popular ones are kept."""
        return float(self.popularity[self.kept :].sum())

    def distinct(self, sequences: ArrayLike) -> Values:
        """Adapters that independent sequences use on average, as experts that tokens touch; at most those kept, as a
        scheduler runs only sequences whose adapter is there.

        Returns:
            Adapters, in the shape of ``sequences``; 0 for none of them.
        """
        sequences = np.asarray(sequences, dtype=float)
        if self.skew == 0:
            found = -self.count * np.expm1(sequences * np.log1p(-1 / self.count)) if self.count > 1 else sequences > 0
        else:
            found = (1 - (1 - self.popularity) ** sequences[..., None]).sum(axis=-1)
        return np.minimum(found, self.kept)


@dataclass(frozen=True)
class Pair:
    """The two products beside one fused product, on one device: ``slices`` adapters of the same inputs side by side."""

    inputs: float
    outputs: float
    slices: float
    layers: float


@cache
def pairs(model: Model, layout: Layout, projections: tuple[str, ...] = ()) -> tuple[Pair, ...]:
    """Shrink and expand products of a step through all layers.

    Raises:
        DataError: the model has none of the projections.
    """
    found = []
    for fused, group in groupby(matrices(model), key=lambda each: CUTS.get(each.name, ("", ""))[0]):
        chosen = [each for each in group if fused and _is_chosen(each, projections)]
        if chosen:
            found.append(_pair(model, layout.tp, chosen))
    if not found:
        raise DataError("adapters", "projections", ", ".join(projections), ", ".join(names(model)))
    return tuple(found)


def names(model: Model) -> tuple[str, ...]:
    """Matrices of a model that can be adapted, by name."""
    return tuple(sorted({each.name for each in matrices(model)} & set(CUTS)))


def _is_chosen(matrix: Matrix, projections: tuple[str, ...]) -> bool:
    if matrix.part not in (ATTENTION, MLP):
        return False
    return matrix.name in projections if projections else matrix.part == ATTENTION


def _pair(model: Model, tp: int, chosen: list[Matrix]) -> Pair:
    """Sides on one device; gate and up are two copies a layer, keys and values are copied beyond the key heads."""
    layers = min(each.copies for each in chosen)
    if chosen[0].name in ("mlp up", "shared expert up") and model.gated_mlp:
        layers /= 2
    cut = CUTS[chosen[0].name][1]
    outputs = 0.0
    for each in chosen:
        split = min(tp, max(model.kv_heads, 1.0)) if each.name in ("key", "value") else tp
        outputs += each.outputs / (split if cut == COLUMNS else 1) * each.copies / layers
    inputs = chosen[0].inputs / (tp if cut == ROWS else 1)
    return Pair(inputs, outputs, sum(each.copies for each in chosen) / layers, layers)


def adapter_bytes(on: Deployment, adapters: Adapters) -> float:
    """Bytes of one adapter on one device."""
    sides = sum((each.inputs * each.slices + each.outputs) * each.layers for each in _pairs(on, adapters))
    return BYTES * adapters.rank * sides / on.layout.pp


def _pairs(on: Deployment, adapters: Adapters) -> tuple[Pair, ...]:
    return pairs(on.model, on.layout, adapters.projections)


def step_seconds(on: Deployment, adapters: Adapters, rows: ArrayLike, sequences: ArrayLike) -> Values:
    """What adapters add to one step over all layers.

    Args:
        on: the deployment.
        adapters: the set.
        rows: tokens of the step.
        sequences: sequences they belong to.

    Returns:
        Seconds of the device, in the broadcast shape of rows and sequences; 0 for no tokens.
    """
    rows, sequences = (np.ceil(np.asarray(x, dtype=float) / on.layout.dp) for x in (rows, sequences))
    used = np.maximum(adapters.distinct(sequences), 1.0)
    total = np.zeros(np.broadcast_shapes(rows.shape, sequences.shape))
    for each in _pairs(on, adapters):
        for product in _products(each, adapters.rank):
            total = total + each.layers * _grouped_seconds(on, rows, used, product)
    return np.where(rows > 0, total, 0.0)


def _products(pair: Pair, rank: int) -> Iterator[tuple[float, float, float]]:
    """Inputs, columns, and values read besides of a row: the second product adds to what the base product wrote."""
    yield pair.inputs, pair.slices * rank, 0.0
    yield float(rank), pair.outputs, pair.outputs + (pair.slices - 1) * rank


def _grouped_seconds(on: Deployment, rows: Values, used: Values, product: tuple[float, float, float]) -> Values:
    """A product grouped by adapter: ``used`` times ``columns`` side by side over the rows of one adapter, and the bytes
    of a row that this does not count: its inputs for all but one adapter's rows, and ``more`` values."""
    use, (inputs, columns, more) = kernels(on), product
    p, device, each = use.products[ROUTER], use.device, np.maximum(rows / used, 1.0)
    moved = BYTES * (np.maximum(rows - each, 0.0) * inputs + rows * more)
    apart = moved / (p.byte_efficiency * device.bandwidth_bytes_per_s)
    return times.gemm_seconds(p, device, each, used * columns, inputs) + apart


@dataclass(frozen=True)
class Adapted:
    """A server with adapters.

    Attributes:
        base: the server without them.
        adapters: the set.
        host_bytes_per_s: of the link over which each device fetches adapters from its host.
    """

    base: Server
    adapters: Adapters
    host_bytes_per_s: float = PCIE_BYTES_PER_S

    def __post_init__(self):
        refuse_told(self.base.on, "Adapted", "drafts", "prefix_tokens")

    @property
    def load_seconds(self) -> float:
        """Seconds until an adapter has come from the host, all devices at a time."""
        return adapter_bytes(self.base.on, self.adapters) / self.host_bytes_per_s

    @property
    def resident_bytes(self) -> float:
        """Bytes of the adapters kept on a device."""
        return self.adapters.kept * adapter_bytes(self.base.on, self.adapters)

    def tpot(self, batch: ArrayLike, context: ArrayLike, output: ArrayLike = np.inf) -> Estimate:
        """Seconds of a decode step of ``batch`` sequences.

        Args:
            batch, context: as for :meth:`tokenomics.compute.inference.server.Server.tpot`.
            output: tokens of an answer, after which another request takes the place, and may have to fetch its adapter;
                nothing is fetched where infinite.
        """
        batch, on = np.asarray(batch, dtype=float), self.base.on
        part = np.ceil(batch / on.layout.pp)
        more = step_seconds(on, self.adapters, part, part)
        work = durations.decode_step(on, batch, context) + Work(decode_s=more)
        fetching = batch / np.asarray(output, dtype=float) * self.adapters.missing * self.load_seconds
        least = bounds.decode_step_seconds(self.base.bound, batch, context)
        return self.base.estimate(work.seconds(self.base.profile) + fetching, "decode", least)

    def ttft(self, prompt: ArrayLike, batch: ArrayLike = 1) -> Estimate:
        """Seconds of reading ``batch`` prompts together on an idle server, with the mean time of fetching adapters."""
        prompt, batch, on = np.asarray(prompt, dtype=float), np.asarray(batch, dtype=float), self.base.on
        more = step_seconds(on, self.adapters, batch * prompt, batch)
        work = durations.prefill(on, batch, prompt) + Work(prefill_s=more)
        fetching = batch * self.adapters.missing * self.load_seconds
        least = bounds.prefill_seconds(self.base.bound, batch, prompt)
        return self.base.estimate(work.seconds(self.base.profile) + fetching, "prefill", least)

    def capacity(self, context: ArrayLike) -> Values:
        """Sequences of ``context`` tokens that fit beside the adapters kept."""
        return memory.capacity(self.base.on, self.base.profile.name, context, self.resident_bytes)

    def room(self, batch: ArrayLike, context: ArrayLike) -> Values:
        """Adapters that fit on the devices beside the caches of ``batch`` sequences of ``context`` tokens."""
        on = self.base.on
        caches = np.ceil(np.asarray(batch) / on.layout.dp) * memory.cache_bytes_per_device(on, context)
        free = memory.free_bytes(on, self.base.profile.name) - caches
        return np.maximum(np.floor(free / adapter_bytes(on, self.adapters)), 0.0)
