"""The frontier of price against speed of *Inference economics of language models* (Erdil, arXiv:2506.04645).

"Epoch mode": the paper's own step time, over the devices and batches of its own grid, so that its published frontier
can be set beside what this library says. Nothing here is calibrated or used elsewhere. A token takes::

    t = 4 L t_kernel + sum of all-reduces + sum of stage hand-overs + max(bytes / (N bandwidth), FLOP / (N FLOP/s))

with ``L`` layers on ``N`` devices cut into pipeline stages of one- or two-dimensional tensor parallelism; an all-reduce
takes the least of NCCL's three protocols. Rules that the paper leaves open (which activations move, the grids, the
latencies sampled) follow the authors' notebook, version 589a102, read as text and written anew; so do its oddities:
outputs of the query-key-value product count one byte each, 405B has 16 heads of keys and values, devices and batches
are not whole. The points to compare with are in ``data/catalogue/cost_speed_frontier.csv``.

Left out, as there: prefill, queues, idle time, percentiles, embedding look-ups, energy; contexts do not grow.
"""

from dataclasses import dataclass, fields
from functools import cache
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.errors import DataError
from tokenomics.facts.models import Model

Values = NDArray[np.float64]
STAGES = (1, 2, 4, 6)
ACTIVATION_BYTES = 2.0
PROTOCOLS = ((0.6e-6, 5e-6, 6.8e-6, 0.5), (1.25e-6, 8.5e-6, 14e-6, 0.95), (28e-6, 28e-6, 0.0, 1.0))
"""LL, LL128 and Simple: seconds per rank, per doubling of nodes, at least; share of the link's bandwidth."""
ALL_REDUCE, HAND_OVER = 2.0, 1.0
USD_PER_MTOKEN = 1e6 / 3600.0
"""USD per million tokens from USD per hour and seconds per token."""
GRID = 400
"""Numbers of devices and of batches tried, each even on a logarithmic scale."""
LARGEST = 2.0**18
LATENCIES = np.logspace(-4, 0, 600)
"""Seconds per token for which the cheapest deployment is asked."""
PREFERENCE = 4.0
"""The preferred point is the largest speed to this power over price."""


def _positive(where: str, key: str, value: float, zero: bool = False, infinite: bool = False) -> None:
    """Refuse a value that is not above zero (with ``zero``: below it), not a number, or without end."""
    good = value >= 0 if zero else value > 0
    if not good or not (infinite or value < np.inf):
        raise DataError(where, key, value, f"a number {'>=' if zero else '>'} 0")


@dataclass(frozen=True)
class Device:
    """An accelerator as the paper assumes it, without losses: FLOP/s and bytes per second, bytes, seconds, USD/h."""

    usd_per_hour: float
    flop_16: float
    flop_8: float
    bandwidth: float
    memory: float
    kernel_s: float
    link: float
    network: float
    per_node: int = 8

    def __post_init__(self):
        for each in fields(self):
            _positive("frontier device", each.name, getattr(self, each.name), zero=each.name == "kernel_s")


H100 = Device(
    usd_per_hour=2.1,
    flop_16=1e15,
    flop_8=2e15,
    bandwidth=3.3e12,
    memory=80e9,
    kernel_s=4e-6,
    link=225e9,
    network=25e9,
)
"""The paper's H100: rounded dense peaks, 4 us a kernel, all-reduces at a quarter of NVLink's and half a NIC's rate."""


@dataclass(frozen=True)
class Shape:
    """What the paper counts of a model. ``inner`` and ``outer`` are its matrices into and out of the MLP's width."""

    name: str
    layers: int
    d_model: int
    d_ff: int
    inner: int
    outer: int
    experts: int
    active_experts: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int

    def __post_init__(self):
        for each in fields(self):
            if each.name != "name":
                _positive(f"frontier of {self.name}", each.name, getattr(self, each.name))
        if self.active_experts > self.experts:
            allowed = f"at most {self.experts} (experts)"
            raise DataError(f"frontier of {self.name}", "active_experts", self.active_experts, allowed)

    @classmethod
    def of(cls, model: Model) -> Self:
        """The shape of a catalogued model with full attention and equal layers.

        Raises:
            DataError: latent attention, windows, linear layers, shared experts or layers of two kinds.
        """
        mixed = model.full_layers != model.layers or model.layers not in (model.dense_layers, model.moe_layers)
        if model.is_mla or mixed or model.shared_width:
            raise DataError("frontier", "model", model.name, "a model of equal layers with full attention")
        experts = (model.experts, model.experts_per_token) if model.is_moe else (1, 1)
        width = model.expert_width if model.is_moe else model.d_ff
        heads = (model.heads, model.kv_heads, model.head_dim)
        inner = 2 if model.gated_mlp else 1
        return cls(model.name, model.layers, model.d_model, width, inner, 1, *experts, *heads, model.vocab)

    @property
    def sparsity(self) -> float:
        """Experts per active one, rounded down as in the notebook."""
        return float(self.experts // self.active_experts)

    @property
    def attention_width(self) -> float:
        """Width of queries, keys and values together."""
        return (self.heads + 2 * self.kv_heads) * self.head_dim

    def parameters(self, active: bool = False) -> float:
        """Parameters, embeddings counted twice; with ``active`` those that a token passes."""
        attention = (self.attention_width + self.heads * self.head_dim) * self.d_model
        expert = (self.inner + self.outer) * self.d_model * self.d_ff
        experts = self.experts / self.sparsity if active else self.experts
        return self.layers * (attention + experts * expert) + 2 * self.vocab * self.d_model

    @property
    def cache_bytes(self) -> float:
        """Bytes of keys and values per token of context."""
        return 2 * self.kv_heads * self.head_dim * self.layers * ACTIVATION_BYTES


@dataclass(frozen=True)
class Frontier:
    """The cheapest deployments at each speed, slowest first; arrays of one length.

    Attributes:
        tokens_per_s: tokens a second of one request.
        usd_per_mtoken: USD per million output tokens at saturation.
        devices, batch: of the deployment, not whole.
        mfu: share of peak FLOP/s.
    """

    tokens_per_s: Values
    usd_per_mtoken: Values
    devices: Values
    batch: Values
    mfu: Values

    def cheapest(self) -> int:
        """Index of the least price."""
        return int(np.argmin(self.usd_per_mtoken))

    def fastest(self) -> int:
        """Index of the highest speed."""
        return int(np.argmax(self.tokens_per_s))

    def at_least(self, tokens_per_s: float) -> int | None:
        """Index of the least price at this speed or more; ``None`` where nothing is so fast."""
        price = np.where(self.tokens_per_s >= tokens_per_s, self.usd_per_mtoken, np.inf)
        best = int(np.argmin(price))
        return best if np.isfinite(price[best]) else None

    def preferred(self, power: float = PREFERENCE) -> int:
        """Index of the largest ``speed ** power / price``."""
        return int(np.argmax(self.tokens_per_s**power / self.usd_per_mtoken))


def frontier(
    shape: Shape, device: Device = H100, *, bits: float = 16, context: float = 0.0, most_tokens_per_s: float = np.inf
) -> Frontier:
    """The paper's frontier of a model.

    Args:
        shape: the model; :meth:`Shape.of` a catalogued one, or one of :func:`shapes`.
        device: the accelerator.
        bits: stored per weight: 16, 8 or 4. Keys, values and activations stay at 16.
        context: tokens that each request has in its cache.
        most_tokens_per_s: demand: no instance may make more tokens a second.

    Raises:
        DataError: other bits, a negative context, a demand that is not positive or that nothing meets.
    """
    where = f"frontier of {shape.name}"
    if bits not in (16, 8, 4):
        raise DataError(where, "bits", bits, "16, 8, 4")
    _positive(where, "context", context, zero=True)
    _positive(where, "most_tokens_per_s", most_tokens_per_s, infinite=True)
    weights = bits / 8 * shape.parameters()
    batch = np.geomspace(1, LARGEST * shape.sparsity, GRID)[None, :]
    # written as in the notebook: whether the first point holds the weights is decided by its last digit
    devices = np.logspace(np.log2(weights / device.memory), np.log2(LARGEST), GRID, base=2)[:, None]
    seconds = token_seconds(shape, device, devices, batch, bits=bits, context=context)
    usd = device.usd_per_hour * USD_PER_MTOKEN * devices * seconds / batch
    usd = np.where(batch / seconds <= most_tokens_per_s, usd, np.inf)
    rows, columns = _leaders(seconds, usd)
    if not len(rows):
        raise DataError(where, "most_tokens_per_s", most_tokens_per_s, "a demand that one instance meets")
    took, n, b = seconds[rows, columns], devices[rows, 0], batch[0, columns]
    mfu = _flop(shape, b, context) / (n * took * _peak(device, bits))
    return Frontier(1 / took, usd[rows, columns], n, b, mfu)


@cache
def shapes() -> dict[str, Shape]:
    """The shapes that the paper assumes, by name, from ``data/catalogue/cost_speed_models.csv``."""
    from tokenomics.facts import tables

    names = [each.name for each in fields(Shape)]
    rows = tables.read("catalogue/cost_speed_models")[names].to_dict("records")
    return {row["name"]: Shape(**row) for row in rows}


def _leaders(seconds: Values, usd: Values) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where the cheapest deployment within each of :data:`LATENCIES` stands, slowest first, each once; of equal prices
    the fastest."""
    within = np.searchsorted(LATENCIES, seconds)
    least = np.full(len(LATENCIES) + 1, np.inf)
    np.minimum.at(least, within, usd)
    front = np.isfinite(usd) & (usd == np.minimum.accumulate(least)[within]) & (within < len(LATENCIES))
    rows, columns = np.nonzero(front)
    order = np.lexsort((seconds[rows, columns], usd[rows, columns]))
    prices = usd[rows, columns][order]
    kept = order[np.concatenate([[True], np.diff(prices) > 0])[: len(order)]]
    return rows[kept], columns[kept]


def token_seconds(
    shape: Shape, device: Device, devices: ArrayLike, batch: ArrayLike, *, bits: float = 16, context: float = 0.0
) -> Values:
    """Seconds per token under the best of the paper's layouts, infinite where weights and caches do not fit.

    Args:
        devices: need not be whole; a column, where ``batch`` is a row, makes a grid.
        batch: requests in flight.
        bits, context: as for :func:`frontier`.
    """
    n, batch = np.asarray(devices, dtype=float), np.asarray(batch, dtype=float)
    held = shape.cache_bytes * context * batch + bits / 8 * shape.parameters()
    fits = n * device.memory >= held
    compute = _flop(shape, batch, context) / (n * _peak(device, bits))
    best = np.full(np.broadcast_shapes(n.shape, batch.shape), np.inf)
    for stages in STAGES:
        used = 1 - (1 - 1 / shape.sparsity) ** (batch / stages)
        fixed = stages * (used * _expert_bytes(shape, bits) + _other_bytes(shape, bits)) + shape.cache_bytes * (
            context * batch
        )
        across = n / stages
        hand_over = shape.d_model * batch / stages * ACTIVATION_BYTES / across
        talk = (stages - 1) * _collective(2.0, 2.0, hand_over, device, HAND_OVER) if stages > 1 else 0.0
        for square in (True, False):
            moved = batch * (used * _mlp_traffic(shape, across, square) + _attention_traffic(shape, across, square))
            reduced = _all_reduces(shape, device, across, batch / stages, square)
            waits = np.maximum((fixed + moved) / (n * device.bandwidth), compute)
            ok = fits & (stages <= n) & (stages <= batch)
            best = np.minimum(best, np.where(ok, reduced + talk + waits, np.inf))
    return best + 4 * shape.layers * device.kernel_s


def _peak(device: Device, bits: float) -> float:
    """FLOP/s of products with weights of so many bits."""
    return device.flop_16 if bits == 16 else device.flop_8


def _flop(shape: Shape, batch: Values, context: float) -> Values:
    """FLOP of a step: two a parameter that a token passes, and attention over the context."""
    attention = 4 * shape.head_dim * shape.heads * shape.layers * context
    return batch * (2 * shape.parameters(active=True) + attention)


def _expert_bytes(shape: Shape, bits: float) -> float:
    return bits / 8 * shape.layers * shape.experts * (shape.inner + shape.outer) * shape.d_model * shape.d_ff


def _other_bytes(shape: Shape, bits: float) -> float:
    attention = (shape.attention_width + shape.heads * shape.head_dim) * shape.d_model
    return bits / 8 * (shape.layers * attention + shape.vocab * shape.d_model)


def _held(across: Values, square: bool) -> tuple[Values, Values]:
    """How often devices hold a product's far and near side: (root, root) of a square of devices, else (all, once)."""
    return (np.sqrt(across), np.sqrt(across)) if square else (across, np.ones_like(across))


def _mlp_traffic(shape: Shape, across: Values, square: bool) -> Values:
    """Bytes of activations per token of the batch that MLPs read and write on all devices, all experts in use."""
    far, near = _held(across, square)
    each = ACTIVATION_BYTES * (near * shape.d_model + far * shape.d_ff) / shape.sparsity
    return shape.layers * shape.experts * (shape.inner + shape.outer) * each


def _attention_traffic(shape: Shape, across: Values, square: bool) -> Values:
    """The same of attention's products; outputs of the first count one byte, as in the notebook."""
    far, near = _held(across, square)
    first = ACTIVATION_BYTES * near * shape.d_model + far * shape.attention_width
    last = ACTIVATION_BYTES * (near * shape.d_model + far * shape.heads * shape.head_dim)
    return shape.layers * (first + last)


def _all_reduces(shape: Shape, device: Device, across: Values, batch: Values, square: bool) -> Values:
    words = [shape.d_model, shape.active_experts * shape.outer * shape.d_model]
    if square:
        words += [shape.attention_width, shape.active_experts * shape.inner * shape.d_ff]
    ranks, nodes = (np.sqrt(across) if square else across), np.ceil(across / device.per_node)
    nodes, cut = (np.sqrt(nodes) if square else nodes), (across / ranks)
    sizes = (ACTIVATION_BYTES * each * batch / cut for each in words)
    return shape.layers * sum(_collective(ranks, nodes, size, device, ALL_REDUCE) for size in sizes)


def _collective(ranks: ArrayLike, nodes: ArrayLike, size: Values, device: Device, rounds: float) -> Values:
    """Seconds in which ``ranks`` devices on ``nodes`` nodes sum ``size`` bytes (2 rounds) or hand them on (1)."""
    inside, outside = np.asarray(ranks) / nodes - 1, np.asarray(nodes) - 1
    per_byte = (nodes * np.maximum(inside, 0) / device.link + outside / device.network) / ranks * rounds / 2
    best = np.inf
    for per_rank, per_doubling, least, share in PROTOCOLS:
        waits = rounds * (inside * per_rank + per_doubling * np.log2(nodes)) + least
        best = np.minimum(best, waits + per_byte / share * size)
    return np.where(np.asarray(ranks) <= 1, 0.0, best)
