"""CodeCarbon's emissions.csv: energy, emissions, the grid between them, and the devices."""

import pytest

from tokenomics.rows.formats import codecarbon


def test_a_row(runs, measured):
    (run,) = runs("codecarbon.csv")
    assert run.kind == "training" and run.conditions == {
        **{"hardware": "NVIDIA GeForce RTX 4080 Laptop GPU", "n_gpu": 1.0, "pue": 1.0, "date": "2024-07-26"},
        **{"grid_kgco2_per_kwh": pytest.approx(0.261155), "note": "codecarbon"},
    }
    assert measured(run) == {"energy": (2.7617639148173922e-08, "kWh"), "emissions": (7.21248455174136e-09, "kgCO2e")}


def test_power_is_shared_by_the_devices(measured):
    row = {"emissions": "1", "energy_consumed": "4", "duration": "60", "gpu_count": "8", "gpu_power": "2400"}
    (run,) = codecarbon.read([[row | {"gpu_model": "8 x NVIDIA A100-SXM4-80GB"}]], None)
    assert measured(run)["average_power_per_gpu"] == (300.0, "W")
    assert run.conditions["hardware"] == "NVIDIA A100-SXM4-80GB" and run.conditions["grid_kgco2_per_kwh"] == 0.25
