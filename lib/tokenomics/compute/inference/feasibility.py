"""Whether a deployment can exist: counts, layout, format, context, memory. One place refuses, for every caller.

Each check raises :class:`tokenomics.errors.Infeasible`, or returns what had to be assumed, in words. What a call asks
for is held to what the engine itself would accept. What a benchmark reports has run: there the data sheet alone rules
out (``measured=True``), and what the engine would not have accepted is listed as assumed.
"""

from collections.abc import Sequence

import numpy as np

from tokenomics.compute.bounds import Precision
from tokenomics.compute.deployment import Deployment
from tokenomics.compute.inference import memory
from tokenomics.compute.layout import Layout
from tokenomics.compute.operators.selection import expert_dtype, product_dtype
from tokenomics.errors import EXACT, DataError, Infeasible, whole
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.models import Model

WHERE = "deployment"
SIZES = ("tp", "pp", "dp", "ep")
GIGA = 1e9


def refuse_told(on: Deployment, where: str, *names: str) -> None:
    """Refuse settings that a prediction does not model, rather than ignore them.

    Args:
        on: the deployment.
        where: what predicts.
        names: ``drafts``, ``prefix_tokens``.

    Raises:
        Infeasible: one of them is set.
    """
    for name in names:
        if told := getattr(on.settings, name):
            raise Infeasible(where, name, told, f"{name} are not modelled here", f"no {name}")


def check_counts(devices: float, tp: float = 1, pp: float = 1, dp: float = 1, ep: float = 1) -> None:
    """Refuse devices and sizes of a layout that are no whole numbers, at least one.

    Raises:
        DataError: such a number.
    """
    for name, count in zip(("devices", *SIZES), (devices, tp, pp, dp, ep), strict=True):
        whole(WHERE, name, count)


def check_replicas(devices: int, tp: int = 1, pp: int = 1, dp: int = 1) -> list[str]:
    """Whether so many devices hold whole replicas of a layout.

    Attention groups may lie inside a tensor-parallel group, as SGLang counts them (``--tp 8 --dp 8`` on 8 devices).

    Returns:
        What was assumed.

    Raises:
        Infeasible: more devices in a replica than there are, or no whole number of replicas.
    """
    inside = dp > 1 and tp * pp * dp > devices and not tp % dp
    replica = tp * pp * (1 if inside else dp)
    stated = " x ".join(f"{name} {size}" for name, size in (("tp", tp), ("pp", pp), ("dp", dp)) if size > 1)
    if replica > devices:
        one = sum(size > 1 for size in (tp, pp, dp)) == 1
        there = f"{devices} device{'s' * (devices > 1)}"
        reason = f"{stated} on {there}" if one else f"{stated} is {tp * pp * dp} on {there}"
        raise Infeasible(WHERE, "devices", devices, reason, f"{replica} devices")
    if devices % replica:
        reason = f"{devices} devices are no whole number of replicas of {stated}, {replica} devices each"
        near = sorted({devices // replica * replica, -(-devices // replica) * replica})
        raise Infeasible(WHERE, "devices", devices, reason, " or ".join(map(str, near)))
    return [f"dp {dp} lies within tp {tp}"] if inside else []


def check_layout(model: Model, layout: Layout) -> list[str]:
    """Whether a model can be cut so: heads divide, no more stages than layers, experts to spread where there are any.

    Stages may hold unequal numbers of layers; experts that do not divide get redundant ones beside them.

    Returns:
        What was assumed.

    Raises:
        Infeasible: heads that do not divide, more stages than layers, expert parallelism without experts.
    """
    if model.heads % layout.tp:
        near = [n for n in range(1, model.heads + 1) if not model.heads % n]
        below, above = [n for n in near if n < layout.tp][-1:], [n for n in near if n > layout.tp][:1]
        reason = f"{model.heads} heads of {model.name} cannot be shared by {layout.tp} devices"
        raise Infeasible(WHERE, "tp", layout.tp, reason, " or ".join(map(str, below + above)))
    if layout.pp > model.layers:
        reason = f"{layout.pp} stages of {model.layers} layers ({model.name})"
        raise Infeasible(WHERE, "pp", layout.pp, reason, f"{model.layers} or fewer")
    if layout.ep == 1:
        return []
    if not model.is_moe:
        raise Infeasible(WHERE, "ep", layout.ep, f"{model.name} has no experts to spread", "1")
    more = -model.experts % layout.ep
    return [f"{more} redundant experts"] if more else []


def check_format(device: Accelerator, model: Model, precision: Precision) -> list[str]:
    """What stands in where a device has no arithmetic of a format: weights are widened as they are read, and 16-bit
    floats are computed in the other kind.

    Returns:
        What was assumed.
    """
    kernels = [product_dtype(model, precision, device)]
    kernels += [expert_dtype(model, precision, device)] if model.is_moe else []
    if precision.dtype in ("fp8", "fp4") and any(each.endswith("_weight") for each in kernels):
        return [f"{precision.dtype} emulated: weights widened to 16 bit"]
    if precision.dtype == "fp4" and not device.peak_fp4_flop_per_s:
        return ["fp4 emulated: weights widened to 8 bit"]
    other = {"bf16": device.peak_bf16_flop_per_s, "fp16": device.peak_fp16_flop_per_s}
    if precision.dtype == "bf16" and not other["bf16"] and other["fp16"]:
        return ["bf16 computed in fp16"]
    return []


def check_task(model: Model, writes: bool = True) -> None:
    """Whether a model does what is asked of it.

    Args:
        writes: whether tokens are to be written, one after the other.

    Raises:
        Infeasible: an encoder that is to write.
    """
    if writes and model.encoder_only:
        raise Infeasible(WHERE, "model", model.name, "encoder only: it writes no tokens", "a decoder")


def check_context(model: Model, tokens: float, *, measured: bool = False) -> list[str]:
    """Whether sequences of so many tokens lie within a model's context.

    Returns:
        What was assumed.

    Raises:
        Infeasible: beyond it, unless that was measured.
    """
    most = model.context_tokens
    if not most or tokens <= most:
        return []
    if not measured:
        raise Infeasible(WHERE, "context", f"{tokens:.0f}", f"{model.name} is stated for {most} tokens", f"{most}")
    return [f"context extended beyond {most}"]


def check_memory(on: Deployment, engine: str, context: float, batch: float = 1, *, measured: bool = False) -> list[str]:
    """Whether weights and the cache of one sequence fit, and what becomes of more of them.

    Args:
        on: the deployment.
        engine: name of its profile, for what it keeps back.
        context: tokens of a sequence at its end.
        batch: sequences asked for.

    Returns:
        What was assumed: a smaller reserve than the engine's, or waves of as many as fit.

    Raises:
        Infeasible: the weights or one sequence do not fit.
    """
    fit = float(memory.capacity(on, engine, max(context, 1.0)))
    if fit >= batch:
        return []
    if fit >= 1:
        return [f"in waves of {fit:.0f}"]
    weights, cache = memory.weight_bytes_per_device(on), float(memory.cache_bytes_per_device(on, context))
    if measured and weights + cache <= on.device.driver_memory_bytes:
        return ["a smaller memory reserve than the engine's"]
    parts = f"weights take {weights / GIGA:.3g} GB, a sequence of {context:.0f} tokens {cache / GIGA:.3g} GB"
    reason = f"{parts}, of {on.device.driver_memory_bytes / GIGA:.3g} GB on each {on.device.name}"
    raise Infeasible(WHERE, "memory", f"{(weights + cache) / GIGA:.3g} GB", reason, "more devices or fewer bits")


def refuse(on: Deployment, engine: str, context: float, batch: float = 1) -> None:
    """Say why so many sequences of so many tokens cannot be served together.

    Raises:
        Infeasible: beyond the model's context, or beyond memory.
    """
    check_context(on.model, context)
    check_memory(on, engine, context)
    fit = float(memory.capacity(on, engine, context))
    reason = f"caches of {batch:.0f} sequences of {context:.0f} tokens do not fit, {fit:.0f} do"
    raise Infeasible(WHERE, "batch", f"{batch:.0f}", reason, f"{fit:.0f}")


def refuse_unless_positive(*, zero: str = "", unbounded: str = "", **numbers: object) -> None:
    """Refuse numbers of a question that are not above zero, and at most :data:`tokenomics.errors.EXACT`; outputs have a
    token and a closed loop a request, at least.

    Args:
        zero: names that may be zero.
        unbounded: names that may be infinite.
        numbers: by their names.

    Raises:
        DataError: such a number, by its name.
    """
    for name, given in numbers.items():
        none, one = name in zero.split(), name in {"output", "concurrency"}
        allowed = f"a number {'>' if not none and not one else '>='} {1 if one else 0}"
        try:
            values = np.asarray(given, dtype=float)
        except (TypeError, ValueError):
            raise DataError(WHERE, name, given, allowed) from None
        if isinstance(given, str):
            raise DataError(WHERE, name, given, allowed)
        least = values >= 1 if one else values >= 0 if none else values > 0
        good = least & ((values <= EXACT) | (np.isposinf(values) & (name in unbounded.split())))
        if not good.all():
            allowed = f"at most {EXACT:g}" if least.all() else allowed
            raise DataError(WHERE, name, float(values[~good].flat[0]), allowed)


def joined(assumed: Sequence[str]) -> str:
    """Assumptions as a cell of a table."""
    return "; ".join(dict.fromkeys(assumed))
