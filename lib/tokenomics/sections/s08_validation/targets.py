"""The targets that the project set itself for inference, what was reached, and whether each is met."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tokenomics.notebook.report import Metric
from tokenomics.sections.s08_validation.errors import statistic
from tokenomics.sections.s08_validation.rows import SILICON

NVIDIA = "NVIDIA"
COVERED = (0.75, 0.88)
"""Coverage that an 80 % interval should have on a group."""
WIDEST = 2.5
"""Median half-width of an interval over the median error, at most."""
COLUMNS = ["subject", "measure", "unit", "target_number", "reached_number", "met", "left_out_number", "n"]
PARTS = ("of which", "beside")
"""First words of the subject of a line that is no target itself: a part of a target, or a number to compare with."""
HIGHER = ("within", "coverage", "share")
"""Measures that must be at least their target; all others must be at most theirs."""
UNITS = {"difference": "s", "ratio": "1"}
"""Units of the measures that are not shares."""
HEADLINES = {
    "dense_tpot": ("silicon sample, dense TPOT", "median_error", "median error of dense TPOT"),
    "moe_tpot": ("silicon sample, MoE TPOT", "median_error", "median error of MoE TPOT"),
    "ttft": ("silicon sample, TTFT", "median_error", "median error of TTFT, silicon sample"),
    "static_dense": ("static grade A, dense", "median_error", "median error, static, grade A, dense"),
}
"""Metric to the target whose reached value it is (subject and measure), and its meaning."""
Mask = Callable[[pd.DataFrame], pd.Series]
Line = dict[str, object]


@dataclass(frozen=True)
class Target:
    """The target of a measure on some rows: errors at most ``number``, shares at least."""

    subject: str
    measure: str
    number: float
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


def _saturated(rows: pd.DataFrame) -> pd.Series:
    return (rows["load"] == "max") & (rows["source"] == "tensorrt_llm")


def _elsewhere(rows: pd.DataFrame) -> pd.Series:
    return rows["vendor"] != NVIDIA


BENCH = "llm_inference_bench"
TARGETS = (
    Target("silicon sample, dense TPOT", "median_error", 0.07, _silicon("tpot_mean", False)),
    Target("silicon sample, dense TPOT", "within", 0.65, _silicon("tpot_mean", False)),
    Target("silicon sample, MoE TPOT", "median_error", 0.12, _silicon("tpot_mean", True)),
    Target("silicon sample, TTFT", "median_error", 0.30, _silicon("ttft_mean")),
    Target("static grade A, dense", "median_error", 0.06, _static(False)),
    Target("static grade A, dense", "p90_error", 0.20, _static(False)),
    Target("static grade A, MoE", "median_error", 0.12, _static(True)),
    Target("static grade A, MoE", "p90_error", 0.20, _static(True)),
    Target("of which LLM-Inference-Bench, vLLM, dense", "median_error", 0.06, _static(False, BENCH, ("vllm",))),
    Target(
        "of which LLM-Inference-Bench, TensorRT-LLM, dense", "median_error", 0.06, _static(False, BENCH, ("trtllm",))
    ),
    Target("of which LLM-Inference-Bench, vLLM, Mixtral", "median_error", 0.12, _static(True, BENCH, ("vllm",))),
    Target(
        "of which LLM-Inference-Bench, TensorRT-LLM, Mixtral", "median_error", 0.12, _static(True, BENCH, ("trtllm",))
    ),
    Target("of which TensorRT-LLM 0.6 and 0.9, dense", "median_error", 0.06, _static(False, "tensorrt_llm")),
    Target("of which Splitwise", "median_error", 0.06, _static(False, "splitwise_sim")),
    Target("of which FasterTransformer", "median_error", 0.06, _static(False, "fastertransformer")),
    Target("of which gpt-fast", "median_error", 0.06, _static(False, "gpt_fast")),
    Target("saturated, TensorRT-LLM 0.17", "median_error", 0.07, _saturated),
    Target("saturated, TensorRT-LLM 0.17", "mean_error", 0.10, _saturated),
    Target("AMD, Gaudi and others", "coverage", 0.75, _elsewhere),
)


def line(subject: str, measure: str, target: float, reached: float, n: int, *, left_out: float = np.nan) -> Line:
    """One line of the table of targets.

    Args:
        subject: what it is about, in words; see :data:`PARTS`.
        measure: which statistic of it; its unit follows.
        target: the least value for a measure of :data:`HIGHER`, the largest for all others.
        reached: what was reached; NaN where it was not measured.
        n: how many rows, operators, runs or groups it is of.
        left_out: the same with the accelerator held out.
    """
    good = reached >= target if measure in HIGHER else reached <= target
    met = "not measured" if np.isnan(reached) else "yes" if good else "no"
    cells = (subject, measure, UNITS.get(measure, "share"), target, reached, met, left_out, n)
    return dict(zip(COLUMNS, cells, strict=True))


def table(*parts: Iterable[Line]) -> pd.DataFrame:
    """Lines from several modules as one table (:data:`COLUMNS`), in their order."""
    return pd.DataFrame([each for part in parts for each in part], columns=COLUMNS)


def counted(lines: pd.DataFrame) -> pd.DataFrame:
    """The lines that are targets, without those that :data:`PARTS` marks."""
    return lines[~lines["subject"].str.startswith(PARTS)]


def metrics(lines: pd.DataFrame, others: Mapping[str, tuple[str, str, str]]) -> dict[str, Metric]:
    """How many targets are met, and what was reached on those of :data:`HEADLINES` and of ``others`` like it."""
    met = counted(lines)["met"]
    metrics = {
        "targets": Metric(len(met), "1", "targets set beforehand, parts not counted"),
        "targets_met": Metric(int((met == "yes").sum()), "1", "targets that are met"),
        "targets_open": Metric(int((met == "not measured").sum()), "1", "targets that the tables cannot test"),
        "widest": Metric(WIDEST, "1", "widest half-width asked for, in median errors"),
    }
    by_target = lines.set_index(["subject", "measure"])
    for key, (subject, measure, meaning) in {**HEADLINES, **others}.items():
        row = by_target.loc[(subject, measure)]
        metrics[key] = Metric(row["reached_number"], row["unit"], meaning)
    return metrics


def of_rows(frames: Mapping[str, pd.DataFrame], band: float) -> list[Line]:
    """:data:`TARGETS` with families held out, and beside each the number with accelerators held out.

    Args:
        frames: rows by what was held out, ``family`` and ``accelerator``.
        band: relative error that counts as near.
    """
    lines = []
    for target in TARGETS:
        rows = {fold: frame[target.rows(frame)] for fold, frame in frames.items()}
        reached = {fold: statistic(part, target.measure, band) for fold, part in rows.items()}
        n, left_out = len(rows["family"]), reached["accelerator"]
        lines.append(line(target.subject, target.measure, target.number, reached["family"], n, left_out=left_out))
    return lines


def of_intervals(groups: pd.DataFrame) -> list[Line]:
    """Shares of groups whose intervals have the coverage asked for, are narrow enough, and beat one width for all rows.

    Args:
        groups: as :func:`tokenomics.sections.s08_validation.errors.sharpness` gives them.
    """
    good = {
        f"coverage {COVERED[0]:.0%} to {COVERED[1]:.0%}": groups["coverage"].between(*COVERED),
        f"half-width at most {WIDEST:g} median errors": groups["width_to_error_ratio"] <= WIDEST,
        "score better than one width": groups["interval_score"] < groups["constant_width_score"],
    }
    n = int((groups["held_out"] == "family").sum())
    lines = []
    for name, met in good.items():
        shares = met.groupby(groups["held_out"]).mean()
        subject = f"intervals, groups with {name}"
        lines.append(line(subject, "share", 1.0, shares["family"], n, left_out=shares["accelerator"]))
    return lines
