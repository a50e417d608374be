"""Runs of another simulator (Vidur) replayed: once with its own service times, once with ours.

Its service times are tables of layers; what a step costs is put together from them as its authors do: contexts rounded
up to 64 tokens, several sequences a tenth slower, the square root of summed squares for several chunks.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tokenomics.compute.inference.server import server
from tokenomics.compute.layout import Layout
from tokenomics.facts import catalogue, yaml_file
from tokenomics.service.simulator import Outcome, Requests, Rules, StepTable, simulate, step_tables

FOLDER = "simulator_reference"
SOURCE = "vidur_reference"
SEVERAL = 1.1
"""Factor on attention where a step holds several decodes, or several chunks."""
MODELS = {48: "CodeLlama-34B", 80: "Llama-2-70B"}
DEVICE = "A100-SXM-80GB"
THEIRS, OURS = "theirs", "ours"
Config = dict[str, Any]


def configs(folder: Path) -> dict[str, Config]:
    """What each run is: model, layout, scheduler, limits, rate."""
    return yaml_file.read(folder / FOLDER / "configs.yaml")


def given(folder: Path, name: str) -> pd.DataFrame:
    """Requests of a run in order of arrival, with the times that the other simulator reports, seconds."""
    return pd.read_csv(folder / FOLDER / f"requests_{name}.csv.gz")


def their_times(folder: Path, config: Config) -> StepTable:
    """The service times that came with the runs."""
    prefix = folder / FOLDER / config["service_times"].removesuffix("*").removesuffix("_")
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


def our_times(config: Config) -> StepTable:
    """What our calibrated operators say of the same model, devices and layout, by no engine in particular."""
    layout = Layout(tp=config["tensor_parallel"], pp=config["pipeline_parallel"])
    deployment = server(catalogue.model(MODELS[config["layers"]]), catalogue.accelerator(DEVICE), layout=layout)
    most = rules_of(config).max_tokens
    return step_tables.modelled(deployment, max_batch=config["batch_cap"], max_tokens=most, longest=4608)


def rules_of(config: Config) -> Rules:
    """Scheduling of a run."""
    whole = config["scheduler"] == "vllm"
    return Rules(
        policy="prefill" if whole else "chunked",
        max_batch=config["batch_cap"],
        max_tokens=config["max_tokens_in_batch"] if whole else config["chunk_size"],
        kv_blocks=config["kv_blocks"],
        padded=whole,
        stages=config["pipeline_parallel"],
        even=False,
    )


def replayed(folder: Path) -> Iterator[tuple[str, str, pd.DataFrame, Outcome]]:
    """Run, whose times, what was reported, what came out."""
    for name, config in configs(folder).items():
        rows = given(folder, name)
        requests = Requests(rows["arrival_s"], rows["isl"], rows["osl"])
        for whose, table in ((THEIRS, their_times(folder, config)), (OURS, our_times(config))):
            yield name, whose, rows, simulate(requests, table, rules_of(config))
