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


def test_rows_and_columns_keep_their_order():
    import matplotlib.pyplot as plt

    table = pd.DataFrame({"model": list("bbaa"), "accelerator": list("zyzy"), "devices": [1, 2, 4, 8]})
    fig, axes = plt.subplots()
    panels.fleet(axes, table, "devices")
    labels = [text.get_text() for text in (*axes.get_yticklabels(), *axes.get_xticklabels())]
    plt.close(fig)
    assert labels == ["b", "a", "z", "y"]
