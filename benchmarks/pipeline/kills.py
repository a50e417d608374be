"""Kill the program at random moments and see whether anything of the user's or anything committed is lost.

    python benchmarks/pipeline/kills.py --kills 30 --seed 1   (about 15 minutes; works on a clone)

`reproduce`, `dvc repro`, `score` and `run --out` are killed in turn (SIGKILL; every other time with all that they
started). Each is to replace an output by another one, so that an output that is neither the old nor the new one, whole,
is seen. To be quick the clone's pipeline has one notebook, and its frozen stages. After each kill the same command runs
to its end.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
NOTEBOOK = "01_ubiquitous_llms"
PARAMETERS = f"params/{NOTEBOOK}.yaml"
WORDS = ("task_answer_words: 250.0", "task_answer_words: 260.0")
"""The two values of one parameter, as they stand in its file; the first is committed."""
ROWS = "model,hardware,metric,n_gpu,isl,osl,load,batch,value\n" + "".join(
    f"Llama-3.1-8B,H100-SXM-80GB,tpot,1,1024,128,closed,{batch},9\n" for batch in (1, 2, 4, 8, 16, 32)
)
PATIENCE_S = 120
Tree = dict[str, str]


def tree(folder: Path, leave: Iterable[str] = ()) -> Tree:
    """SHA-256 of every file below a folder (hidden ones of other programs left out) by relative path."""
    apart = (".git", ".dvc", "__pycache__", ".cache", *leave)
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not any(part in apart for part in path.relative_to(folder).parts) and name not in leave:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def lost(kept: Tree, now: Tree, outputs: list[tuple[Tree, Tree]], made: list[Tree]) -> list[str]:
    """What is no longer as it was.

    Args:
        kept: files that nothing may touch, before.
        now: those files, after.
        outputs: for each output, the only two trees that it may be: the old and the new one.
        made: each output as it is.
    """
    lines = [f"{name} is {'changed' if name in now else 'gone'}" for name in kept if now.get(name) != kept[name]]
    for allowed, found in zip(outputs, made, strict=True):
        if found not in allowed:
            near = min(allowed, key=lambda each: len(each.items() ^ found.items()))
            lines.append(f"an output is neither old nor new: {sorted(dict(near.items() ^ found.items()))[:3]}")
    return lines


@dataclass
class Place:
    """The clone, and a folder of the user's outside it."""

    clone: Path
    user: Path

    def command(self, *arguments: str) -> dict:
        """What `subprocess` needs to run a program of this environment on the clone."""
        environment = os.environ | {
            "TOKENOMICS_ROOT": str(self.clone),
            "PYTHONPATH": str(self.clone / "lib"),
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "DVC_NO_ANALYTICS": "1",
        }
        cwd = self.user if arguments[1] in ("score", "run") else self.clone
        return {"args": [str(BIN / arguments[0]), *arguments[1:]], "cwd": cwd, "env": environment}

    def finish(self, *arguments: str) -> tuple[int, float, str]:
        """Exit code, seconds and output of a command that runs to its end."""
        start = time.monotonic()
        done = subprocess.run(**self.command(*arguments), capture_output=True, text=True, check=False)
        return done.returncode, time.monotonic() - start, done.stdout + done.stderr

    def kill(self, moment: float, everything: bool, *arguments: str) -> bool:
        """Start a command, kill it after so many seconds, and wait for all that it started; whether it was running."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(**self.command(*arguments), **quiet, start_new_session=True)
        time.sleep(moment)
        running = process.poll() is None
        if running:
            (os.killpg if everything else os.kill)(process.pid, signal.SIGKILL)
        process.wait()
        end = time.monotonic() + PATIENCE_S
        while left := self.processes():
            if time.monotonic() > end:
                raise SystemExit(f"processes that do not end: {left}")
            time.sleep(0.1)
        return running

    def processes(self) -> list[int]:
        """Processes that work on the clone."""
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if f"TOKENOMICS_ROOT={self.clone}\0".encode() in path.read_bytes():
                    found.append(int(path.parent.name))
            except OSError:
                continue
        return found

    def set(self, which: int) -> None:
        """Write the first or the second value of the parameter."""
        path = self.clone / PARAMETERS
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(WORDS[1 - which], WORDS[which]), encoding="utf-8")

    def kept(self) -> Tree:
        """Files that no command may touch: the user's, and what is committed outside results."""
        outputs = ("results", "dvc.lock", PARAMETERS)
        own = tree(self.user, leave=("mine", "pred.csv", "pred.png", ".tokenomics-files"))
        return {f"user/{name}": digest for name, digest in own.items() if ".tokenomics/" not in name} | tree(
            self.clone, leave=outputs
        )

    def made(self) -> list[Tree]:
        """The outputs as they are: results, the run's folder, predictions and plot."""
        pair = {name: digest for name, digest in tree(self.user).items() if name in ("pred.csv", "pred.png")}
        record = (".tokenomics-folder",)
        folders = [tree(each, record) for each in (self.clone / "results" / NOTEBOOK, self.user / "mine")]
        return [*folders, *({name: pair[name]} if name in pair else {} for name in ("pred.csv", "pred.png"))]


def prepare(base: Path) -> Place:
    """A clone with one notebook, and a user's folder with files of many kinds."""
    place = Place(base / "a clone", base / "user")
    subprocess.run(["git", "clone", "-q", str(ROOT), str(place.clone)], check=True)
    yaml = YAML()
    path = place.clone / "dvc.yaml"
    pipeline = yaml.load(path.read_text(encoding="utf-8"))
    for name in [name for name in pipeline["stages"] if name[:2].isdigit() and name != NOTEBOOK]:
        del pipeline["stages"][name]
    del pipeline["metrics"]
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(pipeline, file)
    for name in ("thesis.tex", ".mine.old/thesis.tex", ".mine.new/thesis.tex", "picture.png"):
        (place.user / name).parent.mkdir(parents=True, exist_ok=True)
        (place.user / name).write_text("years of work")
    for number, name in enumerate(("first.csv", "second.csv")):
        (place.user / name).write_text(ROWS.replace(",1024,", f",{1024 + number},"))
    return place


def commands(which: int) -> dict[str, tuple[str, ...]]:
    """Each command, as it makes the first or the second of its outputs."""
    words = WORDS[which].replace(": ", "=")
    scored = ("first.csv", "second.csv")[which]
    return {
        "reproduce": ("tokenomics", "reproduce"),
        "dvc repro": ("dvc", "repro"),
        "score": ("tokenomics", "score", scored, "--out", "pred.csv"),
        "run --out": ("tokenomics", "run", NOTEBOOK, "--set", words, "--out", "mine"),
    }


def main() -> None:
    """Kill, compare, recover; exit code 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance, base = random.Random(options.seed), Path(tempfile.mkdtemp())
    place, states, seconds, worst = prepare(base), {}, {}, 0
    for which in (1, 0):
        place.set(which)
        for name, command in commands(which).items():
            if name != "reproduce":
                code, seconds[name], said = place.finish(*command)
                assert code == 0, said
        states[which] = place.made()
    git = ["git", "-c", "user.name=tester", "-c", "user.email=tester@example.org", "commit", "-q", "-a", "-m", "Cut"]
    subprocess.run(git, cwd=place.clone, check=True)
    seconds["reproduce"] = place.finish("tokenomics", "reproduce")[1]
    pairs, kept = list(zip(states[0], states[1], strict=True)), place.kept()
    print("| kill | command | after | of | was running | lost | next run |\n|---|---|---|---|---|---|---|")
    for number in range(options.kills):
        name = list(commands(0))[number % 4]
        which = {"reproduce": 1, "dvc repro": 0}.get(name, 1 - number // 4 % 2)  # each finds the other output there
        command = commands(which)[name]
        place.set(which)
        moment = chance.uniform(0, seconds[name])
        running = place.kill(moment, number % 8 >= 4, *command)
        found = lost(kept, place.kept(), pairs, place.made())
        code, _, said = place.finish(*command)
        if code != (1 if name == "reproduce" and which else 0):
            found.append(f"the next run ended with {code}: {said[-300:]}")
        found += lost(kept, place.kept(), pairs, place.made())
        found += [f"{path.name} is left" for path in [*base.rglob(".*.tokenomics")]]
        worst += bool(found)
        ends = "see there" if found else "ends well"
        cells = f"{number + 1} | {name} | {moment:.1f} s | {seconds[name]:.1f} s | {'yes' if running else 'no'}"
        print(f"| {cells} | {'; '.join(found) or 'nothing'} | {ends} |", flush=True)
    shutil.rmtree(base, ignore_errors=True)
    print(f"\n{worst} of {options.kills} kills lost something")
    sys.exit(bool(worst))


if __name__ == "__main__":
    main()
