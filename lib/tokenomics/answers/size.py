"""How many accelerators serve a model at a rate within an objective, and what they cost.

Layouts are ranked in closed form (:func:`tokenomics.compute.inference.search.search`); the best two are simulated, and
the one that needs the fewest devices is the answer. A replica gets its even share of the requests. Money is the rent of
all devices all the time. The interval of a time or of a number of replicas comes from simulations with all step times
at the fast and at the slow end of their 80 % intervals; that of money from these and the spread of rents.

Left out: bursts within the hour, routing that evens out queues, prompts that share a beginning, power and staff.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from tokenomics.answers.quantity import Quantity
from tokenomics.answers.question import WHERE, Question, ask
from tokenomics.compute.inference.search import Candidate, layouts, search
from tokenomics.compute.inference.server import MEMORY, Server
from tokenomics.compute.layout import Layout
from tokenomics.economics.cost.amounts import DAYS_PER_MONTH, HOURS_PER_MONTH, TOKENS
from tokenomics.economics.cost.hourly import rent
from tokenomics.errors import Infeasible
from tokenomics.estimate import ENDS, Estimate, combine
from tokenomics.facts.prices import RentalPrice, listed_by
from tokenomics.facts.sources import sources
from tokenomics.service.replica import Replica, keeps
from tokenomics.service.simulator import Outcome, Requests
from tokenomics.service.simulator.simulator import without_compiling
from tokenomics.service.timeline import quantiles

NODES = (8, 16, 32, 64, 128)
"""Devices of a replica, at most; more are tried only where fewer do not do."""
SIMULATED = 2
"""Layouts that are simulated."""
WORTH_A_TRY = 1.25
"""Another layout is simulated only if it needs at most so many times the first one's devices in closed form."""
CLOSE = 0.02
"""Relative width at which the search for the number of replicas stops."""
FAR = 2**12
"""How many times the replicas of the closed form are tried, at most."""
NEAR_SATURATION = 0.9
"""Share of a saturated replica's output beyond which the objective is not what limits it."""
BACKLOG_S = 60.0
"""Seconds of arrivals waiting at which a number of replicas is given up as too low."""
OBJECTIVE = "objective"
Words = tuple[str, ...]


@dataclass(frozen=True)
class Size:
    """A fleet for a demand; ``print`` it, or take its numbers.

    Attributes:
        model, xpu, engine, format: what was sized, as it was understood.
        layout: of one replica.
        spares: replicas that may fail; they are among the others.
        devices, replicas: all of them.
        usd_per_month, usd_per_mtok: rent of all devices all the time, a month and per million output tokens.
        ttft_p50_ms, ttft_p95_ms, tpot_p50_ms, tpot_p95_ms: at the rate that a replica gets in the busiest hour.
        utilisation: output over that of all replicas saturated, over the day.
        limit: what keeps a replica from serving more: ``memory``, ``bandwidth``, ``compute``, ``communication``,
            ``host``, or the ``objective``.
        price_date: last day on which the rents were listed; empty where there are none.
        assumed, sources: of all numbers.
    """

    model: str
    xpu: str
    engine: str
    format: str
    layout: Layout
    spares: int
    devices: Quantity
    replicas: Quantity
    usd_per_month: Quantity
    usd_per_mtok: Quantity
    ttft_p50_ms: Quantity
    ttft_p95_ms: Quantity
    tpot_p50_ms: Quantity
    tpot_p95_ms: Quantity
    utilisation: Quantity
    limit: str
    price_date: str
    assumed: tuple[str, ...]
    sources: tuple[str, ...]

    @property
    def quantities(self) -> dict[str, Quantity]:
        """The predicted numbers by name."""
        return {key: value for key, value in vars(self).items() if isinstance(value, Quantity)}

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in vars(self).items()}
        predicted = {key: value.as_dict() for key, value in self.quantities.items()}
        return plain | {"layout": asdict(self.layout)} | predicted

    def __str__(self) -> str:
        cut = " ".join(f"{key} {size}" for key, size in asdict(self.layout).items() if size > 1 or key == "tp")
        spare = f", {self.spares} of them spare" if self.spares else ", no spare"
        head = f"{self.model} on {self.xpu}, {self.engine}, {self.format}; a replica is {cut}{spare}"
        lines = [f"{key:<14}{value}" for key, value in self.quantities.items()]
        dated = f" (rents of {self.price_date})" if self.price_date else ""
        limit = f"the {self.limit}" if self.limit == OBJECTIVE else self.limit
        tail = [f"limited by {limit}", f"assumed: {'; '.join(self.assumed)}"]
        return "\n".join([head, *lines, *tail, f"sources: {', '.join(self.sources)}{dated}"])


def size(model: str, xpu: str, **options: Any) -> Size:
    """How many accelerators serve a model within an objective, and what they cost a month and per million tokens.

    >>> from tokenomics import size
    >>> found = size("Llama-3.1-8B", "H100-SXM-80GB", rate=20, prompt=1500, output=300, tpot_ms=50)
    >>> found.devices.low <= found.devices.value <= found.devices.high
    True

    Args:
        model, xpu: names, aliases or files.
        options: of :func:`tokenomics.answers.question.ask`: ``rate`` in requests a second, or ``users_per_day`` (each
            with ``requests_per_user``, over a day whose peak lies ``day_swing`` above its mean); ``prompt`` and
            ``output`` in tokens, or the name of a ``workload``; ``ttft_ms``, ``tpot_ms`` and the share of requests
            (``attain``) that must keep each; ``engine`` with its version; ``format`` of weights and ``kv_format`` of
            the cache; ``tp`` and ``pp``, which are searched where not given; ``spares`` in replicas; ``price_list``, a
            key of ``data/sources.csv``.

    Raises:
        DataError: a name that nobody knows, a number out of range, a demand or lengths missing or stated twice.
        Infeasible: the model does not fit, a request is beyond its context, or the objective cannot be kept.
    """
    return answer(ask(model, xpu, **options))


def answer(asked: Question) -> Size:
    """The answer to a question; raises as :func:`size`."""
    offers = listed_by(asked.price_list)
    best = _fewest_devices(asked)
    if best is None:
        raise _cannot_be_kept(asked)
    return _size(asked, *best, offers)


def _fewest_devices(asked: Question) -> tuple["Trials", int] | None:
    """The layout, of the best few in closed form, that needs the fewest devices when simulated, and its replicas; the
    faster one of equals; ``None`` where none keeps the objective."""
    found = []
    first, *others = candidates(asked)
    near = [each for each in others[: SIMULATED - 1] if each[0] <= WORTH_A_TRY * first[0]]
    for devices, one in [first, *near]:
        trials = Trials(asked, one)
        replicas = trials.fewest("value", devices // one.devices)
        if np.isfinite(replicas):
            tpot_s = float(np.nanmean(np.nan_to_num(trials.outcome("value", int(replicas)).tpot_s)))
            found.append((replicas * one.devices, tpot_s, len(found), trials, int(replicas)))
    return min(found)[3:] if found else None


def candidates(asked: Question) -> list[tuple[int, Server]]:
    """Devices needed in closed form and servers, fewest first; where no layout keeps the objective there, as if there
    were none.

    Raises:
        Infeasible: the model fits in no layout.
    """
    for tpot_s, ttft_s in ((asked.tpot_s, asked.ttft_s or np.inf), (np.inf, np.inf)):
        found = ranked(asked, tpot_s, ttft_s)
        if found:
            return [(_devices(asked, each), one) for each, one in found]
    stated = asked.pinned() or layouts(asked.model, asked.device, NODES[0])
    asked.server(max(stated, key=lambda each: (each.devices, each.tp))).room(asked.longest)
    raise Infeasible(WHERE, "memory", asked.longest, "no layout holds the longest request", "fewer tokens")


def ranked(
    asked: Question, tpot_s: float, ttft_s: float, nodes: Sequence[int] = NODES
) -> list[tuple[Candidate, Server]]:
    """Layouts within mean times of a closed loop, by the devices that the demand needs; empty where there is none.

    Args:
        nodes: devices of a replica, at most; the first number that does is taken.
    """
    pinned = asked.pinned()
    for devices in [max(each.devices for each in pinned)] if pinned else nodes:
        if found := _ranked(asked, tpot_s, ttft_s, devices):
            return found
    return []


@lru_cache(maxsize=512)
def _ranked(asked: Question, tpot_s: float, ttft_s: float, devices: int) -> list[tuple[Candidate, Server]]:
    """:func:`ranked` on so many devices; a ranking of accelerators asks twice for those that it sizes."""
    prompt, output = asked.means
    found = search(
        *(asked.model, asked.device, devices),
        **{"prompt": prompt, "output": output, "most_tpot_s": tpot_s, "most_ttft_s": ttft_s},
        **{"precision": asked.precision, "kv_precision": asked.kv_precision, "engine": asked.engine},
        among=asked.pinned() or None,
        settings=asked.settings,
    )
    both = [(each, asked.server(each.layout)) for each in found]
    both = [(each, one) for each, one in both if float(one.capacity(asked.longest)) >= 1]
    return sorted(both, key=lambda pair: (_devices(asked, pair[0]), -pair[0].output_rate / pair[0].devices))


def _devices(asked: Question, of: Candidate) -> int:
    """What the demand needs in closed form."""
    return fewest_replicas(asked, of.output_rate / of.replicas) * of.layout.devices


def fewest_replicas(asked: Question, tok_per_s: float) -> int:
    """Replicas at so many output tokens a second each."""
    return max(int(np.ceil(asked.peak_rps * asked.means[1] / tok_per_s * (1 - 1e-12))), 1)


class Trials:
    """Simulations of one replica among so many of a layout, each run once.

    Attributes:
        asked: the question.
        server: the layout.
        replica: as its engine runs it.
        slo: the objective.
    """

    def __init__(self, asked: Question, server: Server):
        self.asked, self.server, self.slo = asked, server, asked.objective(server)
        self.replica = Replica(server, max_model_len=asked.longest)
        self._done: dict[tuple[str, int], Outcome] = {}

    def run(self, end: str, requests: Requests, **options: Any) -> Outcome:
        """Requests at an end of the step times."""
        return self.replica.at(end).run(requests, loop=without_compiling(), **options)

    def outcome(self, end: str, replicas: int) -> Outcome:
        """What requests see of one of so many replicas in the busiest hour."""
        if (end, replicas) not in self._done:
            self._done[end, replicas] = self.run(end, self.asked.requests(self.asked.peak_rps / replicas))
        return self._done[end, replicas]

    def keeps(self, end: str, replicas: int) -> bool:
        """Whether so many replicas keep the objective; a queue that only grows is not followed to its end."""
        rate = self.asked.peak_rps / replicas
        waiting = max(int(BACKLOG_S * rate), 100)
        done = self._done.get((end, replicas)) or self.run(end, self.asked.requests(rate), most_waiting=waiting)
        if done.finished.all():
            self._done[end, replicas] = done
        return keeps(done, self.slo)

    def idle(self, end: str = "value") -> tuple[float, float]:
        """TTFT and TPOT in seconds of a request alone, as long as the longest of the share that counts."""
        asked = self.asked
        prompt, output = (int(np.quantile(each, asked.share)) for each in (asked.prompt, asked.output))
        done = self.run(end, Requests([0.0], prompt, max(min(output, asked.longest - prompt), 1)))
        return float(done.ttft_s[0]), float(np.nan_to_num(done.tpot_s[0]))

    def fewest(self, end: str, guess: int) -> float:
        """The fewest replicas that keep the objective; infinite where no number does."""
        ttft, tpot = self.idle(end)
        if ttft > self.slo.ttft_s or tpot > self.slo.tpot_s:
            return np.inf
        return fewest(lambda replicas: self.keeps(end, replicas), guess)


def fewest(kept: Callable[[int], bool], guess: int) -> float:
    """The least number from 1 on that is kept, within :data:`CLOSE`; infinite where none up to :data:`FAR` times
    ``guess`` is.

    Args:
        kept: whether a number is enough: false below some number, true from there on.
        guess: where to begin.
    """
    below, above, most = guess, guess, FAR * guess
    while not kept(above):
        below, above = above, int(np.ceil(above * 1.25))
        if above > most:
            return np.inf
    while below == above:
        below = int(above * 0.8)
        above = below if below and kept(below) else above
    while above - below > max(1, CLOSE * above):
        middle = (below + above) // 2
        below, above = (below, middle) if kept(middle) else (middle, above)
    return float(above)


def _cannot_be_kept(asked: Question) -> Infeasible:
    """The refusal of an objective, with the best that an idle replica gives."""
    free = replace(asked, ttft_s=np.inf, tpot_s=np.inf)
    best = min((one for _, one in candidates(free)), key=lambda one: float(one.tpot(1, sum(asked.means)).value))
    (ttft, tpot), slo = Trials(free, best).idle(), asked.objective(best)
    wanted = f"TTFT {slo.ttft_s * 1e3:.4g} ms, TPOT {slo.tpot_s * 1e3:.4g} ms"
    cut = f"tp {best.on.layout.tp}, pp {best.on.layout.pp}"
    reason = f"{asked.model.name} on {asked.device.name} does not keep it for {asked.share:.0%} of requests"
    return Infeasible(WHERE, OBJECTIVE, wanted, reason, f"TTFT {ttft * 1e3:.4g} ms, TPOT {tpot * 1e3:.4g} ms ({cut})")


def _size(asked: Question, best: Trials, replicas: int, offers: Sequence[RentalPrice]) -> Size:
    """The numbers of so many replicas of a layout."""
    one, on = best.server, best.server.on
    needed = {end: replicas if end == "value" else best.fewest(end, replicas) for end in ENDS}
    seen = {end: best.outcome(end, replicas) for end in ENDS}
    keys = asked.sources
    told = on.settings
    held = f"at most {told.max_num_seqs} requests and {told.max_num_batched_tokens} tokens a step"
    times = (*asked.assumed, held, "no front end before the engine")
    fleet_assumed = (*times, f"{asked.spares} spare replicas", "the interval is a replica wide at least")
    count = counted(needed, asked.spares)
    devices = count.map(lambda n: n * one.devices)
    price = rent(asked.device, offers)
    usd = money(asked, devices, price, (*fleet_assumed, "on-demand rent of all devices all the time"))
    saturated = one.output_rate(*asked.means, told.max_num_seqs)
    share = combine(
        lambda r: np.minimum(asked.mean_rps * asked.means[1] / (r * float(count.value)), 1.0), falling=[saturated]
    )
    return Size(
        *(on.model.name, asked.device.name, asked.engine, asked.precision, on.layout, asked.spares),
        Quantity.of(devices, "devices", fleet_assumed, keys),
        Quantity.of(count, "replicas", fleet_assumed, keys),
        *usd,
        *(_quantile(seen, name, q, times, keys) for name in ("ttft_s", "tpot_s") for q in (0.5, 0.95)),
        Quantity.of(share, "1", (*times, f"{asked.spares} spare replicas"), keys),
        limited_by(best, replicas),
        price_date(asked.device.name, offers) if price is not None else "",
        tuple(dict.fromkeys([*usd[0].assumed, *fleet_assumed])),
        (*keys, asked.price_list) if price is not None else keys,
    )


def counted(replicas: dict[str, float], spares: int) -> Estimate:
    """Whole replicas with the spares; where both ends are the same number, one more is the high end."""
    value, low, high = (replicas[end] + spares for end in ENDS)
    low, high = min(low, value), max(high, value)
    return Estimate(*(np.asarray(each) for each in (value, low, high + (low == high))))


def money(asked: Question, devices: Estimate, price: Estimate | None, assumed: Words) -> list[Quantity]:
    """USD a month and per million output tokens."""
    units = ("USD/month", "USD/Mtok")
    if price is None:
        reason = f"{asked.price_list} has no on-demand rent of {asked.device.name}"
        return [Quantity.unknown(unit, reason, asked.sources) for unit in units]
    month = combine(lambda n, usd: n * usd * HOURS_PER_MONTH, [devices, price])
    tokens = asked.mean_rps * 86400 * DAYS_PER_MONTH * asked.means[1]
    keys = (*asked.sources, asked.price_list)
    both = (month, month.map(lambda usd: usd / tokens * TOKENS))
    return [Quantity.of(each, unit, assumed, keys) for each, unit in zip(both, units, strict=True)]


def _quantile(
    seen: dict[str, Outcome], name: str, share: float, assumed: tuple[str, ...], keys: tuple[str, ...]
) -> Quantity:
    """Milliseconds that a share of requests stays within; one of a single token has no time per later token."""
    seconds = {}
    for end in ENDS:
        values = getattr(seen[end], name)
        values = values[~np.isnan(values)]
        seconds[end] = 1e3 * float(quantiles(values, share)) if values.size else np.nan
    if np.isnan(seconds["value"]):
        return Quantity.unknown("ms", "outputs of one token have no time per later token", keys)
    return Quantity.of(Estimate(*(np.asarray(seconds[end]) for end in ENDS)), "ms", assumed, keys)


def price_date(xpu: str, offers: Sequence[RentalPrice]) -> str:
    """The last day on which an accelerator's rents were listed; where the list has no days, that of its reading."""
    listed = [each for each in offers if each.accelerator == xpu and each.usable]
    dates = [each.listed_until for each in listed if each.listed_until]
    return str(max(dates)) if dates else sources()[listed[0].source]["accessed"]


def limited_by(best: Trials, replicas: int) -> str:
    """What keeps a replica from serving more.

    With several replicas it is the objective, unless one fewer would have to deliver more than
    :data:`NEAR_SATURATION` of what saturated ones do; then memory, where it holds fewer requests than the engine may
    run, or else what takes most of a step. With one replica it is memory if no smaller one fits, else the objective; a
    single device is limited by what takes most of a step.
    """
    asked, one, done = best.asked, best.server, best.outcome("value", replicas)
    prompt, output = asked.means
    running = float(np.nansum(done.e2e_s) / np.nanmax(done.finish_s))
    step = str(one.limited_by(max(running, 1.0), prompt + output / 2))
    if replicas == 1:
        smaller = one.devices // 2
        if not smaller:
            return step
        kin = layouts(asked.model, asked.device, smaller)
        fits = any(asked.server(each).fits() for each in kin)
        return OBJECTIVE if fits else MEMORY
    saturated = float(one.output_rate(prompt, output, one.on.settings.max_num_seqs).value)
    if asked.peak_rps * output / (replicas - 1) < NEAR_SATURATION * saturated:
        return OBJECTIVE
    return MEMORY if float(one.admitted(prompt, output)) < one.on.settings.max_num_seqs else step
