"""Campaigns: copies across sources are found and stay on one side of every fold; coincidences are none."""

import numpy as np
import pytest

from tokenomics.calibration.engines import campaigns, profiles
from tokenomics.facts import measurements, tables

OTHER = {"source": "two", "table": "silicon_sample", "version": ""}


@pytest.fixture
def pairs(rows):
    def found(*changes):
        labels = campaigns.copies(rows(*changes))
        return list(zip(labels["left"], labels["right"], strict=True))

    return found


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"canonical": "DeepSeek-R1"},
        {"isl": 921.6, "osl": 921.6},
        {"value": 12.35, "seconds": 0.01235},
        {"value": 12.346, "seconds": 0.012346},
        {"metric": "decode_tok_s_per_user", "value": 1 / 0.0123456},
        {"metric": "tpot"},
        {"version": "0.5.12", "tp": 4.0},
    ],
)
def test_a_planted_copy_is_found(pairs, other):
    assert pairs({}, OTHER | other) == [(0, 1)]


@pytest.mark.parametrize(
    "other",
    [
        {"source": "one"},
        {"seconds": 0.012349},
        {"value": 12.0, "seconds": 0.012},
        {"metric": "ttft_mean"},
        {"batch": 8.0},
        {"n_gpu": 4.0},
        {"isl": 2048.0},
        {"family": "Llama-3"},
        {"accelerator": "H200-SXM-141GB"},
        {"engine_word": "trtllm"},
        {"load": "static"},
    ],
)
def test_what_differs_is_no_copy(pairs, other):
    assert pairs({}, OTHER | other) == []


def test_few_digits_are_a_coincidence(pairs):
    assert pairs({"seconds": 0.012, "value": 12.0}, OTHER | {"seconds": 0.012, "value": 12.0}) == []


def test_rows_without_a_batch_can_be_copies(pairs):
    single = {"batch": float("nan"), "load": "max"}
    assert pairs(single, OTHER | single) == [(0, 1)]


def test_campaigns_that_share_a_copy_are_one(rows):
    """Through any number of sources; rows of these campaigns that are no copies come along."""
    table = rows(
        {},
        {"batch": 32.0, "seconds": 0.02},
        OTHER,
        OTHER | {"batch": 64.0, "seconds": 0.0312345},
        {"source": "three", "batch": 64.0, "seconds": 0.0312345, "version": "0.5"},
        {"source": "three", "accelerator": "H200-SXM-141GB", "seconds": 0.04, "version": "0.5"},
    )
    named = campaigns.campaigns(table, campaigns.copies(table))
    assert named[:5].nunique() == 1 and named[0] == "one B200-SXM-180GB sglang 0.5.9"
    assert named[5] == "three H200-SXM-141GB sglang 0.5"


def test_no_copy_straddles_a_fold(rows):
    """Many sources with planted copies among noise: family, accelerator and campaign of both sides agree."""
    random = np.random.default_rng(1)
    changes = []
    for place in range(60):
        one = {
            "family": f"f{place % 4}",
            "accelerator": f"a{place % 3}",
            "batch": float(2 ** (place % 7)),
            "seconds": round(float(random.uniform(0.01, 0.05)), 8),
            "version": f"v{place % 5}",
        }
        changes += [one | {"source": f"s{place % 6}"}, one | {"source": f"t{place % 5}", "version": ""}]
    table = rows(*changes)
    found = campaigns.copies(table)
    assert len(found) >= 60
    named = table.assign(campaign=campaigns.campaigns(table, found))
    for fold in ("family", "accelerator", "campaign"):
        assert (named.loc[found["left"], fold].to_numpy() == named.loc[found["right"], fold].to_numpy()).all()


def test_a_campaign_can_be_left_out(rows):
    """A fit without a campaign does not see the copies of its rows that another source published."""
    pytest.importorskip("scipy")
    random = np.random.default_rng(2)
    parts = {"batch": 2.0 ** random.integers(0, 9, 40), "seconds": np.round(random.uniform(0.01, 0.05, 40), 9)}
    own = [{"batch": b, "seconds": s} for b, s in zip(*parts.values(), strict=True)]
    third = [{"source": "three", "accelerator": "H200-SXM-141GB"} | row for row in own]
    table = rows(*own, *(OTHER | row for row in own), *third).assign(moe=False)
    table["profile"] = np.where(table["source"] == "three", "vllm 2026", "sglang")
    table["campaign"] = campaigns.campaigns(table, campaigns.copies(table))
    coefficients = random.uniform(0.5, 1.5, (len(table), 4)) * [0.01, 0.01, 1, 10]
    copied = (table["campaign"] == table["campaign"][0]).to_numpy()
    assert copied.sum() == 80
    fits = [
        {each.without: each.numbers.tolist() for each in profiles.profiles(data, "campaign") if each.name == "sglang"}
        for factor in (1.0, 5.0)
        for data in [profiles.Design(table, coefficients, table["seconds"].to_numpy() * np.where(copied, factor, 1.0))]
    ]
    name = table["campaign"][0]
    assert fits[0][name] == fits[1][name] and fits[0][""] != fits[1][""]


def test_committed_copies_lie_in_the_tables():
    found = tables.read("calibration/copies")
    assert len(found) > 60
    left_out = set(tables.read("calibration/left_out")["case"])
    assert not left_out & set(found["other_case"]), "a copy of a row without drafts drafts none"
    for kind, part in found.groupby("table"):
        table = measurements.read(kind).set_index("case").loc[part["case"]]
        assert table["metric"].tolist() == part["metric"].tolist()
        assert (table["source"].to_numpy() == part["source"].str.split(";").str[0].to_numpy()).all()
    assert (found.groupby("case")["campaign"].nunique() == 1).all()
    assert (found.groupby("other_case")["campaign"].nunique() == 1).all()
