"""The tables of all stages have the columns that their descriptions list."""

from tokenomics import paths
from tokenomics.experiment import search
from tokenomics.experiment.stages import corpus, evaluate, index, latency, tune
from tokenomics.facts import tables


def test_stages_write_the_columns_they_describe():
    columns = {
        "facts": corpus.FACTS,
        "questions": corpus.QUESTIONS,
        "retrieval": index.COLUMNS,
        "index_costs": index.COSTS,
        "losses": tune.LOSSES,
        "tuning_runs": tune.RUNS,
        "predictions": evaluate.PREDICTIONS,
        "answering_costs": evaluate.COSTS,
        "latency": latency.COLUMNS,
        "environment": ("name", "value", "source"),
        "recipes_tried": search.COLUMNS,
    }
    described = paths.DATA / "experiments"
    assert {path.stem for path in described.glob("*.csv")} == {*columns, "published_studies"}
    for name, written in columns.items():
        assert tuple(tables.read_meta(described / f"{name}.csv").columns) == tuple(written), name
