"""Zips as people pack them: folders unlike the table's, and names without a suffix."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.datasets import load_labels
from core.errors import InputError
from core.upload import own_data
from core.upload.own_data import Columns
from core.upload.own_data_child import _paths, _report
from core.upload.own_data_zip import contents, opened, unpack
from tests.dicoms import write_dicom
from tests.upload.test_own_data import _cache, looked, members, packed, png, sent  # noqa: F401

CASES = Path(__file__).parents[3] / "shared" / "cases"
here = pytest.mark.skipif(not CASES.is_dir(), reason="the reported files are not at ../shared")


def chexpert(n_patients: int = 12, first: str = "CheXpert-v1.0-small/") -> str:
    rows = [
        f"{first}train/patient{patient:05d}/study{study}/view1_frontal.jpg,Frontal,AP,"
        f"{'1.0' if patient % 2 else ''},{'1.0' if patient % 3 == 0 else '0.0'}"
        for patient in range(n_patients)
        for study in (1, 2)
    ]
    return "\n".join(["Path,Frontal/Lateral,AP/PA,Edema,Fracture", *rows])


def images_of(table: str, drop: int) -> dict[str, bytes]:
    """The images of a table, without the first `drop` folders."""
    paths = [line.partition(",")[0] for line in table.splitlines()[1:]]
    return {"/".join(path.split("/")[drop:]): png(at) for at, path in enumerate(paths)}


@pytest.mark.parametrize("drop", [0, 1, 2])
def test_a_zip_without_the_tables_first_folders_is_understood(drop: int) -> None:
    table = chexpert()
    found = looked(sent(packed({"t.csv": table.encode()} | images_of(table, drop))))
    assert found.report is not None, found
    assert found.report.refusal is None
    assert (found.report.n_images, found.report.n_missing) == (24, 0)
    assert found.report.n_patients == 12
    assert found.report.patient_column == ""


@pytest.mark.parametrize(
    ("sep", "encoding", "suffix"),
    [(";", "cp1252", ".png"), (",", "utf-8", ".PNG"), ("\t", "utf-16", ".Png")],
)
def test_tables_as_excel_writes_them_and_suffixes_in_capitals(sep, encoding, suffix) -> None:
    rows = [f"x{n}{suffix}{sep}P{n // 2}{sep}{n % 2}{sep}Köln" for n in range(12)]
    table = "\n".join([sep.join(("Datei", "PatientID", "Müdigkeit", "Ort")), *rows])
    files = {"t.csv": table.encode(encoding)} | {f"Bilder/x{n}.png": png(n) for n in range(12)}
    found = looked(sent(packed(files)))
    assert found.report is not None, found
    assert (found.report.n_missing, found.report.n_patients) == (0, 6)
    assert [(one.class_name, one.n_positive) for one in found.report.classes] == [("Müdigkeit", 6)]


def test_shares_of_a_zip_without_a_split_can_be_chosen() -> None:
    everything = Columns(shares=(0.0, 1.0))
    upload = sent(packed(members()))
    report = looked(upload, everything).report
    assert report is not None
    assert report.splits == {"test": 30}
    kept = own_data.keep(upload, everything, "all-test", "local")
    assert (kept.dataset.validation_share, kept.dataset.test_share) == (0, 1)
    assert set(load_labels(kept.dataset).table["split"]) == {"test"}


@here
def test_the_reported_zip_without_its_first_folder_is_understood() -> None:
    table = (CASES / "28-zip-chexpert-prefix" / "chex.csv").read_text()
    found = looked(sent(packed({"t.csv": table.encode()} | images_of(table, 1))))
    assert found.report is not None, found
    assert found.report.n_missing == 0


def test_an_image_is_nobody_elses_because_their_endings_agree() -> None:
    given = pd.Series([f"a/patient{n}/study1/view1.jpg" for n in (1, 2)])
    assert _paths(given, ["patient1/study1/view1.jpg"]).tolist() == [
        "patient1/study1/view1.jpg", "a/patient2/study1/view1.jpg"
    ]  # fmt: skip
    # Not even its bare name, which was enough before.
    assert _paths(given, ["view1.jpg"]).tolist() == given.tolist()


@pytest.mark.parametrize(
    ("text", "image"),
    [
        ("1.png", "images/deep/1.png"), ("./1.png", "1.png"), ("/data/x/1.png", "x/1.png"),
        ("C:\\x\\1.png", "x/1.png"), ("old/x/1.png", "new/x/1.png"),
        ("R\u00f6.png", "x/Ro\u0308.PNG"), ("x/7.dcm", "new/x/7.png"),
    ],
)  # fmt: skip
def test_one_image_is_found_by_its_longest_ending(text: str, image: str) -> None:
    images = [image, "y/2.png", "z/2.png"]
    assert _paths(pd.Series([text]), images).tolist() == [image]


def test_two_images_of_the_longest_ending_are_refused() -> None:
    with pytest.raises(InputError, match=r"'a/1.png' is in the zip 2 times"):
        _paths(pd.Series(["a/1.png"]), ["x/a/1.png", "y/a/1.png"])


def pacs(tmp_path: Path) -> dict[str, bytes]:
    files = {}
    for number in range(12):
        name = (f"IM{number:06d}", f"1.2.840.10008.{number}", f"{number:04d}.IMA")[number % 3]
        path = tmp_path / name
        if number % 4 == 3:
            path.write_bytes(png(number))
        else:
            write_dicom(path, np.arange(256, dtype=np.uint16).reshape(16, 16))
        files[f"DICOM/{name}"] = path.read_bytes()
    return files


def tabled(paths: list[str]) -> bytes:
    rows = [f"{path},p{n // 2},{n % 2}" for n, path in enumerate(paths)]
    return "\n".join(["path,PatientID,Mass", *rows]).encode()


def by_windows(files: dict[str, bytes]) -> bytes:
    """As programs of Windows pack that divide folders by backslashes, folders among the members."""
    with_folders = {"set\\": b"", "set\\a\\": b""} | {
        name.replace("/", "\\"): content for name, content in files.items()
    }
    return packed(with_folders)


def by_macos(files: dict[str, bytes]) -> bytes:
    hidden = {f"__MACOSX/{name.rpartition('/')[0]}/._{name.rpartition('/')[2]}": b"\0\5\x16\7" * 40
              for name in files}  # fmt: skip
    return packed(files | hidden | {"set/.DS_Store": b"junk", "set/a/.DS_Store": b"junk"})


@pytest.mark.parametrize("pack", [packed, by_windows, by_macos])
@pytest.mark.parametrize("given", ["a/{}", "other/a/{}", "{}", "A\\{}", "./set/a/{}"])
def test_zips_as_systems_pack_them(tmp_path: Path, pack, given: str) -> None:
    names = [f"{n:03}" + (".PNG" if n % 2 else ".png") for n in range(6)]
    files = {f"set/a/{name}": png(at) for at, name in enumerate(names)}
    path = tmp_path / "x.zip"
    path.write_bytes(pack(files | {"set/labels.csv": tabled([given.format(n) for n in names])}))
    with opened(path, "x.zip") as archive:
        found = contents(archive, "x.zip", path.stat().st_size)
        assert [one.filename for one in found.images] == sorted(files)
        unpack(archive, found, tmp_path, "x.zip", lambda done, total: None)
    images = [one.filename for one in found.images]
    assert all((tmp_path / "images" / name).read_bytes() == files[name] for name in images)
    report = _report(tmp_path, found.table.filename, images, [], Columns(), 0, 0)
    assert (report.n_images, report.n_missing, report.n_unused, report.n_patients) == (6, 0, 0, 3)


@pytest.mark.parametrize("given", ["DICOM/{}", "PACS/2020/DICOM/{}", "{}", "{}.dcm", "dicom/{}"])
def test_dicom_without_suffix_below_another_folder_than_the_tables(tmp_path: Path, given) -> None:
    images = list(pacs(tmp_path))
    for name in images:
        (tmp_path / "images" / "export" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / "export" / name).touch()
    (tmp_path / "given.csv").write_bytes(tabled([given.format(n[6:]) for n in images]))
    report = _report(tmp_path, "t.csv", [f"export/{n}" for n in images], [], Columns(), 0, 0)
    assert (report.n_images, report.n_missing, report.n_patients) == (12, 0, 6)


def test_images_without_a_suffix_are_known_by_how_they_begin(tmp_path: Path) -> None:
    images = pacs(tmp_path)
    rows = [f"{path},p{n // 2},{n % 2}" for n, path in enumerate(images)]
    table = "\n".join(["path,PatientID,Mass", *rows])
    others = {"DICOM/DICOMDIR": images["DICOM/IM000000"], "README": b"read me"}
    found = looked(sent(packed({"t.csv": table.encode()} | images | others)))
    assert found.report is not None, found
    assert found.report.n_images == 12
    assert found.report.n_missing == found.report.n_broken == 0
    assert found.report.n_skipped == 2
    assert found.report.patient_column == "PatientID"


@pytest.mark.parametrize("name", ["run.py", "page.html", "x.exe", "study.toml", "a.png.sh"])
def test_what_has_another_suffix_stays_packed_however_it_begins(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.zip"
    dicom = b"\0" * 128 + b"DICM" + b"\0" * 100
    path.write_bytes(packed({"t.csv": b"path,Mass\na.png,1\n", "a.png": png(), name: dicom}))
    with opened(path, "a.zip") as archive:
        found = contents(archive, "a.zip", path.stat().st_size)
        (tmp_path / "to").mkdir()
        unpack(archive, found, tmp_path / "to", "a.zip", lambda done, total: None)
    assert [one.filename for one in found.images] == ["a.png"]
    assert not (tmp_path / "to" / "images" / name).exists()
