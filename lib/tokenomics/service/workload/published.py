"""Workloads from compact statistics: how long, how often, how bursty, how much in common."""

from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Self

import numpy as np

from tokenomics.errors import require
from tokenomics.service.workload import arrivals as processes
from tokenomics.service.workload.arrivals import Process, arrival_times
from tokenomics.service.workload.conversations import Ties
from tokenomics.service.workload.lengths import Lengths
from tokenomics.service.workload.stream import Stream


@dataclass(frozen=True, eq=False)
class Workload:
    """Statistics that a stream is drawn from.

    Args:
        name: as in ``data/workloads``.
        lengths: joint distribution of input and output tokens.
        arrivals: process of arrivals; absent: not published, to be given to :meth:`draw`.
        ties: how requests hang together; absent: nothing is shared.
        tick_s: the trace's log rounds arrivals to so many seconds; 0: it does not.

    Left out: whatever binds a request's length to its time or its neighbours' lengths, and trends over the hour.
    """

    name: str
    lengths: Lengths
    arrivals: Process | None = None
    ties: Ties | None = None
    tick_s: float = 0.0

    def at_rate(self, rate_rps: float) -> Self:
        """The same workload at another mean rate; its bursts keep their length (see :class:`Modulated`).

        Raises:
            DataError: a rate that is not above zero, or a workload without arrivals.
        """
        require(self.arrivals is not None, self.name, "arrivals", "missing", "a workload with arrivals")
        at = self.arrivals
        if isinstance(at, processes.Diurnal):
            return replace(self, arrivals=replace(at, within=replace(at.within, rate_rps=rate_rps)))
        return replace(self, arrivals=replace(at, rate_rps=rate_rps))

    def draw(
        self,
        requests: int | None = None,
        duration_s: float | None = None,
        seed: int = 0,
        *,
        arrivals: Process | None = None,
        ticks: bool = True,
        prefixes: bool = True,
    ) -> Stream:
        """A stream of a number of requests or of a duration.

        Args:
            requests: how many; or
            duration_s: seconds.
            seed: everything drawn depends on it alone.
            arrivals: another process than the workload's own.
            ticks: round arrivals down to the ticks of the trace's log, as in the trace; False: true times.
            prefixes: with sessions and prefix blocks where the workload has them.

        Raises:
            DataError: no process of arrivals, or what :func:`arrival_times` refuses.
        """
        chosen = arrivals or self.arrivals
        require(chosen is not None, self.name, "arrivals", "missing", "a process: this workload has lengths only")
        times_rng, lengths_rng, ties_rng = np.random.default_rng(seed).spawn(3)
        times = arrival_times(chosen, requests, duration_s, times_rng)
        if ticks and self.tick_s and arrivals is None:
            times = np.floor(times / self.tick_s) * self.tick_s
        stream = Stream(times, *self.lengths.draw(lengths_rng, len(times)), name=self.name)
        return self.ties.tie(stream, ties_rng) if prefixes and self.ties else stream


def shipped() -> tuple[str, ...]:
    """Names of the workloads in ``data/workloads``, sorted."""
    from tokenomics.facts import tables

    return tuple(row["workload"] for row in tables.records("workloads/originals"))


@cache
def workload(name: str) -> Workload:
    """A workload of ``data/workloads``.

    Raises:
        DataError: an unknown name.
    """
    from tokenomics.facts import tables

    require(name in shipped(), "workload", "name", name, ", ".join(shipped()))
    curves, pairs, timing = (
        [row for row in tables.records(f"workloads/{table}") if row["workload"] == name]
        for table in ("length_quantiles", "length_pairs", "arrivals")
    )

    def column(rows: list, key: str) -> np.ndarray:
        return np.array([row[key] for row in rows], dtype=float)

    levels, input_tokens, output_tokens = (column(curves, each) for each in ("level", "input_tokens", "output_tokens"))
    starts = np.unique(column(pairs, "input_from"))
    counts = np.zeros((len(starts), len(starts)))
    places = (np.searchsorted(starts, column(pairs, each)) for each in ("input_from", "output_from"))
    counts[tuple(places)] = column(pairs, "requests")
    lengths = Lengths(levels, input_tokens, output_tokens, counts, np.append(starts, 1.0))
    if not timing:
        return Workload(name, lengths)
    row = {key: value for key, value in timing[0].items() if value is not None}
    made = processes.PROCESSES[row["process"]]
    values = {each.name: float(row[each.name]) for each in fields(made)}
    ties = (
        Ties(row["turns"], row["gap_s"], int(row["shared_blocks"]), int(row["block_tokens"]))
        if "turns" in row
        else None
    )
    return Workload(name, lengths, made(**values), ties, float(row.get("tick_s", 0.0)))
