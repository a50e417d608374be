"""Queries on devices of one's own: longer prompts, prompts that begin alike, adapters beside a model.

The saturated server of :mod:`tokenomics.compute` makes a query's output in a time that already holds the reading of
its prompt, as :func:`tokenomics.economics.cost.self_hosted` splits it; a load that queues is a simulation's matter
(:func:`from_served`).
"""

import numpy as np

from tokenomics.compute.bounds import training_flop
from tokenomics.compute.counts.flops import flops_weights
from tokenomics.compute.inference.server import Server
from tokenomics.compute.training.tuning import Tuning, lora_parameters
from tokenomics.economics.adaptation.approach import QueryUsd, Reading
from tokenomics.economics.cost.amounts import SECONDS_PER_HOUR, checked, share
from tokenomics.economics.cost.hourly import Hour
from tokenomics.economics.cost.tokens import self_hosted
from tokenomics.estimate import Amount, Estimate, combine
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.models import Model


def on_server(server: Server, hour: Amount | Hour, utilisation: Amount = 1.0) -> QueryUsd:
    """USD of a query's tokens on a server at a share of its saturated output.

    Lengths are taken at their middle values; the ends of the answer are those of the server's speed and of the hour.
    """

    def usd(reading: Reading) -> Estimate:
        read, written, known = (Estimate.of(each).value for each in (reading.input, reading.output, reading.cached))
        some = np.clip(known, 1.0, read - 1.0)
        prices = self_hosted(server, hour, read, written, cached=some, utilisation=utilisation)
        return prices.usd(read, written, cached_share=known / read)

    return usd


def from_served(hour: Amount | Hour, devices: float, queries_per_s: Amount) -> Estimate:
    """USD of a query where a simulation (or a log) says how many are served a second within the objective.

    Raises:
        DataError: an amount that is not positive.
    """
    usd = checked("served", "usd_per_hour", hour.usd if isinstance(hour, Hour) else hour)
    rate = checked("served", "queries_per_s", queries_per_s)
    count = checked("served", "devices", devices)
    return combine(lambda p, n, r: p * n / SECONDS_PER_HOUR / r, [usd, count], [rate])


def adapter_factor(model: Model, rank: int) -> float:
    """FLOP of a token with rank-``rank`` adapters beside the weights, over those without; 1 where they are merged.

    Left out: gathering of different adapters in one batch, which engines make dearer than the FLOP say.
    """
    return 1.0 + 2.0 * lora_parameters(model, rank) / flops_weights(model)


def tuning_usd(
    model: Model,
    device: Accelerator,
    hour: Amount | Hour,
    tokens: Amount,
    *,
    method: Tuning,
    sequence: float,
    mfu: Amount,
    passes: float = 1.0,
    dtype: str = "bf16",
) -> Estimate:
    """USD of the accelerator-hours of one tuning run.

    Args:
        model: the architecture.
        device: the accelerator; its published dense peak is what ``mfu`` is a share of.
        hour: USD per accelerator-hour.
        tokens: of the training set.
        method: of :data:`tokenomics.compute.training.tuning.METHODS`; frozen weights need no gradients of their own.
        sequence: tokens of an example.
        mfu: share of the peak that a run achieves.
        passes: over the training set.
        dtype: in which matrices are multiplied.

    Returns:
        USD, without data preparation, evaluation, failed runs and storage.

    Raises:
        DataError: an amount that is not positive, a share outside (0, 1].
    """
    usd = checked("tuning", "usd_per_hour", hour.usd if isinstance(hour, Hour) else hour)
    read = checked("tuning", "tokens", tokens)
    used = share("tuning", "mfu", mfu)
    per_token = float(training_flop(model, 1.0, sequence)) * method.forward_passes / 3.0 * passes
    peak = device.ceiling_flop_per_s(dtype)
    return combine(lambda p, n, u: n * per_token / (peak * u) / SECONDS_PER_HOUR * p, [usd, read], [used])
