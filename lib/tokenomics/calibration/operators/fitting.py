"""Robust bounded fits of an operator's parameters, with cross-validation by groups of shapes."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tokenomics.calibration.operators.samples import FOLDS, SEED, Sample
from tokenomics.compute.operators import times
from tokenomics.compute.operators.fitted import OperatorParameters
from tokenomics.facts.accelerators import Accelerator

OUTLIER = 0.1
"""Log residuals beyond this count linearly, not squared."""
NEGLIGIBLE = 1e-6
"""Parts of a parameter's first value below which it is zero."""
US, NS = 1e-6, 1e-9
SUSTAINED = 0.95
"""Most of a memory's peak bandwidth that refresh and turn-around leave; more would be a cache."""
_ROOFLINE = {
    "flop_efficiency": (0.02, 0.7, 1.0),
    "byte_efficiency": (0.05, 0.8, SUSTAINED),
    "exponent": (1.0, 2.5, 12.0),
}
_DECODE = {
    "floor_s": (0.5 * US, 10 * US, 150 * US),
    **_ROOFLINE,
    "flop_efficiency": (0.01, 0.3, 1.0),
    "fill": (0.0, 0.3, 10.0),
    "block_tokens": (0.0, 10.0, 512.0),
    "head_s": (0.0, 0.1 * NS, 20 * NS),
    "kv_head_s": (0.0, 1 * NS, 60 * NS),
    "cache_gain": (0.05, 0.7, 1.0),
}
_PREFILL = {
    "floor_s": (0.5 * US, 10 * US, 150 * US),
    **_ROOFLINE,
    "wave": (0.0, 0.5, 1.0),
    "partial_wave": (0.0, 0.5, 1.0),
    "ramp": (0.0, 20.0, 500.0),
    "block_tokens": (0.0, 128.0, 512.0),
    "wave_s": (0.0, 0.3 * US, 20 * US),
    "extra_traffic": (0.0, 0.5, 16.0),
}
_COLLECTIVE = {
    "floor_s": (0.1 * US, 4 * US, 60 * US),
    "device_s": (0.0, 0.2 * US, 10 * US),
    "byte_efficiency": (0.05, 0.7, 1.0),
    "exponent": (0.3, 0.7, 6.0),
}
BOUNDS: Mapping[str, Mapping[str, tuple[float, float, float]]] = {
    "gemm": {
        "floor_s": (0.5 * US, 5 * US, 150 * US),
        **_ROOFLINE,
        "wave": (0.0, 0.3, 1.0),
        "partial_wave": (0.0, 0.5, 1.0),
        "ramp": (0.0, 100.0, 4000.0),
        "extra_traffic": (0.0, 0.1, 24.0),
        "extra_floor_s": (0.0, 0.1 * US, 150 * US),
    },
    "prefill_attention": _PREFILL,
    "prefill_mla": _PREFILL,
    "decode_attention": _DECODE,
    "decode_attention_mha": _DECODE,
    "decode_mla": _DECODE,
    "expert_gemm": {
        "floor_s": (1 * US, 30 * US, 300 * US),
        **_ROOFLINE,
        "wave": (0.0, 0.3, 1.0),
        "extra_traffic": (0.0, 6.0, 64.0),
        "expert_s": (0.0, 1 * NS, 300 * NS),
        "expert_rows": (1.0, 64.0, 256.0),
        "skew_distinct": (0.05, 0.6, 1.5),
        "skew_load": (0.0, 0.2, 0.8),
    },
    "all_reduce": _COLLECTIVE,
    "all_to_all": _COLLECTIVE,
    "elementwise": {
        "floor_s": (0.1 * US, 2 * US, 50 * US),
        "byte_efficiency": (0.05, 0.8, 1.0),
        "cache_gain": (0.05, 0.7, 1.0),
    },
}
"""Parameters of each operator that are fitted: lowest, first and highest value."""
TILES = ((128, 128), (128, 256), (256, 128), (64, 128))
"""Tiles a GEMM may have; the one with the smallest error is kept."""
FORMULAS = {
    "gemm": times.gemm_seconds,
    "prefill_attention": times.prefill_attention_seconds,
    "decode_attention": times.decode_attention_seconds,
    "decode_attention_mha": times.decode_attention_seconds,
    "prefill_mla": times.mla_prefill_seconds,
    "decode_mla": times.mla_decode_seconds,
    "expert_gemm": times.expert_gemm_seconds,
    "all_reduce": times.all_reduce_seconds,
    "all_to_all": times.all_to_all_seconds,
    "elementwise": times.elementwise_seconds,
}


@dataclass(frozen=True)
class Fit:
    """Parameters with log(measured / predicted) on the rows they were fitted to and on held-out groups."""

    parameters: OperatorParameters
    residuals: np.ndarray
    held_out: np.ndarray


def predict(p: OperatorParameters, device: Accelerator, sample: Sample) -> np.ndarray:
    """Seconds of a sample's rows; caches are warm, as they were when it was measured."""
    warm = {"warm": True} if "cache_gain" in BOUNDS[sample.operator] else {}
    return FORMULAS[sample.operator](p, device, **sample.inputs, **warm)


def log_residuals(p: OperatorParameters, device: Accelerator, sample: Sample) -> np.ndarray:
    """log(measured / predicted)."""
    return np.log(sample.seconds / predict(p, device, sample))


def fit(sample: Sample, device: Accelerator) -> Fit:
    """Fit, then refit without each fold of groups, which gives the errors on unseen shapes."""
    tiles = TILES if sample.operator == "gemm" else TILES[:1]
    thinned = sample.rows(np.arange(0, len(sample.seconds), len(tiles)))
    tried = [solve(_blank(sample, tile), device, thinned) for tile in tiles]
    best = min(tried, key=lambda p: np.abs(log_residuals(p, device, thinned)).mean())
    best = solve(best, device, sample, again=True) if len(tiles) > 1 else best
    held_out = np.full(len(sample.seconds), np.nan)
    for fold in _folds(sample.group):
        seen, unseen = sample.rows(~fold), sample.rows(fold)
        refitted = solve(best, device, seen, again=True)
        held_out[fold] = log_residuals(refitted, device, unseen)
    low, high = np.quantile(held_out, [0.1, 0.9])
    best = dataclasses.replace(best, log_q10=float(low), log_q90=float(high))
    return Fit(best, log_residuals(best, device, sample), held_out)


def solve(p: OperatorParameters, device: Accelerator, sample: Sample, again: bool = False) -> OperatorParameters:
    """The parameters within :data:`BOUNDS` with the smallest robust squared log residuals.

    Args:
        p: what is not fitted, and with ``again`` the start.
        device: the accelerator.
        sample: rows to fit.
        again: start from ``p`` instead of from the bounds' first values.
    """
    from scipy.optimize import least_squares

    names = list(BOUNDS[sample.operator])
    low, first, high = np.array([BOUNDS[sample.operator][name] for name in names]).T
    scale = first
    if again:
        starts = [np.array([getattr(p, name) for name in names])]
    else:  # Two, since a smooth maximum hides one of its sides: a soft one and a sharp one.
        starts = [first, np.where([name == "exponent" for name in names], high / 1.5, first)]

    def residuals(x: np.ndarray) -> np.ndarray:
        return log_residuals(_with(p, names, x * scale), device, sample)

    bounds = (low / scale, high / scale)
    options = {"bounds": bounds, "loss": "soft_l1", "f_scale": OUTLIER, "max_nfev": 40}
    solutions = [least_squares(residuals, np.clip(x / scale, *bounds), **options) for x in starts]
    best = min(solutions, key=lambda solution: solution.cost).x
    best = np.where(best < NEGLIGIBLE, 0.0, best)
    return _with(p, names, np.clip(best * scale, low, high))


def _with(p: OperatorParameters, names: list[str], values: np.ndarray) -> OperatorParameters:
    return dataclasses.replace(p, **dict(zip(names, map(float, values), strict=True)))


def _blank(sample: Sample, tile: tuple[int, int]) -> OperatorParameters:
    return OperatorParameters(
        *(sample.accelerator, sample.operator, sample.dtype, sample.engine, sample.engine_version, sample.kernel),
        compute_units=float(sample.compute_units),
        cache_bytes=float(sample.cache_bytes),
        tile_rows=float(tile[0]),
        tile_columns=float(tile[1]),
    )


def _folds(group: np.ndarray) -> list[np.ndarray]:
    """Masks of three seeded folds, each of whole groups."""
    count = int(group.max()) + 1
    fold_of_group = np.random.default_rng(SEED).permutation(count) % FOLDS
    masks = [fold_of_group[group] == fold for fold in range(min(FOLDS, count))]
    return [mask for mask in masks if mask.any() and not mask.all()]
