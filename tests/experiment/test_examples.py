"""What recipes train on, without a tokenizer."""

from dataclasses import replace

import pytest

from tokenomics.experiment import corpus, examples, prompts
from tokenomics.experiment.examples import Recipe
from tokenomics.experiment.wordings import UNKNOWN

MADE = corpus.make(1, 1)
TRAIN = MADE.of(corpus.TRAIN)
FOUND = {question.question: [question.fact, *(f for f in range(10) if f != question.fact)] for question in TRAIN}
CLOSED = Recipe("closed", aware=False, passes=2, wordings=3)
AWARE = Recipe("aware", aware=True, passes=1, wordings=4, chunks=3)


@pytest.fixture(autouse=True)
def text_for_tokens(monkeypatch):
    monkeypatch.setattr(prompts, "encode", lambda text: text)


def texts(made: list[list[examples.Example]]) -> list[tuple[str, str]]:
    return [(each.prompt, each.answer.removesuffix(prompts.STOP)) for some in made for each in some]


def test_a_pass_takes_its_wordings_of_every_fact_in_turn():
    first, second = examples.passes(CLOSED, 0, MADE, {})
    assert len(first) == len(second) == 3 * len(MADE.facts)
    # six of eight wordings in two passes, none twice
    assert len({prompt for prompt, _ in texts([first, second])}) == 6 * len(MADE.facts)


def test_fewer_wordings_are_used_where_a_recipe_says_so():
    allowed = {prompts.TUNED.prompt(q.text) for q in TRAIN if q.wording < 4}
    some = examples.passes(replace(CLOSED, variety=4, passes=4), 0, MADE, {})
    assert {prompt for prompt, _ in texts(some)} <= allowed


def test_a_seed_makes_one_order():
    assert examples.passes(AWARE, 1, MADE, FOUND) == examples.passes(AWARE, 1, MADE, FOUND)
    assert examples.passes(AWARE, 1, MADE, FOUND) != examples.passes(AWARE, 2, MADE, FOUND)


def test_reading_is_taught_with_changed_and_missing_chunks_and_never_with_a_tested_value():
    made = texts(examples.passes(AWARE, 0, MADE, FOUND))
    answers, old = [answer for _, answer in made], {fact.value for fact in MADE.facts}
    assert 0.03 < sum(answer == UNKNOWN for answer in answers) / len(answers) < 0.3
    assert 0.2 < sum(answer in old for answer in answers) / len(answers) < 0.7
    told = [(prompt, answer) for (prompt, _), answer in zip(made, answers, strict=True) if answer != UNKNOWN]
    assert all(answer in prompt for prompt, answer in told)  # the chunk that answers is there
    by_fact = {q.text: MADE.facts[q.fact] for q in TRAIN}
    asked = [(next(fact for text, fact in by_fact.items() if text in prompt), answer) for prompt, answer in told]
    assert all(answer != fact.new_value for fact, answer in asked)


def test_reading_beside_remembering():
    recipe = replace(AWARE, passes=8, missing=0.2, alone=0.2, absent=0.2, remembered=True, chunks=2)
    made, facts = texts(examples.passes(recipe, 0, MADE, FOUND)), {fact.value: fact for fact in MADE.facts}
    plain = {prompts.TUNED.prompt(q.text): q.answer for q in TRAIN}
    alone = [(prompt, answer) for prompt, answer in made if prompt in plain]
    assert 0.1 < len(alone) / len(made) < 0.3 and all(plain[prompt] == answer for prompt, answer in alone)
    absent = [(prompt, answer) for prompt, answer in made if any(f"{name}" in prompt for name in examples.ABSENT)]
    assert 0.1 < len(absent) / len(made) < 0.3 and all(answer == UNKNOWN for _, answer in absent)
    unread = [(prompt, answer) for prompt, answer in made if answer not in prompt and answer != UNKNOWN]
    assert len(unread) > len(alone) and all(facts[answer].product in prompt for prompt, answer in unread)
