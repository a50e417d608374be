"""From small tables to scored answers, arms and retrievers."""

import pytest

from tokenomics.errors import DataError
from tokenomics.experiment import summary


class TestSummary:
    facts = (
        {"fact": "f000", "product": "Velra", "relation": "town", "value": "Pelley", "new_value": "Zanley"},
        {"fact": "f001", "product": "Torvik", "relation": "town", "value": "Osthill", "new_value": ""},
    )
    questions = (
        {"question": "q0000", "split": "unseen", "fact": "f000", "answer": "Pelley"},
        {"question": "q0001", "split": "updated", "fact": "f000", "answer": "Zanley"},
        {"question": "q0002", "split": "unanswerable", "fact": float("nan"), "answer": "unknown"},
    )
    found = tuple({"retriever": "hybrid", "question": q, "chunks": "f001 f000"} for q in ("q0000", "q0001", "q0002"))

    def score(self, *rows):
        given = [
            {"arm": arm, "chunks": k, "seed": 0, "question": question, "answer": answer}
            | {"prompt_tokens": 10, "output_tokens": 2}
            for arm, k, question, answer in rows
        ]
        return summary.scored(given, self.questions, self.facts, self.found)

    @pytest.mark.parametrize(
        ("arm", "k", "question", "answer", "kind"),
        [
            ("rag", 2, "q0000", "Pelley", "right"),
            ("rag", 1, "q0000", "Osthill", "from another given chunk"),
            ("lora", 0, "q0000", "Osthill", "of another product"),
            ("lora", 0, "q0001", "Pelley", "old value"),
            ("lora", 0, "q0001", "Zanley", "right"),
            ("rag", 2, "q0002", "unknown", "right"),
            ("rag", 2, "q0000", "unknown", "abstained"),
            ("rag", 2, "q0000", float("nan"), "other"),
        ],
    )
    def test_kinds_of_error(self, arm, k, question, answer, kind):
        (made,) = self.score((arm, k, question, answer))
        assert made.kind == kind and made.correct == (kind == "right")

    def test_grounding_looks_at_what_was_given(self):
        one, two, oracle, closed = self.score(
            ("rag", 1, "q0000", "Pelley"),
            ("rag", 2, "q0000", "Pelley"),
            ("oracle", 1, "q0001", "Zanley"),
            ("lora", 0, "q0000", "Pelley"),
        )
        assert (one.grounded, two.grounded, oracle.grounded, closed.grounded) == (False, True, True, None)

    def test_arms_and_pairs(self):
        answers = self.score(("rag", 1, "q0000", "Osthill"), ("lora", 0, "q0000", "Pelley"))
        assert [(row["arm"], row["value"]) for row in summary.arms(answers)] == [("lora", 1.0), ("rag", 0.0)]
        assert summary.better(answers, ("lora", 0), ("rag", 1), "unseen").value == 1.0
        with pytest.raises(DataError, match="metric = speed"):
            summary.arms(answers, "speed")

    def test_retrievers(self):
        (row, *_) = summary.retrievers(self.found, self.questions, (1, 2))
        assert (row["recall_1"], row["recall_2"], row["mrr"]) == (0.0, 1.0, 0.5)

    def test_an_unknown_question_is_refused(self):
        with pytest.raises(DataError, match="question = q9999"):
            self.score(("rag", 1, "q9999", "Pelley"))
