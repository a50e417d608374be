"""The serving simulator: right where theory knows the answer, and in what it refuses."""

import os
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenomics.errors import DataError
from tokenomics.service import qoe, workload
from tokenomics.service.simulator import (
    ABANDONED,
    CANCELLED,
    FINISHED,
    UNSERVED,
    Prefixes,
    Requests,
    Rules,
    StepTable,
    simulate,
    simulator,
)
from tokenomics.service.simulator.outcome import histogram

LOOPS = ["reference", "compiled"]

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
SLOW = StepTable(decode_s=np.full((9, 2), 0.02), linear_s=np.arange(513) * 1e-3)
"""A decode step takes 20 ms whatever the batch, a token of a prompt 1 ms."""
FLAT = StepTable(decode_s=np.full((9, 2), 0.02), linear_s=np.arange(513) * 1e-4)
RULES = Rules(max_batch=8, max_tokens=512)
ONE = StepTable(decode_s=np.ones((3, 2)), linear_s=np.arange(3) * 1.0)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(("sizes", "chances"), [((1,), (1.0,)), ((1, 5), (0.8, 0.2))])
def test_waits_are_those_of_a_queue_with_one_server(loop, sizes, chances):
    """Replies of one token, one at a time: Pollaczek-Khinchine, W = rate E[S^2] / 2 (1 - load)."""
    rng, count, load = np.random.default_rng(3), 40_000 if loop == "compiled" else 15_000, 0.7
    service = rng.choice(sizes, size=count, p=chances)
    mean, square = np.dot(sizes, chances), np.dot(np.square(sizes), chances)
    arrivals = np.cumsum(rng.exponential(mean / load, count))
    done = simulate(Requests(arrivals, service, 1), ONE, Rules(max_batch=1, max_tokens=8), loop=loop)
    assert np.mean(done.queue_s) == pytest.approx(
        load / mean * square / 2 / (1 - load), rel=0.08 if loop == "compiled" else 0.15
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


def test_a_stream_keeps_times_tokens_and_priorities():
    stream = workload.workload("azure_conversation_2023").draw(50, seed=1)
    mine = Requests.of(workload.with_priorities(stream, [0.5, 0.5]))
    assert np.array_equal(mine.arrival_s, stream.arrival_s) and np.array_equal(mine.prompt, stream.input_tokens)
    assert np.array_equal(mine.output, stream.output_tokens) and set(mine.priority) == {0, 1}


def test_shared_beginnings_are_read_once():
    stream = workload.sessions(workload.CHAT, workload.Poisson(0.2), 30, seed=2)
    served = simulate(Requests.of(stream), FLAT, RULES)
    alone = simulate(Requests.of(stream, prefixes=False), FLAT, RULES)
    assert alone.totals["cached_tokens"] == 0 and alone.totals["prompt_tokens"] == stream.input_tokens.sum()
    read = served.totals["prompt_tokens"] + served.totals["cached_tokens"]
    assert read == stream.input_tokens.sum() and served.totals["cached_tokens"] > 0.3 * read


def test_a_timeline_agrees_with_its_outcome():
    asked = Requests([0.0, 0.1, 5.0], [300, 200, 10], [3, 1, 7])
    done = simulate(asked, FLAT, RULES, tokens=True)
    of = done.timeline()
    assert of.ttft() == pytest.approx(done.ttft_s) and of.e2e() == pytest.approx(done.e2e_s)
    assert of.tpot()[[0, 2]] == pytest.approx(done.tpot_s[[0, 2]])
    with pytest.raises(DataError, match="tokens=True"):
        simulate(asked, FLAT, RULES).timeline()


def test_what_was_not_served_is_wanted_and_not_delivered():
    impatient = Requests([0.0, 0.0], [500, 500], [2, 2], patience_s=[np.inf, 1e-3])
    done = simulate(impatient, FLAT, Rules(policy="prefill", max_batch=1, max_tokens=512), tokens=True)
    of = done.timeline()
    assert of.count.tolist() == [2, 0] and of.wanted.tolist() == [2, 2]
    assert qoe.attained(of, qoe.Slo(10.0, 10.0)).tolist() == [True, False]


@pytest.mark.parametrize("loop", LOOPS)
def test_cancelled_requests_leave_their_blocks_to_others(loop):
    """The first has 7 of 8 blocks until its time is over; the second needs 2."""
    requests = Requests([0.0, 0.01], [100, 30], [29, 2], timeout_s=[0.49, np.inf])
    done = simulate(requests, SLOW, Rules(max_batch=8, kv_blocks=8, watermark=0.0), tokens=True, loop=loop)
    assert done.status.tolist() == [CANCELLED, FINISHED] and done.finish_s[0] == 0.49
    made = done.tokens_of(0)
    assert made[~np.isnan(made)] == pytest.approx(np.linspace(0.1, 0.5, 21)), "the step under way is not broken off"
    assert done.tokens_of(1) == pytest.approx([0.53, 0.55])
    assert np.isnan(done.e2e_s[0]) and np.isnan(done.tpot_s[0]) and done.ttft_s[0] == pytest.approx(0.1)
    never_started = Requests([0.0, 0.01], 16, 100, timeout_s=[np.inf, 0.3])
    done = simulate(never_started, SLOW, Rules(max_batch=1), loop=loop)
    assert done.status.tolist() == [FINISHED, ABANDONED] and done.finish_s[1] == pytest.approx(0.31)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_request_that_lost_its_place_is_cancelled_too(loop):
    """The second loses its blocks to the first, starts anew when the first is cancelled, and then is itself."""
    requests = Requests([0.0, 0.0], 60, 60, timeout_s=[0.9, 1.2])
    done = simulate(requests, SLOW, Rules(max_batch=8, kv_blocks=8, watermark=0.0), tokens=True, loop=loop)
    assert done.status.tolist() == [CANCELLED, CANCELLED] and done.preempted.tolist() == [0, 1]
    assert np.nanmax(done.tokens_of(0)) == pytest.approx(0.9, abs=0.02)
    assert 1.0 < np.nanmax(done.tokens_of(1)) <= 1.22


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
        (lambda: Requests([0.0], 1, 1, timeout_s=-1.0), "timeout_s"),
        (lambda: Requests([0.0], 9, 1, prefix=Prefixes.of([[1]], 4), read=True), "read elsewhere"),
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
        (lambda: simulate(Requests([0.0], 1, 1), print, Rules(), loop="compiled"), "loop = compiled"),
        (lambda: StepTable(decode_s=[[1.0, -1.0], [1.0, 1.0]], linear_s=[0.0, 1.0]), "decode_s"),
        (lambda: StepTable(decode_s=[1.0, 2.0], linear_s=[0.0, 1.0]), "2 dimensions"),
    ],
)
def test_errors_are_one_line(make, says):
    with pytest.raises(DataError) as caught:
        make()
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_without_numba_the_reference_loop_runs(monkeypatch):
    expected = simulate(offered(20), TABLE, Rules(max_batch=8), loop="reference")
    monkeypatch.setitem(sys.modules, "numba", None)
    np.testing.assert_array_equal(simulate(offered(20), TABLE, Rules(max_batch=8)).finish_s, expected.finish_s)
    with pytest.raises(DataError, match="without numba"):
        simulate(offered(20), TABLE, Rules(max_batch=8), loop="compiled")


@pytest.mark.parametrize(("kept", "loop"), [(None, "reference"), (100, "reference"), (300, "auto")])
def test_short_answers_do_not_wait_for_a_compiler(kept, loop, tmp_path, monkeypatch):
    source = tmp_path / "compiled_loop.py"
    source.touch()
    os.utime(source, (200, 200))
    if kept:
        (tmp_path / "__pycache__").mkdir()
        index = tmp_path / "__pycache__" / "compiled_loop.drive.nbi"
        index.touch()
        os.utime(index, (kept, kept))
    monkeypatch.setattr(simulator, "__file__", str(tmp_path / "simulator.py"))
    assert simulator.without_compiling() == loop


def test_set_up_compiles_all_that_streams_of_any_kind_need():
    assert simulator.keep_compiled() is True
    from tokenomics.service.simulator.compiled_loop import drive

    compiled = list(drive.signatures)
    assert len(compiled) == 1
    simulate(offered(20), TABLE, Rules(max_batch=8), loop="compiled", replicas=2, tokens=True, log=True)
    assert drive.signatures == compiled


def test_without_numba_there_is_nothing_to_set_up(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    assert simulator.keep_compiled() is False
