"""Checks the prior of the network between nodes on measured dispatch and combine of experts over 2, 4 and 8 nodes.

Nothing is fitted here: the time is that of :func:`tokenomics.compute.operators.communication.exchange_seconds`.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from tokenomics.calibration.operators.samples import Sample, System, newest, system_folder
from tokenomics.compute.operators.communication import DOMAIN, exchange_seconds
from tokenomics.compute.operators.fitted import OperatorParameters
from tokenomics.facts.accelerators import Accelerator

TABLE = "wideep_deepep_ll_perf"
PHASES = {"dispatch_avg_t_us": 1.0, "combine_avg_t_us": 2.0}
"""Columns of time, and the bytes of a value sent: 8 bits to the experts, 16 back."""


def sample(system: System) -> Sample | None:
    """Measured exchanges between nodes: DeepEP's low-latency kernel, which sends a token once a choice."""
    import pyarrow.parquet

    folder = system_folder(system) / "comm" / "sglang"
    several = [path for path in folder.glob(f"*/{TABLE}.parquet") if _nodes(pyarrow.parquet.read_table(path)) > 1]
    path = newest(several)
    return None if path is None else _sample(system, path)


def _nodes(table) -> int:
    return table.column("node_num").to_pandas().max()


def _sample(system: System, path: Path) -> Sample:
    raw = pd.read_parquet(path)
    raw = raw[raw["node_num"] > 1]
    values = (raw["num_token"] * raw["num_topk"] * raw["hidden_size"]).to_numpy(dtype=float)
    message = np.concatenate([values * size for size in PHASES.values()])
    devices = np.tile(DOMAIN * raw["node_num"].to_numpy(dtype=float), len(PHASES))
    return Sample(
        *(system.accelerator, "all_to_all", "bf16", "sglang", str(raw["version"].iloc[0]), "deepep_ll"),
        main=False,
        compute_units=system.multiprocessors,
        cache_bytes=system.cache_bytes,
        inputs={"message": message, "devices": devices},
        seconds=1e-6 * np.concatenate([raw[column].to_numpy(dtype=float) for column in PHASES]),
        group=devices.astype(int),
    )


def log_residuals(p: OperatorParameters, device: Accelerator, measured: Sample) -> np.ndarray:
    """log(measured / predicted), with the in-node parameters ``p`` of the same device."""
    pairs = zip(measured.inputs["message"], measured.inputs["devices"], strict=True)
    predicted = [float(exchange_seconds(p, device, message, int(devices))) for message, devices in pairs]
    return np.log(measured.seconds / predicted)
