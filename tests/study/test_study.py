"""A study's id follows from what decides its numbers, and from nothing else."""

import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.study import paths
from core.study.config import StudyConfig, parse_config, read_config
from core.study.settings import DatasetSettings
from tests.toys import toy_config

MINIMAL = """
[study]
name = "mine"
[dataset]
kind = "table"
images = "xrays"
labels = "labels.csv"
[model]
architecture = "resnet18"
"""


@pytest.fixture
def study_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL)
    return path


def test_equal_configs_have_equal_ids_and_the_hash_is_pinned(study_file):
    assert read_config(study_file).id == read_config(study_file).id == "mine-4f91f06b"


def test_a_spelled_out_default_changes_nothing(study_file):
    spelled = read_config(study_file, ("runs.count=30", "pruning.method=l1_global"))
    assert spelled.id == read_config(study_file).id


def test_where_the_data_lies_the_title_and_what_is_made_at_once_change_nothing(study_file):
    moved = read_config(
        study_file, ("dataset.images=/elsewhere", 'study.title="Mine"', "runs.at_once=4")
    )
    assert moved.id == read_config(study_file).id


@pytest.mark.parametrize(
    "override",
    ["runs.count=2", "model.image_size=64", "training.epochs=3", "groups.head_above=0.2"],
)
def test_what_decides_the_numbers_changes_the_id(study_file, override):
    assert read_config(study_file, (override,)).id != read_config(study_file).id


def test_a_config_survives_being_saved():
    config = toy_config()
    again = StudyConfig.model_validate(config.model_dump(mode="json"))
    assert again == config
    assert again.id == config.id


@given(st.sets(st.integers(1, 99), max_size=20))
def test_sparsities_are_whole_percents_in_names_and_fractions_in_tables(percents):
    grid = [0.0, *(percent / 100 for percent in sorted(percents))]
    config = toy_config(sweep={"sparsities": grid})
    assert [paths.percent(s) for s in config.sweep.sparsities] == [0, *sorted(percents)]
    assert list(config.sweep.sparsities) == grid


def test_the_default_grid_is_the_papers():
    grid = toy_config(sweep={}).sweep.sparsities
    assert (len(grid), grid[0], grid[1], grid[-1]) == (20, 0.0, 0.05, 0.95)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("runs.count=0", "runs.count"),
        ("runs.cuont=3", "runs.cuont"),
        ("model.architecture=alexnet", "did you mean 'torchvision/alexnet'"),
        ("model.architecture=timm/resnet50dd", "did you mean 'timm/resnet50d'"),
        ("model.architecture=Resnet-50", "'resnet50'"),
        ("sweep.sparsities=[0.5, 0.9]", "start at 0"),
        ("sweep.sparsities=[0, 0.005]", "whole percents"),
        ("study.name=../../etc", "study.name"),
        ("nonsense", "section.key=value"),
        ("dataset.kind=magic", "dataset"),
        ("training.batch_size=1", "training.batch_size"),
        ("groups.tail_below=0.5", "tail_below must not be above"),
    ],
)
def test_a_bad_setting_is_named_with_what_is_allowed(study_file, override, words):
    with pytest.raises(InputError, match=re.escape(words)):
        read_config(study_file, (override,))


def test_shares_are_at_most_all(study_file):
    shares = ("dataset.test_share=0.7", "dataset.validation_share=0.4")
    with pytest.raises(InputError, match="together are at most 1"):
        read_config(study_file, shares)
    everything = ("dataset.test_share=1", "dataset.validation_share=0")
    assert read_config(study_file, everything).dataset.test_share == 1


def test_a_file_that_is_no_study_is_refused_in_words(tmp_path):
    for text in (b"\xff\xfe", b"[study", b"study = 3"):
        path = tmp_path / "bad.toml"
        path.write_bytes(text)
        with pytest.raises(InputError, match=r"bad\.toml"):
            read_config(path)
    with pytest.raises(InputError, match="Cannot read"):
        read_config(tmp_path / "absent.toml")


def test_shipped_study_files_are_valid_and_the_papers_settings_are_the_papers(pytestconfig):
    folder = pytestconfig.rootpath / "data" / "studies"
    names = {path.stem: read_config(path) for path in folder.glob("*.toml")}
    assert {"demo", "nih-sample", "nih-cxr-lt", "mimic-cxr-lt"} <= set(names)
    assert all(config.study.name == name for name, config in names.items())
    for name in ("nih-cxr-lt", "mimic-cxr-lt"):
        config = names[name]
        assert (config.model.architecture, config.model.weights) == ("resnet50", "imagenet")
        assert (config.model.image_size, config.runs.count) == (256, 30)
        training = config.training
        assert (training.epochs, training.patience, training.batch_size) == (60, 15, 256)
        assert (training.learning_rate, training.rotation_degrees) == (1e-4, 15)
        assert len(config.sweep.sparsities) == 20


def test_parse_config_names_its_source():
    with pytest.raises(InputError, match=r"uploaded\.toml"):
        parse_config({}, "uploaded.toml")


@pytest.mark.parametrize("kind", get_args(get_args(DatasetSettings)[0]))
def test_every_dataset_has_a_title(kind):
    allowed = {"images": "x", "labels": "y", "name": "nih-cxr-lt", "architecture": "resnet50"}
    known = {name: value for name, value in allowed.items() if name in kind.model_fields}
    (tag,) = get_args(kind.model_fields["kind"].annotation)
    assert kind(kind=tag, **known).title


def test_an_error_does_not_name_the_kind_within_the_section(study_file):
    with pytest.raises(InputError, match=r" dataset\.test_share: "):
        read_config(study_file, ("dataset.test_share=2",))
