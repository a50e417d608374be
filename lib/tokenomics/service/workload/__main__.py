"""``python -m tokenomics.service.workload FOLDER``: rebuild ``data/workloads`` from the traces in a folder."""

import sys
from pathlib import Path

from tokenomics.errors import RunError, one_line


def main() -> None:
    """Rebuild the tables, or say in one line what is missing.

    Raises:
        SystemExit: code 2 without a folder, or where a trace is missing or another one.
    """
    with one_line():
        if len(sys.argv) != 2:
            raise RunError("name the folder of the traces listed in data/workloads/originals.csv")
        from tokenomics.service.workload.derive import rebuild

        rebuild(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
