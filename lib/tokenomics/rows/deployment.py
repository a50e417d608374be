"""The deployments of a case's rows: engine profile, kernels, layout, what the engine is told, and replicas."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.compute.deployment import Deployment, Drafts, Settings
from tokenomics.compute.inference import engines
from tokenomics.compute.inference.engines import Profile
from tokenomics.compute.inference.server import put_together
from tokenomics.compute.inference.speculation import layer_share
from tokenomics.compute.layout import Layout
from tokenomics.facts.engines import default_share, of_profile
from tokenomics.rows.case import Case
from tokenomics.rows.columns import SETTINGS
from tokenomics.rows.layouts import by_sizes, resolved

SERVER, INTERACTIVE, SINGLE = "mlperf_server", "mlperf_interactive", "mlperf_singlestream"
OPEN = ("open", SERVER, INTERACTIVE, SINGLE)
"""Loads that are simulated: random arrivals, and MLPerf's requests one after another."""
BEAMS = "GPT-J"
"""The model family that MLPerf runs with four beams, which nothing here models."""
MOST_REQUESTS, FEWEST_REQUESTS, MOST_TOKENS = 10_000, 5, 2e7
"""Requests of a replica that are simulated, and the tokens that they may write together."""
MTP, ACCEPTANCE = "mtp", 0.85
"""Drafts by layers of the model itself, and how often one is accepted where nobody says: 85 to 90 % of second tokens
(DeepSeek-V3 technical report, arXiv:2412.19437, section 5.4.3)."""
LEAST_ACCEPTANCE = 0.5
"""The same at the end of the interval: later tokens of a draft, and texts that are hard to guess; assumed."""
BALANCED = "balanced"


def profile_of(case: Case, without: str = "") -> Profile:
    """The profile of a case's engine, fitted without a model family, unless the caller forces one."""
    if case.setting.profile is not None:
        return case.setting.profile
    return engines.profile(engines.profile_name(case.engine, case.device), case.model.is_moe, without)


def deployments(case: Case) -> Iterator[tuple[Deployment, float, NDArray[np.int64]]]:
    """Deployments that a case's rows mean, with replicas and row numbers.

    Raises:
        DataError: sizes that are no whole numbers.
        Infeasible: a layout that cannot be.
    """
    told = np.stack([case.known(name, 0.0) for name in SETTINGS], axis=1)
    for stated, same in by_sizes(case):
        layout, _ = resolved(case.only(same), stated)
        for settings in np.unique(told[same], axis=0):
            rows = same[(told[same] == settings).all(axis=1)]
            on = serving(case, layout, dict(zip(SETTINGS, settings.tolist(), strict=True)))
            yield on, stated.n_gpu / layout.devices, rows


def serving(case: Case, layout: Layout, told: dict[str, float] | None = None) -> Deployment:
    """The deployment of a case in a layout.

    Args:
        case: the rows.
        layout: of one replica.
        told: :data:`tokenomics.rows.columns.SETTINGS`; 0 and what is missing is not told. Sequences and tokens are
            those of an attention group.
    """
    told = {name: value for name, value in (told or {}).items() if value}
    name = engines.profile_name(case.engine, case.device)
    extra = int(told.get("redundant_experts", 0)) if case.model.is_moe else 0
    layout = Layout(layout.tp, layout.pp, layout.dp, layout.ep, extra)
    alike = case.load == "static" and of_profile(name).repeats_prompt
    skewed = case.expert_routing != BALANCED and not extra
    return put_together(
        *(case.model, case.device, case.precision, layout, name),
        **{
            "alike": alike,
            "skewed": skewed,
            "left_out": case.setting.left_out,
            "settings": _settings(case, layout, told),
        },
    )


def _settings(case: Case, layout: Layout, told: dict[str, float]) -> Settings:
    """What the engine of rows is told; what they do not state is as published throughput runs set it."""
    given = {name: layout.dp * int(told[name]) for name in ("max_num_seqs", "max_num_batched_tokens") if name in told}
    share = told.get("gpu_memory_utilization", default_share(case.engine))
    known = int(told.get("prefix_cached_tokens", 0))
    if known:
        given |= {"prefix_tokens": known, "prefix_cache": True}
    return Settings(memory_utilisation=share, drafts=_drafts(case, told), **given)


def drafted(case: Case) -> bool:
    """Whether rows draft with layers of the model itself."""
    return case.spec_method.startswith(MTP)


def _drafts(case: Case, told: dict[str, float]) -> Drafts | None:
    if not drafted(case):
        return None
    return Drafts(int(told.get("draft_tokens", 1)), ACCEPTANCE, share=layer_share(case.model))


def simulated(requests: ArrayLike, osl: ArrayLike) -> NDArray[np.float64]:
    """How many of the requests sent to a replica are simulated: all, unless they are very many or very long."""
    most = np.clip(MOST_TOKENS / np.fmax(osl, 1.0), FEWEST_REQUESTS, MOST_REQUESTS)
    return np.floor(np.fmin(np.fmax(np.round(requests), 1.0), most))
