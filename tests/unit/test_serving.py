"""The serving simulator: equal to a naive one, conserving, and right where theory knows the answer."""

import itertools
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenomics.compute.server import server
from tokenomics.errors import DataError
from tokenomics.facts import catalogue
from tokenomics.service.serving import ABANDONED, UNSERVED, Prefixes, Requests, Rules, StepTable, simulate, tables
from tokenomics.service.serving.histogram import histogram

try:
    import numba  # noqa: F401

    LOOPS = ["plain", "fast"]
except ImportError:
    LOOPS = ["plain"]

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
    """A pass's time from the formula, by NumPy's interpolation (inside the table)."""
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


def naive(requests, table, rules):  # noqa: PLR0912, PLR0915
    """Another simulator, written for comparison only: one replica, dictionaries, every token by itself."""
    block, swap = rules.block_tokens, rules.preemption == "swap"
    jobs = [
        dict(i=i, at=a, p=p, o=o, order=(pr, i), until=a + w, need=p, read=0, made=0, blocks=0, begun=False, mine=[])
        for i, (a, p, o, pr, w) in enumerate(
            zip(
                *(requests.arrival_s, requests.prompt, requests.output, requests.priority, requests.patience_s),
                strict=True,
            )
        )
    ]
    tokens, gone, preempted = [[] for _ in jobs], {}, [0] * len(jobs)
    waiting, swapped, running, now, filling = [], [], [], 0.0, True
    order = lambda job: job["order"]  # noqa: E731
    pages = lambda n: (n + block - 1) // block  # noqa: E731
    coming, cache, clock = list(jobs), {}, itertools.count()
    unit, page = (requests.prefix.tokens, requests.prefix.tokens // block) if requests.prefix else (10**9, 1)
    for job in jobs:
        job["chain"] = []
        if requests.prefix:
            part = slice(*requests.prefix.start[job["i"] : job["i"] + 2])
            job["chain"] = requests.prefix.units[part].tolist()[: job["p"] // unit]

    def free():
        """Blocks nobody uses: each job's own ones, and shared ones once."""
        own = sum(job["blocks"] - page * len(job["mine"]) for job in running)
        return rules.kv_blocks - own - page * len({u for job in running for u in job["mine"]})

    def known(job):
        found = list(itertools.takewhile(lambda u: u in cache, job["chain"]))
        return found[: (job["need"] - 1) // unit]

    def wanted_by(job):
        used = {u for other in running for u in other["mine"]}
        return pages(job["need"]) - page * len(used & set(known(job)))

    def forget():
        used = {u for job in running for u in job["mine"]}
        idle = sorted((stamp, u) for u, stamp in cache.items() if u not in used)
        while len(idle) * page > free():
            del cache[idle.pop(0)[1]]

    def go(job):
        running.remove(job)
        for u in reversed(job["mine"]):
            cache[u] = next(clock)
        job["mine"], job["blocks"] = [], 0

    def lose():
        victim = max(running, key=order)
        preempted[victim["i"]] += 1
        pages_lost = victim["blocks"]
        go(victim)
        if swap and victim["read"] == victim["need"]:
            swapped.append(victim)
            return victim, pages_lost
        victim["read"], victim["need"] = 0, victim["p"] + victim["made"]
        waiting.append(victim)
        return victim, 0

    def decodes():
        batch, moved, lost = [], 0, False
        for job in sorted(running, key=order):
            if job not in running or job["read"] < job["need"]:
                continue
            wanted = pages(job["p"] + job["made"])
            while job in running and wanted - job["blocks"] > free():
                victim, pages_moved = lose()
                moved, lost = moved + pages_moved, True
                batch = [other for other in batch if other is not victim]
            if job in running:
                job["blocks"] = wanted
                batch.append(job)
        forget()
        for job in sorted(swapped, key=order):
            wanted = pages(job["p"] + job["made"])
            if lost or free() - wanted < rules.kept_blocks or len(running) >= rules.max_batch:
                break
            swapped.remove(job)
            running.append(job)
            batch.append(job)
            job["blocks"] = wanted
            moved += wanted
            forget()
        return batch, moved, lost

    def next_in(lost):
        while waiting:
            job = min(waiting, key=order)
            if job["begun"] or job["until"] >= now:
                fits = free() - wanted_by(job) >= rules.kept_blocks and len(running) < rules.max_batch
                return job if fits and not swapped and not lost else None
            waiting.remove(job)
            gone[job["i"]] = job["until"]
        return None

    def begin(job):
        waiting.remove(job)
        job["mine"] = known(job)
        job["read"] = unit * len(job["mine"])
        running.append(job)
        job["blocks"], job["begun"] = pages(job["need"]), True
        forget()

    while True:
        while coming and coming[0]["at"] <= now:
            waiting.append(coming.pop(0))
        batch, moved, lost, chunks = [], 0, False, []
        if rules.policy == "chunked":
            batch, moved, lost = decodes()
            left = rules.max_tokens - len(batch)
            for job in sorted(running, key=order):
                if job["read"] < job["need"] and left > 0:
                    chunks.append((job, min(left, job["need"] - job["read"]), job["read"]))
                    left -= chunks[-1][1]
            while (job := next_in(lost)) and left > 0:
                begin(job)
                chunks.append((job, min(left, job["need"] - job["read"]), job["read"]))
                left -= chunks[-1][1]
        else:
            filling = rules.policy == "prefill" or filling or not running
            while filling and (job := next_in(False)):
                sizes = [*(c for _, c, _ in chunks), job["need"] - unit * len(known(job))]
                if chunks and (len(sizes) * max(sizes) if rules.padded else sum(sizes)) > rules.max_tokens:
                    break
                begin(job)
                chunks.append((job, job["need"] - job["read"], job["read"]))
            if not chunks:
                batch, moved, lost = decodes()
                filling = rules.policy == "prefill" or not running
        if not batch and not chunks:
            if not coming:
                return tokens, gone, preempted
            now = max(now, coming[0]["at"])
            continue
        now += naive_seconds(table, [j["p"] + j["made"] for j in batch], [(c, p) for _, c, p in chunks])
        now += moved * rules.swap_block_s
        assert free() >= 0
        size_of = {job["i"]: size for job, size, _ in chunks}
        for job in [*sorted(batch, key=lambda job: job["i"]), *(job for job, _, _ in chunks)]:
            job["read"] += size_of.get(job["i"], 0)
            if job["read"] == job["need"]:
                if job["i"] in size_of:
                    for u in job["chain"]:
                        if u not in cache:
                            cache[u] = None
                            job["mine"].append(u)
                tokens[job["i"]].append(now)
                job["made"] += 1
                if job["made"] == job["o"]:
                    go(job)


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


@pytest.mark.parametrize("loop", LOOPS)
@given(situations())
def test_every_token_when_the_naive_simulator_has_it(loop, situation):
    requests, rules = situation
    tokens, gone, preempted = naive(requests, TABLE, rules)
    done = simulate(requests, TABLE, rules, tokens=True, loop=loop)
    bare = simulate(requests, TABLE, rules, loop=loop)
    assert done.preempted.tolist() == preempted
    assert set(np.flatnonzero(done.status == ABANDONED)) == set(gone)
    for row, times in enumerate(tokens):
        if row not in gone:
            np.testing.assert_allclose(done.tokens_of(row), times, rtol=1e-9)
    for name in ("started_s", "first_s", "finish_s", "status"):
        np.testing.assert_array_equal(getattr(bare, name), getattr(done, name))
    assert bare.totals == done.totals


@pytest.mark.skipif(len(LOOPS) == 1, reason="numba is not installed")
@given(situations(), st.integers(1, 4), st.sampled_from(["round robin", "least loaded"]), st.sampled_from([3, 2**40]))
def test_compiled_and_plain_give_the_same_bits(situation, replicas, routing, most_waiting):
    requests, rules = situation
    rules = Rules(**{**vars(rules), "most_waiting": most_waiting})
    runs = [
        simulate(requests, TABLE, rules, replicas=replicas, routing=routing, tokens=True, log=True, loop=loop)
        for loop in LOOPS
    ]
    for name in ("started_s", "first_s", "finish_s", "status", "replica", "preempted", "token_s"):
        np.testing.assert_array_equal(*(getattr(run, name) for run in runs))
    for name, column in runs[0].log.items():
        np.testing.assert_array_equal(column, runs[1].log[name])
    assert runs[0].totals == pytest.approx(runs[1].totals, rel=1e-12)


@pytest.mark.parametrize("loop", LOOPS)
@given(situations())
def test_nothing_is_lost_or_made_up(loop, situation):
    requests, rules = situation
    done = simulate(requests, TABLE, rules, tokens=True, log=True, loop=loop)
    served = done.finished
    assert not np.any(done.status == UNSERVED)
    np.testing.assert_array_equal(served, ~np.isnan(done.first_s))
    assert np.all(done.log["used_blocks"] <= rules.kv_blocks) and done.totals["most_used_blocks"] <= rules.kv_blocks
    assert np.all(done.log["decodes"] + done.log["chunks"] <= rules.max_batch)
    assert np.count_nonzero(~np.isnan(done.token_s)) == requests.output[served].sum()
    for row in np.flatnonzero(served):
        assert np.all(np.diff(done.tokens_of(row)) > 0)
    if not done.totals["preemptions"]:
        assert done.totals["prompt_tokens"] + done.totals["cached_tokens"] == requests.prompt[served].sum()
        assert done.totals["decode_tokens"] == (requests.output[served] - 1).sum()
    idle = np.r_[done.log["start_s"], np.inf] > np.r_[0.0, done.log["end_s"]]
    for start, end in zip(np.r_[0.0, done.log["end_s"]][idle], np.r_[done.log["start_s"], np.inf][idle], strict=True):
        inside = (requests.arrival_s < end) & (np.nan_to_num(done.finish_s, nan=np.inf) > start)
        assert not np.any(inside & served & (requests.arrival_s <= start)), "idle while somebody waited"


ONE = StepTable(decode_s=np.ones((3, 2)), linear_s=np.arange(3) * 1.0)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(("sizes", "chances"), [((1,), (1.0,)), ((1, 5), (0.8, 0.2))])
def test_waits_are_those_of_a_queue_with_one_server(loop, sizes, chances):
    """Replies of one token, one at a time: Pollaczek-Khinchine, W = rate E[S^2] / 2 (1 - load)."""
    rng, count, load = np.random.default_rng(3), 40_000 if loop == "fast" else 15_000, 0.7
    service = rng.choice(sizes, size=count, p=chances)
    mean, square = np.dot(sizes, chances), np.dot(np.square(sizes), chances)
    arrivals = np.cumsum(rng.exponential(mean / load, count))
    done = simulate(Requests(arrivals, service, 1), ONE, Rules(max_batch=1, max_tokens=8), loop=loop)
    assert np.mean(done.queue_s) == pytest.approx(
        load / mean * square / 2 / (1 - load), rel=0.08 if loop == "fast" else 0.15
    )
    wait, now = np.empty(count), 0.0
    for row in range(count):  # Lindley's recursion, exactly
        wait[row] = max(now - arrivals[row], 0.0)
        now = max(now, arrivals[row]) + service[row]
    np.testing.assert_allclose(done.queue_s, wait, atol=1e-6)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_known_beginning_is_not_read_again(loop):
    chains = [[6, 7], [6, 8], [6, 7, 9]]
    requests = Requests([0.0, 10.0, 20.0], [40, 50, 50], 2, prefix=Prefixes.of(chains, 16))
    done = simulate(requests, TABLE, Rules(max_batch=4, block_tokens=16), log=True, loop=loop)
    assert done.log["prompt_tokens"][done.log["chunks"] > 0].tolist() == [40, 34, 18]
    assert done.totals["cached_tokens"] == 16 + 32 and done.ttft_s[2] < done.ttft_s[1]
    full = simulate(requests, TABLE, Rules(max_batch=4, block_tokens=16, kv_blocks=4, watermark=0.0), loop=loop)
    assert full.totals["cached_tokens"] == 16 + 16, "the end of a beginning is forgotten first"


def offered(rate, count=400, output=20, seed=0):
    rng = np.random.default_rng(seed)
    return Requests(np.cumsum(rng.exponential(1 / rate, count)), rng.integers(1, 40, count), output)


@pytest.mark.parametrize("loop", LOOPS)
def test_overload_ends_and_says_so(loop):
    rules = Rules(max_batch=8, max_tokens=40)
    assert simulate(offered(5), TABLE, rules, loop=loop).load().stable
    done = simulate(offered(100), TABLE, rules, loop=loop)
    assert done.finished.all() and not done.load().stable
    rate = len(done.requests) / done.finish_s.max()
    assert done.load().growth_per_s == pytest.approx(done.load().arriving_per_s - rate, rel=0.1)
    assert str(done.load()).startswith("UNSTABLE")
    early = simulate(offered(100), TABLE, Rules(max_batch=8, max_tokens=40, most_waiting=50), loop=loop)
    assert np.any(early.status == UNSERVED) and not early.load().stable


@pytest.mark.parametrize("loop", LOOPS)
def test_runs_repeat_and_loads_are_shared(loop):
    first, second = (simulate(offered(60), TABLE, Rules(max_batch=8, max_tokens=40), loop=loop) for _ in range(2))
    np.testing.assert_array_equal(first.finish_s, second.finish_s)
    uneven = offered(50, output=np.random.default_rng(5).geometric(0.05, 400))
    mean = {
        routing: np.mean(simulate(uneven, TABLE, Rules(max_batch=8), replicas=4, routing=routing, loop=loop).e2e_s)
        for routing in ("round robin", "least loaded")
    }
    assert mean["least loaded"] < mean["round robin"]


def test_a_callable_may_tell_the_times():
    class Constant:
        def __call__(self, decodes, context, chunks):
            return 0.5

    done = simulate(Requests([0.0, 0.1], 10, 3), Constant(), Rules())
    assert done.finish_s.tolist() == [2.0, 2.0] or done.finish_s.tolist() == [1.5, 2.0]


@given(st.lists(st.floats(1e-6, 1e5), min_size=1, max_size=200), st.floats(0, 1))
def test_histogram_quantiles(values, q):
    found = histogram([*values, np.nan])
    assert found.count == len(values) and found.mean == pytest.approx(np.mean(values))
    exact = np.sort(values)[max(int(np.ceil(q * len(values))) - 1, 0)]
    assert found.quantile(q) == pytest.approx(exact, rel=3e-3)
    halves = histogram(values[::2]) + histogram(values[1::2])
    np.testing.assert_array_equal(halves.counts, found.counts)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Requests([], 1, 1), "arrival_s"),
        (lambda: Requests([1.0, 0.5], 1, 1), "in order of time"),
        (lambda: Requests([-1.0], 1, 1), "zero or more"),
        (lambda: Requests([np.nan], 1, 1), "finite"),
        (lambda: Requests([0.0, 1.0], [5, 0], 1), "row 1: prompt = 0.0"),
        (lambda: Requests([0.0], 1, 0), "output = 0.0"),
        (lambda: Requests([0.0], 1.5, 1), "prompt = 1.5"),
        (lambda: Requests([0.0, 1.0], [1, 2, 3], 1), "as many as arrivals"),
        (lambda: Requests([0.0, 1.0], 9, 1, prefix=Prefixes.of([[1]], 4)), "prefix = 1"),
        (lambda: simulate(Requests([0.0], 9, 1, prefix=Prefixes.of([[1]], 4)), TABLE, Rules(max_batch=4)), "multiple"),
        (lambda: Rules(policy="fifo"), "policy = fifo; allowed: prefill, decode, chunked"),
        (lambda: Rules(max_batch=0), "max_batch"),
        (lambda: Rules(watermark=1.0), "watermark"),
        (lambda: simulate(Requests([0.0], 100, 62), TABLE, Rules(max_batch=4, kv_blocks=10)), "KV capacity"),
        (lambda: simulate(Requests([0.0], 1, 1), TABLE, Rules(max_batch=17)), "at most the table's 16"),
        (lambda: simulate(Requests([0.0], 1, 1), TABLE, Rules(max_batch=4), routing="best"), "routing = best"),
        (lambda: simulate(Requests([0.0], 1, 1), print, Rules(), loop="fast"), "loop = fast"),
        (lambda: StepTable(decode_s=[[1.0, -1.0], [1.0, 1.0]], linear_s=[0.0, 1.0]), "decode_s"),
        (lambda: StepTable(decode_s=[1.0, 2.0], linear_s=[0.0, 1.0]), "2 dimensions"),
    ],
)
def test_errors_are_one_line(make, says):
    with pytest.raises(DataError) as caught:
        make()
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_without_numba_the_plain_loop_runs(monkeypatch):
    expected = simulate(offered(20), TABLE, Rules(max_batch=8), loop="plain")
    monkeypatch.setitem(sys.modules, "numba", None)
    np.testing.assert_array_equal(simulate(offered(20), TABLE, Rules(max_batch=8)).finish_s, expected.finish_s)
    with pytest.raises(DataError, match="without numba"):
        simulate(offered(20), TABLE, Rules(max_batch=8), loop="fast")


def test_modelled_passes_are_the_servers():
    deployment = server(catalogue.model("Llama-3.1-8B"), catalogue.accelerator("H100-SXM-80GB"), engine="vLLM 0.19")
    table = tables.modelled(deployment, max_batch=64)
    for decodes, context in ((1, 128), (37, 1000), (64, 16000)):
        assert table(decodes, decodes * context) == pytest.approx(deployment.tpot(decodes, context).value, rel=1e-4)
    for prompt, before in ((100, 0), (512, 2048), (8000, 0)):
        expected = deployment.ttft(prompt, cached=before).value
        assert table(0, 0, [(prompt, before)]) == pytest.approx(expected, rel=1e-3)
    alone, mixed = table(0, 0, [(448, 0)]), table(64, 64_000, [(448, 0)])
    assert table(64, 64_000) < mixed < table(64, 64_000) + alone
    blocks = tables.cache_blocks(deployment)
    assert blocks * 16 == pytest.approx(deployment.capacity(16384) * 16384, rel=0.2)


def test_measured_points_come_back():
    decode_s = [[0.010, 0.012], [0.014, 0.020]]
    table = tables.measured([1, 8], [100, 1100], decode_s, tokens=[64, 512], prefill_s=[0.02, 0.10])
    assert table(1, 100) == pytest.approx(0.010) and table(8, 8 * 1100) == pytest.approx(0.020)
    assert table(1, 2100) == pytest.approx(0.014) and table(1, 10) == pytest.approx(0.010)
    assert table(0, 0, [(512, 0)]) == pytest.approx(0.10) and table(0, 0, [(5, 0)]) == pytest.approx(0.02)
    assert table(0, 0, [(960, 0)]) == pytest.approx(0.18)
    assert table(8, 800, [(504, 0)]) == pytest.approx(0.014 + 0.08)
    with pytest.raises(DataError, match="numbers that rise"):
        tables.measured([8, 1], [100, 1100], decode_s, [64, 512], [0.02, 0.1])
    with pytest.raises(DataError, match="shape"):
        tables.measured([1, 8], [100, 1100], decode_s, [64, 512, 600], [0.02, 0.1])
