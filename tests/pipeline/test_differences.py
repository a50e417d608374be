"""Two folders of results: which files, numbers and texts differ, and how far."""

import json

import pytest

from tokenomics import outputs
from tokenomics.pipeline.differences import SHOWN, differences

HERE, ELSEWHERE = {"machine": "x86_64"}, {"machine": "arm64"}


@pytest.fixture
def pair(tmp_path):
    """Two equal folders, and a way to write a file of either."""
    folders = {name: tmp_path / name for name in ("first", "second")}

    def write(name: str, first: str, second: str) -> None:
        for folder, text in zip(folders.values(), (first, second), strict=True):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)

    metrics(write, HERE, HERE)
    return write, lambda: differences(*folders.values())


def metrics(write, first, second, values=(1.0, 1.0)) -> None:
    texts = (json.dumps({"environment": e, "answer": v}) for e, v in zip((first, second), values, strict=True))
    write("metrics.json", *texts)


def test_equal_folders_agree(pair):
    assert pair[1]() == []


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("a,b\n1,2\n3,4\n", "a,b\n1,2\n3,5\n", ["row 2, b: 4 became 5 (+0.25)"]),
        ("a,b\n1,x\n", "a,b\n1,y\n", ["row 1, b: 'x' became 'y'"]),
        ("a,b\n1,2\n", "a,b\n1,\n", ["row 1, b: '2' became ''"]),
        ("a,b\n1,2\n", "a,b\n1,2\n3,4\n", ["1 rows became 2"]),
        ("a,b\n1,2\n", "a,c\n1,2\n", ["columns[0][1]: 'b' became 'c'"]),
        ("a\n0\n", "a\n1e-9\n", ["row 1, a: '0' became '1e-9'"]),
        ("a\n1\n", "a\n1.0\n", ["bytes differ, but no number and no text"]),
        ("a\n1\n", "a\n1.000001\n", ["row 1, a: 1 became 1.000001 (+1e-06)"]),
    ],
)
def test_a_table_says_where_and_how_far(pair, first, second, said):
    write, compare = pair
    write("tables/t.csv", first, second)
    assert compare() == [f"tables/t.csv: {each}" for each in said]


def test_elsewhere_small_changes_of_numbers_and_pictures_do_not_count_but_texts_do(pair):
    write, compare = pair
    metrics(write, HERE, ELSEWHERE, (1.0, 1.000009))
    write("figures/f.png", "a", "b")
    write("notebook.ipynb", '{"cells": [1]}', '{"cells": [2]}')
    write("tables/t.csv", "a\n1\n", "a\n1.000009\n")
    assert compare() == []
    write("tables/t.csv", "a,b\n1,x\n", "a,b\n1.00002,y\n")
    assert compare() == ["tables/t.csv: row 1, a: 1 became 1.00002 (+2e-05)", "tables/t.csv: row 1, b: 'x' became 'y'"]


def test_prose_pictures_keys_and_files_are_named(pair):
    write, compare = pair
    notebook = '{{"cells": [{{"source": "{}It costs {} dollars."}}]}}'
    write("notebook.ipynb", notebook.format("words " * 30, 3), notebook.format("words " * 30, 4))
    write("figures/f.png", "a", "b")
    write("figures/f.json", '{"unit": "s"}', '{"units": "s"}')
    write("tables/t.tex", "one\ntwo\n", "one\n2\n")
    lines = compare()
    assert "figures/f.png: bytes differ" in lines and "tables/t.tex: line[1]: 'two' became '2'" in lines
    assert "figures/f.json: unit: only in the committed results" in lines
    told = next(line for line in lines if line.startswith("notebook.ipynb: cells[0].source"))
    assert "It costs 3 dollars" in told and "It costs 4 dollars" in told and len(told) < 160


def test_of_many_changes_the_count_and_the_farthest_are_told(pair):
    write, compare = pair
    cells = [f"{n}\n" for n in range(1, SHOWN + 4)]
    write("t.csv", "a\n" + "".join(cells), "a\n" + "".join([*(f"{n}.5\n" for n in range(1, SHOWN + 3)), "90\n"]))
    lines = compare()
    assert len(lines) == SHOWN + 1 and lines[-1] == "t.csv: and 3 more changes, of numbers by up to 900.00%"


def test_files_on_one_side_and_files_known_by_hash_only(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    record = outputs.FOLDER_RECORD
    for folder, name in ((first, "old.csv"), (second, "new.csv"), (second, "known.csv"), (second, record)):
        folder.mkdir(exist_ok=True)
        (folder / name).write_text("1")
    one = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"
    found = ["old.csv: only in the committed results", "new.csv: only in the new results"]
    assert differences(first, second, {"known.csv": one}) == found
    assert differences(first, second, {"known.csv": "0" * 64})[2].startswith("known.csv: bytes differ")
    assert "gone.csv: only in the committed results" in differences(first, second, {"known.csv": one, "gone.csv": one})
