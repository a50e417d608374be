"""Panels: a line in its band for each name, bars that end at the sum, legends above."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest

from tokenomics.notebook import figure_lint, panels, style


@pytest.fixture(autouse=True)
def styled():
    with mpl.rc_context():
        style.apply()
        yield
    plt.close("all")


@pytest.mark.parametrize("names", [["a"], ["a", "b"], ["a", "b", "c"]])
def test_a_panel_for_each_name_without_faults(names):
    ttft = {"ttft_ms": 2, "ttft_low_ms": 1, "ttft_high_ms": 3, "ttft_bound_ms": 1}
    rows = [{"panel": n, "prompt_tok": x} | {k: x * v for k, v in ttft.items()} for n in names for x in (1, 10)]
    fig = panels.bands(pd.DataFrame(rows), "prompt_tok", "ttft_ms")
    assert (fig.axes[0].get_ylabel(), fig.axes[len(names) - 1].get_xlabel()) == ("TTFT [ms]", "prompt [tok]")
    assert [axes.get_title() for axes in fig.axes if axes.axison] == names
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["80 % interval", "predicted", "lower bound"]
    assert figure_lint.faults(fig) == []


def test_bars_are_stacked_from_the_top():
    data = pd.DataFrame({"who": list("aabb"), "part": list("xyxy"), "ms": [1.0, 2.0, 3.0, 4.0]})
    _, axes = plt.subplots()
    panels.stacked(axes, data, "who", "part", "ms")
    ends = [bar.get_x() + bar.get_width() for bar in axes.containers[-1]]
    assert ends == [7.0, 3.0] and [t.get_text() for t in axes.get_yticklabels()] == ["b", "a"]


def test_dots_stand_in_the_given_order_and_gaps_stay():
    data = pd.DataFrame({"who": ["a", "b"], "n": [1.0, None], "n_low": [0.5, None], "n_high": [2.0, None]})
    _, axes = plt.subplots()
    panels.dots(axes, data, "who", "n", ["b", "a"])
    line = axes.lines[0]
    assert line.get_ydata().tolist() == [1, 0] and line.get_xdata()[1] == 1.0


def test_an_empty_panel_says_so_and_stays_linear():
    _, (empty, filled) = plt.subplots(1, 2)
    empty.plot([float("nan")], [0])
    filled.plot([1.0, 10.0], [0, 1])
    for axes in (empty, filled):
        panels.log_axes(axes, "x")
    assert (empty.get_xscale(), filled.get_xscale()) == ("linear", "log")
    assert [text.get_text() for text in empty.texts] == ["no value"] and not filled.texts


def test_words_become_colours_with_the_largest_on_top():
    table = pd.DataFrame({"batch": [1, 1, 2, 2], "context": [1, 2, 1, 2], "limit": ["a", "a", "a", "b"]})
    _, axes = plt.subplots()
    panels.words(axes, table, "batch", "context", {"a": "red", "b": "blue"})
    assert axes.collections[0].get_array().reshape(2, 2).tolist() == [[0, 1], [0, 0]]
