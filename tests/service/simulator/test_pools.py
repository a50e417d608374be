"""Prefill and decode on replicas of their own, where the answer can be worked out by hand."""

import numpy as np
import pytest

from tokenomics.errors import DataError
from tokenomics.service.simulator import Pool, Requests, Rules, StepTable, Transfer, simulate_pools

LOOPS = ["reference", "compiled"]
TABLE = StepTable(decode_s=np.full((9, 2), 0.02), linear_s=np.arange(513) * 1e-3)
"""A decode step takes 20 ms whatever the batch, a token of a prompt 1 ms."""
RULES = Rules(max_batch=8, max_tokens=512)


@pytest.mark.parametrize("loop", LOOPS)
def test_pools_by_hand(loop):
    """Prompts of 100 and 50 tokens at once on one prefill replica, links in turn, then decodes of 20 ms."""
    pool = Pool(TABLE, Rules(max_batch=8, max_tokens=150))
    requests = Requests([0.0, 0.0, 1.0], [100, 50, 100], [3, 2, 1])
    done = simulate_pools(requests, pool, pool, Transfer(token_s=1e-4, latency_s=0.002), tokens=True, loop=loop)
    assert done.ttft_s == pytest.approx([0.15, 0.15, 0.1])
    assert done.crossed_s[:2] == pytest.approx([0.162, 0.169]) and np.isnan(done.crossed_s[2])
    assert done.tokens_of(0) == pytest.approx([0.15, 0.182, 0.202])
    assert done.tokens_of(1) == pytest.approx([0.15, 0.202])
    assert done.finish_s == pytest.approx([0.202, 0.202, 1.1])
    assert done.rows.tolist() == [0, 1] and done.totals["decode_tokens"] == 3
    aside = simulate_pools(requests, pool, pool, Transfer(1e-4, 0.002, in_turn=False), loop=loop)
    assert aside.crossed_s[:2] == pytest.approx([0.162, 0.157])


@pytest.mark.parametrize("loop", LOOPS)
def test_a_saturated_decode_pool_holds_up_the_second_token_only(loop):
    requests = Requests(np.zeros(6), 16, 17)
    wide, narrow = (Pool(TABLE, Rules(max_batch=8, kv_blocks=blocks, watermark=0.0)) for blocks in (100, 2))
    free, full = (simulate_pools(requests, wide, decode, tokens=True, loop=loop) for decode in (wide, narrow))
    np.testing.assert_array_equal(free.ttft_s, full.ttft_s)
    assert full.decode.totals["most_used_blocks"] == 2
    second = np.array([full.tokens_of(row)[1] for row in range(6)])
    assert np.diff(second) == pytest.approx(16 * 0.02), "one after another"
    assert full.finished.all() and full.totals["preemptions"] == 0


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Transfer(token_s=-1.0), "token_s"),
        (lambda: Transfer.over(1e5, 0.0), "link_bytes_per_s"),
        (lambda: simulate_pools(Requests([0.0], 9, 1, read=True), Pool(TABLE, RULES), Pool(TABLE, RULES)), "read"),
        (
            lambda: simulate_pools(
                Requests([0.0, 0.0], [9, 200], 1), Pool(TABLE, RULES), Pool(TABLE, Rules(max_batch=8, kv_blocks=9))
            ),
            "row 1: prompt + output",
        ),
    ],
)
def test_errors_are_one_line(make, says):
    with pytest.raises(DataError) as caught:
        make()
    assert says in str(caught.value) and "\n" not in str(caught.value)
