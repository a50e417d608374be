"""Parameters: strict, YAML 1.2, one clear line for anything wrong, never a traceback."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenomics import paths
from tokenomics.errors import DataError
from tokenomics.facts import catalogue, tables
from tokenomics.parameters import generation
from tokenomics.parameters.loading import load, parse_override, split_overrides
from tokenomics.parameters.types import Common
from tokenomics.pipeline import generated
from tokenomics.sections import registry

NOTEBOOK = "01_ubiquitous_llms"
DECLARED = registry.declared(NOTEBOOK)


@pytest.fixture
def folder(tmp_path):
    for name, declared in generated.declarations().items():
        (tmp_path / f"{name}.yaml").write_text(generation.yaml_text(name, declared), encoding="utf-8")
    return tmp_path


def edit(folder, name, old, new):
    path = folder / f"{name}.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_defaults_load(folder):
    parameters = load(DECLARED, folder)
    assert parameters == DECLARED()


@pytest.mark.parametrize(
    ("old", "new", "key", "words"),
    [
        ("frontier_rank: 3", "frontier_rnak: 10", "frontier_rnak", "nearest: frontier_rank"),
        ("frontier_rank: 3", 'frontier_rank: "10"', "frontier_rank", "int"),
        ("frontier_rank: 3", "frontier_rank: true", "frontier_rank", "int"),
        ("frontier_rank: 3", "frontier_rank: 0", "frontier_rank", ">= 1"),
        ("frontier_rank: 3", "frontier_rank: yes", "frontier_rank", "int"),
        ("frontier_rank: 3", "frontier_rank: 12:30", "frontier_rank", "int"),
        ("frontier_rank: 3", "", "frontier_rank", "missing"),
        ("frontier_rank: 3", "frontier_rank: 3\nfrontier_rank: 11", "syntax", "duplicate"),
        ("frontier_rank: 3", "frontier_rank: [", "syntax", "mapping"),
        ("task_answer_words: 250.0", "task_answer_words: .nan", "task_answer_words", "finite"),
        ("task_answer_words: 250.0", "task_answer_words: -1", "task_answer_words", "> 0"),
        ('own_model: "Llama-3.1-70B"', "own_model: Llama-3.1-71B", "own_model", "Llama-3.1-70B"),
        ('own_accelerator: "H100-SXM-80GB"', "own_accelerator: H100-SMX", "own_accelerator", "H100"),
        ('"GPT-4 Turbo"', '"GPT-4 Turbine"', "task_models", "GPT-4 Turbo"),
        ('own_model: "Llama-3.1-70B"', "own_model: nowhere/config.json", "own_model", "a file"),
    ],
)
def test_bad_value_gives_one_line(folder, old, new, key, words):
    edit(folder, NOTEBOOK, old, new)
    with pytest.raises(DataError) as caught:
        load(DECLARED, folder)
    text = str(caught.value)
    assert "\n" not in text and f"{NOTEBOOK}.yaml" in text and key in text and words in text


def renamed_parameters():
    rows = tables.read("catalogue/renamed")
    return rows[rows["kind"] == "parameter"][["place", "old", "new"]].to_numpy().tolist()


@pytest.mark.parametrize(("notebook", "old", "new"), renamed_parameters())
def test_an_old_name_is_refused_with_the_new_one(folder, notebook, old, new):
    declared = registry.declared(notebook)
    assert new in declared.model_fields and old not in declared.model_fields
    with pytest.raises(DataError, match=f"^--set: {old} = 2; allowed: {new}, its name since 20"):
        load(declared, folder, [f"{old}=2"])
    edit(folder, notebook, f"\n{new}: ", f"\n{old}: ")
    with pytest.raises(DataError, match=f"{notebook}.yaml: {old} = .*; allowed: {new}, its name since 20"):
        load(declared, folder)


def test_yaml_is_1_2(folder):
    edit(folder, NOTEBOOK, "task_answer_words: 250.0", "task_answer_words: 1e3")
    edit(folder, NOTEBOOK, "frontier_rank: 3", "frontier_rank: 012")
    parameters = load(DECLARED, folder)
    assert (parameters.task_answer_words, parameters.frontier_rank) == (1000.0, 12)


def test_values_agree_with_what_dvc_records(folder):
    """DVC hashes its own reading of the same file; a value it reads otherwise would hide a change."""
    from dvc.utils.serialize import load_yaml

    edit(folder, NOTEBOOK, "task_answer_words: 250.0", "task_answer_words: 1e3")
    recorded = load_yaml(str(folder / f"{NOTEBOOK}.yaml"))
    parameters = load(DECLARED, folder).model_dump()
    assert all(parameters[key] == value for key, value in recorded.items())


def test_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"00_common.yaml: file = No such file"):
        load(DECLARED, tmp_path)


def test_unreadable_file_is_named(folder):
    (folder / f"{NOTEBOOK}.yaml").write_bytes(b"\xff\xfe\x00broken")
    with pytest.raises(DataError, match=f"{NOTEBOOK}.yaml"):
        load(DECLARED, folder)


def test_override_wins_and_is_checked(folder):
    assert load(DECLARED, folder, ["seed=7", "frontier_rank=4"]).frontier_rank == 4
    for text in ("seed", "=3", "sede=3", "seed=[", "seed=x", "seed=-1"):
        with pytest.raises(DataError, match="--set"):
            load(DECLARED, folder, [text])


def test_a_file_means_the_same_from_every_working_directory(folder, tmp_path, monkeypatch):
    """The kernel works in another folder than the command that names the file."""
    chip = "name: Mine\nvendor: Me\nkind: gpu\nmemory_bytes: 96e9\nbandwidth_bytes_per_s: 3e12\n"
    (tmp_path / "my chip.yaml").write_text(f"{chip}peak_bf16_flop_per_s: 5e14\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    named = load(DECLARED, folder, ["own_accelerator=my chip.yaml"]).own_accelerator
    assert named == str((tmp_path / "my chip.yaml").resolve())
    monkeypatch.chdir(paths.NOTEBOOKS)
    assert load(DECLARED, folder, [f"own_accelerator={named}"]).own_accelerator == named
    assert catalogue.portable("H100-SXM-80GB") == "H100-SXM-80GB"
    assert catalogue.portable(str(paths.PARAMS / "00_common.yaml")) == "params/00_common.yaml"


def test_unknown_notebook_lists_the_known():
    with pytest.raises(DataError, match=NOTEBOOK):
        registry.declared("99_nothing")


def test_parameters_are_frozen(folder):
    parameters = load(DECLARED, folder)
    with pytest.raises(ValueError, match="frozen"):
        parameters.seed = 1


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@settings(max_examples=150)
def test_nonsense_files_never_give_a_traceback(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("params")
    (folder / "00_common.yaml").write_text(generation.yaml_text("00_common", Common), encoding="utf-8")
    (folder / f"{NOTEBOOK}.yaml").write_bytes(content)
    with pytest.raises(DataError) as caught:
        load(DECLARED, folder)
    assert "\n" not in str(caught.value)


FIELDS = list(DECLARED.model_fields)
VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.lists(st.integers(), max_size=3)
)


@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=12), VALUES, max_size=6))
@settings(max_examples=200)
def test_nonsense_values_load_or_give_one_line(tmp_path_factory, values):
    from ruamel.yaml import YAML

    folder = tmp_path_factory.mktemp("params")
    for name, declared in generated.declarations().items():
        (folder / f"{name}.yaml").write_text(generation.yaml_text(name, declared), encoding="utf-8")
    with (folder / f"{NOTEBOOK}.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(values, file)
    try:
        load(DECLARED, folder)
    except DataError as error:
        assert "\n" not in str(error)


@given(st.text(max_size=60))
@settings(max_examples=200)
def test_nonsense_overrides_parse_or_give_one_line(text):
    try:
        parse_override(text)
    except DataError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("  \n", []),
        ("first_year=2020 seed=1", ["first_year=2020", "seed=1"]),
        ('models=["a b","c"] first_year=2020', ['models=["a b","c"]', "first_year=2020"]),
        ("models=[a b, c]\nseed=1", ["models=[a b, c]", "seed=1"]),
        ("own_model=my folder/config.json seed = 2", ["own_model=my folder/config.json", "seed = 2"]),
        ("name='x seed=1' seed=2", ["name='x seed=1'", "seed=2"]),
        ("name=O'Brien seed=2", ["name=O'Brien", "seed=2"]),
        ("map={a: 1, b=2} seed=2", ["map={a: 1, b=2}", "seed=2"]),
        ("stray seed=2", ["stray", "seed=2"]),
        ("stray", ["stray"]),
        ("list=[1 seed=2", ["list=[1 seed=2"]),
    ],
)
def test_one_text_holds_several_overrides(text, parts):
    assert split_overrides(text) == parts


@given(st.lists(st.sampled_from(["a b", "c", "x=1", "it's", "[", "d, e", "2"]), max_size=4))
def test_quoted_lists_survive_whatever_they_hold(names):
    quoted = ", ".join(f'"{name}"' for name in names)
    first, second = split_overrides(f"models=[{quoted}] seed=2")
    assert parse_override(first) == ("models", names) and second == "seed=2"


@pytest.mark.parametrize("text", ["stray", "list=[1 seed=2", '="x"', "seed"])
def test_a_broken_text_is_one_line(text):
    with pytest.raises(DataError, match=r"^--set: ") as caught:
        [parse_override(each) for each in split_overrides(text)]
    assert "\n" not in str(caught.value)
