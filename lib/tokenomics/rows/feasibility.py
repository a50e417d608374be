"""Whether rows can exist, before any model is asked: a status for each, and what had to be assumed.

The rules are those of :mod:`tokenomics.compute.inference.feasibility`. A row reports what ran, so a context beyond the
stated one, uneven stages, redundant experts or a smaller memory reserve are assumed and listed, not refused.
"""

from collections.abc import Iterator
from dataclasses import astuple

import numpy as np
from numpy.typing import NDArray

from tokenomics.compute.deployment import Deployment
from tokenomics.compute.inference import engines, feasibility, memory
from tokenomics.errors import DataError, Infeasible
from tokenomics.facts.engines import GENERIC, published, version_told
from tokenomics.facts.measurements import METRICS
from tokenomics.rows import deployment
from tokenomics.rows.bounds import RATES, TPOT, TTFT
from tokenomics.rows.case import Case
from tokenomics.rows.columns import POWER
from tokenomics.rows.layouts import Stated, by_sizes, resolved

OK = "ok"
MEMORY_METRICS = tuple(name for name, metric in METRICS.items() if metric.kind == "memory" and name != "memory_per_gpu")
"""Metrics that answer whether something fits."""
READING = (*TTFT, "prefill_tok_s", *MEMORY_METRICS)
"""Metrics that need no token to be written."""
COUNTED = ("static", "closed")
"""Loads with a stated number of requests at a time."""
UNSPOKEN = ("", "none", "off", "false")
"""Texts that say that nothing is drafted."""
BITES = 0.8
"""Share of a device's power below which a limit slows it, and is not modelled (a limit above costs a few per cent)."""
TAKEN = {"batch": "one sequence", "isl": "no prompt", "osl": "the first token after the prompt"}
"""What a static batch is taken to be where a row does not say."""
WRITING = (*TPOT, "decode_tok_s_per_user")
STATIC_READS = {"batch": (*TTFT, *WRITING, *RATES, "prefill_tok_s", "e2e_latency"), "isl": WRITING, "osl": WRITING}
"""Metrics of a static batch that depend on each of these and are answered without it."""
ROLES = {
    **dict.fromkeys(("", "both"), lambda metric: True),
    "prefill": lambda metric: metric in READING,
    "decode": lambda metric: metric in (*MEMORY_METRICS, *TPOT, *RATES, "decode_tok_s_per_user", "request_throughput"),
}
"""Which metrics a pool of devices has, by what it does."""
Texts = NDArray[np.object_]
Numbers = NDArray[np.float64]


def judge(case: Case) -> tuple[Texts, Texts]:
    """Status (``ok``, ``infeasible: REASON``, ``not judgeable: REASON``) and assumptions of each row.

    Training rows are held to whole numbers of devices only: what they keep where is a recipe's matter.
    """
    count = len(case["n_gpu"])
    status, assumed = np.full(count, OK, dtype=object), np.full(count, "", dtype=object)
    for stated, rows in by_sizes(case):
        try:
            notes = [*_common(case), *_layout(case.only(rows), stated)]
        except DataError as error:
            status[rows] = _status(error)
            continue
        for row in rows:
            assumed[row] = feasibility.joined(notes)
    if case.load != "training":
        _judge_conditions(case, status, assumed)
        _judge_requests(case, status, assumed)
    return status, assumed


def _common(case: Case) -> list[str]:
    """Checks that all rows of a case share."""
    if case.load == "training":
        return []
    feasibility.check_task(case.model, case.metric not in READING)
    generic = bool(case.engine) and published(case.engine).name == GENERIC
    notes = [f"engine {case.engine!r} unknown: the generic one"] if generic else []
    notes += [] if case.engine else ["engine not stated: the generic one"]
    if not version_told(case.engine):
        notes.append(f"version of the engine not stated: {published(case.engine).profile}")
    return [*notes, *feasibility.check_format(case.device, case.model, case.precision)]


def _layout(case: Case, stated: Stated) -> list[str]:
    """What was assumed of a layout; only whole numbers are asked of training, whose recipes are their own matter."""
    if case.load == "training":
        feasibility.check_counts(*(1 if np.isnan(each) else each for each in astuple(stated)[:-1]))
        return []
    return resolved(case, stated)[1]


def _judge_conditions(case: Case, status: Texts, assumed: Texts) -> None:
    """Conditions that no model here follows: drafts whose acceptance nobody knows, power limits that bite, pools."""
    reasons = [*_of_drafts(case), *_of_role(case)]
    if reasons:
        status[status == OK] = f"not judgeable: {reasons[0]}"
    if deployment.drafted(case):
        _note(assumed, status == OK, f"{deployment.ACCEPTANCE:.0%} of drafts accepted")
    for name in (each for each in TAKEN if case.load == "static" and case.metric in STATIC_READS[each]):
        _note(assumed, np.isnan(case.known(name, np.nan)), f"{name} not stated: {TAKEN[name]}")
    limit, usual = case.known(POWER, np.nan), case.device.tdp_w or np.nan
    for row in np.flatnonzero(limit < usual):
        if limit[row] < BITES * usual:
            status[row] = f"not judgeable: {POWER} {limit[row]:g}, not modelled below {BITES * usual:g}"
        else:
            _note(assumed, np.arange(len(limit)) == row, f"{POWER} {limit[row]:g} of {usual:g} taken as none")


def _of_drafts(case: Case) -> list[str]:
    method = case.spec_method
    if method in UNSPOKEN:
        return []
    if not deployment.drafted(case):
        return [f"spec_method {method} is not modelled; {deployment.MTP} and none are"]
    simulated = case.load in deployment.OPEN
    return [f"drafts under load {case.load} are not simulated"] if simulated else []


def _of_role(case: Case) -> list[str]:
    answers = ROLES.get(case.role)
    if answers is None:
        return [f"role {case.role}, not one of {', '.join(filter(None, ROLES))}"]
    return [] if answers(case.metric) else [f"{case.metric} of a pool that does {case.role} alone"]


def _note(assumed: Texts, rows: NDArray[np.bool_], note: str) -> None:
    for row in np.flatnonzero(rows):
        assumed[row] = feasibility.joined(filter(None, [assumed[row], note]))


def _judge_requests(case: Case, status: Texts, assumed: Texts) -> None:
    """Batches, contexts and memory of the rows that are still ok."""
    context = np.nan_to_num(case["isl"]) + np.nan_to_num(case["osl"])
    batch = case.known("batch", 1) if case.load in COUNTED else np.ones(len(context))
    few = (batch < 1) & (status == OK)
    status[few] = [f"not judgeable: batch {each:g}, not 1 or more" for each in batch[few]]
    for row in np.flatnonzero((status == OK) & (context > (case.model.context_tokens or np.inf))):
        notes = feasibility.check_context(case.model, context[row], measured=True)
        assumed[row] = feasibility.joined(filter(None, [assumed[row], *notes]))
    if case.metric in MEMORY_METRICS or case.load.startswith(
        "mlperf"
    ):  # MLPerf states no layout: one that fits is taken
        return
    good = np.flatnonzero(status == OK)
    for on, replicas, some in deployment.deployments(case.only(good)):
        rows = good[some]
        _note_simulated(case, replicas, rows, assumed)
        for row, found in _memory(case, on, rows, context[rows], np.maximum(batch[rows] / replicas, 1.0)):
            if isinstance(found, Infeasible):
                status[row] = _status(found)
            else:
                assumed[row] = feasibility.joined(filter(None, [assumed[row], *found]))


def _note_simulated(case: Case, replicas: float, rows: NDArray[np.int64], assumed: Texts) -> None:
    """Say where fewer requests are simulated than a row was sent."""
    if case.load != "open" or "requests" not in case.columns:
        return
    sent = np.round(case["requests"][rows] / replicas)
    taken = deployment.simulated(sent, case["osl"][rows])
    for row, all_of_them, some in zip(rows, sent, taken, strict=True):
        if some < all_of_them:
            note = f"{some:,.0f} of {all_of_them:,.0f} requests simulated"
            assumed[row] = feasibility.joined(filter(None, [assumed[row], note]))


def _memory(
    case: Case, on: Deployment, rows: NDArray[np.int64], context: Numbers, batch: Numbers
) -> Iterator[tuple[int, list[str] | Infeasible]]:
    """Rows of one layout whose caches do not all fit, with what is assumed or why that cannot be.

    Args:
        context, batch: tokens of a sequence and sequences of a replica, of each of the rows.
    """
    name = engines.profile_name(case.engine, case.device)
    short = memory.capacity(on, name, np.maximum(context, 1.0)) < batch
    for row, tokens, sequences in zip(rows[short], context[short], batch[short], strict=True):
        try:
            yield row, feasibility.check_memory(on, name, tokens, sequences, measured=True)
        except Infeasible as error:
            yield row, error


def _status(error: DataError) -> str:
    if isinstance(error, Infeasible):
        return f"infeasible: {error.reason}"
    value = f"{error.value:g}" if isinstance(error.value, int | float) else error.value
    return f"not judgeable: {error.key} {value}, not {error.allowed}"
