"""What an engine adds to the work of the device: six numbers a profile, from ``data/calibration/engines.csv``.

A request's time is ``prefill_slowdown x device time of prefill + decode_slowdown x device time of decode + step_s a
step + sequence_s a sequence and step``; several devices have to be kept in step layer by layer, which adds to
``step_s`` (:meth:`Profile.host_s`). A slowdown below one is an engine whose kernels are better (fused, pipelined) than
the same kernels measured one by one.

The first token of a request among others waits besides: ``wait_s``, and ``burst`` times the others' prefills.

A profile is an engine in a period of its development on one vendor's devices; its numbers are fitted on measured
latencies (``calibration.engines``), once with all model families and once without each, so that a prediction
never rests on a measurement of the family that it predicts (a profile that has no rows of a family stands as it is).
"""

from dataclasses import dataclass, fields, replace
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics import paths
from tokenomics.compute.operators.fitted import read_table
from tokenomics.errors import DataError
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.engines import GENERIC, ProfileName, of_profile, published
from tokenomics.facts.models import Model

TABLE = paths.DATA / "calibration" / "engines.csv"
NONE = "none"
TOGETHER_LAYERS = 60.0
"""Layers at which keeping several devices in step costs as much again as a step costs its host: the median over the
models measured on several devices."""


@dataclass(frozen=True)
class Profile:
    """An engine's six numbers.

    Attributes:
        name: ``engine``, ``engine period`` or ``engine period generation``; ``generic`` for an engine nobody measured.
        prefill_slowdown: time of a prefill over the sum of its operators' times.
        decode_slowdown: time of a decode step over the sum of its operators' times.
        step_s: seconds of host work a step on one device.
        sequence_s: seconds of host work a sequence and decode step.
        burst: share of the other requests' prefills that a first token waits for in a closed loop, start included.
        wait_s: seconds before a request is scheduled: front end, tokenising, the running step.
        accelerators: devices whose measurements it was fitted to.
    """

    name: str = GENERIC
    prefill_slowdown: float = 1.0
    decode_slowdown: float = 1.0
    step_s: float = 0.0
    sequence_s: float = 0.0
    burst: float = 0.05
    wait_s: float = 0.03
    accelerators: tuple[str, ...] = ()

    def host_s(self, layers_together: ArrayLike) -> NDArray[np.float64]:
        """Host seconds of a step in which several devices compute so many layers together (0: one device)."""
        return self.step_s * (1 + np.asarray(layers_together) / TOGETHER_LAYERS)


@dataclass(frozen=True)
class Work:
    """Device time and steps of something whose duration is asked: linear in the profile, so that it can be fitted.

    Attributes:
        prefill_s, decode_s: seconds of the device in prefill and in decode.
        prefill_steps, decode_steps: steps of each kind.
        sequence_steps: sequences x decode steps.
        layers_together: layers that several devices compute together; 0 on one device.
    """

    prefill_s: ArrayLike = 0.0
    prefill_steps: ArrayLike = 0.0
    decode_s: ArrayLike = 0.0
    decode_steps: ArrayLike = 0.0
    sequence_steps: ArrayLike = 0.0
    layers_together: ArrayLike = 0.0

    def seconds(self, profile: Profile) -> NDArray[np.float64]:
        """Duration under an engine, in the broadcast shape of the fields."""
        device = profile.prefill_slowdown * np.asarray(self.prefill_s) + profile.decode_slowdown * np.asarray(
            self.decode_s
        )
        steps = np.asarray(self.prefill_steps) + np.asarray(self.decode_steps)
        return (
            device + profile.host_s(self.layers_together) * steps + profile.sequence_s * np.asarray(self.sequence_steps)
        )

    def times(self, factor: ArrayLike) -> "Work":
        """The same work ``factor`` times."""
        scaled = {
            e.name: np.asarray(getattr(self, e.name)) * factor for e in fields(self) if e.name != "layers_together"
        }
        return Work(**scaled, layers_together=self.layers_together)

    def __add__(self, other: "Work") -> "Work":
        summed = {
            e.name: np.asarray(getattr(self, e.name)) + getattr(other, e.name)
            for e in fields(self)
            if e.name != "layers_together"
        }
        return Work(**summed, layers_together=self.layers_together)


@cache
def profile_name(engine: str, device: Accelerator) -> str:
    """Name of the profile that a published engine text means, such as ``TensorRT-LLM 0.9.0`` or ``vLLM``.

    Off NVIDIA's devices, whose kernels were measured, a profile also stands for the kernels of a generation.
    """
    found = published(engine)
    if found.name == GENERIC:
        return GENERIC
    stack = [] if device.vendor == "NVIDIA" else [(device.generation or device.vendor).replace(" ", "-")]
    return " ".join([found.profile, *stack])


def as_run(model: Model, name: str) -> Model:
    """A model as a profile's engine runs it: one that knows no sliding window attends to everything."""
    if not model.sliding_layers or of_profile(name).sliding_window:
        return model
    return replace(model, full_layers=model.full_layers + model.sliding_layers, sliding_layers=0)


@cache
def profile(name: str, experts: bool = False, without: str = "") -> Profile:
    """The numbers of a profile, fitted without one model family.

    A name without rows takes the same engine and period on NVIDIA's devices (early software elsewhere says little of
    later), then the engine's latest period, then the generic profile. Numbers for models with experts are fitted to all
    models, those for dense models to dense ones.

    Args:
        name: as :func:`profile_name` gives it.
        experts: for models with routed experts.
        without: the model family that must not have been seen; empty for all rows.
    """
    table = _profiles()
    parts = ProfileName.parse(name)
    kin = sorted(each for each, *_ in table if ProfileName.parse(each).same_stack(parts) and each != GENERIC)
    for candidate in (name, parts.software, *reversed(kin), GENERIC):
        # A profile is fitted anew without each family that it has rows of; others never saw that family.
        found = table.get((candidate, experts, without)) or table.get((candidate, experts, ""))
        if found:
            return found
    raise DataError(paths.shown(TABLE), "name", GENERIC, "a generic profile, written by make calibrate")


def left_out(row: dict[str, str]) -> str:
    """The family that a row of a calibration table was made without; empty for none."""
    return "" if row["without"] == NONE else row["without"]


@cache
def _profiles() -> dict[tuple[str, bool, str], Profile]:
    """All fitted profiles by name, experts and left-out family."""
    numbers = [each.name for each in fields(Profile) if each.type is float]
    found = {}
    for row in read_table(TABLE):
        values = {key: float(row[key]) for key in numbers}
        made = Profile(name=row["name"], accelerators=tuple(row["accelerators"].split()), **values)
        found[row["name"], row["experts"] == "true", left_out(row)] = made
    return found
