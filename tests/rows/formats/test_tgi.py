"""TGI's benchmark: merged cells, one run a batch size, equal neighbours."""


def test_a_run_of_each_batch(runs, measured):
    one, many = runs("tgi.md")
    assert one.conditions == {
        **{"load": "static", "batch": 1.0, "engine": "TGI", "model": "meta-llama/Llama-3.1-8B-Instruct"},
        **{"isl": 1000.0, "osl": 64.0},
    }
    assert many.conditions["batch"] == 32.0
    assert measured(many)["ttft"] == (1801.5, "ms") and measured(many)["ttft_p90"] == (1803.0, "ms")
    assert measured(many)["tpot"] == (15.75, "ms") and measured(many)["tpot_p50"] == (15.7, "ms")


def test_an_empty_cell_is_merged_with_the_one_above(runs, measured):
    one, many = runs("tgi.md")
    assert measured(one)["tpot_p90"] == measured(many)["tpot_p90"] == (15.9, "ms")
    assert measured(many)["tpot_p99"] == (16.0, "ms")
