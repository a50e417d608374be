"""What an accelerator costs for an hour in which it can work: rented in three ways, or owned.

An hour is one in which the accelerator is there for work, whether it works or not: how much of it is used is
:func:`tokenomics.economics.cost.tokens.effective`'s matter. Left out: taxes, prices that change within a term, money
tied up by spare parts, traffic out of a cloud.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from tokenomics.economics.cost.amounts import HOURS_PER_YEAR, checked, share
from tokenomics.errors import DataError
from tokenomics.estimate import Amount, Estimate, combine, total
from tokenomics.facts import catalogue
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.prices import RentalPrice

ASSUMED = "assumed"


@dataclass(frozen=True)
class Hour:
    """USD of one accelerator-hour by what it is paid for."""

    parts: Mapping[str, Estimate]

    @property
    def usd(self) -> Estimate:
        """All parts together."""
        return total(list(self.parts.values()))


def paid_usd(where: str, hour: Amount | Hour) -> Estimate:
    """USD of an accelerator-hour, given as such or by its parts.

    Raises:
        DataError: not above zero.
    """
    return checked(where, "usd_per_hour", hour.usd if isinstance(hour, Hour) else hour)


@dataclass(frozen=True)
class Power:
    """Watts of one accelerator, busy and idle, and of its share of the host (processors, memory, fans, network)."""

    busy_w: float
    idle_w: float = 0.0
    host_w: float = 0.0

    def __post_init__(self):
        checked("power", "busy_w", self.busy_w)
        checked("power", "host_w", self.host_w, zero=True)
        checked("power", "idle_w", self.idle_w, zero=True, most=self.busy_w)

    def at(self, load: Amount = 1.0) -> Estimate:
        """Watts when a share ``load`` of the time is busy, before cooling.

        Raises:
            DataError: a load outside 0 to 1.
        """
        load = share("power", "load", load, zero=True)
        return combine(lambda x: self.idle_w + (self.busy_w - self.idle_w) * x + self.host_w, rising=[load])


@dataclass(frozen=True)
class Purchase:
    """An accelerator of one's own, with its share of server, network and hall.

    Attributes:
        usd: paid for it at the start, its share of server and network included.
        power: watts.
        pue: power of the site over power of its computers, 1 or more.
        usd_per_kwh: of electricity.
        years: until it is sold or thrown away.
        residual_share: of ``usd`` that the sale then brings.
        interest: a year on money tied up; 0 is straight-line depreciation, more an annuity.
        space_usd_per_kw_month: hall or colocation, per kW of provisioned power, electricity not included.
        people_usd_per_year: its share of those who run it.
        maintenance_share: of ``usd`` a year for repairs and support.
        available: share of hours in which it can work.
    """

    usd: Amount
    power: Power
    pue: float
    usd_per_kwh: Amount
    years: float
    residual_share: float = 0.0
    interest: float = 0.0
    space_usd_per_kw_month: Amount = 0.0
    people_usd_per_year: Amount = 0.0
    maintenance_share: float = 0.0
    available: float = 1.0

    def __post_init__(self):
        for key in ("usd", "years"):
            checked("purchase", key, getattr(self, key))
        for key in ("usd_per_kwh", "interest", "space_usd_per_kw_month", "people_usd_per_year"):
            checked("purchase", key, getattr(self, key), zero=True)
        for key in ("residual_share", "maintenance_share"):
            share("purchase", key, getattr(self, key), zero=True)
        share("purchase", "available", self.available)
        if not 1 <= self.pue < np.inf:
            raise DataError("purchase", "pue", self.pue, "a number >= 1")


def own(purchase: Purchase, load: Amount = 1.0) -> Hour:
    """An hour of an owned accelerator: capital, maintenance, energy, space, people.

    Capital is what a level payment a year must be to pay ``usd`` less the discounted residual value at ``interest``
    (capital recovery factor), in the limit of no interest a straight line.

    Args:
        load: share of the time it is busy; only energy depends on it.

    Raises:
        DataError: a load outside 0 to 1.
    """
    hours = HOURS_PER_YEAR * purchase.available
    kept = 1 - purchase.residual_share / (1 + purchase.interest) ** purchase.years
    yearly = {
        "capital": combine(lambda usd: usd * kept * _recovery(purchase.interest, purchase.years), [purchase.usd]),
        "maintenance": combine(lambda usd: usd * purchase.maintenance_share, [purchase.usd]),
        "people": Estimate.of(purchase.people_usd_per_year),
        "space": combine(lambda usd: usd * 12 * purchase.power.at(1.0).value / 1e3, [purchase.space_usd_per_kw_month]),
        "energy": combine(
            lambda watts, usd: watts / 1e3 * purchase.pue * usd * HOURS_PER_YEAR,
            [purchase.power.at(load), purchase.usd_per_kwh],
        ),
    }
    return Hour({name: combine(lambda usd: usd / hours, [part]) for name, part in yearly.items()})


def on_demand(price: Amount | RentalPrice) -> Hour:
    """An hour rented when it is needed.

    Args:
        price: USD per accelerator-hour, or a listed one.

    Raises:
        DataError: a price that is not positive, or listed for another kind of rent.
    """
    return Hour({"rent": _listed(price, "on_demand")})


def reserved(price: Amount | RentalPrice, used_share: Amount = 1.0) -> Hour:
    """An hour of a reservation that is paid whether it is needed or not.

    Args:
        price: USD per accelerator-hour of the term, or a listed one.
        used_share: share of the term in which the accelerator is wanted at all (not how busy it is then).

    Raises:
        DataError: a price that is not positive or listed for another kind of rent, a share outside (0, 1].
    """
    paid, used = _listed(price, "reserved"), share("reserved", "used_share", used_share)
    return Hour({"rent": paid, "unused": combine(lambda usd, part: usd * (1 / part - 1), [paid], [used])})


def spot(
    price: Amount | RentalPrice,
    *,
    interruptions_per_hour: Amount = 0.0,
    lost_hours: Amount = 0.0,
    fallback_share: Amount = 0.0,
    fallback: Amount | RentalPrice = 0.0,
) -> Hour:
    """An hour of work on accelerators that can be taken away.

    Args:
        price: USD per accelerator-hour, or a listed one.
        interruptions_per_hour: how often one is taken away, per running hour.
        lost_hours: paid hours without work per interruption: start, loading of weights, work done twice.
        fallback_share: share of hours in which none is to be had and ``fallback`` is rented.
        fallback: USD per accelerator-hour on demand, or a listed one.

    Raises:
        DataError: a price that is not positive, a negative rate or loss, a share outside 0 to 1.
    """
    paid = _listed(price, "spot")
    often = checked("spot", "interruptions_per_hour", interruptions_per_hour, zero=True)
    lost = checked("spot", "lost_hours", lost_hours, zero=True)
    away = share("spot", "fallback_share", fallback_share, zero=True)
    parts = {
        "rent": combine(lambda usd, part: usd * (1 - part), [paid], [away]),
        "interruption": combine(lambda usd, n, hours, part: usd * n * hours * (1 - part), [paid, often, lost], [away]),
    }
    if np.any(away.high > 0):
        instead = _listed(fallback, "on_demand")
        parts["fallback"] = combine(lambda usd, part: usd * part, [instead, away])
    return Hour(parts)


def offers(prices: Iterable[RentalPrice], quantiles: tuple[float, float] = (0.1, 0.9)) -> Estimate:
    """Median of listed prices in USD per accelerator-hour, with low and high quantiles of the list as its ends.

    Raises:
        DataError: no price.
    """
    usd = np.array([each.usd_per_accelerator_hour for each in prices])
    if not len(usd):
        raise DataError("offers", "prices", "none", "at least one listed price")
    low, high = np.quantile(usd, quantiles)
    return Estimate(np.asarray(np.median(usd)), np.asarray(low), np.asarray(high))


def rent(device: Accelerator, listed: Iterable[RentalPrice], kind: str = "on_demand") -> Estimate | None:
    """USD an hour of an accelerator: the median over providers of each one's cheapest offer, with the 10 % and 90 %
    quantiles as ends; ``None`` where nobody offers it, nor to a device of one's own that has another's name.

    Args:
        kind: ``on_demand``, ``reserved`` or ``spot``.
    """
    if not catalogue.holds(device):
        return None
    least: dict[str, RentalPrice] = {}
    for offer in listed:
        if (offer.accelerator, offer.kind) == (device.name, kind) and offer.usable:
            least[offer.provider] = min(offer, least.get(offer.provider, offer), key=_hour_usd)
    return offers(least.values()) if least else None


def required_rent(device: Accelerator, listed: Iterable[RentalPrice]) -> Estimate:
    """The on-demand rent of an accelerator that has to have one.

    Raises:
        DataError: nobody offers it.
    """
    found = rent(device, listed)
    if found is None:
        raise DataError("parameters", "own_accelerator", device.name, "one that the price_list rents")
    return found


def _hour_usd(offer: RentalPrice) -> float:
    return offer.usd_per_accelerator_hour


def _listed(price: Amount | RentalPrice, kind: str) -> Estimate:
    if not isinstance(price, RentalPrice):
        return checked(f"rent, {kind}", "usd_per_hour", price)
    if price.kind not in (kind, ASSUMED):
        raise DataError(f"rent of {price.accelerator_listed}", "kind", price.kind, f"{kind}, {ASSUMED}")
    return Estimate.of(price.usd_per_accelerator_hour)


def _recovery(interest: float, years: float) -> float:
    """Level yearly payment per unit of capital."""
    return 1 / years if interest == 0 else interest / -np.expm1(-years * np.log1p(interest))
