"""Public configurations and the sizes that their makers publish: ``data/configurations.csv``.

``total`` and ``active`` are published numbers with the worth of their last digit; bytes of cache and state are worked
out by hand. A row with ``verified`` false has a published number that was not read at its source: its configuration is
read, its number is not asserted.
"""

import csv
import json
from pathlib import Path

import pytest

from tokenomics.compute.counts.parameters import kv_bytes_per_token, parameters, state_bytes
from tokenomics.facts.huggingface import model_from_mapping
from tokenomics.facts.sources import keys_of, sources

with (Path(__file__).parent / "data" / "configurations.csv").open(encoding="utf-8", newline="") as file:
    ROWS = {row["name"]: row for row in csv.DictReader(file)}
READ = {name: row for name, row in ROWS.items() if row["verified"] == "true"}


def read(row):
    return model_from_mapping(json.loads(row["config"]), row["name"])


def near(published, quantum, share):
    """A published number, as far as its last digit tells; or within a share of it, whatever is more."""
    return pytest.approx(float(published), abs=max(float(quantum) / 2, share * float(published)))


@pytest.mark.parametrize("name", sorted(READ))
def test_counts_are_those_published(name):
    row, count = ROWS[name], parameters(read(ROWS[name]))
    assert count.counted(row["total_counted"]) == near(row["total"], row["total_quantum"], 0.01)
    if row["active"]:
        assert count.counted(row["active_counted"], active=True) == near(row["active"], row["active_quantum"], 0.02)


@pytest.mark.parametrize("name", sorted(name for name, row in ROWS.items() if row["kv_bytes_per_token"]))
def test_the_cache_is_exact(name):
    assert kv_bytes_per_token(read(ROWS[name])) == float(ROWS[name]["kv_bytes_per_token"])


@pytest.mark.parametrize("name", sorted(ROWS))
def test_the_state_is_exact(name):
    kept = ROWS[name]["state_bytes_per_sequence"]
    model = read(ROWS[name])
    assert not kept or state_bytes(model) == float(kept)
    assert (state_bytes(model) > 0) == (model.linear_layers > 0)


def test_the_table_is_sourced_and_large():
    assert len(READ) >= 60
    assert {key for row in ROWS.values() for key in keys_of(row["source"])} <= sources().keys()


@pytest.mark.parametrize("change", [{"num_hidden_layers": 3}, {"vocab_size": 7}, {"layer_types": None}])
def test_a_changed_configuration_gives_another_count(change):
    row = ROWS["Granite-4.0-H-Tiny"]
    config = json.loads(row["config"]) | change
    other = parameters(model_from_mapping({key: value for key, value in config.items() if value is not None}, "x"))
    assert other.total != near(row["total"], 0, 0.01)
