"""Labels come out alike however they are kept: one row an image, patients whole, errors named."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as trials
from hypothesis import strategies as st
from PIL import Image

from core.datasets import DATASETS, load_labels
from core.datasets.classes import all_class_names, class_list
from core.datasets.cxr_lt import label_file
from core.datasets.nih_cxr14 import age_in_years
from core.datasets.splits import with_validation
from core.errors import InputError
from core.study.labels import SPLITS, Labels, split_by_patient
from core.study.paths import images_dir, phantoms_dir
from core.study.settings import CxrLtSettings, DatasetSettings, NihSettings, PhantomSettings

KINDS = get_args(get_args(DatasetSettings)[0])
SAMPLE = Path(__file__).parents[3] / "shared" / "data" / "nih-cxr-64"


def put_images(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8)).save(folder / name)


def splits_of(labels: Labels) -> dict[str, str]:
    return dict(zip(labels.table["image_id"], labels.table["split"], strict=True))


def assert_patients_whole(patient_ids: pd.Series, split: pd.Series) -> None:
    assert (split.groupby(patient_ids).nunique() == 1).all()


# Splits


@trials(deadline=None)
@given(
    st.lists(st.integers(0, 12), min_size=2, max_size=60).filter(lambda ids: len(set(ids)) > 2),
    st.floats(0.01, 0.45),
    st.floats(0.01, 0.5),
    st.integers(0, 99),
)
def test_no_patient_is_in_two_splits(ids, validation_share, test_share, seed):
    patients = pd.Series(ids).astype(str)
    split = split_by_patient(patients, validation_share, test_share, seed)
    assert_patients_whole(patients, split)
    listed = pd.Series(np.where(patients == patients.iloc[0], "test", "train"))
    completed = with_validation(patients, listed, validation_share, seed)
    assert_patients_whole(patients, completed)
    assert set(completed) == set(SPLITS)
    assert (completed[listed == "test"] == "test").all()
    again = with_validation(patients, listed, validation_share, seed)
    pd.testing.assert_series_equal(completed, again)


# The registry


def test_every_kind_has_a_loader():
    kinds = {get_args(kind.model_fields["kind"].annotation)[0] for kind in KINDS}
    assert {*DATASETS, "imported"} == kinds


def test_published_class_lists_have_their_sizes():
    sizes = {name: len(class_list(name)) for name in ("nih-cxr14", "nih-cxr-lt", "mimic-cxr-lt")}
    assert sizes == {"nih-cxr14": 15, "nih-cxr-lt": 20, "mimic-cxr-lt": 19}
    assert {"Pneumomediastinum", "Support Devices", "No Finding"} <= all_class_names()
    with pytest.raises(InputError, match="nih-cxr14"):
        class_list("chexpert")


def test_phantoms_are_drawn_once_and_divided_by_patient(tmp_path, monkeypatch):
    pytest.importorskip("core.datasets.phantom.dataset")
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path))
    settings = PhantomSettings(kind="phantom", n_patients=10, size=32)
    seen = []
    labels = load_labels(settings, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(labels.table), len(labels.table))
    assert images_dir(settings) == phantoms_dir(settings)
    assert all((images_dir(settings) / path).is_file() for path in labels.table["path"])
    assert {"age", "sex", "true_findings"} <= set(labels.attributes)
    assert_patients_whole(labels.table["patient_id"], labels.table["split"])
    assert load_labels(settings).fingerprint() == labels.fingerprint()


# NIH ChestX-ray14

NIH_ROWS = (
    ("00000001_000.png", "Mass|Nodule", 0, 1, "058Y", "M", "PA"),
    ("00000001_001.png", "No Finding", 1, 1, "059Y", "M", "AP"),
    ("00000002_000.png", "Hernia", 0, 2, "013M", "F", "PA"),
    ("00000003_000.png", "Pleural_Thickening", 0, 3, "414Y", "F", "PA"),
)
NIH_COLUMNS = (
    "Image Index",
    "Finding Labels",
    "Follow-up #",
    "Patient ID",
    "Patient Age",
    "Patient Gender",
    "View Position",
)


def nih(folder: Path, rows=NIH_ROWS, **options) -> NihSettings:
    folder.mkdir(exist_ok=True)
    pd.DataFrame(rows, columns=NIH_COLUMNS).to_csv(folder / "Data_Entry.csv", index=False)
    for number, row in enumerate(rows):
        put_images(folder, f"images_{1 + number // 2:03d}/images/{row[0]}")
    return NihSettings(kind="nih-cxr14", images=folder, labels=folder / "Data_Entry.csv", **options)


def with_lists(folder: Path, train: tuple[str, ...], test: tuple[str, ...]) -> dict[str, Path]:
    for name, images in (("train_val_list.txt", train), ("test_list.txt", test)):
        (folder / name).write_text("\n".join(images))
    return {
        "train_list": folder / "train_val_list.txt",
        "test_list": folder / "test_list.txt",
    }


def test_blanks_around_patients_of_nih_and_cxr_lt_are_no_part_of_them(tmp_path):
    rows = [(*row[:3], f" {row[3]}" + " " * at, *row[4:]) for at, row in enumerate(NIH_ROWS)]
    table = load_labels(nih(tmp_path / "nih", rows)).table
    assert table["patient_id"].tolist() == ["1", "1", "2", "3"]
    images = {
        "train": [
            {"id": "00000001_000.png", "subj_id": "1 "}, {"id": "00000001_001.png", "subj_id": " 1"}
        ],
        "val": [{"id": "00000002_000.png", "subj_id": 2}],
        "test": [{"id": "00000013_000.png", "subj_id": 13}],
    }  # fmt: skip
    (tmp_path / "lt").mkdir()
    settings = cxr_lt(tmp_path / "lt", "nih-cxr-lt", images)
    put_images(settings.images, *(row["id"] for part in images.values() for row in part))
    table = load_labels(settings).table
    assert table["patient_id"].tolist() == ["1", "1", "2", "13"]


def test_nih_labels_paths_and_attributes(tmp_path):
    labels = load_labels(nih(tmp_path))
    table = labels.table.set_index("image_id")
    assert len(labels.class_names) == 15
    found = {
        image: [name for name in labels.class_names if table.loc[image, name] == 1]
        for image in table.index
    }
    assert found == {
        "00000001_000.png": ["Mass", "Nodule"],
        "00000001_001.png": ["No Finding"],
        "00000002_000.png": ["Hernia"],
        "00000003_000.png": ["Pleural_Thickening"],
    }
    assert table["path"].tolist()[2] == "images_002/images/00000002_000.png"
    assert table["patient_id"].tolist() == ["1", "1", "2", "3"]
    assert set(labels.attributes) == {"age", "sex", "view", "follow_up"}
    assert table["view"].tolist() == ["PA", "AP", "PA", "PA"]
    assert_patients_whole(labels.table["patient_id"], labels.table["split"])


def test_nih_ages_are_years():
    ages = age_in_years(pd.Series(["058Y", "58", "013M", "030D", "414Y", None, "old"]))
    expected = [58, 58, 1.08, 0.08, np.nan, np.nan, np.nan]
    np.testing.assert_array_equal(ages, expected)


def test_nih_lists_decide_the_test_set_and_train_is_divided_by_patient(tmp_path):
    lists = with_lists(
        tmp_path,
        ("00000001_000.png", "00000001_001.png", "00000002_000.png", "99999999_000.png"),
        ("00000003_000.png",),
    )
    labels = load_labels(nih(tmp_path, **lists))
    split = splits_of(labels)
    assert split["00000003_000.png"] == "test"
    assert sorted(labels.table["split"].unique()) == ["test", "train", "validation"]
    assert split["00000001_000.png"] == split["00000001_001.png"]


def test_nih_lists_with_a_shared_patient_name_that_patient(tmp_path):
    lists = with_lists(
        tmp_path,
        ("00000001_000.png", "00000002_000.png"),
        ("00000001_001.png", "00000003_000.png"),
    )
    with pytest.raises(InputError, match=r"patient 1 has images in train and test"):
        load_labels(nih(tmp_path, **lists))


def test_nih_lists_must_name_each_image_once(tmp_path):
    images = tuple(row[0] for row in NIH_ROWS)
    with pytest.raises(InputError, match=r"00000003_000\.png is in none of"):
        load_labels(nih(tmp_path, **with_lists(tmp_path, images[:2], images[2:3])))
    with pytest.raises(InputError, match=r"00000003_000\.png is in both of"):
        load_labels(nih(tmp_path, **with_lists(tmp_path, images, images[3:])))
    with pytest.raises(InputError, match="both or not at all"):
        load_labels(nih(tmp_path, train_list=tmp_path / "train_val_list.txt"))


@pytest.mark.parametrize(
    ("findings", "message"),
    [
        ("Mass|Hernai", r"unknown finding 'Hernai'.*Hernia, No Finding"),
        ("No Finding|Mass", "'No Finding' beside Mass"),
        ("", "no Finding Labels"),
    ],
)
def test_nih_findings_that_cannot_be_meant_are_refused(tmp_path, findings, message):
    rows = (*NIH_ROWS, ("00000004_000.png", findings, 0, 4, "1", "F", "PA"))
    with pytest.raises(InputError, match=rf"00000004_000\.png has.*{message}"):
        load_labels(nih(tmp_path, rows))


def test_a_missing_image_is_named_with_how_many_more(tmp_path):
    settings = nih(tmp_path)
    for name in ("images_001/images/00000001_001.png", "images_002/images/00000003_000.png"):
        (tmp_path / name).unlink()
    with pytest.raises(InputError, match=r"00000001_001\.png \(and 1 more\) of 4"):
        load_labels(settings)
    # With "skip" they stay until decoding, which reports them together with broken ones.
    skipping = settings.model_copy(update={"on_bad_image": "skip"})
    assert len(load_labels(skipping).table) == 4


def test_two_files_of_one_name_are_refused(tmp_path):
    settings = nih(tmp_path)
    put_images(tmp_path, "small/00000002_000.png")
    with pytest.raises(InputError, match=r"00000002_000\.png is there twice"):
        load_labels(settings)


def test_linked_folders_are_found_and_loops_end(tmp_path):
    real = tmp_path / "real"
    nih(real)
    folder = tmp_path / "linked"
    folder.mkdir()
    (folder / "images").symlink_to(real, target_is_directory=True)
    (real / "loop").symlink_to(real, target_is_directory=True)
    settings = NihSettings(kind="nih-cxr14", images=folder, labels=real / "Data_Entry.csv")
    assert load_labels(settings).table["path"][0].startswith("images/images_001/")


def test_what_is_not_there_is_said(tmp_path):
    settings = nih(tmp_path)
    for setting, message in (("images", "is not a folder"), ("labels", "no label file")):
        with pytest.raises(InputError, match=message):
            load_labels(settings.model_copy(update={setting: tmp_path / "gone"}))
    (tmp_path / "Data_Entry.csv").write_text("Image Index,Patient ID\na.png,1\n")
    with pytest.raises(InputError, match=r"lacks the column.*Finding Labels"):
        load_labels(settings)
    (tmp_path / "Data_Entry.csv").write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    with pytest.raises(InputError, match="not a readable CSV"):
        load_labels(settings)


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="the real NIH sample is not at ../shared/data")
def test_the_real_sample_is_read_whole():
    settings = NihSettings(kind="nih-cxr14", images=SAMPLE, labels=SAMPLE / "Data_Entry.csv")
    labels = load_labels(settings)
    assert len(labels.table) == 769
    assert labels.table["patient_id"].nunique() == 211
    assert labels.table["Hernia"].sum() == 1
    assert labels.table["No Finding"].sum() == 395
    assert labels.table["path"][0] == "images/00000001_000.png"
    assert_patients_whole(labels.table["patient_id"], labels.table["split"])


# NIH-CXR-LT and MIMIC-CXR-LT


def cxr_lt(folder: Path, name: str, images: dict[str, list[dict]]) -> CxrLtSettings:
    """Label files with the given rows for train, val and test; every class 0 unless given."""
    class_names = sorted(class_list(name))  # the published files have another order than the list
    for part, rows in images.items():
        table = pd.DataFrame(rows)
        for class_name in class_names:
            table[class_name] = (
                table[class_name].fillna(0).astype(int) if class_name in table else 0
            )
        table.to_csv(label_file(folder, name, part), index=False)
    return CxrLtSettings(kind="cxr-lt", name=name, images=folder / "images", labels=folder)


def test_nih_cxr_lt_as_published(tmp_path):
    rows = {
        "train": [
            {"id": "00000001_000.png", "Pneumomediastinum": 1, "subj_id": 1},
            {"id": "00000001_001.png", "Mass": 1, "subj_id": 1},
        ],
        "val": [{"id": "00000002_000.png", "No Finding": 1, "subj_id": 2}],
        "test": [{"id": "00000013_000.png", "Hernia": 1, "Mass": 1, "subj_id": 13}],
    }
    settings = cxr_lt(tmp_path, "nih-cxr-lt", rows)
    put_images(settings.images, *(row["id"] for part in rows.values() for row in part))
    labels = load_labels(settings)
    assert labels.class_names == class_list("nih-cxr-lt")
    assert labels.table["split"].tolist() == ["train", "train", "validation", "test"]
    assert labels.table["patient_id"].tolist() == ["1", "1", "2", "13"]
    assert labels.table["Mass"].tolist() == [0, 1, 0, 1]
    assert labels.attributes == ()
    # Without subj_id the patient stands in the file name.
    bare = {part: [{k: v for k, v in r.items() if k != "subj_id"} for r in rs]
            for part, rs in rows.items()}  # fmt: skip
    assert load_labels(cxr_lt(tmp_path, "nih-cxr-lt", bare)).fingerprint() == labels.fingerprint()


@pytest.mark.parametrize("below", ["", "files/"])
def test_mimic_cxr_lt_as_published(tmp_path, below):
    rows = {
        part: [{"path": f"files/p10/p1000003{number}/s5{number}/{part}.jpg", "view": "PA"}]
        for number, part in enumerate(("train", "val", "test"))
    }
    settings = cxr_lt(tmp_path, "mimic-cxr-lt", rows)
    given = [rows[part][0]["path"] for part in rows]
    put_images(settings.images, *(below + path.removeprefix("files/") for path in given))
    labels = load_labels(settings)
    assert labels.table["image_id"].tolist() == given
    assert all((settings.images / path).is_file() for path in labels.table["path"])
    assert labels.table["patient_id"].tolist() == ["10000030", "10000031", "10000032"]
    assert labels.attributes == ("view",)


def one_each() -> dict[str, list[dict]]:
    return {part: [{"id": f"{number:08d}_000.png"}]
            for number, part in enumerate(("train", "val", "test"), start=1)}  # fmt: skip


def test_cxr_lt_names_missing_files(tmp_path):
    settings = cxr_lt(tmp_path, "nih-cxr-lt", one_each())
    label_file(tmp_path, "nih-cxr-lt", "test").unlink()
    with pytest.raises(
        InputError, match=r"lacks miccai2023_nih-cxr-lt_labels_test\.csv\. Expected"
    ):
        load_labels(settings)


def test_cxr_lt_without_a_validation_file_and_under_shorter_names(tmp_path, caplog):
    rows = one_each() | {"train": [{"id": f"{number:08d}_000.png"} for number in range(10, 30)]}
    settings = cxr_lt(tmp_path, "nih-cxr-lt", rows)
    put_images(tmp_path / "images", *(row["id"] for part in rows.values() for row in part))
    published = load_labels(settings).table
    for part in ("train", "test"):
        path = label_file(tmp_path, "nih-cxr-lt", part)
        path.rename(path.with_name(path.name.removeprefix("miccai2023_")))
    assert load_labels(settings).table.equals(published)
    label_file(tmp_path, "nih-cxr-lt", "val").unlink()
    table = load_labels(settings).table
    assert table["split"].value_counts().to_dict() == {"train": 18, "validation": 2, "test": 1}
    assert "validation images are taken from train's patients" in caplog.text


def test_cxr_lt_refuses_other_classes_and_shared_patients(tmp_path):
    images = tmp_path / "images"
    put_images(images, "00000001_000.png", "00000001_001.png", "00000002_000.png")
    rows = one_each()
    rows["val"][0]["Support Devices"] = 1
    with pytest.raises(InputError, match="class 'Support Devices', which is none of the 20"):
        load_labels(cxr_lt(tmp_path, "nih-cxr-lt", rows))
    leak = one_each() | {"test": [{"id": "00000001_001.png"}]}
    with pytest.raises(InputError, match="patient 1 has images in train and test"):
        load_labels(cxr_lt(tmp_path, "nih-cxr-lt", leak))
    settings = cxr_lt(tmp_path, "nih-cxr-lt", one_each())
    path = label_file(tmp_path, "nih-cxr-lt", "test")
    pd.read_csv(path).drop(columns="Cardiomegaly").to_csv(path, index=False)
    with pytest.raises(InputError, match=r"labels_test\.csv lacks the column\(s\) Cardiomegaly"):
        load_labels(settings)
