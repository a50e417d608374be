"""Board power and clocks: NVML where ``pynvml`` (package nvidia-ml-py) is present, else ``nvidia-smi``, else none."""

import contextlib
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

SHORTEST_S = 0.5
"""The energy counter moves in steps of some hundredths of a second: over less time it says too little."""
FIELDS = ("power.draw", "clocks.sm", "clocks.mem")
FACTS = {
    "driver": "driver_version",
    "power_limit_w": "enforced.power.limit",
    "clock_max_mhz": "clocks.max.sm",
    "memory_clock_max_mhz": "clocks.max.mem",
}


@dataclass(frozen=True)
class Sample:
    """One look at the board; what it does not tell is None."""

    time_s: float
    energy_j: float | None = None
    power_w: float | None = None
    clock_mhz: float | None = None
    memory_clock_mhz: float | None = None


def power(samples: Sequence[Sample]) -> float | None:
    """Mean watts: energy over time where a counter was read long enough, else the last reading.

    The last, since a reading is itself the mean of about a second before it.
    """
    read = [sample for sample in samples if sample.energy_j is not None]
    if read and read[-1].time_s - read[0].time_s >= SHORTEST_S:
        return (read[-1].energy_j - read[0].energy_j) / (read[-1].time_s - read[0].time_s)
    readings = [sample.power_w for sample in samples if sample.power_w is not None]
    return readings[-1] if readings else None


def clock(samples: Sequence[Sample], name: str = "clock_mhz") -> float | None:
    """Median clock of the samples."""
    clocks = [value for sample in samples if (value := getattr(sample, name)) is not None]
    return statistics.median(clocks) if clocks else None


def number(text: str) -> float | None:
    """A number of ``nvidia-smi``; ``[N/A]`` and the like are None."""
    with contextlib.suppress(ValueError):
        return float(text)
    return None


class Nothing:
    """No meter: times only."""

    name = "none"

    def facts(self) -> dict[str, object]:
        return {}

    def sample(self) -> Sample:
        return Sample(time.perf_counter())


class Smi(Nothing):
    """``nvidia-smi``, some hundredths of a second a call."""

    name = "nvidia-smi"

    def __init__(self, uuid: str):
        self._uuid = uuid
        self._query(FIELDS)

    def _query(self, fields: Sequence[str]) -> list[str]:
        command = [
            "nvidia-smi",
            f"--id={self._uuid}",
            f"--query-gpu={','.join(fields)}",
            "--format=csv,noheader,nounits",
        ]
        out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
        values = [value.strip() for value in out.strip().split(",")]
        if len(values) != len(fields):
            raise ValueError("nvidia-smi answered with other columns")
        return values

    def facts(self) -> dict[str, object]:
        return dict(zip(FACTS, self._query(list(FACTS.values())), strict=True))

    def sample(self) -> Sample:
        watts, clock_mhz, memory_mhz = map(number, self._query(FIELDS))
        return Sample(time.perf_counter(), power_w=watts, clock_mhz=clock_mhz, memory_clock_mhz=memory_mhz)


class Nvml(Nothing):
    """NVML by its Python module, microseconds a call; a board without a reading gives None for it."""

    name = "nvml"

    def __init__(self, uuid: str):
        import pynvml

        self._nvml = pynvml
        pynvml.nvmlInit()
        self._board = pynvml.nvmlDeviceGetHandleByUUID(uuid)

    def _read(self, function: str, *arguments, scale: float = 1.0) -> float | None:
        with contextlib.suppress(self._nvml.NVMLError):
            return getattr(self._nvml, function)(self._board, *arguments) / scale
        return None

    def facts(self) -> dict[str, object]:
        driver = self._nvml.nvmlSystemGetDriverVersion()
        return {
            "driver": driver.decode() if isinstance(driver, bytes) else driver,
            "power_limit_w": self._read("nvmlDeviceGetEnforcedPowerLimit", scale=1e3),
            "clock_max_mhz": self._read("nvmlDeviceGetMaxClockInfo", self._nvml.NVML_CLOCK_SM),
            "memory_clock_max_mhz": self._read("nvmlDeviceGetMaxClockInfo", self._nvml.NVML_CLOCK_MEM),
        }

    def sample(self) -> Sample:
        return Sample(
            time.perf_counter(),
            energy_j=self._read("nvmlDeviceGetTotalEnergyConsumption", scale=1e3),
            power_w=self._read("nvmlDeviceGetPowerUsage", scale=1e3),
            clock_mhz=self._read("nvmlDeviceGetClockInfo", self._nvml.NVML_CLOCK_SM),
            memory_clock_mhz=self._read("nvmlDeviceGetClockInfo", self._nvml.NVML_CLOCK_MEM),
        )


def open_meter(uuid: str | None) -> Nothing:
    """The best meter that works for the board of this UUID; without one, times are still worth having."""
    for kind in (Nvml, Smi) if uuid else ():
        # Whatever goes wrong (no module, no library, no such board, no programme), the next kind may work.
        with contextlib.suppress(Exception):
            return kind(uuid)
    return Nothing()
