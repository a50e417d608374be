"""One place to ask: a model on devices under an engine, every answer with its interval.

>>> from tokenomics.compute.inference.server import server
>>> from tokenomics.facts import catalogue
>>> it = server(catalogue.model("Llama-3.1-70B"), catalogue.accelerator("H100-SXM-80GB"), engine="vLLM 0.19", tp=4)
>>> step = it.tpot(batch=64, context=2048)
>>> bool(step.low < step.value < step.high)
True
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.compute import bounds
from tokenomics.compute.bounds import Precision
from tokenomics.compute.counts.precision import kept, stored
from tokenomics.compute.deployment import Deployment, Settings
from tokenomics.compute.inference import durations, engines, feasibility, memory, saturation
from tokenomics.compute.inference.engines import Profile, Work
from tokenomics.compute.inference.intervals import interval
from tokenomics.compute.inference.steps import Parts
from tokenomics.compute.layout import Layout
from tokenomics.compute.operators.selection import completed
from tokenomics.errors import texts
from tokenomics.estimate import Estimate, Values, held
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.engines import default_share, known, of_profile
from tokenomics.facts.models import Model

MEMORY, HOST = "memory", "host"


@dataclass(frozen=True)
class Server:
    """A deployment and the profile of its engine; made by :func:`server`."""

    on: Deployment
    profile: Profile

    @property
    def devices(self) -> int:
        """Devices of the replica."""
        return self.on.layout.devices

    def told(self, **settings: Any) -> "Server":
        """The same deployment with other settings of its engine (:class:`tokenomics.compute.deployment.Settings`)."""
        return replace(self, on=replace(self.on, settings=replace(self.on.settings, **settings)))

    @property
    def bound(self) -> bounds.IdealDevices:
        """The same devices as data sheets have them: no answer is faster."""
        return bounds.IdealDevices(self.on.model, completed(self.on.device), self.on.precision, self.devices)

    def estimate(self, seconds: ArrayLike, quantity: str, least: ArrayLike = 0.0) -> Estimate:
        """A duration with the interval of a quantity (``inference.intervals``), never below ``least``."""
        low, high = interval(seconds, self.on, self.profile, quantity)
        return Estimate(*held(seconds, low, high, least))

    def _work(self, work: Work, quantity: str, least: ArrayLike = 0.0) -> Estimate:
        return self.estimate(work.seconds(self.profile), quantity, least)

    def room(self, context: ArrayLike, batch: ArrayLike = 1) -> NDArray[np.bool_]:
        """Whether ``batch`` sequences of ``context`` tokens can be served together, in memory and the model's context.

        Raises:
            Infeasible: nowhere among the arrays.
        """
        feasibility.refuse_unless_positive(context=context, batch=batch)
        context, batch = np.asarray(context, dtype=float), np.asarray(batch, dtype=float)
        fits = (self.capacity(context) >= batch) & (context <= (self.on.model.context_tokens or np.inf))
        if not fits.any():
            feasibility.refuse(self.on, self.profile.name, float(context.min()), float(batch.min()))
        return fits

    def ttft(self, prompt: ArrayLike, batch: ArrayLike = 1, cached: ArrayLike | None = None) -> Estimate:
        """Seconds of reading ``batch`` prompts, on an idle server; ``cached`` tokens before them are known, or, where
        ``None``, what the engine's prefix cache knows of them.

        As everywhere here, NaN stands for what of an array is not feasible.

        Raises:
            DataError: numbers that are not above zero.
            Infeasible: none of it is feasible.
        """
        feasibility.refuse_unless_positive(prompt=prompt, batch=batch)
        fits = self.room(np.asarray(prompt, dtype=float) + (0 if cached is None else cached))
        prompt, cached = durations.unread(self.on, prompt) if cached is None else (prompt, cached)
        least = bounds.prefill_seconds(self.bound, batch, prompt)
        return _where(fits, self._work(durations.prefill(self.on, batch, prompt, cached), "prefill", least))

    def tpot(self, batch: ArrayLike, context: ArrayLike) -> Estimate:
        """Seconds per token of ``batch`` sequences of ``context`` tokens: of a decode step, or of its part where it
        yields several tokens; errors as for :meth:`ttft`."""
        feasibility.check_task(self.on.model)
        fits = self.room(context, batch)
        least = bounds.decode_step_seconds(self.bound, batch, context) / durations.tokens_of_step(self.on)
        return _where(fits, self._work(durations.decode_step(self.on, batch, context), "decode", least))

    def request(self, batch: ArrayLike, prompt: ArrayLike, output: ArrayLike) -> Estimate:
        """Seconds of a static batch from its start to its last token; in waves where it does not fit; errors as for
        :meth:`ttft`."""
        fits = self._requests(batch, prompt, output)
        work = durations.static_batch(self.on, self.profile.name, batch, prompt, output)
        return _where(fits, self._work(work, "throughput"))

    def loaded_tpot(self, concurrency: ArrayLike, prompt: ArrayLike, output: ArrayLike) -> Estimate:
        """Seconds per output token with ``concurrency`` requests always in flight: prefills of others included; errors
        as for :meth:`ttft`."""
        fits = self._requests(concurrency, prompt, output, unbounded=True)
        return _where(fits, self._work(self.closed_loop(concurrency, prompt, output).step, "decode"))

    def loaded_ttft(self, concurrency: ArrayLike, prompt: ArrayLike, output: ArrayLike) -> Estimate:
        """Seconds to the first token with ``concurrency`` requests always in flight; errors as for :meth:`ttft`."""
        fits = self._requests(concurrency, prompt, output)
        return _where(fits, self.estimate(self.closed_loop(concurrency, prompt, output).ttft_s, "first_token"))

    def _requests(
        self, concurrency: ArrayLike, prompt: ArrayLike, output: ArrayLike, *, unbounded: bool = False
    ) -> NDArray[np.bool_]:
        """Where requests can be served at all, one at a time; ``unbounded``: any number of them may wait."""
        feasibility.check_task(self.on.model)
        numbers = {"concurrency": concurrency, "prompt": prompt, "output": output}
        feasibility.refuse_unless_positive(unbounded="concurrency" if unbounded else "", **numbers)
        return self.room(np.asarray(prompt, dtype=float) + output)

    def closed_loop(self, concurrency: ArrayLike, prompt: ArrayLike, output: ArrayLike) -> durations.ClosedLoop:
        """Both at once, without intervals; nothing is refused."""
        return durations.closed_loop(self.on, self.profile, concurrency, prompt, output)

    def output_rate(self, prompt: ArrayLike, output: ArrayLike, concurrency: ArrayLike = np.inf) -> Estimate:
        """Output tokens a second of the replica with ``concurrency`` requests in flight, or saturated; errors as for
        :meth:`ttft`."""
        fits = self._requests(concurrency, prompt, output, unbounded=True)
        running = durations.in_flight(self.on, self.profile.name, concurrency, prompt, output)
        cycle = saturation.saturated_cycle(self.on, self.profile, prompt, output, concurrency)
        return _where(fits, self._work(cycle, "throughput").over(running * np.asarray(output, dtype=float)))

    def fits(self) -> bool:
        """Whether weights and what the engine keeps back leave room for a cache of one token at least."""
        return bool(self.capacity(1.0) >= 1)

    def capacity(self, context: ArrayLike) -> Values:
        """Sequences of ``context`` tokens that fit at a time; errors as for :meth:`ttft`, but none that fits is 0."""
        feasibility.refuse_unless_positive(context=context)
        return memory.capacity(self.on, self.profile.name, context)

    def capacity_estimate(self, context: ArrayLike) -> Estimate:
        """The same with its 80 % interval: what engines leave for the cache is known to about a tenth."""
        return Estimate(self.capacity(context), *memory.capacity_interval(self.on, self.profile.name, context))

    def admitted(self, prompt: ArrayLike, output: ArrayLike) -> Values:
        """Requests of ``prompt`` and ``output`` tokens that the engine lets run at a time; errors as for
        :meth:`capacity`."""
        feasibility.refuse_unless_positive(prompt=prompt, output=output)
        return memory.admitted(self.on, self.profile.name, prompt, output)

    def memory(self, batch: ArrayLike, context: ArrayLike) -> memory.Memory:
        """Bytes on the fullest device, by what they are for; none of the two, as well.

        Raises:
            DataError: numbers below zero, or that are none.
        """
        feasibility.refuse_unless_positive(zero="batch context", batch=batch, context=context)
        return memory.used(self.on, self.profile.name, batch, context)

    def step_parts(self, batch: ArrayLike, context: ArrayLike) -> Parts:
        """Device seconds of a decode step by what they are spent on, before the engine's slowdown and host time;
        errors as for :meth:`capacity`."""
        feasibility.refuse_unless_positive(batch=batch, context=context)
        return durations.decode_parts(self.on, batch, context)

    def limited_by(self, batch: ArrayLike, context: ArrayLike) -> NDArray[np.str_]:
        """What takes most of a decode step: memory (does not fit), host, communication, compute or bandwidth.

        The last two by the roofline; of a model's experts, those are read that a batch touches on average.
        """
        from tokenomics.compute.sizing import decode_flop_per_byte

        feasibility.refuse_told(self.on, "limited_by", "drafts")
        feasibility.refuse_unless_positive(batch=batch, context=context)
        parts, work = self.step_parts(batch, context), durations.decode_step(self.on, batch, context)
        total = np.maximum(work.seconds(self.profile), bounds.decode_step_seconds(self.bound, batch, context))
        device = self.profile.decode_slowdown * parts.total
        talk = self.profile.decode_slowdown * parts.communication
        usual = replace(self.bound, routing="even")
        waits = decode_flop_per_byte(usual, batch, context) < usual.device.ridge_flop_per_byte(usual.precision.dtype)
        work = np.where(waits, "bandwidth", "compute")
        result = np.where(talk > 0.5 * total, "communication", np.where(total - device > 0.5 * total, HOST, work))
        return np.where(self.capacity(context) >= np.asarray(batch), result, MEMORY)


def _where(fits: NDArray[np.bool_], of: Estimate) -> Estimate:
    """An estimate where something is feasible, NaN elsewhere."""
    return of if fits.all() else of.map(lambda values: np.where(fits, values, np.nan))


def server(
    model: Model | str,
    device: Accelerator | str,
    *,
    precision: str = "",
    kv_precision: str = "",
    engine: str = "",
    layout: Layout | None = None,
    tp: int = 1,
    settings: Settings | None = None,
) -> Server:
    """A deployment to ask, put together from records or from names.

    Args:
        model: the architecture, by record, name, alias or file.
        device: the accelerator, likewise.
        precision: as published tables write it (``bf16``, ``fp8``, ``nvfp4``, ``AWQ``, ``Q4_K_M`` ...); the published
            checkpoint's where empty.
        kv_precision: of the cache; as the engine keeps it where empty: as the weights, or in 16 bit.
        engine: the software as published, with its version; the generic profile where empty.
        layout: how the model is cut; ``tp`` devices where ``None``.
        tp: devices of a tensor-parallel group.
        settings: what the engine is told; as published throughput runs set it where ``None``.

    Raises:
        DataError: a name, an engine or a precision that nobody knows, a size that is no whole number.
        Infeasible: a layout that the model cannot be cut into.
    """
    model, device = _record("model", model), _record("accelerator", device)
    texts("deployment", precision=precision, kv_precision=kv_precision, engine=engine)
    known(engine)
    layout = layout or Layout(tp=tp)
    feasibility.check_layout(model, layout)
    name = engines.profile_name(engine, device)
    settings = settings or Settings()
    if settings.memory_utilisation is None:
        settings = replace(settings, memory_utilisation=default_share(engine))
    weights, _ = stored(model, precision)
    formats, _ = kept(model, device, known(engine), weights, kv_precision)
    on = put_together(model, device, formats, layout, name, settings=settings)
    return Server(on, engines.profile(name, model.is_moe))


def put_together(
    model: Model, device: Accelerator, precision: Precision, layout: Layout, name: str, **known: Any
) -> Deployment:
    """A deployment as the engine of a profile runs it: its attention, its kernels, what it fuses.

    Args:
        name: of the engine's profile (:func:`tokenomics.compute.inference.engines.profile_name`).
        known: ``settings`` (filled as the engine does), ``alike``, ``skewed`` and ``left_out``, as in
            :class:`tokenomics.compute.deployment.Deployment`.
    """
    facts = of_profile(name)
    known["settings"] = known.get("settings", Settings()).filled(facts)
    return Deployment(
        *(engines.as_run(model, name), device, precision, layout),
        **{"kernels": facts.kernels, "fused": facts.fuses, "sliding": facts.sliding, **known},
    )


def _record(kind: str, given: Any) -> Any:
    if not isinstance(given, str):
        return given
    from tokenomics.facts import catalogue

    return getattr(catalogue, kind)(given)
