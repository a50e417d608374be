"""How many queries a second a server answers within an objective, simulated: queues, long prompts, prompts alike.

The closed form of :mod:`.hosting` prices a server that is never short of work; under arrivals at random a long prompt
also makes others wait, and a beginning that all prompts share is read once and kept. Feed the answer to
:func:`tokenomics.economics.adaptation.from_served`.
"""

import numpy as np

from tokenomics.compute.inference.server import Server
from tokenomics.economics.adaptation.approach import Reading
from tokenomics.economics.cost.amounts import checked, share
from tokenomics.errors import DataError
from tokenomics.estimate import Estimate

QUERIES, HALVINGS, SEED = 4000, 10, 0
BATCH, PASS_TOKENS, BLOCK = 256, 2048, 16


def queries_per_s(
    server: Server, reading: Reading, ttft_s: float, *, kept: float = 0.9, queries: int = QUERIES, seed: int = SEED
) -> float:
    """The highest rate of Poisson arrivals at which a share of queries gets its first token in time.

    Args:
        server: one copy; chunked prefill, continuous batching.
        reading: tokens of a query, the same for all; its ``cached`` tokens are a beginning that all prompts share.
        ttft_s: seconds to the first token.
        kept: share of queries that must keep it.
        queries: simulated at each rate.
        seed: of the arrivals.

    Returns:
        Queries a second of the copy, found by halving up to half more than its closed form for what is not shared; 0
        where no rate will do. A short run forgives a rate a little above the sustained one.

    Raises:
        DataError: an objective that is not positive, a share outside (0, 1], weights that do not fit.
    """
    checked("served", "ttft_s", ttft_s)
    share("served", "kept share", kept)
    if not server.fits():
        raise DataError("served", "server", server.on.model.name, "a deployment whose memory holds the weights")
    prompt, output = _whole(reading.input), _whole(reading.output)
    shared = min(int(Estimate.of(reading.cached).value), prompt - 1) // BLOCK * BLOCK
    low, high = 0.0, 1.5 * float(server.output_rate(prompt - shared, output).value) / output
    arrivals = np.random.default_rng(seed).exponential(size=queries).cumsum()
    attained = _attained(server, prompt, output, shared)
    for _ in range(HALVINGS):
        rate = (low + high) / 2
        met = attained(arrivals / rate, ttft_s) >= kept
        low, high = (rate, high) if met else (low, rate)
    return low


def _attained(server: Server, prompt: int, output: int, shared: int):
    from tokenomics.service.simulator import Prefixes, Requests, Rules, simulate
    from tokenomics.service.simulator.step_tables import cache_blocks, modelled

    longest = prompt + output
    table = modelled(server, BATCH, PASS_TOKENS, longest)
    blocks = cache_blocks(server, BLOCK, longest)
    rules = Rules(max_batch=BATCH, max_tokens=PASS_TOKENS, kv_blocks=blocks, block_tokens=BLOCK)

    def attained(arrivals: np.ndarray, ttft_s: float) -> float:
        alike = Prefixes.of([[0]] * len(arrivals), shared) if shared else None
        done = simulate(Requests(arrivals, prompt, output, prefix=alike), table, rules)
        return float(np.mean(done.ttft_s <= ttft_s))

    return attained


def _whole(amount) -> int:
    return max(int(np.ceil(float(Estimate.of(amount).value))), 1)
