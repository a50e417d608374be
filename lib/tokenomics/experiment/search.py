"""``python -m tokenomics.experiment.search``: choosing recipes and prompts on a smaller corpus, development wording.

Every candidate that was tried is a row of ``recipes_tried.csv``, whether it was taken or not. Test wordings and
changed facts are not looked at.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from tokenomics.experiment import jobs, settings, stages
from tokenomics.experiment.corpus import DEV, TRAIN, Corpus
from tokenomics.experiment.examples import Recipe
from tokenomics.experiment.files import read_part, write_part, write_table
from tokenomics.experiment.settings import Settings
from tokenomics.experiment.stages.corpus import SOURCE

COLUMNS = (
    "kind",
    "candidate",
    "taken",
    "chunks",
    "questions",
    "exact",
    "correct",
    "loss",
    "tuning_cpu_s",
    "what",
    "source",
)
DEPTHS = (1, 3, 5)
OTHER_WORDINGS = "; the last four training wordings were others, whose forms differed between relations"
EARLIER = (
    (Recipe("lora-e", aware=False, rate=3e-3, passes=7, wordings=4, batch_tokens=320), 0.64, 0.00281622, 302.994),
    (Recipe("lora-f", False, rate=2e-3, passes=7, wordings=4, batch_tokens=320, layers=20), 0.78, 0.00381391, 428.9),
)
"""Recipe, share of right answers, loss and CPU-seconds of what was tried before the training wordings became what they
are; these cannot be run again."""


def run(given: Settings) -> None:
    """Write ``recipes_tried.csv``; finished candidates are kept."""
    todo = [("recipe", recipe.name) for recipe in settings.CANDIDATES]
    todo += [("prompt", style.name) for style in settings.CANDIDATE_STYLES]
    jobs.run_all(try_one, given, todo, "search")
    rows = [row | {"taken": is_taken(given, *job)} for job in todo for row in read_part(_part(given, *job))]
    rows += [_earlier(*each) for each in EARLIER]
    rows.sort(key=lambda row: (row["kind"], row["candidate"], row["chunks"]))
    write_table(given.out / "recipes_tried.csv", COLUMNS, rows)


def is_taken(given: Settings, kind: str, name: str) -> bool:
    """Whether the experiment uses a candidate, whatever it is called and however many passes it makes there."""
    if kind == "recipe":
        recipe = next(recipe for recipe in settings.CANDIDATES if recipe.name == name)
        return any(replace(each, name=name, passes=recipe.passes) == recipe for each in given.recipes)
    style = next(style for style in settings.CANDIDATE_STYLES if style.name == name)
    return any(replace(arm.style, name=name) == style for arm in given.arms)


def _earlier(recipe: Recipe, share: float, loss: float, cpu_s: float) -> dict[str, Any]:
    told = {"kind": "recipe", "candidate": recipe.name, "taken": False, "chunks": 0, "questions": 100}
    scores = {"exact": share, "correct": share, "loss": loss, "tuning_cpu_s": cpu_s}
    return told | scores | {"what": repr(recipe) + OTHER_WORDINGS, "source": SOURCE}


def try_one(given: Settings, job: tuple[str, str], slot: int) -> None:
    """One candidate: tune where it says so, answer the development questions with each number of chunks."""
    kind, name = job
    part = _part(given, kind, name)
    if part.is_file():
        return
    jobs.one_thread()
    from tokenomics.experiment import corpus, llama, prompts

    made = corpus.make(given.corpus_seed, settings.SEARCH_FAMILIES)
    if kind == "prompt":
        style = next(style for style in settings.CANDIDATE_STYLES if style.name == name)
        told, model, depths = {"what": repr(style), "loss": "", "tuning_cpu_s": ""}, llama.load(), DEPTHS
    else:
        recipe = next(recipe for recipe in settings.CANDIDATES if recipe.name == name)
        told, model = _tuned(recipe, made, part)
        style, depths = prompts.TUNED, DEPTHS if recipe.aware else (0,)
    key = {"kind": kind, "candidate": name, "source": SOURCE} | told
    write_part(part, [key | {"chunks": k} | _scores(model, style, made, k) for k in depths])


def _tuned(recipe, made: Corpus, part: Path) -> tuple[dict[str, Any], Any]:
    from tokenomics.experiment import examples, llama, tuning

    found = _found(made, TRAIN) if recipe.aware else {}
    passes = examples.passes(recipe, 0, made, found)
    done = tuning.tune(recipe, 0, passes, part.with_suffix(".checkpoint"))
    told = {"what": repr(recipe), "loss": done.losses[-1], "tuning_cpu_s": done.cpu_s}
    return told, tuning.applied(llama.load(), done.tensors)


def _scores(model, style, made: Corpus, k: int) -> dict[str, Any]:
    from tokenomics.experiment import generation, scoring

    questions, found = made.of(DEV), _found(made, DEV) if k else {}
    shown = [[made.facts[i].chunk(False) for i in found[q.question][:k]] if k else [] for q in questions]
    texts = [style.prompt(q.text, chunks) for q, chunks in zip(questions, shown, strict=True)]
    given = generation.answers(model, texts, generation.read_prefix(model, style.prefix(k > 0)))
    pairs = [(answer.text, question.answer) for answer, question in zip(given, questions, strict=True)]
    exact = sum(scoring.exact(*pair) for pair in pairs) / len(pairs)
    return {"exact": exact, "correct": sum(scoring.correct(*p) for p in pairs) / len(pairs), "questions": len(pairs)}


def _found(made: Corpus, split: str) -> dict[int, list[int]]:
    from tokenomics.experiment import minilm, retrieval

    questions, chunks = made.of(split), made.chunks()
    texts = [question.text for question in questions]
    found = retrieval.retrieve(chunks, texts, (minilm.vectors(chunks), minilm.vectors(texts)))
    return dict(zip([question.question for question in questions], found["hybrid"].tolist(), strict=True))


def _part(given: Settings, kind: str, name: str) -> Path:
    both = {each.name: each for each in (settings.CANDIDATE_STYLES if kind == "prompt" else settings.CANDIDATES)}
    return given.work.parent / "search" / f"{kind}-{name}-{jobs.digest(both[name])}.json"


if __name__ == "__main__":
    stages.main(run)
