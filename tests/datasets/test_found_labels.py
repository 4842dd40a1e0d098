"""Label files as they are found in the world: understood, or refused with what to do."""

from __future__ import annotations

import gzip
import logging
import re
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.datasets import load_labels
from core.datasets.joined import how_joined
from core.errors import InputError
from core.study.labels import Labels
from core.study.settings import TableSettings
from core.wording.data_sentences import one_valued

CASES = Path(__file__).parents[3] / "shared" / "cases"
here = pytest.mark.skipif(not CASES.is_dir(), reason="the reported files are not at ../shared")


def loaded(path: Path, **options: object) -> Labels:
    """All images but one may be missing."""
    folder = path.parent / "images"
    folder.mkdir(exist_ok=True)
    settings = TableSettings(
        kind="table", images=folder, labels=path, on_bad_image="skip", **options
    )
    named = re.search(r"[\w./-]+\.(?:png|jpg)", path.read_bytes().decode("latin1"))
    for name in ("a.png", "00000001_000.png", named.group() if named else "b.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return load_labels(settings)


def written(folder: Path, text: str, name: str = "labels.csv") -> Path:
    path = folder / name
    content = text.encode()
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def in_parquet(folder: Path, frame: pd.DataFrame) -> Path:
    frame.to_parquet(folder / "labels.parquet")
    return folder / "labels.parquet"


def columns(**others: list) -> pd.DataFrame:
    n = 20
    frame = pd.DataFrame(
        {
            "path": [f"{'abcdefghijklmnopqrst'[at]}.png" for at in range(n)],
            "Mass": [at % 2 for at in range(n)],
            "Hernia": [int(at % 3 == 0) for at in range(n)],
        }
    )
    return frame.assign(**others)


# Rows longer than the header


@pytest.mark.parametrize("name", ["labels.csv", "labels.csv.gz"])
@pytest.mark.parametrize(
    "rows",
    [
        ["a.png,p0,50,0,1,1", "b.png,p1,51,0,0,0"],
        ["a.png,p0,50,1,1", "b.png,p1,51,0,0,0"],
        ["a.png,p0,50,5,1,", "b.png,p1,51,0,0"],
        ["a.png,p0,50,0,1,,", "b.png,p1,51,0,0,,"],
        ['a.png,p0,"5,0",1,1,0', "b.png,p1,51,0,0"],
        ["a.png,p0,50,1,1", "b.png,p1,51,0,0", "", "c.png,Doe, Jane,51,0,0"],
    ],
)
def test_rows_longer_than_the_header_are_refused(tmp_path, name, rows):
    path = written(tmp_path, "\n".join(["path,patient_id,Age,Mass,Hernia", *rows]), name)
    with pytest.raises(InputError, match=r"line \d .* fields, and the header names 5"):
        loaded(path)


def test_a_comma_too_many_at_the_end_of_every_row_shifts_nothing(tmp_path):
    path = written(tmp_path, "path,patient_id,Mass\na.png,p,1,\nb.png,q,0,\nc.png,r,0,\n")
    assert loaded(path).table["Mass"].tolist() == [1, 0, 0]


@here
def test_the_reported_rows_are_refused(tmp_path):
    path = written(tmp_path, (CASES / "23-rows-longer-than-header" / "longall.csv").read_text())
    with pytest.raises(InputError, match=r"line 2 .* has 6 fields, and the header names 5"):
        loaded(path)


# Blanks, and classes with one value


def chexpert(folder: Path) -> Path:
    lines = ["Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Edema,Fracture"]
    for patient in range(12):
        for view in (1, 2):
            edema = {0: "1.0", 1: "0.0", 2: "-1.0"}.get(patient % 4, "")
            lines.append(
                f"C/train/patient{patient:05d}/study1/view{view}_frontal.jpg,Male,40,Frontal,AP,"
                f"{'1.0' if patient % 4 == 1 else ''},{edema},{'1.0' if patient % 3 == 0 else ''}"
            )
    return written(folder, "\n".join(lines))


def test_a_blank_is_negative_in_chexperts_tables_and_patients_are_in_the_path(tmp_path, caplog):
    labels = loaded(chexpert(tmp_path))
    assert labels.class_names == ("No Finding", "Edema", "Fracture")
    counts = {name: labels.table[name].value_counts().to_dict() for name in labels.class_names}
    # 12 patients of two images: Edema is 1 for 3 patients, 0 for 3 and blank for 3, -1 for 3.
    assert counts == {
        "No Finding": {0: 18, 1: 6}, "Edema": {0: 12, 1: 6}, "Fracture": {0: 16, 1: 8}
    }  # fmt: skip
    assert labels.table["Edema"].isna().sum() == 6
    assert labels.table["patient_id"].nunique() == 12
    assert labels.table.groupby("patient_id")["split"].nunique().eq(1).all()
    assert "columns of CheXpert" in caplog.text
    assert "taken from the paths" in caplog.text


def test_what_a_blank_means_is_a_setting(tmp_path):
    rows = ["a.png,p,1", "b.png,q,", "c.png,r,", "d.png,s,1", "e.png,t,", "f.png,u,1"]
    path = written(tmp_path, "\n".join(["path,patient_id,Mass", *rows]))
    with pytest.raises(InputError, match="'Mass' has 3 positives, 3 blanks and no negatives"):
        loaded(path)
    assert loaded(path, blank="negative").table["Mass"].tolist() == [1, 0, 0, 1, 0, 1]
    uncertain = loaded(path, blank="uncertain").table
    assert uncertain["Mass"].isna().sum() == 3
    assert "AP is 1 whatever a network answers: Mass." in one_valued(uncertain, ["Mass"])[0]
    assert loaded(chexpert(tmp_path), blank="uncertain").table["Edema"].isna().sum() == 12


def test_the_meaning_of_a_blank_stays_out_of_todays_ids():
    from core.study.config import parse_config

    raw = {
        "study": {"name": "s"},
        "dataset": {"kind": "table", "images": "x", "labels": "y.csv"},
        "model": {"architecture": "resnet18"},
    }
    config = parse_config(raw, "test")
    explicit = parse_config(raw | {"dataset": raw["dataset"] | {"blank": "negative"}}, "test")
    assert config.id == "s-4f91f06b"
    assert explicit.id != config.id


@here
@pytest.mark.parametrize("name", ["chex.csv", "train.csv"])
def test_the_reported_chexpert_tables_are_as_pandas_counts_them(tmp_path, name):
    source = CASES / "20-chexpert-blank-and-patients" / name
    labels, plain = loaded(written(tmp_path, source.read_text())), pd.read_csv(source)
    for class_name in labels.class_names:
        assert (labels.table[class_name] == 1).sum() == (plain[class_name] == 1).sum()
        assert labels.table[class_name].isna().sum() == (plain[class_name] == -1).sum()
    patients = plain["Path"].str.extract(r"(patient\d+)")[0]
    assert labels.table["patient_id"].tolist() == patients.tolist()


# Patients


@pytest.mark.parametrize(
    "name",
    ["patient_id", "PatientID", "Patient ID", "subject_id", "Patient_ID", "patientId", "subj_id",
     "SubjectID", "PATIENT", "deid_patient_id"],
)  # fmt: skip
def test_patients_are_known_by_many_names(tmp_path, name, caplog):
    ids = [f" p{at // 2} " for at in range(20)]
    path = written(tmp_path, columns(**{name: ids}).to_csv(index=False))
    labels = loaded(path)
    assert labels.table["patient_id"].tolist() == [text.strip() for text in ids]
    assert "counts as its own patient" not in caplog.text


@pytest.mark.parametrize("name", ["Path", "image_path", "filename", "Image Index", "ImageID"])
def test_images_are_known_by_many_names(tmp_path, name):
    path = written(tmp_path, columns().rename(columns={"path": name}).to_csv(index=False))
    assert loaded(path).table["image_id"].tolist()[:2] == ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("text", "patient"),
    [
        ("files/p10/p1000003{}/s50414267/02aa.jpg", "p1000003{}"),
        ("train/patient0000{}/study1/v.jpg", "patient0000{}"),
        ("Patient_1{}/a.png", "Patient_1{}"),
    ],
)
def test_patients_are_known_by_their_folder(tmp_path, text, patient):
    paths = [text.format(at % 5).replace(".jpg", f"{at}.jpg").replace("a.png", f"{at}.png")
             for at in range(20)]  # fmt: skip
    labels = loaded(written(tmp_path, columns(path=paths).to_csv(index=False)))
    assert labels.table["patient_id"].tolist() == [patient.format(at % 5) for at in range(20)]


def test_without_patients_each_image_is_its_own_and_that_is_said(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        loaded(written(tmp_path, columns().to_csv(index=False)))
    assert "each image counts as its own patient" in caplog.text


def test_a_path_is_the_same_with_a_dot_and_blanks(tmp_path):
    frame = columns()
    frame["path"] = " ./" + frame["path"] + " "
    labels = loaded(written(tmp_path, frame.to_csv(index=False)))
    assert labels.table["path"].tolist()[:2] == ["a.png", "b.png"]


@here
@pytest.mark.parametrize("name", ["pn.csv", "pn2.csv", "pn3.csv"])
def test_the_reported_patients_are_known(tmp_path, name):
    source = CASES / "25-patient-column-names" / name
    labels = loaded(written(tmp_path, source.read_text()))
    assert labels.table["patient_id"].tolist() == pd.read_csv(source).iloc[:, 1].tolist()


# Parquet


@pytest.mark.parametrize("index", ["patient_id", "path", "split", ["patient_id", "split"]])
def test_an_index_is_a_column_like_any_other(tmp_path, index):
    splits = ["train"] * 8 + ["val"] * 6 + ["test"] * 6
    frame = columns(patient_id=[f"p{at // 2}" for at in range(20)], split=splits)
    labels = loaded(in_parquet(tmp_path, frame.set_index(index)))
    assert labels.table["patient_id"].tolist() == frame["patient_id"].tolist()
    assert labels.table["path"].tolist() == frame["path"].tolist()
    assert labels.table["split"].tolist() == [s.replace("val", "validation") for s in splits]


def test_an_index_without_a_name_may_hold_the_paths(tmp_path):
    frame = columns()
    unnamed = frame.set_index("path").rename_axis(None)
    assert loaded(in_parquet(tmp_path, unnamed)).table["path"].tolist() == frame["path"].tolist()
    counted = frame.set_index(pd.Index(range(5, 25)))
    assert loaded(in_parquet(tmp_path, counted)).attributes == ()


@pytest.mark.parametrize(
    "values",
    [
        pa.array([b"\xff\xfe"] * 20),
        pa.array([{"bytes": b"\x89PNG", "path": "a.png"}] * 20),
        pa.array([[b"\xff"]] * 20),
        pa.array([[[1.0]]] * 20),
        pa.array([b"\xff\xfe"] * 20, pa.binary(2)),
        pa.array([[("a", 1)]] * 20, pa.map_(pa.string(), pa.int64())),
        pa.array([b"\xff\xfe"] * 20).dictionary_encode(),
    ],
)
def test_columns_of_bytes_or_records_are_left_out_and_said(tmp_path, values, caplog):
    table = pa.Table.from_pandas(columns()).append_column("image", values)
    pq.write_table(table, tmp_path / "labels.parquet")
    labels = loaded(tmp_path / "labels.parquet")
    assert labels.attributes == ()
    assert labels.class_names == ("Mass", "Hernia")
    assert "left out, as they hold no numbers or text: image" in caplog.text


@here
@pytest.mark.parametrize("name", ["dt.parquet", "struct.parquet"])
def test_the_reported_bytes_are_left_out(tmp_path, name):
    pq.write_table(pq.read_table(CASES / "26-parquet-bytes" / name), tmp_path / "l.parquet")
    labels = loaded(tmp_path / "l.parquet")
    assert labels.class_names[:2] == ("Mass", "Hernia")
    assert not {"h", "image"} & set(labels.attributes)


@here
@pytest.mark.parametrize("name", ["idx.parquet", "spi.parquet", "spl.parquet"])
def test_the_reported_index_is_kept(tmp_path, name):
    path = tmp_path / name
    path.write_bytes((CASES / "22-parquet-index" / name).read_bytes())
    plain = pd.read_parquet(path).reset_index()
    labels = loaded(path)
    assert labels.table["patient_id"].tolist() == plain["patient_id"].tolist()
    if "split" in plain:
        given = plain["split"].replace("val", "validation")
        assert labels.table["split"].tolist() == given.tolist()


# Joined labels

JOINED = ["Mass,Hernia", "Mass", "Hernia", ""]


@pytest.mark.parametrize(
    ("cells", "how"),
    [
        (["Mass|Hernia", "Mass", "Hernia", ""], "'|'"),
        (["Mass, Hernia", "Mass", "Hernia", ""], "','"),
        (["Mass; Hernia", "Mass", " Hernia ", ""], "';'"),
        (["Mass\nHernia", "Mass", "Hernia", ""], r"'\n'"),
        (["['Mass', 'Hernia']", "['Mass']", "['Hernia']", "[]"], "lists"),
        (['["Mass", "Hernia"]', '["Mass"]', '["Hernia"]', "nan"], "lists"),
        (["('Mass', 'Hernia')", "('Mass',)", "('Hernia',)", "()"], "lists"),
        (["['Mass' 'Hernia']", "['Mass']", "['Hernia']", "['']"], "lists"),
        (["[Mass, Hernia]", "[Mass]", "[Hernia]", "[]"], "lists"),
        (["Mass, right|Hernia, left", "Mass, right", "Hernia, left", ""], "'|'"),
    ],
)
def test_joined_names_are_divided(tmp_path, cells, how):
    assert how_joined(pd.Series(cells))[1] == how
    frame = pd.DataFrame({"path": [f"{n}.png" for n in "abcd"], "findings": cells})
    labels = loaded(written(tmp_path, frame.to_csv(index=False)), joined_column="findings")
    assert [name[:4] for name in labels.class_names] == ["Hern", "Mass"]
    assert labels.table.iloc[:, 4].tolist() == [1, 0, 1, 0]
    assert labels.table.iloc[:, 5].tolist() == [1, 1, 0, 0]


def test_a_separator_of_ones_own(tmp_path):
    text = 'path,findings\na.png,"Mass, right / Hernia"\nb.png,Hernia\nc.png,Hernia\n'
    labels = loaded(written(tmp_path, text), joined_column="findings", joined_by="/")
    assert labels.class_names == ("Hernia", "Mass, right")


def test_lists_in_parquet_are_divided(tmp_path):
    frame = pd.DataFrame({
        "path": [f"{n}.png" for n in "abcd"], "labels": [["Mass", "It's"], ["Mass"], [], None]
    })  # fmt: skip
    labels = loaded(in_parquet(tmp_path, frame))  # by its name
    assert labels.class_names == ("It's", "Mass")
    assert labels.table["Mass"].tolist() == [1, 1, 0, 0]


@here
@pytest.mark.parametrize(
    ("name", "column", "classes"),
    [("commas.csv", "findings", {"Mass", "Hernia"}),
     ("list.parquet", "findings", {"Mass", "Hernia"}),
     ("padchest.csv", "Labels", {"cardiomegaly", "pleural effusion", "normal"})],
)  # fmt: skip
@pytest.mark.parametrize("named", [True, False])
def test_the_reported_joined_names_are_divided(tmp_path, name, column, classes, named):
    path = tmp_path / name
    path.write_bytes((CASES / "21-joined-other-separators" / name).read_bytes())
    assert set(loaded(path, **({"joined_column": column} if named else {})).class_names) >= classes
    assert not [n for n in loaded(path).class_names if "," in n or "[" in n]


# Values


@pytest.mark.parametrize("truth", [["True", "False"], ["TRUE", "false"], [True, False]])
def test_true_and_false_are_read(tmp_path, truth):
    frame = columns(Mass=[truth[at % 2] for at in range(20)])
    for path in (written(tmp_path, frame.to_csv(index=False)), in_parquet(tmp_path, frame)):
        assert loaded(path).table["Mass"].tolist() == [1, 0] * 10


@pytest.mark.parametrize("wrong", ["2", "x", "0.5", "?", "-2", "maybe"])
def test_one_wrong_value_does_not_take_a_class_out_of_the_study(tmp_path, wrong):
    values = [str(at % 2) for at in range(20)]
    values[7] = wrong
    path = written(tmp_path, columns(Mass=values).to_csv(index=False))
    with pytest.raises(InputError, match=r"'Mass' holds labels, but '.*' in row 8"):
        loaded(path)
    assert loaded(path, class_columns=("Hernia",)).class_names == ("Hernia",)


def test_a_count_is_no_class_with_mistakes(tmp_path):
    follow_up = [str(at % 6) for at in range(20)]
    labels = loaded(written(tmp_path, columns(follow_up=follow_up).to_csv(index=False)))
    assert labels.attributes == ("follow_up",)


@here
def test_the_reported_wrong_value_is_refused(tmp_path):
    source = CASES / "31-wrong-value-class-vanishes" / "p2.csv"
    with pytest.raises(InputError, match="'Mass' holds labels, but '2' in row 3"):
        loaded(written(tmp_path, source.read_text()))
