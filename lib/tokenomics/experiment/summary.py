"""From the committed tables to what a reader wants: scored answers, arms with intervals, kinds of error, retrieval.

Rows are plain mappings, as ``table.to_dict("records")`` gives them; empty cells may be ``None`` or not a number.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tokenomics.errors import DataError
from tokenomics.experiment import evaluation, retrieval
from tokenomics.experiment.corpus import sentence

Row = Mapping[str, Any]
METRICS = ("correct", "exact", "f1", "abstains", "grounded")
KINDS = ("right", "abstained", "old value", "from another given chunk", "of another product", "other")
"""Where a wrong answer comes from, in the order in which it is looked for."""


@dataclass(frozen=True)
class Scored:
    """An answer and what it is worth; ``grounded`` is ``None`` where no chunk was given."""

    arm: str
    chunks: int
    seed: int
    split: str
    question: str
    fact: str
    correct: bool
    exact: bool
    f1: float
    abstains: bool
    grounded: bool | None
    kind: str
    prompt_tokens: int
    output_tokens: int


def scored(
    predictions: Iterable[Row],
    questions: Iterable[Row],
    facts: Sequence[Row],
    found: Iterable[Row],
    oracle: str = "oracle",
) -> list[Scored]:
    """Every answer with its scores.

    Args:
        predictions, questions, facts: the tables.
        found: rows of the ranking that arms were given (``hybrid``).
        oracle: the arm that was given the chunk that answers.

    Raises:
        DataError: an answer to a question that is not in the table.
    """
    asked = {row["question"]: row for row in questions}
    by_key = {row["fact"]: row for row in facts}
    ranking = {row["question"]: row["chunks"].split() for row in found}
    made = []
    for row in predictions:
        if (question := asked.get(row["question"])) is None:
            raise DataError("predictions", "question", row["question"], "a key of questions.csv")
        depth = int(row["chunks"])
        keys = [question["fact"]] if row["arm"] == oracle else ranking.get(row["question"], [])[:depth]
        made.append(_one(row, question, by_key, keys))
    return made


def arms(answers: Sequence[Scored], metric: str = "correct") -> list[dict[str, Any]]:
    """Mean and 95 % interval of every arm, number of chunks and split.

    Raises:
        DataError: an unknown metric.
    """
    if metric not in METRICS:
        raise DataError("arms", "metric", metric, ", ".join(METRICS))
    groups: dict[tuple, list[Scored]] = {}
    for each in answers:
        if getattr(each, metric) is not None:
            groups.setdefault((each.arm, each.chunks, each.split), []).append(each)
    rows = []
    for (arm, chunks, split), some in sorted(groups.items()):
        mean = evaluation.mean(*columns(some, metric))
        tokens = {name: float(np.mean([getattr(s, name) for s in some])) for name in ("prompt_tokens", "output_tokens")}
        rows.append({"arm": arm, "chunks": chunks, "split": split, **vars(mean), **tokens})
    return rows


def columns(answers: Sequence[Scored], metric: str = "correct") -> tuple[list, list, list]:
    """Values, facts and seeds of answers, for :mod:`.evaluation`; without a fact the question stands for it."""
    return (
        [float(getattr(each, metric)) for each in answers],
        [each.fact or each.question for each in answers],
        [each.seed for each in answers],
    )


def pick(answers: Iterable[Scored], arm: str, chunks: int, split: str) -> list[Scored]:
    """Answers of an arm with so many chunks to a split."""
    return [each for each in answers if (each.arm, each.chunks, each.split) == (arm, chunks, split)]


def better(answers: Sequence[Scored], first: tuple[str, int], second: tuple[str, int], split: str):
    """The paired difference between two arms on a split, see :func:`.evaluation.difference`."""
    both = [columns(pick(answers, *arm, split)) for arm in (first, second)]
    return evaluation.difference(*zip(*both, strict=True))


def kinds(answers: Iterable[Scored]) -> dict[str, int]:
    """How many answers are of each of :data:`KINDS`."""
    counts = Counter(each.kind for each in answers)
    return {kind: counts[kind] for kind in KINDS}


def retrievers(found: Iterable[Row], questions: Iterable[Row], depths: Sequence[int] = (1, 2, 3, 4, 5)) -> list[dict]:
    """Recall at each depth and mean reciprocal rank, by retriever and split of questions that one chunk answers."""
    asked = {row["question"]: row for row in questions}
    groups: dict[tuple[str, str], list[tuple[list[int], int]]] = {}
    for row in found:
        question = asked[row["question"]]
        if question["split"] in ("dev", "seen", "unseen", "updated"):
            numbers = [int(key[1:]) for key in row["chunks"].split()]
            groups.setdefault((row["retriever"], question["split"]), []).append((numbers, int(question["fact"][1:])))
    rows = []
    for (name, split), pairs in sorted(groups.items()):
        ranking, gold = np.array([numbers for numbers, _ in pairs]), [fact for _, fact in pairs]
        found_at = {f"recall_{k}": float(retrieval.recall(ranking, gold, k).mean()) for k in depths}
        mrr = float(retrieval.reciprocal_rank(ranking, gold).mean())
        rows.append({"retriever": name, "split": split, "questions": len(gold), **found_at, "mrr": mrr})
    return rows


def _one(row: Row, question: Row, facts: Mapping[str, Row], keys: Sequence[str]) -> Scored:
    answer, right = _text(row["answer"]), question["answer"]
    updated = question["split"] == "updated"
    given = [facts[key] for key in keys]
    texts = [sentence(fact["relation"], fact["product"], _value(fact, updated)) for fact in given]
    correct = evaluation.correct(answer, right)
    return Scored(
        **{key: row[key] for key in ("arm", "question")},
        **{key: int(row[key]) for key in ("chunks", "seed", "prompt_tokens", "output_tokens")},
        split=question["split"],
        fact=_text(question["fact"]),
        correct=correct,
        exact=evaluation.exact(answer, right),
        f1=evaluation.token_f1(answer, right),
        abstains=evaluation.abstains(answer),
        grounded=evaluation.grounded(answer, texts) if texts else None,
        kind=_kind(answer, correct, question, facts, given),
    )


def _kind(answer: str, correct: bool, question: Row, facts: Mapping[str, Row], given: Sequence[Row]) -> str:
    own = facts.get(_text(question["fact"]))
    updated = question["split"] == "updated"
    others = (fact for fact in facts.values() if own is None or fact["product"] != own["product"])
    tests = (
        lambda: correct,
        lambda: evaluation.abstains(answer),
        lambda: own is not None and updated and evaluation.contains(answer, own["value"]),
        lambda: any(evaluation.contains(answer, _value(fact, updated)) for fact in given),
        lambda: any(evaluation.contains(answer, fact["value"]) for fact in others),
        lambda: True,
    )
    return next(kind for kind, holds in zip(KINDS, tests, strict=True) if holds())


def _value(fact: Row, updated: bool) -> str:
    new = _text(fact["new_value"])
    return new if updated and new else str(fact["value"])


def _text(cell: Any) -> str:
    """A cell as text: empty where the table has none."""
    return cell if isinstance(cell, str) else ""
