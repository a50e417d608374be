"""End with the process that started this one: what is killed leaves nothing behind that goes on writing.

``python -m tokenomics.pipeline.parent PROGRAM ARGUMENTS`` becomes a program that does so.
"""

import os
import signal
import sys


def end_with_parent() -> None:
    """On Linux, ask for SIGTERM when the process that started this one (reproduce, dvc, make) is killed.

    Raises:
        KeyboardInterrupt: it has ended already.
    """
    if sys.platform != "linux":
        return
    import ctypes

    pr_set_pdeathsig = 1
    parent = os.getppid()
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
    if os.getppid() != parent:
        raise KeyboardInterrupt("the parent process ended")


if __name__ == "__main__":
    end_with_parent()
    os.execv(sys.argv[1], sys.argv[1:])
