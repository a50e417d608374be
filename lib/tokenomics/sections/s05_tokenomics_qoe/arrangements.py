"""Several copies, arranged: who gets a request, and prefill and decode together or apart."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tokenomics.compute.inference import memory
from tokenomics.economics import cost
from tokenomics.sections.s05_tokenomics_qoe.case import LEAST_LOADED, Case
from tokenomics.sections.s05_tokenomics_qoe.experience import MILLI, Reader
from tokenomics.sections.s05_tokenomics_qoe.schedulers import Kind
from tokenomics.service import workload
from tokenomics.service.simulator import Outcome, Pool, Requests, Transfer, simulate_pools
from tokenomics.service.simulator.fleet import ROUTINGS
from tokenomics.service.timeline import quantiles


def routed(case: Case, make: Kind, rate_rps: float, copies: int, reader: Reader) -> pd.DataFrame:
    """The same sessions on several copies under each rule of routing: what is found in caches, and what that gives."""
    stream = make(rate_rps)
    return pd.DataFrame(
        [
            _row(case, routing, case.serve(stream, replicas=copies, routing=routing, tokens=True), copies, reader)
            for routing in ROUTINGS
        ]
    )


def apart(
    case: Case, stream: workload.Stream, splits: Sequence[tuple[int, int]], link: float, reader: Reader
) -> pd.DataFrame:
    """The same requests on copies that do both, and on as many of which some read prompts and the others write.

    Args:
        splits: (prefill copies, decode copies), all with the same sum.
        link: bytes a second at which a copy hands over a prompt's cache.
    """
    copies = sum(splits[0])
    both = case.serve(stream, replicas=copies, tokens=True)
    rows = [_row(case, "together", both, copies, reader)]
    context = float(stream.input_tokens.mean())
    on = case.server.on
    token_bytes = float(memory.cache_bytes_per_device(on, context)) * on.layout.devices / context
    transfer = Transfer.over(token_bytes, link)
    for reading, writing in splits:
        pools = [Pool(case.tables["value"], case.rules, n, LEAST_LOADED) for n in (reading, writing)]
        done = simulate_pools(Requests.of(stream), *pools, transfer, tokens=True)
        rows.append(_row(case, f"{reading} read, {writing} write", done, copies, reader))
    return pd.DataFrame(rows)


def _row(case: Case, name: str, done: Outcome, copies: int, reader: Reader) -> dict:
    of, given = done.timeline(), done.requests
    row = {"arrangement": name, "cached": done.totals["cached_tokens"] / float(given.prompt.sum())}
    row |= {"ttft_p95_s": float(quantiles(of.ttft(), 0.95)), "tpot_p95_ms": MILLI * float(quantiles(of.tpot(), 0.95))}
    row["itl_p99_ms"] = MILLI * float(quantiles(of.itl(), 0.99))
    row["attained"] = reader.measures(of, float(given.arrival_s[-1]))["attained"]
    price = cost.simulated(done, case.hour, copies * case.server.devices)
    return row | {"stable": bool(done.load().stable), "usd_per_mtoken": float(np.asarray(price.value))}
