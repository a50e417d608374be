"""What is run: the corpus, the recipes, the arms, the seeds; the full experiment and a tiny one for tests."""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from tokenomics import paths
from tokenomics.errors import DataError
from tokenomics.experiment import prompts
from tokenomics.experiment.corpus import SPLITS
from tokenomics.experiment.examples import Recipe

BASE = ""
"""Recipe of an arm that uses the model as it comes."""
MAIN = ("unseen", "updated")
CLOSED, AWARE, BOTH, FULL = "lora", "aware", "both", "full"


@dataclass(frozen=True)
class Arm:
    """One arm of the experiment: a model, what it is given to read, and how it is asked.

    Attributes:
        name: as predictions name it.
        recipe: what the model was tuned with; :data:`BASE` for none.
        chunks: where chunks come from: nowhere (empty), the hybrid ranking (``hybrid``), the chunk that answers
            (``oracle``), or all of them in the prefix (``all``).
        splits: by number of chunks, the splits that are asked.
        style: of the prompt.
    """

    name: str
    recipe: str
    chunks: str
    splits: dict[int, tuple[str, ...]]
    style: prompts.Style


BASE_CLOSED = replace(prompts.SHOWN, name="shown")
BASE_READER = prompts.Style("asked_first", shots=len(prompts.SHOTS), instructed=True, facts_first=False)
DEPTHS = dict.fromkeys((1, 3, 5), MAIN)
EVERY = DEPTHS | {3: SPLITS[:5]}
ARMS = (
    Arm("base", BASE, "", {0: SPLITS}, BASE_CLOSED),
    Arm("rag", BASE, "hybrid", EVERY, BASE_READER),
    Arm("oracle", BASE, "oracle", {1: MAIN}, BASE_READER),
    Arm("long_prompt", BASE, "all", {0: MAIN}, BASE_CLOSED),
    Arm("lora", CLOSED, "", {0: SPLITS}, prompts.TUNED),
    Arm("lora_rag", CLOSED, "hybrid", DEPTHS, prompts.TUNED),
    Arm("aware_rag", AWARE, "hybrid", DEPTHS, prompts.TUNED),
    Arm("aware_closed", AWARE, "", {0: ("general",)}, prompts.TUNED),
    Arm("both_rag", BOTH, "hybrid", EVERY, prompts.TUNED),
    Arm("both_closed", BOTH, "", {0: ("unseen", "general")}, prompts.TUNED),
    Arm("full", FULL, "", {0: SPLITS}, prompts.TUNED),
)
ASKED_FIRST = prompts.Style("asked_first", instructed=True, facts_first=False)
MIXED = {"missing": 0.15, "alone": 0.15, "absent": 0.1}
CANDIDATES = (
    Recipe("lora-g", aware=False, rate=3e-3, passes=7, wordings=4, batch_tokens=320),
    Recipe("lora-h", aware=False, rate=2e-3, passes=7, wordings=4, batch_tokens=320, layers=20, rank=8, alpha=16.0),
    Recipe("lora-b", aware=False, rate=4e-3, passes=8, variety=4),
    Recipe("lora-d", aware=False, rate=3e-3, passes=14, batch_tokens=320, variety=4),
    Recipe("aware-b", aware=True, rate=1e-3, passes=2, wordings=4, variety=4),
    Recipe("both-a", aware=True, rate=1e-3, passes=2, wordings=4, start="lora-g", remembered=True, **MIXED),
    Recipe("both-b", aware=True, rate=5e-4, passes=2, wordings=4, start="lora-g", remembered=True, **MIXED),
    Recipe("both-c", True, rate=1e-3, passes=2, wordings=4, start="lora-g", batch_tokens=320, remembered=True, **MIXED),
    Recipe("both-d", True, rate=2e-3, passes=2, wordings=4, start="lora-g", batch_tokens=320, remembered=True, **MIXED),
    Recipe("full-b", aware=False, rank=0, layers=30, rate=5e-4, passes=4, wordings=4, batch_tokens=320),
)
CANDIDATE_STYLES = (
    prompts.PLAIN,
    prompts.SHOWN,
    ASKED_FIRST,
    replace(ASKED_FIRST, name="asked_first_3", shots=3),
    replace(ASKED_FIRST, name="asked_first_5", shots=5),
)
"""What was tried on the development wording, of a corpus with fewer families."""
RECIPES = (
    Recipe(FULL, aware=False, rank=0, layers=30, rate=5e-4, passes=4, wordings=4, batch_tokens=320),
    Recipe(CLOSED, aware=False, rate=3e-3, passes=5, wordings=4, batch_tokens=320),
    Recipe(BOTH, True, rate=1e-3, passes=1, wordings=6, start=CLOSED, batch_tokens=320, remembered=True, **MIXED),
    Recipe(AWARE, aware=True, rate=1e-3, passes=1, wordings=4, variety=4),
)
"""What was taken, the longest run first. A pass is longer here than in the search, which has fewer facts, so there are
fewer of them."""
SEARCH_FAMILIES = 4


@dataclass(frozen=True)
class Settings:
    """One experiment.

    Attributes:
        name: ``full`` or ``tiny``.
        out: folder of the tables that stages write.
        work: folder of checkpoints and parts that a resumed run reads.
        families: of the corpus, five products each.
        corpus_seed: of the corpus.
        seeds: of tuning; recipes with rank 0 use only the first.
        latency_questions: asked one by one through llama.cpp.
        most_questions: of a split that are asked; all by default.
        rerank: chunks of the fused ranking that the language model puts in a new order for the main splits, as one
            more retriever; 0 leaves it out (it reads every pair of question and chunk).
        workers: processes, each with one thread.
    """

    name: str
    out: Path
    work: Path
    families: int = 10
    corpus_seed: int = 1
    seeds: tuple[int, ...] = (0, 1, 2)
    recipes: tuple[Recipe, ...] = RECIPES
    arms: tuple[Arm, ...] = ARMS
    latency_questions: int = 24
    most_questions: int | None = None
    rerank: int = 0
    workers: int = field(default_factory=lambda: int(os.environ.get("TOKENOMICS_WORKERS", "2")))

    def recipe(self, name: str) -> Recipe:
        """The recipe of a name.

        Raises:
            DataError: an unknown recipe.
        """
        for recipe in self.recipes:
            if recipe.name == name:
                return recipe
        raise DataError("experiment", "recipe", name, ", ".join(each.name for each in self.recipes))

    def chain(self, name: str) -> tuple[Recipe, ...]:
        """A recipe and those it starts from, the last one first; empty for the base model."""
        return () if name == BASE else (recipe := self.recipe(name), *self.chain(recipe.start))

    def seeds_of(self, recipe: str) -> tuple[int, ...]:
        """Seeds that a recipe is run with; the base model has one, number 0."""
        return self.seeds[:1] if recipe == BASE or self.recipe(recipe).rank == 0 else self.seeds


def full() -> Settings:
    """The committed experiment."""
    return Settings("full", paths.DATA / "experiments", paths.SCRATCH / "experiment" / "full")


def tiny(folder: Path | None = None) -> Settings:
    """The whole chain in a minute or two of one core: five products, one seed, few passes, two adapters."""
    folder = folder or paths.RUNS / "experiment-tiny"
    small = dict(layers=6, rank=8, alpha=16.0)
    recipes = (
        Recipe(CLOSED, aware=False, rate=5e-3, passes=8, batch_tokens=320, **small),
        Recipe(BOTH, aware=True, rate=2e-3, passes=1, wordings=2, chunks=2, start=CLOSED, **MIXED, **small),
    )
    arms = tuple(
        replace(arm, splits=dict.fromkeys(sorted(arm.splits)[:1], MAIN))
        for arm in ARMS
        if arm.name in ("base", "rag", "lora", "both_rag")
    )
    scale = {"families": 1, "latency_questions": 2, "most_questions": 12, "workers": 1}
    return Settings("tiny", folder / "tables", folder / "work", seeds=(0,), recipes=recipes, arms=arms, **scale)


def named(name: str) -> Settings:
    """Settings by name; ``tiny:FOLDER`` writes to a folder of its own.

    Raises:
        DataError: another name.
    """
    kind, _, folder = name.partition(":")
    if kind == "full":
        return full()
    if kind == "tiny":
        return tiny(Path(folder) if folder else None)
    raise DataError("experiment", "settings", name, "full, tiny, tiny:FOLDER")
