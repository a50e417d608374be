"""Shares of a bound: of the right side, from rows fit for validation, and none above one without a reason."""

import pandas as pd
import pytest

from tokenomics.facts import measurements
from tokenomics.rows import share_of_bound


@pytest.fixture(scope="module", params=["training_runs", "inference_throughput", "inference_latency"])
def reached(request):
    return share_of_bound.shares(request.param)


def test_shares_lie_between_zero_and_one(reached):
    assert len(reached) > 500 and ((reached["share"] > 0) & (reached["share"] <= 1)).all()


def test_a_share_is_taken_from_the_side_of_its_bound(reached):
    better = reached["metric"].map(lambda name: measurements.METRICS[name].better)
    rates = reached[(better == "higher") & ~reached["metric"].str.contains("power")]
    assert (rates["share"] == rates["value"] / rates["bound"]).all()
    costs = reached[(better == "lower") & ~reached["metric"].str.contains("power")]
    assert (costs["share"] == costs["bound"] / costs["value"]).all()


def test_only_rows_fit_for_validation(reached):
    assert not reached["suspect"].any() and reached["verified"].all()


def test_every_row_beyond_a_bound_has_a_reason():
    found = share_of_bound.beyond_bounds(measurements.KINDS)
    assert len(found) > 5 and found["reason"].notna().all()


def test_nothing_ran_that_cannot_fit():
    verdicts = share_of_bound.verdicts()
    assert set(verdicts["value"]) <= {0.0, 1.0} and (verdicts["value"] <= verdicts["verdict"]).all()


def test_one_row_stands_for_a_run_that_somebody_chose_in_a_stated_arithmetic():
    rows = [
        ("a", "1", "mfu", "bf16", "benchmark"),
        ("a", "2", "tokens_per_s_per_gpu", "bf16", "benchmark"),
        ("b", "3", "hfu", "bf16", "benchmark"),
        ("c", "4", "mfu", "bf16", measurements.SWEEP),
        ("d", "5", "mfu", "bf16", measurements.ADAPTERS),
        ("e", "6", "mfu", None, "benchmark"),
    ]
    shares = pd.DataFrame(rows, columns=["run", "case", "metric", "precision", "kind"])
    assert share_of_bound.one_row_per_run(shares)["case"].tolist() == ["2"]


def test_samples_and_open_load_are_no_phase():
    rows = [
        ("ttft", "ms", "static"),
        ("ttft", "ms", "open"),
        ("mlperf_offline_throughput", "samples/s", "mlperf_offline"),
    ]
    table = pd.DataFrame(rows, columns=["metric", "unit", "load"])
    assert share_of_bound.by_phase(table)["phase"].tolist() == ["prefill"]
