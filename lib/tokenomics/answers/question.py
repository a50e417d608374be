"""What :func:`tokenomics.answers.size.size` is asked: who comes, with which lengths, on what, what must be kept."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tokenomics.compute.counts.precision import kept, stored
from tokenomics.compute.deployment import Settings
from tokenomics.compute.inference import feasibility
from tokenomics.compute.inference.server import Server, server
from tokenomics.compute.layout import Layout
from tokenomics.economics.cost.capacity import Demand
from tokenomics.errors import one_of, positive, proportion, require, texts, whole
from tokenomics.facts import catalogue
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.engines import known
from tokenomics.facts.models import Model
from tokenomics.facts.prices import rental_prices
from tokenomics.service.qoe import MLPERF, Slo
from tokenomics.service.simulator import Requests
from tokenomics.service.workload.arrivals import Poisson, arrival_times, cosine_day

WHERE = "size"
ENGINE = "vLLM 0.19"
PRICE_LIST = "skypilot_catalog"
REQUESTS_PER_USER, DAY_SWING = 10.0, 0.5
"""Of a user a day, and how far the peak of a day lies above its mean; both as in the notebook on the cost of tokens."""
REQUESTS, SEED = 300, 20240911
"""Requests of one simulation, and the seed of their arrivals and lengths."""
TTFT_S, IDLE_TTFTS = MLPERF["Llama-2-70B server"].ttft_s, 3.0
"""Where no limit on the first token is stated: MLPerf's, or so many times that of an idle replica if that is longer."""
ARRIVALS = "Poisson arrivals, each replica its even share"
POWERS = (1, 2, 4, 8)
"""Sizes of what a layout leaves open."""


@dataclass(frozen=True, eq=False)
class Question:
    """A demand, a deployment without its layout, and an objective.

    Attributes:
        model, device: records.
        engine, precision, kv_precision: as for :func:`tokenomics.compute.inference.server.server`.
        tp, pp: stated sizes of the layout; ``None`` where they are searched.
        peak_rps, mean_rps: requests a second in the busiest hour, which is served, and over the day, which is billed.
        prompt, output: tokens of each of :data:`REQUESTS` requests.
        ttft_s, tpot_s, share: the objective; ``ttft_s`` is ``None`` where none was stated, ``tpot_s`` infinite.
        spares: replicas that may fail.
        price_list: key of the list of rents.
        assumed: what was not stated, in words.

    Raises:
        Infeasible: a model that does not write, requests beyond its context.
    """

    model: Model
    device: Accelerator
    engine: str
    precision: str
    kv_precision: str
    tp: int | None
    pp: int | None
    peak_rps: float
    mean_rps: float
    prompt: NDArray[np.int64]
    output: NDArray[np.int64]
    ttft_s: float | None
    tpot_s: float
    share: float
    spares: int
    price_list: str
    assumed: tuple[str, ...]

    def __post_init__(self):
        feasibility.check_task(self.model)
        feasibility.check_context(self.model, self.longest)

    @cached_property
    def arrival_s(self) -> NDArray[np.float64]:
        """Arrivals at one a second."""
        return arrival_times(Poisson(1.0), len(self.prompt), seed=SEED)

    def requests(self, rate_rps: float) -> Requests:
        """The same requests at another rate."""
        return Requests(self.arrival_s / rate_rps, self.prompt, self.output)

    @property
    def means(self) -> tuple[float, float]:
        """Mean tokens of prompt and output."""
        return float(self.prompt.mean()), float(self.output.mean())

    @property
    def longest(self) -> int:
        """Tokens of the longest sequence."""
        return int((self.prompt + self.output).max())

    @property
    def sources(self) -> tuple[str, ...]:
        """Keys of the sources of model and accelerator."""
        named = (("model", self.model.name), ("accelerator", self.device.name))
        return tuple(dict.fromkeys(key for kind, name in named for key in catalogue.sources_of(kind, name)))

    def objective(self, server: Server) -> Slo:
        """The limits on a server; one on the first token that was not stated leaves room for the prompts that are read.

        Raises:
            Infeasible: the longest request of the share does not fit.
        """
        ttft_s = self.ttft_s
        if ttft_s is None:
            idle = float(server.ttft(float(np.quantile(self.prompt, self.share))).value)
            ttft_s = max(TTFT_S, IDLE_TTFTS * idle)
        return Slo(ttft_s, self.tpot_s, self.share)

    def server(self, layout: Layout) -> Server:
        """One replica in a layout, whose engine is told nothing."""
        stated = {"precision": self.precision, "kv_precision": self.kv_precision, "engine": self.engine}
        return server(self.model, self.device, layout=layout, settings=self.settings(layout), **stated)

    def settings(self, layout: Layout) -> Settings:
        """What the engine does by default, for each attention group of a replica."""
        return Settings.documented(known(self.engine), layout.dp, self.device)

    def pinned(self) -> list[Layout]:
        """Layouts with the stated sizes; empty where none is stated.

        Raises:
            Infeasible: both sizes are stated and the model cannot be cut so.
        """
        if self.tp is None and self.pp is None:
            return []
        tps, pps = [self.tp] if self.tp else POWERS, [self.pp] if self.pp else POWERS
        spread = (lambda tp: {1, tp}) if self.model.is_moe else (lambda tp: {1})
        found = [Layout(tp, pp, 1, ep) for tp in tps for pp in pps for ep in sorted(spread(tp))]
        good = [each for each in found if not self.model.heads % each.tp and each.pp <= self.model.layers]
        if not good:
            feasibility.check_layout(self.model, found[0])
        return good

    def on(self, xpu: str) -> "Question":
        """The same question of another accelerator."""
        return replace(self, device=catalogue.accelerator(xpu))


def ask(
    model: str,
    xpu: str,
    *,
    rate: float | None = None,
    users_per_day: float | None = None,
    requests_per_user: float | None = None,
    day_swing: float | None = None,
    prompt: float | None = None,
    output: float | None = None,
    workload: str = "",
    ttft_ms: float | None = None,
    tpot_ms: float | None = None,
    attain: float = 0.9,
    engine: str = "",
    format: str = "",
    kv_format: str = "",
    tp: int | None = None,
    pp: int | None = None,
    spares: int = 0,
    price_list: str = PRICE_LIST,
) -> Question:
    """A question from names and numbers; arguments are those of :func:`tokenomics.answers.size.size`.

    Raises:
        DataError: a name that nobody knows, a number out of range, a demand or lengths missing or stated twice.
        Infeasible: a model that does not write, requests beyond its context.
    """
    texts(WHERE, engine=engine, format=format, kv_format=kv_format, workload=workload, price_list=price_list)
    one_of(WHERE, "price_list", price_list, sorted({each.source for each in rental_prices()}))
    _check({"tp": tp, "pp": pp}, {"ttft_ms": ttft_ms, "tpot_ms": tpot_ms}, attain, spares)
    peak, mean, of_day = _demand(rate, users_per_day, requests_per_user, day_swing)
    prompts, outputs, of_lengths = _lengths(prompt, output, workload)
    record, device = catalogue.model(model), catalogue.accelerator(xpu)
    weights, of_format = stored(record, format)
    of_cache = kept(record, device, known(engine or ENGINE), weights, kv_format)[1]
    return Question(
        *(record, device, engine or ENGINE, weights, kv_format),
        *(tp, pp, peak, mean, prompts, outputs),
        *(ttft_ms / 1e3 if ttft_ms else None, tpot_ms / 1e3 if tpot_ms else np.inf),
        *(attain, int(spares), price_list),
        (*_filled(engine, ttft_ms, tpot_ms), *of_cache, *of_format, *of_day, *of_lengths, ARRIVALS),
    )


def _check(sizes: Mapping[str, Any], limits: Mapping[str, Any], attain: float, spares: int) -> None:
    """Refuse numbers out of range."""
    for key, value in sizes.items():
        if value is not None:
            whole(WHERE, key, value)
    for key, value in limits.items():
        if value is not None:
            positive(WHERE, key, value)
    whole(WHERE, "spares", spares, 0)
    proportion(WHERE, "attain", attain, without=[0, 1])


def _filled(engine: str, ttft_ms: float | None, tpot_ms: float | None) -> list[str]:
    """What was not stated of the engine and the objective, in words."""
    filled = [] if engine else [f"engine {ENGINE}"]
    filled += [] if ttft_ms else [f"TTFT within {TTFT_S:g} s, or {IDLE_TTFTS:g} times an idle replica's"]
    return filled + ([] if tpot_ms else ["no limit on TPOT"])


def _demand(rate: Any, users: Any, per_user: Any, swing: Any) -> tuple[float, float, list[str]]:
    """Requests a second at the peak and on average, and what was assumed."""
    one = (rate is None) != (users is None)
    require(one, WHERE, "rate, users_per_day", "both" if rate is not None else "neither", "one of the two")
    if rate is not None:
        positive(WHERE, "rate", rate)
        return float(rate), float(rate), ["the rate is there all the time"]
    positive(WHERE, "users_per_day", users)
    stated = {"requests a user and day": (per_user, REQUESTS_PER_USER), "swing of the day": (swing, DAY_SWING)}
    filled = [f"{default:g} {name}" for name, (given, default) in stated.items() if given is None]
    per_user, swing = (default if given is None else given for given, default in stated.values())
    positive(WHERE, "requests_per_user", per_user)
    shape = cosine_day(swing, 15.0)
    demand = Demand(users, per_user, 1.0, 1.0, max(shape) / float(np.mean(shape)))
    return float(demand.peak_rate), float(demand.mean_rate), filled


def _lengths(prompt: Any, output: Any, workload: str) -> tuple[NDArray[np.int64], NDArray[np.int64], list[str]]:
    """Tokens of the prompts and outputs that are simulated, and what was assumed."""
    if workload:
        require(prompt is None and output is None, WHERE, "workload", workload, "a workload, or prompt and output")
        from tokenomics.service.workload.published import workload as shipped

        drawn = shipped(workload).lengths.draw(np.random.default_rng(SEED), REQUESTS)
        return *drawn, [f"lengths of {workload}, nothing shared between prompts"]
    for key, value in {"prompt": prompt, "output": output}.items():
        require(value is not None, WHERE, key, "missing", "prompt and output in tokens, or a workload")
        whole(WHERE, key, value)
    return *(np.full(REQUESTS, int(each)) for each in (prompt, output)), ["all requests of the stated lengths"]
