"""What is known of a model or an accelerator: plain values, with a source."""

import json

import pytest

from tokenomics.answers.show import show
from tokenomics.errors import DataError
from tokenomics.facts.sources import keys_of, sources


@pytest.mark.parametrize(
    ("kind", "name", "numbers"),
    [
        ("model", "llama 3.1 70b", {"layers": 80, "parameters": 70553706496, "kv_bytes_per_token": 327680}),
        ("xpu", "H100 SXM 80GB", {"memory_bytes": 80e9, "link_devices": 8, "bandwidth_bytes_per_s": 3.35e12}),
    ],
)
def test_facts_are_plain_values_at_the_top(kind, name, numbers):
    found = json.loads(json.dumps(show(kind, name).as_dict()))
    assert {key: found[key] for key in numbers} == numbers
    assert set(keys_of(found["source"])) <= sources().keys() and found["verified"] is True


def test_the_rent_has_its_list_and_its_day():
    found = show("xpu", "H100-SXM-80GB").as_dict()
    assert found["usd_per_hour"] > 0 and found["usd_per_hour_source"] in sources() and found["usd_per_hour_date"]
    assert "usd_per_hour" not in show("xpu", "MI300X").values


def test_print_gives_units():
    assert "memory_bytes            80,000,000,000 byte" in str(show("xpu", "H100-SXM-80GB"))


@pytest.mark.parametrize(("kind", "name", "words"), [("gpu", "H100", "model, xpu"), ("xpu", "H1000", "nearest")])
def test_what_nobody_knows_is_refused(kind, name, words):
    with pytest.raises(DataError, match=words):
        show(kind, name)
