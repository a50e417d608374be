"""The simulator against the per-request results of another one (Vidur), on that one's own service times."""

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from tokenomics.service.serving import Requests, Rules, StepTable, simulate

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


def served(folder, config, name, **changes):
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
    return given, simulate(requests, step_table(folder, config), rules, **changes)


@pytest.mark.parametrize("name", [*CHUNKED, WHOLE])
def test_every_request_as_in_the_other_simulator(runs, name):
    given, done = served(*runs[name], name)
    assert done.load().stable and done.finished.all()
    assert np.abs(done.ttft_s - given.ttft_s).max() < 1e-5
    assert np.abs(done.e2e_s - given.e2e_s).max() < 1e-5
