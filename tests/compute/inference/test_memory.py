"""Memory by hand, against what was measured, and that capacity and use are two sides of one sum."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenomics import paths
from tokenomics.compute.counts.parameters import kv_bytes, weight_bytes
from tokenomics.compute.counts.precision import parse
from tokenomics.compute.deployment import Deployment, Settings
from tokenomics.compute.inference import durations, memory
from tokenomics.compute.inference.engines import Profile
from tokenomics.compute.inference.memory import capacity, reserve, used
from tokenomics.compute.inference.server import Server, server
from tokenomics.compute.layout import Layout
from tokenomics.facts import catalogue
from tokenomics.facts import engines as facts
from tokenomics.facts.engines import Reserve
from tokenomics.rows import predict as score
from tokenomics.rows import reading

GIB40, H100 = 40 * 2**30, 81_559 * 2**20
ENGINES = ["generic", "vllm 2024", "trtllm 2023", "trtllm 2026", "sglang", "fastertransformer", "deepspeed"]
MODELS = ["Llama-2-7B", "Llama-3.1-70B", "Mixtral-8x7B", "DeepSeek-V3", "Gemma-2-27B", "Falcon-7B"]


def serve(model="Llama-2-70B", device="A100-SXM-40GB", precision="fp16", **layout):
    return Deployment(catalogue.model(model), catalogue.accelerator(device), parse(precision), Layout(**layout))


@pytest.fixture
def kept(monkeypatch):
    """Engines keep back round numbers, whatever was learned of them since."""
    made = Reserve(usable=0.9, runtime_bytes=1.5e9, buffer_bytes=0.5e9)
    monkeypatch.setattr(memory, "reserve", lambda name: made)


@pytest.mark.usefixtures("kept")
def test_llama_2_70b_on_four_a100_of_40_gb_by_hand():
    """138 GB of weights on four devices leave vLLM under two gigabytes each for caches of 80 KiB a token."""
    weights = 68_976_648_192 * 2 / 4
    token = 80 * 2 * (8 / 4) * 128 * 2
    activations = 8192 * (2 * 8192 + 3 * 28_672 / 4) * 2
    free = 0.9 * GIB40 - weights - activations - 1.5e9 - 0.5e9
    on = serve(tp=4)
    assert memory.weight_bytes_per_device(on) == pytest.approx(weights, rel=1e-9)
    assert memory.cache_bytes_per_device(on, 1) == token == 81_920
    assert memory.free_bytes(on, "vllm 2024") == pytest.approx(free, rel=1e-9)
    assert capacity(on, "vllm 2024", 2048) == free // (token * 2048) == 9
    assert capacity(on, "vllm 2024", 256) == free // (token * 256) == 73


@pytest.mark.usefixtures("kept")
def test_a_batch_larger_than_memory_runs_in_waves():
    on, plain = serve(tp=4), Profile()
    assert capacity(on, "vllm 2024", 1024 + 512) == 12
    one, eight_waves = (durations.static_batch(on, "vllm 2024", n, 1024, 1024).seconds(plain) for n in (12, 12 * 8))
    assert eight_waves == pytest.approx(8 * one, rel=1e-9)
    roomy = serve(device="A100-SXM-80GB", tp=4)
    assert durations.static_batch(roomy, "vllm 2024", 96, 1024, 1024).seconds(plain) < 0.5 * eight_waves
    assert capacity(roomy, "vllm 2024", 1024 + 512) > 96


@pytest.mark.usefixtures("kept")
def test_parts_of_what_is_used_by_hand():
    parts = used(serve("Llama-2-7B", tp=1), "generic", 4, 1000)
    assert parts.weights == 6_738_415_616 * 2
    assert parts.cache == 4 * 1000 * 2 * 32 * 4096 * 2
    assert parts.activations == 8192 * (2 * 4096 + 3 * 11_008) * 2
    assert (parts.runtime, parts.buffers) == (1.5e9, 0)
    assert used(serve("Llama-2-7B", tp=2), "generic", 4, 1000).buffers == 0.5e9
    each = (parts.weights, parts.cache, parts.activations, parts.buffers, parts.runtime)
    assert parts.total == pytest.approx(sum(map(float, each)))


@pytest.fixture(scope="module")
def memory_rows():
    """FasterTransformer's published rows about memory with what the scorer says."""
    found = []
    for kind in ("inference_throughput", "inference_latency"):
        path = paths.DATA / "measurements" / f"{kind}.csv"
        chunk = next(reading.chunks(path, rows=100_000))
        rows = chunk.inputs["metric"].isin(["gpu_memory_used", "fits_in_memory"])
        rows &= chunk.inputs["engine"].str.contains("FasterTransformer", case=False)
        inputs = chunk.inputs[rows]
        found.append(inputs.assign(value=chunk.measured[inputs.index], **score.predict(inputs, "inference")))
    return pd.concat(found)


def test_memory_that_fastertransformer_used(memory_rows):
    rows = memory_rows[memory_rows.metric == "gpu_memory_used"]
    off = (rows.predicted / rows.value - 1).abs()
    assert len(rows) == 28 and (rows.status == "ok").all()
    assert off.median() <= 0.05
    assert off.max() <= 0.35


def test_what_ran_out_of_memory_and_what_ran(memory_rows):
    """All rows that ran out of memory, and as a counterweight all rows of the same source that ran."""
    verdicts = memory_rows[memory_rows.metric == "fits_in_memory"]
    assert len(verdicts) == 6
    assert (verdicts.predicted == verdicts.value).all()
    ran = memory_rows[memory_rows.metric == "gpu_memory_used"].assign(metric="fits_in_memory", unit="")
    assert (score.predict(ran[[*reading.TEXTS, *reading.NUMBERS["inference"]]], "inference").predicted == 1).all()


@given(st.sampled_from(MODELS), st.sampled_from(ENGINES), st.sampled_from([1, 2, 4, 8]), st.integers(64, 100_000))
def test_capacity_is_what_still_fits(model, engine, tp, context):
    on = serve(model, "H100-SXM-80GB", tp=tp)
    keep = reserve(engine)
    if keep.one_step:
        return  # room for activations then depends on the batch
    most = float(capacity(on, engine, context))
    assert most == int(most) >= 0
    share, rest = memory.usable(on, engine), used(on, engine, 1, 0).total
    usable = share * H100
    if keep.of_free:
        usable = rest + share * (H100 - rest)
    if keep.of_start:
        start = keep.runtime_bytes + keep.buffer_bytes * (tp > 1)
        usable = start + share * (H100 - start)
    if rest > usable:
        assert most == 0
    elif most:
        assert used(on, engine, most, context).total <= usable * (1 + 1e-12)
    if rest <= usable:
        assert used(on, engine, most + 1, context).total > usable


@given(st.sampled_from(MODELS), st.sampled_from(ENGINES), st.integers(1, 8), st.integers(1, 60_000))
def test_capacity_falls_with_length_and_rises_with_devices_and_narrow_caches(model, engine, halvings, context):
    on = serve(model, "H200-SXM-141GB", tp=4)
    assert capacity(on, engine, 2 * context) <= capacity(on, engine, context)
    assert capacity(serve(model, "H200-SXM-141GB", tp=8), engine, context) >= capacity(on, engine, context)
    assert capacity(serve(model, "H200-SXM-141GB", "fp8", tp=4), engine, context) >= capacity(on, engine, context)
    contexts = context * np.arange(1, halvings + 1)
    together = capacity(on, engine, contexts)
    assert together.tolist() == [float(capacity(on, engine, each)) for each in contexts]


@pytest.mark.parametrize(("tp", "share"), [(1, 1), (4, 1 / 4), (8, 1 / 8), (16, 1 / 8), (32, 1 / 8)])
def test_keys_are_copied_beyond_the_key_heads(tp, share):
    on = serve("Llama-3.1-70B", tp=tp)
    assert memory.cache_bytes_per_device(on, 1000) == pytest.approx(share * kv_bytes(on.model, 1000), rel=1e-12)


@pytest.mark.parametrize("tp", [1, 2, 8, 16])
def test_a_latent_is_held_by_every_device_of_a_group(tp):
    on = serve("DeepSeek-V3", "H200-SXM-141GB", tp=tp)
    assert memory.cache_bytes_per_device(on, 1000) == kv_bytes(on.model, 1000) == 61 * 576 * 2 * 1000


def test_one_key_head_is_held_by_every_device():
    on = serve("Falcon-7B", tp=8)
    assert memory.cache_bytes_per_device(on, 10) == kv_bytes(on.model, 10)


def test_attention_groups_multiply_the_capacity_of_a_latent_cache():
    """Eight devices as one group hold the latent eight times, as eight groups once."""
    together, apart = (
        float(capacity(serve("DeepSeek-V3", "H200-SXM-141GB", "fp8", **layout), "sglang", 4096))
        for layout in ({"tp": 8}, {"dp": 8, "ep": 8})
    )
    assert apart > 2 * together


@pytest.mark.parametrize("layout", [{"tp": 8}, {"tp": 2, "pp": 4}, {"dp": 8, "ep": 8}, {"tp": 2, "dp": 4, "ep": 4}])
def test_devices_together_hold_the_whole_model(layout):
    for name in ("Mixtral-8x7B", "DeepSeek-V3", "Llama-3.1-70B"):
        on = serve(name, **layout)
        together = memory.weight_bytes_per_device(on) * on.layout.devices
        whole = float(weight_bytes(on.model))
        assert together >= whole * (1 - 1e-12)
        if on.layout.dp == 1:  # of uneven stages the fullest is counted
            fullest = on.layout.pp * on.layout.fullest_stage(on.model.layers)
            assert together == pytest.approx(whole * fullest, rel=1e-12)


def test_experts_are_spread_over_all_groups_and_the_rest_copied():
    on = serve("Mixtral-8x7B", dp=4, ep=4)
    experts = 32 * 8 * 3 * 4096 * 14_336
    rest = 46_702_792_704 - experts
    assert memory.weight_bytes_per_device(on) == pytest.approx(2 * (experts / 4 + rest), rel=1e-3)


def test_a_tower_lies_in_memory_beside_the_text_model():
    on = serve("Gemma-3-27B", "H100-SXM-80GB", tp=2)
    assert memory.weight_bytes_per_device(on) * 2 - float(weight_bytes(on.model)) == pytest.approx(2 * 417e6)


def test_kernels_of_mxfp4_fill_the_width_of_an_expert_up():
    """gpt-oss-120b: experts of 2880 become 3072 wide, 64.4 GiB in all (vllm-project/vllm issue 33155)."""
    on = serve("gpt-oss-120b", "H100-SXM-80GB", "mxfp4")
    assert memory.weight_bytes_per_device(on) / 2**30 == pytest.approx(64.38, rel=0.005)


def test_the_right_reserve_is_found():
    for period in ("2023", "2024", "2025", "2026"):
        assert reserve(f"trtllm {period}").of_free and reserve(f"trtllm {period}").whole
    assert reserve("vllm 2024 CDNA3") == reserve("vllm 2024") and reserve("vllm 2024").fills
    assert not reserve("vllm 2024").of_free and reserve("sglang").of_start
    assert reserve("gpt-fast") == Reserve(usable=0.95) == reserve("")
    for each in facts.engines():
        assert 0 < each.reserve.usable <= 1


CAPACITY = pd.read_csv(Path(__file__).with_name("kv_capacity.csv"))


def printed(row) -> Server:
    """The deployment of an engine that printed what it left for its cache."""
    told = None if np.isnan(row["memory_utilisation"]) else float(row["memory_utilisation"])
    settings = Settings(int(row["max_num_seqs"]), int(row["max_num_batched_tokens"]), told)
    layout = Layout(tp=int(row["tp"]), dp=int(row["dp"]), ep=int(row["ep"]))
    texts = {key: row[key] for key in ("precision", "engine")}
    kv = row["kv_precision"] if isinstance(row["kv_precision"], str) else ""
    return server(row["model"], row["hardware"], kv_precision=kv, layout=layout, settings=settings, **texts)


def left(row) -> tuple[float, float]:
    """GiB for the cache of a device and half their interval."""
    it = printed(row)
    free = memory.free_bytes(it.on, it.profile.name)
    return float(free) / 2**30, float(memory.spread_bytes(it.on, free)) / 2**30


@pytest.mark.parametrize("number", CAPACITY.index[CAPACITY["within"].notna()])
def test_what_engines_leave_for_the_cache(number):
    row = CAPACITY.loc[number]
    assert left(row)[0] == pytest.approx(row["kv_gib_per_device"], rel=row["within"])


def test_intervals_hold_what_engines_leave_as_often_as_they_say():
    """Also where a version or a setting is not what the table can say."""
    both = [(left(row), row["kv_gib_per_device"]) for _, row in CAPACITY.iterrows()]
    held = [abs(free - measured) <= spread for (free, spread), measured in both]
    assert 0.7 <= np.mean(held) <= 0.95


def test_an_estimate_of_capacity_holds_the_capacity():
    it = server("Llama-3.1-70B", "H100-SXM-80GB", engine="vLLM 0.19", tp=4)
    found = it.capacity_estimate([1024, 8192])
    assert (found.low < found.value).all() and (found.value < found.high).all()
    assert found.value.tolist() == it.capacity([1024, 8192]).tolist()


def test_an_engine_is_told_a_share_by_its_version():
    free = {
        version: float(memory.free_bytes(it.on, it.profile.name))
        for version in ("vLLM 0.20", "vLLM 0.21")
        for it in [server("Llama-3.1-8B", "H100-SXM-80GB", engine=version)]
    }
    assert free["vLLM 0.21"] - free["vLLM 0.20"] == pytest.approx(0.02 * H100)


def test_what_layers_with_a_window_keep_is_a_matter_of_the_engine():
    """gpt-oss-20b: 12 layers with a window of 128 tokens, 12 without; 2 x 8 x 64 values of 2 bytes a token and
    layer."""
    kept = {}
    for engine in ("vLLM 0.6", "vLLM 0.19", "SGLang 0.5", "TensorRT-LLM 1.2", ""):
        it = server("gpt-oss-20b", "H100-SXM-80GB", engine=engine, settings=Settings(256, 4096))
        kept[engine] = float(memory.cache_bytes_per_device(it.on, 10_000)) / (2 * 8 * 64 * 2 * 12) - 10_000
    assert kept == {
        "vLLM 0.6": 10_000,
        "vLLM 0.19": 128 + 4096,
        "SGLang 0.5": 8000,
        "TensorRT-LLM 1.2": 10_000,
        "": 128,
    }


def test_sglang_s_default_share_by_hand():
    """H100: 512 MiB, 8192 tokens x 1.5 MiB, 256 x 2 MiB and a device's 128 MiB of 81559 MiB; MI355X reads 16384."""
    share = {
        name: memory.usable(server("Llama-3.1-8B", name, engine="SGLang 0.5.9").on, "sglang")
        for name in ("H100-SXM-80GB", "MI355X")
    }
    assert share["H100-SXM-80GB"] == pytest.approx((81_559 - 512 - 12_288 - 512 - 128) / 81_559)
    assert share["MI355X"] == pytest.approx(0.911, abs=0.003)


def test_a_model_too_large_has_no_capacity():
    on = serve("Llama-3.1-405B", tp=4)
    assert capacity(on, "vllm 2024", np.array([1, 1000])).tolist() == [0, 0]
    assert memory.free_bytes(on, "vllm 2024") < 0


def test_tensorrt_llm_admits_by_the_whole_sequence_and_others_by_their_mean():
    on = serve()
    assert memory.admitted(on, "trtllm 2025", 128, 2048) == capacity(on, "trtllm 2025", 128 + 2048)
    assert memory.admitted(on, "vllm 2024", 128, 2048) == capacity(on, "vllm 2024", 128 + 1024)
