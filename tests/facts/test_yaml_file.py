"""Files of parameters, models and accelerators: what cannot be read is one line, and takes no time to find out."""

import os

import pytest

from tokenomics.errors import DataError
from tokenomics.facts import catalogue, yaml_file

STEPS = list(zip("abcdefgh", "bcdefghi", strict=True))
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in STEPS)
MERGED = "a: &a {x: 1}\n" + "".join(f"{b}: &{b} {{<<: [{', '.join([f'*{a}'] * 9)}]}}\n" for a, b in STEPS)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BOMB, "aliases that stand for more than"),
        (MERGED, "aliases that stand for more than"),
        ("a: &a [*a]", "aliases that stand for more than"),
        ("a: [1, 2", "line 1: syntax"),
        ('{"layers": 3, "d_mod', "line 1: syntax"),
        ("[" * 5000, "recursion"),
        ('{"a":' * 5000, "recursion"),
        ("a: 1\na: 2", "syntax"),
        ('{"a": 1, "a": 2}', "syntax"),
        ("a: !!timestamp 99", "syntax"),
        ("a: !!int x", "syntax"),
        ("a: !!python/object:os.system 1", "syntax"),
        ("a: " + "9" * 5000, "syntax"),
        ("? [1]\n: 2", "file"),
        ("1: 2", "file = dict"),
        ("just words", "file = str"),
        ("a: \x00", "syntax"),
        ("a: b\n" * 60_000, "at most 262,144 of YAML"),
    ],
)
def test_what_is_no_mapping_is_refused_in_one_line(tmp_path, text, says):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as error:
        yaml_file.read(path)
    assert says in str(error.value) and str(error.value).startswith(str(path)) and len(str(error.value)) < 300


def test_aliases_of_ordinary_size_and_json_are_read(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("a: &a {x: 1e3}\nb: {<<: *a, y: [*a, *a]}\n")
    assert yaml_file.read(path) == {"a": {"x": 1000.0}, "b": {"x": 1000.0, "y": [{"x": 1000.0}, {"x": 1000.0}]}}
    path.write_bytes(b'\xef\xbb\xbf{"a": [1, 2.5, null, true]}')
    assert yaml_file.read(path) == {"a": [1, 2.5, None, True]}
    path.write_text("{a: yes}")
    assert yaml_file.read(path) == {"a": "yes"}


@pytest.mark.parametrize("kind", ["model", "accelerator"])
def test_what_is_no_file_is_refused_at_once(tmp_path, kind, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.yaml").mkdir()
    os.mkfifo(tmp_path / "pipe.yaml")
    for name in ("folder.yaml", "pipe.yaml", "none.yaml", "x" * 5000 + ".yaml", "a\0b.yaml"):
        with pytest.raises(DataError):
            getattr(catalogue, kind)(name)
    for name in ("folder.yaml", "pipe.yaml", "none.yaml"):
        with pytest.raises(DataError):
            yaml_file.read(tmp_path / name)
