"""What the formulas of all operators share: data types, the smooth maximum, waves of tiles."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.compute.operators.fitted import OperatorParameters
from tokenomics.errors import DataError

PRECISIONS = {
    "bf16": ("bf16", 2.0, 2.0),
    "bf16_kv8": ("bf16", 1.0, 2.0),
    "fp8": ("fp8", 1.0, 1.0),
    "fp8_block": ("fp8", 1.0, 1.0),
    "nvfp4": ("fp4", 0.5625, 0.5625),
    "int8": ("int8", 1.0, 1.0),
    "int8_weight": ("bf16", 1.0, 2.0),
    "int4_weight": ("bf16", 0.53125, 2.0),
    "mxfp4_weight": ("bf16", 0.53125, 2.0),
    "mxfp4_mxfp8": ("fp8", 0.53125, 1.0),
}
"""Data types: arithmetic, bytes of a stored weight (of a cached key or value in attention), bytes of an activation.

Scales are counted: 8 bits for 16 NVFP4 values or 32 MXFP4 values. Results are written in 16 bits.
"""
RESULT_BYTES = 2.0
SMALLEST_TILE = 16.0
SWITCH_ROWS = 32
"""From this many rows engines that have a kernel of their own for few rows take the general one."""
ROW_TILE = 128.0
"""Rows of a tile of queries or of an expert's batch."""
Times = NDArray[np.float64]


def arrays(*values: ArrayLike) -> list[NDArray[np.float64]]:
    return [np.asarray(value, dtype=float) for value in values]


def smooth_maximum(p: OperatorParameters, a: ArrayLike, b: ArrayLike) -> Times:
    """``(a^p + b^p)^(1/p)``, with the longer time taken out so that nothing underflows."""
    longer = np.maximum(np.maximum(a, b), 1e-30)
    shorter = np.minimum(a, b)
    return longer * (1 + (shorter / longer) ** p.exponent) ** (1 / p.exponent)


def wave_loss(p: OperatorParameters, tiles: ArrayLike) -> Times:
    """Time of the waves over the time of as many tiles on always busy units, tempered by the wave exponents."""
    full = np.ceil(tiles / p.compute_units) * p.compute_units / tiles
    return full ** np.where(np.asarray(tiles) < p.compute_units, p.partial_wave, p.wave)


def precision(p: OperatorParameters) -> tuple[str, float, float]:
    if p.dtype not in PRECISIONS:
        raise DataError("operators", "dtype", p.dtype, ", ".join(PRECISIONS))
    return PRECISIONS[p.dtype]


def read_seconds(p: OperatorParameters, bandwidth: float, moved: ArrayLike, warm: bool) -> Times:
    """Seconds to move bytes; ``warm`` as in a benchmark that repeats a call and finds a small working set on chip."""
    seconds = np.asarray(moved) / (p.byte_efficiency * bandwidth)
    if not warm:
        return seconds
    on_chip = 1 / (1 + (moved / p.cache_bytes) ** 4)
    return seconds * (1 - on_chip * (1 - p.cache_gain))
