"""The knowledge base: as large and as distinct as promised, refused where it cannot be."""

import pytest

from tokenomics.errors import DataError
from tokenomics.experiment import corpus, evaluation

MADE = corpus.make()
QUESTIONS = {split: MADE.of(split) for split in (corpus.TRAIN, corpus.DEV, *corpus.SPLITS)}


def test_is_as_large_as_promised():
    assert len({fact.product for fact in MADE.facts}) >= 48 and len(MADE.facts) >= 200
    assert sum(bool(fact.new_value) for fact in MADE.facts) >= 160
    assert all(len(QUESTIONS[split]) >= 200 for split in corpus.SPLITS[:5])


def test_wordings_do_not_meet():
    texts = [{question.text for question in QUESTIONS[split]} for split in ("train", "dev", "unseen")]
    assert not texts[0] & texts[1] and not texts[0] & texts[2] and not texts[1] & texts[2]
    assert {question.text for question in QUESTIONS["seen"]} <= texts[0]


def test_values_are_told_apart():
    by_relation = {}
    for fact in MADE.facts:
        by_relation.setdefault(fact.relation, []).extend(filter(None, (fact.value, fact.new_value)))
    assert all(len(values) == len(set(values)) for values in by_relation.values())


def test_answers_stand_in_their_chunks():
    for split in ("train", "dev", "seen", "unseen", "updated"):
        chunks = MADE.chunks(split == "updated")
        assert all(evaluation.contains(chunks[q.fact], q.answer) for q in QUESTIONS[split])
    old = MADE.chunks()
    assert not any(evaluation.contains(old[q.fact], q.answer) for q in QUESTIONS["updated"])


def test_a_seed_makes_one_corpus():
    assert corpus.make(1, 2) == corpus.make(1, 2) != corpus.make(2, 2)


def test_refused():
    with pytest.raises(DataError, match="families = 11; allowed: 1 to 10"):
        corpus.make(1, 11)
    with pytest.raises(DataError, match="chunks = 0; allowed: at least one chunk"):
        corpus.check(corpus.Corpus((), ()), 1)
    with pytest.raises(DataError, match="k = 300; allowed: 1 to 250"):
        corpus.check(MADE, 300)
