"""What a request sees and a server delivers: sums by hand, physics as a floor, queues that behave like queues."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenomics.compute import bounds
from tokenomics.compute.counts.precision import parse
from tokenomics.compute.deployment import Deployment, Settings
from tokenomics.compute.inference import durations, memory
from tokenomics.compute.inference.durations import (
    decode,
    decode_step,
    in_flight,
    prefill,
)
from tokenomics.compute.inference.engines import Profile
from tokenomics.compute.inference.server import server
from tokenomics.compute.inference.steps import device_seconds
from tokenomics.compute.layout import Layout
from tokenomics.errors import DataError
from tokenomics.facts import catalogue

PLAIN = Profile(name="vllm 2024", burst=0.1, wait_s=0.02)
"""An engine that adds nothing to the device."""
HOSTED = Profile("vllm 2024", 1.5, 1.2, 2e-3, 2e-5, 0.1, 0.02)
MODELS = ["Llama-2-7B", "Llama-3.1-70B", "Mixtral-8x7B", "Qwen3-235B-A22B", "gpt-oss-120b"]
MEASURED = ["A100-SXM-80GB", "H100-SXM-80GB", "H200-SXM-141GB", "B200-SXM-180GB"]
ENGINES = ["", "vLLM", "TensorRT-LLM 0.9.0", "TensorRT-LLM 1.0", "sglang 0.5.9", "llama.cpp", "DeepSpeed"]
CONCURRENCY = 2.0 ** np.arange(0, 12)
WAVES = 0.03
"""Throughput may dip where one more sequence opens a wave of tiles."""


def serve(model="Llama-3.1-70B", device="H100-SXM-80GB", precision="bf16", **layout):
    return Deployment(catalogue.model(model), catalogue.accelerator(device), parse(precision), Layout(**layout))


deployments = st.builds(serve, st.sampled_from(MODELS), st.sampled_from(MEASURED), st.just("fp8"), tp=st.just(8))


def test_a_prompt_is_one_pass_and_a_long_one_counts_its_chunks():
    on = serve(tp=8)
    short, long = prefill(on, 1, 1000), prefill(on, 1, 20_000)
    assert short.prefill_steps == 1
    assert float(short.prefill_s) == pytest.approx(float(device_seconds(on, new=1000).total))
    assert long.prefill_steps == np.ceil(20_000 / Settings.max_num_batched_tokens) == 3
    assert (short.decode_s, short.decode_steps, short.layers_together) == (0, 0, on.model.layers)


def test_a_batch_of_prompts_is_packed_into_passes():
    on = serve(tp=8)
    assert prefill(on, 8, 1024).prefill_steps == 1
    assert prefill(on, 32, 1024).prefill_steps == 4
    assert float(prefill(on, 32, 1024).prefill_s) == pytest.approx(4 * float(prefill(on, 8, 1024).prefill_s))


@given(deployments, st.integers(1, 64), st.integers(16, 20_000), st.integers(1, 50_000))
def test_cached_tokens_are_cheaper_to_have_than_to_read(on, batch, prompt, cached):
    new, after = (float(prefill(on, batch, prompt, past).prefill_s) for past in (0, cached))
    whole = float(prefill(on, batch, prompt + cached).prefill_s)
    assert new * 0.995 <= after <= whole * 1.005


@pytest.mark.parametrize("model", MODELS)
def test_stretches_come_close_to_the_sum_over_steps(model):
    on = serve(model, "H200-SXM-141GB", "fp8", tp=4)
    exact = device_seconds(on, decode=16, context=1000 + 1 + np.arange(600)).total.sum()
    found = decode(on, 16, 1000, 600)
    assert float(found.decode_s) == pytest.approx(exact, rel=0.01)
    assert (found.decode_steps, found.sequence_steps) == (600, 9600)


def test_a_static_batch_is_its_prefill_and_one_step_less_than_its_output():
    on = serve(tp=8)
    whole = durations.static_batch(on, "vllm 2024", 4, 512, 100).seconds(HOSTED)
    parts = prefill(on, 4, 512) + decode(on, 4, 512, 99)
    assert whole == pytest.approx(float(parts.seconds(HOSTED)))
    alone = durations.static_batch(on, "vllm 2024", 4, 512, 1)
    assert alone.seconds(HOSTED) == pytest.approx(float(prefill(on, 4, 512).seconds(HOSTED)))


def test_waves_follow_capacity():
    on = serve("Llama-2-70B", "A100-SXM-40GB", tp=4)
    fits = float(memory.capacity(on, "vllm 2024", 1024 + 512))
    assert 1 < fits < 64
    batch = np.array([1, fits, 2 * fits, 4 * fits])
    seconds = durations.static_batch(on, "vllm 2024", batch, 1024, 1024).seconds(HOSTED)
    assert seconds[0] < seconds[1]
    assert seconds[2:] / seconds[1] == pytest.approx([2, 4], rel=1e-9)


@given(deployments, st.integers(1, 256), st.integers(1, 8000), st.integers(1, 500))
def test_no_static_batch_is_faster_than_its_bound(on, batch, prompt, output):
    least = bounds.generate_seconds(bounds.IdealDevices(on.model, on.device, on.precision, 8), batch, prompt, output)
    assert durations.static_batch(on, PLAIN.name, batch, prompt, output).seconds(PLAIN) >= least


def test_no_engine_answers_faster_than_the_bound():
    batch = 2.0 ** np.arange(0, 10)
    for name in MODELS:
        for engine in ENGINES:
            it = server(catalogue.model(name), catalogue.accelerator("H100-SXM-80GB"), engine=engine)
            if not it.fits():
                continue
            least = bounds.IdealDevices(it.on.model, it.on.device, it.on.precision)
            fits = it.room(1024, batch)
            assert fits[0] and np.array_equal(fits, ~np.isnan(it.tpot(batch, 1024).value))
            assert (it.tpot(batch, 1024).value[fits] >= bounds.decode_step_seconds(least, batch, 1024)[fits]).all()
            read = it.room(16 * batch)
            assert (it.ttft(16 * batch).value[read] >= bounds.prefill_seconds(least, 1, 16 * batch)[read]).all()


def loads(engine, model, **layout):
    it = server(
        catalogue.model(model), catalogue.accelerator("H200-SXM-141GB"), engine=engine, precision="fp8",
        layout=Layout(**layout),
    )  # fmt: skip
    for prompt, output in ((128, 128), (2048, 256), (300, 3000), (20_000, 100)):
        if prompt + output <= it.on.model.context_tokens:
            yield it, prompt, output


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("model", MODELS)
def test_a_busier_server_answers_later_and_delivers_no_less(engine, model):
    for it, prompt, output in loads(engine, model, tp=8):
        first = it.loaded_ttft(CONCURRENCY, prompt, output).value
        token = it.loaded_tpot(CONCURRENCY, prompt, output).value
        rate = it.output_rate(prompt, output, CONCURRENCY).value
        assert (np.diff(first) > 0).all()
        assert (np.diff(token) >= 0).all()
        assert (rate[1:] >= rate[:-1] * (1 - WAVES)).all()
        assert it.output_rate(prompt, output).value >= rate.max() * (1 - WAVES)
        assert rate[-1] > rate[0] * (2 if prompt < output * 2 else 1)


@pytest.mark.parametrize("layout", [{"tp": 4, "pp": 2}, {"tp": 2, "dp": 4, "ep": 8}, {"dp": 8, "ep": 8}])
def test_every_layout_queues(layout):
    for it, prompt, output in loads("sglang 0.5.9", "Qwen3-235B-A22B", **layout):
        loop = it.closed_loop(CONCURRENCY, prompt, output)
        assert (np.diff(loop.ttft_s) > 0).all()
        assert (loop.running <= np.minimum(CONCURRENCY, np.maximum(it.capacity(prompt + output / 2), 1))).all()


def test_requests_beyond_memory_wait_for_others_to_end():
    on = serve("Llama-2-70B", "A100-SXM-40GB", tp=4)
    fits = float(in_flight(on, HOSTED.name, np.inf, 1024, 1024))
    full, twice = (durations.closed_loop(on, HOSTED, n * fits, 1024, 1024) for n in (1, 2))
    assert twice.step.seconds(HOSTED) == full.step.seconds(HOSTED)
    assert twice.ttft_s - full.ttft_s == pytest.approx(1024 * float(full.step.seconds(HOSTED)))


def test_a_closed_loop_by_hand():
    on = serve(tp=8)
    loop = durations.closed_loop(on, HOSTED, 9, 1000, 200)
    step, read = decode_step(on, 9, 1100).seconds(HOSTED), prefill(on, 1, 1000)
    assert loop.step.seconds(HOSTED) == pytest.approx(float(step + 8 / 200 * read.seconds(HOSTED)))
    own = float(read.prefill_s)
    assert loop.ttft_s == pytest.approx(0.02 + own * (1 + 0.1 * 8) + 0.5 * float(step))


@given(st.floats(0.01, 50), st.integers(32, 4000), st.integers(8, 800))
def test_an_open_loop_holds_more_requests_the_more_arrive(rate, prompt, output):
    on = serve(tp=8)
    rates = rate * np.array([1.0, 1.5, 4.0])
    running = durations.open_loop_concurrency(on, HOSTED, rates, prompt, output)
    assert (np.diff(running) >= 0).all()
    assert (running >= 1).all() and (running <= in_flight(on, HOSTED.name, np.inf, prompt, output)).all()


def test_an_open_loop_obeys_littles_law():
    on = serve(tp=8)
    rate = np.array([0.5, 2.0, 5.0])
    running = durations.open_loop_concurrency(on, HOSTED, rate, 1000, 200)
    loop = durations.closed_loop(on, HOSTED, running, 1000, 200)
    stay = HOSTED.wait_s + np.asarray(prefill(on, 1, 1000).prefill_s) + 200 * loop.step.seconds(HOSTED)
    assert running[1:] == pytest.approx((rate * stay)[1:], rel=0.05)


def test_pipeline_stages_overlap_the_prompts_of_a_batch():
    one, two = serve("Llama-2-7B", tp=1), serve("Llama-2-7B", pp=2)
    single, many = (float(prefill(two, n, 8192).prefill_s / prefill(one, n, 8192).prefill_s) for n in (1, 64))
    assert single >= 1
    assert 0.5 < many < 0.6


def test_arrays_equal_scalars():
    on = serve("Mixtral-8x7B", tp=2)
    batch, prompt = np.array([[1], [64], [3000]]), np.array([10, 9000])
    found = {
        "static": lambda b, p: durations.static_batch(on, "vllm 2024", b, p, 77).seconds(HOSTED),
        "first": lambda b, p: durations.closed_loop(on, HOSTED, b, p, 77).ttft_s,
    }
    for ask in found.values():
        together = ask(batch, prompt)
        assert together.shape == (3, 2)
        one_by_one = [[float(ask(b, p)) for p in (10, 9000)] for b in (1, 64, 3000)]
        assert together == pytest.approx(np.array(one_by_one), rel=1e-9)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"tp": 0}, "tp = 0; allowed: a whole number >= 1"),
        ({"tp": 128}, r"tp = 128; infeasible: 64 heads of Llama-3.1-70B cannot be shared by 128 devices; nearest: 64"),
        ({"engine": "Nope"}, "engine = Nope; allowed: one of trtllm, vllm, sglang"),
        ({"tp": 1.5}, r"tp = 1.5; allowed: a whole number >= 1"),
        ({"precision": "posit5"}, "precision = posit5; allowed: fp32, bf16"),
        ({"kv_precision": "int3.5"}, "kv_precision = int3.5; allowed: fp32, bf16"),
        ({"kv_precision": 8}, "kv_precision = 8; allowed: text"),
        ({"precision": ["fp8"]}, r"precision = \['fp8'\]; allowed: text"),
        ({"tp": "4"}, "tp = 4; allowed: a whole number >= 1"),
    ],
)
def test_a_server_that_cannot_be_says_so_in_one_line(options, says):
    with pytest.raises(DataError, match=says) as error:
        server(catalogue.model("Llama-3.1-70B"), catalogue.accelerator("H100-SXM-80GB"), **options)
    assert "\n" not in str(error.value)


ANSWERS = {
    "ttft": ("prompt", "batch"),
    "tpot": ("batch", "context"),
    "request": ("batch", "prompt", "output"),
    "loaded_tpot": ("concurrency", "prompt", "output"),
    "loaded_ttft": ("concurrency", "prompt", "output"),
    "output_rate": ("prompt", "output", "concurrency"),
    "memory": ("batch", "context"),
    "capacity": ("context",),
    "admitted": ("prompt", "output"),
    "limited_by": ("batch", "context"),
}


@pytest.mark.parametrize(("answer", "key"), [(name, key) for name, keys in ANSWERS.items() for key in keys])
def test_every_answer_refuses_what_is_no_number_of_tokens_or_requests(answer, key):
    it = server("Llama-3.1-8B", "H100-SXM-80GB")
    unbounded = key == "concurrency" and answer != "loaded_ttft"
    for value in ("x", None, np.nan, -1, 1e300, [1, -1], *(() if unbounded else (np.inf,))):
        with pytest.raises(DataError, match=f"deployment: {'concurrency|batch' if key == 'batch' else key} = "):
            getattr(it, answer)(**dict.fromkeys(ANSWERS[answer], 8) | {key: value})


def test_a_server_puts_ends_around_every_answer():
    it = server(catalogue.model("Llama-3.1-70B"), catalogue.accelerator("H100-SXM-80GB"), engine="vLLM 0.19", tp=4)
    answers = {
        "ttft": it.ttft(1000, batch=np.array([1, 4])),
        "tpot": it.tpot(np.array([1, 64]), 2048),
        "request": it.request(np.array([1, 8]), 1000, 200),
        "loaded_tpot": it.loaded_tpot(np.array([1, 64]), 1000, 200),
        "loaded_ttft": it.loaded_ttft(np.array([1, 64]), 1000, 200),
        "output_rate": it.output_rate(1000, 200, np.array([1, 64])),
    }
    for name, each in answers.items():
        assert each.value.shape == each.low.shape == each.high.shape == (2,), name
        assert (each.low < each.value).all() and (each.value < each.high).all(), name
    rate = answers["tpot"].over(np.array([1, 64]))
    assert (rate.low < rate.value).all() and (rate.value < rate.high).all()
    assert rate.value * answers["tpot"].value == pytest.approx(np.array([1, 64]))


def test_what_limits_a_step():
    def limit(model, batch, context=512, device="H100-SXM-80GB", **options):
        it = server(catalogue.model(model), catalogue.accelerator(device), **options)
        return str(it.limited_by(batch, context))

    assert limit("Llama-3.1-70B", 1) == "memory"
    assert limit("Llama-3.1-8B", 100_000) == "memory"
    assert limit("Llama-3.1-8B", 1) == "bandwidth"
    assert limit("Llama-3.1-8B", 1500, 64, engine="vLLM 0.19") == "compute"
    spread = Layout(tp=2, dp=8, ep=16)  # 512 tokens touch all 256 experts, not the eight of one token
    assert limit("DeepSeek-V3", 512, precision="fp8", layout=spread) == "bandwidth"
    it = server(catalogue.model("Llama-3.1-8B"), catalogue.accelerator("H100-SXM-80GB"))
    assert it.limited_by(np.array([1, 10**6]), 512).tolist() == ["bandwidth", "memory"]
    assert it.fits() and not server(catalogue.model("Llama-3.1-70B"), catalogue.accelerator("H100-SXM-80GB")).fits()


def test_nothing_stated_is_as_published_and_as_the_engine_keeps_it():
    model, device = catalogue.model("DeepSeek-V3"), catalogue.accelerator("H200-SXM-141GB")
    bits = {}
    for engine in ("vLLM 0.19", "SGLang 0.5.9", "TensorRT-LLM 1.2"):
        on = server(model, device, engine=engine, tp=8).on
        bits[engine] = (on.precision.weights.bits, on.precision.kv_bits)
    assert bits == {"vLLM 0.19": (8, 16), "SGLang 0.5.9": (8, 16), "TensorRT-LLM 1.2": (8, 8)}
    assert server(catalogue.model("gpt-oss-20b"), device).on.precision.dtype == "fp4"
