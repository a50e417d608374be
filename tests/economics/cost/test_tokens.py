"""USD of tokens by hand, what must rise and fall with what, what must add up, refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenomics.economics import cost
from tokenomics.errors import DataError
from tokenomics.estimate import Estimate

PRICES = cost.TokenPrices(*(Estimate.of(usd) for usd in (2.0, 0.5, 8.0)))
UNSURE = Estimate(np.array(100.0), np.array(80.0), np.array(125.0))
positive = st.floats(0.01, 1e4)


def test_price_by_hand():
    # 3.6 USD an hour is 0.001 a second; two of them, 1000 tokens a second together, half used: 4 USD
    assert cost.usd_per_mtoken(3.6, 1000, devices=2, utilisation=0.5).value == pytest.approx(4)
    assert cost.effective(2.0, 0.5).value == 4.0


def test_ends_are_carried():
    price = cost.usd_per_mtoken(Estimate(*map(np.array, (3.6, 1.8, 7.2))), UNSURE)
    assert (price.low, price.value, price.high) == pytest.approx((0.5 * 8, 10, 2 * 12.5))
    part = cost.utilisation(40.0, UNSURE)
    assert (part.low, part.value, part.high) == pytest.approx((0.32, 0.4, 0.5))


def test_effective_price_times_utilisation_is_constant():
    used = np.geomspace(0.01, 1, 20)
    assert cost.effective(2.0, used).value * used == pytest.approx(2.0)


@given(positive, positive, st.floats(0.01, 1))
def test_monotone(usd, rate, used):
    price = cost.usd_per_mtoken(usd, rate, 1, used).value
    assert cost.usd_per_mtoken(usd * 1.1, rate, 1, used).value > price
    assert cost.usd_per_mtoken(usd, rate * 1.1, 1, used).value < price
    assert cost.usd_per_mtoken(usd, rate, 2, used).value > price
    assert cost.usd_per_mtoken(usd, rate, 1, used / 2).value == pytest.approx(2 * price)


@given(st.tuples(positive, positive, positive), st.tuples(positive, positive, positive))
def test_ends_always_enclose(hour, rate):
    hour, rate = (Estimate(*np.array(sorted(each))[[1, 0, 2]]) for each in (hour, rate))
    for got in (cost.usd_per_mtoken(hour, rate, 4, 0.5), cost.effective(hour, 0.3)):
        assert got.low <= got.value <= got.high


def test_task_by_hand():
    # 1000 in, 40 % of it cached, 250 + 750 out
    got = PRICES.usd(1000, 250, reasoning_tokens=750, cached_share=0.4)
    assert got.value == pytest.approx(0.0094) and got.low == got.high
    assert cost.per_user_month(got, 20).value == pytest.approx(0.0094 * 20 * 365.25 / 12)


def test_prices_of_a_server_add_up_to_what_it_costs(replica):
    prompt, output = np.array([100.0, 1000.0, 8000.0]), np.array([500.0, 300.0, 50.0])
    prices = cost.self_hosted(replica, 2.5, prompt, output, utilisation=0.5)
    whole = cost.usd_per_mtoken(2.5, replica.output_rate(prompt, output), replica.devices, 0.5)
    task = prices.usd(prompt, output)
    for end in ("value", "low", "high"):
        assert getattr(task, end) == pytest.approx(getattr(whole, end) * output / 1e6)
    assert (prices.cached.value < prices.input.value).all() and (prices.input.value < prices.output.value).all()


def test_prices_of_a_server_rise_with_the_hour_and_fall_with_use(replica):
    plain = cost.self_hosted(replica, 2.5, 1000, 300)
    dear, idle = cost.self_hosted(replica, 5.0, 1000, 300), cost.self_hosted(replica, 2.5, 1000, 300, utilisation=0.1)
    for kind in ("input", "cached", "output"):
        value = getattr(plain, kind).value
        assert getattr(dear, kind).value == pytest.approx(2 * value)
        assert getattr(idle, kind).value == pytest.approx(10 * value)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda r: cost.usd_per_mtoken(1.0, 100, utilisation=1.2), "utilisation = 1.2"),
        (lambda r: cost.usd_per_mtoken(1.0, [100, 0]), "tokens_per_s = 0.0"),
        (lambda r: cost.effective(1.0, 0.0), "utilisation = 0.0"),
        (lambda r: cost.utilisation(120, 100), "achieved = 120.0"),
        (lambda r: cost.self_hosted(r, 1.0, 0, 10), "prompt = 0.0"),
        (lambda r: cost.self_hosted(r, 1.0, 10, 10, cached=10), "cached = 10.0"),
        (lambda r: cost.self_hosted(r, np.nan, 10, 10), "usd_per_hour = nan"),
        (lambda r: PRICES.usd(10, 10, cached_share=2), "cached_share = 2.0"),
        (lambda r: cost.per_user_month(1.0, -1), "tasks_per_day = -1.0"),
    ],
)
def test_bad_input_is_one_line(replica, call, match):
    with pytest.raises(DataError, match=match) as error:
        call(replica)
    assert "\n" not in str(error.value)
