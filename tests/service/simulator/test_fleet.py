"""Routing and scaling of replicas, where the answer can be worked out by hand."""

import numpy as np
import pytest

from tokenomics.errors import DataError
from tokenomics.service.simulator import Prefixes, Requests, Rules, Scaling, StepTable, simulate
from tokenomics.service.simulator.fleet import DRAINING, OFF, SERVING, STARTING, Fleet, Held

LOOPS = ["reference", "compiled"]
TABLE = StepTable(decode_s=np.full((9, 2), 0.02), linear_s=np.arange(513) * 1e-3)
"""A decode step takes 20 ms whatever the batch, a token of a prompt 1 ms."""
RULES = Rules(max_batch=8, max_tokens=512)


def held(inside, waiting=None, cache=None, clock=None):
    count = len(inside)
    columns = (waiting or [0] * count, inside, cache or [0.0] * count, clock or [0.0] * count)
    return Held(*(np.array(column) for column in columns))


def fleet(replicas=1, **changes):
    rule = dict(most=4, high=10.0, low=6.0, start_s=25.0, every_s=10.0, quiet_s=20.0) | changes
    return Fleet(replicas, "round robin", 64, Scaling(**rule))


@pytest.mark.parametrize(("inside", "started"), [(10, 0), (11, 1), (20, 1), (21, 2), (500, 3)])
def test_as_many_start_as_bring_the_mean_to_the_target(inside, started):
    one = fleet()
    one.look(10.0, held([inside, 0, 0, 0]))
    assert np.count_nonzero(one.state == STARTING) == started
    assert one.next_s == 20.0
    one.look(20.0, held([inside, 0, 0, 0]))
    assert np.count_nonzero(one.state == STARTING) == started, "those that start count"
    one.look(30.0, held([0, 0, 0, 0]))
    assert one.next_s == (35.0 if started else 40.0)
    one.look(35.0, held([0, 0, 0, 0]))
    assert np.count_nonzero(one.state == SERVING) == 1 + started


@pytest.mark.parametrize(("inside", "leaves"), [((6, 6, 0), True), ((6, 6, 1), False)])
def test_one_leaves_when_one_fewer_was_enough_for_a_while(inside, leaves):
    three = fleet(3)
    for now in (10.0, 20.0):
        assert three.look(now, held([*inside, 0])).size == 0 and np.all(three.state[:3] == SERVING)
    three.look(30.0, held([*inside, 0], clock=[29.0, 29.0, 4.0, 0.0]))
    assert (three.state[2] == OFF) == leaves and three.paid_s == (30.0 if leaves else 0.0)


def test_a_leaving_replica_is_paid_until_it_is_empty_and_keeps_its_place():
    two = fleet(2, most=2, quiet_s=0.0, least=1)
    two.look(10.0, held([3, 3]))
    assert two.state.tolist() == [SERVING, DRAINING]
    two.look(20.0, held([50, 1]))
    assert two.state.tolist() == [SERVING, DRAINING], "no place for another"
    assert two.look(30.0, held([50, 0], clock=[30.0, 22.5])).tolist() == [1]
    paid, rows = two.close(30.0, held([50, 0], clock=[60.0, 22.5]))
    assert paid == 22.5 + 60.0
    assert rows["draining"].tolist() == [0, 1, 0] and rows["time_s"].tolist() == [0.0, 10.0, 30.0]


@pytest.mark.parametrize("metric", ["waiting", "cache"])
def test_other_metrics_are_read(metric):
    one = fleet(metric=metric, high=0.5, low=0.25)
    one.look(10.0, held([1, 0, 0, 0], **{metric: [0.6, 0, 0, 0]}))
    assert np.count_nonzero(one.state == STARTING) == 1


def bursts():
    """Quiet, then thirty times as many requests for a minute, then quiet."""
    rng = np.random.default_rng(0)
    arrivals = [rng.uniform(a, b, n) for a, b, n in ((0, 60, 60), (60, 120, 1800), (120, 400, 280))]
    return Requests(np.sort(np.concatenate(arrivals)), 30, 30)


@pytest.mark.parametrize("loop", LOOPS)
def test_scaling_costs_less_than_the_most_and_waits_less_than_the_least(loop):
    def outcome(replicas, **more):
        return simulate(bursts(), TABLE, RULES, replicas=replicas, routing="least loaded", loop=loop, **more)

    rule = dict(most=6, high=6, low=3, every_s=2, quiet_s=10)
    few, many = outcome(1), outcome(6)
    soon, late = (outcome(1, scaling=Scaling(start_s=start, **rule)) for start in (2, 40))
    waits = [np.mean(done.ttft_s) for done in (many, soon, late, few)]
    assert waits == sorted(waits) and waits[0] < 0.3 * waits[1] and waits[2] < 0.7 * waits[3]
    assert soon.totals["paid_s"] < 0.5 * many.totals["paid_s"]
    assert soon.fleet["serving"].max() > 3 and soon.fleet["serving"][-1] == 1
    assert many.totals["paid_s"] == pytest.approx(6 * 400, rel=0.01)
    assert soon.totals["paid_s"] >= soon.totals["busy_s"]


@pytest.mark.parametrize("loop", LOOPS)
def test_what_a_replica_knew_is_lost_when_it_is_given_back(loop):
    """Both read the prompt at 0 s; the second leaves at 10 s, is wanted again at 20 s, and gets the prompt at 22 s."""
    chains = [[1, 2], [1, 2], *[[]] * 6, [1, 2]]
    requests = Requests([0, 0, *[19] * 6, 22], 40, [1, 1, *[400] * 6, 1], prefix=Prefixes.of(chains, 16))
    rule = Scaling(most=2, high=2, low=1, start_s=1, every_s=10, quiet_s=0)
    done = simulate(requests, TABLE, RULES, replicas=2, routing="least loaded", scaling=rule, log=True, loop=loop)
    assert done.replica.tolist() == [0, 1, *[0] * 6, 1]
    assert done.totals["cached_tokens"] == 0 and done.log["prompt_tokens"][done.log["replica"] == 1].tolist() == [
        40,
        40,
    ]
    assert done.fleet["time_s"].tolist() == [0, 10, 20, 21]


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(("last", "replica"), [(9.9, 1), (10.0, 0)])
def test_a_fleet_is_looked_at_before_what_arrives_then(loop, last, replica):
    rule = Scaling(most=2, high=2, low=1, every_s=10, quiet_s=0)
    done = simulate(Requests([0, 0, 5, last], 40, 1), TABLE, RULES, replicas=2, scaling=rule, loop=loop)
    assert done.replica.tolist() == [0, 1, 0, replica]


@pytest.mark.parametrize("loop", LOOPS)
def test_a_prompt_goes_where_its_beginning_is_known(loop):
    rng, count = np.random.default_rng(1), 600
    chains = [[100 * family + level for level in range(4)] for family in rng.integers(0, 12, count)]
    requests = Requests(np.cumsum(rng.exponential(0.05, count)), 70, 10, prefix=Prefixes.of(chains, 16))
    rules = Rules(max_batch=8, max_tokens=512, kv_blocks=48)
    done = {
        (routing, ahead): simulate(requests, TABLE, rules, replicas=4, routing=routing, most_ahead=ahead, loop=loop)
        for routing, ahead in (("least loaded", 0), ("prefix aware", 0), ("prefix aware", 64))
    }
    known, guarded, spread = (
        done[key].totals["cached_tokens"] for key in (("prefix aware", 64), ("prefix aware", 0), ("least loaded", 0))
    )
    assert known > guarded > spread


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(("ahead", "stay"), [(0, 5), (3, 7), (64, 10)])
def test_a_popular_beginning_does_not_pile_up(loop, ahead, stay):
    """One prompt is known on the first replica; ten more come at once, of which some are sent to the second."""
    requests = Requests([0.0] + [1.0] * 10, 40, [1] + [50] * 10, prefix=Prefixes.of([[1, 2]] * 11, 16))
    most = dict(routing="prefix aware", most_ahead=ahead)
    done = simulate(requests, TABLE, Rules(max_batch=8), replicas=2, loop=loop, **most)
    assert np.count_nonzero(done.replica[1:] == 0) == stay


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Scaling(most=2, high=1, metric="power"), "metric = power; allowed: waiting, inside, cache"),
        (lambda: Scaling(most=2, high=1, least=3), "least = 3"),
        (lambda: Scaling(most=2, high=1, low=2), "low = 2"),
        (lambda: Scaling(most=2, high=0), "high = 0"),
        (lambda: Scaling(most=2, high=1, every_s=0), "every_s = 0"),
        (lambda: Scaling(most=2, high=1, start_s=-1.0), "start_s"),
        (lambda: simulate(bursts(), TABLE, RULES, replicas=3, scaling=Scaling(most=2, high=1)), "replicas = 3"),
        (lambda: simulate(bursts(), TABLE, RULES, scaling=Scaling(2, 0.5, metric="cache")), "kv_blocks"),
        (lambda: simulate(bursts(), TABLE, RULES, most_ahead=-1), "most_ahead = -1"),
    ],
)
def test_errors_are_one_line(make, says):
    with pytest.raises(DataError) as caught:
        make()
    assert says in str(caught.value) and "\n" not in str(caught.value)
