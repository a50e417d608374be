"""The reference loop: replicas behind a router, step by step in plain Python, written to be read.

A step is composed when the first stage can take one, and completed when it leaves the last stage; then its tokens
exist, finished requests free their blocks, and the next step is composed. With several stages it decodes for at most
an even share of the running requests (unless :attr:`Rules.even` is off), so that each stage has a step of its own.
Composing goes in order of priority, then of arrival, and never overtakes the first waiting request.

Cache: a waiting request starts when blocks for what it has to read are free above the watermark. A decode writes one
token and needs a new block whenever the last one is full; where blocks are short, running requests lose their place
from the last in order on, and nobody is started in such a step. Swapped requests come back before anyone is started.
A request whose prompt was read elsewhere starts in a step of decodes, as one of them. Before a step is composed, those
leave whose time is over.
"""

from bisect import insort
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heappush
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from tokenomics.facts.engines import CHUNKED, DECODE
from tokenomics.service.simulator.fleet import LEAST_LOADED, ROUND_ROBIN, Fleet, Held
from tokenomics.service.simulator.outcome import Outcome, Record
from tokenomics.service.simulator.prefix import PrefixCache, Prefixes
from tokenomics.service.simulator.requests import Requests
from tokenomics.service.simulator.rules import SWAP, Rules
from tokenomics.service.simulator.times import StepTimes


@dataclass(slots=True)
class Job:
    """A request on its way through a replica.

    Attributes:
        key: place in the order of service; all different.
        index: its row among the requests.
        prompt, output: tokens.
        gives_up_s, cancelled_s: when it leaves if it was not started, or was.
        to_read: tokens that must be in cache before it decodes.
        read: tokens that are; where the prompt was read elsewhere, all of them on arrival.
        made: output tokens so far.
        blocks: blocks of cache that it occupies.
        chain: units of its prompt (see :mod:`.prefix`).
        held: those of them that it shares or has made known.
        started: whether it was ever taken from the queue.
        in_flight: whether it is part of a step under way.
    """

    key: int
    index: int
    prompt: int
    output: int
    gives_up_s: float
    cancelled_s: float
    to_read: int
    read: int = 0
    made: int = 0
    blocks: int = 0
    chain: Sequence[int] = ()
    held: list[int] = field(default_factory=list)
    started: bool = False
    in_flight: bool = False

    def __lt__(self, other: "Job") -> bool:
        return self.key < other.key

    @property
    def decoding(self) -> bool:
        """Whether its prompt is read."""
        return self.read == self.to_read

    @property
    def leaves_s(self) -> float:
        """When it leaves while it waits."""
        return self.cancelled_s if self.started else self.gives_up_s

    @property
    def cached(self) -> int:
        """Tokens in cache after its next decode."""
        return self.prompt + self.made


@dataclass(slots=True)
class Step:
    """Requests of one step of the engine.

    Attributes:
        decodes: requests that get one more token.
        chunks: requests that read their prompt, each with the tokens read now and before.
        new: prompt tokens read.
        swapped: blocks swapped in or out.
        preempted: whether a request lost its place in it.
        start_s, end_s: when it enters the first stage and leaves the last.
    """

    decodes: list[Job] = field(default_factory=list)
    chunks: list[tuple[Job, int, int]] = field(default_factory=list)
    new: int = 0
    swapped: int = 0
    preempted: bool = False
    start_s: float = 0.0
    end_s: float = 0.0

    def __len__(self) -> int:
        return len(self.decodes) + len(self.chunks)

    def take(self, job: Job, tokens: int) -> None:
        """Read ``tokens`` more of a prompt."""
        self.chunks.append((job, tokens, job.read))
        self.new += tokens


class Replica:
    """State of one replica; ``record`` is told what happens."""

    def __init__(self, rules: Rules, times: StepTimes, record: Record, number: int = 0, prefix: Prefixes | None = None):
        self.rules, self.times, self.record, self.number = rules, times, record, number
        self.clock, self.free = 0.0, rules.kv_blocks
        self.stage_free = [0.0] * rules.stages
        self.waiting: list[Job] = []
        self.swapped: list[Job] = []
        self.running: list[Job] = []
        self.flight: deque[Step] = deque()
        self.filling = True
        self.unit = prefix.tokens if prefix else 1
        self.known = PrefixCache(self.unit // rules.block_tokens)

    @property
    def inside(self) -> int:
        """Requests that were sent here and have not left."""
        return len(self.waiting) + len(self.swapped) + len(self.running)

    def push(self, job: Job, now: float) -> None:
        """A request arrives."""
        if len(self.flight) < self.rules.stages:
            self.clock = max(self.clock, now)
        heappush(self.waiting, job)

    def advance(self, until: float) -> None:
        """Compose and complete every step that is due before ``until``."""
        while True:
            while self.clock < until and len(self.flight) < self.rules.stages and self._launch():
                pass
            if not self.flight or self.flight[0].end_s >= until:
                return
            self.clock = self.flight[0].end_s
            self._complete(self.flight.popleft())

    def _launch(self) -> bool:
        self._cancel()
        compose = self._chunked if self.rules.policy == CHUNKED else self._whole
        step = compose()
        if not step:
            return False
        context = sum(job.cached for job in step.decodes)
        chunks = [(tokens, before) for _, tokens, before in step.chunks]
        seconds = self.times(len(step.decodes), context, chunks) + step.swapped * self.rules.swap_block_s
        end = self.clock
        for stage in range(self.rules.stages):
            start = max(end, self.stage_free[stage])
            last = stage == self.rules.stages - 1
            end = start + (seconds if last else seconds + self.times.hop(len(step.decodes) + step.new))
            self.stage_free[stage] = end
            step.start_s = step.start_s if stage else start
        step.end_s = end
        for job in self._jobs(step):
            job.in_flight = True
        self.flight.append(step)
        self.record.launched(self, step, context, seconds)
        return True

    @staticmethod
    def _jobs(step: Step) -> list[Job]:
        return step.decodes + [job for job, _, _ in step.chunks]

    def _complete(self, step: Step) -> None:
        for job in sorted(step.decodes, key=lambda job: job.index):
            self._token(job, step.end_s)
        for job, tokens, _ in step.chunks:
            job.read += tokens
            if job.decoding:
                job.held += self.known.add(job.chain[len(job.held) :])
            self._token(job, step.end_s)

    def _token(self, job: Job, now: float) -> None:
        job.in_flight = False
        if job.decoding:
            self.record.token(job, now)
            job.made += 1
            if job.made == job.output:
                self._leave(job)

    def _leave(self, job: Job) -> None:
        self.running.remove(job)
        self.free += job.blocks - len(job.held) * self.known.blocks + self.known.release(job.held)
        job.blocks, job.held = 0, []

    def _cancel(self) -> None:
        """Started requests whose time is over leave; those that wait do so when they are the first."""
        for job in [job for job in self.running if job.cancelled_s < self.clock and not job.in_flight]:
            self._leave(job)
            self.record.gave_up(job)
        for job in [job for job in self.swapped if job.cancelled_s < self.clock]:
            self.swapped.remove(job)
            self.record.gave_up(job)
        heapify(self.swapped)

    def _chunked(self) -> Step:
        step = self._decodes()
        for job in [job for job in self.running if not (job.in_flight or job.decoding)]:
            left = min(job.to_read - job.read, self.rules.max_tokens - len(step.decodes) - step.new)
            if left > 0 and len(step) < self.rules.step_requests:
                step.take(job, left)
        while self._may_start(step) and len(step.decodes) + step.new < self.rules.max_tokens:
            job = self._start()
            if job.decoding:
                step.decodes.append(job)
            else:
                step.take(job, min(job.to_read - job.read, self.rules.max_tokens - len(step.decodes) - step.new))
        return step

    def _whole(self) -> Step:
        step, longest = Step(), 0
        if self.rules.policy == DECODE:
            self.filling = self.filling or not self.running
        while self.filling and self._may_start(step):
            if self.waiting[0].decoding:
                break
            tokens = self.waiting[0].to_read - self.unit * len(self.hits(self.waiting[0]))
            longest = max(longest, tokens)
            total = (len(step) + 1) * longest if self.rules.padded else step.new + tokens
            if step.chunks and total > self.rules.max_tokens:
                break
            step.take(self._start(), tokens)
        if step.chunks:
            return step
        step = self._decodes()
        while self.filling and self._may_start(step) and self.waiting[0].decoding:
            step.decodes.append(self._start())
        self.filling = self.rules.policy != DECODE or not self.running
        return step

    def _decodes(self) -> Step:
        """The next token of running requests, after making room for it; then swapped ones come back."""
        step = Step()
        while True:
            share = self.rules.step_requests
            if self.rules.even:
                share = min(share, -(-len(self.running) // self.rules.stages))
            ready = [job for job in self.running if job.decoding and not job.in_flight][:share]
            if sum(self._next_blocks(job) - job.blocks for job in ready) <= self.free:
                break
            self._preempt(step)
        for job in ready:
            self._give(job, self._next_blocks(job))
        while self.swapped and not step.preempted and self._fits(self._next_blocks(self.swapped[0])):
            if len(self.running) >= self.rules.max_batch or len(ready) >= self.rules.step_requests:
                break
            job = heappop(self.swapped)
            self._give(job, self._next_blocks(job))
            step.swapped += job.blocks
            insort(self.running, job)
            ready.append(job)
        step.decodes = ready
        return step

    def _preempt(self, step: Step) -> None:
        job = next(job for job in reversed(self.running) if not job.in_flight)
        blocks = job.blocks
        self._leave(job)
        self.record.preempted(job)
        step.preempted = True
        if self.rules.preemption == SWAP and job.decoding:
            step.swapped += blocks
            heappush(self.swapped, job)
        else:
            job.read, job.to_read = 0, job.prompt + job.made
            heappush(self.waiting, job)

    def _may_start(self, step: Step) -> bool:
        """Whether the first waiting request can start in this step; those whose patience or time is over leave."""
        while self.waiting and self.waiting[0].leaves_s < self.clock:
            self.record.gave_up(heappop(self.waiting))
        if not self.waiting or self.swapped or step.preempted:
            return False
        room = len(self.running) < self.rules.max_batch and len(step) < self.rules.step_requests
        if not room:
            return False
        first = self.waiting[0]
        return self._fits(self._blocks(first.to_read) - self.known.shared(self.hits(first)))

    def hits(self, job: Job) -> Sequence[int]:
        """Units of a waiting request's prompt that need not be read; at least one token must be."""
        chain = job.chain[: (job.to_read - 1) // self.unit]
        return chain[: self.known.known(chain)] if chain else ()

    def _start(self) -> Job:
        job = heappop(self.waiting)
        job.held = list(self.hits(job))
        if not job.decoding:
            job.read = self.unit * len(job.held)
        self.free += self.known.shared(job.held)
        self.known.use(job.held)
        self._give(job, self._blocks(job.to_read))
        insort(self.running, job)
        self.record.started(job, self)
        job.started = True
        return job

    def _blocks(self, tokens: int) -> int:
        return -(-tokens // self.rules.block_tokens)

    def _next_blocks(self, job: Job) -> int:
        return self._blocks(job.cached)

    def _fits(self, blocks: int) -> bool:
        return self.free - blocks >= self.rules.kept_blocks

    def _give(self, job: Job, blocks: int) -> None:
        self.free -= blocks - job.blocks
        job.blocks = blocks
        self.known.trim(self.free)


def _choose(replicas: Sequence[Replica], job: Job, routing: str, most_ahead: int) -> Replica:
    """The replica for a request, of those that take requests; rules as of :mod:`.fleet`."""
    if routing == ROUND_ROBIN:
        return replicas[job.index % len(replicas)]
    if routing == LEAST_LOADED:
        return min(replicas, key=lambda replica: replica.inside)
    most = min(replica.inside for replica in replicas) + most_ahead
    near = (replica for replica in replicas if replica.inside <= most)
    return max(near, key=lambda replica: (len(replica.hits(job)), -replica.inside))


class ReferenceLoop:
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
            chosen = _choose(self.taking, job, *self.routing)
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
