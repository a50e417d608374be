"""One deployment: a model on the devices of a layout, as an engine runs it.

It is put together by :func:`tokenomics.compute.inference.server.put_together`, from names, from a benchmark's row or
from parameters alike; whether it can exist is the matter of :mod:`tokenomics.compute.inference.feasibility`.
"""

from dataclasses import dataclass, field

from tokenomics.compute.bounds import Precision
from tokenomics.compute.layout import Layout
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.models import Model


@dataclass(frozen=True)
class Deployment:
    """One replica of a model on the devices of a layout, run by an engine.

    Attributes:
        model: the architecture.
        device: the accelerator.
        precision: storage and arithmetic.
        layout: how the model is cut.
        kernels: engine whose measured kernels are used (``trtllm``, ``vllm``, ``sglang``; others: nearest).
        fused: activations are quantised within the kernel before, so that a product keeps the 16-bit kernel's floor.
        alike: every sequence holds the same prompt, so that all tokens of a step choose the same experts.
        left_out: take the parameters of relatives although this device was measured (to learn what that costs).
    """

    model: Model
    device: Accelerator
    precision: Precision = field(default_factory=Precision)
    layout: Layout = field(default_factory=Layout)
    kernels: str | None = None
    fused: bool = True
    alike: bool = False
    left_out: bool = False

    @property
    def layers_together(self) -> int:
        """Layers that several devices compute together; 0 on one device."""
        return self.model.layers if self.layout.devices > 1 else 0

    @property
    def stage_share(self) -> float:
        """Share of a step's time that the fullest pipeline stage takes."""
        return self.layout.fullest_stage(self.model.layers)
