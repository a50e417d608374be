"""Releases and accelerators of notebook 01: the frontier of what was read, growth over data alone, ridges, labels."""

import numpy as np
import pandas as pd
import pytest

from tokenomics.facts import history, tables
from tokenomics.notebook import figures
from tokenomics.sections.s01_ubiquitous_llms import trends
from tokenomics.sections.s01_ubiquitous_llms.labels import name_points

FIT = {"coverage": 0.8, "samples": 100, "seed": 1}
COLUMNS = ("parameters", "training_flop", "context_tokens")


@pytest.fixture(scope="module")
def releases():
    return trends.with_training_flop(history.releases(2018, 2026))


@pytest.fixture(scope="module")
def hardware():
    return history.datacenter_hardware(2018, 2026)


@pytest.mark.parametrize("column", COLUMNS)
def test_the_frontier_is_read_in_sources_and_a_small_part(releases, column):
    marked = trends.with_frontier(releases, column, 3)
    leading = marked[marked["frontier"]]
    assert leading["verified"].all() and not marked["verified"].all()
    assert len(leading) <= len(marked) / 3
    last = leading.iloc[-1]
    assert last[column] >= leading[column].max() / 10


def test_what_was_not_read_keeps_nothing_else_from_the_frontier(releases):
    ghost = releases.iloc[[0]].assign(name="ghost", parameters=1e18, verified=False)
    with_ghost = pd.concat([ghost, releases], ignore_index=True)
    named = set(trends.frontier(releases, "parameters", 3)["name"])
    assert set(trends.frontier(with_ghost, "parameters", 3)["name"]) == named


def test_the_fit_of_context_starts_near_its_first_points(releases):
    leading = trends.frontier(releases, "context_tokens", 3)
    fitted = trends.growth_of(leading, "context_tokens", **FIT)
    assert fitted.first == leading["year"].min() and fitted.last == leading["year"].max()
    assert float(fitted.at(fitted.first)) > leading["context_tokens"].iloc[0] / 3


def test_ridges_of_all_formats(hardware):
    data = trends.ridges(hardware).set_index(["name", "numbers"])
    b200 = [data.loc[("B200-SXM-180GB", numbers), "flop_per_byte"] for numbers in trends.PEAKS]
    assert b200 == pytest.approx([2250 / 8, 4500 / 8, 9000 / 8])
    assert ("A100-SXM-80GB", "8 bit") not in data.index
    metrics = trends.ridge_metrics(data.reset_index(), trends.growth_of(hardware, trends.RIDGE, **FIT))
    assert metrics["ridge_4bit"].value >= 1125
    old = trends.ridges(history.datacenter_hardware(2018, 2021))
    assert np.isnan(trends.ridge_metrics(old, trends.growth_of(hardware, trends.RIDGE, **FIT))["ridge_4bit"].value)


def test_a_value_is_read_unless_its_own_column_is_named():
    rows = pd.DataFrame({"verified": [True, False, False, False], "unverified_columns": [None, "tdp_w", "a;b", None]})
    assert trends.read_in_source(rows, ("a",)).tolist() == [True, True, False, False]


def test_published_rates_stand_beside_ours(releases, hardware):
    published = tables.read("catalogue/published_figures").set_index("key")
    one = trends.growth_of(releases, "parameters", **FIT)
    growth = dict.fromkeys(trends.QUANTITIES, one)
    table = trends.growth_table(growth, trends.hardware_growth(hardware, **FIT), published)
    theirs = table[table["found_by"] == trends.THEIRS].set_index("quantity")["factor_per_year"]
    assert sorted(theirs) == [4, 4.6, 5] and len(table) == len(trends.QUANTITIES) + 4 + 3
    assert table["factor_per_year"].is_monotonic_decreasing
    lines = trends.published_lines(published)
    assert {factor for factor, _ in lines.values()} == {4, 5}
    assert all(2024.3 < until < 2024.4 for _, until in lines.values())


def test_names_cover_neither_each_other_nor_points():
    figures_axes = figures.canvas()
    axes = figures_axes[1]
    rows = pd.DataFrame(
        {"name": [f"point {i}" for i in range(30)], "x": np.arange(30) % 6 / 6, "y": np.arange(30) / 30}
    )
    axes.scatter(rows["x"], rows["y"])
    name_points(axes, rows, rows, "x", "y", most=12)
    boxes = [text.get_window_extent() for text in axes.texts if text.get_text()]
    assert 3 <= len(boxes) <= 12
    points = axes.transData.transform(rows[["x", "y"]].to_numpy())
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[index + 1 :])
        assert box.count_contains(points) == 0
