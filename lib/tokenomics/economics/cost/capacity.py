"""What an objective costs, and how many accelerators, dollars and watts a number of users takes: closed forms.

An objective is held against the mean times of a replica in a closed loop; queues, bursts and percentiles are a
simulation's matter, for whose answer :func:`plan` has a place.

Requests of the busiest hour arrive at random and stay for the time of a request; by Little's law their mean number in
flight is ``a = rate * E2E``, and where many replicas share them it scatters like a Poisson number (M/G/infinity). The
replicas hold, with the share asked for, ``a + z sqrt(a)`` requests, each as many as the objective allows; spares come
on top. Left out: bursts within the hour, uneven routing, prompts and replies of uneven length, growth.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.compute.inference.server import Server
from tokenomics.economics.cost.amounts import DAYS_PER_MONTH, HOURS_PER_MONTH, TOKENS, checked
from tokenomics.economics.cost.hourly import Hour, Power, paid_usd
from tokenomics.economics.cost.tokens import usd_per_mtoken
from tokenomics.errors import DataError, Infeasible
from tokenomics.estimate import ENDS, OPPOSITE, Amount, Estimate, combine, together
from tokenomics.service.qoe import Slo

LADDER = np.unique(np.round(2.0 ** np.arange(0, 11.25, 0.25)))
"""Requests in flight that are tried."""
SECONDS_PER_DAY = 86400.0
SHARE = 0.95
"""Share of the time in which the replicas hold all requests."""


@dataclass(frozen=True)
class Loads:
    """What requests see of one replica at rising numbers in flight; one end of the estimates, shape (ladder,).

    Attributes:
        running: requests in flight.
        ttft_s, tpot_s: mean seconds to the first and per later token.
        output_rate: output tokens a second.
    """

    running: NDArray[np.float64]
    ttft_s: NDArray[np.float64]
    tpot_s: NDArray[np.float64]
    output_rate: NDArray[np.float64]

    def most(self, slo: Slo) -> int | None:
        """Index of the most requests in flight that keep the objective on average; ``None`` where one breaks it."""
        keeps = (self.ttft_s <= slo.ttft_s) & (self.tpot_s <= slo.tpot_s)
        return int(np.flatnonzero(keeps)[-1]) if keeps.any() else None


@dataclass(frozen=True)
class SloPrice:
    """What an objective costs on one kind of server.

    Attributes:
        running: requests in flight that it allows; 0 where it cannot be kept.
        usd_per_mtoken: per million output tokens then; infinite where it cannot be kept.
        unlimited: the least price without an objective.
    """

    running: float
    usd_per_mtoken: Estimate
    unlimited: Estimate

    @property
    def ratio(self) -> float:
        """How much dearer the objective makes a token, 1 or more."""
        return float(self.usd_per_mtoken.value / self.unlimited.value)


def loads(server: Server, prompt: float, output: float, ladder: ArrayLike = LADDER, end: str = "value") -> Loads:
    """A replica's times and output at each number of requests in flight that fits its memory.

    Args:
        end: which end of the estimates: ``value``, ``low`` (fast) or ``high`` (slow).
    """
    ladder = np.asarray(ladder, dtype=float)
    running = ladder[ladder <= max(float(server.admitted(prompt, output)), 1.0)]
    ttft, tpot = server.loaded_ttft(running, prompt, output), server.loaded_tpot(running, prompt, output)
    rate = server.output_rate(prompt, output, running)
    return Loads(running, ttft.at(end), tpot.at(end), rate.at(OPPOSITE[end]))


def price_of_slo(
    server: Server, hour: Amount | Hour, slo: Slo, prompt: float, output: float, *, ladder: ArrayLike = LADDER
) -> SloPrice:
    """USD per million output tokens of a saturated replica that may only run as many requests as an objective allows.

    The objective is held against mean times of a closed loop: no queue, no bursts, no percentiles, which a simulation
    adds. The number in flight is that of the middle estimate; the ends are those of its output.

    Raises:
        DataError: a price that is not positive.
    """
    at = loads(server, prompt, output, ladder)
    prices = usd_per_mtoken(hour, server.output_rate(prompt, output, at.running), server.devices)
    least, most = int(np.argmin(prices.value)), at.most(slo)
    free = _pick(prices, least)
    if most is None:
        never = np.asarray(np.inf)
        return SloPrice(0.0, Estimate(never, never, never), free)
    best = int(np.argmin(prices.value[: most + 1]))
    return SloPrice(float(at.running[best]), _pick(prices, best), free)


def _pick(prices: Estimate, index: int) -> Estimate:
    return prices.map(lambda values: np.asarray(values[index]))


@dataclass(frozen=True)
class Demand:
    """What users ask of a service.

    Attributes:
        users_per_day: number or array.
        requests_per_user: a day.
        prompt, output: mean tokens of a request.
        peak_ratio: requests of the busiest hour over those of a mean hour, 1 to 24.
    """

    users_per_day: ArrayLike
    requests_per_user: float
    prompt: float
    output: float
    peak_ratio: float = 1.0

    def __post_init__(self):
        for key in ("users_per_day", "requests_per_user", "prompt", "output"):
            checked("demand", key, getattr(self, key))
        if not 1 <= self.peak_ratio <= 24:
            raise DataError("demand", "peak_ratio", self.peak_ratio, "1 to 24")

    @property
    def mean_rate(self) -> NDArray[np.float64]:
        """Requests a second over the day."""
        return np.asarray(self.users_per_day, dtype=float) * self.requests_per_user / SECONDS_PER_DAY

    @property
    def peak_rate(self) -> NDArray[np.float64]:
        """Requests a second in the busiest hour."""
        return self.mean_rate * self.peak_ratio


@dataclass(frozen=True)
class Plan:
    """A fleet, each number with its ends, in the shape of the users; high ends are infinite where slow estimates break
    the objective even for one request.

    Attributes:
        replicas: of the model, spares included.
        accelerators: all of them.
        usd_per_month: kept all the time.
        usd_per_mtoken: per million output tokens of the month.
        mean_w, peak_w: power of the site, cooling included, over the day and with every accelerator busy.
        utilisation: mean requests in flight over what all replicas hold.
    """

    replicas: Estimate
    accelerators: Estimate
    usd_per_month: Estimate
    usd_per_mtoken: Estimate
    mean_w: Estimate
    peak_w: Estimate
    utilisation: Estimate


def plan(
    demand: Demand,
    server: Server,
    hour: Amount | Hour,
    slo: Slo,
    *,
    power: Power,
    pue: float = 1.0,
    share: float = SHARE,
    spares: int = 1,
    replica_rate: Amount | None = None,
) -> Plan:
    """The fleet for a demand under an objective.

    Args:
        hour: USD per accelerator-hour.
        slo: kept on average at the number in flight that a replica is given; see :func:`price_of_slo`.
        power: watts of one accelerator with its host.
        pue: power of the site over power of its computers.
        share: of the time in which replicas must hold all requests of the busiest hour.
        spares: replicas that may fail (N + 1).
        replica_rate: requests a second that one replica serves under the objective, from a simulation or a measurement;
            takes the place of the closed form. A low end of 0 gives an infinite high end of the fleet.

    Raises:
        Infeasible: an objective that not even a single request keeps, or a rate of 0.
        DataError: a share outside (0, 1), negative spares, a PUE below 1, a negative rate.
    """
    _check(pue, share, spares)
    if replica_rate is None:
        needed, used = _closed_form(demand, server, slo, share)
    else:
        rate = checked("plan", "replica_rate", replica_rate, zero=True)
        if not np.all(rate.value > 0):
            raise Infeasible("plan", "replica_rate", 0, "a replica that serves nothing under the objective")
        with np.errstate(divide="ignore"):
            needed = combine(lambda r: np.ceil(demand.peak_rate / r * (1 - 1e-12)), falling=[rate])
            used = combine(lambda r: demand.mean_rate / r, falling=[rate])
    replicas = combine(lambda n: np.maximum(n, 1.0) + spares, [needed])
    accelerators = combine(lambda n: n * server.devices, [replicas])
    usd = paid_usd("plan", hour)
    month = combine(lambda n, p: n * p * HOURS_PER_MONTH, [accelerators, usd])
    tokens = demand.mean_rate * SECONDS_PER_DAY * DAYS_PER_MONTH * demand.output
    return Plan(
        replicas,
        accelerators,
        month,
        combine(lambda m: m / tokens * TOKENS, [month]),
        together(lambda n, work: _watts(power, n * server.devices, _busy(n, work)) * pue, replicas, used),
        combine(lambda n: n * power.at(1.0).value * pue, [accelerators]),
        together(_busy, replicas, used),
    )


def _busy(replicas: NDArray, work: NDArray) -> NDArray[np.float64]:
    """Share of so many replicas that is busy; none of infinitely many."""
    endless = np.isinf(replicas)
    return np.where(endless, 0.0, np.minimum(np.where(endless, 0.0, work) / np.where(endless, 1.0, replicas), 1.0))


def _watts(power: Power, accelerators: NDArray, load: NDArray) -> NDArray[np.float64]:
    """Watts of so many accelerators before cooling; infinite for infinitely many, whatever they draw."""
    endless = np.isinf(accelerators)
    return np.where(endless, np.inf, np.where(endless, 0.0, accelerators) * power.at(load).value)


def _check(pue: float, share: float, spares: int) -> None:
    if not 0 < share < 1:
        raise DataError("plan", "share", share, "above 0, below 1")
    if spares < 0 or int(spares) != spares:
        raise DataError("plan", "spares", spares, "0, 1, 2 ...")
    if not 1 <= pue < np.inf:
        raise DataError("plan", "pue", pue, "a number >= 1")


def _closed_form(demand: Demand, server: Server, slo: Slo, share: float) -> tuple[Estimate, Estimate]:
    """Replicas without spares, and the mean number of busy ones, at each end of the server's times."""
    score = max(NormalDist().inv_cdf(share), 0.0)
    replicas, busy = {}, {}
    for end in ENDS:
        at = loads(server, demand.prompt, demand.output, LADDER, end)
        most = at.most(slo)
        if most is None and end == "value":
            best = f"{at.ttft_s[0]:.3g} s to the first token, {at.tpot_s[0]:.3g} s per token at least"
            raise Infeasible("plan", "slo", f"{slo.ttft_s:g} s, {slo.tpot_s:g} s", "no request keeps it", best)
        kept, most = most is not None, most or 0
        stay = at.ttft_s[most] + max(demand.output - 1, 0) * at.tpot_s[most]
        flight = demand.peak_rate * stay
        held = np.ceil((flight + score * np.sqrt(flight)) / at.running[most] * (1 - 1e-12))
        replicas[end] = held if kept else np.full_like(held, np.inf)
        busy[end] = demand.mean_rate * stay / at.running[most]
    return Estimate(**replicas), Estimate(**busy)
