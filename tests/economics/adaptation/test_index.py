"""A search index by hand, and what must grow with its size."""

import numpy as np
import pytest

from tokenomics.economics import adaptation
from tokenomics.economics.adaptation import Index
from tokenomics.errors import DataError


def made(kind, **changed):
    given = dict(chunks=1e6, usd_per_mtoken=0.02, usd_per_gb_month=5.0, usd_per_core_hour=0.05)
    return Index(kind, **given | {"comparisons_per_core_s": 1e7} | changed)


def test_by_hand():
    flat = made(adaptation.FLAT)
    assert flat.memory_bytes == pytest.approx(1e6 * 384 * 4)
    assert flat.build_usd().value == pytest.approx(1e6 * 200 / 1e6 * 0.02)
    assert flat.build_usd(0.1).value == pytest.approx(0.4)
    assert flat.month_usd().value == pytest.approx(1.536 * 5)
    assert flat.query_usd(20).value == pytest.approx(0.02 * 20 / 1e6 + 0.05 / 3600 * 0.1)
    assert made(adaptation.GRAPH).memory_bytes == pytest.approx(1e6 * (1536 + 128))
    assert made(adaptation.GRAPH).comparisons == pytest.approx(64 * np.log2(1e6))


def test_a_billion_chunks():
    size = np.array([1e6, 1e7, 1e8, 1e9])
    flat, graph, codes = (made(kind, chunks=size) for kind in (adaptation.FLAT, "graph", "codes"))
    assert np.all(np.diff(graph.query_usd(20).value) > 0)
    assert np.all(graph.query_usd(20).value < flat.query_usd(20).value)
    assert np.all(codes.month_usd().value < graph.month_usd().value / 10)


def test_a_small_index_is_read_whole_at_most():
    assert made("graph", chunks=10).comparisons == 10


def test_refused():
    with pytest.raises(DataError, match="index: kind = tree; allowed: flat, graph, codes"):
        made("tree")
    with pytest.raises(DataError, match="chunks = 0"):
        made("flat", chunks=0)
