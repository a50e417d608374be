"""Nothing of a user's is overwritten or deleted, whatever and wherever it is; an output is whole or not there."""

import errno
import os
import resource
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from tokenomics import outputs, paths
from tokenomics.cli import main
from tokenomics.errors import DataError, RunError

NOTEBOOK = "01_ubiquitous_llms"


def tree(folder) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}


def fill(folder, text="1") -> None:
    (folder / "figures").mkdir()
    (folder / "figures" / "a.csv").write_text(text)
    (folder / "metrics.json").write_text(text)


def make(out, text="1", **options) -> None:
    with outputs.folder(out, **options) as fresh:
        fill(fresh, text)


@pytest.fixture
def made(tmp_path):
    """A folder that this program made, in a folder of the user's, and the user's other file."""
    (tmp_path / "notes.txt").write_text("years of work")
    make(tmp_path / "mine")
    return tmp_path / "mine"


@pytest.fixture(params=["exchanged", "renamed"])
def both_systems(request, monkeypatch):
    """With and without a system that exchanges two names in one step."""
    if request.param == "renamed":
        monkeypatch.setattr(outputs, "_renameat2", lambda *_: False)


def test_an_unchanged_output_is_replaced_whole_and_nothing_is_left_beside(made, both_systems):
    (made / "metrics.json").unlink()  # what is missing is no loss
    make(made, "2")
    assert tree(made).items() >= {"figures/a.csv": "2", "metrics.json": "2"}.items()
    assert sorted(p.name for p in made.parent.iterdir()) == ["mine", "notes.txt"]
    make(made.parent / "new" / "deep")
    (made.parent / "empty").mkdir()
    make(made.parent / "empty")
    assert (made.parent / "empty" / "metrics.json").exists()


def test_the_record_can_be_checked_by_others(made):
    command = ["sha256sum", "--check", "--quiet", outputs.FOLDER_RECORD]
    if shutil.which(command[0]):
        subprocess.run(command, cwd=made, check=True)


def foreign(folder):
    (folder / "figures" / "deep" / "er").mkdir(parents=True)
    (folder / "figures" / "deep" / "er" / "thesis.tex").write_text("mine")
    return "figures/deep/er/thesis.tex", "not made by this program"


def edited(folder):
    (folder / "figures" / "a.csv").write_text("mine")
    return "figures/a.csv", "changed since it was made"


def hidden(folder):
    (folder / ".secret").write_text("mine")
    return ".secret", "not made by this program"


def link_to_a_folder(folder):
    (folder / "figures" / "b").symlink_to(folder.parent)
    return "figures/b", "a symbolic link"


def link_to_nothing(folder):
    (folder / "figures" / "b").symlink_to("nowhere")
    return "figures/b", "a symbolic link"


def link_in_place(folder):
    (folder / "metrics.json").rename(folder.parent / "moved")
    (folder / "metrics.json").symlink_to(folder.parent / "moved")
    return "metrics.json", "a symbolic link"


def pipe(folder):
    os.mkfifo(folder / "pipe")
    return "pipe", "a device, pipe or socket"


def unrecorded(folder):
    (folder / outputs.FOLDER_RECORD).unlink()
    return "metrics.json", "not made by this program"


SPOILS = (foreign, edited, hidden, link_to_a_folder, link_to_nothing, link_in_place, pipe, unrecorded)


@pytest.mark.parametrize("spoil", SPOILS)
def test_an_entry_of_the_users_at_any_depth_means_refusal_by_name(made, spoil):
    name, what = spoil(made)
    before = sorted(made.rglob("*"))
    with pytest.raises(DataError) as refused:
        make(made, "2")
    assert what in str(refused.value) and "--force" in str(refused.value)
    assert spoil is unrecorded or str(made / name) in str(refused.value)
    assert sorted(made.rglob("*")) == before and (made / "metrics.json").read_text() == "1"


@pytest.mark.parametrize("spoil", SPOILS)
def test_force_replaces_the_folder_but_follows_no_link(made, spoil):
    spoil(made)
    make(made, "2", force=True)
    assert sorted(tree(made)) == [outputs.FOLDER_RECORD, "figures/a.csv", "metrics.json"]
    assert (made.parent / "notes.txt").read_text() == "years of work"


@pytest.mark.parametrize("spoil", [s for s in SPOILS if s is not unrecorded])
def test_what_the_user_adds_while_a_run_goes_on_is_not_lost_either(made, spoil, both_systems):
    with pytest.raises(DataError, match="while it is made anew"), outputs.folder(made) as fresh:
        fill(fresh, "2")
        spoil(made)
        seen = sorted(made.rglob("*"))
    assert sorted(made.rglob("*")) == seen
    assert (made / "figures" / "a.csv").read_text() == ("mine" if spoil is edited else "1")


def test_a_folder_that_another_fills_meanwhile_is_not_replaced(tmp_path):
    out = tmp_path / "mine"
    with pytest.raises((DataError, OSError)), outputs.folder(out) as fresh:
        fill(fresh)
        out.mkdir()
        (out / "thesis.tex").write_text("mine")
    assert tree(out) == {"thesis.tex": "mine"}


def test_committed_files_count_as_made_by_their_sha_256_or_by_their_name_in_git(made):
    (made / outputs.FOLDER_RECORD).unlink()
    one = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"
    blob = "56a6051ca2b02b04ef92d5150c9ef600403cb1de"  # printf 1 | git hash-object --stdin
    with pytest.raises(DataError, match="metrics.json"):
        outputs.check_folder(made, known={"figures/a.csv": {one}})
    outputs.check_folder(made, known={"figures/a.csv": {one}, "metrics.json": {blob}})


@pytest.mark.parametrize("force", [False, True])
def test_places_that_no_folder_may_take_whatever_is_asked(tmp_path, monkeypatch, force):
    home, work = tmp_path / "home", tmp_path / "home" / "work" / "here"
    work.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(work)
    (tmp_path / "link").symlink_to(work)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text("mine")
    (work / "back").symlink_to(tmp_path)
    places = [".", "..", "../..", "/", str(home), str(tmp_path), str(work / "back" / "home"), "x/.."]
    places += [str(paths.ROOT), str(paths.RESULTS), str(paths.ROOT.parent), str(paths.PACKAGE)]
    places += [str(paths.RESULTS / "mine"), str(paths.RESULTS / NOTEBOOK / "figures"), str(paths.RESULTS / NOTEBOOK)]
    places += [str(tmp_path / "link"), str(tmp_path / "pipe"), str(tmp_path / "file"), str(tmp_path / "file" / "x")]
    places += ["/dev/null", "/dev/null/x"]
    for place in places:
        with pytest.raises(DataError, match="--out"):
            outputs.check_folder(outputs.Path(place), force=force)


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_the_command_refuses_in_one_line_before_anything_runs(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("years of work")
    (tmp_path / "loop").symlink_to("loop")
    runs = [[NOTEBOOK, "--out", each] for each in (name, "loop", paths.RESULTS / "x")]
    table = paths.DATA / "measurements" / "training_runs.csv"
    scores = [["score", "loop"], ["score", table, "--out", "loop"], ["score", table, "--plot", "loop.png"]]
    (tmp_path / "loop.png").symlink_to("loop.png")
    for arguments in [*(["run", *each] for each in runs), *scores]:
        result = CliRunner().invoke(main, list(map(str, arguments)))
        assert result.exit_code == 2 and result.stderr.count("\n") == 1
        assert any(said in result.stderr for said in ("--out", "--plot", "loop: file"))
    for link in ("loop", "loop.png"):
        (tmp_path / link).unlink()
    assert tree(tmp_path) == {"file": "years of work"}


def test_a_folder_that_is_read_only_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    for check in (outputs.check_folder, outputs.check_file):
        with pytest.raises(DataError, match="can be written"):
            check(tmp_path / "out")


class TestFile:
    def write(self, path, text="1", **options):
        with outputs.file(path, **options) as fresh:
            fresh.write_text(text)

    def test_an_unchanged_one_is_replaced_and_others_are_not(self, tmp_path, both_systems):
        path = tmp_path / "p.csv"
        for text in ("1", "2", "3"):
            self.write(path, text)
            assert path.read_text() == text
        path.write_text("mine")
        with pytest.raises(DataError, match="changed since it was made"):
            self.write(path)
        (tmp_path / "q.csv").write_text("mine")
        with pytest.raises(DataError, match=r"q.csv: --plot = a file not made by this program; .* --force"):
            self.write(tmp_path / "q.csv", option="--plot")
        assert path.read_text() == (tmp_path / "q.csv").read_text() == "mine"
        self.write(path, "4", force=True)
        assert path.read_text() == "4"
        assert sorted(p.name for p in tmp_path.iterdir()) == [outputs.FILE_RECORD, "p.csv", "q.csv"]

    @pytest.mark.parametrize("force", [False, True])
    def test_only_regular_files_outside_results(self, tmp_path, monkeypatch, force):
        monkeypatch.chdir(tmp_path)
        os.mkfifo("pipe")
        (tmp_path / "link").symlink_to("nowhere")
        (tmp_path / "file").write_text("mine")
        (tmp_path / "also").symlink_to("file")
        places = ["pipe", "link", "also", ".", "..", "file/x", "missing/x", "/dev/null", "/dev/stdout", "/"]
        for place in [*places, str(paths.RESULTS / "x.csv"), str(paths.RESULTS / NOTEBOOK / "metrics.json")]:
            with pytest.raises(DataError, match="--out"):
                outputs.check_file(outputs.Path(place), force=force)
        assert (tmp_path / "file").read_text() == "mine" and not (tmp_path / "nowhere").exists()

    def test_one_that_changes_meanwhile_stays(self, tmp_path, both_systems):
        self.write(tmp_path / "p.csv")
        with pytest.raises(DataError, match="while it is made anew"), outputs.file(tmp_path / "p.csv") as fresh:
            fresh.write_text("2")
            (tmp_path / "p.csv").write_text("mine")
        assert (tmp_path / "p.csv").read_text() == "mine"

    def test_a_block_that_writes_nothing_makes_nothing(self, tmp_path):
        with outputs.file(tmp_path / "p.csv"):
            pass
        assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_all_as_it_was_and_is_named(made):
    """A limit on the size of files stands for the disk; it holds for root too."""
    code = f"""
import resource
from pathlib import Path
from tokenomics import outputs
from tokenomics.errors import one_line
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
with one_line(), outputs.folder(Path({str(made)!r})) as fresh:
    (fresh / "big").write_bytes(b"0" * 2000)
"""
    before = tree(made.parent)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert os.strerror(errno.EFBIG) in done.stderr and str(made) in done.stderr
    assert tree(made.parent) == before and resource.getrlimit(resource.RLIMIT_FSIZE) != (1000, 1000)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EACCES])
@pytest.mark.parametrize("call", ["pathlib.Path.mkdir", "pathlib.Path.write_text"])
def test_whatever_the_system_refuses_leaves_all_as_it_was(made, monkeypatch, call, code):
    before = tree(made.parent)

    def refuse(*_, **__):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched, pytest.raises(OSError) as refused:
        patched.setattr(call, refuse)
        make(made, "2")
    assert refused.value.filename == str(made) and refused.value.errno == code
    assert tree(made.parent) == before


def test_a_block_that_fails_leaves_the_target_and_keeps_what_there_is_without_replacing_what_was_edited(made):
    failed = made.parent / "failed" / "x"
    for text in ("a", "b"):
        with pytest.raises(KeyError), outputs.folder(made, failed=failed) as fresh:
            fill(fresh, text)
            raise KeyError
    assert tree(made)["metrics.json"] == "1" and tree(failed)["metrics.json"] == "b"
    (failed / "metrics.json").write_text("mended by hand")
    with pytest.raises(KeyError), outputs.folder(made, failed=failed) as fresh:
        fill(fresh, "c")
        raise KeyError
    assert tree(failed)["metrics.json"] == "mended by hand"
    assert tree(failed.with_name("x-2"))["metrics.json"] == "c"


def test_an_error_of_the_block_is_passed_on_whatever_it_is(made):
    for error in (FileNotFoundError(2, "gone", "x"), BlockingIOError(11, "busy", "x"), KeyboardInterrupt()):
        with pytest.raises(type(error)), outputs.folder(made):
            raise error
    assert sorted(p.name for p in made.parent.iterdir()) == ["mine", "notes.txt"]


def test_a_users_own_file_in_the_hidden_folder_is_not_deleted(made):
    (work_of(made) / "own.txt").write_text("mine")
    make(made, "2")
    assert (made.parent / ".mine.tokenomics" / "own.txt").read_text() == "mine"


def test_a_second_writer_is_refused(made):
    with outputs.folder(made) as fresh:
        fill(fresh, "2")
        with pytest.raises(RunError, match="another run is writing it"), outputs.folder(made):
            pass
    assert (made / "metrics.json").read_text() == "2"


def work_of(made):
    work = made.with_name(".mine.tokenomics")
    work.mkdir()
    return work


def test_what_a_killed_run_left_is_cleared_or_put_back(made):
    work = work_of(made)
    (work / "new-1").mkdir()
    (work / "new-1" / "half").write_text("")
    made.rename(work / "old")
    with pytest.raises(KeyError), outputs.folder(made):
        assert (made / "metrics.json").read_text() == "1"
        raise KeyError
    assert sorted(p.name for p in made.parent.iterdir()) == ["mine", "notes.txt"]


def test_what_a_user_put_into_a_folder_that_a_killed_run_had_just_exchanged_is_not_lost(made):
    work = work_of(made)
    shutil.copytree(made, work / "new-1")
    foreign(work / "new-1")
    with pytest.raises(RunError, match=r"thesis.tex: a file not made .*killed; move it"):
        make(made, "2")
    assert (work / "new-1" / "figures" / "deep" / "er" / "thesis.tex").exists()


def test_a_users_own_file_where_the_output_would_be_built_is_refused(made):
    made.with_name(".mine.tokenomics").symlink_to(made.parent)
    with pytest.raises(RunError, match="a symbolic link, where mine is to be built"):
        make(made, "2")
