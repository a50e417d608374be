"""The deployment of a case of the scorer: engine profile, kernels, layout and replicas of its rows."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.compute.deployment import Deployment, Settings
from tokenomics.compute.inference import durations, engines, memory, saturation
from tokenomics.compute.inference.engines import Profile
from tokenomics.compute.inference.server import put_together
from tokenomics.compute.layout import Layout
from tokenomics.facts.engines import default_share, of_profile, published
from tokenomics.rows.case import Case

SERVER = "mlperf_server"
OPEN = ("open", SERVER)
"""Loads of random arrivals."""
BEAMS = "GPT-J"
"""The model family that MLPerf runs with four beams, which nothing here models."""
DOMAIN = 8
"""Devices joined by fast links, where the vendor states no number."""
MOST_REQUESTS, FEWEST_REQUESTS, MOST_TOKENS = 10_000, 5, 2e7
"""Requests of a replica that are simulated, and the tokens that they may write together."""
SIZES = ("n_gpu", "tp", "pp", "dp", "ep")


def profile_of(case: Case, without: str = "") -> Profile:
    """The profile of a case's engine, fitted without a model family, unless the caller forces one."""
    if case.setting.profile is not None:
        return case.setting.profile
    return engines.profile(engines.profile_name(case.engine, case.device), case.model.is_moe, without)


def serving(case: Case, layout: Layout) -> Deployment:
    """The deployment of a case in a layout."""
    name = engines.profile_name(case.engine, case.device)
    alike = case.load == "static" and of_profile(name).repeats_prompt
    settings = Settings(memory_utilisation=default_share(case.engine))
    return put_together(
        *(case.model, case.device, case.precision, layout, name),
        **{"alike": alike, "left_out": case.setting.left_out, "settings": settings},
    )


def layouts(case: Case) -> Iterator[tuple[Layout, float, NDArray[np.int64]]]:
    """Layouts that a case's rows state, or are given, with replicas and row numbers."""
    stated = np.stack([np.maximum(case.known(name, 1), 1) for name in SIZES], axis=1)
    for sizes in np.unique(stated, axis=0):
        rows = np.flatnonzero((stated == sizes).all(axis=1))
        n = int(sizes[0])
        layout = Layout() if n == 1 else _layout(case, [int(size) for size in sizes])
        yield layout, n / layout.devices, rows


def _layout(case: Case, sizes: Sequence[int]) -> Layout:
    """The layout that rows state, as far as the model and the machine allow it.

    Args:
        case: the rows.
        sizes: what they state, by :data:`SIZES`.
    """
    model, (n, tp, pp, dp, ep) = case.model, sizes
    if case.load.startswith("mlperf"):
        return fastest(case, n)
    if published(case.engine).splits_layers:
        return Layout(pp=n)
    if tp * pp * dp > n:
        dp = max(1, n // (tp * pp))
    if model.heads % tp:  # Heads that cannot be shared evenly: attention runs on every device by itself.
        return Layout(tp=1, pp=pp, dp=tp, ep=tp if model.is_moe else 1)
    domain = case.device.link_devices or DOMAIN
    tp = min(tp, domain) if not tp % domain else tp  # nobody cuts heads across nodes: the rest are replicas
    dp = (attention_groups(n, tp, pp, dp, ep) or dp) if model.is_moe else 1
    ep = ep if model.is_moe and not (tp * dp) % ep else 1
    return Layout(tp=tp, pp=pp, dp=dp, ep=ep)


def simulated(requests: ArrayLike, osl: ArrayLike) -> NDArray[np.float64]:
    """How many of the requests sent to a replica are simulated: all, unless they are very many or very long."""
    most = np.clip(MOST_TOKENS / np.fmax(osl, 1.0), FEWEST_REQUESTS, MOST_REQUESTS)
    return np.floor(np.fmin(np.fmax(np.round(requests), 1.0), most))


def attention_groups(n: int, tp: int, pp: int, dp: int, ep: int) -> int:
    """Attention groups that a row leaves unsaid: experts spread over more devices than tp and dp name. 0: none."""
    return ep // tp if dp == 1 and ep > tp and not ep % tp and not n % (ep * pp) else 0


def fastest(case: Case, n: int) -> Layout:
    """The tensor-parallel replica with which ``n`` devices deliver most, as a submitter would choose."""
    known = case["osl"][~np.isnan(case["osl"])]
    profile, osl, prompt = profile_of(case), float(np.median(known)) if known.size else np.nan, case.setting.prompt
    sizes = [tp for tp in (1, 2, 4, 8) if n % tp == 0]
    rates = {}
    for tp in sizes:
        on = serving(case, Layout(tp=tp))
        if memory.capacity(on, profile.name, prompt + osl) >= 1:
            running = durations.in_flight(on, profile.name, np.inf, prompt, osl)
            cycle = saturation.saturated_cycle(on, profile, prompt, osl)
            rates[tp] = float(running / cycle.seconds(profile) / tp)
    return Layout(tp=max(rates, key=rates.get, default=sizes[-1]))
