"""A replica under load: what comes to it and what an hour of it costs; every simulation of the notebook starts here."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from tokenomics.compute.inference import memory
from tokenomics.compute.inference.server import Server
from tokenomics.errors import DataError, require
from tokenomics.estimate import ENDS, OPPOSITE, Estimate, combine, from_ends
from tokenomics.service import qoe, workload
from tokenomics.service.replica import Replica
from tokenomics.service.simulator import Outcome, Pool, Requests, Rules, Transfer, simulate_pools

LEAST_LOADED = "least loaded"
LONGER = 2
"""Times as many requests where the highest rate within an objective is looked for, as far as there are so many."""


@dataclass(frozen=True)
class Case:
    """A replica under load.

    Attributes:
        server: model, devices, engine and what it is told.
        pool: requests at one a second; faster or slower they are the same requests.
        count: how many of them a simulation of one replica takes; of several, as many for each.
        usd_per_device_hour: rent.
    """

    server: Server
    pool: workload.Stream
    count: int
    usd_per_device_hour: Estimate

    @property
    def max_num_seqs(self) -> int:
        """Requests that the engine runs at a time, at most."""
        return self.server.on.settings.max_num_seqs

    def told(self, **settings) -> "Case":
        """The same under other settings of the engine."""
        return replace(self, server=self.server.told(**settings))

    @property
    def name(self) -> str:
        """Model and devices in words."""
        return f"{self.server.on.model.name} on {self.server.devices} {self.server.on.device.name}"

    @cached_property
    def replica(self) -> Replica:
        """Server and engine, ready for the longest request of the pool."""
        longest = int((self.pool.input_tokens + self.pool.output_tokens).max())
        return Replica(self.server, max_model_len=longest)

    @property
    def rules(self) -> Rules:
        """Scheduling and memory."""
        return self.replica.table_and_rules(self.replica.max_model_len)[1]

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
        return self.serve(self._some(replicas, times).at_rate(rate_rps * replicas), end, replicas=replicas, **options)

    def _some(self, replicas: int, times: int = 1) -> workload.Stream:
        if replicas * times * self.count > len(self.pool):
            raise DataError("case", "replicas", replicas, f"at most {len(self.pool) // self.count // times}")
        return self.pool.first(self.count * replicas * times)

    def serve(self, stream: workload.Stream, end: str = "value", *, replicas: int = 1, **options) -> Outcome:
        """Any stream; options are those of :func:`tokenomics.service.simulator.simulate`."""
        options = {"routing": LEAST_LOADED} | options
        return self.replica.at(end).run(Requests.of(stream), replicas=replicas, **options)

    def serve_apart(self, stream: workload.Stream, prefill: int, decode: int, bytes_per_s: float) -> Outcome:
        """Any stream on replicas of which ``prefill`` read prompts and ``decode`` write replies.

        Args:
            bytes_per_s: at which the cache of a prompt is handed over.
        """
        on, context = self.server.on, float(stream.input_tokens.mean())
        token_bytes = float(memory.cache_bytes_per_device(on, context)) * on.layout.devices / context
        table, rules = self.replica.table_and_rules(self.replica.max_model_len)
        pools = [Pool(table, rules, n, LEAST_LOADED) for n in (prefill, decode)]
        return simulate_pools(Requests.of(stream), *pools, Transfer.over(token_bytes, bytes_per_s), tokens=True)

    def saturated_at(self, end: str) -> float:
        """Output tokens a second of the saturated replica, at an end of the step times."""
        return self.replica.at(end).saturated_tok_per_s(Requests.of(self.stream))

    @cached_property
    def saturated_tok_per_s(self) -> Estimate:
        """Output tokens a second of the saturated replica, simulated; slow step times give the low end."""
        return from_ends(lambda end: np.asarray(self.saturated_at(end)), falls=True)

    @property
    def saturated_rps(self) -> float:
        """Requests a second of that."""
        return float(self.saturated_tok_per_s.value) / self.output

    def highest_rate(self, slo: qoe.Slo, end: str = "value", replicas: int = 1, rtol: float = 0.01) -> float:
        """Requests a second of one replica, the most that keep the objective; 0 where not even a ten-thousandth of the
        saturated rate does.

        Args:
            end: of the step times.
            replicas: that share the arrivals.
        """
        times = max(min(LONGER, len(self.pool) // (self.count * replicas)), 1)
        some = self._some(replicas, times)

        def stream(rate_rps: float) -> Requests:
            return Requests.of(some.at_rate(rate_rps * replicas))

        saturated_rps = float(self.saturated_tok_per_s.at(OPPOSITE[end])) / self.output
        options = {"replicas": replicas, "routing": LEAST_LOADED}
        return self.replica.at(end).highest_rate(stream, slo, saturated_rps, rtol=rtol, **options)

    def rate_within(self, slo: qoe.Slo) -> Estimate:
        """The highest rate within an objective with its interval; slow step times give the low end."""
        value, fast, slow = (self.highest_rate(slo, end) for end in ENDS)
        return Estimate(*(np.asarray(each) for each in (value, min(slow, value), max(fast, value))))


def drawn(name: str, count: int, seed: int, context_tok: float | None = None) -> workload.Stream:
    """Requests of a shipped workload at one a second, without bursts and ties: only lengths are taken from it.

    Args:
        context_tok: of the model; in the place of a request beyond it stands one of the others. ``None``: no limit.

    Raises:
        DataError: no request lies within the context.
    """
    made = workload.workload(name).draw(count, seed=seed, arrivals=workload.Poisson(1.0), prefixes=False)
    within = made.input_tokens + made.output_tokens <= (context_tok or np.inf)
    require(within.any(), "parameters", "workload_name", name, f"one whose requests fit into {context_tok} tokens")
    if within.all():
        return made
    places = np.arange(count)
    places[~within] = np.resize(np.flatnonzero(within), int((~within).sum()))
    return replace(made, input_tokens=made.input_tokens[places], output_tokens=made.output_tokens[places])
