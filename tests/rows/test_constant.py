"""The constant: what it knows of a device holds for that device, not for another one of its name."""

import dataclasses

from tokenomics.facts import catalogue, measurements
from tokenomics.rows.constant import efficiency, ratios


def test_another_device_of_a_known_name_takes_its_generation():
    a100 = catalogue.accelerator("A100-SXM-80GB")
    namesake = dataclasses.replace(a100, memory_bytes=96e9)
    renamed = dataclasses.replace(namesake, name="mine")
    own, other, generation = (efficiency("mfu", "training", each, "none") for each in (a100, namesake, renamed))
    assert own != other == generation


def test_a_sweep_of_layouts_is_no_baseline():
    """Thousands of layouts, bad ones on purpose, would say that training runs at a tenth of what it does."""
    table = measurements.read("training_runs")
    swept = set(table.loc[table["kind"] == measurements.SWEEP, "case"])
    adapters = set(table.loc[table["kind"] == measurements.ADAPTERS, "case"])
    assert swept and adapters and not (swept | adapters) & set(ratios()["case"])
