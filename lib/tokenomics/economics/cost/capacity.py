"""How many accelerators, dollars and watts a number of users takes: a closed form, with a place for a simulation.

Requests of the busiest hour arrive at random and stay for the time of a request; by Little's law their mean number in
flight is ``a = rate * E2E``, and where many copies share them it scatters like a Poisson number (M/G/infinity). Copies
hold, with the share asked for, ``a + z sqrt(a)`` requests, each copy as many as the objective allows; spare copies come
on top. Left out: bursts within the hour, uneven routing, prompts and replies of uneven length, growth.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.compute.inference.server import Server
from tokenomics.economics.cost.amounts import DAYS_PER_MONTH, HOURS_PER_MONTH, TOKENS, checked
from tokenomics.economics.cost.hourly import Hour, Power
from tokenomics.economics.cost.objective import LADDER, loads
from tokenomics.errors import DataError
from tokenomics.estimate import ENDS, Amount, Estimate, combine, together
from tokenomics.service.qoe import Slo

SECONDS_PER_DAY = 86400.0
SHARE = 0.95
"""Share of the time in which the copies hold all requests."""


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
        copies: of the model, spares included.
        accelerators: all of them.
        usd_per_month: kept all the time.
        usd_per_mtoken: per million output tokens of the month.
        mean_w, peak_w: power of the site, cooling included, over the day and with every accelerator busy.
        utilisation: mean requests in flight over what all copies hold.
    """

    copies: Estimate
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
    copy_rate: Amount | None = None,
) -> Plan:
    """The fleet for a demand under an objective.

    Args:
        hour: USD per accelerator-hour.
        slo: kept on average at the number in flight that a copy is given; see
            :func:`tokenomics.economics.cost.objective.price_of_slo`.
        power: watts of one accelerator with its host.
        pue: power of the site over power of its computers.
        share: of the time in which copies must hold all requests of the busiest hour.
        spares: copies that may fail (N + 1).
        copy_rate: requests a second that one copy serves under the objective, from a simulation or a measurement; takes
            the place of the closed form.

    Raises:
        DataError: an objective that not even a single request keeps, a share outside (0, 1), negative spares, a PUE
            below 1, a rate that is not positive.
    """
    _check(pue, share, spares)
    if copy_rate is None:
        needed, used = _closed_form(demand, server, slo, share)
    else:
        rate = checked("plan", "copy_rate", copy_rate)
        needed = combine(lambda r: np.ceil(demand.peak_rate / r * (1 - 1e-12)), falling=[rate])
        used = combine(lambda r: demand.mean_rate / r, falling=[rate])
    copies = combine(lambda n: np.maximum(n, 1.0) + spares, [needed])
    accelerators = combine(lambda n: n * server.devices, [copies])
    usd = checked("plan", "usd_per_hour", hour.usd if isinstance(hour, Hour) else hour)
    month = combine(lambda n, p: n * p * HOURS_PER_MONTH, [accelerators, usd])
    tokens = demand.mean_rate * SECONDS_PER_DAY * DAYS_PER_MONTH * demand.output
    return Plan(
        copies,
        accelerators,
        month,
        combine(lambda m: m / tokens * TOKENS, [month]),
        together(lambda n, work: _watts(power, n * server.devices, np.minimum(work / n, 1.0)) * pue, copies, used),
        combine(lambda n: n * power.at(1.0).value * pue, [accelerators]),
        together(lambda n, work: np.minimum(work / n, 1.0), copies, used),
    )


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
    """Copies without spares, and the mean number of busy ones, at each end of the server's times."""
    score = max(NormalDist().inv_cdf(share), 0.0)
    copies, busy = {}, {}
    for end in ENDS:
        at = loads(server, demand.prompt, demand.output, LADDER, end)
        most = at.most(slo)
        if most is None and end == "value":
            best = f"{at.ttft_s[0]:.3g} s to the first token, {at.tpot_s[0]:.3g} s per token at least"
            raise DataError("plan", "slo", f"{slo.ttft_s:g} s, {slo.tpot_s:g} s", best)
        kept, most = most is not None, most or 0
        stay = at.ttft_s[most] + max(demand.output - 1, 0) * at.tpot_s[most]
        flight = demand.peak_rate * stay
        held = np.ceil((flight + score * np.sqrt(flight)) / at.running[most] * (1 - 1e-12))
        copies[end] = held if kept else np.full_like(held, np.inf)
        busy[end] = demand.mean_rate * stay / at.running[most]
    return Estimate(**copies), Estimate(**busy)
