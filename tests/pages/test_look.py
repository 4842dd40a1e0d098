"""The page that looks at a file: real uploads, opened by real children, and gone afterwards."""

from __future__ import annotations

import pickle
import time
import zipfile
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from core.actions import looking_child, looks
from core.actions.deletion import delete_upload
from core.actions.looks import Answer
from core.datasets.presets import CHEXPERT_CLASSES
from core.processes import children
from core.study import store
from core.upload import uploads
from core.upload.uploads import Upload
from tests.pages.test_pages import open_page, said
from tests.waiting import until

STUDY_FILE = b"""study = { name = "mine" }
model = { architecture = "resnet18" }
dataset = { kind = "table", images = "/etc", labels = "/etc/passwd" }"""
BROKEN_STUDY = STUDY_FILE.replace(b"resnet18", b"resnet1")
TABLE = {
    "path": [f"{n}.png" for n in range(8)],
    "patient_id": [n // 2 for n in range(8)],
    "Mass": [1, 0, -1, 0] * 2,
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("look") / "cache"


@pytest.fixture(autouse=True)
def _here(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(cache))


def bring(content: bytes, name: str) -> Upload:
    ticket = uploads.read_ticket(uploads.address("look", "local").rpartition("/")[2])
    assert ticket
    with uploads.receiving(ticket, name, len(content)) as place:
        place.write(content)
        return place.finish()


SCORES = pd.DataFrame({"image_id": TABLE["path"], "Mass": np.linspace(0.05, 0.95, 8)})
CHEXPERT = "Path,Sex,Frontal/Lateral,AP/PA," + ",".join(CHEXPERT_CLASSES)
CHEXPERT_ROWS = [
    f"CheXpert-v1.0-small/train/patient0000{n}/study1/view1_frontal.jpg,F,Frontal,AP,"
    + ",".join(["1.0" if at == n % 14 else "" for at in range(14)])
    for n in range(9)
]


def files() -> dict[str, bytes]:
    weights, picture, array, archive = BytesIO(), BytesIO(), BytesIO(), BytesIO()
    np.save(array, SCORES[["Mass"]].to_numpy())
    with zipfile.ZipFile(archive, "w") as made:
        for name in ("a/1.png", "a/2.png", "labels.csv"):
            made.writestr(name, "x")
    torch.save({"state_dict": {"odd.weight": torch.zeros(2, 3)}}, weights)
    Image.fromarray(np.arange(600, dtype=np.uint8).reshape(20, 30)).save(picture, "PNG")
    return {
        "labels.csv": pd.DataFrame(TABLE).to_csv(index=False).encode(),
        "chest": picture.getvalue(),
        "model.ckpt": weights.getvalue(),
        "study.toml": STUDY_FILE,
        "broken.toml": BROKEN_STUDY,
        "seed-0.pkl": b"cos\nsystem\n(S'true'\ntR.",
        "scores.csv": SCORES.to_csv(index=False).encode(),
        "mine_resnet50_seed-3_prune-0.5.csv": SCORES.round().to_csv(index=False).encode(),
        "scores.pkl": pickle.dumps(SCORES),
        "scores.npy": array.getvalue(),
        "all.zip": archive.getvalue(),
        "train.csv": "\n".join([CHEXPERT, *CHEXPERT_ROWS]).encode(),
        "notes.txt": b"nothing of the kind",
    }


@pytest.fixture(scope="module")
def answers(cache: Path) -> dict[str, Answer]:
    """What the page is told of each file, by name: two are looked at by processes, to see that
    these work, the others here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(cache))
        brought = [bring(content, name) for name, content in files().items()]
        for one in brought:
            if one.name in ("labels.csv", "model.ckpt"):
                looks.ask(one)
            else:
                look_here(one)
        until(lambda: all(looks.answer(one).state != "working" for one in brought))
        found = {one.name: looks.answer(one) for one in brought}
        for one in brought[1:]:
            delete_upload(one, "local")
        until(lambda: not list(cache.rglob("scratch-*")))  # where the file has another name
        return found


def look_here(upload: Upload) -> None:
    folder = upload.folder / "looks" / "file"
    folder.mkdir(parents=True)
    preset = "chexpert" if upload.name == "train.csv" else None
    asked = {"path": str(upload.path), "name": upload.name, "preset": preset}
    store.write_json(asked, folder / "question.json")
    children.write_answer(folder, looking_child.report)


def test_each_kind_is_understood(answers: dict[str, Answer]) -> None:
    table, image, model = (answers[name].report for name in ("labels.csv", "chest", "model.ckpt"))
    assert (table.what, table.facts["n_patients"]) == ("labels", 4)
    assert table.facts["classes"]["Mass"] == {"positives": 2, "negatives": 4, "uncertain": 2}
    assert table.warnings == ["labels.csv: taken as classes: Mass"], "no path of the server"
    assert (image.what, image.facts["width"], image.facts["height"]) == ("image", 30, 20)
    assert Image.open(BytesIO(b64decode(image.picture))).size == (30, 20)
    assert (model.what, model.facts["tensors"]) == ("checkpoint", {"float32": 1})
    assert "No network known here" in model.warnings[0]


def test_predictions_are_understood_in_every_form(answers: dict[str, Answer]) -> None:
    frame, called, pickled, array = (
        answers[name].report
        for name in ("scores.csv", "mine_resnet50_seed-3_prune-0.5.csv", "scores.pkl", "scores.npy")
    )
    of_mass = {"least": 0.05, "most": 0.95, "missing": 0}
    for found in (frame, pickled):
        assert found.what == "predictions"
        assert found.facts["classes"] == {"Mass": of_mass}
        assert found.facts["n_images"] == 8
        assert found.facts["order_check"].startswith("by the images in 'image_id'")
        assert not found.warnings
    assert called.facts["named"] == "network resnet50, seed 3, sparsity 0.5"
    assert "decisions rather than probabilities" in called.warnings[0]
    assert array.facts["classes"] == {"column 1": of_mass}
    assert array.facts["order_check"].startswith("none")
    assert "a bare array" in array.warnings[0]


def test_a_study_file_is_read_and_what_it_names_is_not_opened(answers: dict[str, Answer]) -> None:
    found = answers["study.toml"].report
    assert (found.facts["study"], found.facts["architecture"]) == ("mine", "resnet18")
    assert "look at them there" in found.warnings[0]


def test_a_zip_is_listed(answers: dict[str, Answer]) -> None:
    found = answers["all.zip"].report
    assert found.facts == {
        "n_files": 3, "tables": ["labels.csv"], "kinds": {".png": 2, ".csv": 1}
    }  # fmt: skip


def test_a_preset_reads_the_table_as_its_authors_do(answers: dict[str, Answer]) -> None:
    found = answers["train.csv"].report
    assert found.facts["preset"] == "chexpert"
    assert found.facts["n_patients"] == 9
    assert found.facts["classes"]["Edema"] == {"positives": 1, "negatives": 8, "uncertain": 0}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("broken.toml", "model.architecture"),
        ("seed-0.pkl", "names os.system, which is not among"),
        ("notes.txt", "notes.txt"),
    ],
)
def test_what_is_not_opened_is_said_by_its_own_name(
    answers: dict[str, Answer], name: str, words: str, cache: Path
) -> None:
    refusal = answers[name].refusal
    assert refusal
    assert words in refusal
    assert str(cache) not in refusal


def test_the_page_shows_what_was_found_and_the_file_is_gone(
    answers: dict[str, Answer], cache: Path
) -> None:
    (left,) = uploads.uploads_of("local", "look")
    at = open_page("look.py")
    assert not left.folder.exists()
    assert not uploads.uploads_of("local", "look")
    text = said(at)
    assert at.header[0].value.replace("\\", "") == "labels.csv"
    assert "<dt>Patients</dt><dd>4</dd>" in text
    assert at.warning[0].value.endswith("Mass")
    assert list(at.dataframe[0].value["Positives"]) == [2]


def test_a_look_that_nobody_waited_for_is_swept_away(cache: Path, monkeypatch) -> None:
    left = bring(b"x", "left.csv")
    uploads.sweep()
    assert left.folder.exists()
    later = time.time() + uploads.SECONDS_OF_A_LOOK + 1
    monkeypatch.setattr(uploads.time, "time", lambda: later)
    uploads.sweep()
    assert not left.folder.exists()
