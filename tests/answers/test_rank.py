"""Which accelerator: ranked by money, then by devices; one against another by probability."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tokenomics import paths
from tokenomics.answers.rank import MOST_SIZED, SHARED, SHARED_HIGH, SHARED_LOW, SIZED, _head_sized, against, rank
from tokenomics.answers.size import size
from tokenomics.errors import DataError, Infeasible
from tokenomics.facts import catalogue

STATED = {"rate": 20, "prompt": 1500, "output": 300, "tpot_ms": 50}
DEEP = STATED | {"format": "fp8"}


@pytest.fixture(scope="module")
def ranking():
    return rank("Llama-3.1-70B", **STATED)


def test_every_accelerator_is_ranked_or_left_out_with_a_reason(ranking):
    ranked = [each.xpu for each in ranking.rivals]
    assert sorted([*ranked, *ranking.left_out]) == sorted(catalogue.accelerators())
    assert all(ranking.left_out.values()) and len(ranked) > 20


@pytest.mark.parametrize("options", [STATED, STATED | {"rate": 3, "engine": "SGLang"}, DEEP], ids=str)
def test_the_head_is_what_size_says_of_each(options):
    model = "DeepSeek-V3" if options is DEEP else "Llama-3.1-70B"
    found = rank(model, **options).rivals
    head = [each for each in found if each.sized]
    assert SIZED <= len(head) <= MOST_SIZED and head == list(found[: len(head)])
    for each in head:
        alone = size(model, each.xpu, **options)
        assert (each.layout, each.devices, each.usd_per_mtok) == (alone.layout, alone.devices, alone.usd_per_mtok)
    dearest = head[SIZED - 1].usd_per_mtok.value
    rest = [each.usd_per_mtok.value for each in found[len(head) :] if each.usd_per_mtok.value is not None]
    assert len(head) == MOST_SIZED or dearest <= min(rest)


def test_what_sizing_refuses_is_left_out_with_its_reason(ranking):
    closed, left_out = [each for each in ranking.rivals if not each.sized][:5], {}

    def sized(name):
        if name == closed[0].xpu:
            raise Infeasible("size", "objective", "TTFT 60 ms", "it is not kept", "70 ms")
        return next(replace(each, sized=True) for each in closed if each.xpu == name)

    found = _head_sized(list(closed), sized, left_out)
    assert left_out == {closed[0].xpu: "it is not kept"}
    assert [each.xpu for each in found] == [each.xpu for each in closed[1:]]
    assert [each.sized for each in found] == [True, True, True, False]


def test_rented_ones_come_first_by_money_the_others_by_devices(ranking):
    closed = [each for each in ranking.rivals if not each.sized]
    usd = [each.usd_per_mtok.value for each in closed if each.usd_per_mtok.value is not None]
    rest = [each.devices.value for each in closed[len(usd) :]]
    assert usd == sorted(usd) and rest == sorted(rest)
    assert all(each.usd_per_mtok.value is None for each in closed[len(usd) :])
    assert all("closed form" in " ".join(each.devices.assumed) for each in closed)
    assert all(each.devices.low < each.devices.high for each in ranking.rivals)


def test_a_format_that_is_emulated_is_left_out():
    assert "emulated" in rank("Llama-3.1-70B", **STATED, format="fp8").left_out["A100-SXM-80GB"]


def test_no_accelerator_at_all_is_refused():
    with pytest.raises(DataError, match="some accelerator keeps"):
        rank("Llama-3.1-70B", **STATED | {"tpot_ms": 0.001})


def test_one_against_another_and_the_other_way_round():
    first = against("Llama-3.1-8B", "H100-SXM-80GB", "L40S", **STATED)
    other = against("Llama-3.1-8B", "L40S", "H100-SXM-80GB", **STATED)
    assert first.metric == "usd_per_mtok"
    assert 0 < first.probability.low <= first.probability.value <= first.probability.high < 1
    assert first.probability.value == pytest.approx(1 - other.probability.value)
    cheaper = first.first.usd_per_mtok.value < first.second.usd_per_mtok.value
    assert cheaper == (first.probability.value > 0.5)


def test_where_one_has_no_rent_devices_are_compared():
    assert against("Llama-3.1-8B", "H100-SXM-80GB", "MI300X", **STATED).metric == "devices"


def test_the_shared_part_of_an_error_is_what_held_out_residuals_say():
    """Between engine and model family, over accelerators: medians of cells of three rows or more."""
    rows = pd.read_csv(paths.DATA / "calibration" / "held_out_family.csv")
    rows = rows[rows["metric"].str.contains("tpot")]
    rows = rows.assign(residual=np.log(rows["measured"] / rows["predicted"]))
    groups = ["profile", "family"]
    cells = rows.groupby([*groups, "accelerator"])["residual"].agg(["median", "size"]).query("size >= 3").reset_index()
    cells = cells[cells.groupby(groups)["median"].transform("size") > 1]
    inside = cells["median"] - cells.groupby(groups)["median"].transform("mean")
    within = (inside**2).sum() / (len(cells) - cells.groupby(groups).ngroups)
    assert 1 - within / cells["median"].var() == pytest.approx(SHARED, abs=0.05)
    assert SHARED_LOW < SHARED < SHARED_HIGH
