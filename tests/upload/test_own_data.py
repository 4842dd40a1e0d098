"""Own data: a zip of images and a CSV becomes a dataset whole, or not at all, and never escapes."""

from __future__ import annotations

import io
import json
import re
import stat
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core import jobs
from core.actions import deletion
from core.actions.deletion import delete_dataset, delete_upload
from core.checkpoints import preflights
from core.errors import InputError, WorkError
from core.people import access, audit
from core.pictures import thumbnails
from core.study import paths
from core.study.config import StudyConfig
from core.upload import datasets, own_data, own_data_zip, uploads
from core.upload.own_data import Columns, DataAnswer
from core.upload.own_data_zip import contents, opened, unpack
from core.upload.uploads import Upload
from tests.waiting import until

N_IMAGES = 30
ANN = access.Person("ann@clinic.org", "researcher")


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))


def png(seed: int = 0) -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 256, (20, 16), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "PNG")
    return buffer.getvalue()


def table() -> str:
    """Every second image has a mass, every tenth a hernia; three images a patient."""
    rows = [
        f"{number:03d}.png,p{number // 3},{number % 2},{int(number % 10 == 0)},{40 + number}"
        for number in range(N_IMAGES)
    ]
    return "\n".join(["file,patient_id,Mass,Hernia,age", *rows])


def members(folder: str = "images/", **others: bytes) -> dict[str, bytes]:
    images = {f"{folder}{number:03d}.png": png(number) for number in range(N_IMAGES)}
    return {"labels.csv": table().encode()} | images | others


def packed(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def sent(content: bytes, name: str = "My X-rays.zip") -> Upload:
    ticket = uploads.read_ticket(uploads.address("dataset", "local").rpartition("/")[2])
    assert ticket
    with uploads.receiving(ticket, name, len(content)) as place:
        place.write(content)
        return place.finish()


def looked(upload: Upload, columns: Columns | None = None) -> DataAnswer:
    """What the real child says."""
    own_data.look(upload, columns or Columns())
    until(lambda: own_data.answer(upload, columns or Columns()).state != "working")
    return own_data.answer(upload, columns or Columns())


# What becomes a dataset


def test_a_zip_becomes_a_dataset_that_a_checkpoint_can_be_tried_on() -> None:
    files = members(**{"notes.txt": b"hello", "__MACOSX/images/._000.png": b"junk"})
    files["images/029.png"] = b"no image at all"
    files["images/unused.png"] = png(99)
    del files["images/028.png"]
    upload = sent(packed(files))
    answer = looked(upload)
    report = answer.report
    assert report, answer
    assert report.image_column == "file"
    assert report.patient_column == "patient_id"
    assert [(one.class_name, one.n_positive) for one in report.classes] == [
        ("Mass", 15),
        ("Hernia", 3),
    ]
    assert (report.n_rows, report.n_patients) == (N_IMAGES, 10)
    assert report.missing == ("028.png",)
    assert report.broken == ("images/029.png",)
    assert (report.n_missing, report.n_broken, report.n_unused, report.n_skipped) == (1, 1, 1, 2)
    assert sum(report.splits.values()) == N_IMAGES

    kept = own_data.keep(upload, Columns(), "my-x-rays", "local")
    assert kept.dataset.kind == "table"
    assert kept.dataset.on_bad_image == "skip"
    assert preflights.datasets([], "local")["my-x-rays"].dataset == kept.dataset
    from core.datasets import load_labels

    labels = load_labels(kept.dataset)
    assert labels.class_names == ("Mass", "Hernia")
    assert len(labels.table) == N_IMAGES
    (folder,) = own_data.datasets_dir().iterdir()
    assert {path.name for path in folder.iterdir()} == {
        *("study.toml", "labels.csv", "images", "note.json")
    }
    with pytest.raises(InputError, match="cannot be used as it is"):
        own_data.keep(upload, Columns(), "my-x-rays", "local")


def test_names_joined_by_bars_are_classes_too() -> None:
    rows = [f"{n:03d}.png,{'Mass|Nodule' if n % 2 else 'No Finding'}" for n in range(N_IMAGES)]
    files = members(folder="")
    files["labels.csv"] = "\n".join(["Image Index,Finding Labels", *rows]).encode()
    upload = sent(packed(files))
    report = looked(upload).report
    assert report
    assert [one.class_name for one in report.classes] == ["Mass", "No Finding", "Nodule"]
    kept = own_data.keep(upload, Columns(), "joined", "local")
    from core.datasets import load_labels

    assert load_labels(kept.dataset).class_names == ("Mass", "No Finding", "Nodule")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no zip", "is no zip file"),
        (packed(members())[:-30], "cut off|damaged"),
        (packed({"labels.csv": b"a,b\n1,2"}), "holds no images"),
        (packed({"000.png": png()}), "holds none"),
        (packed(members(**{"other.csv": b"a"})), r"it holds 'labels\.csv', 'other\.csv'"),
        (packed(members() | {"labels.csv": b"name,Mass\nx.png,1\n"}), "No column of labels.csv"),
        (packed(members() | {"labels.csv": b"file\n000.png\n001.png\n"}), "no column holds only"),
        (packed(members() | {"labels.csv": b"\xff\xfe\x00"}), "readable CSV|No column|no rows"),
    ],
)
def test_what_cannot_be_a_dataset_is_refused_in_a_sentence(content: bytes, words: str) -> None:
    upload = sent(content)
    sentence = _main_in_this_process(upload)
    assert re.search(words, sentence), sentence
    assert len(sentence.splitlines()) == 1
    assert str(uploads.uploads_dir()) not in sentence
    assert not list(upload.folder.rglob("*.png"))
    assert not own_data.datasets_dir().exists()


def _main_in_this_process(upload: Upload) -> str:
    """As the child, without its limits, which would stay with us."""
    from dataclasses import asdict

    from core.processes.children import write_answer
    from core.study import store
    from core.upload.own_data_child import report

    folder = own_data.look_folder(upload, Columns())
    folder.mkdir(parents=True)
    asked = {"path": str(upload.path), "name": upload.name, "columns": asdict(Columns())}
    store.write_json(asked | {"person": upload.person}, folder / "question.json")
    write_answer(folder, report)
    sentence = own_data.answer(upload, Columns()).refusal
    assert sentence
    return sentence


def test_zips_are_unpacked_one_after_the_other() -> None:
    upload = sent(packed(members()))
    with FileLock(paths.cache_dir() / "looks.lock"):
        own_data.look(upload, Columns())
        until(lambda: own_data.answer(upload, Columns()).stage == "Waiting for another zip")
        assert not list(upload.folder.rglob("*.png"))
    assert looked(upload).report


def test_a_name_is_needed_that_can_be_a_folder() -> None:
    upload = sent(packed(members()))
    assert looked(upload).report
    for name in ("../out", "", "UPPER", "a/b", "x" * 60):
        with pytest.raises(InputError, match="is no name for a dataset"):
            own_data.keep(upload, Columns(), name, "local")


# What is kept, and goes again


def kept(name: str = "my-x-rays") -> datasets.OwnDataset:
    upload = sent(packed(members()))
    assert looked(upload).report
    own_data.keep(upload, Columns(), name, "local")
    delete_upload(upload, "local")
    return next(one for one in datasets.datasets_of("local") if one.name == name)


def on(dataset: datasets.OwnDataset, name: str) -> StudyConfig:
    renamed = dataset.config.study.model_copy(update={"name": name})
    return dataset.config.model_copy(update={"study": renamed})


def test_a_dataset_goes_with_all_that_was_made_of_its_images() -> None:
    dataset = kept()
    picture = next(dataset.images.rglob("*.png"))
    thumbnails.picture(picture, 256)
    decoded = paths.pixels_dir("0" * 16, dataset.images, 64)
    others = paths.pixels_dir("0" * 16, dataset.images.parent, 64)
    for folder in (decoded, others):
        folder.mkdir(parents=True)
        (folder / "pixels.npy").write_bytes(b"a lung")
    report = paths.preflight_path("a" * 32)
    report.parent.mkdir()
    report.write_text(json.dumps({"config": {"images": str(dataset.images)}}))
    assert list(paths.thumbnails_dir().rglob("*.png"))

    with pytest.raises(InputError, match="somebody else's"):
        delete_dataset(dataset, ANN)
    delete_dataset(dataset, access.LOCAL)
    assert not datasets.own_datasets()
    for gone in (dataset.folder, decoded, report):
        assert not gone.exists()
    assert others.exists(), "of other images"
    assert not list(paths.thumbnails_dir().rglob("*.png"))
    assert not list(paths.deleted_dir().iterdir())
    assert next(audit.lines())["what"] == "upload"
    assert [line.get("dataset") for line in audit.lines()][-1] == "my-x-rays"


def test_a_checkpoint_is_tried_on_ones_own_data_and_nobody_elses() -> None:
    dataset = kept()
    assert dataset.name in preflights.datasets([], "local")
    assert dataset.name not in preflights.datasets([], "ann@clinic.org")
    (dataset.folder / "note.json").unlink()  # of a version before there were owners
    assert dataset.name in preflights.datasets([], "ann@clinic.org")


def test_a_dataset_that_cannot_be_deleted_can_be_deleted_again() -> None:
    dataset = kept()
    decoded = paths.pixels_dir("0" * 235, dataset.images, 64)  # no room for another name
    decoded.mkdir(parents=True)
    report = paths.preflight_path("a" * 32)
    report.parent.mkdir()
    report.write_text(json.dumps({"config": {"images": str(dataset.images)}}))
    with pytest.raises(WorkError, match="Could not delete my-x-rays"):
        delete_dataset(dataset, access.LOCAL)
    assert datasets.own_datasets(), "what is left would be nobody's"
    assert not report.exists()
    decoded.rename(paths.pixels_dir("0" * 16, dataset.images, 64))
    delete_dataset(dataset, access.LOCAL)
    assert not datasets.own_datasets()
    assert not paths.pixels_dirs(dataset.images)


def test_a_dataset_that_a_study_or_a_job_needs_stays() -> None:
    dataset = kept()
    job_id = jobs.submit(on(dataset, "in-the-queue"))
    with pytest.raises(InputError, match="used by study in-the-queue"):
        delete_dataset(dataset, access.LOCAL)
    jobs.cancel(job_id)
    with pytest.raises(InputError, match="in-the-queue"):
        delete_dataset(dataset, access.LOCAL)  # it may be resumed
    jobs.delete(jobs.find(job_id).study_id)
    config = on(dataset, "finished")
    folder = paths.study_dir(config)
    folder.mkdir(parents=True)
    paths.study_json(folder).write_text(json.dumps({"config": config.model_dump(mode="json")}))
    with pytest.raises(InputError, match=r"used by study finished\. Delete what uses it first"):
        delete_dataset(dataset, access.LOCAL)
    assert dataset.images.is_dir()
    deletion.delete_study(folder, "local")
    delete_dataset(dataset, access.LOCAL)
    assert not dataset.folder.exists()


def test_what_is_unpacked_counts_as_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    upload = sent(packed(members()))
    report = looked(upload).report
    assert report
    assert uploads.kept_bytes("local") >= upload.n_bytes + report.n_bytes
    own_data.keep(upload, Columns(), "my-x-rays", "local")
    delete_upload(upload, "local")
    of_images = sum(len(content) for content in members().values())
    assert of_images < uploads.kept_bytes("local") < 1.5 * of_images

    most = uploads.kept_bytes("local") + upload.n_bytes + 5000
    monkeypatch.setenv("PRUNESCOPE_UPLOAD_LIMIT", str(most))
    monkeypatch.setattr(uploads, "QUOTA_IN_LIMITS", 1)
    again = sent(packed(members()))
    room = uploads.allowed_bytes() - uploads.kept_bytes("local")
    assert room == 5000
    assert re.search(r"and you may keep 4\.\d kB more here\.", _main_in_this_process(again))
    assert not list(again.folder.rglob("*.png"))
    third = sent(packed(members()))  # what was refused makes way
    assert not again.folder.exists()
    with pytest.raises(InputError, match="delete an upload or a dataset first"):
        sent(packed(members()))
    delete_dataset(*datasets.datasets_of("local"), access.LOCAL)
    assert looked(third).report


# What a stranger's zip may try


def with_info(change, name: str = "images/000.png", content: bytes = b"x") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("labels.csv", table())
        info = zipfile.ZipInfo(name)
        change(info)
        archive.writestr(info, content)
        archive.writestr("good.png", png())
    return buffer.getvalue()


def link(info: zipfile.ZipInfo) -> None:
    info.external_attr = (stat.S_IFLNK | 0o777) << 16


def named(name: str) -> bytes:
    return with_info(lambda info: None, name)


def encrypted() -> bytes:
    content = bytearray(packed({"a.png": b"x", "b.csv": b"y"}, zipfile.ZIP_STORED))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + at] |= 1
    return bytes(content)


def overlapping() -> bytes:
    """Every entry of the table of contents means the same bytes."""
    whole = packed({f"{n}.png": bytes(4000) for n in range(3)} | {"a.csv": b"x"}, 0)
    start = whole.index(b"PK\x01\x02")
    entries = bytearray(whole[start:])
    at = -1
    while (at := entries.find(b"PK\x01\x02", at + 1)) >= 0:
        entries[at + 20 : at + 24] = (9000).to_bytes(4, "little")
    return whole[:start] + bytes(entries)


def lying() -> bytes:
    """The table of contents says a member has 10 bytes, and it has many more."""
    content = bytearray(packed({"a.png": bytes(100_000), "b.csv": b"x"}))
    for mark, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = content.index(mark) + at
        content[place : place + 4] = (10).to_bytes(4, "little")
    return bytes(content)


ATTACKS = {
    "parent": (named("../../evil.png"), "leads out"),
    "deep parent": (named("images/../../evil.png"), "leads out"),
    "absolute": (named("/etc/evil.png"), "leads out"),
    "drive": (named("C:/evil.png"), "leads out"),
    "backslashes": (named("..\\..\\evil.png"), "leads out"),
    "one dot": (named("./evil.png"), "leads out"),
    "full-width dots": (named("\uff0e\uff0e/evil.png"), "leads out"),
    "full-width slash": (named("..\uff0fevil.png"), "leads out"),
    "device": (named("images/CON.png"), "device"),
    "port": (named("images/com1.dcm"), "device"),
    "direction": (named("images/gnp\u202e.png"), "forbidden characters"),
    "new line": (named("images/a\nb.png"), "forbidden characters"),
    "stream": (named("images/a.png:hidden"), "forbidden characters"),
    "trailing dot": (named("images./a.png"), "not every disk"),
    "long": (named("x" * 300 + ".png"), "not every disk"),
    "deep": (named("a/" * 20 + "a.png"), "folders 21 deep"),
    "link": (with_info(link, content=b"/etc/passwd"), "link"),
    "twice": (named("GOOD.png"), "two files of one name"),
    "encrypted": (encrypted(), "encrypted"),
    "bomb": (packed({"a.png": bytes(30 * 2**20), "b.csv": b"x"}), "zip bombs"),
    "overlapping": (overlapping(), "zip bombs|damaged"),
    "lying": (lying(), "damaged|larger than the zip says"),
    "lzma": (packed({"a.png": b"x", "b.csv": b"y"}, zipfile.ZIP_LZMA), "unusual way"),
}


def unpacked(content: bytes, folder: Path) -> None:
    path = folder / "given.zip"
    path.write_bytes(content)
    target = folder / "inside"
    target.mkdir()
    with opened(path, "given.zip") as archive:
        found = contents(archive, "given.zip", len(content))
        unpack(archive, found, target, "given.zip", lambda done, total: None)


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_no_honest_zip_has_is_refused_whole(attack: str, tmp_path: Path) -> None:
    content, words = ATTACKS[attack]
    with pytest.raises(InputError, match=words) as refused:
        unpacked(content, tmp_path)
    assert str(refused.value).isprintable()
    inside = {p for p in (tmp_path / "inside").rglob("*") if p.is_file()}
    assert {p for p in tmp_path.rglob("*") if p.is_file()} == inside | {tmp_path / "given.zip"}
    assert sum(path.stat().st_size for path in inside) < 200_000


def test_a_zip_within_a_zip_stays_shut(tmp_path: Path) -> None:
    inner = packed({"a.png": bytes(5 * 2**20)})
    files = members(**{"inner.zip": inner, "program.exe": b"MZ", "page.svg": b"<svg/>"})
    unpacked(packed(files), tmp_path)
    names = {path.name for path in (tmp_path / "inside").rglob("*") if path.is_file()}
    assert names == {"given.csv", *(f"{number:03d}.png" for number in range(N_IMAGES))}


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_data_zip, "MAX_FILES", 10)
    with pytest.raises(InputError, match="holds 31 files; at most 10"):
        unpacked(packed(members()), tmp_path)


@given(name=st.text(min_size=1, max_size=40).filter(lambda name: not name.endswith("/")))
@settings(max_examples=150, deadline=None)
def test_no_name_leads_out(name: str) -> None:
    """Whatever passes is a path below the folder, by any reading of its letters."""
    info = zipfile.ZipInfo("x")
    info.filename = info.orig_filename = f"{name}.png"
    try:
        own_data_zip._check_name(info, "given.zip")
    except (InputError, UnicodeEncodeError):
        return
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        path = unicodedata.normalize(form, info.filename).replace("\\", "/")
        base = Path("/data/images")
        parts = (base / path).parts
        assert ".." not in parts
        assert parts[:3] == base.parts
