"""Measures operators and decode steps on one GPU: ``python benchmarks/gpu/measure.py --out FILE.csv``.

Rows are written as they are measured; a run that was cut short is continued by the same command. README.md beside this
script says what is measured and how.
"""

import argparse
import contextlib
import datetime
import gc
import platform
import sys
from pathlib import Path

import meter as meters
import pace as paces
import points as shapes
from table import Table, TableError, key

USER_ERROR_EXIT_CODE, INTERRUPTED_EXIT_CODE = 2, 130
CPU_CACHE_BYTES = 1 << 16
"""Stands in for a last-level cache in tiny runs, so that buffers are rotated there too."""


class RefusedError(Exception):
    """What the user can mend; one line."""


class Parser(argparse.ArgumentParser):
    def error(self, message: str):
        """One line instead of the whole usage."""
        self.exit(USER_ERROR_EXIT_CODE, f"error: {message}\n")


def operators(text: str) -> tuple[str, ...]:
    """Comma-separated names of operators."""
    names = tuple(name.strip() for name in text.split(","))
    unknown = [name for name in names if name not in shapes.OPERATORS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is no operator; allowed: {', '.join(shapes.OPERATORS)}")
    return names


def stack(text: str) -> tuple[shapes.Stack, bool]:
    """See :func:`points.parse_stack`."""
    try:
        return shapes.parse_stack(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def positive(text: str) -> float:
    """A number of seconds above zero."""
    with contextlib.suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above zero")


def arguments(given: list[str] | None) -> argparse.Namespace:
    """The command line, checked as far as it can be without torch."""
    parser = Parser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument(
        "--out", required=True, type=Path, metavar="FILE.csv", help="result; an existing one is continued"
    )
    parser.add_argument("--tiny", action="store_true", help="a few tiny shapes, a few calls: does the chain work?")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--only", type=operators, default=shapes.OPERATORS, metavar="gemm,...", help="these operators")
    stacks = "8b, 70b:40 (layers), 70b:fit or 40x5120x13824x40x8; may be repeated"
    parser.add_argument("--stack", action="append", type=stack, metavar="8b", help=stacks)
    parser.add_argument(
        "--compile", action="store_true", help="fuse the small kernels of decode steps by torch.compile"
    )
    parser.add_argument("--seconds-budget", type=positive, metavar="N", help="stop after about N seconds")
    args = parser.parse_args(given)
    if args.device == "cpu" and not args.tiny:
        parser.error("--device cpu measures nothing of use at full size; add --tiny")
    if args.out.is_dir():
        parser.error(f"--out {args.out} is a folder; name a file")
    args.stack = args.stack or [shapes.parse_stack(name) for name in (["tiny"] if args.tiny else ["8b", "70b:fit"])]
    return args


def machine(device: str):
    """torch's device record (None on a CPU), its UUID, bytes of memory and of the last-level cache."""
    try:
        import torch
    except ImportError:
        raise RefusedError("torch is not installed here; benchmarks/gpu/README.md says how to get it") from None
    if device == "cpu":
        return None, None, 1 << 30, CPU_CACHE_BYTES
    if not torch.cuda.is_available():
        raise RefusedError("torch finds no CUDA device; --tiny --device cpu tries the chain without one")
    record = torch.cuda.get_device_properties(0)
    uuid = "GPU-" + str(record.uuid).removeprefix("GPU-")
    # All of the memory, not what is free now: a run that is continued must arrive at the same stack of `fit` layers.
    return record, uuid, record.total_memory, record.L2_cache_size


def header(args: argparse.Namespace, record, meter, pace: paces.Pace) -> dict[str, object]:
    """What must be known to read the numbers later."""
    import torch

    gpu = record is not None
    return {
        "device": record.name if gpu else f"CPU ({platform.machine()})",
        **meter.facts(),
        "meter": meter.name,
        "memory_bytes": record.total_memory if gpu else None,
        "l2_bytes": record.L2_cache_size if gpu else None,
        "multiprocessors": record.multi_processor_count if gpu else None,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if gpu else None,
        "python": platform.python_version(),
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "tiny": str(args.tiny).lower(),
        "graphs": str(gpu).lower(),
        "repeats": pace.repeats,
        "warm_s": pace.warm_s,
        "repeat_s": pace.repeat_s,
    }


class Bench:
    """The device, its meter and the weights that the points of a group share."""

    def __init__(self, device: str, cache_bytes: int, pace: paces.Pace, meter):
        self.device, self.cache_bytes, self.pace, self.meter = device, cache_bytes, pace, meter
        self.decoder = None

    def start(self, point: shapes.Point) -> None:
        """Make room, then build what the group of this point shares."""
        import torch

        self.decoder = None
        gc.collect()
        if self.device == "cuda":
            torch.cuda.empty_cache()
        if point.operator == "decode_step":
            from stack import Decoder

            self.decoder = Decoder(point.stack, point.dtype, point.kernel, self.device)

    def row(self, point: shapes.Point) -> dict[str, object]:
        """The point, measured."""
        import timing

        calls, rotated = self._calls(point)
        timed = timing.measure(calls, self.device, self.pace, self.meter)
        return point.columns() | {
            "seconds": timed.median,
            "seconds_min": min(timed.seconds),
            "seconds_max": max(timed.seconds),
            "power_w": meters.power(timed.samples),
            "clock_mhz": meters.clock(timed.samples),
            "memory_clock_mhz": meters.clock(timed.samples, "memory_clock_mhz"),
            "repeats": len(timed.seconds),
            "calls": timed.calls,
            "rotated_bytes": rotated,
        }

    def _calls(self, point: shapes.Point):
        """Calls that make up a round, and the bytes that pass between two uses of the same buffer."""
        import operators as kernels

        if self.decoder is not None:
            return self.decoder.calls(point), point.bytes()
        once = point.rotated_bytes()
        copies = paces.copies(once, self.cache_bytes)
        return kernels.CALLS[point.operator](point, copies, self.device), copies * once


def run(groups: list[list[shapes.Point]], bench: Bench, table: Table, budget: paces.Budget) -> tuple[int, int]:
    """Measure group by group; how many points were measured, and how many the device could not do."""
    import torch

    measured = skipped = 0
    for members in groups:
        budget.next_group()
        started = False
        for point in members:
            if budget.spent():
                break
            try:
                with torch.inference_mode():
                    if not started:
                        bench.start(point)
                        started = True
                    table.add(bench.row(point))
                measured += 1
            except RuntimeError as error:  # out of memory, no such kernel
                reason = str(error).strip().splitlines()[0]
                if "CUDA error" in reason:  # the device answers nothing right after one of these
                    raise
                skipped += 1
                print(f"skipped {point}: {reason}", file=sys.stderr)
    return measured, skipped


def chosen(args: argparse.Namespace, memory: int, done: set) -> tuple[list[list[shapes.Point]], int]:
    """Groups of points that are asked for, fit and are not in the file yet; and how many are too large."""
    every = shapes.points(
        shapes.TINY if args.tiny else shapes.FULL,
        args.stack,
        memory,
        kernels=("flash", "cudnn") if args.device == "cuda" else ("flash",),
        step_kernel="compiled" if args.compile else "eager",
    )
    asked = [point for point in every if point.operator in args.only]
    fitting = [point for point in asked if point.bytes() <= shapes.MEMORY_SHARE * memory]
    groups = shapes.grouped(point for point in fitting if key(point.columns()) not in done)
    return groups, len(asked) - len(fitting)


def main(given: list[str] | None = None) -> int:
    args = arguments(given)
    pace = paces.TINY if args.tiny else paces.FULL
    try:
        record, uuid, memory, cache_bytes = machine(args.device)
        meter = meters.open_meter(uuid)
        table = Table(args.out, header(args, record, meter, pace))
    except (RefusedError, TableError, OSError) as error:
        where = f"{args.out}: " if isinstance(error, TableError) else ""
        print(f"error: {where}{error}", file=sys.stderr)
        return USER_ERROR_EXIT_CODE
    groups, too_large = chosen(args, memory, table.done)
    budget = paces.Budget(args.seconds_budget, len(groups))
    try:
        measured, skipped = run(groups, Bench(args.device, cache_bytes, pace, meter), table, budget)
    except KeyboardInterrupt:
        print(f"{args.out}: interrupted; the same command continues", file=sys.stderr)
        return INTERRUPTED_EXIT_CODE
    left = sum(map(len, groups)) - measured - skipped
    print(
        f"{args.out}: {measured} points measured, {skipped} skipped, "
        f"{left} left for the next run, {too_large} too large for the memory"
    )
    return int(measured == 0 and skipped > 0)


if __name__ == "__main__":
    raise SystemExit(main())
