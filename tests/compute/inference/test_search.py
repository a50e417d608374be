"""The search over layouts: everything it offers fits, keeps the limits, and comes best first."""

import numpy as np
import pytest

from tokenomics.compute.deployment import Settings
from tokenomics.compute.inference.search import CONCURRENCIES, Candidate, fewest, layouts, search
from tokenomics.compute.inference.server import server
from tokenomics.compute.layout import Layout
from tokenomics.errors import DataError
from tokenomics.facts import catalogue

CASES = {
    "dense": ("Llama-3.1-70B", "H100-SXM-80GB", 8, {"engine": "vLLM 0.19"}),
    "odd": ("Llama-3.1-8B", "A100-SXM-80GB", 6, {}),
    "experts": ("DeepSeek-V3", "H200-SXM-141GB", 16, {"precision": "fp8", "engine": "sglang 0.5.9"}),
    "wide domain": ("Llama-3.1-405B", "GB200", 16, {"precision": "nvfp4"}),
    "narrow cache": ("Llama-3.1-70B", "H100-SXM-80GB", 4, {"precision": "bf16", "kv_precision": "fp8"}),
    "no link": ("Mixtral-8x7B", "L40S", 4, {"precision": "fp8"}),
}


def named(case):
    model, device, devices, options = CASES[case]
    return catalogue.model(model), catalogue.accelerator(device), devices, options


@pytest.fixture(scope="module", params=list(CASES))
def found(request):
    model, device, devices, options = named(request.param)
    return model, device, devices, options, search(model, device, devices, prompt=1000, output=200, **options)


def test_candidates_fit_fill_the_devices_and_come_best_first(found):
    model, device, devices, options, candidates = found
    assert candidates
    assert len({each.layout for each in candidates}) == len(candidates)
    for each in candidates:
        it = server(model, device, layout=each.layout, **options)
        assert it.fits()
        assert it.capacity(1200) >= each.concurrency
        assert each.devices == devices == each.replicas * each.layout.devices
        assert each.concurrency in CONCURRENCIES
    rates = [each.output_rate for each in candidates]
    assert rates == sorted(rates, reverse=True)
    assert min(rates) > 0


def test_a_candidate_says_what_the_server_says(found):
    model, device, _, options, candidates = found
    for each in (candidates[0], candidates[-1]):
        it = server(model, device, layout=each.layout, **options)
        assert each.tpot_s == pytest.approx(float(it.loaded_tpot(each.concurrency, 1000, 200).value))
        assert each.ttft_s == pytest.approx(float(it.loaded_ttft(each.concurrency, 1000, 200).value))
        seconds = each.ttft_s + 199 * each.tpot_s
        assert each.output_rate == pytest.approx(each.replicas * each.concurrency * 200 / seconds)


def test_limits_are_kept_and_cost_throughput(found):
    model, device, devices, options, free = found
    tpot, ttft = (np.median([getattr(each, name) for each in free]) / 2 for name in ("tpot_s", "ttft_s"))
    for limits in ({"most_tpot_s": tpot}, {"most_ttft_s": ttft}, {"most_tpot_s": tpot, "most_ttft_s": ttft}):
        kept = search(model, device, devices, prompt=1000, output=200, **options, **limits)
        for each in kept:
            assert each.tpot_s <= limits.get("most_tpot_s", np.inf)
            assert each.ttft_s <= limits.get("most_ttft_s", np.inf)
        assert {each.layout for each in kept} <= {each.layout for each in free}
        unlimited = {each.layout: each.output_rate for each in free}
        assert all(each.output_rate <= unlimited[each.layout] for each in kept)


@pytest.mark.parametrize("limit", [{"most_tpot_s": 1e-6}, {"most_ttft_s": 1e-6}])
def test_no_layout_keeps_an_impossible_limit(limit):
    model, device, devices, options = named("dense")
    assert search(model, device, devices, prompt=1000, output=200, **options, **limit) == []


def test_no_layout_holds_what_does_not_fit():
    h100 = catalogue.accelerator("H100-SXM-80GB")
    assert search(catalogue.model("Llama-3.1-405B"), h100, 4, prompt=1000, output=200) == []
    assert search(catalogue.model("Llama-3.1-70B"), h100, 2, prompt=100_000, output=100) == []
    assert search(catalogue.model("Llama-3.1-70B"), h100, 2, prompt=1000, output=100)


def test_a_narrow_cache_never_holds_less_and_serves_more_where_memory_decides():
    model, device = catalogue.model("Llama-3.1-70B"), catalogue.accelerator("H100-SXM-80GB")
    cuts = [each for each in layouts(model, device, 8) if server(model, device, layout=each).fits()]
    holds = {
        text: [server(model, device, kv_precision=text, layout=each).capacity([256, 4096, 65_536]) for each in cuts]
        for text in ("fp16", "fp8")
    }
    assert len(cuts) >= 4 and (np.array(holds["fp8"]) >= np.array(holds["fp16"])).all()
    assert np.array(holds["fp8"]).sum() > 1.9 * np.array(holds["fp16"]).sum()
    wide, narrow = (
        search(model, device, 4, prompt=16_000, output=500, precision="fp8", kv_precision=text)
        for text in ("fp16", "fp8")
    )
    assert narrow[0].output_rate > 1.1 * wide[0].output_rate
    assert max(each.concurrency for each in narrow) > max(each.concurrency for each in wide)


def test_a_cache_is_as_its_weights_unless_said():
    model, device, devices, _ = named("dense")
    as_weights = search(model, device, devices, prompt=1000, output=200, precision="fp8")
    assert as_weights == search(model, device, devices, prompt=1000, output=200, precision="fp8", kv_precision="fp8")
    assert as_weights != search(model, device, devices, prompt=1000, output=200, precision="fp8", kv_precision="bf16")
    with pytest.raises(DataError, match="kv_precision = seven"):
        search(model, device, devices, prompt=1000, output=200, kv_precision="seven")


def test_the_engine_is_told_what_the_search_is_told():
    model, device, devices, options = named("dense")
    usual = search(model, device, devices, prompt=1000, output=200, **options)
    few = search(
        model, device, devices, prompt=1000, output=200, **options, settings=lambda each: Settings(4 * each.tp)
    )
    of_layout = {each.layout: each for each in usual}  # fewer sequences leave room for larger cuts
    both = [each for each in few if each.layout in of_layout]
    assert len(both) > 3 and all(each.output_rate < of_layout[each.layout].output_rate for each in both)
    assert all(each.concurrency <= 4 * each.layout.tp for each in few)


def test_layouts_are_all_ways_to_cut_and_no_others():
    dense = set(layouts(catalogue.model("Llama-3.1-70B"), catalogue.accelerator("H100-SXM-80GB"), 8))
    powers = (1, 2, 4, 8)
    assert dense == {Layout(tp, pp) for tp in powers for pp in powers if tp * pp <= 8}
    experts = list(layouts(catalogue.model("Mixtral-8x7B"), catalogue.accelerator("H100-SXM-80GB"), 32))
    assert len(set(experts)) == len(experts)
    for each in experts:
        assert 32 % each.devices == 0 and each.tp <= 8 and each.ep <= 8 and each.pp <= 32
    assert {each.dp for each in experts} == {1, 2, 4, 8, 16, 32}
    gb200 = layouts(catalogue.model("Llama-3.1-70B"), catalogue.accelerator("GB200"), 64)
    assert max(each.tp for each in gb200) == 64
    falcon = catalogue.model("Falcon-7B")  # 71 heads, a prime
    assert {each.tp for each in layouts(falcon, catalogue.accelerator("H100-SXM-80GB"), 8)} == {1}


def test_fewest_devices_for_a_rate_by_hand():
    best = Candidate(Layout(tp=2), 4, 64, 0.03, 0.4, 4000.0)
    worse = Candidate(Layout(tp=8), 1, 64, 0.01, 0.2, 2000.0)
    assert fewest([worse, best], [1.0, 1000.0, 1001.0, 10_000.0]).tolist() == [2, 2, 4, 20]


@pytest.mark.parametrize("devices", [0, -1])
def test_no_devices_are_refused(devices):
    model, device, _, options = named("dense")
    with pytest.raises(DataError, match=f"search: devices = {devices}; allowed: >= 1"):
        search(model, device, devices, prompt=1000, output=200, **options)
