"""Step tables from a modelled deployment, or from what somebody measured."""

import numpy as np
from numpy.typing import ArrayLike

from tokenomics.compute.inference import feasibility, memory
from tokenomics.compute.inference.server import Server
from tokenomics.compute.inference.steps import device_seconds
from tokenomics.errors import DataError, require
from tokenomics.service.simulator.times import StepTable, Values

COLUMNS = 256
"""Places of a table along context, at most; between them times are close to linear."""


def modelled(server: Server, max_batch: int = 256, max_tokens: int = 2048, longest: int = 16384) -> StepTable:
    """Times of a deployment's steps (:mod:`tokenomics.compute.inference.steps`), with what its engine adds.

    A step of decodes costs what :meth:`Server.tpot` says, a prompt alone what :meth:`Server.ttft` says. With pipeline
    stages the table is of one stage, to be simulated with as many ``stages``; the hop between them is in it.

    Args:
        server: the deployment.
        max_batch: decodes of the largest step.
        max_tokens: prompt tokens of the largest step of chunks.
        longest: tokens of the longest sequence; with whole prompts also of the largest step.

    Left out: the output head is counted for one prompt a step.
    """
    on, profile = server.on, server.profile
    step, most = max(64, -(-longest // COLUMNS)), max(max_tokens, longest)
    chunk_step = max(16, -(-most // COLUMNS))
    contexts, pasts = (np.maximum(np.arange(0, longest + step, step), 1) for _ in range(2))
    chunks = np.maximum(np.arange(0, most + chunk_step, chunk_step), 1)
    host = profile.host_s(on.layers_together)
    batch = np.arange(1, max_batch + 1)[:, None]
    decode = profile.decode_slowdown * device_seconds(on, decode=batch, context=contexts).total * on.stage_share
    parts = device_seconds(on, new=np.arange(1, most + max_batch + 1))
    linear = profile.prefill_slowdown * (parts.total - parts.attention) * on.stage_share
    attention = device_seconds(on, new=chunks, past=np.where(pasts == 1, 0, pasts)[:, None]).attention
    return StepTable(
        decode_s=np.vstack([np.zeros(len(contexts)), decode + host + profile.sequence_s * batch]),
        linear_s=np.r_[0.0, linear + host],
        prefill_s=profile.prefill_slowdown * attention * on.stage_share,
        context_step=step,
        past_step=step,
        chunk_step=chunk_step,
    )


def cache_blocks(server: Server, block_tokens: int = 16, longest: int = 16384) -> int:
    """Blocks of cache that the deployment has room for, at the bytes a token takes in sequences of ``longest``.

    Raises:
        Infeasible: the weights leave no room.
    """
    one = memory.cache_bytes_per_device(server.on, float(longest)) / longest * block_tokens
    blocks = int(memory.free_bytes(server.on, server.profile.name) / one * server.on.layout.dp)
    if blocks < 1:
        feasibility.refuse(server.on, server.profile.name, float(longest))
    return blocks


def measured(
    batch: ArrayLike, context: ArrayLike, decode_s: ArrayLike, tokens: ArrayLike, prefill_s: ArrayLike
) -> StepTable:
    """A table from measured points, linear between them.

    Args:
        batch: decodes of a step, rising; up to the last one the table can be used.
        context: mean tokens of a sequence, rising; linear beyond the last.
        decode_s: shape (batch, context): seconds of a step of decodes.
        tokens: prompt tokens of a step, rising; below the first a prompt takes as long as the first, beyond the last
            linear. Tokens added to ``n`` decodes cost ``prefill_s(n + tokens) - prefill_s(n)``.
        prefill_s: seconds of a step of prompts.

    Raises:
        DataError: numbers that do not rise, or too few of them, or shapes that do not fit.
    """
    batch, context, tokens = (_rising(*x) for x in (("batch", batch), ("context", context), ("tokens", tokens)))
    decode_s, prefill_s = np.asarray(decode_s, dtype=float), np.asarray(prefill_s, dtype=float)
    for name, values, shape in (
        ("decode_s", decode_s, (batch.size, context.size)),
        ("prefill_s", prefill_s, (tokens.size,)),
    ):
        require(values.shape == shape, "measured", name, values.shape, f"shape {shape}")
    step = max(1, int(context[-1] // COLUMNS))
    places = np.arange(0, context[-1] + 2 * step, step)
    by_context = np.array([_line(places, context, row) for row in decode_s])
    numbers = np.arange(int(batch[-1]) + 1)
    decode = np.array([np.interp(numbers, batch, column) for column in by_context.T]).T
    linear = _line(np.arange(int(tokens[-1]) + 2), tokens, prefill_s)
    linear[0] = 0.0
    return StepTable(decode_s=decode, linear_s=linear, context_step=step)


def _rising(name: str, given: ArrayLike) -> Values:
    values = np.asarray(given, dtype=float)
    if values.ndim != 1 or values.size < 2 or np.any(np.diff(values) <= 0) or values[0] < 0:
        raise DataError("measured", name, np.shape(given), "two or more numbers that rise, from zero or more on")
    return values


def _line(x: Values, points: Values, values: Values) -> Values:
    """Linear between points, level before the first, straight on after the last."""
    slope = (values[-1] - values[-2]) / (points[-1] - points[-2])
    return np.interp(x, points, values) + np.maximum(x - points[-1], 0) * slope
