"""One replica under load: what its engine is told, the ends of its steps, and what it bears."""

import numpy as np
import pytest

from tokenomics.compute import bounds
from tokenomics.compute.inference.server import server
from tokenomics.compute.layout import Layout
from tokenomics.errors import DataError, Infeasible
from tokenomics.facts.engines import POLICIES, engines
from tokenomics.service.qoe import Slo
from tokenomics.service.replica import Replica
from tokenomics.service.simulator import Prefixes, Requests

MODELS = ("Llama-3.1-8B", "Llama-3.1-70B", "Qwen3-32B", "Mixtral-8x7B", "gpt-oss-120b", "Qwen3-30B-A3B")
DEVICES = ("A100-SXM-80GB", "H100-SXM-80GB", "H200-SXM-141GB", "B200-SXM-180GB", "MI300X")


def _text(engine):
    """An engine's period as a benchmark would publish it."""
    version = "" if engine.first_version is None else " {}.{}".format(*engine.first_version)
    return f"{engine.name if engine.name != 'generic' else ''}{version}"


ENGINES = {policy: [_text(each) for each in engines() if each.policy == policy] for policy in POLICIES}
BATCHES = {"chunked": 16, "prefill": 32, "decode": 48}
"""Requests of a simulation over those of a batch: a saturated rate scatters more where prompts stop all decodes."""
PIPELINES = ((1, 2), (2, 2), (4, 2), (1, 4), (2, 4), (1, 3), (2, 3), (1, 5))
SINGLE = ((1, 1), (2, 1), (4, 1))


@pytest.fixture(scope="module")
def one():
    return Replica(
        server("Llama-3.1-8B", "H100-SXM-80GB", engine="vLLM 0.19").told(max_num_seqs=64, max_num_batched_tokens=2048)
    )


def offered(rate, count=400):
    arrivals = np.random.default_rng(3).exponential(size=count).cumsum() / rate
    return Requests(arrivals, 900, 60)


def test_ends_of_step_times_enclose_the_middle(one):
    table, low, high = (one.at(end).table_and_rules(2048)[0] for end in ("value", "low", "high"))
    for name in ("decode_s", "linear_s", "prefill_s"):
        middle = getattr(table, name)
        assert (getattr(low, name) <= middle).all() and (getattr(high, name) >= middle).all()
    step = one.server.tpot(4, 1024)
    assert high(4, 4096) / table(4, 4096) == pytest.approx(float(step.high / step.value), rel=1e-6)
    assert one.at("value") is one
    with pytest.raises(DataError, match="value, low, high"):
        one.at("middle")


def test_rules_come_from_engine_layout_and_limits():
    for engine, policy in (("vLLM 0.19", "chunked"), ("vLLM 0.6", "prefill"), ("DeepSpeed", "decode")):
        it = server("Llama-3.1-70B", "H100-SXM-80GB", engine=engine, layout=Layout(tp=4, pp=2))
        it = it.told(max_num_seqs=32, max_num_batched_tokens=4096)
        rules = Replica(it).table_and_rules(2048)[1]
        assert (rules.policy, rules.stages, rules.max_batch, rules.max_tokens) == (policy, 2, 32, 4096)
        assert rules.kv_blocks * 16 == pytest.approx(float(it.capacity(2048)) * 2048, rel=0.05)
        assert Replica(it.told(policy="chunked")).table_and_rules(2048)[1].policy == "chunked"


def test_a_shared_beginning_is_read_once_where_the_prefix_cache_is_on(one):
    alike = Requests(np.arange(40.0), 900, 10, prefix=Prefixes.of([[0]] * 40, 800))
    known, read = (Replica(one.server.told(prefix_cache=on)).run(alike) for on in (True, False))
    assert known.totals["cached_tokens"] == 39 * 800 and read.totals["cached_tokens"] == 0
    assert np.median(known.ttft_s) < 0.5 * np.median(read.ttft_s)


def test_what_no_cache_holds_is_infeasible(one):
    with pytest.raises(Infeasible, match="holds"):
        one.run(Requests([0.0], 4_000_000, 10))
    with pytest.raises(Infeasible, match="weights take"):
        Replica(server("Llama-3.1-70B", "H100-SXM-80GB")).table_and_rules(2048)


@pytest.mark.parametrize("limits", [(1.0, 0.05), (0.2, 0.02), (30.0, 1.0)])
def test_the_highest_rate_keeps_the_objective_and_stays_below_saturation(one, limits):
    saturated_rps = one.saturated_tok_per_s(offered(1.0)) / 60
    slo = Slo(*limits, 0.9)
    rate = one.highest_rate(offered, slo, saturated_rps)
    assert 0 < rate <= saturated_rps
    slower = one.at("high").highest_rate(offered, slo, saturated_rps)
    assert slower <= rate and one.highest_rate(offered, Slo(1e-6, 1e-6), saturated_rps) == 0


def drawn(policy, layouts, count, seed):
    """Random deployments that have room for all their requests, lengths of these, and requests in flight."""
    rng, found = np.random.default_rng(seed), 0
    while found < count:
        names = [str(rng.choice(each)) for each in (MODELS, DEVICES, ENGINES[policy], ("bf16", "fp8"))]
        tp, pp = layouts[rng.integers(len(layouts))]
        prompt, output, batch = int(rng.integers(100, 1500)), int(rng.integers(40, 160)), 16 * pp
        try:
            model, device, engine, precision = names
            it = server(model, device, engine=engine, precision=precision, layout=Layout(tp=tp, pp=pp))
            if it.capacity(prompt + 2 * output) < batch:
                continue
        except DataError:
            continue
        found += 1
        yield it, prompt, output, batch


def saturated_over_closed(it, prompt, output, batch):
    """Simulated output over that of the closed form; replies differ in length, so that they end at different times, but
    where a batch is decoded to its end, which the closed form knows for replies of one length only."""
    policy = it.on.settings.policy
    count = BATCHES[policy] * batch
    shortest, longest = (output, output) if policy == "decode" else (output // 5, 2 * output - output // 5)
    lengths = np.random.default_rng(1).integers(shortest, longest + 1, count)
    one = Replica(it.told(max_num_seqs=batch))
    rate = one.saturated_tok_per_s(Requests(np.zeros(count), prompt, lengths))
    assert rate <= bounds.output_rate(it.bound, prompt, output, batch)
    return rate / float(one.server.output_rate(prompt, output).value)


@pytest.mark.parametrize("layouts", [SINGLE, PIPELINES], ids=["single stage", "pipelines"])
@pytest.mark.parametrize("policy", POLICIES)
def test_a_saturated_replica_is_as_fast_as_its_closed_form_says(policy, layouts):
    ratios = [saturated_over_closed(*each) for each in drawn(policy, layouts, 30, 4)]
    assert min(ratios) > 0.97 and max(ratios) < 1.03


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("pp", [1, 2])
def test_a_beginning_that_all_share_is_known_to_the_closed_form_too(policy, pp):
    it = server("Llama-3.1-8B", "H100-SXM-80GB", engine="vLLM 0.19", layout=Layout(pp=pp))
    it, plain = it.told(policy=policy, prefix_tokens=1000), it.told(policy=policy)
    assert saturated_over_closed(it, 1400, 100, 16 * pp) == pytest.approx(1, abs=0.03)
    assert it.output_rate(1400, 100, 16 * pp).value > 1.05 * plain.output_rate(1400, 100, 16 * pp).value
    assert it.told(prefix_cache=False).output_rate(1400, 100, 16).value == plain.output_rate(1400, 100, 16).value
    assert it.ttft(1400).value == plain.ttft(1400 - 992, cached=992).value  # whole blocks of 16
    assert it.ttft(900).value == plain.ttft(900).value


@pytest.mark.parametrize("engine", ["vLLM 0.19", "SGLang"])
@pytest.mark.parametrize(("pp", "batch"), [(2, 64), (2, 1024), (3, 100), (4, 512)])
def test_stages_share_the_running_sequences_however_many_may_run(engine, pp, batch):
    """One step for all of them would leave the other stages idle."""
    it = server("Llama-3.1-8B", "H100-SXM-80GB", engine=engine, layout=Layout(pp=pp))
    done = Replica(it).run(Requests(np.zeros(batch), 64, 300))
    assert np.median(done.tpot_s) == pytest.approx(float(it.tpot(batch, 64 + 150).value), rel=0.03)
