"""Stage 4: the answer of every arm to every question, and what answering costs when many are asked together."""

from pathlib import Path

from tokenomics.experiment import jobs
from tokenomics.experiment.corpus import Corpus, Question
from tokenomics.experiment.files import read_part, write_part, write_table
from tokenomics.experiment.settings import BASE, MAIN, Arm, Settings
from tokenomics.experiment.stages import corpus as corpus_stage
from tokenomics.experiment.stages import index as index_stage
from tokenomics.experiment.stages import main
from tokenomics.experiment.stages import tune as tune_stage

PREDICTIONS = ("arm", "chunks", "seed", "question", "prompt_tokens", "output_tokens", "answer", "source")
COSTS = ("arm", "chunks", "split", "seed", "questions", "prefix_tokens", "cpu_s", "wall_s", "source")
Job = tuple[str, int, str, int]


def run(settings: Settings) -> None:
    """Write ``predictions.csv`` and ``answering_costs.csv``."""
    todo = all_jobs(settings)
    jobs.run_all(answer_one, settings, todo, "evaluate")
    parts = [read_part(_part(settings, job)) for job in sorted(todo)]
    rows = [row for part in parts for row in part["answers"]]
    rows.sort(key=lambda row: (row["arm"], row["chunks"], row["seed"], row["question"]))
    write_table(settings.out / "predictions.csv", PREDICTIONS, rows)
    write_table(settings.out / "answering_costs.csv", COSTS, [part["costs"] for part in parts])


def all_jobs(settings: Settings) -> list[Job]:
    """Arm, number of chunks, split and seed of every piece, the main splits first.

    Seeds after the first answer the main splits only, with at most ``settings.repeated_chunks``.
    """
    found = [
        (arm.name, k, split, seed)
        for seed in settings.seeds
        for arm in settings.arms
        for k, splits in arm.splits.items()
        for split in splits
        if seed in settings.seeds_of(arm.recipe)
        if seed == settings.seeds[0] or (split in MAIN and k <= settings.repeated_chunks)
    ]
    return sorted(found, key=lambda job: job[2] not in MAIN)


def answer_one(settings: Settings, job: Job, slot: int) -> None:
    """All answers of an arm to a split."""
    part = _part(settings, job)
    if part.is_file():
        return
    jobs.one_thread()
    from tqdm import tqdm

    from tokenomics.experiment import generation

    name, k, split, seed = job
    arm, made = _arm(settings, name), corpus_stage.read(settings)
    questions = made.of(split)[: settings.most_questions]
    model = tuned_model(settings, arm.recipe, seed)
    prefix = generation.read_prefix(model, prefix_of(arm, made, split))
    texts = prompts_of(settings, arm, k, made, questions)
    with tqdm(**jobs.bar_options(slot, f"{name} {k} {split} {seed}", len(texts))) as bar:
        found = generation.answers(model, texts, prefix, progress=bar.update)
    key = {"arm": name, "chunks": k, "seed": seed, "source": corpus_stage.SOURCE}
    rows = [
        key
        | {"question": corpus_stage.question_key(question.question), "answer": answer.text}
        | {"prompt_tokens": answer.prompt_tokens, "output_tokens": answer.output_tokens}
        for question, answer in zip(questions, found, strict=True)
    ]
    spent = {"cpu_s": sum(each.cpu_s for each in found), "wall_s": sum(each.wall_s for each in found)}
    told = {"questions": len(rows), "split": split}
    known = 0 if prefix is None else len(prefix.owner)
    write_part(part, {"answers": rows, "costs": key | spent | told | {"prefix_tokens": known}})


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
    recipe = settings.recipe(arm.recipe) if arm.recipe else BASE
    made_from = (arm.chunks, arm.style, recipe, corpus_stage.read(settings), prompts.ASK, prompts.SHOTS)
    made_from += (settings.most_questions,)
    return settings.work / "evaluate" / f"{'-'.join(map(str, job))}-{jobs.digest(*made_from)}.json"


if __name__ == "__main__":
    main(run)
