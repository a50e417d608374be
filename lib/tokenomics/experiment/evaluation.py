"""What answers are worth, and what arms are: scores of one answer, means with intervals, paired differences.

An answer is scored by exact match, contains, token F1, abstention and grounding: texts in, numbers out.

A fact is asked in several wordings and by several seeds, so answers are not independent. Intervals are bootstrapped
over facts and, where there are several, over seeds: both are drawn with replacement (two-way cluster bootstrap; Owen,
arXiv:0712.1111, on why rows alone are not enough). Differences use the same draws for both arms, and a sign-flip
permutation test over facts. numpy only, so that a notebook can recompute all of it.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.errors import DataError
from tokenomics.experiment.wordings import UNKNOWN

UNITS = {"a", "an", "the", "watt", "watts", "w"}
ABSTAINED = ("unknown", "not stated", "not known", "no information", "do not know", "don't know", "not mentioned")
DRAWS, COVERAGE = 2000, 0.95


@lru_cache(maxsize=100_000)
def normalised(text: str) -> tuple[str, ...]:
    """Lower-case words and numbers without articles and units."""
    return tuple(word for word in re.findall(r"[a-z0-9]+", text.lower()) if word not in UNITS)


def exact(answer: str, right: str) -> bool:
    """Whether the answer is one of the right ones (``|`` between alternatives), after normalising."""
    return any(normalised(answer) == normalised(each) for each in right.split("|"))


def contains(answer: str, right: str) -> bool:
    """Whether the words of a right answer stand in the answer, in order and next to each other."""
    words = normalised(answer)
    for each in right.split("|"):
        wanted = normalised(each) or tuple(each.lower().split())
        if any(words[i : i + len(wanted)] == wanted for i in range(len(words) - len(wanted) + 1)):
            return True
    return False


def token_f1(answer: str, right: str) -> float:
    """Harmonic mean of precision and recall of words; the best of the right answers."""
    return max(_f1(normalised(answer), normalised(each)) for each in right.split("|"))


def abstains(answer: str) -> bool:
    """Whether the answer says that it does not know."""
    return any(phrase in answer.lower() for phrase in ABSTAINED)


def correct(answer: str, right: str) -> bool:
    """The one short-answer metric of all arms: right words are there, or it abstains where it should."""
    return abstains(answer) if right == UNKNOWN else contains(answer, right)


def grounded(answer: str, chunks: Sequence[str]) -> bool:
    """Whether the answer's words stand in one of the chunks that the model was given."""
    return bool(normalised(answer)) and any(contains(chunk, answer) for chunk in chunks)


def _f1(found: Sequence[str], wanted: Sequence[str]) -> float:
    shared = sum((Counter(found) & Counter(wanted)).values())
    return 2 * shared / (len(found) + len(wanted)) if shared else 0.0


@dataclass(frozen=True)
class Mean:
    """A mean with its interval, and how many answers, facts and seeds it rests on."""

    value: float
    low: float
    high: float
    answers: int
    facts: int
    seeds: int

    @property
    def half_width(self) -> float:
        """Half of the interval's length."""
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class Difference:
    """Mean of one arm less that of another on the same questions, with the p-value of no difference (two-sided)."""

    value: float
    low: float
    high: float
    p_value: float
    facts: int


def mean(values: ArrayLike, facts: Sequence, seeds: Sequence, *, draws: int = DRAWS, seed: int = 0) -> Mean:
    """The mean of per-answer values.

    Args:
        values: of each answer, 0 to 1.
        facts: cluster of each answer (the question's own key where no fact is asked for).
        seeds: of the model that gave it.
        draws: of the bootstrap.
        seed: of the draws.

    Raises:
        DataError: no answers, or lists of unequal length.
    """
    grid = _grid(values, facts, seeds)
    drawn = _bootstrap([grid], draws, seed)[0]
    low, high = np.quantile(drawn, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return Mean(grid.mean, float(low), float(high), len(facts), grid.sums.shape[0], grid.sums.shape[1])


def difference(
    values: tuple[ArrayLike, ArrayLike],
    facts: tuple[Sequence, Sequence],
    seeds: tuple[Sequence, Sequence],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Difference:
    """The first arm's mean less the second's, on the facts that both were asked.

    An arm with one seed keeps it in every draw. The p-value comes from flipping the sign of each fact's difference.

    Raises:
        DataError: no fact that both arms were asked.
    """
    common = sorted(set(facts[0]) & set(facts[1]))
    if not common:
        raise DataError("difference", "facts", 0, "at least one fact that both arms were asked")
    grids = []
    for each, whose, which in zip(values, facts, seeds, strict=True):
        kept = np.isin(np.asarray(whose), common)
        grids.append(_grid(np.asarray(each, dtype=float)[kept], np.asarray(whose)[kept], np.asarray(which)[kept]))
    first, second = _bootstrap(grids, draws, seed)
    low, high = np.quantile(first - second, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    by_fact = grids[0].by_fact - grids[1].by_fact
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(draws, len(common)))
    extreme = np.abs(signs @ by_fact) >= abs(by_fact.sum()) - 1e-12
    p_value = (1 + int(extreme.sum())) / (1 + draws)
    return Difference(grids[0].mean - grids[1].mean, float(low), float(high), p_value, len(common))


@dataclass(frozen=True)
class _Grid:
    """Sums and counts of answers (facts, seeds)."""

    sums: NDArray[np.float64]
    counts: NDArray[np.float64]

    @property
    def mean(self) -> float:
        return float(self.sums.sum() / self.counts.sum())

    @property
    def by_fact(self) -> NDArray[np.float64]:
        return self.sums.sum(1) / self.counts.sum(1)


def _grid(values: ArrayLike, facts: Sequence, seeds: Sequence) -> _Grid:
    values = np.asarray(values, dtype=float)
    if not len(values) or not len(values) == len(facts) == len(seeds):
        raise DataError("evaluation", "answers", len(values), "at least one, with as many facts and seeds")
    _, row = np.unique(np.asarray(facts), return_inverse=True)
    _, column = np.unique(np.asarray(seeds), return_inverse=True)
    shape = (row.max() + 1, column.max() + 1)
    sums, counts = np.zeros(shape), np.zeros(shape)
    np.add.at(sums, (row, column), values)
    np.add.at(counts, (row, column), 1.0)
    return _Grid(sums, counts)


def _bootstrap(grids: Sequence[_Grid], draws: int, seed: int) -> list[NDArray[np.float64]]:
    """Means (draws) of each grid; the same facts are drawn for all of them."""
    weights, drawn = _drawn(len(grids[0].sums), tuple(grid.sums.shape[1] for grid in grids), draws, seed)
    found = []
    for grid, seeds in zip(grids, drawn, strict=True):
        total, count = ((weights @ each * seeds).sum(1) for each in (grid.sums, grid.counts))
        found.append(total / np.maximum(count, 1.0))
    return found


@lru_cache(maxsize=16)
def _drawn(facts: int, seeds: tuple[int, ...], draws: int, seed: int) -> tuple[NDArray, list[NDArray]]:
    """How often each fact (draws, facts) and, for each grid, each seed (draws, seeds) is drawn.

    Kept because they depend on the sizes alone, and most arms of an experiment share theirs.
    """
    draw = np.random.default_rng(seed)
    sizes = (facts, *seeds)
    weights, *drawn = (draw.multinomial(size, np.full(size, 1 / size), size=draws).astype(float) for size in sizes)
    return weights, drawn
