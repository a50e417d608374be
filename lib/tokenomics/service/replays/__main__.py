"""``python -m tokenomics.service.replays FOLDER``: rewrite ``data/serving`` from the request streams in a folder."""

import sys
from pathlib import Path

from tokenomics.errors import RunError, one_line


def main() -> None:
    """Rewrite the tables, or say in one line what is missing.

    Raises:
        SystemExit: code 2 without a folder, or where a file of it is missing.
    """
    with one_line():
        if len(sys.argv) != 2:
            raise RunError("name the folder that holds simulator_reference and serving_runs")
        from tokenomics.service.replays.rebuild import rebuild

        rebuild(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
