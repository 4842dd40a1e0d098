"""Which prediction files are taken, and what is wrong with those that are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.special import expit

from core.datasets import cxr_lt
from core.errors import InputError
from core.importing.files import prediction_files
from core.importing.pickles import read_pickled_frame
from core.importing.predictions import TestSplit, read_probabilities
from core.study.settings import ImportedSettings
from tests.importing.given import FILES, prediction, write_pickle

N = 90


@pytest.fixture(scope="module")
def test_split() -> TestSplit:
    settings = ImportedSettings(
        kind="imported", name="nih-cxr-lt", labels=FILES, architecture="resnet50"
    )
    return TestSplit.of(cxr_lt.load(settings, lambda *_: None))


@pytest.fixture
def frame() -> pd.DataFrame:
    return read_pickled_frame(prediction(FILES), N, 20)


def test_probabilities_come_in_the_precision_of_the_file(
    test_split: TestSplit, frame: pd.DataFrame, tmp_path: Path
) -> None:
    names = list(test_split.class_names)
    values = read_probabilities(prediction(FILES), test_split)
    assert values.dtype == np.float32
    assert np.array_equal(values, frame[names].to_numpy())
    exact = np.random.default_rng(0).random((N, 20))
    write_pickle(frame.assign(**dict(zip(names, exact.T, strict=True))), prediction(tmp_path))
    assert np.array_equal(read_probabilities(prediction(tmp_path), test_split), exact)


def shuffled(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sample(frac=1, random_state=0)


def with_value(value: float) -> object:
    return lambda frame: frame.assign(Hernia=np.where(frame.index == 3, value, 0.5).astype("f4"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (shuffled, r"row \d+ is labelled .*, but image '\d{8}_00\d\.png', in that place"),
        (lambda f: f.drop(columns="Hernia"), r"lacks the column\(s\) Hernia\."),
        (lambda f: f.drop(columns=["Hernia", "Mass"]), "Hernia, Mass|Mass, Hernia"),
        (lambda f: f.drop(columns="label"), "names no images: .*label with each image's classes"),
        (lambda f: f.iloc[:-1], r"has 89 rows; the test split has 90 images"),
        (lambda f: pd.concat([f, f.iloc[:1]]), "has 91 rows"),
        (with_value(np.nan), r"'Hernia' of image '\d{8}_001\.png' is missing \(blank"),
        (with_value(1.5), "is 1.5; a probability is between 0 and 1"),
        (with_value(-0.1), "is -0.1"),
        (with_value(np.inf), "is inf"),
        (lambda f: f.assign(Hernia="often"), "'Hernia' holds 'often', not numbers"),
        (lambda f: f.assign(label="Hernia"), "is labelled 'Hernia'"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_fit_is_refused(
    change, words: str, test_split: TestSplit, frame: pd.DataFrame, tmp_path: Path
) -> None:
    write_pickle(change(frame), prediction(tmp_path))
    with pytest.raises(InputError, match=words) as refused:
        read_probabilities(prediction(tmp_path), test_split)
    assert str(prediction(tmp_path)) in str(refused.value)


def test_the_first_row_that_differs_is_named(
    test_split: TestSplit, frame: pd.DataFrame, tmp_path: Path
) -> None:
    labels = frame["label"].tolist()
    other = next(i for i in range(10, N) if labels[i] != labels[9])
    labels[9], labels[other] = labels[other], labels[9]
    write_pickle(frame.assign(label=labels), prediction(tmp_path))
    with pytest.raises(InputError, match=r"row 10 is .*\(2 of 90 rows differ\)"):
        read_probabilities(prediction(tmp_path), test_split)


@pytest.mark.parametrize("column", ["image_id", "id", "path"])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_tables_are_matched_by_image_in_any_order(
    column: str, ending: str, test_split: TestSplit, frame: pd.DataFrame, tmp_path: Path
) -> None:
    path = prediction(tmp_path, ending=ending)
    table = shuffled(frame.assign(**{column: test_split.image_ids, "note": "x"}))
    write(table, path)
    expected = read_probabilities(prediction(FILES), test_split)
    assert np.array_equal(read_probabilities(path, test_split).astype(np.float32), expected)
    write(table.drop(columns="label"), path)  # the label column is not needed here
    assert np.array_equal(read_probabilities(path, test_split).astype(np.float32), expected)
    write(table.assign(label=frame["label"].to_numpy()), path)
    with pytest.raises(InputError, match="is labelled"):
        read_probabilities(path, test_split)


def test_numbers_in_csv_are_read_to_the_last_bit(
    test_split: TestSplit, frame: pd.DataFrame, tmp_path: Path
) -> None:
    exact = np.random.default_rng(0).random((N, 20)) ** 8
    table = pd.DataFrame(exact, columns=list(test_split.class_names))
    write(table.assign(image_id=test_split.image_ids), prediction(tmp_path, ending="csv"))
    assert np.array_equal(read_probabilities(prediction(tmp_path, ending="csv"), test_split), exact)


def write(table: pd.DataFrame, path: Path) -> None:
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.drop(columns="image_id"), "one of the columns image_id, id, path"),
        (lambda t: t.drop(columns="Hernia"), r"lacks the column\(s\) Hernia\."),
        (lambda t: t.iloc[:-1], r"lacks image '.*' of the test split \(1 of 90 are missing\)"),
        (lambda t: pd.concat([t, t.iloc[:1]]), "occurs more than once"),
        (
            lambda t: pd.concat([t, t.iloc[:1].assign(image_id="new.png")]),
            "has 91 rows.* Image 'new.png' is not in the test split: keep only rows of test images",
        ),
        (lambda t: pd.concat([t.iloc[:-1], t.iloc[:1]]), "occurs more than once"),
        (lambda t: t.assign(image_id=["new.png", *t["image_id"][1:]]), "lacks image '"),
        (lambda t: t.assign(Hernia=2.0), "is 2; a probability"),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_tables_that_do_not_fit_are_refused(
    change, words: str, ending: str, test_split: TestSplit, frame: pd.DataFrame, tmp_path: Path
) -> None:
    path = prediction(tmp_path, ending=ending)
    write(change(frame.assign(image_id=test_split.image_ids)), path)
    with pytest.raises(InputError, match=words):
        read_probabilities(path, test_split)


@pytest.mark.parametrize("ending", ["csv", "parquet", "pkl"])
def test_a_damaged_file_is_refused_by_name(
    ending: str, test_split: TestSplit, tmp_path: Path
) -> None:
    path = prediction(tmp_path, ending=ending)
    path.write_bytes(b"\x00\xff\xfe damaged")
    with pytest.raises(InputError, match=path.name.replace(".", r"\.")):
        read_probabilities(path, test_split)


def test_files_are_found_by_their_names(tmp_path: Path) -> None:
    for seed, prune in ((10, "0.95"), (2, "0"), (2, "0.05"), (10, "0"), (2, "0.50")):
        prediction(tmp_path, seed, prune).touch()
    (tmp_path / "mimic-cxr-lt_resnet50_seed-0_prune-0.pkl").touch()
    (tmp_path / "notes.txt").touch()
    found = [(f.seed, f.sparsity) for f in prediction_files(tmp_path, "nih-cxr-lt")]
    assert found == [(2, 0.0), (2, 0.05), (2, 0.5), (10, 0.0), (10, 0.95)]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "holds no predictions for nih-cxr-lt. Files are called"),
        (["resnet50_seed-0_prune-0.5.pkl"], "no predictions of a dense model"),
        (["resnet50_seed-0_prune-0.pkl", "vgg16_seed-0_prune-0.pkl"], "resnet50, vgg16"),
        (["resnet50_seed-0_prune-0.pkl", "resnet50_seed-0_prune-0.csv"], "are both seed 0"),
        (["resnet50_seed-0_prune-0.125.pkl"], "0.125 is not a whole percent"),
        (["resnet50_seed-0_prune-1.pkl"], "1 is not a whole percent below 1"),
    ],
)
def test_a_folder_that_cannot_be_a_study_is_refused(
    names: list[str], words: str, tmp_path: Path
) -> None:
    for name in names:
        (tmp_path / f"nih-cxr-lt_{name}").touch()
    with pytest.raises(InputError, match=words.replace(".", r"\.")):
        prediction_files(tmp_path, "nih-cxr-lt")


@pytest.mark.parametrize("odd", [".5", "0,5", "50%", "-0.5", "5e-1", "0.5.pt", "0.5.csv", "half"])
def test_a_file_that_is_almost_a_cell_does_not_leave_the_study_unseen(tmp_path, odd):
    prediction(tmp_path).touch()
    named = tmp_path / f"nih-cxr-lt_resnet50_seed-0_prune-{odd}.gz"
    named.touch()
    with pytest.raises(InputError, match=r"is not called .* Rename it") as refused:
        prediction_files(tmp_path, "nih-cxr-lt")
    assert str(refused.value).startswith(named.name)


def test_percentages_are_read_as_such_throughout_a_folder(tmp_path, caplog):
    for percent in ("0", "5", "50", "07"):
        prediction(tmp_path, 0, percent, "CSV").touch()
    found = [file.sparsity for file in prediction_files(tmp_path, "nih-cxr-lt")]
    assert found == [0, 0.05, 0.07, 0.5]
    assert "read as percent: 0, 5, 7, 50" in caplog.text
    prediction(tmp_path, 0, "0.9").touch()
    with pytest.raises(InputError, match=r"prune-0\.9\.pkl gives its sparsity as a fraction, and"):
        prediction_files(tmp_path, "nih-cxr-lt")


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_a_parquet_file_that_repeats_one_long_text_is_refused(tmp_path, kind):
    rows = pd.DataFrame({"image_id": ["a", "b"], "path": ["a", "b"], "Hernia": [0, 1]})
    repeated = pa.DictionaryArray.from_arrays([0, 0], pa.array(["x" * 1_000_000], kind))
    path = tmp_path / "cell.parquet"
    table = pa.table({"image_id": repeated, "Hernia": [0.1, 0.2]})
    pq.write_table(table, path, compression="zstd", store_schema=False)
    with pytest.raises(InputError, match="a text of 1,000,000 bytes"):
        read_probabilities(path, TestSplit(rows, ("Hernia",)))


def test_logits_are_recognised_and_read_through_a_sigmoid(
    test_split: TestSplit, frame: pd.DataFrame, tmp_path: Path
) -> None:
    names = list(test_split.class_names)
    logits = np.random.default_rng(0).normal(0, 6, (N, 20))
    write_pickle(frame.assign(**dict(zip(names, logits.T, strict=True))), prediction(tmp_path))
    with pytest.raises(InputError, match=r"if these are logits, import them with --logits"):
        read_probabilities(prediction(tmp_path), test_split)
    asked = replace(test_split, logits=True)
    values = read_probabilities(prediction(tmp_path), asked)
    np.testing.assert_allclose(values, expit(logits), rtol=1e-12)
    assert (np.argsort(values, axis=0) == np.argsort(logits, axis=0)).all()
    with pytest.raises(InputError, match=r"are probabilities\. Import them without --logits"):
        read_probabilities(prediction(FILES), asked)


def test_a_bare_array_needs_its_classes_stated(
    test_split: TestSplit, frame: pd.DataFrame, tmp_path: Path
) -> None:
    names = list(test_split.class_names)
    path = prediction(tmp_path, ending="npy")
    np.save(path, frame[names[::-1]].to_numpy())
    with pytest.raises(InputError, match="--array-classes"):
        read_probabilities(path, test_split)
    stated = replace(test_split, array_classes=tuple(names[::-1]))
    assert np.array_equal(read_probabilities(path, stated), frame[names].to_numpy())
    for wrong, words in (
        (np.zeros((N, 3)), r"array of shape \(90, 3\); expected \(90, 20\)"),
        (np.array([[object()]]), "not a readable array"),
        (np.full((N, 20), "a"), "expected numbers"),
    ):
        np.save(path, wrong, allow_pickle=True)
        with pytest.raises(InputError, match=words):
            read_probabilities(path, stated)
    np.save(path, frame[names].to_numpy())
    with pytest.raises(InputError, match=r"lacks the column\(s\)"):
        read_probabilities(path, replace(test_split, array_classes=("x", *names[1:])))
