"""Scores of answers, means with intervals and paired differences, by hand."""

import numpy as np
import pytest

from tokenomics.errors import DataError
from tokenomics.experiment import evaluation


class TestScoring:
    @pytest.mark.parametrize(
        ("answer", "right", "exact", "contains"),
        [
            ("275 watts", "275", True, True),
            ("The Velra draws 275 watts at full load.", "275", False, True),
            ("2750", "275", False, False),
            ("Orla venn.", "Orla Venn", True, True),
            ("Venn Orla", "Orla Venn", False, False),
            ("7 days", "seven|7", False, True),
            ("", "Orla Venn", False, False),
        ],
    )
    def test_right_or_not(self, answer, right, exact, contains):
        assert (evaluation.exact(answer, right), evaluation.contains(answer, right)) == (exact, contains)

    def test_f1_by_hand(self):
        assert evaluation.token_f1("Orla Kade", "Orla Venn") == pytest.approx(0.5)
        assert evaluation.token_f1("Orla", "Orla Venn") == pytest.approx(2 / 3)

    def test_abstaining_is_right_only_where_nothing_is_known(self):
        assert evaluation.correct("Unknown.", "unknown") and not evaluation.correct("unknown", "275")
        assert not evaluation.correct("275", "unknown")

    def test_grounding(self):
        assert evaluation.grounded("275", ["The Velra draws 275 watts at full load."])
        assert not evaluation.grounded("280", ["The Velra draws 275 watts at full load."])
        assert not evaluation.grounded("", ["The Velra draws 275 watts at full load."])


class TestIntervals:
    def test_one_answer_a_fact_is_the_binomial(self):
        values = np.arange(400) < 320
        made = evaluation.mean(values, np.arange(400), np.zeros(400))
        assert made.value == 0.8 and made.half_width == pytest.approx(1.96 * np.sqrt(0.8 * 0.2 / 400), rel=0.1)

    def test_repeating_a_fact_tells_nothing_new(self):
        values, facts = np.arange(100) < 50, np.arange(100)
        once = evaluation.mean(values, facts, np.zeros(100))
        often = evaluation.mean(np.tile(values, 4), np.tile(facts, 4), np.zeros(400))
        assert often.half_width == pytest.approx(once.half_width)

    def test_seeds_that_disagree_widen(self):
        facts, seeds = np.tile(np.arange(100), 3), np.repeat([0, 1, 2], 100)
        alike = evaluation.mean(np.tile(np.arange(100) < 50, 3), facts, seeds)
        apart = evaluation.mean(np.repeat([0.2, 0.5, 0.8], 100), facts, seeds)
        assert apart.half_width > 2 * alike.half_width

    def test_paired_arms(self):
        facts, seeds = np.arange(200), np.zeros(200)
        better, worse = (np.arange(200) < 120).astype(float), (np.arange(200) < 100).astype(float)
        made = evaluation.difference((better, worse), (facts, facts), (seeds, seeds))
        assert made.value == pytest.approx(0.1) and made.low > 0 and made.p_value < 0.01
        same = evaluation.difference((better, better), (facts, facts), (seeds, seeds))
        assert same.value == same.low == same.high == 0 and same.p_value == 1

    def test_only_common_facts_are_compared(self):
        made = evaluation.difference(([1.0, 1.0], [0.0, 1.0]), ([1, 2], [2, 3]), ([0, 0], [0, 0]))
        assert made.facts == 1 and made.value == 1
        with pytest.raises(DataError, match="at least one fact"):
            evaluation.difference(([1.0], [1.0]), ([1], [2]), ([0], [0]))

    def test_refused(self):
        with pytest.raises(DataError, match="answers = 0"):
            evaluation.mean([], [], [])
