"""What lists charge and where they stop being the cheapest, by hand; refusals."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenomics.economics import cost
from tokenomics.errors import DataError
from tokenomics.estimate import Estimate
from tokenomics.facts.prices import ApiPrice

API = ApiPrice.from_row(
    {
        **{"date": "2025-01-01", "listed_until": "2025-06-30", "provider": "acme", "model_id": "thinker-1"},
        **{"model": "Thinker 1", "usd_per_mtoken_input": 2, "usd_per_mtoken_output": 8.0, "context_tokens": 128000},
        **{"usd_per_mtoken_cached_input": 0.5, "reasoning_billed": True, "tokenizer": "o200k_base"},
        **{"usable": True, "source": "a_source", "verified": True},
    }
)
positive = st.floats(0.01, 1e4)


def test_discounts_and_tokenizer_by_hand():
    # half of tasks in batches at half price: 3/4; 1.2 times the tokens, reasoning apart
    plain = cost.api_usd(API, 1000, 250, reasoning_tokens=750, cached_share=0.4, batch_share=0.5)
    assert plain == pytest.approx(0.75 * 0.0094)
    finer = cost.api_usd(API, 1000, 250, reasoning_tokens=750, tokens_ratio=1.2)
    assert finer == pytest.approx((1200 * 2 + (300 + 750) * 8) / 1e6)
    assert cost.listed(API, batch_discount=0.5, tokens_ratio=1.2).output.value == pytest.approx(4.8)


def test_tokenizer_ratio():
    assert cost.tokenizer_ratio("llama_2", "llama_3") == pytest.approx(1.431 / 1.275)
    assert cost.tokenizer_ratio("llama_3", "llama_3", "German") == 1.0


@given(st.floats(0, 1), st.floats(0, 1))
def test_caches_and_batches_never_cost_more(known, waits):
    assert cost.api_usd(API, 1000, 100, cached_share=known, batch_share=waits) <= cost.api_usd(API, 1000, 100)


def test_breakeven_by_hand():
    # 3.6 USD an hour is 0.001 a second: at 0.01 USD a task it pays from 0.1 tasks a second on
    assert cost.breakeven_rate(3.6, 0.01).value == pytest.approx(0.1)
    assert cost.breakeven_rate(3.6, 0.01, capacity=0.05).value == np.inf


def test_cheapest_breaks_ties_by_name():
    got = cost.cheapest({"rent": [1.0, 2.0, 3.0], "api": [2.0, 2.0, 1.0], "own": 9.0})
    assert got.tolist() == ["rent", "api", "api"]


@given(st.tuples(positive, positive, positive), st.tuples(positive, positive, positive))
def test_ends_of_a_break_even_enclose(hour, task):
    hour, task = (Estimate(*np.array(sorted(each))[[1, 0, 2]]) for each in (hour, task))
    got = cost.breakeven_rate(hour, task)
    assert got.low <= got.value <= got.high


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: cost.api_usd(API, 10, 10, batch_share=2), "batch_share = 2.0"),
        (lambda: cost.api_usd(API, 10, 10, tokens_ratio=0), "tokens_ratio = 0.0"),
        (lambda: cost.api_usd(replace(API, reasoning_billed=False), 10, 10, reasoning_tokens=5), "reasoning_tokens"),
        (lambda: cost.tokenizer_ratio("llama_9", "llama_3"), "tokenizer = llama_9"),
        (lambda: cost.breakeven_rate(1.0, 0.0), "usd_per_task = 0.0"),
        (lambda: cost.cheapest({}), "options = none"),
        (lambda: cost.cheapest({"api": [-1.0]}), "api = -1.0"),
    ],
)
def test_bad_input_is_one_line(call, match):
    with pytest.raises(DataError, match=match) as error:
        call()
    assert "\n" not in str(error.value)
