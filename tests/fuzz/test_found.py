"""What the fuzz has found, each as small as it can be, so that it stays found."""

from __future__ import annotations

import gzip
import io
import json
import resource
import subprocess
import sys
import time
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, generate_frames

from core.datasets.files import relative_path
from core.datasets.nih_cxr14 import age_in_years
from core.datasets.tables import read_rows
from core.errors import InputError
from core.pictures.images import read_grey, stored_size
from core.pictures.samples import BadImage
from core.processes.children import write_answer
from core.study import store
from core.study.config import MAX_BYTES, read_config
from core.study.settings import NihSettings
from core.upload import own_data_child
from tests.dicoms import write_dicom

STUDY = '[study]\nname = "a"\n[dataset]\nkind = "phantom"\n[model]\narchitecture = "resnet18"\n'


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("image_size = " + "9" * 5000, "not valid TOML"),
        ("image_size = " + "[" * 3000, "not valid TOML: it nests too deep"),
        ("#" * MAX_BYTES, "bytes; it is no study file"),
        ("\n".join(f"unknown_{number} = 1" for number in range(3000)), "and 2,992 more"),
        ('[checkpoint]\npath = "~nobody-of-this-name/x"\nsha256 = "' + "0" * 64 + '"\n'
         'classes = ["a"]\n[runs]\ncount = 1', "without a home"),
    ],
)  # fmt: skip
def test_a_study_file_that_python_stumbles_over_is_refused(tmp_path, more, words):
    (tmp_path / "study.toml").write_text(STUDY + more)
    began = time.process_time()
    with pytest.raises(InputError, match=words) as refused:
        read_config(tmp_path / "study.toml")
    assert time.process_time() - began < 5
    assert len(str(refused.value)) < 3000


def test_a_setting_of_which_python_stumbles_is_taken_as_text(tmp_path):
    (tmp_path / "study.toml").write_text(STUDY)
    with pytest.raises(InputError, match=r"runs\.count"):
        read_config(tmp_path / "study.toml", ("runs.count=" + "9" * 5000,))


def refused_table(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(InputError) as refused:
        read_rows(path)
    return str(refused.value)


def test_damaged_and_misnamed_packings_of_a_table_are_refused(tmp_path):
    whole = bytearray(gzip.compress(b"path,Mass\n" + b"a.png,1\n" * 500, mtime=0))
    whole[14] ^= 0xFF
    assert "not a readable" in refused_table(tmp_path / "labels.csv.gz", bytes(whole))
    assert "not a readable" in refused_table(tmp_path / "cut.csv.gz", bytes(whole[:30]))
    for ending in ("xz", "zip", "tar", "zst"):
        text = refused_table(tmp_path / f"labels.{ending}", b"\xfd7zXZ\x00\xff\xff\xff\xff")
        assert "not a readable" in text


def test_a_table_of_some_bytes_that_unfolds_to_many_is_refused(tmp_path):
    bomb = gzip.compress(b"a,0\n" * 10_000_000)
    assert len(bomb) < 100_000
    assert "unfolds to more than" in refused_table(tmp_path / "labels.csv.gz", bomb)
    text = pa.array(["x" * 100_000]).dictionary_encode().dictionary
    rows = pa.DictionaryArray.from_arrays(pa.array(np.zeros(20_000, np.int32)), text)
    pq.write_table(pa.table({"path": rows}), tmp_path / "one.parquet")
    assert (tmp_path / "one.parquet").stat().st_size < 20_000
    with pytest.raises(InputError, match="unfolds to more than"):
        read_rows(tmp_path / "one.parquet")


def test_parquet_that_lies_about_its_columns_or_text_is_refused(tmp_path):
    path = tmp_path / "labels.parquet"
    lie = {"columns": [{"name": "a", "pandas_type": "x", "numpy_type": "x", "metadata": None}]}
    lie |= {"index_columns": [], "column_indexes": []}
    made = pa.table({"a": [1]}).replace_schema_metadata({b"pandas": json.dumps(lie).encode()})
    pq.write_table(made, path)
    with pytest.raises(InputError, match="not a readable"):
        read_rows(path)
    no_text = pa.array([b"\xff\xfe"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"a": no_text}), path)
    with pytest.raises(InputError, match="Invalid UTF8"):
        read_rows(path)
    pq.write_table(pa.table([[1], [0]], names=["Mass", "Mass "]), path)
    with pytest.raises(InputError, match="'Mass' twice"):
        read_rows(path)


def test_ages_that_are_no_numbers_of_years_are_missing():
    ages = age_in_years(pd.Series(["58", "058Y", "\u0661", "9" * 5000, "000"]))
    assert ages.iloc[[0, 1, 4]].tolist() == [58, 58, 0]
    assert ages.iloc[[2, 3]].isna().all()


def test_a_split_has_no_negative_seed():
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        NihSettings(kind="nih-cxr14", images=Path("a"), labels=Path("b"), split_seed=-1)


def looked_at(folder: Path, files: dict[str, bytes]) -> dict:
    with zipfile.ZipFile(folder / "upload.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    question = {"path": str(folder / "upload.zip"), "name": "Brought.zip", "person": "local"}
    columns = {"image": None, "patient": None, "split": None, "classes": []}
    store.write_json(question | {"columns": columns}, folder / "question.json")
    write_answer(folder, own_data_child.report)
    return json.loads((folder / "answer.json").read_text())


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (8, 8)).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_file_without_a_name_in_a_zip_is_refused(tmp_path):
    answer = looked_at(tmp_path, {"": b"x", "labels.csv": b"path,Mass\na.png,1\n", "a.png": png()})
    assert "without a name" in answer["refusal"]


def test_a_class_that_is_uncertain_on_every_image_has_no_positives(tmp_path):
    rows = "".join(f"{name}.png,{n % 2},-1\n" for n, name in enumerate("abc"))
    table = f"path,Mass,Hernia\n{rows}".encode()
    answer = looked_at(tmp_path, {"labels.csv": table, **{f"{n}.png": png() for n in "abc"}})
    found = {one["class_name"]: one["n_positive"] for one in answer["report"]["classes"]}
    assert found == {"Mass": 1, "Hernia": 0}


def test_room_is_made_for_what_a_field_holds_not_for_what_it_claims(tmp_path):
    """A field of 4 GB in a file of 600 bytes, read with little memory to spare."""
    path = write_dicom(tmp_path / "a.dcm", np.zeros((8, 8), np.uint8))
    data = bytearray(path.read_bytes())
    at = data.index(b"\x02\x00\x01\x00OB")
    data[at + 8 : at + 12] = b"\xf0\xff\xff\xff"
    path.write_bytes(data)
    program = (
        "import resource, sys\nfrom pathlib import Path\n"
        "from core.pictures import dicom\nfrom core.pictures.samples import BadImage\n"
        "size = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (size + 2**28,) * 2)\n"
        "try: dicom.stored_size(Path(sys.argv[1]))\n"
        "except BadImage as error: print(error)\n"
    )
    assert resource.RLIMIT_AS
    command = [sys.executable, "-c", program, str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "cannot be used" in said
    assert "MemoryError" not in said


def test_a_jp2_box_without_a_length_is_not_gone_round_for_ever(tmp_path):
    data = pydicom.dcmread(str(get_testdata_file("GDCMJ2K_TextGBR.dcm", download=False)))
    frame = bytearray(next(generate_frames(data.PixelData, number_of_frames=1)))
    at = frame.index(b"jp2h")
    frame[at - 4 : at] = bytes(4)
    data.PixelData = encapsulate([bytes(frame)])
    data["PixelData"].is_undefined_length = True
    data.save_as(tmp_path / "a.dcm")
    with pytest.raises(BadImage, match="damaged"):
        read_grey(tmp_path / "a.dcm")


def scans(n: int, side: int) -> bytes:
    """A progressive JPEG that claims `side` pixels a side, its last scan `n` times."""
    buffer = io.BytesIO()
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(
        buffer, "JPEG", progressive=True
    )
    data = bytearray(buffer.getvalue())
    at = data.index(b"\xff\xc2")
    data[at + 5 : at + 9] = side.to_bytes(2, "big") * 2
    last = data.rindex(b"\xff\xda")
    return bytes(data[:last] + data[last:-2] * n + b"\xff\xd9")


def test_a_jpeg_of_thousands_of_scans_is_refused_where_it_is_large(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(scans(1000, 8900))
    with pytest.raises(BadImage, match="1,005 scans, which would take too long"):
        stored_size(path)
    path.write_bytes(scans(1000, 16))
    assert read_grey(path).shape == (16, 16)


def test_a_tiff_of_a_compression_that_nobody_knows_is_refused(tmp_path):
    buffer = io.BytesIO()
    image = Image.new("L", (8, 8))
    image.save(buffer, "TIFF", save_all=True, append_images=[image])
    data = bytearray(buffer.getvalue())
    at = data.rindex(b"\x03\x01\x03\x00\x01\x00\x00\x00")  # of the second picture
    data[at + 8 : at + 10] = b"\x42\x4d"
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(BadImage, match="cannot be used"):
        read_grey(tmp_path / "a.tif")


def test_a_png_whose_pixels_claim_to_go_on_for_gigabytes_is_refused(tmp_path):
    buffer = io.BytesIO()
    Image.new("L", (8, 8)).save(buffer, "PNG")
    data = bytearray(buffer.getvalue())
    at = data.index(b"IDAT")
    data[at - 4 : at] = (2**31 - 1).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(BadImage, match=r"truncated: its part IDAT is to have 2,147,483,647 bytes"):
        read_grey(tmp_path / "a.png")


@pytest.mark.parametrize("path", ["a.png", "p1/x-1.png", "ä/b_c.png", "./a//b.png", " a/.b", "a/"])
def test_plain_paths_are_what_pathlib_makes_of_them(path):
    assert relative_path(path, Path("a.csv")) == PurePosixPath(path.strip()).as_posix()
