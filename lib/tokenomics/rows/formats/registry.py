"""The formats that are read, and how each is recognised by what it contains: the file's name does not matter."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tokenomics.rows.formats import (
    aiperf,
    codecarbon,
    guidellm,
    inferencex,
    llama_bench,
    llmperf,
    mlperf,
    offline,
    optimum,
    serving,
    tgi,
    trtllm_bench,
)
from tokenomics.rows.formats.content import Content
from tokenomics.rows.formats.run import Run


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        name: tool and kind of file.
        piece: what of a content is examined: ``documents``, ``tables``, ``grids``, or ``text`` for the whole.
        fits: whether a piece is of this format.
        read: the runs of all pieces that fit.
    """

    name: str
    piece: str
    fits: Callable[[Any], bool]
    read: Callable[[Iterable[Any], Content], Iterator[Run]]


SYSTEM = "MLPerf system"
"""The format that describes a system only, for the summaries beside it."""
FORMATS = (
    Format("InferenceX", "documents", inferencex.fits, inferencex.read),
    Format("vLLM or SGLang serving benchmark", "documents", serving.fits, serving.read),
    Format("vLLM throughput or latency", "documents", offline.fits, offline.read),
    Format("GuideLLM", "documents", guidellm.fits, guidellm.read),
    Format("AIPerf or GenAI-Perf", "documents", aiperf.fits, aiperf.read),
    Format("LLMPerf summary", "documents", llmperf.fits, llmperf.read),
    Format("LLMPerf responses", "documents", llmperf.fits_request, llmperf.read_requests),
    Format("llama-bench", "documents", llama_bench.fits, llama_bench.read),
    Format("optimum-benchmark", "documents", optimum.fits, optimum.read),
    Format(SYSTEM, "documents", mlperf.fits_system, mlperf.read_systems),
    Format("AIPerf or GenAI-Perf", "tables", aiperf.fits_table, aiperf.read_tables),
    Format("llama-bench", "tables", llama_bench.fits_table, llama_bench.read_tables),
    Format("optimum-benchmark", "tables", optimum.fits_table, optimum.read_tables),
    Format("CodeCarbon", "tables", codecarbon.fits, codecarbon.read),
    Format("llama-bench", "grids", llama_bench.fits_grid, llama_bench.read_grids),
    Format("TGI benchmark", "grids", tgi.fits, tgi.read),
    Format("vLLM or SGLang serving benchmark", "text", serving.fits_report, serving.read_reports),
    Format("trtllm-bench", "text", trtllm_bench.fits, trtllm_bench.read),
    Format("MLPerf summary", "text", mlperf.fits, mlperf.read),
)
NAMES = tuple(dict.fromkeys(each.name for each in FORMATS))


def recognised(content: Content) -> tuple[Format, list[Any]] | None:
    """The first format of which a content has a piece, and all its pieces of it; None for anything else."""
    for each in FORMATS:
        if pieces := [piece for piece in _pieces(content, each.piece) if each.fits(piece)]:
            return each, pieces
    return None


def _pieces(content: Content, kind: str) -> list[Any]:
    if kind == "text":
        return [content]
    if content.is_json and kind != "documents":
        return []
    return getattr(content, kind)
