"""Lower bounds of training, and measured runs beside them."""

import numpy as np
import pytest

from tokenomics.compute import bounds, sizing
from tokenomics.compute.bounds import IdealDevices, Precision
from tokenomics.facts import catalogue, history
from tokenomics.sections.s03_training_xpus import lower_bounds, measured

TOKENS, SEQUENCE, DAYS = 1e12, 4096, 30.0


@pytest.fixture(scope="module")
def own():
    return sizing.deployment(catalogue.model("Llama-3.1-8B"), catalogue.accelerator("H100-SXM-80GB"))


@pytest.fixture(scope="module")
def row(own):
    return lower_bounds.row_of(lower_bounds.grid([own.model], [own.device], TOKENS, SEQUENCE, DAYS), own)


def test_a_run_in_time_has_the_device_days_and_the_memory(row):
    assert row["in_time_devices"] == max(row["hold_devices"], np.ceil(row["device_days"] / DAYS))


def test_days_begin_at_the_fewest_devices_that_hold_the_model(own, row):
    curve = lower_bounds.days_by_devices([own.model], own.device, TOKENS, SEQUENCE, 1000)
    assert curve["devices"].iloc[0] == row["hold_devices"]
    assert curve["devices"].to_numpy() * curve["days"].to_numpy() == pytest.approx(row["device_days"])


def test_short_sequences_cost_less_than_six_nd_with_the_looked_up_table(own):
    ratios = lower_bounds.over_6nd(own.model, np.array([1.0, 1e6]))
    assert ratios[0] < 1 < ratios[1]


def test_adapters_need_no_more_memory_than_full_tuning(own):
    table = lower_bounds.tuned([own.model], 16, own).set_index("method")
    assert table["bytes"].is_monotonic_decreasing
    assert table["hold_devices"]["QLoRA"] == 1


def test_what_runs_reach_divides_the_days(own, row):
    table = lower_bounds.sensitivity(own, row, TOKENS, SEQUENCE, run_share=0.5, release_share=0.25)
    table = table.set_index("change")["device_days"]
    assert table["at the median measured share"] == 2 * table["as above"]
    assert table["8-bit arithmetic"] == pytest.approx(table["as above"] / 2, rel=0.01)


def test_published_hours_beside_their_bound():
    releases = history.releases(2018, 2035)
    found = measured.published(releases, 2048, ["DeepSeek-V3"]).set_index("name")
    row = releases.set_index("name").loc["DeepSeek-V3"]
    device = catalogue.accelerator(row["training_accelerator"])
    on = IdealDevices(catalogue.model("DeepSeek-V3"), device, Precision(dtype="fp8"))
    hours = 24 * float(bounds.training_days(on, float(row["training_tokens"]), 2048))
    assert found.loc["DeepSeek-V3", "bound_hours"] == pytest.approx(hours)
    assert found.loc["DeepSeek-V3", "share"] == pytest.approx(hours / 2_788_000)
    wide = measured.published(releases, 2048).set_index("name")
    assert wide.loc["DeepSeek-V3", "share"] == pytest.approx(2 * found.loc["DeepSeek-V3", "share"], rel=0.01)
    assert found["share"].is_monotonic_increasing
