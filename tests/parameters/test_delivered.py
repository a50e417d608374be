"""Every allowed value delivers a result: a few runs now, the committed table of all that were tried, and refusals."""

import csv
import json

import pytest

from tokenomics import paths
from tokenomics.errors import DataError
from tokenomics.parameters import loading
from tokenomics.sections import registry

TABLE = paths.ROOT / "tests" / "parameters" / "delivered.csv"
TRIED = {"01_ubiquitous_llms": 10, "02_rag_vs_finetuning": 5, "03_training_xpus": 10, "04_inference_xpus": 10}
TRIED |= {"05_tokenomics_qoe": 9}


@pytest.fixture
def benchmark(monkeypatch):
    """The modules that draw parameters and run them."""
    monkeypatch.syspath_prepend(paths.ROOT / "benchmarks" / "parameters")
    import cases
    import deliver

    return cases, deliver


@pytest.fixture
def tried(benchmark):
    _, deliver = benchmark
    return list(deliver.read(TABLE).values())


def test_all_that_was_tried_delivered_and_is_still_allowed(tried):
    with TABLE.open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == len(tried), "no case twice"
    for row in tried:
        assert row["delivered"] == "yes" and not row["error"], row
        overrides = [f"{key}={json.dumps(value)}" for key, value in json.loads(row["parameters"]).items()]
        loading.load(registry.declared(row["notebook"]), None, overrides)
    for notebook, least in TRIED.items():
        assert sum(row["notebook"] == notebook for row in tried) >= least


def test_cases_reach_every_parameter_and_every_name(benchmark):
    cases, _ = benchmark
    for notebook in registry.NOTEBOOKS:
        drawn = cases.drawn(notebook)
        assert drawn == cases.drawn(notebook), "the same each time"
        assert {key for case in drawn for key in case} == set(registry.declared(notebook).model_fields)
    named = {case["own_model"] for case in cases.drawn("03_training_xpus") if "own_model" in case}
    assert len(named) > 150


@pytest.mark.parametrize(
    ("notebook", "overrides"),
    [("01_ubiquitous_llms", {"last_year": 2020}), ("03_training_xpus", {"tokens": 1e-3, "largest_fleet": 10})],
)
def test_extremes_deliver(benchmark, notebook, overrides):
    cases, deliver = benchmark
    key = notebook, json.dumps(cases.QUICK[notebook] | overrides)
    (row,) = deliver.run_all([key], 1)
    assert (row["delivered"], row["error"]) == ("yes", "")


def test_what_ends_a_run_is_a_row(benchmark):
    _, deliver = benchmark
    (row,) = deliver.run_all([("01_ubiquitous_llms", '{"last_year": 2011}')], 1)
    assert row["delivered"] == "no" and "last_year" in row["error"]


@pytest.mark.parametrize(
    ("notebook", "override", "words"),
    [
        ("01_ubiquitous_llms", "last_year=2011", "first_year = 2018; allowed: before last_year = 2011"),
        ("01_ubiquitous_llms", "first_year=2034", "before last_year"),
        ("02_rag_vs_finetuning", "price_year=2011", "a year of which there are lists"),
        (
            "02_rag_vs_finetuning",
            "products=[GPT-5]",
            "products = GPT-5; allowed: a product with a verified price",
        ),
        ("02_rag_vs_finetuning", "own_accelerator=TPU-v5p", "one that skypilot_catalog rents; nearest: "),
        ("04_inference_xpus", "prompt_tokens=1000000", "a model that reads 1000256 tokens; it reads 131072"),
        ("04_inference_xpus", "batch=100000", "1024 H100-SXM-80GB do not hold 100000 requests"),
        ("05_tokenomics_qoe", "own_accelerator=TPU-v5p", "one that skypilot_catalog rents; nearest: "),
    ],
)
def test_parameters_that_exclude_each_other_are_one_line(notebook, override, words):
    with pytest.raises(DataError) as error:
        loading.load(registry.declared(notebook), None, [override])
    assert words in str(error.value) and "\n" not in str(error.value)
