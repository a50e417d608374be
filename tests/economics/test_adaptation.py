"""Retrieval or tuning in money: by hand, monotone, break-even points that are where totals cross, refusals."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenomics.compute.inference.server import server
from tokenomics.compute.training.tuning import METHODS
from tokenomics.economics import adaptation, cost
from tokenomics.economics.adaptation import Approach, Index, Reading, Use
from tokenomics.economics.cost.tokens import TokenPrices
from tokenomics.errors import DataError
from tokenomics.estimate import Estimate
from tokenomics.facts import catalogue
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


class TestIndex:
    def index(self, kind, **changed):
        given = dict(chunks=1e6, usd_per_mtoken=0.02, usd_per_gb_month=5.0, usd_per_core_hour=0.05)
        return Index(kind, **given | {"comparisons_per_core_s": 1e7} | changed)

    def test_by_hand(self):
        flat = self.index(adaptation.FLAT)
        assert flat.memory_bytes == pytest.approx(1e6 * 384 * 4)
        assert flat.build_usd().value == pytest.approx(1e6 * 200 / 1e6 * 0.02)
        assert flat.build_usd(0.1).value == pytest.approx(0.4)
        assert flat.month_usd().value == pytest.approx(1.536 * 5)
        assert flat.query_usd(20).value == pytest.approx(0.02 * 20 / 1e6 + 0.05 / 3600 * 0.1)
        assert self.index(adaptation.GRAPH).memory_bytes == pytest.approx(1e6 * (1536 + 128))
        assert self.index(adaptation.GRAPH).comparisons == pytest.approx(64 * np.log2(1e6))

    def test_a_billion_chunks(self):
        size = np.array([1e6, 1e7, 1e8, 1e9])
        flat, graph, codes = (self.index(kind, chunks=size) for kind in (adaptation.FLAT, "graph", "codes"))
        assert np.all(np.diff(graph.query_usd(20).value) > 0)
        assert np.all(graph.query_usd(20).value < flat.query_usd(20).value)
        assert np.all(codes.month_usd().value < graph.month_usd().value / 10)

    def test_a_small_index_is_read_whole_at_most(self):
        assert self.index("graph", chunks=10).comparisons == 10

    def test_refused(self):
        with pytest.raises(DataError, match="index: kind = tree; allowed: flat, graph, codes"):
            self.index("tree")
        with pytest.raises(DataError, match="chunks = 0"):
            self.index("flat", chunks=0)


@pytest.fixture(scope="module")
def group():
    return server(catalogue.model("Llama-3.1-70B"), catalogue.accelerator("H100-SXM-80GB"), engine="vLLM 0.19", tp=4)


class TestHosting:
    def test_longer_prompts_cost_more_and_cached_ones_less(self, group):
        price = adaptation.on_server(group, 2.5)
        short, long = price(Reading(200, 100)).value, price(Reading(4000, 100)).value
        known = price(Reading(4000, 100, cached=3800)).value
        assert short < known < long

    def test_reading_and_writing_add_up_to_the_server(self, group):
        whole = cost.usd_per_mtoken(2.5, group.output_rate(1000, 200), group.devices).value * 200 / 1e6
        assert adaptation.on_server(group, 2.5)(Reading(1000, 200)).value == pytest.approx(float(whole))

    def test_adapters_by_hand(self, group):
        factor = adaptation.adapter_factor(catalogue.model("Llama-3.1-70B"), 16)
        assert 1.002 < factor < 1.01  # 0.2 billion of 70 billion parameters

    def test_tuning_by_hand(self):
        model, device = catalogue.model("Llama-3.1-70B"), catalogue.accelerator("H100-SXM-80GB")
        full, lora, _ = (
            float(adaptation.tuning_usd(model, device, 3.6, 1e6, method=each, sequence=512, mfu=0.4).value)
            for each in METHODS
        )
        assert lora / full == pytest.approx(2 / 3)
        by_six_nd = 6 * 70.6e9 * 1e6 / (989e12 * 0.4) / 3600 * 3.6
        assert full == pytest.approx(by_six_nd, rel=0.05)

    def test_served_in_time(self, group):
        rates = [
            adaptation.queries_per_s(group, reading, ttft_s=1.0, queries=300)
            for reading in (Reading(112, 100), Reading(4000, 100), Reading(4000, 100, cached=3888))
        ]
        saturated = float(group.output_rate(4000, 100).value) / 100
        assert 0 < 2 * rates[1] < rates[2] <= rates[0] and rates[1] == pytest.approx(saturated, rel=0.3)
        assert adaptation.queries_per_s(group, Reading(4000, 100), ttft_s=1e-3, queries=300) == 0

    def test_served_by_hand(self):
        made = adaptation.from_served(3.6, 4, unsure(2.0))
        assert made.value == pytest.approx(4 * 3.6 / 3600 / 2) and made.low < made.value < made.high


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
