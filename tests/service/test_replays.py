"""The simulator against another one (Vidur), on that one's service times and on ours, and against real vLLM runs."""

import shutil

import pytest

from tokenomics import paths
from tokenomics.errors import RunError
from tokenomics.facts import tables
from tokenomics.service.replays import engines, rebuild, vidur

NAMES = ("replays", "replayed_runs")


@pytest.fixture(scope="module")
def made(given_data, tmp_path_factory):
    """Both tables, written anew from the request streams."""
    out = tmp_path_factory.mktemp("serving")
    for name in NAMES:
        shutil.copy(paths.DATA / "serving" / f"{name}.meta.yaml", out)
    rebuild.rebuild(given_data, out)
    return {name: tables.read(out / f"{name}.csv") for name in NAMES}


def error(table, times, metric, statistic):
    """Relative error by run."""
    rows = table.query("times == @times and metric == @metric and statistic == @statistic").set_index("run")
    return rows["replayed_s"] / rows["reported_s"] - 1


def test_every_request_as_in_the_other_simulator(made):
    rows = made["replays"].query("times == @vidur.THEIRS and statistic == @rebuild.LARGEST")
    assert rows["run"].nunique() == 5 and set(rows["metric"]) == set(engines.METRICS)
    assert rows["replayed_s"].max() < 1e-5


def test_our_own_times_come_near_the_other_simulators(made):
    chunked = error(made["replays"], vidur.OURS, "tpot_s", "p50").filter(like="sarathi")
    assert len(chunked) == 4 and chunked.abs().max() < 0.15
    assert error(made["replays"], vidur.OURS, "ttft_s", "p50").filter(like="sarathi").abs().max() < 0.15


@pytest.mark.parametrize("metric, target", [("tpot_s", 0.05), ("e2e_s", 0.05), ("ttft_s", 0.15)])
def test_a_real_run_from_two_numbers_fitted_on_its_first_third(made, metric, target):
    found = error(made["replays"], engines.FITTED, metric, "mean")
    assert set(found.index) == set(engines.RUNS) and found.abs().max() < target


def test_no_fit_lies_at_the_edge_of_its_grid(made):
    rows = made["replayed_runs"].query("times == @engines.FITTED")
    for name, grid in (("decode_factor", engines.DECODES), ("prompt_factor", engines.PROMPTS)):
        assert rows[name].between(grid[0], grid[-1], inclusive="neither").all()


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_tables_are_those_of_the_calibration(made, name):
    committed = tables.read(f"serving/{name}")
    key = list(tables.read_meta(paths.DATA / "serving" / f"{name}.csv").key)
    both = committed.merge(made[name], on=key, suffixes=("", "_now"), validate="one_to_one")
    assert len(both) == len(committed) == len(made[name])
    numbers = [column for column in committed if f"{column}_now" in both and committed[column].dtype.kind == "f"]
    exact = both["statistic"] != rebuild.LARGEST if "statistic" in both else both["run"] != ""
    for column in numbers:
        assert both.loc[exact, f"{column}_now"].to_numpy(float) == pytest.approx(
            both.loc[exact, column].to_numpy(float), rel=2e-3, abs=1e-9
        ), "python -m tokenomics.service.replays FOLDER rewrites data/serving"


def test_without_the_streams_the_rebuild_says_what_is_missing(tmp_path):
    with pytest.raises(RunError, match=r"simulator_reference is not in the folder"):
        rebuild.rebuild(tmp_path, tmp_path)
