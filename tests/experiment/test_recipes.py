"""Recipes of the experiment without its extra: what they train on, which were taken."""

from dataclasses import replace

import pytest

from tokenomics.errors import DataError
from tokenomics.experiment import corpus, examples, prompts, search, settings, tokens
from tokenomics.experiment.examples import Recipe
from tokenomics.experiment.files import read_table, write_part, write_table
from tokenomics.experiment.wordings import UNKNOWN

MADE = corpus.make(1, 1)
TRAIN = MADE.of(corpus.TRAIN)
FOUND = {question.question: [question.fact, *(f for f in range(10) if f != question.fact)] for question in TRAIN}
CLOSED = Recipe("closed", aware=False, passes=2, wordings=3)
AWARE = Recipe("aware", aware=True, passes=1, wordings=4, chunks=3)


@pytest.fixture(autouse=True)
def text_for_tokens(monkeypatch):
    monkeypatch.setattr(tokens, "encode", lambda text: text)


def texts(made: list[list[examples.Example]]) -> list[tuple[str, str]]:
    return [(each.prompt, each.answer.removesuffix(tokens.STOP)) for some in made for each in some]


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


@pytest.mark.parametrize("made", [settings.full(), settings.tiny()])
def test_a_recipe_stands_after_the_one_it_starts_from(made):
    names = [recipe.name for recipe in made.recipes]
    starts = [(recipe.start, recipe.name) for recipe in made.recipes if recipe.start]
    assert starts and all(names.index(first) < names.index(then) for first, then in starts)
    assert [each.name for each in made.chain(starts[0][1])] == list(reversed(starts[0])) and made.chain("") == ()
    first, then = (made.recipe(name) for name in starts[0])
    assert (first.rank, first.layers) == (then.rank, then.layers)


def test_every_recipe_was_tried():
    given = settings.full()
    taken = [
        {c.name for c in settings.CANDIDATES if search.is_taken(replace(given, recipes=(r,)), "recipe", c.name)}
        for r in given.recipes
    ]
    assert all(taken), [recipe.name for recipe in given.recipes]


def test_trying_one_more_leaves_the_rows_of_others(tmp_path, monkeypatch):
    given = replace(settings.full(), out=tmp_path, work=tmp_path / "work")
    scores = {
        "exact": 0.5,
        "correct": 0.5,
        "questions": 4,
        "loss": 0.1,
        "tuning_cpu_s": 1.0,
        "what": "x",
        "source": "s",
    }
    rows = [{"kind": "recipe", "candidate": name, "chunks": 1, "changed": False} | scores for name in ("both-c", "old")]
    ran = []

    def run_all(work, settings, todo, what, after):
        ran.extend(todo)
        for kind, name in todo:
            write_part(search._part(given, kind, name), [row for row in rows if row["candidate"] == name])

    monkeypatch.setattr(search.jobs, "run_all", run_all)
    write_table(tmp_path / search.TABLE, search.COLUMNS, [row | {"taken": True} for row in rows[1:]])
    search.run(given, ["both-c"])
    found = {row["candidate"]: row["taken"] for row in read_table(tmp_path / search.TABLE)}
    assert ran == [("recipe", "both-c")] and found == {"both-c": "true", "old": "false"}
    with pytest.raises(DataError, match="candidate = both-z; allowed: lora-g, "):
        search.run(given, ["both-z"])


def test_what_was_taken():
    given = settings.full()
    styles = {s.name for s in settings.CANDIDATE_STYLES if search.is_taken(given, "prompt", s.name)}
    assert styles == {"shown", "asked_first_5"}
