"""Which chunks for a question: words (BM25), meaning (MiniLM), both fused by rank, a reranker; recall and rank.

BM25 as Robertson and Zaragoza (2009) write it, k1 = 1.2 and b = 0.75; reciprocal rank fusion as Cormack et al. (2009),
constant 60. The reranker orders the fused list by how likely the language model finds the question after the chunk
(Sachan et al., arXiv:2204.07496). Exact search; an index of millions would be approximate.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.errors import DataError

K1, B, FUSION = 1.2, 0.75, 60
RETRIEVERS = ("bm25", "dense", "hybrid")
DEPTH = 10
"""Ranks kept of each question: enough for k up to 5 and for a reranker to choose from."""
Ranking = NDArray[np.int64]
"""(questions, depth): chunk numbers, best first."""


def words(text: str) -> list[str]:
    """Lower-case words and numbers."""
    return re.findall(r"[a-z0-9]+", text.lower())


def bm25_scores(chunks: Sequence[str], questions: Sequence[str]) -> NDArray[np.float64]:
    """(questions, chunks): the score of each chunk for each question."""
    bags = [Counter(words(chunk)) for chunk in chunks]
    lengths = np.array([sum(bag.values()) for bag in bags], dtype=float)
    spread = K1 * (1 - B + B * lengths / lengths.mean())
    holds = Counter(word for bag in bags for word in bag)
    scores = np.zeros((len(questions), len(chunks)))
    for row, question in enumerate(questions):
        for word in words(question):
            if word in holds:
                rarity = math.log(1 + (len(chunks) - holds[word] + 0.5) / (holds[word] + 0.5))
                counts = np.array([bag[word] for bag in bags], dtype=float)
                scores[row] += rarity * counts * (K1 + 1) / (counts + spread)
    return scores


def ranked(scores: NDArray[np.float64], depth: int | None = None) -> Ranking:
    """Chunk numbers by falling score; ties by number."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :depth]


def fused(rankings: Sequence[Ranking], depth: int) -> Ranking:
    """Reciprocal rank fusion of complete rankings."""
    total = np.zeros(rankings[0].shape)
    for ranking in rankings:
        np.put_along_axis(gain := np.zeros(ranking.shape), ranking, 1 / (FUSION + 1 + np.arange(ranking.shape[1])), 1)
        total += gain
    return ranked(total, depth)


def retrieve(
    chunks: Sequence[str], questions: Sequence[str], meanings: tuple[ArrayLike, ArrayLike], depth: int = DEPTH
) -> dict[str, Ranking]:
    """The ranking of each of :data:`RETRIEVERS`.

    Args:
        chunks: of the knowledge base.
        questions: to find chunks for.
        meanings: unit vectors of the chunks, and of the questions.
        depth: ranks kept.

    Raises:
        DataError: no chunks, or fewer chunks than ``depth``.
    """
    if not chunks:
        raise DataError("retrieval", "chunks", 0, "at least one chunk")
    if not 1 <= depth <= len(chunks):
        raise DataError("retrieval", "k", depth, f"1 to {len(chunks)}, the chunks of the corpus")
    by_word = ranked(bm25_scores(chunks, questions))
    of_chunks, of_questions = (np.asarray(each, dtype=float) for each in meanings)
    by_meaning = ranked(np.round(of_questions @ of_chunks.T, 6))
    found = (by_word[:, :depth], by_meaning[:, :depth], fused([by_word, by_meaning], depth))
    return dict(zip(RETRIEVERS, found, strict=True))


def reranked(ranking: Ranking, scores: NDArray[np.float64]) -> Ranking:
    """A ranking reordered by new scores of its entries (questions, depth); ties keep their order."""
    return np.take_along_axis(ranking, ranked(scores), axis=1)


def recall(ranking: Ranking, gold: Sequence[int], k: int) -> NDArray[np.bool_]:
    """Whether each question's gold chunk is among its first ``k``."""
    return (ranking[:, :k] == np.asarray(gold)[:, None]).any(axis=1)


def reciprocal_rank(ranking: Ranking, gold: Sequence[int]) -> NDArray[np.float64]:
    """1 / rank of each question's gold chunk, 0 where it is not in the ranking."""
    hit = ranking == np.asarray(gold)[:, None]
    return np.where(hit.any(axis=1), 1 / (1 + hit.argmax(axis=1)), 0.0)
