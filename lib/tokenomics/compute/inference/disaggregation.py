"""Prefill and decode on pools of their own: no prompt holds up another request's tokens.

A request is read by a prefill worker, its cache crosses the network, and a decode worker writes the answer (Zhong et
al. 2024, DistServe, arXiv:2401.09670). Left out: imbalance between workers, and transfers hidden behind the prefill.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.compute.counts.parameters import kv_bytes
from tokenomics.compute.deployment import Deployment
from tokenomics.compute.inference import durations
from tokenomics.compute.inference.engines import Profile
from tokenomics.compute.operators.communication import NETWORK_BYTES_PER_S
from tokenomics.errors import DataError


@dataclass(frozen=True)
class Pools:
    """Workers of both kinds; a worker is one replica of the model.

    Attributes:
        prefill, decode: the deployment of a worker of each pool.
        prefill_workers, decode_workers: how many there are.

    Raises:
        DataError: a pool without workers.
    """

    prefill: Deployment
    decode: Deployment
    prefill_workers: int = 1
    decode_workers: int = 1

    def __post_init__(self):
        for name in ("prefill_workers", "decode_workers"):
            if getattr(self, name) < 1:
                raise DataError("Pools", name, getattr(self, name), ">= 1")

    @property
    def devices(self) -> int:
        """Devices of both pools."""
        return self.prefill_workers * self.prefill.layout.devices + self.decode_workers * self.decode.layout.devices


@dataclass(frozen=True)
class Loop:
    """A closed loop over both pools, in the broadcast shape of concurrency, prompt and output.

    Attributes:
        ttft_s: seconds to the first token.
        tpot_s: seconds per token after it.
        output_rate: output tokens per second of all workers; what the slower pool allows.
    """

    ttft_s: NDArray[np.float64]
    tpot_s: NDArray[np.float64]
    output_rate: NDArray[np.float64]


def closed_loop(pools: Pools, profile: Profile, concurrency: ArrayLike, prompt: ArrayLike, output: ArrayLike) -> Loop:
    """What requests see when ``concurrency`` are always in flight in both pools together.

    The first token waits for the engine's front end, its own prompt, a share of the other prompts before the same
    worker (``burst``), and the crossing of its cache; further tokens for the steps of their decode worker alone.
    """
    concurrency, prompt, output = (np.asarray(x, dtype=float) for x in (concurrency, prompt, output))
    each = np.maximum(concurrency / pools.decode_workers, 1.0)
    running = durations.in_flight(pools.decode, profile.name, each, prompt, output)
    tpot = durations.decode_step(pools.decode, running, prompt + output / 2).seconds(profile)
    read = durations.prefill(pools.prefill, 1, prompt).seconds(profile)
    others = np.maximum(concurrency / pools.prefill_workers - 1, 0.0) / pools.prefill.layout.dp
    cache = kv_bytes(pools.decode.model, prompt, pools.decode.precision.kv_bits)
    crossing = cache / (NETWORK_BYTES_PER_S * np.minimum(pools.prefill.layout.devices, pools.decode.layout.devices))
    queued = np.maximum(each - running, 0.0) * output * tpot / running
    writing = tpot * np.maximum(output - 1, 0)
    most = pools.prefill_workers * pools.prefill.layout.dp / read  # requests a second
    ttft = profile.wait_s + read * (1 + profile.burst * others) + crossing + queued
    ttft = np.maximum(ttft, concurrency / most - writing)  # who is not being written waits to be read (Little's law)
    return Loop(ttft, tpot, concurrency * output / (ttft + writing))
