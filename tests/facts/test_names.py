"""Names resolve however people write them; what cannot resolve says why."""

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenomics.errors import DataError
from tokenomics.facts import catalogue, names, tables
from tokenomics.facts.names import fold

LARGEST_UNRESOLVED_SHARE = 0.05


@pytest.mark.parametrize(
    ("kind", "name", "canonical"),
    [
        ("model", "Llama 3.1 70B", "Llama-3.1-70B"),
        ("model", "meta-llama/Llama-3.1-70B", "Llama-3.1-70B"),
        ("model", "LLAMA3.1_405B", "Llama-3.1-405B"),
        ("model", "GPT-3 175B", "GPT-3-175B"),
        ("accelerator", "H100 SXM 80GB", "H100-SXM-80GB"),
        ("accelerator", "h100-sxm", "H100-SXM-80GB"),
        ("accelerator", "NVIDIA A100-SXM4-40GB", "A100-SXM-40GB"),
        ("accelerator", "NVIDIA H100 SXM", "H100-SXM-80GB"),
        ("accelerator", "NVIDIA GeForce RTX 4090", "RTX-4090"),
        ("accelerator", "NVIDIA RTX A6000", "RTX-A6000-48GB"),
        ("accelerator", "Google TPU v5p", "TPU-v5p"),
        ("accelerator", "Apple M2 Ultra 76-core", "Apple-M2-Ultra-76-core"),
    ],
)
def test_names_resolve(kind, name, canonical):
    assert getattr(catalogue, kind)(name).name == canonical


@pytest.mark.parametrize(
    ("kind", "name", "canonical"),
    [
        ("model", "models--meta-llama--Llama-3.1-8B", "Llama-3.1-8B"),
        ("model", "/root/.cache/huggingface/hub/models--Qwen--Qwen3-8B/snapshots/9c925d64d72725edaf8", "Qwen3-8B"),
        ("model", "/data/models/Llama-3.1-70B-Instruct/", "Llama-3.1-70B"),
        ("model", "Qwen/Qwen3-32B-FP8", "Qwen3-32B"),
        ("model", "RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic", "Llama-3.3-70B"),
        ("model", "neuralmagic/Meta-Llama-3.1-8B-Instruct-quantized.w4a16", "Llama-3.1-8B"),
        ("model", "Qwen/Qwen2.5-7B-Instruct-GPTQ-Int4", "Qwen2.5-7B"),
        ("model", "nvidia/DeepSeek-R1-NVFP4", "DeepSeek-R1"),
        ("model", "unsloth/gemma-3-27b-it-GGUF", "Gemma-3-27B"),
        ("model", "Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf", "Llama-3.1-8B"),
        ("model", "DeepSeek-V3-Q4_K_M-00001-of-00009.gguf", "DeepSeek-V3"),
        ("model", "llama3.1:8b", "Llama-3.1-8B"),
        ("model", "llama3.1:8b-instruct-q4_K_M", "Llama-3.1-8B"),
        ("model", "qwen3:30b-a3b", "Qwen3-30B-A3B"),
        ("model", "gpt-oss:20b", "gpt-oss-20b"),
        ("model", "deepseek-r1:70b", "Llama-3.3-70B"),
        ("accelerator", "8x H100 SXM", "H100-SXM-80GB"),
        ("accelerator", "8 x NVIDIA H200", "H200-SXM-141GB"),
        ("accelerator", "H100 SXM x 8", "H100-SXM-80GB"),
        ("accelerator", "NVIDIA H100 80GB HBM3", "H100-SXM-80GB"),
        ("accelerator", "NVIDIA H100 Tensor Core GPU", "H100-SXM-80GB"),
        ("accelerator", "4x NVIDIA GeForce RTX 5070 Ti", "RTX-5070-Ti-16GB"),
    ],
)
def test_files_repositories_and_counts_resolve(kind, name, canonical):
    assert getattr(catalogue, kind)(name).name == canonical


@pytest.mark.parametrize(
    ("kind", "name"),
    [("model", "Llama-3.1-9B-FP8"), ("model", "models--meta-llama--Llama-9"), ("accelerator", "8x H10O")],
)
def test_an_ending_makes_no_name_of_another(kind, name):
    with pytest.raises(DataError, match="nearest"):
        getattr(catalogue, kind)(name)


WANTED = {
    "model": """GLM-4.5;GLM-4.5-Air;GLM-4.6;Qwen3-Next-80B-A3B;Qwen3-Coder-480B-A35B;MiniMax-M1;MiniMax-M2;
        Granite-4.0-H-Small;Granite 4;Gemma 3n;Gemma-4-31B;Mistral-Small-3.2-24B;Mistral-Large-3;Ministral-8B-2410;
        Devstral-Small-2507;DeepSeek-V2;DeepSeek-R1-Distill-Llama-70B;QwQ-32B;Nemotron-3-Nano-30B-A3B;Kimi-Linear;
        Seed-OSS-36B;OLMo-3-32B;OLMoE-1B-7B;SmolLM3-3B;Hunyuan-A13B;ERNIE-4.5-300B-A47B;DBRX;Grok-1;Grok-2;Command-A;
        Falcon-H1-34B;Jamba-1.5-Large;LFM2-1.2B;LFM2;Yi-34B""",
    "accelerator": """GB10;M3 Ultra;M4 Max;M5 Max;Strix Halo;Jetson Thor;H20 141GB;L20;RTX 3060;RTX 5070 Ti;
        RTX A4000;RTX 2080 Ti;RTX PRO 6000 Workstation;R9700;MI300A;MI308X;WSE-3;Ascend 950;TPU v5p;TPU v6e;TPU v7x;
        Trainium 2;Ascend 910C""",
}


@pytest.mark.parametrize(
    ("kind", "name"), [(k, each.strip()) for k, text in WANTED.items() for each in text.split(";")]
)
def test_what_people_ask_for_is_there_or_says_why_not(kind, name):
    if fold(name) in names.unresolved(kind):
        assert len(names.unresolved(kind)[fold(name)]) > 10
    else:
        assert getattr(catalogue, kind)(name)


def test_unknown_name_lists_the_nearest():
    with pytest.raises(DataError, match="listed by `tokenomics list xpus`"):
        names.resolve("qqqqqqqq", "accelerator", ["H100-SXM-80GB"])
    with pytest.raises(DataError, match="nearest: .*H100"):
        catalogue.accelerator("H10O SXM")
    with pytest.raises(DataError, match=r"nearest: .*Llama-3\.1-70B"):
        catalogue.model("Llama 3.1 71B")


@pytest.mark.parametrize("kind", ["model", "accelerator"])
def test_every_canonical_name_and_alias_means_itself(kind):
    known = getattr(catalogue, f"{kind}s")()
    assert all(names.lookup(name, kind, known) == name for name in known)
    table = tables.read("catalogue/aliases")
    for alias, name in table.loc[table["kind"] == kind, ["alias", "name"]].to_numpy():
        assert names.lookup(alias, kind, known) == name
    assert names.lookup("nvidia", kind, known) is None and names.lookup("", kind, known) is None


def test_every_alias_has_a_target_and_no_rival():
    table = tables.read("catalogue/aliases")
    for kind, records in (("model", catalogue.models()), ("accelerator", catalogue.accelerators())):
        rows = table[table["kind"] == kind]
        assert set(rows["name"]) <= set(records)
        folded = {}
        for alias, name in zip(rows["alias"], rows["name"], strict=True):
            assert folded.setdefault(fold(alias), name) == name, f"{alias} has two targets"
        canonical = {fold(name): name for name in records}
        clash = {alias: name for alias, name in folded.items() if alias in canonical and canonical[alias] != name}
        assert not clash
        assert len(canonical) == len(records), "two canonical names fold alike"


def test_unresolved_names_do_not_resolve_and_say_why():
    table = tables.read("catalogue/unresolved_names")
    for kind, name in zip(table["kind"], table["name"], strict=True):
        with pytest.raises(DataError, match="stands for one"):
            getattr(catalogue, kind)(name)


def test_names_of_published_benchmarks_resolve(given_data):
    with (given_data / "measurements" / "names.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    unknown = []
    for row in rows:
        known = getattr(catalogue, f"{row['kind']}s")()
        try:
            names.resolve(row["name"], row["kind"], known)
        except DataError:
            unknown.append((row["kind"], row["name"]))
    listed = tables.read("catalogue/unresolved_names")
    assert set(unknown) <= set(zip(listed["kind"], listed["name"], strict=True))
    assert len(unknown) <= LARGEST_UNRESOLVED_SHARE * len(rows)


@given(st.text(max_size=40))
def test_any_text_resolves_or_gives_one_line(text):
    try:
        names.resolve(text, "model", catalogue.models())
    except DataError as error:
        assert "\n" not in str(error)


def test_folding_ignores_case_and_is_final():
    table = tables.read("catalogue/aliases")
    for name in [*catalogue.models(), *catalogue.accelerators(), *table["name"]]:
        assert fold(name.upper()) == fold(name) == fold(fold(name)) != ""
