"""The price of an objective: what promising a time to first token and per token does to the cost of a token."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.compute.inference.server import Server
from tokenomics.economics.cost.hourly import Hour
from tokenomics.economics.cost.tokens import usd_per_mtoken
from tokenomics.estimate import OPPOSITE, Amount, Estimate
from tokenomics.service.qoe import Slo

LADDER = np.unique(np.round(2.0 ** np.arange(0, 11.25, 0.25)))
"""Requests in flight that are tried."""


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
