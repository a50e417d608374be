"""``python -m tokenomics.experiment.search``: choosing recipes and prompts on a smaller corpus, development wording.

Every candidate that was tried has rows in ``recipes_tried.csv``, whether it was taken or not. Test wordings are not
looked at, nor are the values that facts change to: recipes that must read are asked about other drawn values.
"""

import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tokenomics.errors import DataError
from tokenomics.experiment import jobs, prompts, settings, stages
from tokenomics.experiment.corpus import DEV, TRAIN, Corpus, sentence
from tokenomics.experiment.examples import Recipe, drawn_value
from tokenomics.experiment.jobs import read_part, read_table, write_part, write_table
from tokenomics.experiment.settings import Settings
from tokenomics.experiment.stages.corpus import SOURCE

COLUMNS = (
    "kind",
    "candidate",
    "taken",
    "chunks",
    "changed",
    "questions",
    "exact",
    "correct",
    "loss",
    "tuning_cpu_s",
    "what",
    "source",
)
DEPTHS = (1, 3, 5)
TABLE = "recipes_tried.csv"


def run(given: Settings, names: Sequence[str] = ()) -> None:
    """Write the rows of these candidates (all by default) into ``recipes_tried.csv``; finished ones are kept.

    Rows of other candidates stay as they are: some were tried on wordings that have changed since.

    Raises:
        DataError: an unknown candidate.
    """
    known = [("recipe", each.name) for each in settings.CANDIDATES]
    known += [("prompt", each.name) for each in settings.CANDIDATE_STYLES]
    if unknown := set(names) - {name for _, name in known}:
        raise DataError("search", "candidate", sorted(unknown)[0], ", ".join(name for _, name in known))
    todo = [job for job in known if not names or job[1] in names]
    jobs.run_all(try_one, given, todo, "search", after=_after(todo))
    rows = [row for job in todo for row in read_part(_part(given, *job))]
    table = given.out / TABLE
    if table.is_file():
        rows += [row for row in read_table(table) if (row["kind"], row["candidate"]) not in todo]
    for row in rows:
        job = (row["kind"], row["candidate"])
        row["taken"] = job in known and is_taken(given, *job)
    rows.sort(key=lambda row: (row["kind"], row["candidate"], int(row["chunks"]), str(row["changed"]).lower()))
    write_table(table, COLUMNS, rows)


def is_taken(given: Settings, kind: str, name: str) -> bool:
    """Whether the experiment uses a candidate, whatever it is called and however many passes it makes there."""
    if kind == "recipe":
        recipe = _recipe(name)
        return any(_likened(each, recipe) == recipe for each in given.recipes)
    style = next(style for style in settings.CANDIDATE_STYLES if style.name == name)
    return any(replace(arm.style, name=name) == style for arm in given.arms)


def _likened(taken: Recipe, candidate: Recipe) -> Recipe:
    """A recipe of the experiment under the candidate's names, trained as long as that."""
    told = {key: getattr(candidate, key) for key in ("name", "passes", "wordings")}
    return replace(taken, **told, start=taken.start and candidate.start)


def _recipe(name: str) -> Recipe:
    return next(recipe for recipe in settings.CANDIDATES if recipe.name == name)


def _after(todo: Sequence[tuple[str, str]]) -> dict[tuple[str, str], tuple[str, str]]:
    """The candidate that another one starts from, where both are tried."""
    starts = {job: ("recipe", _recipe(job[1]).start) for job in todo if job[0] == "recipe"}
    return {job: start for job, start in starts.items() if start in todo}


def try_one(given: Settings, job: tuple[str, str], slot: int) -> None:
    """One candidate: tune where it says so, answer the development questions with each number of chunks."""
    kind, name = job
    part = _part(given, kind, name)
    if part.is_file():
        return
    jobs.one_thread()
    from tokenomics.experiment import corpus, llama

    made = corpus.make(given.corpus_seed, settings.SEARCH_FAMILIES)
    key = {"kind": kind, "candidate": name, "source": SOURCE}
    if kind == "prompt":
        style = next(style for style in settings.CANDIDATE_STYLES if style.name == name)
        key |= {"what": repr(style), "loss": "", "tuning_cpu_s": ""}
        model, asked = llama.load(), [(k, False) for k in DEPTHS]
    else:
        recipe, style = _recipe(name), prompts.TUNED
        told, model = _tuned(given, recipe, made)
        key |= told
        asked = [(0, False)] * (not recipe.aware or recipe.remembered)
        asked += [(k, changed) for k in DEPTHS for changed in (False, True)] * recipe.aware
    write_part(part, [key | {"chunks": k, "changed": c} | _scores(model, style, made, k, c) for k, c in asked])


def _tuned(given: Settings, recipe: Recipe, made: Corpus) -> tuple[dict[str, Any], Any]:
    from safetensors.torch import load_file, save_file

    from tokenomics.experiment import examples, llama, tuning

    part = _part(given, "recipe", recipe.name)
    start = load_file(_weights(_part(given, "recipe", recipe.start))) if recipe.start else None
    passes = examples.passes(recipe, 0, made, _found(made, TRAIN) if recipe.aware else {})
    done = tuning.tune(recipe, 0, passes, part.with_suffix(".checkpoint"), start=start)
    save_file(done.tensors, _weights(part))
    told = {"what": repr(recipe), "loss": done.losses[-1], "tuning_cpu_s": done.cpu_s}
    return told, tuning.applied(llama.load(), done.tensors)


def _scores(model: Any, style: prompts.Style, made: Corpus, k: int, changed: bool) -> dict[str, Any]:
    """Shares of right answers to the development questions, with the chunks as stated or with drawn values."""
    from tokenomics.experiment import evaluation, generation

    draw = random.Random("development")
    values = [drawn_value(draw, fact) if changed else fact.value for fact in made.facts]
    chunks = [sentence(f.relation, f.product, v) for f, v in zip(made.facts, values, strict=True)]
    questions, found = made.of(DEV), _found(made, DEV) if k else {}
    shown = [[chunks[i] for i in found[q.question][:k]] if k else [] for q in questions]
    texts = [style.prompt(q.text, each) for q, each in zip(questions, shown, strict=True)]
    given = generation.answers(model, texts, generation.read_prefix(model, style.prefix(k > 0)))
    pairs = [(answer.text, values[q.fact]) for answer, q in zip(given, questions, strict=True)]
    exact = sum(evaluation.exact(*pair) for pair in pairs) / len(pairs)
    return {"exact": exact, "correct": sum(evaluation.correct(*p) for p in pairs) / len(pairs), "questions": len(pairs)}


def _found(made: Corpus, split: str) -> dict[int, list[int]]:
    from tokenomics.experiment import minilm, retrieval

    questions, chunks = made.of(split), made.chunks()
    texts = [question.text for question in questions]
    found = retrieval.retrieve(chunks, texts, (minilm.vectors(chunks), minilm.vectors(texts)))
    return dict(zip([question.question for question in questions], found["hybrid"].tolist(), strict=True))


def _weights(part: Path) -> Path:
    return part.with_suffix(".safetensors")


def _part(given: Settings, kind: str, name: str) -> Path:
    both = {each.name: each for each in (settings.CANDIDATE_STYLES if kind == "prompt" else settings.CANDIDATES)}
    return given.work.parent / "search" / f"{kind}-{name}-{jobs.digest(both[name])}.json"


if __name__ == "__main__":
    stages.main(lambda given: run(given, sys.argv[2:]))
