"""Generated files are current; ``pytest --fix`` makes them so."""

import pytest

from tokenomics import paths
from tokenomics.pipeline import generated

FILES = generated.files()


@pytest.mark.parametrize("path", FILES, ids=paths.shown)
def test_file_is_current(path, fix):
    expected = FILES[path]()
    if fix:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != expected:
            path.write_text(expected, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == expected, "out of date: run `make fix`"


def test_no_parameter_file_is_left_over():
    known = {path for path in FILES if path.is_relative_to(paths.PARAMS)}
    found = set(paths.PARAMS.glob("*.yaml")) | set(paths.PARAMS.glob("schema/*.json"))
    assert found <= known


def test_stages_are_the_notebooks():
    from tokenomics.pipeline import stages
    from tokenomics.sections.registry import NOTEBOOKS

    notebooks = sorted(path.stem for path in paths.NOTEBOOKS.glob("*.ipynb"))
    assert notebooks == list(NOTEBOOKS)
    assert notebooks == [name for name in stages.stages() if name[:2].isdigit()]
    for name in notebooks:  # `exec`: the runner is DVC's own child, whatever the shell, and sees it being killed
        assert stages.stages()[name]["cmd"] == f"exec tokenomics run {name}"
