"""The conditions under which a run's bytes are promised: set for every kernel, and recorded with the results."""

import hashlib
import os
import platform
import sys
from collections.abc import Mapping

from tokenomics import paths

PINNED = {
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
    "MPLBACKEND": "agg",
    "PYTHONWARNINGS": "error::FutureWarning,error::DeprecationWarning:__main__",
}
"""One thread, one locale, one time zone, no interactive backend."""

PINNED_X86 = {"OPENBLAS_CORETYPE": "Haswell", "NPY_ENABLE_CPU_FEATURES": "X86_V3"}
"""The vector level that every x86-64 server since 2015 has; sums depend on the vector width."""


KERNEL_CONFIG = """# Written by the runner.
c.IPKernelApp.log_level = 40  # errors only: each start warns that TCP on this machine is not encrypted
c.HistoryManager.enabled = False
"""


def pinned() -> dict[str, str]:
    """Environment variables every kernel runs under."""
    return PINNED | (PINNED_X86 if _has_x86_v3() else {})


def signature() -> dict[str, str]:
    """What bytes depend on: results with equal signatures must be equal byte for byte."""
    return {
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "machine": platform.machine(),
        "system": platform.system(),
        "vector_level": PINNED_X86["NPY_ENABLE_CPU_FEATURES"] if _has_x86_v3() else "unpinned",
        "blas_kernel": PINNED_X86["OPENBLAS_CORETYPE"] if _has_x86_v3() else "unpinned",
        "lock": hashlib.sha256(paths.LOCK_FILE.read_bytes()).hexdigest()[:12],
    }


def _has_x86_v3() -> bool:
    if platform.machine() not in ("x86_64", "AMD64"):
        return False
    from numpy._core._multiarray_umath import __cpu_features__ as features

    return bool(features.get("AVX2") and features.get("FMA3"))


def apply(extra: Mapping[str, str]) -> None:
    """Set the pinned environment in this process, so that the kernels it starts inherit it.

    Kernels get an IPython folder of their own: a user's start-up files and settings must not reach a result.
    """
    profile = paths.IPYTHON / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text(KERNEL_CONFIG, encoding="utf-8")
    os.environ.update({**pinned(), **extra, "IPYTHONDIR": str(paths.IPYTHON)})
