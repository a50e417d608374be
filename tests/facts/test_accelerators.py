"""Accelerators: hand-worked peaks and ridges, physical order of the catalogued numbers, refusals of a user's own."""

import dataclasses
import json

import pandas as pd
import pytest

from tokenomics.errors import DataError
from tokenomics.facts import catalogue, tables
from tokenomics.facts.accelerators import DTYPES, FALLBACK, Accelerator

MINE = {
    "name": "Mine",
    "vendor": "Me",
    "kind": "asic",
    "memory_bytes": 16e9,
    "bandwidth_bytes_per_s": 1e12,
    "peak_bf16_flop_per_s": 2e14,
}

# 128-bit stacks and channels bound the bandwidth of a memory type: GB/s that devices of the table may have.
BANDWIDTH_RANGE_GB_S = {
    "DDR5": (100, 900),
    "LPDDR": (50, 1000),
    "GDDR": (200, 2000),
    "HBM2": (600, 2100),
    "HBM2e": (900, 4000),
    "HBM3": (1600, 5500),
    "HBM3e": (4500, 8500),
    "HBM4": (10000, 25000),
    "SRAM": (10000, 100000),
}
# FLOP per byte at 16 bit; the H20 is cut in arithmetic, SRAM machines have bandwidth to spare.
RIDGE_RANGE = {"datacenter": (60, 600), "workstation": (150, 500), "consumer": (20, 200), "edge": (100, 300)}
UNEVEN = ["Rubin-SXM", "Trainium3", "Ascend-950DT"]  # vendors whose own FP8 rate is no multiple of the 16-bit one
INTEGERS_CUT = ["B300-SXM-288GB", "GB300", "Rubin-SXM"]
RIDGE_EXCEPTIONS = {"Groq-LPU": 2.35, "H20-SXM-96GB": 37.0, "P100-SXM-16GB": 29.0}
RIDGE_EXCEPTIONS |= {"H20-SXM-141GB": 30.8, "MI50-32GB": 26.2}  # cut, and without matrix units
RIDGE_EXCEPTIONS |= {"Arc-A770-16GB": 280, "Arc-B580-12GB": 256, "RX-9070-XT": 302.5}  # matrix units at the full rate
RIDGE_EXCEPTIONS |= {"Jetson-AGX-Thor-128GB": 945, "RTX-A5000-24GB": 144.7, "Ryzen-AI-Max-395": 232}


@pytest.fixture(scope="module")
def table():
    return tables.read("catalogue/accelerators").set_index("name")


@pytest.fixture(scope="module")
def devices():
    return catalogue.accelerators()


@pytest.mark.parametrize(
    ("name", "dtype", "flop_per_byte"),
    [
        ("H100-SXM-80GB", "bf16", 989e12 / 3.35e12),
        ("A100-SXM-80GB", "bf16", 312e12 / 2.039e12),
        ("TPU-v5e", "bf16", 197e12 / 819e9),
        ("MI300X", "bf16", 1307.4e12 / 5.3e12),
        ("RTX-4090", "bf16", 165.2e12 / 1.008e12),
        ("GB200", "fp4", 1250.0),
    ],
)
def test_ridge_by_hand(devices, name, dtype, flop_per_byte):
    assert devices[name].ridge_flop_per_byte(dtype) == pytest.approx(flop_per_byte, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "units", "mhz", "flop_per_clock"),
    [
        ("V100-SXM-16GB", 640, 1530, 128),
        ("A100-SXM-80GB", 432, 1410, 512),
        ("H100-SXM-80GB", 528, 1830, 1024),
        ("B200-SXM-180GB", 592, 1850, 2048),
        ("RTX-3090", 328, 1695, 128),
        ("RTX-4090", 512, 2520, 128),
        ("RTX-6000-Ada-48GB", 568, 2505, 256),
        ("MI250X", 880, 1700, 256),
        ("MI300X", 1216, 2100, 512),
        ("MI355X", 1024, 2400, 1024),
        ("Gaudi2", 2, 1650, 2 * 256 * 256),
        ("Gaudi3", 8, 1600, 2 * 256 * 256),
        ("Xeon-6980P", 128, 2000, 1024),
    ],
)
def test_peaks_are_dense(devices, name, units, mhz, flop_per_clock):
    """Matrix units times clock of the data sheet times dense rate; a sparse figure would be twice as large."""
    worked = units * mhz * 1e6 * flop_per_clock
    assert devices[name].peak_flop_per_s("fp16" if "V100" in name else "bf16") == pytest.approx(worked, rel=0.005)


@pytest.mark.parametrize(
    ("name", "dtype", "runs_as"),
    [
        ("A100-SXM-80GB", "fp8", "bf16"),
        ("V100-SXM-32GB", "bf16", "fp16"),
        ("V100-SXM-32GB", "fp8", "fp16"),
        ("H100-SXM-80GB", "fp4", "fp8"),
        ("TPU-v5p", "fp16", "bf16"),
        ("B300-SXM-288GB", "int8", "bf16"),
        ("SN40L", "int8", "bf16"),
        ("P100-SXM-16GB", "tf32", "fp32"),
    ],
)
def test_missing_or_slow_types_run_wider(devices, name, dtype, runs_as):
    peak = getattr(devices[name], f"peak_{runs_as}_flop_per_s")
    assert peak is not None and devices[name].peak_flop_per_s(dtype) == peak


def test_a_type_without_any_wider_peak_is_refused(devices):
    with pytest.raises(DataError, match="Snapdragon-8-Gen-3: dtype = bf16; allowed: int8"):
        devices["Snapdragon-8-Gen-3"].peak_flop_per_s("bf16")
    with pytest.raises(DataError, match="TPU-v5e: dtype = fp32"):
        devices["TPU-v5e"].peak_flop_per_s("fp32")
    with pytest.raises(DataError, match="dtype = fp7; allowed: fp32, tf32"):
        devices["TPU-v5e"].peak_flop_per_s("fp7")


def test_narrower_types_are_never_slower(devices):
    for device in devices.values():
        for dtype, wider in FALLBACK.items():
            known = [other for other in wider if any(map(device._peak, FALLBACK[other]))]
            peaks = [device.peak_flop_per_s(each) for each in known]
            if peaks:
                assert device.peak_flop_per_s(dtype) >= max(peaks), (device.name, dtype)


def test_rates_of_types_stand_in_known_ratios(table):
    """FP8 is once or twice BF16 and FP4 at most four times FP8, up to rounding: no column mixes in sparse figures."""
    sixteen = table[["peak_bf16_flop_per_s", "peak_fp16_flop_per_s"]].max(axis=1).astype(float)
    eight = (table["peak_fp8_flop_per_s"].astype(float) / sixteen).dropna().drop(UNEVEN)
    assert ((eight.sub(1).abs() < 0.02) | (eight.sub(2).abs() < 0.06)).all(), eight
    four = (table["peak_fp4_flop_per_s"].astype(float) / table["peak_fp8_flop_per_s"].astype(float)).dropna()
    assert four.between(1, 4).all(), four
    integer = (table["peak_int8_op_per_s"].astype(float) / sixteen).dropna()
    assert integer.drop(INTEGERS_CUT).between(0.99, 4.01).all() and (integer[INTEGERS_CUT] < 1).all(), integer


def test_measured_rates_stay_below_the_peak(table):
    share = pd.concat(
        table[f"matmul_{dtype}_flop_per_s"].astype(float) / table[f"peak_{dtype}_flop_per_s"].astype(float)
        for dtype in ("bf16", "fp8")
    ).dropna()
    assert len(share) >= 15 and share.between(0.5, 1).all()


def test_bandwidth_fits_the_memory(table):
    known = table[table["memory_type"].notna()]
    kinds = sorted(BANDWIDTH_RANGE_GB_S, key=len, reverse=True)
    for name, row in known.iterrows():
        kind = next((kind for kind in kinds if row["memory_type"].startswith(kind)), None)
        if row["memory_type"] == "HBM":
            continue
        assert kind, (name, row["memory_type"])
        low, high = BANDWIDTH_RANGE_GB_S[kind]
        assert low <= row["bandwidth_bytes_per_s"] / 1e9 <= high, name


def test_ridges_are_plausible(devices):
    for device in devices.values():
        if device.name in RIDGE_EXCEPTIONS:
            assert device.ridge_flop_per_byte("bf16") == pytest.approx(RIDGE_EXCEPTIONS[device.name], rel=0.01)
        elif device._peak("bf16") or device._peak("fp16"):
            low, high = RIDGE_RANGE[device.device_class]
            assert low <= device.ridge_flop_per_byte("bf16") <= high, device.name


def test_links_are_one_way_totals(devices):
    """NVLink 2 to 5 grew from 300 to 1800 GB/s both ways; a torus link of a TPU is 45 to 100 GB/s one way."""
    nvlink = {"V100-SXM-32GB": 150, "A100-SXM-80GB": 300, "H100-SXM-80GB": 450, "H800-SXM-80GB": 200, "GB200": 900}
    assert {name: devices[name].link_bytes_per_s / 1e9 for name in nvlink} == nvlink
    for name, links in {"TPU-v4": 6, "TPU-v5e": 4, "TPU-v5p": 6, "TPU-v6e": 4, "TPU-v7x": 6}.items():
        assert 45e9 <= devices[name].link_bytes_per_s / links <= 100e9
    for device in devices.values():
        assert (device.link_bytes_per_s or 0) < device.bandwidth_bytes_per_s, device.name


def test_halves_and_doubles(table):
    extensive = ["memory_bytes", "bandwidth_bytes_per_s", "peak_bf16_flop_per_s", "tdp_w", "die_mm2", "transistors"]
    for one, two in (("MI250X-GCD", "MI250X"), ("Arc-Pro-B60-24GB", "Arc-Pro-B60-Dual-48GB")):
        assert (table.loc[one, extensive] * 2 == table.loc[two, extensive]).all(), one


def test_unverified_columns_exist_and_are_filled(table):
    for name, row in table.iterrows():
        named = [] if pd.isna(row["unverified_columns"]) else row["unverified_columns"].split(";")
        assert row["verified"] == (not named), name
        assert all(column in table.columns and pd.notna(row[column]) for column in named), name


def test_no_newer_generation_is_slower(devices):
    for older, newer in (
        ("P100-SXM-16GB", "V100-SXM-16GB"),
        ("V100-SXM-32GB", "A100-SXM-40GB"),
        ("A100-SXM-80GB", "H100-SXM-80GB"),
        ("H100-SXM-80GB", "B200-SXM-180GB"),
        ("MI100", "MI250X"),
        ("MI250X", "MI300X"),
        ("MI300X", "MI355X"),
        ("TPU-v2", "TPU-v3"),
        ("TPU-v3", "TPU-v4"),
        ("TPU-v4", "TPU-v5p"),
        ("TPU-v5p", "TPU-v7x"),
        ("Gaudi2", "Gaudi3"),
        ("Trainium1", "Trainium2"),
    ):
        assert devices[newer].peak_flop_per_s("bf16") > devices[older].peak_flop_per_s("bf16"), newer
        assert devices[newer].bandwidth_bytes_per_s > devices[older].bandwidth_bytes_per_s, newer


def test_a_user_gives_a_file(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(MINE))
    mine = catalogue.accelerator(str(path))
    assert mine.peak_flop_per_s("fp8") == 2e14 and mine.ridge_flop_per_byte("bf16") == 200
    path.with_suffix(".yaml").write_text("\n".join(f"{key}: {value}" for key, value in MINE.items()))
    assert catalogue.accelerator(str(path.with_suffix(".yaml"))) == mine


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"memory_bytes": None}, "memory_bytes"),
        ({"vendor": None}, "vendor"),
        ({"bandwidth_bytes_per_s": "1 TB/s"}, "bandwidth_bytes_per_s"),
        ({"bandwidth_bytes_per_s": True}, "bandwidth_bytes_per_s"),
        ({"bandwidth_bytes_per_s": -1e12}, "bandwidth_bytes_per_s"),
        ({"memory_bytes": float("nan")}, "memory_bytes"),
        ({"memory_bytes": float("inf")}, "memory_bytes"),
        ({"name": 7}, "name"),
        ({"memory_gb": 16}, "memory_gb"),
        ({"peak_bf16_flop_per_s": None}, "peak_bf16_flop_per_s"),
    ],
)
def test_a_users_mistakes_are_named(change, key):
    with pytest.raises(DataError) as caught:
        Accelerator.from_user(MINE | change, "mine.yaml")
    assert caught.value.key == key and str(caught.value).startswith("mine.yaml: ")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"memory_bytes": 96}, "memory_bytes = 96; allowed: integer, >= 1e+08, <= 1e+13; nearest: 1e+08"),
        ({"memory_bytes": 96e15}, "memory_bytes = 9.6e+16; allowed: integer, >= 1e+08, <= 1e+13; nearest: 1e+13"),
        ({"bandwidth_bytes_per_s": 3000}, "bandwidth_bytes_per_s = 3000; allowed: integer, >= 1e+09, <= 1e+15"),
        ({"peak_fp8_flop_per_s": 5e20}, "peak_fp8_flop_per_s = 5e+20; allowed: integer, >= 1e+09, <= 1e+17"),
        ({"tdp_w": -700}, "tdp_w = -700; allowed: integer, >= 1, <= 100000; nearest: 1"),
        ({"link_devices": 2.5}, "link_devices = 2.5; allowed: integer, >= 2, <= 100000; nearest: 2"),
        ({"kind": "banana"}, "kind = banana; allowed: string, one of gpu, tpu, npu, asic, soc, cpu"),
        ({"device_class": "datacentre"}, "device_class = datacentre; allowed: string, one of datacenter, "),
        ({"device_class": "datacentre"}, "; nearest: datacenter"),
        ({"vendor": " "}, "vendor = ; allowed: string"),
        (
            {"memory_byte": 96e9},
            "memory_byte = 96000000000.0; allowed: a column of data/catalogue/",
        ),
        ({"memory_byte": 96e9}, "; nearest: memory_bytes"),
        ({"verified": "perhaps"}, "verified = perhaps; allowed: true or false"),
    ],
)
def test_a_users_values_are_held_to_the_tables_limits(change, message):
    with pytest.raises(DataError) as caught:
        Accelerator.from_user(MINE | change, "mine.yaml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("mine.yaml: ") and "\n" not in str(caught.value)


def test_every_column_of_the_table_may_be_given():
    more = {"memory_type": "HBM3", "die_mm2": 800, "source": "own", "note": "ours"}
    assert Accelerator.from_user(MINE | more, "mine.yaml") == Accelerator.from_user(MINE, "mine.yaml")


def test_a_catalogued_accelerator_passes_as_a_users_own(devices):
    for device in devices.values():
        assert Accelerator.from_user(dataclasses.asdict(device), "mine.yaml") == device


def test_records_are_frozen_and_rows_round_trip(table, devices):
    device = devices["H100-SXM-80GB"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        device.memory_bytes = 1.0
    assert Accelerator.from_row({"name": "H100-SXM-80GB", **table.loc["H100-SXM-80GB"].dropna()}) == device
    assert set(DTYPES) == set(FALLBACK)


@pytest.mark.parametrize(
    ("name", "mib"),
    [
        ("L4", 23_034),
        ("A10G", 23_028),
        ("T4", 15_360),
        ("L40S", 46_068),
        ("B300-SXM-288GB", 275_040),
        ("H100-SXM-80GB", 81_559),
    ],
)
def test_memory_is_what_the_driver_reports(devices, name, mib):
    assert devices[name].driver_memory_bytes == mib * 2**20


def test_a_device_whose_driver_was_not_seen_has_the_sheets_gigabytes_in_gib(devices):
    assert devices["RTX-3090"].reported_memory_bytes is None
    assert devices["RTX-3090"].driver_memory_bytes == 24 * 2**30


def test_drivers_report_a_little_less_than_gib_and_a_sixteenth_less_with_correction_in_gddr6(table):
    known = table[table["reported_memory_bytes"].notna()]
    share = (known["reported_memory_bytes"] / (known["memory_bytes"] / 1e9 * 2**30)).astype(float)
    corrected = ["A10", "A10G", "A40", "L4", "L40", "L40S", "T4"]
    assert share[corrected].between(15 / 16 - 0.003, 15 / 16 + 0.003).all()
    others = share.drop(corrected)
    assert (others <= 1).all() and list(others.index[others < 0.98]) == ["B300-SXM-288GB"]
