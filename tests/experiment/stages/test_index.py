"""The index is made once."""

from tokenomics.experiment import settings
from tokenomics.experiment.stages import corpus as corpus_stage
from tokenomics.experiment.stages import index


def test_a_kept_index_is_not_made_again(tmp_path, monkeypatch):
    given, calls = settings.tiny(tmp_path), []
    corpus_stage.run(given)
    row = {"retriever": "bm25", "question": "q0001", "chunks": "f000", "source": "own_experiment"}
    monkeypatch.setattr(index, "_searched", lambda *told: calls.append(told) or {"rows": [row], "costs": []})
    index.run(given)
    first = (given.out / "retrieval.csv").read_bytes()
    index.run(given)
    assert len(calls) == 1 and (given.out / "retrieval.csv").read_bytes() == first
