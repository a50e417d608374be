"""Rows of random arrivals in the scorer: simulated from their conditions alone, without their model family."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tokenomics.compute.inference import engines
from tokenomics.facts import catalogue
from tokenomics.rows import open_loop, reading
from tokenomics.rows import predict as score
from tokenomics.rows.case import USUAL, Setting
from tokenomics.rows.open_loop import OfferedLoad
from tokenomics.service.qoe import MLPERF
from tokenomics.service.replica import Replica

INPUTS = [*reading.TEXTS, *reading.NUMBERS["inference"]]
ONLINE = {
    **{"model": "LLaMA 3.1 8B", "hardware": "H100 SXM 80GB", "metric": "itl_mean", "unit": "ms", "load": "open"},
    **{"precision": "bf16", "kv_precision": "bf16", "engine": "TensorRT-LLM 0.14", "n_gpu": 1.0, "tp": 1.0, "pp": 1.0},
    **{"dp": np.nan, "ep": np.nan, "isl": 467.0, "osl": 256.0, "batch": np.nan, "rate_qps": 8.0, "requests": 500.0},
}
SERVED = ONLINE | {
    **{"model": "llama2-70b-99.9", "load": "mlperf_server", "n_gpu": 8.0, "tp": np.nan, "precision": ""},
    **{"engine": "TensorRT 10.2.0, CUDA 12.4", "metric": "mlperf_server_throughput", "unit": "tok/s"},
    **{"kv_precision": "", "isl": np.nan, "osl": 290.0, "rate_qps": np.nan, "requests": np.nan},
}


def predicted(*rows, like=ONLINE, setting=USUAL):
    """Predictions of rows that differ from a usual one in some columns."""
    return score.predict(pd.DataFrame([like | row for row in rows]), "inference", setting)


@pytest.fixture(scope="module")
def alone():
    return Replica(server_of("Llama-3.1-8B", "TensorRT-LLM 0.14"))


def server_of(model, engine):
    from tokenomics.compute.inference.server import server

    return server(catalogue.model(model), catalogue.accelerator("H100 SXM 80GB"), engine=engine)


def test_a_lonely_request_takes_its_prompt_and_its_steps(alone):
    found = open_loop.statistics(alone, OfferedLoad(1e-3, 50, 467, 256))
    it = alone.server
    assert found["ttft"][0] == pytest.approx(float(it.ttft(467).value), rel=0.02)
    assert found["itl_mean"][0] == pytest.approx(float(it.tpot(1, 467 + 128).value), rel=0.02)
    assert found["serving_output_tok_s"][0] < 1


def test_latencies_grow_with_the_rate_and_output_follows_it():
    rates = (1.0, 8.0, 32.0, np.inf)
    for metric in ("itl_mean", "ttft_mean"):
        values = predicted(*({"rate_qps": rate, "metric": metric} for rate in rates))["predicted"]
        assert (np.diff(values) > 0).all()
    served = predicted(*({"rate_qps": r, "metric": "serving_output_tok_s", "unit": "tok/s"} for r in rates))
    assert served["predicted"][0] == pytest.approx(256, rel=0.1)
    assert served["predicted"][2] < 32 * 256 and (np.diff(served["predicted"]) > 0).all()


def test_intervals_hold_the_prediction_and_widen_towards_saturation():
    found = predicted(*({"rate_qps": rate} for rate in (2.0, 32.0)))
    assert (found["low"] < found["predicted"]).all() and (found["predicted"] < found["high"]).all()
    width = (found["high"] - found["low"]) / found["predicted"]
    assert width[1] > 1.2 * width[0]


def test_replicas_share_the_requests():
    one, two = predicted(
        {"metric": "ttft_mean", "isl": 468.0, "requests": 300.0},
        {"metric": "ttft_mean", "isl": 468.0, "n_gpu": 2.0, "rate_qps": 16.0, "requests": 600.0},
    )["predicted"]
    assert one == pytest.approx(two)


def test_published_rows_are_simulated_without_their_family(monkeypatch):
    seen = []
    monkeypatch.setattr(open_loop, "statistics", lambda one, *_: seen.append(one) or {"itl_mean": (0.01,)})
    predicted({}, {"isl": 468.0})
    name = engines.profile_name("TensorRT-LLM 0.14", catalogue.accelerator("H100 SXM 80GB"))
    assert seen[0].server.profile == engines.profile(name, False, "Llama-3") != engines.profile(name, False)
    assert seen[3].server.profile == engines.profile(name, False)
    assert seen[0].decode == 1.0 and seen[1].decode < 1.0 < seen[2].decode


@pytest.fixture(scope="module")
def served():
    """MLPerf's server row as the scorer has it."""
    return predicted({}, like=SERVED).iloc[0]


def test_the_server_rate_is_the_highest_that_keeps_both_limits():
    one = Replica(server_of("Llama-3.1-8B", "TensorRT 10.2.0"))
    slo, means = replace(MLPERF["Llama-3.1-8B server"], tpot_s=0.05), (300.0, 200.0)
    rate = open_loop.highest_rate(one, means, slo)

    def worst(factor):
        load = OfferedLoad(factor * rate, open_loop.server_requests(factor * rate), *means, drawn=True)
        done = one.run(load.stream(open_loop.SEED))
        return np.quantile(done.ttft_s, 0.99) / slo.ttft_s, np.nanquantile(done.tpot_s, 0.99) / slo.tpot_s

    assert max(worst(1.0)) <= 1 < max(worst(1.02))
    assert open_loop.highest_rate(replace(one, decode=1e3, prompt=1e3), means, slo) == 0


def test_mlperf_rows_are_answered_or_refused(served):
    assert served["status"] == "ok" and 0 < served["low"] < served["predicted"] < served["high"]
    rows = [
        {"metric": "ttft_p99", "unit": "ms", "rate_qps": 70.0},
        {"model": "gptj-99", "unit": "samples/s"},
        {"metric": "tpot_p99", "unit": "ms"},
        {"load": "open", "metric": "ttft_p99", "unit": "ms", "rate_qps": 70.0},
    ]
    found = predicted(*rows, like=SERVED)
    assert found["status"].tolist() == ["ok", *["metric not modelled"] * 2, "columns missing: isl"]
    assert 50 < found["predicted"][0] < 60_000


def test_longer_prompts_of_mlperf_cost_throughput(served):
    longer = predicted({}, like=SERVED, setting=Setting(prompts=2.0))
    assert longer["predicted"][0] < 0.9 * served["predicted"]


def test_a_request_that_no_cache_holds_does_not_fit():
    found = predicted({"isl": 4e6}, {"model": "LLaMA 3.1 70B"})
    assert found["status"].str.startswith("infeasible: weights take ").all() and len(found) == 2


def test_drawn_lengths_have_the_stated_means():
    requests = OfferedLoad(5.0, 20_000, 291, 146, drawn=True).stream(1)
    assert requests.prompt.mean() == pytest.approx(291, rel=0.03)
    assert requests.output.mean() == pytest.approx(146, rel=0.03)
    assert np.diff(requests.arrival_s).mean() == pytest.approx(0.2, rel=0.03)
    faster = OfferedLoad(10.0, 20_000, 291, 146, drawn=True).stream(1)
    assert np.array_equal(faster.prompt, requests.prompt)
    assert faster.arrival_s == pytest.approx(requests.arrival_s / 2)


def test_the_rate_of_a_server_run_and_the_requests_sent_are_read(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("model,hardware,metric,load,arrival_qps,requests\na,b,ttft_p99,mlperf_server,70.5,100\n")
    (chunk,) = reading.chunks(path)
    assert chunk.inputs.loc[0, ["rate_qps", "requests"]].tolist() == [70.5, 100]


def test_a_closed_loop_keeps_so_many_in_flight(alone):
    """Little's law: requests in flight are the rate times the time that each takes, and alone each takes its own."""
    for in_flight in (1, 8):
        load = OfferedLoad(np.inf, 40 * in_flight, 467, 64, in_flight=in_flight)
        found = open_loop.statistics(alone, load, gaps=False)
        assert found["request_throughput"][0] * found["e2e_latency"][0] == pytest.approx(in_flight, rel=0.03)
    assert open_loop.statistics(alone, replace(load, requests=8), False)["ttft_p99"][0] > found["ttft_p50"][0]
    one = open_loop.statistics(alone, OfferedLoad(np.inf, 20, 467, 64, in_flight=1), False)
    assert one["ttft_p99"][0] == pytest.approx(float(alone.server.ttft(467).value), rel=0.02)


def test_lengths_lie_evenly_around_their_mean():
    stream = OfferedLoad(np.inf, 4000, 900, 90, spread=1 / 9, in_flight=4).stream(1)
    for tokens, mean in ((stream.prompt, 900), (stream.output, 90)):
        assert tokens.mean() == pytest.approx(mean, rel=0.01)
        assert tokens.min() >= 0.88 * mean and tokens.max() <= 1.12 * mean and tokens.std() > 0.05 * mean
