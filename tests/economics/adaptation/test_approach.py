"""What approaches cost and get right: by hand, monotone, break-even points that are where totals cross, refusals."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenomics.economics import adaptation, cost
from tokenomics.economics.adaptation import Approach, Reading, Use
from tokenomics.economics.cost.tokens import TokenPrices
from tokenomics.errors import DataError
from tokenomics.estimate import Estimate
from tokenomics.facts.prices import api_prices

PRICES = TokenPrices(*(Estimate.of(usd) for usd in (2.0, 0.5, 10.0)))
PRICE = adaptation.at_prices(PRICES)
RAG = Approach("RAG", Reading(1000, 50), right=0.8, right_changed=0.8, version_usd=1.0, query_usd=1e-4)
TUNED = Approach("tuned", Reading(100, 50), right=0.9, right_changed=0.0, version_usd=500.0, month_usd=100.0)
USE = Use(queries=1e5, months=2.0, updates=3.0, changed=0.1)
positive = st.floats(0.1, 1e6)


def unsure(value: float) -> Estimate:
    return Estimate(np.array(value), np.array(0.8 * value), np.array(1.2 * value))


class TestTotals:
    def test_a_query_by_hand(self):
        # 1000 in at 2, 50 out at 10 USD per million, and 1e-4 of search
        assert RAG.usd_per_query(PRICE).value == pytest.approx(1000 * 2e-6 + 50 * 10e-6 + 1e-4)
        cached = Approach("long prompt", Reading(5000, 50, cached=4000))
        assert cached.usd_per_query(PRICE).value == pytest.approx(1000 * 2e-6 + 4000 * 0.5e-6 + 50 * 10e-6)

    def test_a_dearer_model_multiplies_tokens_only(self):
        twice = replace(RAG, token_factor=2.0)
        assert twice.usd_per_query(PRICE).value == pytest.approx(2 * 2.5e-3 + 1e-4)

    def test_total_by_hand(self):
        # 4 versions of 500, 2 months of 100, 1e5 queries of 7e-4
        assert adaptation.total_usd(TUNED, USE, PRICE).value == pytest.approx(2000 + 200 + 1e5 * 7e-4)
        assert adaptation.total_usd(TUNED, USE, PRICE, follows=False).value == pytest.approx(500 + 200 + 70)

    def test_staleness_by_hand(self):
        # after 0, 1, 2, 3 updates: 0, 0.1, 0.19, 0.271
        assert USE.stale().value == pytest.approx((0.1 + 0.19 + 0.271) / 4)
        assert adaptation.right_share(TUNED, USE).value == pytest.approx(0.9)
        assert adaptation.right_share(TUNED, USE, follows=False).value == pytest.approx(0.9 * (1 - 0.14025))
        assert adaptation.right_share(RAG, USE, follows=False).value == pytest.approx(0.8)

    def test_a_right_answer_by_hand(self):
        one = adaptation.usd_per_right(TUNED, USE, PRICE, wrong_usd=0.5)
        assert one.value == pytest.approx(2270 / 1e5 / 0.9 + 0.5 * 0.1 / 0.9)
        never = adaptation.usd_per_right(replace(TUNED, right=0.0), USE, PRICE)
        assert np.isinf(never.value)

    @given(positive, positive)
    def test_more_queries_cost_more_in_all_and_less_each(self, some, more):
        few, many = (Use(queries=n, updates=1) for n in sorted((some, some + more)))
        totals = [adaptation.total_usd(TUNED, use, PRICE).value for use in (few, many)]
        each = [adaptation.usd_per_right(TUNED, use, PRICE).value for use in (few, many)]
        assert totals[0] <= totals[1] and each[0] >= each[1] * (1 - 1e-12)

    def test_ends_hold_the_value(self):
        wide = replace(RAG, right=Estimate(np.array(0.8), np.array(0.7), np.array(0.9)), version_usd=unsure(10.0))
        use = replace(USE, changed=unsure(0.1), queries=unsure(1e4))
        for made in (
            adaptation.total_usd(wide, use, PRICE),
            adaptation.usd_per_right(wide, use, PRICE, follows=False),
            adaptation.right_share(replace(TUNED, right_changed=0.1), use, follows=False),
            adaptation.breakeven_queries(replace(TUNED, version_usd=unsure(500.0)), wide, use, PRICE),
        ):
            assert made.low < made.value < made.high

    def test_arrays_broadcast(self):
        use = Use(queries=np.array([1e3, 1e6])[:, None], updates=np.array([0.0, 10.0, 100.0]))
        assert adaptation.total_usd(TUNED, use, PRICE).value.shape == (2, 3)


class TestBreakEven:
    def test_queries_are_where_totals_cross(self):
        found = float(adaptation.breakeven_queries(TUNED, RAG, USE, PRICE).value)
        at = replace(USE, queries=found)
        totals = [adaptation.total_usd(each, at, PRICE).value for each in (TUNED, RAG)]
        assert totals[0] == pytest.approx(totals[1])
        assert found == pytest.approx((2200 - 4) / (2.6e-3 - 7e-4))

    def test_where_there_is_none(self):
        dear = replace(TUNED, query=Reading(5000, 50))
        assert np.isinf(adaptation.breakeven_queries(dear, RAG, USE, PRICE).value)
        cheap = replace(TUNED, version_usd=0.0, month_usd=0.0)
        assert adaptation.breakeven_queries(cheap, RAG, USE, PRICE).value == 0


class TestLists:
    """On every listed price, what must hold whatever the list says."""

    def test_break_even_on_real_lists(self):
        prices = [price for price in api_prices() if price.usable and price.usd_per_mtoken_input > 0]
        assert len(prices) > 20
        for listed in prices:
            price = adaptation.at_prices(cost.listed(listed))
            found = adaptation.breakeven_queries(TUNED, RAG, USE, price)
            longer = adaptation.breakeven_queries(TUNED, replace(RAG, query=Reading(5000, 50)), USE, price)
            assert 0 < longer.value < found.value < np.inf
            whole = Approach("long prompt", Reading(1e5, 50, cached=99_000))
            uncached = Approach("long prompt", Reading(1e5, 50))
            assert whole.usd_per_query(price).value <= uncached.usd_per_query(price).value * (1 + 1e-12)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Reading(100, 10, cached=200), "query: cached tokens = 200.0; allowed: at most the input tokens"),
        (lambda: Reading(0, 10), "input tokens = 0.0; allowed: a finite number above 0"),
        (lambda: replace(RAG, right=1.2), "RAG: right = 1.2; allowed: at least 0, at most 1"),
        (lambda: Use(queries=0), "use: queries = 0.0"),
        (lambda: Use(queries=1, changed=2), "use: changed share = 2.0"),
    ],
)
def test_refused_in_one_line(make, text):
    with pytest.raises(DataError, match=text):
        make()
