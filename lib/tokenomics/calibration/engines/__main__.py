"""``python -m tokenomics.calibration.engines``: refit engine profiles and intervals, and rewrite their tables."""

from tokenomics.calibration.engines import run
from tokenomics.errors import one_line

if __name__ == "__main__":
    with one_line():
        run.learn()
