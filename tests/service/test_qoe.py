"""Measures of experience by hand, the tricks that raise each, the one measure that none raises, refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenomics.errors import DataError
from tokenomics.facts.tokenizers import tokens_per_word
from tokenomics.service import qoe
from tokenomics.service.qoe import Slo
from tokenomics.service.timeline import quantiles, timeline

TWO = timeline([0.0, 1.0], [[0.5, 0.6, 0.9], [3.0]])
DROPPED = timeline([0.0, 0.0], [[1.0, 2.0], []], wanted=[2, 4])
gaps = st.lists(st.floats(0.0, 5.0), min_size=1, max_size=12)


def test_times_by_hand():
    assert TWO.ttft().tolist() == [0.5, 2.0]
    assert TWO.tpot() == pytest.approx([0.2, 0.0], abs=1e-12)
    assert TWO.itl() == pytest.approx([0.1, 0.3])
    assert TWO.e2e().tolist() == [0.9, 2.0]
    assert DROPPED.ttft().tolist() == [1.0, np.inf]
    assert DROPPED.tpot().tolist() == [1.0, np.inf] and DROPPED.e2e().tolist() == [2.0, np.inf]


def test_quantiles_count_what_was_never_finished():
    assert quantiles([1.0, 2.0, 3.0, np.inf], [0.0, 0.5, 0.75, 0.99]).tolist() == [1.0, 2.0, 3.0, np.inf]


def test_paces_in_tokens():
    # 238 words a minute at 1.275 tokens a word
    assert qoe.tokens_per_s(tokenizer="llama_3") == pytest.approx(238 / 60 * 1.275)
    assert qoe.tokens_per_s(qoe.ALOUD_WPM, tokenizer="llama_3") == pytest.approx(183 / 60 * 1.275)
    assert tokens_per_word("llama_3", "German") == pytest.approx(1.996)
    assert qoe.tokens_per_s(tokenizer="o200k_base", language="German") < qoe.tokens_per_s(
        tokenizer="llama_3", language="German"
    )


def test_mlperf_limits():
    assert (qoe.MLPERF["Llama-2-70B server"].ttft_s, qoe.MLPERF["Llama-2-70B server"].tpot_s) == (2.0, 0.2)
    interactive = qoe.MLPERF["Llama-2-70B interactive"]
    assert 1 / interactive.tpot_s == pytest.approx(25)
    steady = timeline(np.zeros(100), [[0.4 + 0.03 * i for i in range(10)]] * 99 + [[9.0, 9.1]])
    assert qoe.meets(steady, interactive)  # one of a hundred may be late
    assert not qoe.meets(steady, Slo(0.45, 0.04, 0.995))
    assert not qoe.meets(timeline([0.0], [[0.4, 0.9]]), interactive)


def test_goodput_by_hand():
    assert qoe.attained(TWO, Slo(1.0, 0.3)).tolist() == [True, False]
    assert qoe.goodput(TWO, Slo(1.0, 0.3), duration_s=4.0) == 0.25
    assert qoe.goodput(DROPPED, Slo(9.0, 9.0), duration_s=1.0) == 1.0


def test_highest_rate_by_hand():
    assert qoe.highest_rate([1, 2, 4], [1.0, 0.95, 0.85]) == pytest.approx(3.0)
    assert qoe.highest_rate([1, 2], [0.5, 1.0]) == 0.0
    assert qoe.highest_rate([1, 2], [1.0, 0.9]) == 2.0


def test_stalls_by_hand():
    # due at 1, 2, 3, 4; delivered at 0.5, 2.5, 2.6, 6: behind by 0, 0.5, still 0.5, 2
    late = qoe.stalls(timeline([0.0], [[0.5, 2.5, 2.6, 6.0]]), 1.0, 1.0)
    assert late == pytest.approx([0, 0.5, 0.5, 2])


def test_andes_by_hand():
    on_time = timeline([0.0, 5.0], [[1.0, 2.0, 3.0], [5.1, 5.2, 5.3]])
    assert qoe.andes(on_time, 1.0, 1.0).tolist() == [1.0, 1.0]
    # both tokens 10 s late: short of 20, of an area of 2 * 12 - 2
    late = timeline([0.0], [[10.0, 11.0]])
    assert qoe.andes(late, 0.0, 1.0)[0] == pytest.approx(1 - 20 / 22)
    # one of two tokens never comes: the area of two to time 2 is 2 * 2 - 2, of the first alone 2 - 0.5
    assert qoe.andes(timeline([0.0], [[0.0]], wanted=[2]), 0.0, 1.0)[0] == pytest.approx(1.5 / 2)
    assert qoe.andes(DROPPED, 1.0, 1.0).tolist() == [1.0, 0.0]


def test_fluidity_by_hand():
    # first token 1 s early; the second may take 1 + 1 s and does; the third is 2.5 s late: 3 misses, one more met
    late = timeline([0.0], [[1.0, 3.0, 6.5, 7.5]])
    assert qoe.fluidity(late, 2.0, 1.0)[0] == pytest.approx(3 / 6)
    assert qoe.fluidity(timeline([0.0], [[0.1 * i for i in range(1, 99)]]), 0.1, 0.1)[0] == 1.0
    assert qoe.fluidity(DROPPED, 1.0, 1.0).tolist() == [1.0, 0.0]


def test_smooth_goodput_by_hand():
    # tokens with stalls 0 and 10 s of patience 10 s in 5 s
    got = qoe.smooth_goodput(timeline([0.0], [[0.0, 11.0]]), 0.0, 1.0, duration_s=5.0, patience_s=10.0)
    assert got == pytest.approx((1 + np.exp(-1)) / 5)


class TestTricksThatOtherMeasuresReward:
    def test_a_late_first_token_keeps_a_goodput_objective(self):
        prompt, held = timeline([0.0], [[0.1, 2.0]]), timeline([0.0], [[1.0, 2.0]])
        slo = Slo(1.0, 1.0)
        assert not qoe.attained(prompt, slo)[0] and qoe.attained(held, slo)[0]

    def test_dropping_a_late_request_does_not_lower_goodput(self):
        late, dropped = timeline([0.0], [[9.0, 9.1]]), timeline([0.0], [[]], wanted=[2])
        assert qoe.goodput(late, Slo(1, 1), 1.0) == qoe.goodput(dropped, Slo(1, 1), 1.0) == 0.0

    def test_a_later_end_raises_andes(self):
        late, later = timeline([0.0], [[10.0, 11.0]]), timeline([0.0], [[10.0, 21.0]])
        assert qoe.andes(later, 0.0, 1.0)[0] > qoe.andes(late, 0.0, 1.0)[0]

    def test_tokens_held_back_and_sent_together_raise_fluidity(self):
        slow = timeline([0.0], [[1.1 * i for i in range(1, 11)]])
        held = timeline([0.0], [[11.0] * 10])
        assert qoe.fluidity(slow, 1.0, 1.0)[0] == 0.0 and qoe.fluidity(held, 1.0, 1.0)[0] > 0.4


class TestSmoothGoodputRewardsNoTrick:
    def value(self, times, wanted=None):
        return qoe.smooth_goodput(timeline([0.0], [times], wanted), 1.0, 2.0, duration_s=10.0)

    @given(gaps, st.integers(0, 11), st.floats(0.0, 20.0))
    def test_delaying_tokens(self, steps, from_token, delay):
        times = np.cumsum(steps)
        held = np.maximum.accumulate(times + np.where(np.arange(len(times)) == from_token, delay, 0.0))
        shifted = times + np.where(np.arange(len(times)) >= from_token, delay, 0.0)
        assert self.value(held) <= self.value(times) + 1e-12
        assert self.value(shifted) <= self.value(held) + 1e-12

    @given(gaps, st.integers(0, 12))
    def test_dropping_tokens(self, steps, kept):
        times = np.cumsum(steps)
        assert self.value(times[:kept], [len(times)]) <= self.value(times) + 1e-12

    def test_dropping_a_late_request(self):
        late = timeline([0.0, 0.0], [[1.0, 1.5], [60.0, 61.0]])
        dropped = timeline([0.0, 0.0], [[1.0, 1.5], []], wanted=[2, 2])
        both = [qoe.smooth_goodput(each, 1.0, 2.0, duration_s=70.0) for each in (late, dropped)]
        assert both[0] > both[1]

    def test_the_examples_that_fool_the_others(self):
        assert self.value([0.1, 2.0]) >= self.value([1.0, 2.0])
        assert self.value([10.0, 11.0]) > self.value([10.0, 21.0])
        assert self.value([1.1 * i for i in range(1, 11)]) > self.value([11.0] * 10)


@given(gaps, st.floats(0.1, 9.0), st.floats(0.0, 4.0))
def test_measures_stay_within_their_range(steps, pace, wait):
    of = timeline([0.0], [np.cumsum(steps)], wanted=[len(steps) + 1])
    assert 0 <= qoe.andes(of, wait, pace)[0] <= 1 and 0 <= qoe.fluidity(of, wait + 0.1, 1 / pace)[0] < 1
    assert 0 < qoe.smooth_goodput(of, wait, pace, duration_s=1.0) <= len(steps)


@given(gaps, gaps)
def test_requests_do_not_mix(first, second):
    alone = [timeline([0.0], [np.cumsum(each)]) for each in (first, second)]
    both = timeline([0.0, 0.0], [np.cumsum(first), np.cumsum(second)])
    for measure in (lambda t: qoe.andes(t, 1.0, 2.0), lambda t: qoe.fluidity(t, 1.0, 0.5)):
        assert measure(both) == pytest.approx(np.concatenate([measure(each) for each in alone]), rel=1e-12)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: timeline([0.0], [[2.0, 1.0]]), "times in order"),
        (lambda: timeline([3.0], [[2.0]]), "none before the arrival"),
        (lambda: timeline([-1.0], [[2.0]]), "arrival_s"),
        (lambda: timeline([0.0], [[np.nan]]), "token_s"),
        (lambda: timeline([0.0], [[]]), "wanted = 0"),
        (lambda: timeline([0.0], [[1.0, 2.0]], wanted=[1]), "wanted = 1"),
        (lambda: timeline([0.0], [[1.0]], wanted=[1.5]), "wanted = 1.5"),
        (lambda: timeline([0.0, 1.0], [[1.0]]), "requests = 1"),
        (lambda: timeline([], []), "requests = 0"),
        (lambda: Slo(0, 1), "ttft_s = 0"),
        (lambda: Slo(1, 1, 1.5), "share = 1.5"),
        (lambda: qoe.goodput(TWO, Slo(1, 1), 0.0), "duration_s = 0.0"),
        (lambda: qoe.smooth_goodput(TWO, 1.0, -1.0, 1.0), "pace"),
        (lambda: qoe.smooth_goodput(TWO, 1.0, 1.0, 1.0, patience_s=0.0), "patience_s"),
        (lambda: qoe.andes(TWO, -1.0, 1.0), "ttft_s"),
        (lambda: qoe.fluidity(TWO, 1.0, np.inf), "tbt_s"),
        (lambda: qoe.highest_rate([2, 1], [1, 1]), "rates"),
        (lambda: qoe.highest_rate([1, 2], [1, 1.2]), "shares"),
        (lambda: quantiles([], 0.5), "values = none"),
        (lambda: quantiles([1.0], 1.5), "at = 1.5"),
        (lambda: qoe.tokens_per_s(0, tokenizer="llama_3"), "words_per_minute = 0"),
        (lambda: qoe.tokens_per_s(tokenizer="llama_9"), "tokenizer = llama_9"),
        (lambda: qoe.tokens_per_s(tokenizer="llama_3", language="Chinese"), "language = Chinese"),
    ],
)
def test_bad_input_is_one_line(call, match):
    with pytest.raises(DataError, match=match) as error:
        call()
    assert "\n" not in str(error.value)
