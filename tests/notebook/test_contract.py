"""Figures, tables, checks and metrics keep their contract, and each rule refuses what breaks it."""

import json

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("agg")
import matplotlib.pyplot as plt

from tokenomics.errors import RunError
from tokenomics.facts.sources import sources
from tokenomics.notebook import begin, checks, figure_lint, figures, prose, report, style, tables, units
from tokenomics.sections.registry import declared

NOTEBOOK = "01_ubiquitous_llms"
SOURCE = next(iter(sources()))


@pytest.fixture
def out(tmp_path, monkeypatch):
    monkeypatch.setenv("TOKENOMICS_OUT", str(tmp_path))
    monkeypatch.setenv("TOKENOMICS_STRICT", "1")
    begin(declared(NOTEBOOK), declared(NOTEBOOK)().model_dump())
    yield tmp_path
    plt.close("all")


def draw(slug="size"):
    data = figures.data(slug, pd.DataFrame({"run_s": [1, 2], "used_share": [1 / 3, 2 / 3]}))
    fig, axes = figures.canvas()
    axes.plot(data["run_s"], data["used_share"])
    units.axis_labels(axes, "run_s", "used_share")
    return fig, axes, data


def test_figure_is_drawn_from_what_is_written_and_its_bytes_repeat(out):
    fig, _, data = draw()
    assert data["used_share"].tolist() == [0.333333, 0.666667]
    figures.save(fig, "size", "A caption.", SOURCE)
    first = (out / "figures" / "01_size.png").read_bytes()
    beside = json.loads((out / "figures" / "01_size.json").read_text())
    assert (
        beside["units"] == {"run_s": "s", "used_share": "share"}
        and beside["caption"] == "A caption."
        and beside["source"]
    )
    begin(declared(NOTEBOOK), declared(NOTEBOOK)().model_dump())
    figures.save(draw()[0], "size", "A caption.", SOURCE)
    assert (out / "figures" / "01_size.png").read_bytes() == first
    assert len(first) < 120_000


def test_vector_formats_repeat_too(out, monkeypatch):
    monkeypatch.setenv("TOKENOMICS_FORMATS", "svg,pdf,tex")
    texts = []
    for _ in range(2):
        begin(declared(NOTEBOOK), declared(NOTEBOOK)().model_dump())
        figures.save(draw()[0], "size", "A caption.", SOURCE)
        texts.append([(out / "figures" / f"01_size.{kind}").read_bytes() for kind in ("svg", "pdf")])
    assert texts[0] == texts[1]


def spoil_label(fig, axes):
    axes.set_xlabel("time [1]")


def spoil_edge(fig, axes):
    axes.text(1.5, 0.5, "a text that runs far beyond the right edge of the canvas of this figure", clip_on=False)


def spoil_size(fig, axes):
    axes.text(1.5, 0.5, "tiny", fontsize=4)


def spoil_overlap(fig, axes):
    axes.text(1.2, 0.4, "first text")
    axes.text(1.21, 0.4, "second text")


def spoil_ticks(fig, axes):
    axes.set_xticks(np.linspace(1, 2, 40))


def spoil_legend(fig, axes):
    axes.plot([1.4, 1.5, 1.6], [0.9] * 3, "o", label="points that the legend hides")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.0))
    axes.set_ylim(0, 1)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_label, "unit"),
        (spoil_edge, "cut off"),
        (spoil_size, "smaller"),
        (spoil_overlap, "overlap"),
        (spoil_ticks, "overlap"),
        (spoil_legend, "legend covers"),
    ],
)
def test_unreadable_figure_is_refused(out, spoil, words):
    fig, axes, _ = draw()
    assert figure_lint.faults(fig) == []
    spoil(fig, axes)
    with pytest.raises(RunError, match=words):
        figures.save(fig, "size", "A caption.", SOURCE)


def test_every_colour_stands_out_from_white():
    assert len(set(style.PALETTE)) == len(style.PALETTE) >= 9
    for colour in style.PALETTE:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in mpl.colors.to_rgb(colour)]
        luminance = np.dot([0.2126, 0.7152, 0.0722], linear)
        assert 1.05 / (luminance + 0.05) >= 2.2, colour


def test_a_legend_above_covers_nothing(out):
    fig, axes, _ = draw()
    spoil_legend(fig, axes)
    style.legend_above(axes, 2)
    assert figure_lint.faults(fig) == []
    fig.canvas.draw()
    assert axes.get_legend().get_window_extent().y0 >= axes.bbox.y1
    plt.close(fig)


def test_figure_without_data_or_units_is_refused(out):
    with pytest.raises(RunError, match=r"figures\.data"):
        figures.save(plt.figure(), "other", "A caption.", SOURCE)
    with pytest.raises(RunError, match="tells no unit"):
        figures.data("size", pd.DataFrame({"x": [1]}))
    with pytest.raises(RunError, match="no data"):
        figures.data("size", pd.DataFrame({"run_s": []}))


def test_a_figure_is_linked_in_a_run_and_embedded_by_hand(out, monkeypatch):
    shown = figures.save(draw()[0], "size", 'A "caption" <of> two.', SOURCE)
    assert shown.data.startswith('<img src="figures/01_size.png" alt="A &quot;caption&quot; &lt;of&gt; two."')
    monkeypatch.delenv("TOKENOMICS_OUT")
    assert figures.save(draw("other")[0], "other", "A caption.", SOURCE).data[:4] == b"\x89PNG"


def test_table_is_written_rounded_with_units_and_its_metrics(out):
    table = pd.DataFrame({"tpot_ms": [1 / 3], "tpot_low_ms": [0.3], "tpot_high_ms": [0.4], "engine": ["x"]})
    metrics = {"tpot": report.cell(table.iloc[0], "tpot_ms", "the only TPOT")}
    shown = tables.save(table, "t", "Caption.", SOURCE, metrics=metrics)
    assert (out / "tables" / "01_t.csv").read_text() == "tpot_ms,tpot_low_ms,tpot_high_ms,engine\n0.333333,0.3,0.4,x\n"
    assert json.loads((out / "tables" / "01_t.json").read_text())["units"] == dict.fromkeys(table, "ms") | {
        "engine": "text"
    }
    recorded = json.loads((out / "metrics.json").read_text())["metrics"]["tpot"]
    assert recorded == {"value": 0.333333, "low": 0.3, "high": 0.4, "unit": "ms", "meaning": "the only TPOT"}
    assert shown["tpot_ms"][0] == 0.333333
    with pytest.raises(RunError, match="tells no unit"):
        tables.save(pd.DataFrame({"a": [1]}), "u", "Caption.")


@pytest.mark.parametrize(
    ("column", "unit", "label"),
    [
        ("tpot_p95_ms", "ms", "TPOT p95 [ms]"),
        ("usd_per_mtok", "USD/Mtok", "price per Mtok [USD/Mtok]"),
        ("held_out_error", "share", "held out [%]"),
        ("devices", "1", "devices"),
        ("tokens_per_j_ratio", "1", "tokens per j"),
    ],
)
def test_a_columns_ending_is_its_unit(column, unit, label):
    assert (units.unit_of(column), units.label(column)) == (unit, label)
    assert units.unit_of(units.end_of(column, units.LOW)) == unit


@pytest.mark.parametrize(
    "wrong",
    [
        dict(value=1.1, expected=1.0, rtol=0.05),
        dict(value=[1.0, 2.0], expected=[1.0, 1.0], rtol=0.05),
        dict(value=3.0, high=2.0),
        dict(value=1.0, low=2.0),
        dict(value=float("nan"), low=0.0, high=2.0),
        dict(value=[], low=0.0),
        dict(value=False),
        dict(value=True, expected=False),
    ],
)
def test_wrong_number_fails_a_check(out, wrong):
    with pytest.raises(RunError, match="fails"):
        checks.that("name", **wrong)
    assert "name" not in json.loads((out / "metrics.json").read_text())["checks"]


def test_right_number_passes_and_is_recorded(out):
    checks.that("close", 1.01, expected=1.0, rtol=0.05)
    checks.that("between", [1.0, 2.0], low=0.5, high=2.5)
    checks.that("true", True)
    recorded = json.loads((out / "metrics.json").read_text())["checks"]
    assert recorded["close"]["largest_deviation"] == 0.01 and set(recorded) == {"close", "between", "true"}
    with pytest.raises(RunError, match="twice"):
        checks.that("close", 1.0, expected=1.0)
    with pytest.raises(RunError, match="give expected"):
        checks.that("nothing", 1.0)


def test_spoiled_checks_must_refuse(out, monkeypatch):
    monkeypatch.setenv("TOKENOMICS_SPOIL", "1")
    checks.that("close", 1.0, expected=1.0, rtol=0.1)
    checks.that("true", True)
    with pytest.raises(RunError, match="cannot fail"):
        checks.that("toothless", 1.0, low=0.1, high=10.0)


def test_metric_refuses_what_is_no_number(out):
    report.metric("rate", 1 / 3, "1/year", "a rate", low=0.3, high=0.4)
    assert json.loads((out / "metrics.json").read_text())["metrics"]["rate"]["value"] == 0.333333
    with pytest.raises(RunError, match="finite"):
        report.metric("other", float("nan"), "1", "x")
    with pytest.raises(RunError, match="outside"):
        report.metric("third", 1.0, "1", "x", low=2.0, high=3.0)


def recorded(folder):
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


@pytest.fixture
def own(out, monkeypatch):
    """A run of a reader's own: not one of those that are committed."""
    monkeypatch.delenv("TOKENOMICS_STRICT")
    return out


@pytest.mark.parametrize("spoil", [spoil_ticks, spoil_legend, spoil_edge])
def test_a_readers_figure_is_laid_out_again(own, spoil):
    fig, axes, _ = draw()
    spoil(fig, axes)
    assert figure_lint.faults(fig)
    figures.save(fig, "size", "A caption.", SOURCE)
    assert "warnings" not in recorded(own) and (own / "figures" / "01_size.png").stat().st_size > 0


def test_what_layout_cannot_mend_is_a_warning_of_a_readers_run(own):
    fig, axes, _ = draw()
    spoil_size(fig, axes)
    figures.save(fig, "size", "A caption.", SOURCE)
    assert recorded(own)["warnings"] == ["figure size: text 'tiny' is smaller than 6 points"]
    assert (own / "figures" / "01_size.png").exists()


def test_a_long_name_loses_its_middle(own):
    name = "ein sehr langer Name eines Modells, der über jeden Rand hinausgeht " * 3
    fig, axes, _ = draw()
    axes.set_yticks([0.4, 0.6], [name, "short"])
    axes.text(1.5, 0.5, name)
    figures.save(fig, "size", "A caption.", SOURCE)
    assert "warnings" not in recorded(own)
    told = [label.get_text() for label in axes.get_yticklabels()]
    assert told[1] == "short" and told[0].startswith("ein sehr") and " … " in told[0] and len(told[0]) < 45


def test_words_on_an_axis_are_turned_where_they_are_crowded(own):
    fig, axes = figures.canvas()
    axes.bar([f"a long name {n}" for n in range(12)], range(12))
    axes.set_ylabel("devices")
    assert any("x tick labels" in fault for fault in figure_lint.faults(fig))
    assert figure_lint.laid_out_again(fig) == []
    assert {label.get_rotation() for label in axes.get_xticklabels()} == {90}
    plt.close(fig)


def test_a_range_of_the_committed_case_warns_a_reader_and_an_invariant_still_fails(own):
    checks.usual("gain", 0.5, low=0.6, high=1.0)
    assert recorded(own)["checks"]["gain"] == {"n": 1, "holds": False}
    assert recorded(own)["warnings"] == ["check 'gain' fails: 0.5; allowed: >= 0.6 and <= 1"]
    with pytest.raises(RunError, match="over its bound"):
        checks.that("over its bound", 0.5, low=1.0)
    with pytest.raises(RunError, match="not a number"):
        checks.that("not a number", [1.0, np.nan], low=0.0)
    checks.that("nothing feasible", [], low=0.0)
    assert "nothing feasible" in recorded(own)["warnings"][1]


def test_a_usual_range_holds_in_committed_runs(out):
    with pytest.raises(RunError, match="check 'gain' fails"):
        checks.usual("gain", 0.5, low=0.6, high=1.0)


def test_a_value_that_does_not_exist_is_an_answer_with_its_reason(own):
    metrics = {"rate": report.Metric(np.nan, "1/s", "highest rate", reason="kept at no load")}
    metrics["price"] = report.Metric(2.0, "USD", "price", 1.0, np.inf)
    report.record(metrics)
    entries = recorded(own)["metrics"]
    assert entries["rate"]["value"] is None and entries["rate"]["reason"] == "kept at no load"
    assert (entries["price"]["low"], entries["price"]["high"]) == (1.0, None) and "reason" not in entries["price"]
    told = [
        "metric rate (highest rate) has no finite value: kept at no load",
        "metric price (price) has no finite high end",
    ]
    assert recorded(own)["warnings"] == told
    text = "It bears {{rate:.1f}} a second. It costs {{price:.1f}} USD ({{price.low:.1f}} to {{price.high:.1f}})."
    told = "*Not known here: highest rate (kept at no load).* It costs 2.0 USD (1.0 to without limit)."
    assert prose.filled(text, entries, "nb") == told
    assert prose.filled("### At {{rate:.1f}}", entries, "nb") == "### At –"


def test_no_data_is_a_labelled_gap_in_a_readers_run(own):
    @figures.drawing
    def lines(data):
        raise AssertionError("there is nothing to draw")

    data = figures.data("size", pd.DataFrame({"run_s": []}))
    figures.save(lines(data), "size", "A caption.", SOURCE)
    assert tables.save(pd.DataFrame(), "none", "A caption.").empty
    assert recorded(own)["warnings"] == ["figure size: no data to draw", "table none: no rows"]
    assert units.units(pd.DataFrame({"layout": [np.nan], "tpot_ms": [np.nan]})) == {"layout": "text", "tpot_ms": "ms"}


def test_the_row_of_an_extreme_is_one_of_no_values_where_none_is_known():
    table = pd.DataFrame({"name": ["a", "b"], "usd": [2.0, 1.0]})
    assert (report.extreme(table, "usd")["name"], report.extreme(table, "usd", least=True)["name"]) == ("a", "b")
    assert report.extreme(table.assign(usd=np.nan), "usd").isna().all()
    assert report.extreme(pd.DataFrame(), "usd").isna().all()


METRICS = {"rate": {"value": 0.333333, "low": 0.3, "high": 0.4}, "best": {"value": "H100"}, "n": {"value": 12345}}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{rate}}", "0.333"),
        ("{{ rate:.0% }} ({{rate.low:.1f}} to {{rate.high}})", "33% (0.3 to 0.4)"),
        ("{{best}} of {{n:,}}", "H100 of 12,345"),
        (r"$\frac{{a}}$ and {{{x}}}", None),
        ("$e^{x}$", "$e^{x}$"),
    ],
)
def test_prose_is_filled(text, filled):
    if filled is None:
        with pytest.raises(RunError):
            prose.filled(text, METRICS, "nb")
    else:
        assert prose.filled(text, METRICS, "nb") == filled


@pytest.mark.parametrize("text", ["{{unknown}}", "{{best.low}}", "{{best:.2f}}"])
def test_unknown_number_in_prose_is_refused(text):
    with pytest.raises(RunError, match="nb"):
        prose.filled(text, METRICS, "nb")
