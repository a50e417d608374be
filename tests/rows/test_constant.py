"""The constant: what it knows of a device holds for that device, not for another one of its name."""

import dataclasses

from tokenomics.facts import catalogue
from tokenomics.rows.constant import efficiency


def test_another_device_of_a_known_name_takes_its_generation():
    a100 = catalogue.accelerator("A100-SXM-80GB")
    namesake = dataclasses.replace(a100, memory_bytes=96e9)
    renamed = dataclasses.replace(namesake, name="mine")
    own, other, generation = (efficiency("mfu", "training", each, "none") for each in (a100, namesake, renamed))
    assert own != other == generation
