"""Queries and tuning on devices of one's own: longer prompts, prompts that begin alike, adapters beside a model.

The saturated server of :mod:`tokenomics.compute` makes a query's output in a time that already holds the reading of
its prompt, as :func:`tokenomics.economics.cost.self_hosted` splits it (:func:`on_server`). Under arrivals at random a
long prompt also makes others wait, and a beginning that all prompts share is read once and kept:
:func:`queries_per_s` simulates how many queries a server then answers within an objective, and :func:`from_served`
prices them.
"""

import numpy as np

from tokenomics.compute.bounds import training_flop
from tokenomics.compute.counts.flops import flops_weights
from tokenomics.compute.inference.server import Server
from tokenomics.compute.training.tuning import Tuning, lora_parameters
from tokenomics.economics.adaptation.approach import QueryUsd, Reading
from tokenomics.economics.cost.amounts import SECONDS_PER_HOUR, checked, share
from tokenomics.economics.cost.hourly import Hour, paid_usd
from tokenomics.economics.cost.tokens import self_hosted
from tokenomics.estimate import Amount, Estimate, combine
from tokenomics.facts.accelerators import Accelerator
from tokenomics.facts.models import Model

QUERIES, SEED = 4000, 0
CROWD = 4
"""Times as many queries as a batch holds, at least, where a saturated replica is simulated."""


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


def queries_per_s(
    server: Server, reading: Reading, ttft_s: float, *, kept: float = 0.9, queries: int = QUERIES, seed: int = SEED
) -> float:
    """The highest rate of Poisson arrivals at which a share of queries gets its first token in time.

    Args:
        server: one replica.
        reading: tokens of a query, the same for all; its ``cached`` tokens are a beginning that all prompts share.
        ttft_s: seconds to the first token.
        kept: share of queries that must keep it.
        queries: simulated at each rate.
        seed: of the arrivals.

    Returns:
        Queries a second of the replica, at most what it serves saturated; 0 where no rate will do.

    Raises:
        DataError: an objective that is not positive, a share outside (0, 1].
        Infeasible: memory does not hold a query.
    """
    from tokenomics.service.qoe import Slo
    from tokenomics.service.replica import Replica
    from tokenomics.service.simulator import Requests

    checked("served", "ttft_s", ttft_s)
    share("served", "kept share", kept)
    prompt, output = _whole(reading.input), _whole(reading.output)
    shared = min(int(Estimate.of(reading.cached).value), prompt - 1)
    replica = Replica(server.told(prefix_tokens=shared), max_model_len=prompt + output)

    def stream(rate: float, count: int = queries) -> Requests:
        arrivals = np.random.default_rng(seed).exponential(size=count).cumsum() / rate
        return Requests(arrivals, prompt, output)

    crowd = stream(1.0, max(queries, CROWD * server.on.settings.max_num_seqs))
    closed_form = float(replica.server.output_rate(prompt, output, server.on.settings.max_num_seqs).value)
    saturated_rps = min(replica.saturated_tok_per_s(crowd), closed_form) / output  # they differ by 3 % at most
    return replica.highest_rate(stream, Slo(ttft_s, np.inf, kept), saturated_rps)


def from_served(hour: Amount | Hour, devices: float, queries_per_s: Amount) -> Estimate:
    """USD of a query where a simulation (or a log) says how many are served a second within the objective.

    Raises:
        DataError: an amount that is not positive.
    """
    usd = paid_usd("served", hour)
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
    epochs: float = 1.0,
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
        epochs: over the training set.
        dtype: in which matrices are multiplied.

    Returns:
        USD, without data preparation, evaluation, failed runs and storage.

    Raises:
        DataError: an amount that is not positive, a share outside (0, 1].
    """
    usd = paid_usd("tuning", hour)
    read = checked("tuning", "tokens", tokens)
    used = share("tuning", "mfu", mfu)
    per_token = float(training_flop(model, 1.0, sequence)) * method.forward_passes / 3.0 * epochs
    peak = device.bound_flop_per_s(dtype)
    return combine(lambda p, n, u: n * per_token / (peak * u) / SECONDS_PER_HOUR * p, [usd, read], [used])


def _whole(amount: Amount) -> int:
    return max(int(np.ceil(float(Estimate.of(amount).value))), 1)
