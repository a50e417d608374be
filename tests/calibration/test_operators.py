"""The fit finds the parameters that made a synthetic table, and says what to install when it cannot run."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from tokenomics.calibration.operators import __main__ as command
from tokenomics.calibration.operators import fitting, run, samples
from tokenomics.compute.operators import fitted
from tokenomics.compute.operators.times import OperatorParameters, gemm_seconds
from tokenomics.facts import catalogue

DEVICE = catalogue.accelerator("H100-SXM-80GB")
TRUE = OperatorParameters(
    *("H100-SXM-80GB", "gemm", "bf16", "vllm", "1", "k"),
    compute_units=132.0,
    floor_s=4e-6,
    flop_efficiency=0.75,
    byte_efficiency=0.85,
    exponent=4.0,
    wave=0.4,
    partial_wave=0.5,
    ramp=150.0,
    tile_rows=256.0,
    tile_columns=128.0,
)


def synthetic(noise: float) -> samples.Sample:
    """Products of all sizes timed by the formula with log-normal noise."""
    rng = np.random.default_rng(1)
    sizes = np.array([512, 1024, 2048, 4096, 8192, 16_384], float)
    m, n, k = (each.ravel() for each in np.meshgrid(2.0 ** np.arange(0, 15), sizes, sizes, indexing="ij"))
    seconds = gemm_seconds(TRUE, DEVICE, m, n, k) * np.exp(noise * rng.standard_normal(m.size))
    group = np.unique(n * 1e6 + k, return_inverse=True)[1]
    identity = ("H100-SXM-80GB", "gemm", "bf16", "vllm", "1", "k")
    return samples.Sample(*identity, True, 132, 50e6, {"m": m, "n": n, "k": k}, seconds, group)


@pytest.fixture(scope="module")
def found() -> fitting.Fit:
    pytest.importorskip("scipy", reason="the extra `calibration` is not installed")
    return fitting.fit(synthetic(noise=0.03), DEVICE)


def test_fit_recovers_known_parameters(found):
    p = found.parameters
    assert (p.tile_rows, p.tile_columns) == (256, 128)
    for name, tolerance in {"floor_s": 0.03, "flop_efficiency": 0.03, "byte_efficiency": 0.03, "wave": 0.25}.items():
        assert getattr(p, name) == pytest.approx(getattr(TRUE, name), rel=tolerance), name


def test_held_out_errors_are_the_noise(found):
    assert np.median(np.abs(found.residuals)) == pytest.approx(0.6745 * 0.03, rel=0.15)
    assert np.isfinite(found.held_out).all()
    assert found.parameters.log_q90 == pytest.approx(1.2816 * 0.03, rel=0.25)
    assert found.parameters.log_q10 == pytest.approx(-1.2816 * 0.03, rel=0.25)


def test_fit_is_deterministic(found):
    assert fitting.fit(synthetic(noise=0.03), DEVICE).parameters == found.parameters


def test_folds_hold_out_whole_groups():
    group = np.repeat(np.arange(10), 7)
    folds = fitting._folds(group)
    assert np.sum(folds, axis=0).tolist() == [1] * 70
    assert all(not set(group[fold]) & set(group[~fold]) for fold in folds)


def test_tables_become_inputs_in_si_units():
    raw = {"kernel_source": ["x_graph", "x_eager"], "version": ["1", "1"], "allreduce_dtype": ["bfloat16"] * 2}
    frame = samples._all_reduce(
        pd.DataFrame({**raw, "num_gpus": [8, 8], "message_size": [512] * 2, "latency": [0.005] * 2})
    )
    assert frame[["dtype", "message", "devices", "seconds"]].values.tolist() == [["bf16", 1024, 8, 5e-6]]


def test_all_to_all_counts_elements_of_two_bytes():
    raw = {"op_name": ["alltoall", "all_gather"], "kernel_source": ["NCCL"] * 2, "version": ["1"] * 2}
    raw |= {"nccl_dtype": ["half"] * 2, "num_gpus": [8] * 2, "message_size": [512] * 2, "latency": [0.005] * 2}
    frame = samples._all_to_all(pd.DataFrame(raw))
    assert frame[["dtype", "message", "devices", "seconds"]].values.tolist() == [["bf16", 1024, 8, 5e-6]]


def test_newest_version_of_those_that_are_complete(tmp_path):
    pytest.importorskip("pyarrow.parquet", reason="the extra `calibration` is not installed")
    for version, rows in {"1.3.0rc9": 10, "1.3.0rc20": 8, "1.3.0rc23": 2}.items():
        (tmp_path / version).mkdir()
        pd.DataFrame({"a": range(rows)}).to_parquet(tmp_path / version / "t.parquet")
    assert samples.newest(tmp_path.glob("*/t.parquet")).parent.name == "1.3.0rc20"
    assert samples.newest([]) is None


def test_left_out_accelerators_are_predicted_by_their_relatives():
    sample = synthetic(noise=0.0)
    slow = {"flop_efficiency": 0.5, "byte_efficiency": 0.5, "floor_s": 8e-6}
    h200 = catalogue.accelerator("H200-SXM-141GB")
    slower = dataclasses.replace(TRUE, accelerator=h200.name, **slow)
    other = dataclasses.replace(sample, accelerator=h200.name, seconds=gemm_seconds(slower, h200, **sample.inputs))
    fits = [(each, fitting.Fit(p, np.zeros(1), np.zeros(1))) for each, p in ((sample, TRUE), (other, slower))]
    rows, pooled = run.leave_out_accelerators(fits)
    assert [(row["accelerator"], row["donor"], row["relation"]) for row in rows] == [
        ("H100-SXM-80GB", "H200-SXM-141GB", "generation"),
        ("H200-SXM-141GB", "H100-SXM-80GB", "generation"),
    ]
    assert rows[1]["bias"] < -0.2 < 0.2 < rows[0]["bias"]
    near, vendor, unrelated = pooled
    assert near["log_q10"] < 0 < near["log_q90"]
    assert (vendor["samples"], vendor["log_q90"], unrelated["log_q90"]) == (0, 2 * near["log_q90"], 4 * near["log_q90"])


def test_engine_spread_compares_equal_shapes():
    fast = synthetic(noise=0.0)
    slow = dataclasses.replace(fast, engine="sglang", seconds=1.2 * fast.seconds).rows(np.arange(40))
    (row,) = run.engine_spread([fast, slow])
    assert (row["pairs"], row["median_gap"]) == (40, pytest.approx(0.2))


def test_every_fitted_parameter_exists_and_starts_within_its_bounds():
    names = {each.name for each in dataclasses.fields(fitted.OperatorParameters)}
    for operator, bounds in fitting.BOUNDS.items():
        assert len(bounds) <= 20
        assert set(bounds) <= names
        assert all(low <= first <= high for low, first, high in bounds.values()), operator


def test_missing_extra_is_one_line(monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "aiconfigurator_core", None)
    with pytest.raises(SystemExit) as stop:
        command.main()
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
