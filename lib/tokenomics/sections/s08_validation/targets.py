"""The bars that the project set itself for inference, each with what was reached and whether it is met."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tokenomics.sections.s08_validation.errors import statistic
from tokenomics.sections.s08_validation.rows import SILICON

NVIDIA = "NVIDIA"
COVERED = (0.75, 0.88)
"""Coverage that an 80 % interval should have on a group."""
WIDEST = 2.5
"""Median half-width of an interval over the median error, at most."""
COLUMNS = ["on", "measure", "bar", "reached", "met", "left_out_accelerator", "n"]
UNITS = dict.fromkeys(COLUMNS, "1") | dict.fromkeys(("on", "measure", "met"), "text")
PARTS = ("of which", "beside")
"""How lines begin that are parts of a bar or stand beside one, and are no bars themselves."""
HIGHER = ("within", "coverage", "share")
Mask = Callable[[pd.DataFrame], pd.Series]


@dataclass(frozen=True)
class Bar:
    """What must be reached on which rows: errors at most, shares at least ``bar``."""

    on: str
    measure: str
    bar: float
    rows: Mask


def _silicon(metric: str, experts: bool | None = None) -> Mask:
    def mask(rows: pd.DataFrame) -> pd.Series:
        kept = (rows["source"] == SILICON) & (rows["metric"] == metric)
        return kept if experts is None else kept & (rows["experts"] == experts)

    return mask


def _static(experts: bool, source: str = "", engines: tuple[str, ...] = ()) -> Mask:
    """Static batches of grade A on NVIDIA's devices by engines that were tuned for them."""
    known = engines or ("vllm", "trtllm", "fastertransformer", "gpt-fast")

    def mask(rows: pd.DataFrame) -> pd.Series:
        kept = (rows["load"] == "static") & (rows["grade"] == "A") & (rows["vendor"] == NVIDIA)
        kept &= rows["profile"].str.startswith(known) & (rows["experts"] == experts)
        return kept & (rows["source"] == source) if source else kept

    return mask


def _full_queue(rows: pd.DataFrame) -> pd.Series:
    return (rows["load"] == "max") & (rows["source"] == "tensorrt_llm")


def _elsewhere(rows: pd.DataFrame) -> pd.Series:
    return rows["vendor"] != NVIDIA


BENCH = "llm_inference_bench"
BARS = (
    Bar("silicon sample, dense TPOT", "median_error", 0.07, _silicon("tpot_mean", False)),
    Bar("silicon sample, dense TPOT", "within", 0.65, _silicon("tpot_mean", False)),
    Bar("silicon sample, MoE TPOT", "median_error", 0.12, _silicon("tpot_mean", True)),
    Bar("silicon sample, TTFT", "median_error", 0.30, _silicon("ttft_mean")),
    Bar("static grade A, dense", "median_error", 0.06, _static(False)),
    Bar("static grade A, dense", "p90_error", 0.20, _static(False)),
    Bar("static grade A, MoE", "median_error", 0.12, _static(True)),
    Bar("static grade A, MoE", "p90_error", 0.20, _static(True)),
    Bar("of which LLM-Inference-Bench, vLLM, dense", "median_error", 0.06, _static(False, BENCH, ("vllm",))),
    Bar("of which LLM-Inference-Bench, TensorRT-LLM, dense", "median_error", 0.06, _static(False, BENCH, ("trtllm",))),
    Bar("of which LLM-Inference-Bench, vLLM, Mixtral", "median_error", 0.12, _static(True, BENCH, ("vllm",))),
    Bar("of which LLM-Inference-Bench, TensorRT-LLM, Mixtral", "median_error", 0.12, _static(True, BENCH, ("trtllm",))),
    Bar("of which TensorRT-LLM 0.6 and 0.9, dense", "median_error", 0.06, _static(False, "tensorrt_llm")),
    Bar("of which Splitwise", "median_error", 0.06, _static(False, "splitwise_sim")),
    Bar("of which FasterTransformer", "median_error", 0.06, _static(False, "fastertransformer")),
    Bar("of which gpt-fast", "median_error", 0.06, _static(False, "gpt_fast")),
    Bar("full queue, TensorRT-LLM 0.17", "median_error", 0.07, _full_queue),
    Bar("full queue, TensorRT-LLM 0.17", "mean_error", 0.10, _full_queue),
    Bar("AMD, Gaudi and others", "coverage", 0.75, _elsewhere),
)


def line(on: str, measure: str, bar: float, found: tuple[float, float], n: int) -> dict[str, object]:
    """One line of the table of bars; ``found`` is what was reached, and that with the accelerator left out (or NaN)."""
    reached, beside = found
    good = reached >= bar if measure in HIGHER else reached <= bar
    met = "not measured" if np.isnan(reached) else "yes" if good else "no"
    return dict(zip(COLUMNS, (on, measure, bar, reached, met, beside, n), strict=True))


def counted(table: pd.DataFrame) -> pd.DataFrame:
    """The lines that are bars: no parts, and nothing that stands in for one."""
    return table[~table["on"].str.startswith(PARTS)]


def of_rows(frames: Mapping[str, pd.DataFrame], band: float) -> pd.DataFrame:
    """:data:`BARS` on held-out families, with left-out accelerators beside.

    Args:
        frames: rows by what was held out, ``family`` and ``accelerator``.
        band: relative error that counts as near.
    """
    lines = []
    for bar in BARS:
        some = {name: frame[bar.rows(frame)] for name, frame in frames.items()}
        found = tuple(statistic(some[name], bar.measure, band) for name in ("family", "accelerator"))
        lines.append(line(bar.on, bar.measure, bar.bar, found, len(some["family"])))
    return pd.DataFrame(lines, columns=COLUMNS)


def of_intervals(groups: pd.DataFrame) -> pd.DataFrame:
    """Shares of scored groups whose intervals cover enough and not too much, are sharp, and beat one width for all.

    Args:
        groups: as :func:`tokenomics.sections.s08_validation.errors.sharpness` gives them.
    """
    good = {
        f"coverage {COVERED[0]:.0%} to {COVERED[1]:.0%}": groups["coverage"].between(*COVERED),
        f"half-width at most {WIDEST:g} median errors": groups["width_over_error"] <= WIDEST,
        "score better than one width": groups["interval_score"] < groups["constant_width"],
    }
    lines = []
    for name, met in good.items():
        shares = met.groupby(groups["held_out"]).mean()
        n = int((groups["held_out"] == "family").sum())
        found = (shares["family"], shares["accelerator"])
        lines.append(line(f"intervals, groups with {name}", "share", 1.0, found, n))
    return pd.DataFrame(lines, columns=COLUMNS)
