"""Time of `tokenomics score`: the measurement tables in one file of 4,000 rows, and a million rows.

    python benchmarks/score/measure.py            # 4,000 rows, five runs: at most 10 s each
    python benchmarks/score/measure.py --million  # also 1,000,000 rows, one run

Every run is a fresh process from start to exit, baseline learned, report printed, plot drawn.
"""

import argparse
import csv
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


def write(path: Path, rows: int) -> None:
    """``rows`` rows: those of the throughput table, over and over."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        header, *published = csv.reader(file)
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(header)
        out.writerows(published[row % len(published)] for row in range(rows))


def seconds(path: Path) -> float:
    """Wall time of one scoring run."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "tokenomics", "score", str(path), "--out", str(path.with_suffix(".pred.csv"))]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--million", action="store_true", help="also score 1,000,000 rows")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        write(path, 4_000)
        times = [seconds(path) for _ in range(5)]
        print(f"4,000 rows: median {statistics.median(times):.2f} s, worst {max(times):.2f} s (limit {LIMIT_S:.0f} s)")
        if arguments.million:
            write(path, 1_000_000)
            print(f"1,000,000 rows: {seconds(path):.0f} s")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"most memory of a run: {peak:.0f} MiB")
    return int(max(times) > LIMIT_S)


if __name__ == "__main__":
    raise SystemExit(main())
