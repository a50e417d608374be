"""Rows that no fit reads: drafts and layouts that cannot exist are known without a prediction."""

import numpy as np
import pytest

from tokenomics.calibration.engines import unfit
from tokenomics.facts import tables

SAMPLE = {"table": "silicon_sample", "source": "silicon_sample"}
NAMED = SAMPLE | {"canonical": "DeepSeek-R1"}
STATED = {"spec_method": "none", "canonical": "DeepSeek-R1"}


@pytest.fixture
def found(rows):
    def reasons(*changes):
        table = rows(*changes)
        return unfit.reasons(table, table["table"] == "silicon_sample")

    return reasons


def test_drafts_show_beside_a_row_that_states_none(found):
    each = found(
        STATED | {"seconds": 0.01}, NAMED | {"seconds": 0.006}, NAMED | {"seconds": 0.0095, "date": "2026-03-24"}
    )
    assert each["reason"].tolist() == ["", unfit.DRAFTS, ""]
    assert each["ratio"].tolist()[1:] == pytest.approx([0.6, 0.95])


def test_drafts_show_beside_the_same_shape_under_another_name(found):
    assert found(SAMPLE | {"seconds": 0.01}, NAMED | {"seconds": 0.006})["reason"].tolist() == ["", unfit.DRAFTS]


def test_the_nearest_in_date_counts(found):
    old, new = {"seconds": 0.02, "date": "2025-11-02"}, {"seconds": 0.0098, "date": "2026-03-20"}
    assert found(STATED | old, STATED | new, NAMED | {"seconds": 0.0097})["reason"].tolist() == ["", "", ""]


def test_other_conditions_say_nothing(found):
    for other in ({"bits": 4}, {"n_gpu": 4.0}, {"batch": 8.0}, {"accelerator": "H200-SXM-141GB"}, {"osl": 8192.0}):
        each = found(STATED | other, NAMED | {"seconds": 0.006})
        assert each["reason"].tolist() == ["", ""] and each["ratio"].isna().all()


def test_a_run_is_judged_as_a_whole_where_a_row_has_no_counterpart(found):
    lone = {"batch": 512.0, "seconds": 0.04}
    each = found(
        STATED | {"seconds": 0.01},
        NAMED | {"seconds": 0.006},
        NAMED | lone,
        NAMED | lone | {"n_gpu": 4.0},
        NAMED | lone | {"date": "2026-01-01"},
    )
    assert each["reason"].tolist() == ["", unfit.DRAFTS, unfit.DRAFTS, unfit.DRAFTS, ""]


def test_a_row_under_two_names_judges_no_other(found):
    """A copy of a row without drafts is kept, and is no evidence that the rest of its run drafts none."""
    each = found(
        STATED | {"seconds": 0.01},
        NAMED | {"seconds": 0.01},
        STATED | {"seconds": 0.02, "batch": 32.0},
        NAMED | {"seconds": 0.012, "batch": 32.0},
        NAMED | {"seconds": 0.04, "batch": 512.0},
    )
    assert each["reason"].tolist() == ["", "", "", unfit.DRAFTS, unfit.DRAFTS]


def test_first_tokens_go_with_their_operating_point(found):
    point = {"case": "a"}
    each = found(
        STATED | {"seconds": 0.01},
        NAMED | point | {"seconds": 0.006},
        NAMED | point | {"seconds": 0.3, "metric": "ttft_mean"},
        NAMED | {"case": "b", "seconds": 0.3, "metric": "ttft_mean", "batch": 1.0, "date": "2026-01-01"},
    )
    assert each["reason"].tolist() == ["", unfit.DRAFTS, unfit.DRAFTS, ""]


def test_layouts_that_cannot_exist_condemn_their_run(found):
    """128 heads are not cut by 72; 64 of the same campaign counted devices alike, elsewhere not."""
    wide = NAMED | {"accelerator": "GB200"}
    each = found(wide | {"tp": 72.0}, wide | {"tp": 36.0}, wide | {"tp": 64.0}, wide | {"tp": 64.0, "version": "1"})
    assert each["reason"].tolist() == [unfit.LAYOUT] * 3 + [""]


def test_only_rows_of_the_sample_are_left_out(found):
    each = found({"tp": 72.0}, STATED | {"seconds": 0.01}, {"canonical": "DeepSeek-R1", "seconds": 0.001})
    assert (each["reason"] == "").all()


def test_left_out_rows_say_why():
    table = tables.read("calibration/left_out")
    assert set(table["reason"]) == {unfit.LAYOUT, unfit.DRAFTS}
    drafts = table["reason"] == unfit.DRAFTS
    assert (table.loc[drafts, "ratio"] < unfit.DRAFTED).all() and table.loc[~drafts, "ratio"].isna().all()
    assert np.isclose(table.loc[drafts, "ratio"].median(), 0.65, atol=0.1)
