"""What is asked: what is missing, stated twice or out of range is refused, what is filled in is listed."""

import numpy as np
import pytest

from tokenomics.answers.question import REQUESTS, ask
from tokenomics.errors import DataError, Infeasible

STATED = {"rate": 20, "prompt": 1500, "output": 300}
PAIR = ("Llama-3.1-70B", "H100-SXM-80GB")


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"rate": None}, "rate, users_per_day"),
        ({"users_per_day": 1000}, "rate, users_per_day"),
        ({"rate": -1}, "rate"),
        ({"prompt": None}, "prompt"),
        ({"prompt": 0.5}, "prompt"),
        ({"workload": "azure_code_2023"}, "workload"),
        ({"attain": 1.0}, "attain"),
        ({"tpot_ms": 0}, "tpot_ms"),
        ({"spares": -1}, "spares"),
        ({"tp": 1.5}, "tp"),
        ({"tp": "two"}, "tp"),
        ({"spares": None}, "spares"),
        ({"attain": "most"}, "attain"),
        ({"format": -1}, "format"),
        ({"kv_format": [8]}, "kv_format"),
        ({"engine": 0.19}, "engine"),
        ({"price_list": "nobody"}, "price_list"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(change, key):
    with pytest.raises(DataError) as refused:
        ask(*PAIR, **STATED | change)
    assert refused.value.key == key


def test_a_request_beyond_the_context_is_infeasible():
    with pytest.raises(Infeasible, match="131072"):
        ask(*PAIR, **STATED | {"prompt": 131072})


def test_users_are_served_at_the_peak_of_their_day_and_billed_for_its_mean():
    asked = ask(*PAIR, users_per_day=86400, requests_per_user=2, prompt=10, output=10)
    assert asked.mean_rps == pytest.approx(2)
    assert asked.peak_rps == pytest.approx(2 * (1 + 0.5 * np.cos(2 * np.pi * 0.5 / 24)))
    assert "0.5 swing of the day" in asked.assumed and not any("requests a user" in each for each in asked.assumed)


def test_lengths_come_from_a_workload_or_are_all_alike():
    alike, drawn = ask(*PAIR, **STATED), ask(*PAIR, rate=1, workload="azure_code_2023")
    assert alike.means == (1500, 300) and len(alike.requests(2.0)) == REQUESTS
    assert len(set(drawn.prompt)) > 100 and drawn.longest > max(drawn.means)


def test_stated_sizes_make_the_layouts_that_are_tried():
    assert ask(*PAIR, **STATED).pinned() == []
    assert [(each.tp, each.pp) for each in ask(*PAIR, **STATED, tp=4).pinned()] == [(4, 1), (4, 2), (4, 4), (4, 8)]
    assert [each.ep for each in ask("DeepSeek-V3", PAIR[1], **STATED, tp=8, pp=2).pinned()] == [1, 8]
    with pytest.raises(Infeasible, match="64 heads"):
        ask(*PAIR, **STATED, tp=7).pinned()
