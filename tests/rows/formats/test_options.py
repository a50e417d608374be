"""What options fill, what they replace, and what is asked for."""

import pytest

from tokenomics.errors import DataError, TokenomicsError
from tokenomics.rows.formats import options
from tokenomics.rows.formats.run import Run


def test_names_replace_and_numbers_only_fill():
    run = Run({"model": "/x/y", "isl": 100.0, "load": "closed", "batch": 8})
    against = options.fill(run, {"model": "Qwen3-8B", "isl": 50.0, "osl": 20.0, "tp": 2, "pp": 2, "batch": 8})
    assert against == {"isl": 100.0}
    assert run.conditions == {
        **{"model": "Qwen3-8B", "isl": 100.0, "osl": 20.0, "load": "closed", "batch": 8, "tp": 2, "pp": 2, "n_gpu": 4}
    }


@pytest.mark.parametrize(
    ("given", "load"), [({"rate_qps": 2.0}, "open"), ({"batch": 4}, "closed"), ({"rate_qps": 2.0, "batch": 4}, "open")]
)
def test_the_load_follows_from_what_is_given(given, load):
    run = Run()
    options.fill(run, given)
    assert run.conditions["load"] == load


def test_what_has_no_meaning_for_a_run_is_not_filled():
    offline, training = Run({"load": "mlperf_offline"}), Run(kind="training")
    for run in (offline, training):
        options.fill(run, {"batch": 8, "rate_qps": 2.0, "tp": 1})
    assert offline.conditions == {"load": "mlperf_offline", "tp": 1, "n_gpu": 1}
    assert training.conditions == {"tp": 1, "n_gpu": 1}


def test_what_is_missing_is_asked_for_with_the_line_to_type():
    run = Run({"model": "Qwen3-8B", "isl": 1, "osl": 1, "load": "max"})
    with pytest.raises(TokenomicsError) as told:
        options.ask([("mine.json", run)], ["convert", "a b/mine.json"], {"kv_precision": "fp8", "tp": None})
    assert str(told.value) == (
        "mine.json does not state the accelerator, the layout and the precision: tokenomics convert 'a b/mine.json' "
        "--kv-precision fp8 --xpu NAME --tp N --precision bf16"
    )


def test_several_files_ask_once():
    run = Run(needs=("model",))
    with pytest.raises(
        TokenomicsError, match=r"^a and 1 more do not state the model: tokenomics score d --model NAME$"
    ):
        options.ask([("a", run), ("a", run), ("b", run)], ["score", "d"], {})


def test_nothing_missing_asks_nothing():
    options.ask([("a", Run({"model": "m"}, needs=("model",)))], ["convert"], {})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tpp": 1}, "option = tpp"),
        ({"tp": 1.5}, "tp = 1.5"),
        ({"tp": 0}, "a whole number > 0"),
        ({"rate": float("nan")}, "a number > 0"),
        ({"prompt": "x"}, "prompt = x"),
        ({"batch": True}, "batch = True"),
    ],
)
def test_options_are_checked(given, said):
    with pytest.raises(DataError, match=said):
        options.columns_of(given)
