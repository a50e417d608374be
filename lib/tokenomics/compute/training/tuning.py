"""Memory and arithmetic that tuning cannot do without: all weights, adapters on frozen weights, on 4-bit weights.

Bytes of weights, gradients and optimizer state only; activations, which depend on the batch and on what is
recomputed, and workspace are left out.
"""

from dataclasses import dataclass

from tokenomics.compute.bounds import TRAINING_BYTES_PER_PARAMETER
from tokenomics.compute.counts.matrices import ATTENTION, MLP, matrices
from tokenomics.compute.counts.parameters import parameters, weight_bytes
from tokenomics.facts.models import Model

CONVOLUTION = "linear convolution"


@dataclass(frozen=True)
class Tuning:
    """A way to tune.

    Attributes:
        name: as people call it.
        frozen_bits: bits of a weight that is kept but not trained; ``None`` where all weights are trained.
        forward_passes: FLOP in forward passes: forward 1, gradients of inputs 1, gradients of weights 1.
    """

    name: str
    frozen_bits: float | None
    forward_passes: float

    def trained_parameters(self, model: Model, rank: int) -> float:
        """Parameters that have gradients: all, or those of the adapters."""
        return parameters(model).total if self.frozen_bits is None else lora_parameters(model, rank)

    def bytes(self, model: Model, rank: int) -> float:
        """Least bytes of weights, gradients and Adam's state (16 a trained parameter: mixed precision)."""
        frozen = 0.0 if self.frozen_bits is None else float(weight_bytes(model, self.frozen_bits))
        return frozen + TRAINING_BYTES_PER_PARAMETER * self.trained_parameters(model, rank)


METHODS = (Tuning("full", None, 3.0), Tuning("LoRA", 16, 2.0), Tuning("QLoRA", 4, 2.0))
"""Full tuning; LoRA (Hu et al., arXiv:2106.09685); QLoRA (Dettmers et al., arXiv:2305.14314), scales not counted."""


def lora_parameters(model: Model, rank: int, only: tuple[str, ...] = ()) -> float:
    """Parameters of rank-``rank`` adapters, ``rank * (inputs + outputs)`` a matrix.

    Args:
        model: the architecture.
        rank: inner width of an adapter.
        only: names of the adapted matrices; by default all of attention and of the MLPs that every token passes
            (routed experts and routers stay as they are).
    """
    adapted = [
        matrix
        for matrix in matrices(model)
        if (matrix.name in only if only else matrix.part in (ATTENTION, MLP))
        and matrix.name not in (CONVOLUTION, "router")
    ]
    return rank * sum(matrix.copies * (matrix.inputs + matrix.outputs) for matrix in adapted)
