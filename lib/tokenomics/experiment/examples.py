"""What a recipe trains on, pass by pass: questions alone, or with chunks (changed, distracting or missing ones)."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tokenomics.experiment import corpus, prompts
from tokenomics.experiment.corpus import TRAIN, Corpus, Fact, Question
from tokenomics.experiment.wordings import UNKNOWN

ABSENT = (" Air", " Prime", " Duo", " Plus")
"""Variants that no product has and no test asks for."""


@dataclass(frozen=True)
class Recipe:
    """How a model is tuned.

    Attributes:
        name: as results name it.
        aware: whether prompts hold chunks.
        rank: of the adapters; 0 trains all weights of the layers.
        layers: the uppermost so many are trained.
        rate: of AdamW at the start; it falls linearly to zero.
        passes: over the facts.
        variety: of the training wordings of a fact, so many are used at all.
        wordings: of those, so many are taken in turn in a pass.
        batch_tokens: most tokens of a step.
        changed: share of aware examples whose chunks hold drawn values.
        missing: share of aware examples without the chunk that answers.
        alone: share of aware examples without any chunk.
        absent: share of aware examples that ask for a product that does not exist; right is to abstain.
        chunks: most chunks of an aware example; their number is drawn from 1 on.
        start: recipe whose adapters, of the same seed, training goes on from; empty for new ones.
        remembered: whether the fact as first stated is right where no chunk answers, else abstaining is.
        alpha: scale of the adapters times their rank.
        clip: largest norm of a step's gradient.
    """

    name: str
    aware: bool
    rank: int = 16
    layers: int = 12
    rate: float = 2e-3
    passes: int = 14
    variety: int = 8
    wordings: int = 2
    batch_tokens: int = 640
    changed: float = 0.5
    missing: float = 0.12
    alone: float = 0.0
    absent: float = 0.0
    chunks: int = 5
    alpha: float = 32.0
    clip: float = 1.0
    start: str = ""
    remembered: bool = False

    @property
    def scale(self) -> float:
        return self.alpha / self.rank if self.rank else 1.0

    @property
    def shares(self) -> tuple[float, float, float, float]:
        """Of aware examples: those with the chunk that answers, without it, without any, for absent products."""
        return 1 - self.missing - self.alone - self.absent, self.missing, self.alone, self.absent

    @property
    def repeats(self) -> bool:
        """Whether the same prompts come again, so that the frozen layers' output is worth keeping."""
        return not self.aware and self.rank > 0


@dataclass(frozen=True)
class Example:
    """Tokens of a prompt and of its answer, the stop included."""

    prompt: list[int]
    answer: list[int]


def passes(recipe: Recipe, seed: int, made: Corpus, found: Mapping[int, Sequence[int]]) -> list[list[Example]]:
    """The examples of every pass, in the order of a seed.

    Args:
        recipe: what to train on.
        seed: draws order, values and distractors.
        made: facts and training questions.
        found: for each training question, chunks by rank, from which distractors are taken.
    """
    asked: dict[int, list[Question]] = {}
    for question in made.of(TRAIN):
        if question.wording < recipe.variety:
            asked.setdefault(question.fact, []).append(question)
    done = []
    for number in range(recipe.passes):
        draw = random.Random(f"{recipe.name} {seed} {number}")
        turn = range(number * recipe.wordings, (number + 1) * recipe.wordings)
        taken = [texts[(fact + i) % len(texts)] for fact, texts in asked.items() for i in turn]
        draw.shuffle(taken)
        make = (lambda q, draw=draw: _aware(recipe, draw, made, q, found[q.question])) if recipe.aware else _closed
        done.append([make(question) for question in taken])
    return done


def _closed(question: Question) -> Example:
    return _example(prompts.TUNED.prompt(question.text), question.answer)


def _aware(recipe: Recipe, draw: random.Random, made: Corpus, question: Question, ranking: Sequence[int]) -> Example:
    gold, own = question.fact, made.facts[question.fact]
    kind = draw.choices(("told", "missing", "alone", "absent"), weights=recipe.shares)[0]
    count = 0 if kind == "alone" else draw.randint(1, recipe.chunks)
    shown = [int(chunk) for chunk in ranking if kind != "missing" or chunk != gold][:count]
    if kind == "told" and gold not in shown:
        shown[draw.randrange(count)] = gold
    changed = draw.random() < recipe.changed
    values = {chunk: drawn_value(draw, made.facts[chunk]) if changed else made.facts[chunk].value for chunk in shown}
    texts = [corpus.sentence(made.facts[c].relation, made.facts[c].product, value) for c, value in values.items()]
    if kind == "absent":
        other = own.product.split()[0] + draw.choice(ABSENT)
        return _example(prompts.TUNED.prompt(question.text.replace(own.product, other), texts), UNKNOWN)
    unread = own.value if recipe.remembered else UNKNOWN
    return _example(prompts.TUNED.prompt(question.text, texts), values.get(gold, unread))


def drawn_value(draw: random.Random, fact: Fact) -> str:
    """A value that the fact neither has nor will have: a test on changed facts stays a test."""
    return draw.choice([value for value in corpus.pool(fact.relation) if value not in (fact.value, fact.new_value)])


def _example(prompt: str, answer: str) -> Example:
    return Example(prompts.encode(prompt), prompts.encode(answer + prompts.STOP))
