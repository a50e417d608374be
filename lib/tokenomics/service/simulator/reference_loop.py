"""Several plain replicas (``simulator.reference``) behind a router."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from tokenomics.service.simulator.outcome import Outcome
from tokenomics.service.simulator.record import Record
from tokenomics.service.simulator.reference import Job, Replica
from tokenomics.service.simulator.requests import Requests
from tokenomics.service.simulator.routing import choose
from tokenomics.service.simulator.rules import Rules
from tokenomics.service.simulator.scaling import Fleet, Held
from tokenomics.service.simulator.times import StepTimes


class PlainLoop:
    """Replicas in the places of a fleet; ``keep`` says whether to keep tokens and the log."""

    def __init__(self, requests: Requests, times: StepTimes, rules: Rules, fleet: Fleet, keep: tuple[bool, bool]):
        self.requests, self.times, self.rules = requests, times, rules
        self.routing = fleet.routing, fleet.most_ahead
        self.record = Record(requests, *keep)
        self.replicas = [self._replica(number) for number in range(len(fleet.state))]
        self.taking = self.replicas
        self.jobs = zip(_jobs(requests), requests.arrival_s.tolist(), strict=True)

    def _replica(self, number: int) -> Replica:
        return Replica(self.rules, self.times, self.record, number, self.requests.prefix)

    def run(self, first: int, last: int, until: float) -> bool:
        """Send rows ``first`` up to ``last`` to replicas and go on to ``until``; False where too many wait."""
        for job, arrival in islice(self.jobs, last - first):
            self._advance(arrival)
            chosen = choose(self.taking, job, *self.routing)
            chosen.push(job, arrival)
            if len(chosen.waiting) > self.rules.most_waiting:
                return False
        self._advance(until)
        return True

    def _advance(self, until: float) -> None:
        for replica in self.replicas:
            replica.advance(until)

    def held(self) -> Held:
        """What each replica holds."""
        waiting, inside, used, clock = zip(
            *((len(r.waiting), r.inside, self.rules.kv_blocks - r.free, r.clock) for r in self.replicas), strict=True
        )
        return Held(np.array(waiting), np.array(inside), np.array(used) / self.rules.kv_blocks, np.array(clock))

    def open(self, taking: NDArray[np.bool_], back: NDArray[np.intp]) -> None:
        """Send requests to these places from now on; those given ``back`` begin anew."""
        for place in back.tolist():
            self.replicas[place] = self._replica(place)
        self.taking = [replica for replica, open_ in zip(self.replicas, taking, strict=True) if open_]

    def outcome(self, paid_s: float, fleet: dict[str, NDArray]) -> Outcome:
        """What came out."""
        done = self.record.outcome()
        return replace(done, totals={**done.totals, "paid_s": paid_s}, fleet=fleet)


def _jobs(requests: Requests) -> Iterator[Job]:
    count, prefix = len(requests), requests.prefix
    chains = [()] * count
    if prefix is not None:
        ends = prefix.start[:-1] + prefix.full(requests.prompt)
        chains = [prefix.units[a:b].tolist() for a, b in zip(prefix.start[:-1], ends, strict=True)]
    ends = requests.gives_up_s, requests.arrival_s + requests.timeout_s
    columns = requests.keys, requests.prompt, requests.output, *ends
    for index, (key, prompt, output, *ends) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
        read = prompt if requests.read else 0
        yield Job(key, index, prompt, output, *ends, to_read=prompt, read=read, chain=chains[index])
