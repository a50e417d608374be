"""The simulator against another one (Vidur), on that one's service times and on ours, and against real vLLM runs."""

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from tokenomics.compute.layout import Layout
from tokenomics.compute.server import server
from tokenomics.facts import catalogue
from tokenomics.service.serving import Requests, Rules, StepTable, simulate, tables

CHUNKED = ["cl34b_sarathi_q1_n1000", "cl34b_sarathi_q2_n1000", "cl34b_sarathi_q3_n1000", "ll70b_sarathi_q1_n1000"]
WHOLE = "cl34b_vllm_q2_n1000"
SEVERAL = 1.1


@pytest.fixture(scope="module")
def runs(given_data):
    folder = given_data / "simulator_reference"
    configs = YAML(typ="safe").load(folder / "configs.yaml")
    return {name: (folder, config) for name, config in configs.items()}


def step_table(folder, config):
    """The published service times as a step table (formula in the folder's SOURCE.txt)."""
    prefix = folder / config["service_times"].removesuffix("*").removesuffix("_")
    layers = config["layers"] // config["pipeline_parallel"]
    operators = pd.read_csv(f"{prefix}_token_ops.csv").set_index("tokens_r8")
    rounded = np.arange(1, operators.index.max() + 1) + 7 & ~7
    linear, hop = (np.r_[0.0, operators[name].loc[rounded]] / 1e3 for name in ("layer_fixed_ms", "send_recv_ms"))
    decode = pd.read_csv(f"{prefix}_attn_decode.csv.gz").pivot(index="decode_n", columns="ctx_avg64").to_numpy() / 1e3
    decode[1:] *= SEVERAL
    prefill = pd.read_csv(f"{prefix}_attn_prefill.csv.gz").pivot(index="prefill_ctx64", columns="chunk_from")
    attention = prefill.droplevel(0, axis=1).reindex(columns=range(4097)).ffill(axis=1).fillna(0.0).to_numpy() / 1e3
    return StepTable(
        decode_s=layers * np.vstack([decode[:1], linear[1 : len(decode) + 1, None] + decode]),
        linear_s=layers * linear,
        prefill_s=layers * attention,
        chunk_step=1,
        hop_s=hop,
        several=SEVERAL,
        rounded=True,
    )


def served(folder, config, name, table=None):
    given = pd.read_csv(folder / f"requests_{name}.csv.gz")
    whole = config["scheduler"] == "vllm"
    rules = Rules(
        policy="prefill" if whole else "chunked",
        max_batch=config["batch_cap"],
        max_tokens=config["max_tokens_in_batch"] if whole else config["chunk_size"],
        kv_blocks=config["kv_blocks"],
        padded=whole,
        stages=config["pipeline_parallel"],
    )
    requests = Requests(given.arrival_s, given.isl, given.osl)
    return given, simulate(requests, table or step_table(folder, config), rules)


@pytest.mark.parametrize("name", [*CHUNKED, WHOLE])
def test_every_request_as_in_the_other_simulator(runs, name):
    given, done = served(*runs[name], name)
    assert done.load().stable and done.finished.all()
    assert np.abs(done.ttft_s - given.ttft_s).max() < 1e-5
    assert np.abs(done.e2e_s - given.e2e_s).max() < 1e-5


@pytest.mark.parametrize("name", CHUNKED)
def test_our_own_times_come_near_the_other_simulators(runs, name):
    folder, config = runs[name]
    model = catalogue.model("CodeLlama-34B" if config["layers"] == 48 else "Llama-2-70B")
    layout = Layout(tp=config["tensor_parallel"], pp=config["pipeline_parallel"])
    deployment = server(model, catalogue.accelerator("A100-SXM-80GB"), layout=layout)
    table = tables.modelled(deployment, max_batch=128, max_tokens=512, longest=4608)
    given, done = served(folder, config, name, table)
    assert np.nanmedian(done.tpot_s) == pytest.approx(given.tpot_s.median(), rel=0.15)
    assert np.median(done.ttft_s) == pytest.approx(given.ttft_s.median(), rel=0.15)


REAL = {
    "rtx4090_llama31_8b": ("Llama-3.1-8B", "RTX 4090"),
    "rtxpro6000_qwen3_32b": ("Qwen3-32B", "RTX PRO 6000"),
}
THIRD = 100


@pytest.mark.parametrize("name", REAL)
def test_a_real_run_from_two_numbers_fitted_on_its_first_third(given_data, name):
    """Factors on decodes and prompts; arrivals are the times at which the engine's core queued the requests."""
    folder = given_data / "serving_runs"
    engine = YAML(typ="safe").load(folder / f"{name}.yaml")["engine"]
    given = pd.read_csv(folder / f"{name}.csv").sort_values("queued_s")
    model, device = REAL[name]
    tp = engine["tensor_parallel_size"]
    deployment = server(catalogue.model(model), catalogue.accelerator(device), engine="vLLM 0.19", tp=tp)
    most, tokens = engine["max_num_seqs"], engine["max_num_batched_tokens"]
    blocks = engine["num_gpu_blocks"] or tables.cache_blocks(deployment)
    rules = Rules(max_batch=most, max_tokens=tokens, kv_blocks=blocks, watermark=0.0)
    table = tables.modelled(deployment, max_batch=most, max_tokens=tokens)
    requests = Requests(given.queued_s - given.queued_s.min(), given.isl, given.osl)

    def errors(factors, part):
        done = simulate(requests, table.scaled(*factors), rules)
        names = ("tpot_s", "e2e_s", "ttft_s")
        return np.array([np.nanmean(getattr(done, n)[part]) / given[n].to_numpy()[part].mean() - 1 for n in names])

    grid = [(a, b) for a in np.arange(0.8, 1.3, 0.04) for b in np.arange(0.4, 1.7, 0.1)]
    fitted = min(grid, key=lambda factors: np.abs(errors(factors, slice(THIRD))).sum())
    tpot, e2e, ttft = np.abs(errors(fitted, slice(THIRD, None)))
    assert tpot < 0.05 and e2e < 0.05 and ttft < 0.15
