"""The serving simulator beside another one that is written for comparison only: every token by itself, one clock."""

import itertools
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenomics.service.simulator import (
    ABANDONED,
    CANCELLED,
    UNSERVED,
    Pool,
    Prefixes,
    Requests,
    Rules,
    Scaling,
    StepTable,
    Transfer,
    simulate,
    simulate_pools,
)

LOOPS = ["reference", "compiled"]
ROUTINGS = ["round robin", "least loaded", "prefix aware"]
RNG = np.random.default_rng(1)
N, K = np.arange(17)[:, None], np.arange(9)
TABLE = StepTable(
    decode_s=0.011 + 7.13e-4 * N + 3.1e-5 * N * K**1.1,
    linear_s=np.cumsum(np.r_[0, RNG.uniform(5e-5, 9e-5, 80)]),
    prefill_s=1e-6 * np.outer(1 + np.arange(6), np.arange(7) ** 1.3),
    context_step=13,
    past_step=17,
    chunk_step=19,
)


def naive_seconds(table, decodes, chunks):
    """A step's time from the formula, by NumPy's interpolation (inside the table)."""
    linear, n = table.linear_s, len(decodes)
    total = 0.0
    if n:
        mean = sum(decodes) / n / table.context_step
        row = table.decode_s[n]
        slope = row[-1] - row[-2]
        total += np.interp(mean, K, row) if mean <= K[-1] else row[-1] + (mean - K[-1]) * slope
    if chunks:
        size = np.sqrt(sum(c * c for c, _ in chunks))
        past = sum(c * p for c, p in chunks) / size / table.past_step
        columns = [beyond(row, size / table.chunk_step) for row in table.prefill_s]
        total += beyond(linear, n + sum(c for c, _ in chunks)) - beyond(linear, n) + beyond(np.array(columns), past)
    return total


def beyond(row, x):
    last = len(row) - 1
    return np.interp(x, np.arange(last + 1), row) if x <= last else row[-1] + (x - last) * (row[-1] - row[-2])


def jobs_of(requests):
    """Requests as dictionaries."""
    fields = ("arrival_s", "prompt", "output", "priority", "patience_s", "timeout_s")
    rows = zip(*(getattr(requests, name).tolist() for name in fields), strict=True)
    for i, (at, p, o, rank, patience, longest) in enumerate(rows):
        chain = []
        if requests.prefix:
            units = requests.prefix.units[slice(*requests.prefix.start[i : i + 2])]
            chain = units.tolist()[: p // requests.prefix.tokens]
        start = dict(need=p, read=0, made=0, blocks=0, begun=False, mine=[], lost=0, goes_on=0)
        yield dict(i=i, at=at, p=p, o=o, order=(rank, i), chain=chain, **start) | dict(
            until=at + min(patience, longest), over=at + longest
        )


class NaiveReplica:
    """Lists of dictionaries; what is free is counted anew each time."""

    def __init__(self, rules, table, unit):
        self.rules, self.table, self.unit = rules, table, unit or 10**9
        self.page = unit // rules.block_tokens if unit else 1
        self.waiting, self.swapped, self.running, self.cache = [], [], [], {}
        self.filling, self.clock, self.under_way, self.end, self.now = True, itertools.count(), None, np.inf, 0.0
        self.gone = {}

    def pages(self, tokens):
        return (tokens + self.rules.block_tokens - 1) // self.rules.block_tokens

    def inside(self):
        return len(self.waiting) + len(self.swapped) + len(self.running)

    def used(self):
        return {u for job in self.running for u in job["mine"]}

    def free(self):
        """Blocks nobody uses: each job's own ones, and shared ones once."""
        own = sum(job["blocks"] - self.page * len(job["mine"]) for job in self.running)
        return self.rules.kv_blocks - own - self.page * len(self.used())

    def known(self, job):
        found = list(itertools.takewhile(lambda u: u in self.cache, job["chain"]))
        return found[: (job["need"] - 1) // self.unit]

    def wanted_by(self, job):
        if landed(job):
            return self.pages(job["p"] + job["made"])
        return self.pages(job["need"]) - self.page * len(self.used() & set(self.known(job)))

    def forget(self):
        used = self.used()
        idle = sorted((stamp, u) for u, stamp in self.cache.items() if u not in used)
        while len(idle) * self.page > self.free():
            del self.cache[idle.pop(0)[1]]

    def go(self, job):
        self.running.remove(job)
        for u in reversed(job["mine"]):
            self.cache[u] = next(self.clock)
        job["mine"], job["blocks"] = [], 0

    def lose(self):
        victim = max(self.running, key=order)
        victim["lost"] += 1
        pages_lost = victim["blocks"]
        self.go(victim)
        if self.rules.preemption == "swap" and victim["read"] == victim["need"]:
            self.swapped.append(victim)
            return victim, pages_lost
        victim["read"], victim["need"] = 0, victim["p"] + victim["made"]
        self.waiting.append(victim)
        return victim, 0

    def decodes(self):
        batch, moved, lost = [], 0, False
        for job in sorted(self.running, key=order):
            if job not in self.running or job["read"] < job["need"]:
                continue
            wanted = self.pages(job["p"] + job["made"])
            while job in self.running and wanted - job["blocks"] > self.free():
                victim, pages_moved = self.lose()
                moved, lost = moved + pages_moved, True
                batch = [other for other in batch if other is not victim]
            if job in self.running:
                job["blocks"] = wanted
                batch.append(job)
        self.forget()
        for job in sorted(self.swapped, key=order):
            wanted = self.pages(job["p"] + job["made"])
            full = len(self.running) >= self.rules.max_batch
            if lost or full or self.free() - wanted < self.rules.kept_blocks:
                break
            self.swapped.remove(job)
            self.running.append(job)
            batch.append(job)
            job["blocks"] = wanted
            moved += wanted
            self.forget()
        return batch, moved, lost

    def next_in(self, lost):
        while self.waiting:
            job = min(self.waiting, key=order)
            if (job["over"] if job["begun"] else job["until"]) >= self.now:
                enough = self.free() - self.wanted_by(job) >= self.rules.kept_blocks
                fits = enough and len(self.running) < self.rules.max_batch
                return job if fits and not self.swapped and not lost else None
            self.waiting.remove(job)
            self.gone[job["i"]] = "cancelled" if job["begun"] else "abandoned"
        return None

    def begin(self, job):
        self.waiting.remove(job)
        if landed(job):
            job["blocks"] = self.pages(job["p"] + job["made"])
        else:
            job["mine"] = self.known(job)
            job["read"] = self.unit * len(job["mine"])
            job["blocks"] = self.pages(job["need"])
        job["begun"] = True
        self.running.append(job)
        self.forget()

    def chunked(self):
        batch, moved, lost = self.decodes()
        left, chunks = self.rules.max_tokens - len(batch), []
        for job in sorted(self.running, key=order):
            if job["read"] < job["need"] and left > 0:
                chunks.append((job, min(left, job["need"] - job["read"]), job["read"]))
                left -= chunks[-1][1]
        while (job := self.next_in(lost)) and left > 0:
            decodes_first = landed(job)
            self.begin(job)
            if decodes_first:
                batch.append(job)
                left -= 1
            else:
                chunks.append((job, min(left, job["need"] - job["read"]), job["read"]))
                left -= chunks[-1][1]
        return batch, moved, chunks

    def whole(self):
        fill_always, chunks = self.rules.policy == "prefill", []
        filling = fill_always or self.filling or not self.running
        while filling and (job := self.next_in(False)) and not landed(job):
            sizes = [*(c for _, c, _ in chunks), job["need"] - self.unit * len(self.known(job))]
            if chunks and (len(sizes) * max(sizes) if self.rules.padded else sum(sizes)) > self.rules.max_tokens:
                break
            self.begin(job)
            chunks.append((job, job["need"] - job["read"], job["read"]))
        if chunks:
            self.filling = filling
            return [], 0, chunks
        batch, moved, lost = self.decodes()
        while filling and (job := self.next_in(lost)) and landed(job):
            self.begin(job)
            batch.append(job)
        self.filling = fill_always or not self.running
        return batch, moved, []

    def compose(self, now):
        """Begin a step where there is something to do."""
        self.now = now
        for job in [job for job in sorted(self.running, key=order) + self.swapped if job["over"] < now]:
            if job in self.running:
                self.go(job)
            else:
                self.swapped.remove(job)
            self.gone[job["i"]] = "cancelled"
        batch, moved, chunks = self.chunked() if self.rules.policy == "chunked" else self.whole()
        if not batch and not chunks:
            return
        seconds = naive_seconds(self.table, [j["p"] + j["made"] for j in batch], [(c, p) for _, c, p in chunks])
        self.under_way, self.end = (batch, chunks), now + seconds + moved * self.rules.swap_block_s
        assert self.free() >= 0

    def complete(self):
        """The step ends; who got a token."""
        batch, chunks = self.under_way
        size_of, got = {job["i"]: size for job, size, _ in chunks}, []
        for job in [*sorted(batch, key=lambda job: job["i"]), *(job for job, _, _ in chunks)]:
            job["read"] += size_of.get(job["i"], 0)
            if job["read"] == job["need"]:
                if job["i"] in size_of:
                    for u in job["chain"]:
                        if u not in self.cache:
                            self.cache[u] = None
                            job["mine"].append(u)
                job["made"] += 1
                got.append(job)
                if job["made"] == job["o"]:
                    self.go(job)
        self.under_way, self.now, self.end = None, self.end, np.inf
        return got


def order(job):
    return job["order"]


def landed(job):
    """Whether its prompt came with it."""
    return not job["begun"] and job["read"] == job["need"]


class NaivePool:
    """Replicas by number, those that take requests, and when to look at them."""

    def __init__(self, make, replicas, routing, most_ahead=64, scaling=None):
        self.make, self.routing, self.most_ahead, self.scaling = make, routing, most_ahead, scaling
        self.replicas = {r: make() for r in range(replicas)}
        self.taking, self.leaving, self.coming = set(self.replicas), {}, {}
        self.begun, self.paid, self.turn = dict.fromkeys(self.replicas, 0.0), 0.0, 0
        self.look_at, self.looks, self.enough_since, self.gone = np.inf, 0, None, {}
        self._next_look()

    def _next_look(self):
        if self.scaling:
            self.look_at = min([(self.looks + 1) * self.scaling.every_s, *self.coming.values()])

    def look(self, now):
        rule = self.scaling
        for r in [r for r, ready in self.coming.items() if ready <= now]:
            del self.coming[r]
            self.replicas[r] = self.make()
            self.taking.add(r)
        if now == (self.looks + 1) * rule.every_s:
            self.looks += 1
            self.read(now, rule)
        for r in [r for r in self.leaving if not self.replicas[r].inside()]:
            self.paid += max(self.leaving.pop(r), self.replicas[r].now) - self.begun.pop(r)
            self.gone |= self.replicas.pop(r).gone
        self._next_look()

    def read(self, now, rule):
        each = {
            "waiting": lambda x: len(x.waiting),
            "inside": lambda x: x.inside(),
            "cache": lambda x: (x.rules.kv_blocks - x.free()) / x.rules.kv_blocks,
        }[rule.metric]
        total, count = sum(each(self.replicas[r]) for r in self.taking), len(self.taking) + len(self.coming)
        if total / count > rule.high:
            room = [r for r in range(rule.most) if r not in self.replicas and r not in self.coming]
            for r in room:
                if total / count > rule.high:
                    self.coming[r] = now + rule.start_s
                    self.begun[r] = now
                    count += 1
        if count > rule.least and not self.coming and total <= rule.low * (count - 1):
            self.enough_since = now if self.enough_since is None else self.enough_since
            if now - self.enough_since >= rule.quiet_s:
                least = min(self.taking, key=lambda r: (self.replicas[r].inside(), -r))
                self.taking.remove(least)
                self.leaving[least] = now
                self.enough_since = None
        else:
            self.enough_since = None

    def send(self, job):
        places = sorted(self.taking)
        load = {r: self.replicas[r].inside() for r in places}
        if self.routing == "prefix aware":
            known = {r: len(self.replicas[r].known(job)) for r in places}
            near = [r for r in places if load[r] - min(load.values()) <= self.most_ahead]
            chosen = min(near, key=lambda r: (-known[r], load[r], r))
        else:
            by_load = min(places, key=lambda r: (load[r], r))
            chosen = by_load if self.routing == "least loaded" else places[self.turn % len(places)]
        self.turn += 1
        self.replicas[chosen].waiting.append(job)
        job["where"] = chosen


def cross(job, now, free, sender, transfer):
    """The request as it gets to the decode pool, in order of arrival there."""
    begin = max(now, free[sender]) if transfer.in_turn else now
    at = free[sender] = begin + (transfer.latency_s + transfer.token_s * job["p"])
    there = dict(at=at, o=job["goes_on"], read=job["need"], until=job["over"], order=(job["order"][0], at, job["i"]))
    return dict(job, **there, begun=False, blocks=0, mine=[], chain=[], goes_on=0)


def naive(pools, jobs, transfer=None):
    """One clock for all pools: times of all tokens, and who gave up."""
    tokens, free, now = defaultdict(list), defaultdict(float), 0.0
    coming = [{(job["at"], job["i"]): job for job in jobs}, *({} for _ in pools[1:])]
    last_arrival = max(at for at, _ in coming[0])
    while True:
        looks = last_arrival if len(pools) == 1 else np.inf
        then, p, kind, which = next_event(pools, coming, looks)
        if then > now:
            idle = [x for pool in pools for x in pool.replicas.values() if not x.under_way and x.inside()]
            for x in idle:
                x.compose(now)
            if any(x.under_way for x in idle):
                continue
        if then == np.inf:
            break
        now, pool = then, pools[p]
        if kind == LOOK:
            pool.look(now)
        elif kind == ARRIVAL:
            pool.send(coming[p].pop((now, which)))
        else:
            for job in sorted(pool.replicas[which].complete(), key=lambda job: job["i"]):
                tokens[job["i"]].append(now)
                if job["goes_on"]:
                    job["onward"] = there = cross(job, now, free, which, transfer)
                    in_time = there["at"] <= there["over"]
                    (coming[p + 1] if in_time else pools[p + 1].gone)[there["at"], job["i"]] = there
    return tokens, who_left(pools)


def who_left(pools):
    """How each left that did; in a decode pool all have been started before."""
    gone = {}
    for p, pool in enumerate(pools):
        for x in [pool, *pool.replicas.values()]:
            gone |= {i[1] if isinstance(i, tuple) else i: "cancelled" if p else how for i, how in x.gone.items()}
    return gone


LOOK, ARRIVAL, END = range(3)


def next_event(pools, coming, last_look):
    """What comes first: (time, pool, kind, which)."""
    events = []
    under_way = any(coming) or any(x.under_way for pool in pools for x in pool.replicas.values())
    for p, pool in enumerate(pools):
        events += [(pool.look_at, p, LOOK, 0)] if under_way and pool.look_at <= last_look else []
        events += [(at, p, ARRIVAL, i) for at, i in [min(coming[p])]] if coming[p] else []
        events += [(x.end, p, END, r) for r, x in pool.replicas.items() if x.under_way]
    return min(events, default=(np.inf, 0, 0, 0))


def paid(pool, last_arrival):
    """Replica-seconds when all is over."""
    ends = {r: max(pool.replicas[r].now, last_arrival) for r in pool.taking}
    ends |= {r: max(pool.replicas[r].now, left) for r, left in pool.leaving.items()}
    ends |= dict.fromkeys(pool.coming, last_arrival)
    return pool.paid + sum(end - pool.begun[r] for r, end in ends.items())


@st.composite
def situations(draw):
    count = draw(st.integers(1, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    prompt, output = rng.integers(1, 70, count), rng.integers(1, 25, count)
    block = draw(st.sampled_from([1, 3, 16]))
    watermark = draw(st.sampled_from([0.0, 0.1]))
    smallest = np.ceil(-(-(prompt + output).max() // block) / (1 - watermark)) + 1
    prefix, unit = None, block * draw(st.integers(1, 3))
    if draw(st.booleans()):
        families, depths = rng.integers(0, 4, count), rng.integers(0, 1 + 70 // unit, count)
        fresh = itertools.count(10**6)
        chains = [
            [100 * family + level if level < depth else next(fresh) for level in range(size // unit + 1)]
            for family, depth, size in zip(families, depths, prompt, strict=True)
        ]
        prefix = Prefixes.of(chains, unit)
    requests = Requests(
        np.cumsum(rng.exponential(draw(st.sampled_from([0.0, 0.005, 0.1, 0.4])), count)),
        prompt,
        output,
        priority=rng.integers(0, draw(st.integers(1, 3)), count),
        patience_s=draw(st.sampled_from([np.inf, 0.3])) * rng.uniform(0.5, 2, count),
        prefix=prefix,
        timeout_s=draw(st.sampled_from([np.inf, 0.6])) * rng.uniform(0.1, 2, count),
    )
    rules = Rules(
        policy=draw(st.sampled_from(["prefill", "decode", "chunked"])),
        max_batch=draw(st.integers(1, 16)),
        max_tokens=draw(st.sampled_from([5, 40, 80])),
        padded=draw(st.booleans()),
        kv_blocks=int(smallest * draw(st.sampled_from([1, 1.5, 20]))),
        block_tokens=block,
        watermark=watermark,
        preemption=draw(st.sampled_from(["recompute", "swap"])),
        swap_block_s=draw(st.sampled_from([0.0, 1e-3])),
    )
    return requests, rules


@st.composite
def fleets(draw):
    """Replicas, routing and scaling; arguments of ``simulate``."""
    scaling, replicas = None, draw(st.integers(1, 4))
    if draw(st.booleans()):
        metrics = [("waiting", 0, 1), ("inside", 1, 2), ("inside", 4, 4), ("cache", 0.5, 0.5)]
        metric, low, high = draw(st.sampled_from(metrics))
        times = dict(start_s=draw(st.sampled_from([0.0, 0.11, 0.5])), quiet_s=draw(st.sampled_from([0.0, 0.1])))
        most, every = draw(st.integers(replicas, 5)), draw(st.sampled_from([0.02, 0.07]))
        scaling = Scaling(most, high, low, metric, draw(st.integers(1, replicas)), every_s=every, **times)
    routing, ahead = draw(st.sampled_from(ROUTINGS)), draw(st.sampled_from([0, 2, 64]))
    return dict(replicas=replicas, routing=routing, most_ahead=ahead, scaling=scaling)


def transfers():
    times = st.sampled_from([dict(), dict(token_s=1e-4), dict(token_s=1e-3, latency_s=0.01)])
    return st.builds(lambda given, in_turn: Transfer(**given, in_turn=in_turn), times, st.booleans())


def compare(done, tokens, gone, lost):
    """Every token within 1e-9, the same that gave up, the same preemptions."""
    assert done.preempted.tolist() == lost
    for status, how in ((ABANDONED, "abandoned"), (CANCELLED, "cancelled")):
        assert set(np.flatnonzero(done.status == status)) == {i for i in gone if gone[i] == how}
    assert done.finished.sum() == len(lost) - len(gone)
    for row in range(len(lost)):
        made = done.tokens_of(row)
        np.testing.assert_allclose(made[~np.isnan(made)], tokens[row], rtol=1e-9)
        assert row in gone or not np.any(np.isnan(made))


@pytest.mark.parametrize("loop", LOOPS)
@settings(max_examples=300)
@given(situations(), fleets())
def test_every_token_when_the_naive_simulator_has_it(loop, situation, fleet):
    requests, rules = situation
    unit = requests.prefix.tokens if requests.prefix else None
    pool, jobs = NaivePool(lambda: NaiveReplica(rules, TABLE, unit), **fleet), list(jobs_of(requests))
    tokens, gone = naive([pool], jobs)
    done = simulate(requests, TABLE, rules, **fleet, tokens=True, loop=loop)
    compare(done, tokens, gone, [job["lost"] for job in jobs])
    served = done.replica >= 0
    assert done.replica[served].tolist() == [job["where"] for job in jobs if served[job["i"]]]
    assert done.totals["paid_s"] == pytest.approx(paid(pool, requests.arrival_s[-1]), rel=1e-9)
    bare = simulate(requests, TABLE, rules, **fleet, loop=loop)
    for name in ("started_s", "first_s", "finish_s", "status"):
        np.testing.assert_array_equal(getattr(bare, name), getattr(done, name))
    assert bare.totals == done.totals


@pytest.mark.parametrize("loop", LOOPS)
@settings(max_examples=100)
@given(st.tuples(situations(), situations()), st.tuples(fleets(), fleets()), transfers())
def test_pools_one_after_the_other_are_pools_on_one_clock(loop, situations_of, fleets_of, transfer):
    ((requests, rules), (_, other)), (first, second) = situations_of, fleets_of
    most = -(-(requests.prompt + requests.output).max() // other.block_tokens) / (1 - other.watermark) + 1
    decode_rules = replace(other, kv_blocks=max(other.kv_blocks, int(np.ceil(most))))
    unit = requests.prefix.tokens if requests.prefix else None
    pools = [
        NaivePool(lambda: NaiveReplica(rules, TABLE, unit), **first),
        NaivePool(lambda: NaiveReplica(decode_rules, TABLE, None), **second),
    ]
    jobs = [dict(job, o=1, goes_on=job["o"] if job["o"] > 1 else 0) for job in jobs_of(requests)]
    tokens, gone = naive(pools, jobs, transfer)
    prefill, decode = Pool(TABLE, rules, **first), Pool(TABLE, decode_rules, **second)
    done = simulate_pools(requests, prefill, decode, transfer, tokens=True, loop=loop)
    compare(done, tokens, gone, [job.get("onward", job)["lost"] for job in jobs])


@settings(max_examples=300)
@given(situations(), fleets(), st.sampled_from([3, 2**40]), st.booleans())
def test_both_loops_give_the_same_bits(situation, fleet, most_waiting, read):
    requests, rules = situation
    rules = replace(rules, most_waiting=most_waiting)
    requests = replace(requests, prefix=None, read=True) if read else requests
    runs = [simulate(requests, TABLE, rules, **fleet, tokens=True, log=True, loop=loop) for loop in LOOPS]
    for name in ("started_s", "first_s", "finish_s", "status", "replica", "preempted", "token_s"):
        np.testing.assert_array_equal(*(getattr(run, name) for run in runs))
    for columns in ("log", "fleet"):
        for name, column in getattr(runs[0], columns).items():
            np.testing.assert_array_equal(column, getattr(runs[1], columns)[name])
    assert runs[0].totals == pytest.approx(runs[1].totals, rel=1e-12, nan_ok=True)


@pytest.mark.parametrize("loop", LOOPS)
@settings(max_examples=300)
@given(situations(), fleets(), st.booleans())
def test_nothing_is_lost_or_made_up(loop, situation, fleet, read):
    requests, rules = situation
    requests = replace(requests, prefix=None, read=True) if read else requests
    done = simulate(requests, TABLE, rules, **fleet, tokens=True, log=True, loop=loop)
    served, most = done.finished, fleet["scaling"].most if fleet["scaling"] else fleet["replicas"]
    made = np.add.reduceat(~np.isnan(done.token_s), done.token_start)
    assert not np.any(done.status == UNSERVED)
    np.testing.assert_array_equal(made > 0, ~np.isnan(done.first_s))
    np.testing.assert_array_equal(served, made == requests.output)
    assert np.all(made[done.status == ABANDONED] == 0)
    assert np.all(done.log["used_blocks"] <= rules.kv_blocks) and done.totals["most_used_blocks"] <= rules.kv_blocks
    assert np.all(done.log["decodes"] + done.log["chunks"] <= rules.max_batch)
    assert np.all(done.fleet["serving"] + done.fleet["starting"] + done.fleet["draining"] <= most)
    for row in np.flatnonzero(served):
        assert np.all(np.diff(done.tokens_of(row)) > 0)
    if not done.totals["preemptions"] and not np.any(done.status == CANCELLED):
        to_read = 0 if read else requests.prompt[served].sum()
        assert done.totals["prompt_tokens"] + done.totals["cached_tokens"] == to_read
        assert done.totals["decode_tokens"] == (requests.output[served] - (not read)).sum()
    for number in range(most):
        never_idle_while_somebody_waits(requests, done, number)


def never_idle_while_somebody_waits(requests, done, number):
    """Between a replica's steps nobody is inside."""
    steps, here = done.log["replica"] == number, done.finished & (done.replica == number)
    starts, ends = np.r_[done.log["start_s"][steps], np.inf], np.r_[0.0, done.log["end_s"][steps]]
    assert np.all(starts >= ends), "two steps at a time"
    arrived, gone = requests.arrival_s[here], done.finish_s[here]
    for start, end in zip(ends[starts > ends], starts[starts > ends], strict=True):
        assert not np.any((arrived <= start) & (gone > start)), "idle while somebody waited"
        assert not np.any((arrived < end) & (arrived > start)), "idle when somebody came"
