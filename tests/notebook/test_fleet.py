"""Colours of a fleet: edges enclose every number, labels are short."""

import pandas as pd
import pytest

from tokenomics.notebook import panels


@pytest.mark.parametrize("most", [1, 2, 3, 512, 1000, 4096, 35_000, 1e6])
def test_edges_enclose_every_fleet(most):
    edges = panels.levels(most)
    assert edges[0] == 1 and edges[-2] <= most < edges[-1] and len(edges) <= panels.MOST_COLOURS + 1


@pytest.mark.parametrize(("value", "text"), [(1, "1"), (512, "512"), (4096, "4k"), (65536, "64k")])
def test_labels_are_short(value, text):
    assert panels.short(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *(
            (float("nan"), ""),
            (1, "1"),
            (999, "999"),
            (1_000, "1.0k"),
            (1_480, "1.5k"),
            (9_960, "10k"),
            (22_399, "22k"),
        ),
        *((999_400, "999k"), (999_600, "1.0M"), (35e6, "35M"), (2e9, "2.0G"), (3e12, "3e+12")),
    ],
)
def test_counts_are_written_in_few_characters(value, text):
    assert panels.compact(value) == text


def test_cells_hold_numbers_their_bounds_and_what_does_not_fit():
    import matplotlib.pyplot as plt

    table = pd.DataFrame({"model": list("aabb"), "format": list("yzyz"), "devices": [2, 4, None, 1500]})
    fig, axes = plt.subplots()
    panels.fleet(axes, table.assign(least=[1, 3, 1, 1200]), "devices", by="format", bound="least")
    written, label = [text.get_text() for text in axes.texts], axes.get_xlabel()
    plt.close(fig)
    assert sorted(filter(None, written)) == sorted(["2 / 1", "4 / 3", "1.5k / 1.2k", panels.ABSENT])
    assert panels.ABSENT in label


def test_rows_and_columns_keep_their_order():
    import matplotlib.pyplot as plt

    table = pd.DataFrame({"model": list("bbaa"), "accelerator": list("zyzy"), "devices": [1, 2, 4, 8]})
    fig, axes = plt.subplots()
    panels.fleet(axes, table, "devices")
    labels = [text.get_text() for text in (*axes.get_yticklabels(), *axes.get_xticklabels())]
    plt.close(fig)
    assert labels == ["b", "a", "z", "y"]
