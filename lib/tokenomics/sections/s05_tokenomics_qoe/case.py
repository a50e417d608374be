"""One copy of a model, what comes to it, and what an hour of it costs: everything that is simulated starts here."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tokenomics.compute.inference.server import Server
from tokenomics.errors import DataError
from tokenomics.estimate import Estimate
from tokenomics.service import qoe, workload
from tokenomics.service.simulator import Outcome, Requests, Rules, StepTable, simulate
from tokenomics.service.simulator.capacity import highest_rate, saturated_tok_per_s
from tokenomics.service.simulator.step_tables import at_end, cache_blocks, modelled
from tokenomics.service.timeline import quantiles

ENDS = ("value", "low", "high")
"""Middle, fast and slow end of the step times."""
BLOCK_TOKENS = 16
LEAST_LOADED = "least loaded"
LONGER = 2
"""Times as many requests where the load that keeps an objective is looked for, as far as there are so many."""
SPAN = 1e4
"""How far below the saturated rate a load that keeps an objective is looked for."""


@dataclass(frozen=True)
class Case:
    """A copy under load.

    Attributes:
        server: model, devices, engine.
        tables: seconds of a pass at each of :data:`ENDS`.
        rules: scheduling and memory.
        pool: requests at one a second; faster or slower they are the same requests.
        count: how many of them a simulation of one replica takes; of several, as many for each.
        hour: USD per accelerator-hour.
    """

    server: Server
    tables: Mapping[str, StepTable]
    rules: Rules
    pool: workload.Stream
    count: int
    hour: Estimate

    @cached_property
    def stream(self) -> workload.Stream:
        """Requests of one replica."""
        return self.pool.first(self.count)

    @property
    def prompt(self) -> float:
        """Mean tokens of a prompt."""
        return float(self.stream.input_tokens.mean())

    @property
    def output(self) -> float:
        """Mean tokens of a reply."""
        return float(self.stream.output_tokens.mean())

    @property
    def usd_per_copy_hour(self) -> Estimate:
        """Of all its accelerators."""
        return Estimate(*(getattr(self.hour, end) * self.server.devices for end in ENDS))

    def run(self, rate_rps: float, end: str = "value", *, replicas: int = 1, times: int = 1, **options) -> Outcome:
        """The requests at ``rate_rps`` for each replica; with several, the least loaded one takes a request.

        Args:
            times: so many times as many requests, for quantiles that scatter less.

        Raises:
            DataError: more replicas than there are requests for.
        """
        if replicas * times * self.count > len(self.pool):
            raise DataError("case", "replicas", replicas, f"at most {len(self.pool) // self.count // times}")
        some = self.pool.first(self.count * replicas * times)
        return self.serve(some.at_rate(rate_rps * replicas), end, replicas=replicas, **options)

    def serve(self, stream: workload.Stream, end: str = "value", *, replicas: int = 1, **options) -> Outcome:
        """Any stream; options are those of :func:`tokenomics.service.simulator.simulate`."""
        options = {"routing": LEAST_LOADED} | options
        return simulate(Requests.of(stream), self.tables[end], self.rules, replicas=replicas, **options)

    @cached_property
    def saturated(self) -> Estimate:
        """Output tokens a second with a queue that is never empty; slow step times give the low end."""
        given = Requests.of(self.stream)
        value, fast, slow = (saturated_tok_per_s(given, self.tables[end], self.rules) for end in ENDS)
        return Estimate(*(np.asarray(each) for each in (value, slow, fast)))

    @property
    def saturated_rps(self) -> float:
        """Requests a second of that."""
        return float(self.saturated.value) / self.output

    def keeps(self, outcome: Outcome, slo: qoe.Slo) -> bool:
        """Whether a stable load keeps the objective: its share's quantiles of TTFT and TPOT are within the limits."""
        single = np.where(outcome.requests.output == 1, 0.0, np.inf)
        tpot = np.where(np.isnan(outcome.tpot_s), np.where(outcome.finished, single, np.inf), outcome.tpot_s)
        ttft = np.where(np.isnan(outcome.ttft_s), np.inf, outcome.ttft_s)
        within = (quantiles(ttft, slo.share) <= slo.ttft_s) and (quantiles(tpot, slo.share) <= slo.tpot_s)
        return bool(within and outcome.load().stable)

    def most(self, slo: qoe.Slo, end: str = "value", replicas: int = 1, rtol: float = 0.01) -> float:
        """Requests a second of one copy, most that keep the objective; 0 where not even a ten-thousandth does."""
        top = 1.2 * self.saturated_rps
        times = max(min(LONGER, len(self.pool) // (self.count * replicas)), 1)
        keeps = lambda rate: self.keeps(self.run(rate, end, replicas=replicas, times=times), slo)  # noqa: E731
        return highest_rate(keeps, top / SPAN, top, rtol)

    def most_with_ends(self, slo: qoe.Slo) -> Estimate:
        """The same with its ends; slow step times give the low one."""
        value, fast, slow = (self.most(slo, end) for end in ENDS)
        return Estimate(*(np.asarray(each) for each in (value, min(slow, value), max(fast, value))))


@dataclass(frozen=True)
class Setting:
    """How copies are run and how much of them is simulated: parameters of the notebook."""

    max_batch: int
    max_tokens: int
    count: int


def build(server: Server, pool: workload.Stream, hour: Estimate, setting: Setting) -> Case:
    """A case: step tables at the three ends as long as the longest request, and what memory leaves for the cache."""
    max_batch, max_tokens = setting.max_batch, setting.max_tokens
    longest = int((pool.input_tokens + pool.output_tokens).max())
    rules = Rules(
        max_batch=max_batch,
        max_tokens=max_tokens,
        kv_blocks=cache_blocks(server, BLOCK_TOKENS, longest),
        block_tokens=BLOCK_TOKENS,
    )
    middle = modelled(server, max_batch, max_tokens, longest)
    return Case(server, {end: at_end(middle, server, end) for end in ENDS}, rules, pool, setting.count, hour)


def drawn(name: str, count: int, seed: int) -> workload.Stream:
    """Requests of a shipped workload at one a second, without bursts and ties: only lengths are taken from it."""
    return workload.workload(name).draw(count, seed=seed, arrivals=workload.Poisson(1.0), prefixes=False)
