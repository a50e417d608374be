"""benchmarks/gpu: its plain parts always, its chain on tiny shapes where torch is installed."""

import csv
import importlib
import importlib.util
import subprocess
import sys
import types
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu"
MODULES = [path.stem for path in FOLDER.glob("*.py")]
needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="torch is not installed: benchmarks/gpu was not run"
)


@pytest.fixture
def load(monkeypatch):
    """Imports a script of the folder by its name, and forgets all of them afterwards."""
    monkeypatch.syspath_prepend(str(FOLDER))
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module
    for name in MODULES:
        sys.modules.pop(name, None)


def run(*arguments, **options):
    command = [sys.executable, str(FOLDER / "measure.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, **options)


# Shapes


def test_sizes_of_llama(load):
    stacks = load("points").STACKS
    assert stacks["8b"].parameters == 8_030_261_248  # elements of the published checkpoints
    assert stacks["70b"].parameters == 70_553_706_496
    assert stacks["8b"].cache_bytes_per_token == 131_072
    assert stacks["8b"].weight_bytes("bf16") == 2 * stacks["8b"].parameters


@pytest.mark.parametrize(
    ("text", "layers", "fit"),
    [("8b", 32, False), ("70B:40", 40, False), ("70b:fit", 80, True), ("40x5120x13824x40x8", 40, False)],
)
def test_stacks_are_read(load, text, layers, fit):
    stack, cut = load("points").parse_stack(text)
    assert (stack.layers, cut) == (layers, fit)


@pytest.mark.parametrize("text", ["9b", "8b:x", "8b:0", "1x2x3", "4x64x128x4x3", "4x65x128x4x2", ""])
def test_other_texts_are_no_stack(load, text):
    with pytest.raises(ValueError, match="allowed|above zero"):
        load("points").parse_stack(text)


@pytest.mark.parametrize("dtype", ["bf16", "fp8"])
@pytest.mark.parametrize("gigabytes", [24, 80, 141])
def test_fitted_stack_fills_its_share(load, dtype, gigabytes):
    points = load("points")
    memory = gigabytes * 10**9
    stack = points.fitted(points.STACKS["70b"], dtype, memory)
    share = stack.weight_bytes(dtype) / memory
    assert share <= points.WEIGHT_SHARE
    assert stack.layers == 80 or share > points.WEIGHT_SHARE - 0.08


def test_points_are_distinct_and_each_group_has_the_whole_range(load):
    points, table = load("points"), load("table")
    every = list(
        points.points(points.FULL, [points.parse_stack("8b")], 80 * 10**9, kernels=("flash",), step_kernel="eager")
    )
    assert {point.operator for point in every} == set(points.OPERATORS)
    assert len({table.key(point.columns()) for point in every}) == len(every)
    assert all(set(point.columns()) <= set(table.SHAPE) for point in every)
    assert all(0 < point.rotated_bytes() <= point.bytes() for point in every)
    groups = points.grouped(every)
    assert sum(map(len, groups)) == len(every)
    assert groups == points.grouped(every)
    rows = [point.m for point in groups[0]]
    assert {min(rows), max(rows)} <= set(rows[: len(rows) // 2])


# Pace


def test_rotation_outlasts_the_cache(load):
    copies = load("pace").copies
    assert copies(16 << 20, 50 << 20) * (16 << 20) >= 4 * (50 << 20)
    assert copies(1 << 40, 50 << 20) == 1
    assert copies(1, 50 << 20) == load("pace").MOST_CALLS


def test_repetitions_last_long_enough(load):
    times = load("pace").times
    assert [times(0.03, 0.2), times(1.0, 0.2), times(0.0, 0.0)] == [7, 1, 1]


def test_budget_shares_what_is_left(load):
    clock = iter([0.0, 0.0, 0.0, 49.0, 50.0, 60.0, 60.0, 99.0, 100.0])
    budget = load("pace").Budget(100.0, 2, now=lambda: next(clock))
    budget.next_group()
    assert [budget.spent(), budget.spent()] == [False, True]
    budget.next_group()
    assert [budget.spent(), budget.spent()] == [False, True]
    endless = load("pace").Budget(None, 0)
    endless.next_group()
    assert not endless.spent()


# Table

HEADER = {"device": "Some GPU, 80 GB", "driver": "1.2", "torch": "2", "cuda": None, "tiny": "true", "note": "a: b\nc"}


def test_file_is_written_row_by_row_and_continued(load, tmp_path):
    table = load("table")
    path = tmp_path / "new folder" / "out.csv"
    row = {"operator": "gemm", "dtype": "bf16", "m": 1, "n": 2, "k": 3, "seconds": 1.23456789e-5, "power_w": None}
    table.Table(path, HEADER).add(row)
    header, rows = table.parse(path.read_text(encoding="utf-8"))
    assert header["device"] == HEADER["device"]
    assert header["note"] == "a: b c"
    assert [rows[0][name] for name in ("seconds", "power_w", "m")] == ["1.23457e-05", "", "1"]
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole + "gemm,bf16,lin", encoding="utf-8")  # cut off in the middle of a line
    again = table.Table(path, HEADER)
    assert again.done == {table.key(row)}
    assert path.read_text(encoding="utf-8") == whole


@pytest.mark.parametrize("name", ["device", "driver", "torch", "cuda", "tiny"])
def test_file_of_another_machine_is_not_continued(load, tmp_path, name):
    table = load("table")
    table.Table(tmp_path / "out.csv", HEADER)
    with pytest.raises(table.TableError, match=rf"^{name} was .*name a new file$"):
        table.Table(tmp_path / "out.csv", HEADER | {name: "other"})


def test_other_file_is_not_touched(load, tmp_path):
    table = load("table")
    (tmp_path / "out.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(table.TableError, match="columns differ"):
        table.Table(tmp_path / "out.csv", HEADER)
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == "a,b\n1,2\n"


# Meter


def test_power_is_energy_over_time_else_the_last_reading(load):
    meter = load("meter")
    counted = [meter.Sample(t, energy_j=1000 + 300 * t, power_w=1.0, clock_mhz=m) for t, m in ((0, 5), (1, 9), (2, 7))]
    assert meter.power(counted) == 300
    assert meter.clock(counted) == 7
    assert meter.power(counted[:1]) == 1.0
    assert meter.power([meter.Sample(0.0)]) is None
    assert meter.clock([meter.Sample(0.0)]) is None


def test_nvidia_smi_is_read(load, tmp_path, monkeypatch):
    meter = load("meter")
    program = tmp_path / "nvidia-smi"
    program.write_text(
        '#!/bin/sh\ncase "$*" in\n'
        '*--query-gpu=power.draw,clocks.sm,clocks.mem*) echo "301.5, 1980, [N/A]";;\n'
        '*) echo "580.1, 700.00, 1980, 2619";;\nesac\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setitem(sys.modules, "pynvml", None)
    found = meter.open_meter("GPU-1")
    sample = found.sample()
    assert found.name == "nvidia-smi"
    assert found.facts()["power_limit_w"] == "700.00"
    assert (sample.power_w, sample.clock_mhz, sample.memory_clock_mhz) == (301.5, 1980, None)


def test_nvml_is_read(load, monkeypatch):
    class NVMLError(Exception):
        pass

    def unsupported(*_):
        raise NVMLError

    fake = types.SimpleNamespace(
        NVMLError=NVMLError,
        NVML_CLOCK_SM=1,
        NVML_CLOCK_MEM=2,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=lambda uuid: uuid,
        nvmlSystemGetDriverVersion=lambda: b"580.1",
        nvmlDeviceGetEnforcedPowerLimit=lambda board: 700_000,
        nvmlDeviceGetMaxClockInfo=lambda board, kind: 1000 * kind,
        nvmlDeviceGetTotalEnergyConsumption=unsupported,
        nvmlDeviceGetPowerUsage=lambda board: 301_500,
        nvmlDeviceGetClockInfo=lambda board, kind: 900 * kind,
    )
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    found = load("meter").open_meter("GPU-1")
    sample = found.sample()
    assert found.facts() == {
        "driver": "580.1",
        "power_limit_w": 700,
        "clock_max_mhz": 1000,
        "memory_clock_max_mhz": 2000,
    }
    assert (sample.energy_j, sample.power_w, sample.clock_mhz, sample.memory_clock_mhz) == (None, 301.5, 900, 1800)


def test_no_meter_is_no_failure(load, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.setenv("PATH", "")
    assert load("meter").open_meter("GPU-1").name == "none"
    assert load("meter").open_meter(None).name == "none"


# Command line


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ([], "--out"),
        (["--out", "x.csv", "--only", "gemm,conv"], "'conv' is no operator; allowed: gemm"),
        (["--out", "x.csv", "--seconds-budget", "-1"], "'-1' is no number of seconds"),
        (["--out", "x.csv", "--stack", "9b"], "'9b' is no stack; allowed: 8b"),
        (["--out", "x.csv", "--device", "tpu"], "'tpu'"),
        (["--out", "x.csv", "--device", "cpu"], "add --tiny"),
        (["--out", "."], "is a folder"),
        (["--out", "x.csv", "--fast"], "--fast"),
    ],
)
def test_broken_arguments_give_one_line(tmp_path, arguments, names):
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert names in done.stderr
    assert not done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed")
def test_missing_torch_is_said_in_one_line(tmp_path):
    done = run("--out", tmp_path / "x.csv", "--tiny", "--device", "cpu")
    assert done.returncode == 2
    assert done.stderr.startswith("error: torch is not installed")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_scripts_stay_short():
    import ast

    for path in FOLDER.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") < 300, path.name
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 40, f"{path.name}: {node.name}"


# The chain, with torch


@needs_torch
def test_tiny_chain(load, tmp_path):
    table, path = load("table"), tmp_path / "a folder" / "tiny.csv"
    command = ("--out", path, "--tiny", "--device", "cpu")
    done = run(*command, "--only", "gemm")
    assert done.returncode == 0, done.stderr
    first = path.read_text(encoding="utf-8")
    done = run(*command)  # continues: the products are not measured again
    assert done.returncode == 0, done.stderr
    text = path.read_text(encoding="utf-8")
    assert text.startswith(first)
    header, rows = table.parse(text)
    assert {"device", "torch", "python", "started", "meter", "tiny", "repeats"} <= set(header)
    assert {row["operator"] for row in rows} == set(load("points").OPERATORS)
    assert {(row["operator"], row["dtype"]) for row in rows} >= {("gemm", "fp8"), ("decode_step", "fp8")}
    for row in rows:
        assert 0 < float(row["seconds_min"]) <= float(row["seconds"]) <= float(row["seconds_max"])
        assert int(row["repeats"]) == 3
    assert len({table.key(row) for row in rows}) == len(rows)
    with path.open(encoding="utf-8") as file:
        assert next(csv.reader(line for line in file if line[0] != "#")) == list(table.COLUMNS)


@needs_torch
def test_other_tables_are_refused_in_one_line(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n", encoding="utf-8")
    done = run("--out", tmp_path / "x.csv", "--tiny", "--device", "cpu")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


@needs_torch
def test_decode_attention_gives_each_query_head_its_own_key_head(load):
    import torch

    operators = load("operators")
    q, k, v = (operators.random(2, t, h, 16, device="cpu") for t, h in ((1, 6), (32, 2), (32, 2)))
    found = operators.decode_attention(q, k, v, "flash").view(2, 6, 16).double()
    for head in range(6):
        key, value = k[:, :, head // 3].double(), v[:, :, head // 3].double()
        weight = torch.softmax(torch.einsum("bd,btd->bt", q[:, 0, head].double(), key) / 4, dim=-1)
        torch.testing.assert_close(found[:, head], torch.einsum("bt,btd->bd", weight, value), atol=0.02, rtol=0.02)


def plain_step(decoder, tokens, caches, position):
    """The decode step once more, in 64 bit and word by word: logits, with keys and values written at the end."""
    import torch

    s = decoder.stack

    def weight(layer, name):
        n_k = layer[name].double()
        return n_k / n_k.shape[1] ** 0.5 if layer[name].element_size() == 1 else n_k

    def norm(x):
        return x / torch.sqrt((x * x).mean(-1, keepdim=True) + 1e-5)

    def turned(x):
        half = s.head_dim // 2
        angle = position / 500_000.0 ** (torch.arange(half).double() / half)
        pairs = torch.complex(x[..., :half], x[..., half:]) * torch.polar(torch.ones(half).double(), angle)
        return torch.cat((pairs.real, pairs.imag), -1)

    x = decoder.embedding.double()[tokens]
    for layer, (keys, values) in zip(decoder.layers, caches, strict=True):
        heads = (norm(x) @ weight(layer, "qkv").T).view(len(tokens), -1, s.head_dim)
        q, k, v = heads.split((s.heads, s.kv_heads, s.kv_heads), dim=1)
        keys[:, -1], values[:, -1] = turned(k), v
        spread = [kept.repeat_interleave(s.heads // s.kv_heads, 2) for kept in (keys, values)]
        share = torch.softmax(torch.einsum("bhd,bthd->bht", turned(q), spread[0]) / s.head_dim**0.5, -1)
        x = x + torch.einsum("bht,bthd->bhd", share, spread[1]).flatten(1) @ weight(layer, "out").T
        gate, up = (norm(x) @ weight(layer, "gate_up").T).chunk(2, -1)
        x = x + (gate * torch.sigmoid(gate) * up) @ weight(layer, "down").T
    return norm(x) @ decoder.output.double().T


@needs_torch
@pytest.mark.parametrize(("dtype", "error"), [("bf16", 0.1), ("fp8", 0.5)])
def test_decode_step_is_that_of_a_llama(load, dtype, error):
    import torch

    points, stack = load("points"), load("stack")
    shape = points.STACKS["tiny"]
    torch.manual_seed(0)
    decoder = stack.Decoder(shape, dtype, "eager", "cpu")
    assert sum(tensor.numel() for tensor in decoder.tensors()) == shape.parameters
    assert sum(tensor.numel() * tensor.element_size() for tensor in decoder.tensors()) == shape.weight_bytes(dtype)
    cache = (2, 11, shape.kv_heads, shape.head_dim)
    caches = [tuple(torch.randn(cache).bfloat16() for _ in range(2)) for _ in range(shape.layers)]
    before = [tuple(kept.double() for kept in pair) for pair in caches]
    tokens = torch.tensor([3, 200])
    logits = decoder.logits(tokens, caches, decoder.turn(10)).double()
    expected = plain_step(decoder, tokens, before, 10)
    assert expected.std() > 0.5
    assert (logits - expected).abs().max() < error
    for pair, plain in zip(caches, before, strict=True):
        for kept, wanted in zip(pair, plain, strict=True):
            assert torch.equal(kept[:, :-1].double(), wanted[:, :-1])  # only the newest position is written
            torch.testing.assert_close(kept[:, -1].double(), wanted[:, -1], atol=error, rtol=0.1)
