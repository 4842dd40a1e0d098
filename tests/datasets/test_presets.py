"""Published label files are read as their authors mean them: counted here by plain pandas."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd
import pytest

from core.datasets import load_labels
from core.datasets.classes import class_list
from core.datasets.presets import CHEXPERT_CLASSES, PRESETS
from core.errors import InputError
from core.study import preset_names
from core.study.labels import NO_FINDING
from core.study.settings import CxrLtSettings, NihSettings, TableSettings
from tests.datasets.test_datasets import put_images

N = 40
EVERY_OTHER = [1.0, None, 0.0, -1.0]


def chexpert_columns(n: int) -> dict[str, list]:
    """The 14 classes, each with positives, blanks, negatives and uncertain ones in turn."""
    names = enumerate(CHEXPERT_CLASSES)
    return {name: [EVERY_OTHER[(row + at) % 4] for row in range(n)] for at, name in names}


def loaded(preset: str, labels: Path, images: Path, **options):
    return load_labels(
        TableSettings(kind="table", preset=preset, labels=labels, images=images, **options)
    )


def counts(labels, name: str) -> tuple[int, int, int]:
    """Positives, negatives, uncertain."""
    column = labels.table[name]
    return int((column == 1).sum()), int((column == 0).sum()), int(column.isna().sum())


def mentioned(column: pd.Series) -> tuple[int, int, int]:
    """The same of a published column in which a blank is negative and -1 uncertain."""
    return (
        int((column == 1).sum()),
        int((column == 0).sum() + column.isna().sum()),
        int((column == -1).sum()),
    )


def test_every_preset_is_described():
    assert set(PRESETS) == set(preset_names.PRESETS)


@pytest.mark.parametrize("unpacked", ["CheXpert-v1.0-small/", ""])
def test_chexpert(tmp_path, unpacked):
    paths = [
        f"CheXpert-v1.0-small/train/patient{row // 2:05}/study{row % 2 + 1}/view1_frontal.jpg"
        for row in range(N)
    ]
    published = pd.DataFrame(
        {"Path": paths, "Sex": "Female", "Age": range(N), "Frontal/Lateral": "Frontal"}
        | {"AP/PA": "AP"}
        | chexpert_columns(N)
    )
    published.to_csv(tmp_path / "train.csv", index=False)
    put_images(tmp_path / "x", *(unpacked + path.partition("/")[2] for path in paths))
    labels = loaded("chexpert", tmp_path / "train.csv", tmp_path / "x")
    assert labels.class_names == CHEXPERT_CLASSES
    for name in CHEXPERT_CLASSES:
        assert counts(labels, name) == mentioned(published[name])
    assert labels.table["patient_id"].nunique() == N // 2
    assert set(labels.attributes) == {"Sex", "Age", "Frontal/Lateral", "AP/PA"}


def test_mimic_cxr_jpg(tmp_path):
    """Labels are of studies: both images of a study have them; one study has none."""
    folder = tmp_path / "labels"
    folder.mkdir()
    studies = pd.DataFrame(
        {"subject_id": [10000000 + row // 2 for row in range(N)], "study_id": range(5000, 5000 + N)}
    )
    labelled = studies.assign(**chexpert_columns(N)).iloc[1:]
    labelled.to_csv(folder / "mimic-cxr-2.0.0-chexpert.csv.gz", index=False)
    images = studies.loc[studies.index.repeat(2)].reset_index(drop=True)
    images.insert(0, "dicom_id", [f"d{row}" for row in range(2 * N)])
    images["ViewPosition"] = ["PA", "LATERAL"] * N
    images.to_csv(folder / "mimic-cxr-2.0.0-metadata.csv.gz", index=False)
    patient = (images["subject_id"] - 10000000) % 10
    split = patient.map(lambda digit: {8: "validate", 9: "test"}.get(digit, "train"))
    images[["dicom_id", "study_id", "subject_id"]].assign(split=split).to_csv(
        folder / "mimic-cxr-2.0.0-split.csv.gz", index=False
    )
    put_images(
        tmp_path / "x",
        *(f"files/p10/p{one.subject_id}/s{one.study_id}/{one.dicom_id}.jpg"
          for one in images.itertuples()),
    )  # fmt: skip
    labels = loaded("mimic-cxr-jpg", folder, tmp_path / "x")
    assert len(labels.table) == 2 * (N - 1)
    for name in CHEXPERT_CLASSES:
        once = mentioned(labelled[name])
        assert counts(labels, name) == tuple(2 * count for count in once)
    assert labels.table["patient_id"].nunique() == N // 2
    assert (labels.table["split"] == "test").sum() == (split == "test").sum()


def test_mimic_cxr_jpg_with_the_labels_of_negbio(tmp_path):
    """Both labellers' tables lie in one folder; the one that is named counts."""
    studies = pd.DataFrame({"subject_id": range(10000000, 10000012), "study_id": range(12)})
    negbio = studies.assign(**chexpert_columns(12))
    negbio.to_csv(tmp_path / "mimic-cxr-2.0.0-negbio.csv.gz", index=False)
    studies.assign(**dict.fromkeys(CHEXPERT_CLASSES, 1.0)).to_csv(
        tmp_path / "mimic-cxr-2.0.0-chexpert.csv.gz", index=False
    )
    images = studies.assign(dicom_id=[f"d{row}" for row in range(12)])
    images.to_csv(tmp_path / "mimic-cxr-2.0.0-metadata.csv.gz", index=False)
    images.assign(split=["train"] * 8 + ["validate"] * 2 + ["test"] * 2).to_csv(
        tmp_path / "mimic-cxr-2.0.0-split.csv.gz", index=False
    )
    put_images(tmp_path / "x", *(f"p10/p{10000000 + row}/s{row}/d{row}.jpg" for row in range(12)))
    file = tmp_path / "mimic-cxr-2.0.0-negbio.csv.gz"
    labels = loaded("mimic-cxr-jpg", file, tmp_path / "x")
    for name in CHEXPERT_CLASSES:
        assert counts(labels, name) == mentioned(negbio[name])
    assert labels.table["patient_id"].nunique() == studies["subject_id"].nunique()


def test_nih_chest_xray14(tmp_path):
    """Data_Entry_2017.csv as published, last columns and the comma behind them included."""
    cells = ["Mass|Nodule", "No Finding", "Hernia", "Effusion|Mass|Pleural_Thickening"]
    published = pd.DataFrame(
        {
            "Image Index": [f"{1 + row // 2:08}_{row % 2:03}.png" for row in range(N)],
            "Finding Labels": [cells[row % 4] for row in range(N)],
            "Follow-up #": [row % 2 for row in range(N)],
            "Patient ID": [1 + row // 2 for row in range(N)],
            "Patient Age": 58, "Patient Gender": "M", "View Position": "PA",
            "OriginalImage[Width": 2682, "Height]": 2749,
            "OriginalImagePixelSpacing[x": 0.143, "y]": 0.143, "Unnamed: 11": None,
        }
    )  # fmt: skip
    published.to_csv(tmp_path / "Data_Entry_2017.csv", index=False)
    put_images(tmp_path / "x", *("images_001/images/" + published["Image Index"]))
    settings = {"images": tmp_path / "x", "labels": tmp_path / "Data_Entry_2017.csv"}
    labels = load_labels(NihSettings(kind="nih-cxr14", **settings))
    assert len(labels.class_names) == 15
    for name in labels.class_names:
        found = (
            published["Finding Labels"].str.split("|").map(lambda names, name=name: name in names)
        )
        assert counts(labels, name) == (int(found.sum()), int((~found).sum()), 0)
    assert labels.table["patient_id"].nunique() == published["Patient ID"].nunique()


@pytest.mark.parametrize("name", ["nih-cxr-lt", "mimic-cxr-lt"])
def test_the_papers_long_tailed_label_files(tmp_path, name):
    classes = class_list(name)
    nih = name == "nih-cxr-lt"
    parts = {"train": range(24), "val": range(24, 30), "test": range(30, N)}
    published = {}
    for part, rows in parts.items():
        people = [10000000 + row // 2 for row in rows]
        given = (
            {"id": [f"{row // 2:08}_{row % 2:03}.png" for row in rows]}
            if nih
            else {
                "path": [
                    f"files/p10/p{who}/s{row}/{row}.jpg"
                    for who, row in zip(people, rows, strict=True)
                ]
            }
        )
        labels = {one: [int(row % (at + 2) == 0) for row in rows] for at, one in enumerate(classes)}
        table = pd.DataFrame(given | labels | {"subj_id" if nih else "subject_id": people})
        table.to_csv(tmp_path / f"miccai2023_{name}_labels_{part}.csv", index=False)
        published[part] = table
        put_images(tmp_path / "x", *next(iter(given.values())))
    labels = load_labels(
        CxrLtSettings(kind="cxr-lt", name=name, images=tmp_path / "x", labels=tmp_path)
    )
    whole = pd.concat(published.values())
    for one in classes:
        assert counts(labels, one) == (int(whole[one].sum()), int((whole[one] == 0).sum()), 0)
    assert labels.table["split"].value_counts().to_dict() == {
        "train": 24, "validation": 6, "test": N - 30,
    }  # fmt: skip
    assert (
        labels.table["patient_id"].nunique() == whole["subj_id" if nih else "subject_id"].nunique()
    )


def test_padchest(tmp_path, caplog):
    named = [
        "['normal']", "['pleural effusion', ' cardiomegaly']", "['exclude']", "['unchanged']",
        "['cardiomegaly', 'unchanged']", "['normal', 'kyphosis']", "['suboptimal study']", None,
    ]  # fmt: skip
    published = pd.DataFrame(
        {
            "ImageID": [f"{row}_abc.png" for row in range(N)],
            "ImageDir": [str(row % 3) for row in range(N)],
            "PatientID": [f"{row // 2}E{row // 2}" for row in range(N)],
            "Projection": "PA",
            "Labels": [named[row % 8] for row in range(N)],
        }
    )
    published.to_csv(tmp_path / "p.csv")
    put_images(tmp_path / "x", *(published["ImageDir"] + "/" + published["ImageID"]))
    with caplog.at_level(logging.WARNING):
        labels = loaded("padchest", tmp_path / "p.csv", tmp_path / "x")
    assert labels.class_names == (NO_FINDING, "cardiomegaly", "kyphosis", "pleural effusion")
    assert {name: counts(labels, name)[0] for name in labels.class_names} == {
        NO_FINDING: N // 8, "cardiomegaly": N // 4, "kyphosis": N // 8, "pleural effusion": N // 8,
    }  # fmt: skip
    assert f"{N // 2} of {N} images are left out" in caplog.text
    two = loaded("padchest", tmp_path / "p.csv", tmp_path / "x", class_columns=("kyphosis",))
    assert two.class_names == ("kyphosis",)
    with pytest.raises(InputError, match=r"no image has the class 'mass'.*there are: No Finding"):
        loaded("padchest", tmp_path / "p.csv", tmp_path / "x", class_columns=("mass",))


def readers_of(row: int) -> list[int]:
    """How three readers answer: of row n, n % 4 see it."""
    return [1] * (row % 4) + [0] * (3 - row % 4)


@pytest.mark.parametrize(("rule", "at_least"), [("majority", 2), ("any", 1)])
def test_vindr_cxr(tmp_path, rule, at_least):
    rows = [
        {"image_id": f"i{row}", "rad_id": f"R{at}", "Mass": one, "No finding": 1 - one}
        for row in range(N)
        for at, one in enumerate(readers_of(row))
    ]
    folder = tmp_path / "annotations"
    folder.mkdir()
    pd.DataFrame(rows).to_csv(folder / "image_labels_train.csv", index=False)
    tested = [{"image_id": f"t{row}", "Mass": row % 2, "No finding": 0} for row in range(8)]
    pd.DataFrame(tested).to_csv(folder / "image_labels_test.csv", index=False)
    for name in [*(f"train/i{n}" for n in range(N)), *(f"test/t{n}" for n in range(8))]:
        (tmp_path / "x" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "x" / f"{name}.dicom").touch()
    labels = loaded("vindr-cxr", folder, tmp_path / "x", readers=rule)
    table = labels.table
    assert labels.class_names == ("Mass", "No finding")
    train = table[table["split"] != "test"]
    assert int(train["Mass"].sum()) == sum(sum(readers_of(row)) >= at_least for row in range(N))
    assert int(table.loc[table["split"] == "test", "Mass"].sum()) == 4
    assert table["patient_id"].nunique() == len(table) == N + 8  # nothing says who they are


def test_vindr_boxes_are_one_finding_a_reader(tmp_path):
    rows = []
    for row in range(N):
        for at, one in enumerate(readers_of(row)):
            name = "Mass" if one else "No finding"
            rows += [{"image_id": f"i{row}", "class_name": name, "rad_id": f"R{at}"}] * (1 + one)
    pd.DataFrame(rows).to_csv(tmp_path / "train.csv", index=False)
    put_images(tmp_path / "x", *(f"i{row}.png" for row in range(N)))
    labels = loaded("vindr-cxr", tmp_path / "train.csv", tmp_path / "x")
    assert labels.class_names == ("Mass", "No finding")
    assert counts(labels, "Mass")[0] == sum(row % 4 >= 2 for row in range(N))


def test_brax(tmp_path):
    published = pd.DataFrame(
        {
            "DicomPath": [f"Anonymized_DICOMs/id_{row // 2}/S/{row}.dcm" for row in range(N)],
            "PngPath": [f"images/id_{row // 2}/S/{row}.png" for row in range(N)],
            "PatientID": [f"id_{row // 2}" for row in range(N)],
            "PatientSex": "F", "AccessionNumber": range(N), "StudyDate": 20100101,
        }
        | chexpert_columns(N) | {"ViewPosition": "PA"}
    )  # fmt: skip
    published.to_csv(tmp_path / "master_spreadsheet_update.csv", index=False)
    put_images(tmp_path / "x", *published["PngPath"])
    labels = loaded("brax", tmp_path, tmp_path / "x")
    for name in CHEXPERT_CLASSES:
        assert counts(labels, name) == mentioned(published[name])
    assert labels.table["patient_id"].nunique() == N // 2


@pytest.mark.parametrize("whole", [True, False])
def test_cxr_lt_2024(tmp_path, whole):
    folder = tmp_path / "labels"
    folder.mkdir()
    published = pd.DataFrame(
        {
            "dicom_id": [f"d{row}" for row in range(N)],
            "subject_id": [10000000 + row // 2 for row in range(N)],
            "study_id": range(N), "ViewPosition": "PA",
            "ViewCodeSequence_CodeMeaning": "postero-anterior",
            "fpath": [f"files/p10/p{10000000 + row // 2}/s{row}/d{row}.jpg" for row in range(N)],
            "Adenopathy": [row % 3 == 0 for row in range(N)],
            "Normal": [row % 3 == 1 for row in range(N)],
        }
    )  # fmt: skip
    published = published.astype({"Adenopathy": int, "Normal": int})
    published["split"] = ["train"] * 28 + ["development"] * 6 + ["test"] * 6
    files = {"train": "train_labeled", "development": "development_labeled_task1"}
    files["test"] = "test_labeled_task1"
    if whole:
        published.to_csv(folder / "labels.csv", index=False)
    else:
        for split, part in published.groupby("split"):
            part.drop(columns="split").to_csv(folder / f"{files[split]}.csv", index=False)
    put_images(tmp_path / "x", *published["fpath"].str.removeprefix("files/"))
    labels = loaded("cxr-lt-2024", folder, tmp_path / "x")
    assert labels.class_names == ("Adenopathy", "Normal")
    assert counts(labels, "Adenopathy")[:2] == (14, 26)
    assert labels.table["split"].value_counts().to_dict() == {
        "train": 28, "validation": 6, "test": 6,
    }  # fmt: skip


def test_cxr_lt_2026(tmp_path):
    published = pd.DataFrame(
        {
            "ImageID": [f"{row}.png" for row in range(N)], "StudyDate_DICOM": 20140915,
            "PatientID": [f"{row // 2}.0" for row in range(N)],
            "Normal": [row % 2 for row in range(N)],
            "azygos lobe": [int(row < 4) for row in range(N)],
        }
    )  # fmt: skip
    published.to_csv(tmp_path / "CXRLT_2026_training.csv", index=False)
    put_images(tmp_path / "x", *(f"{row % 3}/{row}.png" for row in range(N)))
    labels = loaded("cxr-lt-2026", tmp_path / "CXRLT_2026_training.csv", tmp_path / "x")
    assert labels.class_names == ("Normal", "azygos lobe")
    assert counts(labels, "azygos lobe")[:2] == (4, N - 4)
    assert labels.table["patient_id"].nunique() == N // 2


def test_a_folder_without_the_published_file_is_refused(tmp_path):
    for preset in ("padchest", "brax", "chexpert", "mimic-cxr-jpg"):
        with pytest.raises(InputError, match=r"holds (it holds )?none|it holds none"):
            loaded(preset, tmp_path, tmp_path)


def test_the_first_image_may_be_missing(tmp_path):
    """Of CheXpert, whose images are all called view1_frontal.jpg."""
    paths = [f"CheXpert-v1.0-small/train/patient{row:05}/study1/view1.jpg" for row in range(N)]
    pd.DataFrame({"Path": paths} | chexpert_columns(N)).to_csv(tmp_path / "t.csv", index=False)
    put_images(tmp_path / "x", *(path.partition("/")[2] for path in paths[1:]))
    labels = loaded("chexpert", tmp_path / "t.csv", tmp_path / "x", on_bad_image="skip")
    assert labels.table["path"].tolist()[1:] == [path.partition("/")[2] for path in paths[1:]]


@pytest.mark.parametrize("doubled", ["chexpert", "metadata", "split"])
def test_a_table_of_mimic_joined_with_itself_is_refused(tmp_path, doubled):
    tables = {
        "chexpert": pd.DataFrame({"subject_id": [10000000], "study_id": [50], "Edema": [1.0]}),
        "metadata": pd.DataFrame({"dicom_id": ["d"], "subject_id": [10000000], "study_id": [50]}),
        "split": pd.DataFrame({"dicom_id": ["d"], "split": ["test"]}),
    }
    for name, table in tables.items():
        rows = pd.concat([table] * (2 if name == doubled else 1))
        rows.to_csv(tmp_path / f"mimic-cxr-2.0.0-{name}.csv", index=False)
    with pytest.raises(InputError, match=r"(study_id 50|dicom_id d) has several rows"):
        loaded("mimic-cxr-jpg", tmp_path, tmp_path)


def test_images_that_mimics_table_of_splits_lacks_are_said(tmp_path, caplog):
    ids = [f"d{row}" for row in range(12)]
    images = pd.DataFrame({"dicom_id": ids, "subject_id": range(10000000, 10000012)})
    images["study_id"] = range(12)
    images.to_csv(tmp_path / "mimic-cxr-2.0.0-metadata.csv", index=False)
    labels = images[["subject_id", "study_id"]].assign(**chexpert_columns(12))
    labels.to_csv(tmp_path / "mimic-cxr-2.0.0-chexpert.csv", index=False)
    splits = pd.DataFrame({"dicom_id": ids[:9], "split": ["train"] * 6 + ["test"] * 3})
    splits.to_csv(tmp_path / "mimic-cxr-2.0.0-split.csv", index=False)
    put_images(
        tmp_path / "x",
        *(f"p10/p{10000000 + row}/s{row}/d{row}.jpg" for row in range(12)),
    )
    assert len(loaded("mimic-cxr-jpg", tmp_path, tmp_path / "x").table) == 9
    assert "3 of 12 images are left out, as the table of splits lacks them" in caplog.text


def test_two_images_of_one_name_are_not_taken_for_each_other(tmp_path):
    """`view1.jpg` of many patients: an ending counts only where it names one file."""
    paths = [f"a/patient{row:05}/study1/view1.jpg" for row in range(N)]
    pd.DataFrame({"Path": paths} | chexpert_columns(N)).to_csv(tmp_path / "t.csv", index=False)
    put_images(tmp_path / "x", *(f"other/{row}/view1.jpg" for row in range(N)))
    with pytest.raises(InputError, match="is not below"):
        loaded("chexpert", tmp_path / "t.csv", tmp_path / "x")
