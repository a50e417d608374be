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

import numpy as np
from numpy.typing import NDArray

from tokenomics.economics.frontier_steps import H100, Device, Shape, Values, flop, peak, positive, token_seconds
from tokenomics.errors import DataError

USD_PER_MTOKEN = 1e6 / 3600.0
"""USD per million tokens from USD per hour and seconds per token."""
GRID = 400
"""Numbers of devices and of batches tried, each even on a logarithmic scale."""
LARGEST = 2.0**18
LATENCIES = np.logspace(-4, 0, 600)
"""Seconds per token for which the cheapest deployment is asked."""
PREFERENCE = 4.0
"""The preferred point is the largest speed to this power over price."""


@dataclass(frozen=True)
class Frontier:
    """The cheapest deployments at each speed, slowest first; arrays of one length.

    Attributes:
        tokens_per_s: tokens a second of one request.
        usd_per_mtoken: USD per million output tokens at full load.
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
    positive(where, "context", context, zero=True)
    positive(where, "most_tokens_per_s", most_tokens_per_s, infinite=True)
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
    mfu = flop(shape, b, context) / (n * took * peak(device, bits))
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
