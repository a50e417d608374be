"""Growth: recovers a known rate, brackets it, and the frontier is what it says."""

import numpy as np
import pytest

from tokenomics.errors import DataError
from tokenomics.sections.s01_ubiquitous_llms.growth import at_frontier, fit_growth, fit_growth_within, theil_sen_factor

YEARS = np.linspace(2018, 2026, 41)


def test_exact_growth_is_recovered():
    growth = fit_growth(YEARS, 5.0 * 4.0 ** (YEARS - 2018), coverage=0.8, samples=200, seed=1)
    assert growth.factor_per_year == pytest.approx(4.0)
    assert growth.doubling_months == pytest.approx(6.0)
    assert (growth.low, growth.high) == pytest.approx((4.0, 4.0))
    assert growth.at(2020) == pytest.approx(80.0)


def test_interval_covers_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    inside = 0
    for trial in range(200):
        values = 3.0 ** (YEARS - 2018) * 10 ** rng.normal(0, 0.5, len(YEARS))
        growth = fit_growth(YEARS, values, coverage=0.8, samples=200, seed=trial)
        inside += growth.low <= 3.0 <= growth.high
    assert 0.70 <= inside / 200 <= 0.88


def test_seed_fixes_the_interval():
    values = 2.0 ** (YEARS - 2018) * (1 + (np.arange(41) % 3))
    first, again, other = (fit_growth(YEARS, values, coverage=0.8, samples=100, seed=s) for s in (1, 1, 2))
    assert first == again and first.low != other.low


def test_theil_sen_ignores_an_outlier():
    values = 2.0 ** (YEARS - 2018)
    values[20] *= 1e6
    assert theil_sen_factor(YEARS, values) == pytest.approx(2.0, rel=0.02)


def test_frontier_keeps_the_largest_so_far():
    years, values = [2018, 2019, 2020, 2021, 2022], [1.0, 5.0, 3.0, 2.0, 9.0]
    assert at_frontier(years, values, 1).tolist() == [True, True, False, False, True]
    assert at_frontier(years, values, 2).tolist() == [True, True, True, False, True]


def test_repetitions_do_not_fill_a_frontier():
    years, values = 2018 + np.arange(10) / 10, [512, *[2048] * 8, 4096]
    assert at_frontier(years, values, 1).tolist() == [True, True, *[False] * 7, True]
    assert at_frontier(years, values, 3).sum() == 5
    assert at_frontier([2020, 2020], [7, 7], 1).tolist() == [True, False], "of one day the first in order"
    order = [9, 3, 1, 0, 2, 4, 5, 6, 7, 8]
    shuffled = at_frontier(years[order], np.array(values)[order], 3)
    assert shuffled.tolist() == at_frontier(years, values, 3)[order].tolist(), "the order of rows does not matter"


def test_what_lies_far_below_the_largest_is_not_at_the_frontier():
    assert at_frontier([2018, 2019, 2020], [100.0, 9.0, 10.0], 3).tolist() == [True, False, True]


def test_a_line_ends_where_its_points_end_and_its_band_holds_it():
    values = 2.0 ** (YEARS - 2018) * (1 + (np.arange(41) % 3))
    growth = fit_growth(YEARS, values, coverage=0.8, samples=200, seed=1)
    assert (growth.years[0], growth.years[-1]) == (2018, 2026) and growth.mean == pytest.approx(YEARS.mean())
    low, high = growth.band(growth.years)
    line = growth.at(growth.years)
    assert (low <= line * (1 + 1e-9)).all() and (line <= high * (1 + 1e-9)).all()
    assert high[-1] / low[-1] == pytest.approx((growth.high / growth.low) ** (2026 - growth.mean))


@pytest.mark.parametrize(
    ("years", "values", "words"),
    [([2018, 2019, 2020], [1, 2, 3], "points"), ([2018] * 5, range(1, 6), "years"), (range(5), [1, 2, 0, 3, 4], "> 0")],
)
def test_bad_input_is_refused(years, values, words):
    with pytest.raises(DataError, match=words):
        fit_growth(years, values, coverage=0.8, samples=100, seed=0)


def test_common_growth_of_series_at_different_levels():
    years = np.tile([2020.0, 2021.0, 2022.0], 5)
    groups = np.repeat(list("abcde"), 3)
    values = np.repeat([1, 10, 100, 1e3, 1e4], 3) * 0.5 ** (years - 2020)
    growth = fit_growth_within(groups, years, values, coverage=0.8, samples=100, seed=0)
    assert growth.factor_per_year == pytest.approx(0.5) and growth.doubling_months == pytest.approx(-12.0)
    assert (growth.low, growth.high) == pytest.approx((0.5, 0.5))
    late = years + np.repeat(range(5), 3)
    assert fit_growth(late, values, coverage=0.8, samples=100, seed=0).factor_per_year > 1, "levels would confound it"
    within = fit_growth_within(groups, late, values, coverage=0.8, samples=100, seed=0)
    assert within.factor_per_year == pytest.approx(0.5)
    with pytest.raises(DataError, match="series"):
        fit_growth_within(["a", "a", "b", "b"], [1, 2, 1, 2], [1, 2, 1, 2], coverage=0.8, samples=10, seed=0)
