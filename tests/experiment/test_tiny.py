"""The checks of the tiny chain: wrong numbers fail them."""

import pytest

from tokenomics.errors import RunError
from tokenomics.experiment import tiny

GOOD = {("base", "unseen"): 0.0, ("rag", "unseen"): 0.5, ("rag", "updated"): 0.5, ("lora", "updated"): 0.0}


def test_good_runs_pass():
    tiny.check([5.0, 0.5], GOOD)


@pytest.mark.parametrize(
    ("losses", "changed", "text"),
    [
        ([5.0, 4.0], {}, "the loss does not fall"),
        ([5.0, 0.5], {("rag", "unseen"): 0.0}, "no better with chunks"),
        ([5.0, 0.5], {("lora", "updated"): 0.6}, "tuned is not worse on changed facts"),
    ],
)
def test_wrong_numbers_fail(losses, changed, text):
    with pytest.raises(RunError, match=text):
        tiny.check(losses, GOOD | changed)
