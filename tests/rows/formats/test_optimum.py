"""optimum-benchmark: the same run as JSON and as a row of CSV; runs that failed; energy is a table of its own."""

import pytest


@pytest.mark.parametrize("name", ["optimum.json", "optimum.csv"])
def test_a_run_and_its_energy(runs, measured, name):
    run, energy = runs(name)
    assert run.conditions == {
        **{"load": "static", "model": "meta-llama/Llama-2-7b-hf", "hardware": "NVIDIA A10G", "n_gpu": 1, "tp": 1},
        **{"precision": "bnb int4", "isl": 256.0, "osl": 64.0, "batch": 4.0},
        **{"engine": "transformers 4.44.2", "engine_version": "4.44.2"},
    }
    assert measured(run) == {
        **{"ttft": (0.37, "s"), "ttft_p50": (0.368, "s"), "ttft_p90": (0.38, "s"), "ttft_p95": (0.385, "s")},
        **{"ttft_p99": (0.39, "s"), "tpot": (0.032, "s"), "tpot_p50": (0.0318, "s"), "tpot_p90": (0.033, "s")},
        **{"tpot_p95": (0.034, "s"), "tpot_p99": (0.036, "s"), "prefill_tok_s": (2767.6, "tok/s")},
        **{"decode_tok_s_per_user": (124.75 / 4, "tok/s"), "gpu_memory_used": (5800.0, "MB")},
    }
    joules = (2e-5 + 1.08e-4) * 3.6e6 / (4 * 64)
    assert energy.kind == "energy" and measured(energy) == {
        "energy_per_output_token": (pytest.approx(joules), "J/token")
    }
