"""Policies on one trace-derived stream, kinds of work on one replica, and several replicas arranged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from tokenomics.economics import cost
from tokenomics.errors import Infeasible
from tokenomics.notebook import units
from tokenomics.notebook.report import Metric, cell
from tokenomics.sections.s05_tokenomics_qoe.case import LEAST_LOADED, Case
from tokenomics.sections.s05_tokenomics_qoe.experience import Reader
from tokenomics.service import workload
from tokenomics.service.simulator import Outcome
from tokenomics.service.simulator.fleet import PREFIX_AWARE, ROUTINGS

Kind = Callable[[float], workload.Stream]
"""Makes requests that come at so many a second."""
AGENT = "agent, tools"
TOGETHER = "together"
KIND_COLUMNS = ("kind", "requests", "prompt_tok", "output_tok", "cached_share", "saturated_rps", "ttft_p95_s")
KIND_COLUMNS += ("tpot_p95_ms", "andes_share", "usd_per_mtok", units.end_of("usd_per_mtok", units.LOW))
KIND_COLUMNS += (units.end_of("usd_per_mtok", units.HIGH), "usd_per_request", "hidden_share", "visible_usd_per_mtok")
SEEN = "ttft_p95_s", "tpot_p95_ms", "itl_p99_ms", "attained_share"
ARRANGED = ("arrangement", "cached_share", *SEEN, "stable", "usd_per_mtok")


def policies(case: Case, narrow: int = 512) -> dict[str, Case]:
    """The case under the three policies of :data:`tokenomics.facts.engines.POLICIES`, chunks of two sizes."""
    chunked = case.told(policy="chunked")
    narrower = min(narrow, case.server.on.settings.max_num_batched_tokens)
    return {
        "chunked": chunked,
        f"chunked, {narrow} tokens": chunked.told(max_num_batched_tokens=narrower),
        "prefill first": case.told(policy="prefill"),
        "decode first": case.told(policy="decode"),
    }


def compared(
    case: Case, policies: Mapping[str, Case], stream: workload.Stream, shares: Sequence[float], reader: Reader
) -> pd.DataFrame:
    """A row a policy and load (shares of what the case itself saturates at), all with the same requests."""
    rows = []
    for name, under in policies.items():
        for share in shares:
            done = under.serve(stream.at_rate(share * case.saturated_rps), tokens=True)
            row = {"policy": name, "share": share, "stable": bool(done.load().stable)} | reader.sees(done, 50, 95, 99)
            row["missed_share"] = 1 - row["attained_share"]
            rows.append(row | {"usd_per_mtok": _price(case, done)})
    return pd.DataFrame(rows)


def _price(case: Case, done: Outcome, replicas: int = 1) -> float:
    return float(cost.simulated(done, case.usd_per_device_hour, replicas * case.server.devices).value)


def policy_metrics(table: pd.DataFrame, share: float) -> dict[str, Metric]:
    """The policy with the least of three columns at a load; ties go to the first name."""
    metrics = {"scheduler_load": Metric(share, "1", "load over saturated at which policies are compared")}
    at = table[np.isclose(table["share"], share)]
    for key, column in (("ttft", "ttft_p95_s"), ("itl", "itl_p99_ms"), ("attained", "missed_share")):
        best = at.sort_values([column, "policy"])["policy"].iloc[0]
        metrics[f"best_{key}"] = Metric(best, "text", f"policy with the least {column}")
    return metrics


def kinds(base: str, count: int, seed: int) -> dict[str, Kind]:
    """Kinds of work: lengths (and shared beginnings) of traces, chats, agents, and replies that think first."""
    named = {"conversation": base, "code completion": "azure_code_2023", "long context": "mooncake_conversation_2025"}
    made: dict[str, Kind] = {name: partial(_drawn, each, count, seed) for name, each in named.items()}
    made |= {"chat, several turns": partial(_sessions, workload.CHAT, count, seed)}
    made |= {AGENT: partial(_sessions, workload.AGENT, count, seed)}
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
    """Each kind of work on the same replica at a share of what it saturates at: what a request and its tokens cost,
    what is read from the cache, what a reader sees.

    ``visible_usd_per_mtok`` counts only tokens that are shown. Sessions are played open-loop: a slow answer does not
    delay the next turn. Work of which a request does not fit into the cache is a row of no values with a ``note``.
    """
    rows = []
    for name, make in streams.items():
        try:
            rows.append(_kind(case, name, make, share, reader))
        except Infeasible as error:
            rows.append(dict.fromkeys(KIND_COLUMNS, np.nan) | {"kind": name, "note": error.reason})
    return pd.DataFrame(rows)


def _kind(case: Case, name: str, make: Kind, share: float, reader: Reader) -> dict:
    crowd, rent = make(1.0), case.usd_per_device_hour
    own = replace(case, pool=crowd, count=len(crowd))
    saturated_rps = own.saturated_at("value") / own.output
    stream = make(share * saturated_rps)
    done = own.serve(stream, tokens=True)
    prompt, output = float(stream.input_tokens.mean()), float(stream.output_tokens.mean())
    whole = float(stream.output_tokens.sum())
    hidden = 0.0 if stream.reasoning_tokens is None else float(stream.reasoning_tokens.sum()) / whole
    price = cost.simulated(done, rent, case.server.devices)
    row = {"kind": name, "requests": len(stream), "prompt_tok": prompt, "output_tok": output}
    row |= {"cached_share": _cached(done), "saturated_rps": saturated_rps}
    row |= _picked(reader.sees(done, 95), "ttft_p95_s", "tpot_p95_ms", "andes_share")
    row |= units.columns("usd_per_mtok", price) | {"usd_per_request": float(price.value) * output / 1e6}
    return row | {"hidden_share": hidden, "visible_usd_per_mtok": float(price.value) / (1 - hidden)}


def _cached(done: Outcome) -> float:
    return done.totals["cached_tokens"] / float(done.requests.prompt.sum())


def _picked(row: Mapping[str, float], *columns: str) -> dict[str, float]:
    return {column: row[column] for column in columns}


def kind_metrics(table: pd.DataFrame) -> dict[str, Metric]:
    """How far apart the prices of kinds of work are, of tokens and of requests."""
    metrics = {}
    for key, column in (("kinds_apart", "usd_per_mtok"), ("kinds_request_apart", "usd_per_request")):
        ratio = table[column].max() / table[column].min()
        metrics[key] = Metric(ratio, "1", f"dearest over cheapest {column} among kinds of work")
    return metrics


def routed(case: Case, make: Kind, rate_rps: float, replicas: int, reader: Reader) -> pd.DataFrame:
    """The same sessions of agents on several replicas under each rule of routing: what is found in caches, and what
    that gives; rows of no values where no rate is borne."""
    if not np.isfinite(rate_rps):
        none = dict.fromkeys(ARRANGED, np.nan) | {"stable": False}
        nothing = [none | {"arrangement": routing} for routing in ROUTINGS]
        return pd.DataFrame(nothing).assign(work="agents")
    stream, rows = make(rate_rps), []
    for routing in ROUTINGS:
        done = case.serve(stream, replicas=replicas, routing=routing, tokens=True)
        rows.append(_arranged(case, routing, done, replicas, reader))
    return pd.DataFrame(rows).assign(work="agents")


def apart(case: Case, stream: workload.Stream, split: tuple[int, int], link: float, reader: Reader) -> pd.DataFrame:
    """The same conversations on replicas that do both, and on as many of which some read prompts and the others write.

    Args:
        split: prefill replicas, decode replicas.
        link: bytes a second at which a replica hands over a prompt's cache.
    """
    replicas = sum(split)
    arranged = {TOGETHER: case.serve(stream, replicas=replicas, tokens=True)}
    arranged["{} prefill, {} decode".format(*split)] = case.serve_apart(stream, *split, link)
    rows = [_arranged(case, name, done, replicas, reader) for name, done in arranged.items()]
    return pd.DataFrame(rows).assign(work="conversation")


def _arranged(case: Case, name: str, done: Outcome, replicas: int, reader: Reader) -> dict:
    row = {"arrangement": name, "cached_share": _cached(done)}
    row |= _picked(reader.sees(done, 95), *SEEN)
    return row | {"stable": bool(done.load().stable), "usd_per_mtok": _price(case, done, replicas)}


def arrangement_metrics(routes: pd.DataFrame, split: pd.DataFrame, share: float) -> dict[str, Metric]:
    """What routing by prefixes finds over routing by load alone, and what replicas of their own do to times.

    Args:
        routes: as :func:`routed` gives it.
        split: as :func:`apart` gives it.
        share: load over saturated of both.
    """
    metrics = {}
    for key, name in (("routed", PREFIX_AWARE), ("blind", LEAST_LOADED)):
        row = routes.set_index("arrangement").loc[name]
        metrics[f"{key}_cached"] = cell(row, "cached_share", f"share of prompts found in caches, {name}", "1")
        metrics[f"{key}_ttft"] = cell(row, "ttft_p95_s", f"TTFT of 95 % of requests, {name}")
    both, own = split.set_index("arrangement").loc[TOGETHER], split[split["arrangement"] != TOGETHER].squeeze()
    itl, ttft = both["itl_p99_ms"] / own["itl_p99_ms"], own["ttft_p95_s"] / both["ttft_p95_s"]
    return metrics | {
        "apart_itl": Metric(itl, "1", "ITL together over apart"),
        "apart_ttft": Metric(ttft, "1", "TTFT apart over together"),
        "apart_share": Metric(share, "1", "load over saturated of that comparison"),
    }
