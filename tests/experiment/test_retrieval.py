"""Retrieval by hand."""

import numpy as np
import pytest

from tokenomics.errors import DataError
from tokenomics.experiment import retrieval


class TestRetrieval:
    chunks = ("the red fox runs", "the red hen sits", "a blue whale swims far away from here")

    def test_bm25_by_hand(self):
        scores = retrieval.bm25_scores(self.chunks, ["hen"])
        idf, mean = np.log(1 + 2.5 / 1.5), 16 / 3
        weight = 2.2 / (1 + 1.2 * (0.25 + 0.75 * 4 / mean))
        assert scores[0] == pytest.approx([0, idf * weight, 0])

    def test_fusion_by_hand(self):
        made = retrieval.fused([np.array([[0, 1, 2]]), np.array([[2, 0, 1]])], 3)
        # 1/61 + 1/62 for 0; 1/63 + 1/61 for 2; 1/62 + 1/63 for 1
        assert made.tolist() == [[0, 2, 1]]

    def test_recall_and_rank(self):
        ranking = np.array([[3, 1, 2], [0, 1, 2]])
        assert retrieval.recall(ranking, [1, 5], 2).tolist() == [True, False]
        assert retrieval.reciprocal_rank(ranking, [1, 5]).tolist() == [0.5, 0]
        assert retrieval.reranked(ranking, np.array([[0.0, 2.0, 1.0], [3.0, 2.0, 1.0]])).tolist() == [
            [1, 2, 3],
            [0, 1, 2],
        ]

    def test_a_meaning_finds_what_words_do_not(self):
        meanings = (np.eye(3), np.array([[0.0, 0.0, 1.0]]))
        found = retrieval.retrieve(self.chunks, ["ocean giant"], meanings, 2)
        assert found["dense"][0, 0] == 2 and found["bm25"][0].tolist() == [0, 1]

    @pytest.mark.parametrize(
        ("chunks", "depth", "text"), [((), 1, "chunks = 0"), (chunks, 4, "k = 4; allowed: 1 to 3")]
    )
    def test_refused(self, chunks, depth, text):
        with pytest.raises(DataError, match=text):
            retrieval.retrieve(chunks, ["fox"], (np.eye(3), np.eye(3)), depth)
