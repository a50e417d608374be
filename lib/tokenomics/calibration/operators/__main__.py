"""``python -m tokenomics.calibration.operators``: refit all operators and rewrite ``data/calibration``."""

from tokenomics.errors import RunError, one_line


def main() -> None:
    """Run the calibration, or say in one line what to install.

    Raises:
        SystemExit: code 2 where the extra is not installed.
    """
    with one_line():
        try:
            import aiconfigurator_core
            import pyarrow
            import scipy
        except ImportError as missing:
            raise RunError(f"{missing.name} is not installed: pip install 'tokenomics-lab[calibration]'") from None
        from tokenomics.calibration.operators import run

        del aiconfigurator_core, pyarrow, scipy
        run.calibrate()


if __name__ == "__main__":
    main()
