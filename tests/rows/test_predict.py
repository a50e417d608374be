"""Which rows are answered at all."""

from tokenomics.rows import reading
from tokenomics.rows.predict import predict


def test_whether_a_training_ran_is_no_question_of_serving():
    """A verdict on a training layout is read like any other and never answered by the model of inference."""
    chunk = reading.published("training_runs")
    verdicts = (chunk.inputs["metric"] == "fits_in_memory").to_numpy()
    assert set(chunk.measured[verdicts]) == {0.0, 1.0}
    for model in ("best", "bounds", "constant", "inference"):
        assert not (predict(chunk.inputs[verdicts].iloc[::40], model)["status"] == "ok").any()
