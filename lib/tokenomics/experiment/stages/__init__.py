"""The five stages, each ``python -m tokenomics.experiment.stages.NAME [full | tiny | tiny:FOLDER]``."""

import os
import sys
from collections.abc import Callable

from tokenomics.errors import one_line
from tokenomics.experiment import packages
from tokenomics.experiment.settings import Settings, named

QUIET = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "TOKENIZERS_PARALLELISM": "false"}
"""One thread a process, and none that spins while it waits: two on busy cores were seen to be seven times slower."""


def main(stage: Callable[[Settings], None]) -> None:
    """Run a stage with the settings named on the command line.

    Raises:
        SystemExit: code 2 with one line, where the extra is missing or an input is wrong.
    """
    os.environ.update(QUIET)
    with one_line():
        packages.require()
        stage(named(sys.argv[1] if len(sys.argv) > 1 else "full"))
