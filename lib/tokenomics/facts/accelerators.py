"""An accelerator (xPU) as a frozen record: peaks, memory, links, power, as its vendor states them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from tokenomics.errors import DataError

DTYPES = ("fp32", "tf32", "fp16", "bf16", "fp8", "int8", "fp4")
FALLBACK = {
    "fp4": ("fp4", "fp8", "bf16", "fp16", "fp32"),
    "fp8": ("fp8", "bf16", "fp16", "fp32"),
    "int8": ("int8", "bf16", "fp16", "fp32"),
    "bf16": ("bf16", "fp16", "fp32"),
    "fp16": ("fp16", "bf16", "fp32"),
    "tf32": ("tf32", "fp32"),
    "fp32": ("fp32",),
}
"""Types in which a product can be computed instead, each at least as exact: matrices are widened on the fly.

Where a type has no units, or slower ones than a wider type (INT8 on Blackwell Ultra), the wider type's peak counts.
"""
REQUIRED = ("name", "vendor", "kind", "memory_bytes", "bandwidth_bytes_per_s")
GB, GIB = 1e9, 2.0**30
TEXT = ("name", "vendor", "kind", "device_class", "generation")


@dataclass(frozen=True)
class Accelerator:
    """One device as a user rents or buys it. ``None`` where the vendor publishes nothing.

    Fields are columns of ``data/catalogue/accelerators.csv`` with the meaning given there; peaks are dense.

    Raises:
        DataError: a number that is not positive, or no peak at all.
    """

    name: str
    vendor: str
    kind: str
    memory_bytes: float
    bandwidth_bytes_per_s: float
    device_class: str = "datacenter"
    generation: str | None = None
    reported_memory_bytes: float | None = None
    peak_fp32_flop_per_s: float | None = None
    peak_tf32_flop_per_s: float | None = None
    peak_fp16_flop_per_s: float | None = None
    peak_bf16_flop_per_s: float | None = None
    peak_fp8_flop_per_s: float | None = None
    peak_int8_op_per_s: float | None = None
    peak_fp4_flop_per_s: float | None = None
    matmul_bf16_flop_per_s: float | None = None
    matmul_fp8_flop_per_s: float | None = None
    link_bytes_per_s: float | None = None
    link_devices: int | None = None
    tdp_w: float | None = None
    embodied_kgco2e: float | None = None

    def __post_init__(self):
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name not in TEXT and value is not None and not 0 < value < float("inf"):
                raise DataError(self.name, each.name, value, "a positive number, or empty")
        if not any(self._peak(dtype) for dtype in DTYPES):
            raise DataError(self.name, "peak_bf16_flop_per_s", "missing", "at least one peak_..._flop_per_s")

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """A record from a table row; empty cells are ``None``, columns that are no field are left out."""
        return cls(**{each.name: row[each.name] for each in fields(cls) if row.get(each.name) is not None})

    @classmethod
    def from_user(cls, given: Mapping[str, Any], where: str) -> Self:
        """A record from a user's own mapping with the table's columns; those that are no field are only checked.

        Raises:
            DataError: a missing or unknown column, or a value that the table's own metadata do not allow.
        """
        from tokenomics.facts import tables

        if not given:
            raise DataError(where, "file", "empty", f"needed are {', '.join(REQUIRED)} and a peak")
        tables.check_record("catalogue/accelerators", given, where)
        for key in REQUIRED:
            if given.get(key) is None:
                raise DataError(where, key, "missing", f"needed are {', '.join(REQUIRED)} and a peak")
        try:
            return cls.from_row(given)
        except DataError as error:
            raise DataError(where, error.key, error.value, error.allowed) from None

    @property
    def driver_memory_bytes(self) -> float:
        """Bytes that the driver hands out: what it reports, else the data sheet's GB taken as GiB.

        A sheet's "80 GB" of HBM or GDDR is 80 GiB less what the driver keeps; unified memory of a phone, a laptop or a
        host has no driver's share of its own. Left out: a display, other processes, a partition of the device.
        """
        return self.reported_memory_bytes or self.memory_bytes * GIB / GB

    def _peak(self, dtype: str) -> float | None:
        return getattr(self, f"peak_{dtype}_{'op' if dtype == 'int8' else 'flop'}_per_s")

    def peak_flop_per_s(self, dtype: str) -> float:
        """Dense peak for matrices of a data type: the fastest of the type itself and the wider ones in ``FALLBACK``.

        So FP8 runs at the BF16 rate on an A100, BF16 at the FP16 rate on a V100. Integers count as operations.

        Raises:
            DataError: an unknown data type, or one for which neither it nor a wider one has a published peak.
        """
        if dtype not in FALLBACK:
            raise DataError(self.name, "dtype", dtype, ", ".join(DTYPES))
        peaks = [peak for peak in map(self._peak, FALLBACK[dtype]) if peak]
        if not peaks:
            usable = [each for each in DTYPES if any(map(self._peak, FALLBACK[each]))]
            raise DataError(self.name, "dtype", dtype, f"{', '.join(usable)}: no other peak is published")
        return max(peaks)

    def bound_flop_per_s(self, dtype: str) -> float:
        """Upper bound of the FLOP rate of a data type: its peak; where only narrower types are published (phones: 8-bit
        integers), the highest of their peaks, since wider arithmetic is never faster."""
        try:
            return self.peak_flop_per_s(dtype)
        except DataError:
            if dtype not in FALLBACK:
                raise
            return max(peak for peak in map(self._peak, DTYPES) if peak)

    def ridge_flop_per_byte(self, dtype: str) -> float:
        """FLOP per byte moved at which arithmetic and memory take equally long: the knee of the roofline."""
        return self.peak_flop_per_s(dtype) / self.bandwidth_bytes_per_s
