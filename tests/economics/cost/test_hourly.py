"""Accelerator-hours by hand, what must rise and fall with what, refusals."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenomics.economics import cost
from tokenomics.economics.cost import amounts
from tokenomics.errors import DataError
from tokenomics.estimate import Estimate
from tokenomics.facts import catalogue, prices
from tokenomics.facts.prices import RentalPrice

RENT = RentalPrice.from_row(
    {
        **{"date": "2025-01-01", "listed_until": "2025-06-30", "provider": "acme", "instance": "a-8"},
        **{"accelerator_listed": "H100", "accelerator": "", "n_accelerators": 8, "kind": "on_demand"},
        **{"usd_per_accelerator_hour": 3.6, "usable": True, "source": "a_source", "verified": True},
    }
)
POWER = cost.Power(busy_w=700, idle_w=100, host_w=300)
BOUGHT = cost.Purchase(usd=35_064, power=POWER, pue=1.25, usd_per_kwh=0.1, years=4)
positive = st.floats(0.01, 1e4)


def test_owning_by_hand():
    # 35,064 USD over 4 years of 8766 hours is 1 USD an hour; 1 kW busy at PUE 1.25 and 0.1 USD/kWh is 0.125
    parts = {name: float(part.value) for name, part in cost.own(BOUGHT).parts.items()}
    assert parts == pytest.approx({"capital": 1.0, "energy": 0.125, "maintenance": 0, "people": 0, "space": 0})
    # half the time idle: 0.4 + 0.3 kW
    assert cost.own(BOUGHT, load=0.5).parts["energy"].value == pytest.approx(0.0875)


def test_all_that_owning_costs_by_hand():
    rich = replace(
        BOUGHT,
        **{"residual_share": 0.25, "maintenance_share": 0.05, "people_usd_per_year": 876.6, "available": 0.5},
        space_usd_per_kw_month=73.05,
    )
    parts = {name: float(part.value) for name, part in cost.own(rich).parts.items()}
    assert parts["capital"] == pytest.approx(1.5) and parts["maintenance"] == pytest.approx(0.4)
    assert parts["people"] == pytest.approx(0.2) and parts["space"] == pytest.approx(0.2)


def test_interest_is_an_annuity():
    yearly = float(cost.own(replace(BOUGHT, interest=0.08)).parts["capital"].value) * amounts.HOURS_PER_YEAR
    worth = sum(yearly / 1.08**year for year in range(1, 5))
    assert worth == pytest.approx(35_064)
    tiny = cost.own(replace(BOUGHT, interest=1e-9)).parts["capital"].value
    assert tiny == pytest.approx(1.0, rel=1e-6)


def test_renting_by_hand():
    assert cost.on_demand(RENT).usd.value == 3.6
    assert cost.reserved(2.0, used_share=0.8).usd.value == pytest.approx(2.5)
    # one interruption in ten hours costs half an hour: 1.05 hours paid; a fifth of hours on demand at 3.6
    away = cost.spot(1.0, interruptions_per_hour=0.1, lost_hours=0.5, fallback_share=0.2, fallback=RENT)
    assert away.usd.value == pytest.approx(0.8 * 1.05 + 0.2 * 3.6)


def test_offers_are_a_median_with_ends():
    listed = [replace(RENT, usd_per_accelerator_hour=float(usd)) for usd in range(1, 12)]
    found = cost.offers(listed)
    assert (found.low, found.value, found.high) == (2, 6, 10)


@given(st.floats(1, 3), st.floats(0, 1), st.floats(0, 0.5), st.floats(0, 1))
def test_owning_rises_with_what_it_should(pue, load, price, interest):
    plain = cost.own(replace(BOUGHT, pue=pue, usd_per_kwh=price, interest=interest), load).usd.value
    for key, more in (
        ("pue", pue + 0.1),
        ("usd_per_kwh", price + 0.01),
        ("usd", 40_000),
        ("interest", interest + 0.1),
    ):
        changed = {"pue": pue, "usd_per_kwh": price, "interest": interest} | {key: more}
        assert cost.own(replace(BOUGHT, **changed), load).usd.value >= plain
    longer = replace(BOUGHT, pue=pue, usd_per_kwh=price, interest=interest, years=5)
    assert cost.own(longer, load).usd.value < plain


@given(st.tuples(positive, positive, positive), st.tuples(positive, positive, positive))
def test_ends_always_enclose(hour, power):
    hour, power = (Estimate(*np.array(sorted(each))[[1, 0, 2]]) for each in (hour, power))
    purchase = replace(BOUGHT, usd=hour, usd_per_kwh=power)
    away = cost.spot(hour, interruptions_per_hour=0.1, lost_hours=1, fallback_share=0.1, fallback=power)
    for got in (cost.own(purchase, 0.5).usd, away.usd):
        assert got.low <= got.value <= got.high


class TestRent:
    def test_is_the_median_of_each_providers_cheapest_offer_on_one_list(self):
        listed = prices.listed_by("skypilot_catalog")
        found = cost.rent(catalogue.accelerator("H100-SXM-80GB"), listed)
        mine = [o for o in listed if (o.accelerator, o.kind) == ("H100-SXM-80GB", "on_demand") and o.usable]
        least = [min(o.usd_per_accelerator_hour for o in mine if o.provider == p) for p in {o.provider for o in mine}]
        assert float(found.value) == np.median(least) and found.low <= found.value <= found.high

    def test_what_nobody_offers_has_none(self):
        tpu = catalogue.accelerator("TPU-v5p")
        assert prices.listed_by("no such list") == [] and cost.rent(tpu, prices.listed_by("skypilot_catalog")) is None
        with pytest.raises(DataError, match="own_accelerator"):
            cost.required_rent(tpu, [])
        namesake = replace(catalogue.accelerator("H100-SXM-80GB"), memory_bytes=1e11)
        assert cost.rent(namesake, prices.listed_by("skypilot_catalog")) is None


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: cost.on_demand(-1.0), "usd_per_hour = -1.0"),
        (lambda: cost.on_demand("three"), "usd_per_hour = three"),
        (lambda: cost.reserved(RENT), "kind = on_demand"),
        (lambda: cost.reserved(1.0, used_share=0), "used_share = 0.0"),
        (lambda: cost.spot(1.0, lost_hours=-1), "lost_hours = -1.0"),
        (lambda: cost.spot(1.0, fallback_share=0.5), "usd_per_hour = 0.0"),
        (lambda: cost.offers([]), "prices = none"),
        (lambda: replace(BOUGHT, pue=0.9), "pue = 0.9"),
        (lambda: replace(BOUGHT, usd=-5), "usd = -5.0"),
        (lambda: replace(BOUGHT, residual_share=1.5), "residual_share = 1.5"),
        (lambda: cost.own(BOUGHT, load=1.1), "load = 1.1"),
        (lambda: cost.Power(700, 800), "idle_w = 800.0"),
    ],
)
def test_bad_input_is_one_line(call, match):
    with pytest.raises(DataError, match=match) as error:
        call()
    assert "\n" not in str(error.value)
