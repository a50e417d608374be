"""A replica under load: what comes to it and what an hour of it costs; every simulation of the notebook starts here."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tokenomics.compute.inference import memory
from tokenomics.compute.inference.server import Server
from tokenomics.errors import DataError
from tokenomics.estimate import ENDS, Estimate, combine, from_ends
from tokenomics.service import qoe, workload
from tokenomics.service.simulator import Outcome, Pool, Requests, Rules, StepTable, Transfer, simulate, simulate_pools
from tokenomics.service.simulator.capacity import highest_rate, saturated_tok_per_s
from tokenomics.service.simulator.step_tables import at_end, cache_blocks, modelled
from tokenomics.service.timeline import quantiles

BLOCK_TOKENS = 16
LEAST_LOADED = "least loaded"
LONGER = 2
"""Times as many requests where the highest rate within an objective is looked for, as far as there are so many."""
SPAN = 1e4
"""How far below the saturated rate the highest rate within an objective is looked for."""


@dataclass(frozen=True)
class Case:
    """A replica under load.

    Attributes:
        server: model, devices, engine.
        tables: seconds of a step at each of :data:`tokenomics.estimate.ENDS`; ``low`` is fast.
        rules: scheduling and memory.
        pool: requests at one a second; faster or slower they are the same requests.
        count: how many of them a simulation of one replica takes; of several, as many for each.
        usd_per_device_hour: rent.
    """

    server: Server
    tables: Mapping[str, StepTable]
    rules: Rules
    pool: workload.Stream
    count: int
    usd_per_device_hour: Estimate

    @property
    def name(self) -> str:
        """Model and devices in words."""
        return f"{self.server.on.model.name} on {self.server.devices} {self.server.on.device.name}"

    @property
    def setting(self) -> "Setting":
        """How another replica has to be run to stand beside this one."""
        return Setting(self.rules.max_batch, self.rules.max_tokens, self.count)

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
    def usd_per_replica_hour(self) -> Estimate:
        """Rent of all its devices."""
        return self.usd_per_device_hour.map(lambda usd: usd * self.server.devices)

    def usd_per_mtok(self, rate_rps: Estimate) -> Estimate:
        """USD per million output tokens at requests a second; infinite at a rate of 0. Ends: of rate and rent."""
        devices, output = self.server.devices, self.output
        with np.errstate(divide="ignore"):
            return combine(
                lambda usd, rate: 1e6 * devices * usd / (3600 * rate * output), [self.usd_per_device_hour], [rate_rps]
            )

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

    def serve_apart(self, stream: workload.Stream, prefill: int, decode: int, bytes_per_s: float) -> Outcome:
        """Any stream on replicas of which ``prefill`` read prompts and ``decode`` write replies.

        Args:
            bytes_per_s: at which the cache of a prompt is handed over.
        """
        on, context = self.server.on, float(stream.input_tokens.mean())
        token_bytes = float(memory.cache_bytes_per_device(on, context)) * on.layout.devices / context
        pools = [Pool(self.tables["value"], self.rules, n, LEAST_LOADED) for n in (prefill, decode)]
        return simulate_pools(Requests.of(stream), *pools, Transfer.over(token_bytes, bytes_per_s), tokens=True)

    def saturated_at(self, end: str) -> float:
        """Output tokens a second of the saturated replica, at an end of the step times."""
        return saturated_tok_per_s(Requests.of(self.stream), self.tables[end], self.rules)

    @cached_property
    def saturated_tok_per_s(self) -> Estimate:
        """Output tokens a second of the saturated replica, simulated; slow step times give the low end."""
        return from_ends(lambda end: np.asarray(self.saturated_at(end)), falls=True)

    @property
    def saturated_rps(self) -> float:
        """Requests a second of that."""
        return float(self.saturated_tok_per_s.value) / self.output

    def keeps(self, outcome: Outcome, slo: qoe.Slo) -> bool:
        """Whether a stable load keeps the objective: its share's quantiles of TTFT and TPOT are within the limits."""
        single = np.where(outcome.requests.output == 1, 0.0, np.inf)
        tpot = np.where(np.isnan(outcome.tpot_s), np.where(outcome.finished, single, np.inf), outcome.tpot_s)
        ttft = np.where(np.isnan(outcome.ttft_s), np.inf, outcome.ttft_s)
        within = (quantiles(ttft, slo.share) <= slo.ttft_s) and (quantiles(tpot, slo.share) <= slo.tpot_s)
        return bool(within and outcome.load().stable)

    def highest_rate(self, slo: qoe.Slo, end: str = "value", replicas: int = 1, rtol: float = 0.01) -> float:
        """Requests a second of one replica, the most that keep the objective; 0 where not even a ten-thousandth of the
        saturated rate does.

        Args:
            end: of the step times.
            replicas: that share the arrivals.
        """
        top = 1.2 * self.saturated_rps
        times = max(min(LONGER, len(self.pool) // (self.count * replicas)), 1)

        def keeps(rate_rps: float) -> bool:
            return self.keeps(self.run(rate_rps, end, replicas=replicas, times=times), slo)

        return highest_rate(keeps, top / SPAN, top, rtol)

    def rate_within(self, slo: qoe.Slo) -> Estimate:
        """The highest rate within an objective with its interval; slow step times give the low end."""
        value, fast, slow = (self.highest_rate(slo, end) for end in ENDS)
        return Estimate(*(np.asarray(each) for each in (value, min(slow, value), max(fast, value))))


@dataclass(frozen=True)
class Setting:
    """How replicas are run and how much of them is simulated: parameters of the notebook."""

    max_batch: int
    max_tokens: int
    count: int


def build(server: Server, pool: workload.Stream, usd_per_device_hour: Estimate, setting: Setting) -> Case:
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
    tables = {end: at_end(middle, server, end) for end in ENDS}
    return Case(server, tables, rules, pool, setting.count, usd_per_device_hour)


def drawn(name: str, count: int, seed: int) -> workload.Stream:
    """Requests of a shipped workload at one a second, without bursts and ties: only lengths are taken from it."""
    return workload.workload(name).draw(count, seed=seed, arrivals=workload.Poisson(1.0), prefixes=False)
