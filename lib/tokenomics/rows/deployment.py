"""How a case of the scorer is deployed: engine profile, kernels, layout and replicas of its rows."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tokenomics.compute.inference import durations, engines, memory
from tokenomics.compute.inference.engines import Profile
from tokenomics.compute.layout import Layout
from tokenomics.compute.operators.selection import Serving
from tokenomics.facts.engines import of_profile, published
from tokenomics.rows.registry import Case

ORCA_PROMPT_TOKENS = 291.0
"""Prompt of MLPerf's language models, which the results do not state: taken to be as long as Open-Orca's answers."""
SERVER = "mlperf_server"
OPEN = ("open", SERVER)
"""Loads of random arrivals."""
BEAMS = "GPT-J"
"""The model family that MLPerf runs with four beams, which nothing here models."""
DOMAIN = 8
"""Devices of a fast domain where the vendor names no number."""


@dataclass(frozen=True)
class Setting:
    """What a caller may force, to learn profiles or to leave an accelerator out.

    Attributes:
        profile: use this profile for every row.
        left_out: treat every accelerator as if nobody had measured it.
        plain: no interval, no bound: the duration as it is.
        prompt: tokens of MLPerf's prompts, which its results do not state.
    """

    profile: Profile | None = None
    left_out: bool = False
    plain: bool = False
    prompt: float = ORCA_PROMPT_TOKENS


USUAL = Setting()
_setting: ContextVar[Setting] = ContextVar("setting", default=USUAL)


def active() -> Setting:
    """What is forced at the moment."""
    return _setting.get()


@contextlib.contextmanager
def setting(**changes) -> Iterator[None]:
    """Force a :class:`Setting` while the block runs."""
    token = _setting.set(Setting(**changes))
    try:
        yield
    finally:
        _setting.reset(token)


def profile_of(case: Case, without: str = "") -> Profile:
    """The profile of a case's engine, fitted without a model family."""
    forced = active().profile
    if forced is not None:
        return forced
    return engines.profile(engines.profile_name(case.engine, case.device), case.model.is_moe, without)


def serving(case: Case, layout: Layout) -> Serving:
    """The deployment of a case in a layout."""
    name = engines.profile_name(case.engine, case.device)
    engine = of_profile(name)
    return Serving(
        *(engines.as_run(case.model, name), case.device, case.precision, layout, engine.kernels),
        fused=engine.fuses,
        alike=case.load == "static" and engine.repeats_prompt,
        left_out=active().left_out,
    )


def layouts(case: Case) -> Iterator[tuple[Layout, float, NDArray[np.int64]]]:
    """Layouts that a case's rows state, or are given, with replicas and row numbers."""
    sizes = np.stack([np.maximum(case.known(name, 1), 1) for name in ("n_gpu", "tp", "pp", "dp", "ep")], axis=1)
    for size in np.unique(sizes, axis=0):
        rows = np.flatnonzero((sizes == size).all(axis=1))
        n = int(size[0])
        layout = Layout() if n == 1 else _layout(case, *(int(each) for each in size))
        yield layout, n / layout.devices, rows


def _layout(case: Case, *size: int) -> Layout:
    model, (n, tp, pp, dp, ep) = case.model, size
    if case.load.startswith("mlperf"):
        return fastest(case, n)
    if published(case.engine).splits_layers:
        return Layout(pp=n)
    if tp * pp * dp > n:
        dp = max(1, n // (tp * pp))
    if model.heads % tp:  # Heads that cannot be shared evenly: attention runs on every device by itself.
        return Layout(1, pp, tp, tp if model.is_moe else 1)
    domain = case.device.link_devices or DOMAIN
    tp = min(tp, domain) if not tp % domain else tp  # nobody cuts heads across nodes: the rest are replicas
    dp = dp if model.is_moe else 1
    ep = ep if model.is_moe and not (tp * dp) % ep else 1
    return Layout(tp, pp, dp, ep)


def fastest(case: Case, n: int) -> Layout:
    """The tensor-parallel group whose replicas on ``n`` devices deliver most, as a submitter would choose it."""
    profile, osl, prompt = profile_of(case), float(np.nanmedian(case["osl"])), active().prompt
    sizes = [tp for tp in (1, 2, 4, 8) if n % tp == 0]
    found = {}
    for tp in sizes:
        on = serving(case, Layout(tp=tp))
        if memory.capacity(on, profile.name, prompt + osl) >= 1:
            running = durations.in_flight(on, profile.name, np.inf, prompt, osl)
            cycle = durations.full_queue_cycle(on, profile.name, prompt, osl)
            found[tp] = float(running / cycle.seconds(profile) / tp)
    return Layout(tp=max(found, key=found.get, default=sizes[-1]))
