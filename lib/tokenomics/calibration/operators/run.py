"""Fits all operators, holds accelerators out in turn, compares engines, and writes ``data/calibration``."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np

from tokenomics import paths
from tokenomics.calibration.operators import fitting, network
from tokenomics.calibration.operators.samples import PACKAGE, TABLES, Sample, System, package_version, samples, systems
from tokenomics.compute.operators.fitted import RELATIONS, borrowed, nearest, relation
from tokenomics.facts import catalogue, tables

FOLDER = paths.DATA / "calibration"
SOURCE = "aiconfigurator_operator_tables"
WORKERS = 2
HOST_FLOOR_S = 30e-6
"""A GEMM with a longer least time was launched from the host: kept in the table, but never a main kernel."""
IDENTITY = ("accelerator", "operator", "dtype", "engine", "kernel")
Fitted = tuple[Sample, fitting.Fit]
Row = dict[str, object]


def calibrate(folder: Path = FOLDER) -> None:
    """Rewrite the four tables; the same package, numpy and scipy give the same bytes."""
    with ProcessPoolExecutor(WORKERS) as pool:
        fitted = [each for part in pool.map(fit_system, systems()) for each in part]
    transferred, pooled = leave_out_accelerators(fitted)
    folder.mkdir(parents=True, exist_ok=True)
    tables.write_rows(folder / "operators.csv", [_parameter_row(sample, fit) for sample, fit in fitted], (*IDENTITY,))
    seen = [_error_row(sample, "fit", fit.residuals) for sample, fit in fitted]
    held_out = [_error_row(sample, "held_out", fit.held_out) for sample, fit in fitted]
    errors = [*seen, *held_out, *transferred, *between_nodes(fitted)]
    tables.write_rows(folder / "errors.csv", errors, (*IDENTITY, "kind"))
    tables.write_rows(folder / "transfer.csv", pooled, ("operator", "relation"))
    tables.write_rows(
        folder / "engine_spread.csv", engine_spread([s for s, _ in fitted]), ("accelerator", "operator", "dtype")
    )


def fit_system(system: System) -> list[Fitted]:
    """Every kernel of every operator measured on a system, with its fit."""
    device = catalogue.accelerator(system.accelerator)
    fitted = []
    for sample in (each for operator in TABLES for each in samples(system, operator)):
        fit = fitting.fit(sample, device)
        launched = sample.operator == "gemm" and fit.parameters.floor_s > HOST_FLOOR_S
        fitted.append((replace(sample, main=sample.main and not launched), fit))
    return fitted


def leave_out_accelerators(fitted: list[Fitted]) -> tuple[list[Row], list[Row]]:
    """Each main kernel predicted from the nearest relative's fit, and the quantiles pooled by relation."""
    rows, pool = [], {}
    main = [(sample, fit) for sample, fit in fitted if sample.main]
    for target, _ in main:
        device = catalogue.accelerator(target.accelerator)
        alike = ("operator", "dtype", "engine")
        others = [
            fit.parameters
            for sample, fit in main
            if sample.accelerator != target.accelerator
            and all(getattr(sample, each) == getattr(target, each) for each in alike)
        ]
        if not others:
            continue
        donor = nearest(device, [catalogue.accelerator(p.accelerator) for p in others])
        given = next(p for p in others if p.accelerator == donor.name)
        residuals = fitting.log_residuals(borrowed(given, donor, device), device, target)
        near = relation(device, donor)
        rows.append(_error_row(target, "transfer", residuals) | {"donor": donor.name, "relation": near})
        pool.setdefault((target.operator, near), []).append(residuals)
    return rows, _pooled(pool)


def between_nodes(fitted: list[Fitted]) -> list[Row]:
    """Errors of the network's prior on measured exchanges between nodes, of each system that has them."""
    within = {sample.accelerator: fit.parameters for sample, fit in fitted if sample.operator == "all_to_all"}
    rows = []
    for sample in filter(None, map(network.sample, systems())):
        device = catalogue.accelerator(sample.accelerator)
        residuals = network.log_residuals(within[sample.accelerator], device, sample)
        rows.append(_error_row(sample, "network", residuals))
    return rows


def _pooled(pool: Mapping[tuple[str, str], list[np.ndarray]]) -> list[Row]:
    """Quantiles of each relation, all held-out samples with equal weight; a nearer relation is never wider.

    Where no measured pair has a relation, the quantiles of the nearer one are doubled.
    """
    rows = []
    for operator in sorted({operator for operator, _ in pool}):
        low = high = 0.0
        for near in RELATIONS[1:]:
            residuals = pool.get((operator, near), [])
            if residuals:
                percentiles = np.array([np.quantile(kernel, np.linspace(0.01, 0.99, 99)) for kernel in residuals])
                here = np.quantile(percentiles, [0.1, 0.9])
                low, high = min(low, here[0]), max(high, here[1])
            else:
                low, high = 2 * low, 2 * high
            quantiles = {"log_q10": float(low), "log_q90": float(high)}
            rows.append(
                {"operator": operator, "relation": near, "samples": len(residuals), **quantiles, "source": SOURCE}
            )
    return rows


def engine_spread(kernels: Iterable[Sample]) -> list[Row]:
    """Gap between the main kernels of two engines at the same shape, which no model of the device alone can predict."""
    groups: dict[tuple[str, str, str], list[Sample]] = {}
    for sample in kernels:
        if sample.main:
            groups.setdefault((sample.accelerator, sample.operator, sample.dtype), []).append(sample)
    rows = []
    for key, alike in sorted(groups.items()):
        ratios = [_log_ratio(a, b) for a, b in combinations(alike, 2)]
        gaps = np.abs(np.concatenate([*ratios, np.empty(0)]))
        if len(gaps) >= 30:
            median, p90 = np.expm1(np.quantile(gaps, [0.5, 0.9]))
            spread = {"pairs": len(gaps), "median_gap": float(median), "p90_gap": float(p90)}
            rows.append(dict(zip(("accelerator", "operator", "dtype"), key, strict=True)) | spread | {"source": SOURCE})
    return rows


def _log_ratio(a: Sample, b: Sample) -> np.ndarray:
    """log of the times of two kernels at the shapes that both samples hold."""
    shapes = [dict(zip(zip(*each.inputs.values(), strict=True), each.seconds, strict=True)) for each in (a, b)]
    common = [shape for shape in shapes[0] if shape in shapes[1]]
    return np.log([shapes[0][shape] / shapes[1][shape] for shape in common])


def _identity(sample: Sample) -> Row:
    return {each: getattr(sample, each) for each in IDENTITY}


def _parameter_row(sample: Sample, fit: fitting.Fit) -> Row:
    used = ["compute_units", *fitting.BOUNDS[sample.operator]]
    used += ["tile_rows", "tile_columns"] if sample.operator == "gemm" else []
    used += ["cache_bytes"] if "cache_gain" in used else []
    values = {each: getattr(fit.parameters, each) for each in used}
    about = {"engine_version": sample.engine_version, "main": sample.main, "rows": len(sample.seconds)}
    quantiles = {"log_q10": fit.parameters.log_q10, "log_q90": fit.parameters.log_q90}
    return (
        _identity(sample) | about | values | quantiles | {"package": f"{PACKAGE} {package_version()}", "source": SOURCE}
    )


def _error_row(sample: Sample, kind: str, residuals: np.ndarray) -> Row:
    """Errors as |predicted / measured - 1|; bias as the median of predicted / measured - 1."""
    errors = np.abs(np.expm1(-residuals))
    return _identity(sample) | {
        "kind": kind,
        "rows": len(residuals),
        "median_error": float(np.median(errors)),
        "mean_error": float(errors.mean()),
        "p90_error": float(np.quantile(errors, 0.9)),
        "bias": float(np.expm1(-np.median(residuals))),
        "source": SOURCE,
    }
