"""What a search index of 10^3 to 10^9 chunks costs to build, to keep and to ask.

Three kinds. ``flat`` compares the question with every vector. ``graph`` keeps every vector in memory with its
neighbours (HNSW, Malkov and Yashunin, arXiv:1603.09320): 8 M bytes of links a vector, and about ``ef log2 n``
comparisons. ``codes`` keeps compressed vectors in lists (IVF-PQ, Jegou et al. 2011) and reads the nearest lists.
Counts are of bytes and comparisons; how fast a core compares is the user's, with its interval. Left out: replicas,
updates in place, filters, the recall that approximation loses.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.economics.cost.amounts import SECONDS_PER_HOUR, TOKENS, checked
from tokenomics.errors import DataError
from tokenomics.estimate import Amount, Estimate, combine

FLAT, GRAPH, CODES = "flat", "graph", "codes"
KINDS = (FLAT, GRAPH, CODES)
LINK_BYTES = 4
ID_BYTES = 8


@dataclass(frozen=True)
class Index:
    """An index and what its parts cost.

    Attributes:
        kind: of :data:`KINDS`.
        chunks: how many, a number or an array.
        width: numbers of a vector.
        bytes_per_number: 4 in single precision.
        links: M of a graph.
        beam: ef of a graph.
        code_bytes: of a compressed vector.
        lists_read: share of the lists that a question reads.
        chunk_tokens: of a chunk, for embedding and for its text.
        bytes_per_token: of text that is kept beside the vectors, on disk.
        usd_per_mtoken: of embedding.
        usd_per_gb_month: of memory that holds vectors, links and codes.
        usd_per_gb_month_disk: of disk that holds the text.
        usd_per_core_hour: of searching.
        comparisons_per_core_s: numbers of vectors compared a second by a core, per vector of ``width`` numbers.
    """

    kind: str
    chunks: ArrayLike
    usd_per_mtoken: Amount
    usd_per_gb_month: Amount
    usd_per_core_hour: Amount
    comparisons_per_core_s: Amount
    width: int = 384
    bytes_per_number: float = 4.0
    links: int = 16
    beam: int = 64
    code_bytes: float = 64.0
    lists_read: float = 0.001
    chunk_tokens: float = 200.0
    bytes_per_token: float = 4.0
    usd_per_gb_month_disk: Amount = 0.0

    def __post_init__(self):
        if self.kind not in KINDS:
            raise DataError("index", "kind", self.kind, ", ".join(KINDS))
        checked("index", "chunks", self.chunks)
        for key in ("usd_per_mtoken", "usd_per_gb_month", "usd_per_core_hour", "usd_per_gb_month_disk"):
            checked("index", key, getattr(self, key), zero=True)
        for key in ("comparisons_per_core_s", "width", "bytes_per_number", "links", "beam", "code_bytes"):
            checked("index", key, getattr(self, key))
        checked("index", "lists_read", self.lists_read, most=1.0)

    @property
    def memory_bytes(self) -> NDArray[np.float64]:
        """Bytes in memory."""
        vector = self.width * self.bytes_per_number
        each = {FLAT: vector, GRAPH: vector + 2 * self.links * LINK_BYTES, CODES: self.code_bytes + ID_BYTES}
        return np.asarray(self.chunks, dtype=float) * each[self.kind]

    @property
    def comparisons(self) -> NDArray[np.float64]:
        """Vectors compared with a question; never more than there are."""
        chunks = np.asarray(self.chunks, dtype=float)
        if self.kind == FLAT:
            return chunks
        if self.kind == GRAPH:
            return np.minimum(self.beam * np.maximum(np.log2(chunks), 1.0), chunks)
        return np.minimum(np.sqrt(chunks) + self.lists_read * chunks, chunks)

    def build_usd(self, changed_share: Amount = 1.0) -> Estimate:
        """USD of embedding the chunks, or the share of them that changed."""
        part = checked("index", "changed share", changed_share, zero=True, most=1.0)
        tokens = np.asarray(self.chunks, dtype=float) * self.chunk_tokens / TOKENS
        return combine(lambda usd, p: usd * p * tokens, [self.usd_per_mtoken, part])

    def month_usd(self) -> Estimate:
        """USD a month of the memory and disk that hold it."""
        memory = self.memory_bytes / 1e9
        disk = np.asarray(self.chunks, dtype=float) * self.chunk_tokens * self.bytes_per_token / 1e9
        return combine(lambda m, d: m * memory + d * disk, [self.usd_per_gb_month, self.usd_per_gb_month_disk])

    def query_usd(self, question_tokens: Amount) -> Estimate:
        """USD of embedding a question and searching."""
        return combine(
            lambda embed, n, core, rate: embed * n / TOKENS + core / SECONDS_PER_HOUR * self.comparisons / rate,
            [self.usd_per_mtoken, question_tokens, self.usd_per_core_hour],
            [self.comparisons_per_core_s],
        )
