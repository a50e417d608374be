"""Stage 4: the answer of every arm to every question, and what answering costs when many are asked together."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenomics.experiment import jobs
from tokenomics.experiment.corpus import Corpus, Question
from tokenomics.experiment.jobs import read_part, write_part, write_table
from tokenomics.experiment.settings import BASE, MAIN, Arm, Settings
from tokenomics.experiment.stages import corpus as corpus_stage
from tokenomics.experiment.stages import index as index_stage
from tokenomics.experiment.stages import main
from tokenomics.experiment.stages import tune as tune_stage

if TYPE_CHECKING:
    from tokenomics.experiment.generation import Answer

PREDICTIONS = ("arm", "chunks", "seed", "question", "prompt_tokens", "output_tokens", "answer", "source")
COSTS = ("arm", "chunks", "split", "seed", "questions", "prefix_tokens", "cpu_s", "wall_s", "source")
Job = tuple[str, int, str, int]
"""Arm, number of chunks, split and seed."""


def run(settings: Settings) -> None:
    """Write ``predictions.csv`` and ``answering_costs.csv``."""
    todo = all_jobs(settings)
    jobs.run_all(answer_group, settings, groups(settings, todo), "evaluate")
    parts = [read_part(_part(settings, job)) for job in sorted(todo)]
    rows = [row for part in parts for row in part["answers"]]
    rows.sort(key=lambda row: (row["arm"], row["chunks"], row["seed"], row["question"]))
    write_table(settings.out / "predictions.csv", PREDICTIONS, rows)
    write_table(settings.out / "answering_costs.csv", COSTS, [part["costs"] for part in parts])


def all_jobs(settings: Settings) -> list[Job]:
    """Every piece of the evaluation."""
    return [
        (arm.name, k, split, seed)
        for seed in settings.seeds
        for arm in settings.arms
        for k, splits in arm.splits.items()
        for split in splits
        if seed in settings.seeds_of(arm.recipe)
    ]


def groups(settings: Settings, todo: Sequence[Job]) -> list[tuple[Job, ...]]:
    """Jobs whose models read the same prompts and share their lower layers, the long groups first."""
    alike: dict[tuple, list[Job]] = {}
    for job in todo:
        name, k, split, _ = job
        arm = _arm(settings, name)
        recipe = settings.recipe(arm.recipe) if arm.recipe else None
        adapted = recipe.layers if recipe and recipe.rank else name
        alike.setdefault((arm.chunks, arm.style, k, split, adapted), []).append(job)
    return sorted(map(tuple, alike.values()), key=lambda some: (some[0][2] not in MAIN, -len(some) * (1 + some[0][1])))


def answer_group(settings: Settings, group: tuple[Job, ...], slot: int) -> None:
    """All answers of some arms and seeds to the same prompts."""
    group = tuple(job for job in group if not _part(settings, job).is_file())
    if not group:
        return
    jobs.one_thread()
    from tqdm import tqdm

    from tokenomics.experiment import generation

    name, k, split, _ = group[0]
    arm, made = _arm(settings, name), corpus_stage.read(settings)
    questions = made.of(split)[: settings.most_questions]
    models = [tuned_model(settings, _arm(settings, job[0]).recipe, job[3]) for job in group]
    prefix = generation.read_prefix(models[0], prefix_of(arm, made, split))
    texts = prompts_of(settings, arm, k, made, questions)
    with tqdm(**jobs.bar_options(slot, f"{name} {k} {split}", len(texts) * len(group))) as bar:
        found = generation.answers_of_each(models, texts, prefix, progress=bar.update)
    known = 0 if prefix is None else len(prefix.owner)
    for job, some in zip(group, found, strict=True):
        write_part(_part(settings, job), _told(job, questions, some, known))


def _told(job: Job, questions: Sequence[Question], found: "Sequence[Answer]", prefix_tokens: int) -> dict[str, Any]:
    """Rows of both tables."""
    name, k, split, seed = job
    key = {"arm": name, "chunks": k, "seed": seed, "source": corpus_stage.SOURCE}
    rows = [
        key
        | {"question": corpus_stage.question_key(question.question), "answer": answer.text}
        | {"prompt_tokens": answer.prompt_tokens, "output_tokens": answer.output_tokens}
        for question, answer in zip(questions, found, strict=True)
    ]
    spent = {"cpu_s": sum(each.cpu_s for each in found), "wall_s": sum(each.wall_s for each in found)}
    told = {"questions": len(rows), "split": split, "prefix_tokens": prefix_tokens}
    return {"answers": rows, "costs": key | spent | told}


def tuned_model(settings: Settings, recipe: str, seed: int):
    """The model of an arm: as it comes, or with what a run trained."""
    from safetensors.torch import load_file

    from tokenomics.experiment import llama, tuning

    model = llama.load()
    if recipe == BASE:
        return model
    return tuning.applied(model, load_file(tune_stage.weights_file(settings, recipe, seed)))


def prefix_of(arm: Arm, made: Corpus, split: str) -> str:
    """What all prompts of an arm start with."""
    from tokenomics.experiment import prompts

    if arm.chunks == "all":
        return prompts.whole_base(made.chunks(split == "updated"))
    return arm.style.prefix(with_chunks=bool(arm.chunks))


def prompts_of(settings: Settings, arm: Arm, k: int, made: Corpus, questions: list[Question]) -> list[str]:
    """The prompt of each question, with the chunks that the arm gives it.

    Raises:
        DataError: more chunks than the corpus has.
    """
    from tokenomics.experiment import corpus

    if arm.chunks not in ("hybrid", "oracle"):
        return [arm.style.prompt(question.text) for question in questions]
    corpus.check(made, k)
    found = index_stage.read(settings) if arm.chunks == "hybrid" else {}
    texts = []
    for question in questions:
        numbers = found[question.question][:k] if found else [question.fact]
        shown = [made.facts[number].chunk(question.split == "updated") for number in numbers]
        texts.append(arm.style.prompt(question.text, shown))
    return texts


def _arm(settings: Settings, name: str) -> Arm:
    return next(arm for arm in settings.arms if arm.name == name)


def _part(settings: Settings, job: Job) -> Path:
    from tokenomics.experiment import prompts

    arm = _arm(settings, job[0])
    made_from = (
        arm.chunks,
        arm.style,
        settings.chain(arm.recipe),
        corpus_stage.read(settings),
        prompts.ASK,
        prompts.SHOTS,
    )
    made_from += (settings.most_questions,)
    return settings.work / "evaluate" / f"{'-'.join(map(str, job))}-{jobs.digest(*made_from)}.json"


if __name__ == "__main__":
    main(run)
