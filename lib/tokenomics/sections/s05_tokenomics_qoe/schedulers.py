"""Ways to schedule one trace-derived stream, and kinds of work on one copy."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from tokenomics.economics import cost
from tokenomics.sections.s05_tokenomics_qoe.case import Case, Setting, build
from tokenomics.sections.s05_tokenomics_qoe.experience import MILLI, Reader
from tokenomics.sections.s05_tokenomics_qoe.units import sides
from tokenomics.service import workload
from tokenomics.service.simulator import Requests, Rules
from tokenomics.service.simulator.capacity import saturated_tok_per_s
from tokenomics.service.timeline import quantiles


def policies(case: Case, narrow: int = 512) -> dict[str, Rules]:
    """The three policies of :class:`Rules`, chunks of two sizes."""
    rules = case.rules
    return {
        "chunked": rules,
        f"chunked, {narrow} tokens": replace(rules, max_tokens=min(narrow, rules.max_tokens)),
        "prefill first": replace(rules, policy="prefill"),
        "decode first": replace(rules, policy="decode"),
    }


def compared(
    case: Case, ways: Mapping[str, Rules], stream: workload.Stream, shares: Sequence[float], reader: Reader
) -> pd.DataFrame:
    """A row a policy and load (shares of what the case's own rules saturate at), all with the same requests."""
    rows = []
    for name, rules in ways.items():
        under = replace(case, rules=rules)
        for share in shares:
            done = under.serve(stream.at_rate(share * case.saturated_rps), tokens=True)
            of, span = done.timeline(), float(done.requests.arrival_s[-1])
            row = {"policy": name, "share": share, "stable": bool(done.load().stable)}
            for key, values, scale in (("ttft_{}_s", of.ttft(), 1), ("tpot_{}_ms", of.tpot(), MILLI)):
                row |= {key.format(f"p{q}"): scale * float(quantiles(values, q / 100)) for q in (50, 95, 99)}
            row["itl_p99_ms"] = MILLI * float(quantiles(of.itl(), 0.99))
            row |= {"e2e_mean_s": float(done.e2e_s.mean())} | reader.measures(of, span)
            row["missed"] = 1 - row["attained"]
            rows.append(row | {"usd_per_mtoken": float(cost.simulated(done, case.hour, case.server.devices).value)})
    return pd.DataFrame(rows)


Kind = Callable[[float], workload.Stream]
"""Makes requests that come at so many a second."""


def kinds(base: str, count: int, seed: int) -> dict[str, Kind]:
    """Kinds of work: lengths (and shared beginnings) of traces, chats, agents, and replies that think first."""
    named = {"conversation": base, "code completion": "azure_code_2023", "long context": "mooncake_conversation_2025"}
    made: dict[str, Kind] = {name: partial(_drawn, each, count, seed) for name, each in named.items()}
    made |= {"chat, several turns": partial(_sessions, workload.CHAT, count, seed)}
    made |= {"agent, tools": partial(_sessions, workload.AGENT, count, seed)}
    hidden = workload.Spread(1500.0, 0.8)
    made["reasoning"] = lambda rate: workload.with_reasoning(_drawn(base, count, seed, rate), hidden, seed=seed)
    return made


def _drawn(name: str, count: int, seed: int, rate: float) -> workload.Stream:
    return workload.workload(name).draw(count, seed=seed, arrivals=workload.Poisson(rate))


def _sessions(shape: workload.SessionShape, count: int, seed: int, rate: float) -> workload.Stream:
    """Sessions that start at random, with their pauses: about ``count`` requests, from when as many sessions end as
    start to the last start. What was said before that time is in no cache."""
    length = shape.turns * (_mean(shape.think_s) + _mean(shape.output_tokens) / shape.reply_tokens_per_s)
    starts = int((count / rate + 2 * length) * rate / shape.turns) + 2
    stream = workload.sessions(shape, workload.Poisson(rate / shape.turns), starts, seed)
    first = np.unique(stream.session, return_index=True)[1]
    kept = stream.take((stream.arrival_s <= stream.arrival_s[first].max()) & (stream.arrival_s >= 2 * length))
    return replace(kept, arrival_s=kept.arrival_s - kept.arrival_s[0])


def _mean(of: workload.Spread) -> float:
    return of.median * float(np.exp(of.log_sd**2 / 2))


def kinds_table(case: Case, streams: Mapping[str, Kind], share: float, reader: Reader) -> pd.DataFrame:
    """Each kind of work on the same copy at a share of what it saturates at: what a request and its tokens cost, what
    is read from the cache, what a reader sees.

    ``visible_usd_per_mtoken`` counts only tokens that are shown. Sessions are played open-loop: a slow answer does not
    delay the next turn.
    """
    return pd.DataFrame([_kind(case, name, make, share, reader) for name, make in streams.items()])


def _kind(case: Case, name: str, make: Kind, share: float, reader: Reader) -> dict:
    crowd = make(1.0)
    own = build(case.server, crowd, case.hour, Setting(case.rules.max_batch, case.rules.max_tokens, len(crowd)))
    full = saturated_tok_per_s(Requests.of(crowd), own.tables["value"], own.rules) / own.output
    stream = make(share * full)
    done = own.serve(stream, tokens=True)
    prompt, output = float(stream.input_tokens.mean()), float(stream.output_tokens.mean())
    of, whole = done.timeline(), float(stream.output_tokens.sum())
    unseen = 0.0 if stream.reasoning_tokens is None else float(stream.reasoning_tokens.sum()) / whole
    price = cost.simulated(done, case.hour, case.server.devices)
    row = {"kind": name, "requests": len(stream), "prompt_tokens": prompt, "output_tokens": output}
    row |= {"cached": done.totals["cached_tokens"] / float(stream.input_tokens.sum()), "saturated_rps": full}
    row |= {"ttft_p95_s": float(quantiles(of.ttft(), 0.95)), "tpot_p95_ms": MILLI * float(quantiles(of.tpot(), 0.95))}
    row["andes"] = reader.measures(of, stream.duration_s)["andes"]
    row |= sides("usd_per_mtoken", price) | {"usd_per_request": float(price.value) * output / 1e6}
    return row | {"unseen": unseen, "visible_usd_per_mtoken": float(price.value) / (1 - unseen)}


def best(table: pd.DataFrame, column: str, share: float) -> str:
    """The policy with the least of a column at a load; ties go to the first name."""
    rows = table[np.isclose(table["share"], share)].sort_values([column, "policy"])
    return str(rows["policy"].iloc[0])
