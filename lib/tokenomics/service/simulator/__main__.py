"""``python -m tokenomics.service.simulator`` compiles the simulator for all later commands; a part of set-up."""

import sys

from tokenomics.service.simulator.simulator import keep_compiled

if __name__ == "__main__":
    print("simulator compiled" if keep_compiled() else "no numba: the simulator runs in Python", file=sys.stderr)
