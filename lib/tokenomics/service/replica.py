"""One replica under load: a deployment, with what its engine is told, through the serving simulator.

>>> from tokenomics.compute.inference.server import server
>>> from tokenomics.service.simulator import Requests
>>> it = Replica(server("Llama-3.1-8B", "H100-SXM-80GB", engine="vLLM 0.19").told(max_num_seqs=64))
>>> done = it.run(Requests([0.0, 0.1], prompt=[300, 200], output=[30, 20]))
>>> bool(done.finished.all())
True

Step times are those of the calibrated operators with what the engine's profile adds; how the engine schedules comes
with the deployment's settings, pipeline stages with the layout, blocks of cache with the memory. Left out: the engine's
front end (a profile's ``wait_s`` was learned together with the queue that is simulated here).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from tokenomics.compute.inference.feasibility import refuse_told
from tokenomics.compute.inference.intervals import kind_of, quantiles_of
from tokenomics.compute.inference.server import Server
from tokenomics.errors import Infeasible, positive, require
from tokenomics.estimate import ENDS
from tokenomics.service.qoe import Slo
from tokenomics.service.simulator import Outcome, Prefixes, Requests, Rules, StepTable, capacity, simulate, step_tables
from tokenomics.service.timeline import quantiles

SHORTEST = 2048
"""Tokens of the longest sequence that a table is made for, at least, where no length was told."""
ABOVE, SPAN = 1.2, 1e4
"""The highest rate is looked for from this factor above the saturated rate to this factor below that."""


@dataclass(frozen=True)
class Replica:
    """A deployment as its engine runs it.

    Attributes:
        server: model, devices, engine and what it is told.
        max_model_len: tokens of the longest sequence; ``None``: as the requests need, rounded up to a power of two.
        kv_blocks: blocks of cache; ``None``: what memory leaves.
        decode, prompt: factors on the times of decodes and of prompts.
    """

    server: Server
    max_model_len: int | None = None
    kv_blocks: int | None = None
    decode: float = 1.0
    prompt: float = 1.0

    def at(self, end: str, without: str = "") -> "Replica":
        """The replica at the ``low`` (fast) or ``high`` (slow) end of its step times, or as it is (``value``).

        Decodes and prompts are taken at the same end, which makes what follows wider than independent errors would. The
        fast end is not held against the bound, which lies far below it.

        Args:
            end: of the intervals for decoding and for prefill.
            without: the model family whose residuals must not have been seen; empty for none.

        Raises:
            DataError: another end.
        """
        require(end in ENDS, "Replica", "end", end, ", ".join(ENDS))
        if end == "value":
            return self
        on, profile = self.server.on, self.server.profile
        kind, moe, side = kind_of(on, profile), on.model.is_moe, ("low", "high").index(end)
        names = ("decode", "prefill")
        decode, prompt = (float(np.exp(quantiles_of(profile.name, kind, n, moe, without)[side])) for n in names)
        return replace(self, decode=self.decode * decode, prompt=self.prompt * prompt)

    def longest(self, requests: Requests) -> int:
        """Tokens of the longest sequence that steps are made for."""
        most = int((requests.prompt + requests.output).max())
        return self.max_model_len or max(SHORTEST, 1 << (most - 1).bit_length())

    def table_and_rules(self, longest: int) -> tuple[StepTable, Rules]:
        """Seconds of a step (of one stage), and how steps are made, for sequences of up to ``longest`` tokens.

        Raises:
            Infeasible: memory does not hold one such sequence, or the engine drafts tokens.
        """
        return _table_and_rules(self, longest)

    def run(self, requests: Requests, *, most_waiting: int = 0, **options) -> Outcome:
        """Serve requests.

        Args:
            requests: what arrives.
            most_waiting: requests waiting at which the simulation stops; 0: never.
            options: of :func:`tokenomics.service.simulator.simulate`.

        Raises:
            Infeasible: memory does not hold the longest sequence.
        """
        table, rules = self.table_and_rules(self.longest(requests))
        requests = self._as_read(requests)
        rules = replace(rules, most_waiting=most_waiting) if most_waiting else rules
        return simulate(requests, table, rules, **options)

    def _as_read(self, requests: Requests) -> Requests:
        """Requests with what the prefix cache knows of them: their own units, else the beginning that all share."""
        on = self.server.on
        if not on.settings.prefix_cache:
            return replace(requests, prefix=None)
        if requests.prefix is not None or not on.known_tokens:
            return requests
        return replace(requests, prefix=Prefixes.of([[0]] * len(requests), on.known_tokens))

    def saturated_tok_per_s(self, requests: Requests) -> float:
        """Output tokens a second where requests wait at all times; errors as for :meth:`run` and where none wait."""
        return capacity.saturated_tok_per_s(self._as_read(requests), *self.table_and_rules(self.longest(requests)))

    def highest_rate(
        self,
        stream: Callable[[float], Requests],
        slo: Slo,
        saturated_rps: float,
        *,
        backlog_s: float = np.inf,
        rtol: float = 0.01,
        **options,
    ) -> float:
        """Requests a second of one replica, the most that keep an objective.

        Args:
            stream: requests at a rate for each replica.
            slo: limits in seconds and the share that must keep them.
            saturated_rps: what the saturated replica serves; no higher rate lasts, though a short run forgives one.
            backlog_s: seconds of arrivals waiting at which a rate is given up as too high.
            rtol: relative width at which bisection stops.
            options: of :func:`tokenomics.service.simulator.simulate`.

        Returns:
            At most ``saturated_rps``; 0 where not even a ten-thousandth of it keeps the objective.
        """
        positive("Replica", "saturated_rps", saturated_rps)

        def kept(rate_rps: float) -> bool:
            waiting = max(int(backlog_s * rate_rps), 1) if np.isfinite(backlog_s) else 0
            return keeps(self.run(stream(rate_rps), most_waiting=waiting, **options), slo)

        top = ABOVE * saturated_rps
        return min(capacity.highest_rate(kept, top / SPAN, top, rtol), saturated_rps)


def keeps(outcome: Outcome, slo: Slo) -> bool:
    """Whether a stable load keeps an objective: its share's quantiles of TTFT and TPOT are within the limits."""
    single = np.where(outcome.requests.output == 1, 0.0, np.inf)
    tpot = np.where(np.isnan(outcome.tpot_s), np.where(outcome.finished, single, np.inf), outcome.tpot_s)
    ttft = np.where(np.isnan(outcome.ttft_s), np.inf, outcome.ttft_s)
    within = (quantiles(ttft, slo.share) <= slo.ttft_s) and (quantiles(tpot, slo.share) <= slo.tpot_s)
    return bool(within and outcome.load().stable)


@lru_cache(maxsize=16)
def _table_and_rules(replica: Replica, longest: int) -> tuple[StepTable, Rules]:
    """:meth:`Replica.table_and_rules`."""
    table, rules = _modelled(replica.server, replica.kv_blocks, longest)
    if (replica.decode, replica.prompt) != (1.0, 1.0):
        table = table.scaled(replica.decode, replica.prompt)
    return table, rules


@lru_cache(maxsize=8)
def _modelled(server: Server, kv_blocks: int | None, longest: int) -> tuple[StepTable, Rules]:
    told = server.on.settings
    refuse_told(server.on, "Replica", "drafts")
    rules = Rules(
        told.policy,
        max_batch=told.max_num_seqs,
        max_tokens=told.max_num_batched_tokens,
        kv_blocks=kv_blocks or step_tables.cache_blocks(server, told.block_tokens, longest),
        block_tokens=told.block_tokens,
        watermark=told.watermark,
        stages=server.on.layout.pp,
    )
    room = (rules.kv_blocks - rules.kept_blocks) * rules.block_tokens
    if longest > room:
        reason = f"the cache of {server.on.model.name} holds {room} tokens"
        raise Infeasible("Replica", "longest", longest, reason, f"{room} or fewer")
    return step_tables.modelled(server, rules.max_batch, rules.max_tokens, longest), rules
