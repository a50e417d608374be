"""Time of `tokenomics score`: published rows, rows of all loads a third of them simulated, and a million rows.

    python benchmarks/score/measure.py            # 4,000 published rows, five runs: at most 10 s each
    python benchmarks/score/measure.py --mixed    # 3,000 rows, each of its own, 1,000 of them simulated, one run
    python benchmarks/score/measure.py --million  # 1,000,000 rows, one run

Every run is a fresh process from start to exit, baseline learned, report printed, plot drawn.
"""

import argparse
import csv
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "data" / "measurements" / "inference_throughput.csv"
LIMIT_S = 10.0
MIXED, OPEN_LIMIT_S = 3_000, 0.03
"""Mixed rows; how long one of random arrivals may take more than another."""
MODELS = ("Llama-3.1-8B", "Llama-3.1-70B", "Qwen2.5-7B", "Mistral-7B-v0.1", "Qwen2.5-32B")
HARDWARE = ("H100 SXM 80GB", "A100 SXM 80GB", "H200 SXM 141GB")
METRICS = ("ttft_mean", "ttft_p99", "tpot_mean", "itl_p95", "e2e_latency", "output_throughput_total")
HEADER = "model,hardware,n_gpu,tp,precision,isl,osl,load,batch,rate_qps,metric,value,engine"


def write(path: Path, rows: int) -> None:
    """``rows`` rows: those of the throughput table, over and over."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        header, *published = csv.reader(file)
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(header)
        out.writerows(published[row % len(published)] for row in range(rows))


def write_mixed(path: Path, rows: int, share: float) -> int:
    """Rows of five models on three accelerators, no two alike, a share of them under random arrivals.

    Returns:
        How many these are.
    """
    rng, simulated = random.Random(1), 0
    with path.open("w", encoding="utf-8") as file:
        print(HEADER, file=file)
        for _ in range(rows):
            model = rng.choice(MODELS)
            tp = rng.choice((4, 8) if "70B" in model else (1, 2, 4))
            isl, osl = int(rng.lognormvariate(6.5, 0.8)), int(rng.lognormvariate(5, 0.7)) + 1
            many = rng.random() < share
            simulated += many
            load = f"open,,{rng.uniform(0.1, 8):.2f}" if many else f"{rng.choice(('static', 'closed'))},16,"
            chosen = f"{isl},{osl},{load},{rng.choice(METRICS)},{rng.uniform(1, 1000):.1f},vLLM 0.6.3"
            print(f"{model},{rng.choice(HARDWARE)},{tp},{tp},fp16,{chosen}", file=file)
    return simulated


def seconds(path: Path) -> float:
    """Wall time of one scoring run."""
    start = time.perf_counter()
    command = [
        sys.executable,
        "-m",
        "tokenomics",
        "score",
        str(path),
        "--out",
        str(path.with_suffix(".pred.csv")),
        "--force",
    ]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def processor_s() -> float:
    """Processor time of all runs so far, which other programs beside them change less than wall time."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--million", action="store_true", help="score 1,000,000 rows")
    parser.add_argument("--mixed", action="store_true", help="score 3,000 rows of all loads")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        if arguments.mixed:
            write_mixed(path, MIXED, 0.0)
            others, without = seconds(path), processor_s()
            simulated = write_mixed(path, MIXED, 1 / 3)
            took, work = seconds(path), processor_s() - without
            each = (work - without) / simulated
            print(f"{MIXED:,} rows without simulated ones: {others:.1f} s, of processors {without:.1f} s")
            print(f"{MIXED:,} rows, {simulated:,} of them simulated: {took:.1f} s, of processors {work:.1f} s")
            print(f"a simulated row: {1e3 * each:.1f} ms more of processors (limit {1e3 * OPEN_LIMIT_S:.0f} ms)")
            return int(each > OPEN_LIMIT_S)
        if arguments.million:
            write(path, 1_000_000)
            print(f"1,000,000 rows: {seconds(path):.0f} s")
            return 0
        write(path, 4_000)
        times = [seconds(path) for _ in range(5)]
        print(f"4,000 rows: median {statistics.median(times):.2f} s, worst {max(times):.2f} s (limit {LIMIT_S:.0f} s)")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"most memory of a run: {peak:.0f} MiB")
    return int(max(times) > LIMIT_S)


if __name__ == "__main__":
    raise SystemExit(main())
