"""Prefill and decode on replicas of their own (Zhong et al. 2024, DistServe, arXiv:2401.09670; Patel et al. 2024,
Splitwise, arXiv:2311.18677).

A prefill replica reads the prompt and makes the first token; the prompt's cache crosses to the decode pool; a decode
replica makes the other tokens once it has blocks for the cache. Two simulations, one after the other, are exact: what
arrives at the decode pool follows from what the prefill pool did, and nothing goes back. The decode pool serves by
priority, then in order of arrival there; each pool is paid up to its own last arrival or step.

Which time is whose: the first token counts when the prefill step ends (as DistServe defines TTFT, which the prefill
pool alone decides); crossing, waiting for blocks and the first decode lie between first and second token. An engine
that drops that first token and shows what the decode replica makes has the second token's time as its TTFT.

Left out: crossing layer by layer while the prompt is read; a saturated decode pool that holds up prefill replicas
(caches wait beside the blocks of both pools; a prefill replica frees its blocks when the prompt is read); prefix caches
of decode replicas (the whole prompt crosses).
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tokenomics.errors import DataError, require
from tokenomics.service.simulator.fleet import MOST_AHEAD, ROUND_ROBIN, Scaling
from tokenomics.service.simulator.outcome import ABANDONED, CANCELLED, UNSERVED, Outcome
from tokenomics.service.simulator.requests import Requests
from tokenomics.service.simulator.rules import Rules
from tokenomics.service.simulator.simulator import AUTO, simulate
from tokenomics.service.simulator.times import StepTimes


@dataclass(frozen=True)
class Pool:
    """Equal replicas of one kind; fields as the arguments of :func:`tokenomics.service.simulator.simulate`."""

    times: StepTimes
    rules: Rules = Rules()  # noqa: RUF009 (frozen)
    replicas: int = 1
    routing: str = ROUND_ROBIN
    most_ahead: int = MOST_AHEAD
    scaling: Scaling | None = None

    def serve(self, requests: Requests, **more) -> Outcome:
        """Simulate this pool alone."""
        fleet = {name: getattr(self, name) for name in ("replicas", "routing", "most_ahead", "scaling")}
        return simulate(requests, self.times, self.rules, **fleet, **more)


@dataclass(frozen=True)
class Transfer:
    """How a prompt's cache crosses: ``latency_s`` and ``token_s`` for each of its tokens (cache bytes a token over the
    link's bytes a second, see :meth:`over`); ``in_turn``: one at a time from each prefill replica, in order of the
    prompts' ends (of the same step, of arrival), else side by side at full speed.

    Raises:
        DataError: a negative or infinite time.
    """

    token_s: float = 0.0
    latency_s: float = 0.0
    in_turn: bool = True

    def __post_init__(self):
        for name in ("token_s", "latency_s"):
            require(0 <= getattr(self, name) < np.inf, "Transfer", name, getattr(self, name), "0 <= seconds < inf")

    @classmethod
    def over(cls, token_bytes: float, link_bytes_per_s: float, latency_s: float = 0.0) -> "Transfer":
        """From bytes of cache a token and a prefill replica's link."""
        require(link_bytes_per_s > 0, "Transfer", "link_bytes_per_s", link_bytes_per_s, "> 0")
        return cls(token_bytes / link_bytes_per_s, latency_s)

    def ends(self, ready_s: NDArray[np.float64], prompt: NDArray[np.int64], sender: NDArray) -> NDArray[np.float64]:
        """When each cache has crossed, given when and where it was made."""
        takes = self.latency_s + self.token_s * prompt
        if not self.in_turn:
            return ready_s + takes
        free: dict[int, float] = {}
        order = np.argsort(ready_s, kind="stable")
        ends = np.empty(len(order))
        columns = (x[order].tolist() for x in (ready_s, takes, sender))
        for place, ready, seconds, number in zip(order.tolist(), *columns, strict=True):
            ends[place] = free[number] = max(free.get(number, 0.0), ready) + seconds
        return ends


@dataclass(frozen=True)
class PoolsOutcome(Outcome):
    """An :class:`Outcome` of both pools: ``replica`` is the one that read the prompt, totals are of both (of
    ``most_used_blocks`` the larger), the log and the fleet are those of the pools.

    Attributes:
        prefill: the prefill pool alone, each reply one token.
        decode: the decode pool alone, ``None`` where nothing got there: requests ``rows`` in order of arrival there,
            with the first token as the last of the prompt and one token less to make.
        rows: places of the decode pool's requests among all.
        crossed_s: when each request's cache had crossed; NaN where none did. Where its time was over by then, it is
            cancelled.
    """

    prefill: Outcome | None = None
    decode: Outcome | None = None
    rows: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    crossed_s: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))


def simulate_pools(
    requests: Requests,
    prefill: Pool,
    decode: Pool,
    transfer: Transfer = Transfer(),
    *,
    tokens: bool = False,
    log: bool = False,
    loop: str = AUTO,
) -> PoolsOutcome:
    """Serve requests with prefill and decode apart; arguments as of :func:`tokenomics.service.simulator.simulate`.

    Raises:
        DataError: as there, for either pool; prompts that were read elsewhere.
    """
    if requests.read:
        raise DataError("simulate_pools", "read", True, "prompts that are read here")
    count = len(requests)
    decode.rules.check(Requests(np.zeros(count), requests.prompt, requests.output))
    more = {"tokens": tokens, "log": log, "loop": loop}
    first = prefill.serve(replace(requests, output=1), **more)
    crossed, over = np.full(count, np.nan), requests.arrival_s + requests.timeout_s
    going = np.flatnonzero(first.finished & (requests.output > 1))
    crossed[going] = transfer.ends(first.finish_s[going], requests.prompt[going], first.replica[going])
    rows = going[np.argsort(crossed[going], kind="stable")]
    rows = rows[over[rows] >= crossed[rows]]
    if not rows.size:
        return _together(requests, first, None, rows, crossed)
    there = crossed[rows], requests.prompt[rows] + 1, requests.output[rows] - 1, requests.priority[rows]
    second = decode.serve(Requests(*there, read=True, timeout_s=over[rows] - crossed[rows]), **more)
    return _together(requests, first, second, rows, crossed)


def _together(requests: Requests, first: Outcome, second: Outcome | None, rows, crossed) -> PoolsOutcome:
    finish, preempted, status = first.finish_s.copy(), first.preempted.copy(), first.status.copy()
    totals, token_s = dict(first.totals), None
    late = ~np.isnan(crossed)
    finish[late], status[late] = (requests.arrival_s + requests.timeout_s)[late], CANCELLED
    if second is not None:
        finish[rows] = np.where(second.finished | (second.status == UNSERVED), second.finish_s, finish[rows])
        status[rows] = np.where(second.status == ABANDONED, CANCELLED, second.status)
        preempted[rows] += second.preempted
        most = max(pool.totals["most_used_blocks"] for pool in (first, second))
        totals = {name: value + second.totals[name] for name, value in totals.items()} | {"most_used_blocks": most}
    if first.token_s is not None:
        token_s = np.full(int(requests.output.sum()), np.nan)
        start = np.cumsum(requests.output) - requests.output
        token_s[start] = first.first_s
        if second is not None:
            shift = start[rows] + 1 - second.token_start
            token_s[np.repeat(shift, second.requests.output) + np.arange(second.token_s.size)] = second.token_s
    times = first.started_s, first.first_s, finish
    return PoolsOutcome(
        requests, *times, preempted, status, first.replica, totals, token_s,
        prefill=first, decode=second, rows=rows, crossed_s=crossed,
    )  # fmt: skip
