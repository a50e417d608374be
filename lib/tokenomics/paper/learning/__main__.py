"""``python -m tokenomics.paper.learning``: refit engine profiles and intervals, and rewrite their tables."""

from tokenomics.errors import one_line
from tokenomics.paper.learning import run

if __name__ == "__main__":
    with one_line():
        run.learn()
