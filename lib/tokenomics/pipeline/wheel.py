"""What a wheel carries beside the modules: the tables that answers are made from, so that it needs no checkout.

Named in ``pyproject.toml`` and loaded by setuptools alone. Left out: results, notebooks, parameters, and the tables
that only a notebook reads (the experiment, replays, other tools' predictions).
"""

from pathlib import Path

from setuptools.command.build_py import build_py

ROOMS = ("catalogue", "calibration", "measurements", "workloads")
"""Folders of ``data/`` in the wheel; ``sources.csv`` comes with them."""


class BuildWithTables(build_py):
    """``build_py`` that puts the tables and their metadata into the package, where ``tokenomics.paths`` looks last.

    An editable install is left as it is: it stands in a checkout.
    """

    def run(self):
        super().run()
        if not self.editable_mode:
            for source, target in self._tables():
                self.mkpath(str(Path(target).parent))
                self.copy_file(source, target)

    def get_outputs(self, include_bytecode=True):
        return super().get_outputs(include_bytecode) + [target for _, target in self._tables()]

    def get_source_files(self):
        return super().get_source_files() + [source for source, _ in self._tables()]

    def _tables(self) -> list[tuple[str, str]]:
        """Each table or metadata file, relative to the checkout, and its place in the package that is built."""
        found = [Path("data/sources.csv")]
        for room in ROOMS:
            found += sorted(each for each in Path("data", room).iterdir() if each.suffix in (".csv", ".yaml"))
        return [(str(each), str(Path(self.build_lib, "tokenomics", each))) for each in found]
