"""Which accelerator: every one of the catalogue in closed form and the best of them as sized, or two against each other
as sized."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from tokenomics.answers.quantity import Quantity
from tokenomics.answers.question import Question, ask
from tokenomics.answers.size import Size, answer, counted, fewest_replicas, money, ranked
from tokenomics.compute.counts.precision import parse
from tokenomics.compute.inference import feasibility
from tokenomics.compute.layout import Layout
from tokenomics.economics.cost.hourly import rent
from tokenomics.errors import DataError
from tokenomics.estimate import COVERAGE, ENDS, Estimate
from tokenomics.facts import catalogue
from tokenomics.facts.prices import listed_by

NODES = (8, 16, 32)
"""Devices of a replica in closed form, at most."""
SIZED, MOST_SIZED = 3, 6
"""Accelerators at the head of a ranking that are sized by simulation; as many as are tried for that, at most."""
CLOSED_FORM = "closed form, without queues"
SHARED = 0.65
SHARED_LOW, SHARED_HIGH = 0.25, 0.85
"""Share of the variance of an error that two accelerators have in common under one engine and model family: between
groups over all, of held-out residuals (``data/calibration/held_out_family.csv``). Times per token say 0.67, or
0.55 without AMD's devices; rows with drafted tokens among them once hid it (0.25)."""


@dataclass(frozen=True)
class Rival:
    """One accelerator of a ranking.

    Attributes:
        xpu: its name.
        layout: of a replica.
        devices, usd_per_mtok: all devices, and USD per million output tokens.
        sized: whether these are those of :func:`tokenomics.answers.size.size`; else they are closed forms.
    """

    xpu: str
    layout: Layout
    devices: Quantity
    usd_per_mtok: Quantity
    sized: bool


@dataclass(frozen=True)
class Ranking:
    """Accelerators for a demand: those with a rent by USD per million output tokens, then the others by devices.

    Attributes:
        model: what is served.
        rivals: those that were sized, best first, then the others, best first.
        left_out: the others, and why.
        assumed: of all numbers.
    """

    model: str
    rivals: tuple[Rival, ...]
    left_out: dict[str, str]
    assumed: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        rows = [
            {"xpu": each.xpu, "layout": asdict(each.layout), "sized": each.sized}
            | {key: getattr(each, key).as_dict() for key in ("devices", "usd_per_mtok")}
            for each in self.rivals
        ]
        return {"model": self.model, "ranking": rows, "left_out": self.left_out, "assumed": list(self.assumed)}

    def __str__(self) -> str:
        wide = max(len(each.xpu) for each in self.rivals)
        lines = [f"{each.xpu:<{wide}} {each.devices}{_price(each)}" for each in self.rivals]
        lines.insert(sum(each.sized for each in self.rivals), f"{CLOSED_FORM}:")
        head = f"{self.model}: USD per million output tokens where there is a rent, then devices"
        return "\n".join([head, *lines, f"left out: {len(self.left_out)}", f"assumed: {'; '.join(self.assumed)}"])


def _price(of: Rival) -> str:
    return "" if of.usd_per_mtok.value is None else f"  {of.usd_per_mtok}"


def rank(model: str, **options: Any) -> Ranking:
    """Every accelerator of the catalogue that fits a model and keeps an objective, cheapest first.

    All are ranked by closed forms: mean times of a closed loop, no queues. The cheapest are then sized as
    :func:`tokenomics.answers.size.size` does, until :data:`SIZED` of them are cheaper than any that is left, or
    :data:`MOST_SIZED` were. Left out is what has no arithmetic of the format, does not hold the model or does not keep
    the objective.

    Args:
        model: name, alias or file.
        options: as for :func:`tokenomics.answers.size.size`.

    Raises:
        DataError: as :func:`tokenomics.answers.size.size`, or no accelerator is left.
    """
    first, *_ = catalogue.accelerators()
    asked, found, left_out = ask(model, first, **options), [], {}
    offers = listed_by(asked.price_list)
    assumed = (*asked.assumed, f"{asked.spares} spare replicas")
    questions = {name: asked.on(name) for name in catalogue.accelerators()}
    for name, each in questions.items():
        try:
            found.append(_rival(each, offers, (*assumed, CLOSED_FORM)))
        except DataError as refused:
            left_out[name] = getattr(refused, "reason", str(refused))
    found = _head_sized(found, lambda name: _sized(answer(questions[name])), left_out)
    if not found:
        raise DataError("rank", "model", asked.model.name, "a model and an objective that some accelerator keeps")
    return Ranking(asked.model.name, tuple(found), left_out, assumed)


def _head_sized(found: list[Rival], sized: Callable[[str], Rival], left_out: dict[str, str]) -> list[Rival]:
    """Rivals in order, the best of them sized; what that refuses is added to those left out."""
    for _ in range(MOST_SIZED):
        found.sort(key=_place)
        best = next((each for each in found[:SIZED] if not each.sized), None)
        if best is None:
            break
        found.remove(best)
        try:
            found.append(sized(best.xpu))
        except DataError as refused:
            left_out[best.xpu] = getattr(refused, "reason", str(refused))
    return sorted(found, key=lambda each: (not each.sized, _place(each)))


def _sized(of: Size) -> Rival:
    return Rival(of.xpu, of.layout, of.devices, of.usd_per_mtok, sized=True)


def _place(of: Rival) -> tuple[bool, float, str]:
    usd = of.usd_per_mtok.value
    return usd is None, of.devices.value if usd is None else usd, of.xpu


def _rival(asked: Question, offers: list, assumed: tuple[str, ...]) -> Rival:
    """One accelerator in closed form; a published checkpoint is run as the accelerator can run it, a format that was
    chosen for its arithmetic only where there is that arithmetic.

    Raises:
        DataError: it cannot serve the model so.
    """
    emulated = feasibility.check_format(asked.device, asked.model, parse(asked.precision, asked.kv_precision))
    if asked.precision in (asked.model.published_format, "bf16"):
        assumed, emulated = (*assumed, *emulated), []
    found = [] if emulated else ranked(asked, asked.tpot_s, asked.ttft_s or np.inf, NODES)
    if not found:
        reason = emulated[0] if emulated else f"no layout of up to {NODES[-1]} devices fits and keeps the objective"
        raise DataError("rank", "xpu", asked.device.name, reason)
    best, one = found[0]
    rate = best.output_rate / best.replicas
    step = one.loaded_tpot(best.concurrency, *asked.means)
    slower = {end: float(step.at(end) / step.value) for end in ENDS}
    count = counted({end: fewest_replicas(asked, rate / slower[end]) for end in ENDS}, asked.spares)
    devices = count.map(lambda n: n * one.devices)
    _, usd = money(asked, devices, rent(asked.device, offers), assumed)
    return Rival(asked.device.name, best.layout, Quantity.of(devices, "devices", assumed, asked.sources), usd, False)


@dataclass(frozen=True)
class Comparison:
    """Two accelerators for the same demand.

    Attributes:
        first, second: what each takes.
        metric: what is compared: ``usd_per_mtok``, or ``devices`` where one of them has no rent.
        probability: that the first is less, by :data:`SHARED`; its ends are the least and the greatest over other
            shares, and over the ratio of the two in closed form, which has no whole replicas, in place of this one.
    """

    first: Size
    second: Size
    metric: str
    probability: Quantity

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: the first accelerator's, and the other's under ``against``."""
        other = self.second.as_dict() | {"metric": self.metric, "probability": self.probability.as_dict()}
        return self.first.as_dict() | {"against": other}

    def __str__(self) -> str:
        chance = self.probability
        told = f"{chance.value:.0%} ({chance.low:.0%} to {chance.high:.0%})"
        less = "takes fewer devices" if self.metric == "devices" else "costs less per million output tokens"
        verdict = f"{self.first.xpu} {less} than {self.second.xpu} with a probability of {told}"
        return f"{self.first}\n\n{self.second}\n\n{verdict}"


def against(model: str, xpu: str, other: str, **options: Any) -> Comparison:
    """How probably one accelerator is cheaper than another, per million tokens, for the same demand and objective.

    The log of each cost is off by a normal error whose 80 % interval is that of the time per token, and of the rent.
    Engine and model are the same on both, so the part of the time's variance that accelerators have in common under
    one engine and model (:data:`SHARED`) moves both costs alike and does not enter their difference: what enters is the
    rest of it for each, and the spread of each rent.

    Args:
        model, xpu, other: names, aliases or files.
        options: as for :func:`tokenomics.answers.size.size`.

    Raises:
        DataError, Infeasible: as :func:`tokenomics.answers.size.size`, for either.
    """
    asked = [ask(model, each, **options) for each in (xpu, other)]
    first, second = map(answer, asked)
    offers = listed_by(asked[0].price_list)
    rents = [rent(each.device, offers) for each in asked]
    metric = "devices" if None in rents else "usd_per_mtok"
    servers = [each.server(of.layout) for each, of in zip(asked, (first, second), strict=True)]
    own = sum(_variance(one.loaded_tpot(1, *asked[0].means)) for one in servers)
    prices = 0.0 if metric == "devices" else sum(map(_variance, rents))
    amounts = [getattr(each, metric).value for each in (first, second)]
    gaps = [float(np.log(amounts[1] / amounts[0])), *_closed_gap(asked, rents if prices else None)]
    chances = [
        NormalDist().cdf(gap / np.sqrt(own * (1 - share) + prices))
        for gap in gaps
        for share in (SHARED, SHARED_LOW, SHARED_HIGH)
    ]
    assumed = (f"{SHARED:.0%} of the variance is common to both", "log-normal errors")
    sources = tuple(dict.fromkeys([*first.sources, *second.sources]))
    assumed = (*first.assumed, *assumed)
    return Comparison(first, second, metric, Quantity(chances[0], min(chances), max(chances), "1", assumed, sources))


def _closed_gap(asked: list[Question], rents: list[Estimate] | None) -> list[float]:
    """Log of the second's cost over the first's in closed form, of as much as is needed and no whole replicas; nothing
    where a closed form does not keep the objective."""
    found = [ranked(each, each.tpot_s, each.ttft_s or np.inf) for each in asked]
    if not all(found):
        return []
    costs = [each[0][0].devices / each[0][0].output_rate for each in found]
    if rents:
        costs = [cost * float(usd.value) for cost, usd in zip(costs, rents, strict=True)]
    return [float(np.log(costs[1] / costs[0]))]


def _variance(of: Estimate) -> float:
    """Of the log, from the interval as that of a normal law."""
    widths = 2 * NormalDist().inv_cdf((1 + COVERAGE) / 2)
    return float(np.log(of.high / of.low) / widths) ** 2
