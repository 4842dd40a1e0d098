"""Own data: zips of X-rays and a table, unpacked and looked at as the page's child does."""

from __future__ import annotations

import io
import json
import random
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from core.errors import InputError
from core.processes.children import write_answer
from core.study import store
from core.upload import own_data_child
from tests.fuzz.cells import Table, as_csv, odd_table
from tests.fuzz.mutations import damaged, odd_number

NAMES = (
    *("", ".", "..", "/etc/passwd", "../../x.png", "a/../../x.png", "a\\..\\x.png", "C:\\x.png"),
    *("con.png", "a/b/c/d/e/f/g/h/i/j.png", "x" * 400 + ".png", "a\0.png", "😀.png", "\u202e.png"),
    *(
        "LABELS.CSV",
        "labels.csv",
        "images/0.PNG",
        "images/0.png",
        "images",
        "images/",
        "a.png/b.png",
    ),
    *(
        "\uff41\uff0e\uff0e\uff0fb.png",
        "__MACOSX/._a.png",
        "a .png",
        "a.",
        "x.zip",
        "x.dcm",
        "lab\u0065\u0301.csv",
    ),
    *(
        "labels.csv/labels.csv",
        "images/0.png/",
        "unpacked/given.csv",
        "given.csv",
        "\u017f.png",
        "S.png",
    ),
)
# The signatures of members, of the table of contents, of its end, and of the long forms.
TOKENS = (b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"PK\7\x08", b"\1\0\x20\0")


class Zips:
    refusals = (InputError,)

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images, self.table = _images(), _table()
        self.wholes = [self._packed(random.Random(0), {}, self._csv()), *_empty_ones()]

    def make(self, rng: random.Random) -> Path:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        path = self.folder / "upload.zip"
        what = rng.random()
        if what < 0.4:
            data = as_csv(rng, odd_table(rng, self.table))
            packed = self._packed(rng, {}, data)
        elif what < 0.6:
            extra = {rng.choice(NAMES): b"x" * rng.choice((0, 9, 5000)) for _ in range(2)}
            packed = self._packed(rng, extra, self._csv())
        else:
            packed = odd_zip(rng, rng.choice(self.wholes))
        path.write_bytes(packed)
        columns: dict[str, object] = {"image": None, "patient": None, "split": None, "classes": []}
        if rng.random() < 0.3:
            for key in ("image", "patient", "split"):
                columns[key] = rng.choice((None, None, "", "file", "Mass", "split", "gone", "age"))
            columns["classes"] = rng.choice(([], ["Mass"], ["gone"], ["Mass", "Mass"], ["file"]))
        question = {"path": str(path), "name": "Brought.zip", "columns": columns}
        question["person"] = "local"
        store.write_json(question, self.folder / "question.json")
        return path

    def read(self, path: Path) -> None:
        before = {path, path.parent / "question.json"}
        write_answer(self.folder, own_data_child.report)
        answer = json.loads((self.folder / "answer.json").read_text())
        unpacked = self.folder / "unpacked"
        allowed = {*before, self.folder / "answer.json", self.folder / "progress.json"}
        outside = [
            one
            for one in self.folder.rglob("*")
            if one.is_file() and one not in allowed and not one.is_relative_to(unpacked)
        ]
        assert not outside, outside
        if "refusal" in answer:
            assert not unpacked.exists()
            assert "took more memory" not in answer["refusal"], "it took more memory than there is"
            raise InputError(answer["refusal"])
        assert answer["report"]["n_images"] >= 0

    def _csv(self) -> bytes:
        names = list(self.table)
        rows = zip(*self.table.values(), strict=True)
        return "\n".join(",".join(row) for row in (names, *rows)).encode()

    def _packed(self, rng: random.Random, more: dict[str, bytes], table: bytes) -> bytes:
        buffer = io.BytesIO()
        images = {
            name: damaged(rng, data) if more and rng.random() < 0.2 else data
            for name, data in self.images.items()
        }
        with zipfile.ZipFile(buffer, "w", rng.choice((0, 8))) as archive:
            for name, data in {"labels.csv": table, **images, **more}.items():
                info = zipfile.ZipInfo("x", (2020, 1, 1, 0, 0, 0))
                info.filename = name.encode("utf-8", "replace").decode()
                info.compress_type = archive.compression
                archive.writestr(info, data)
        return buffer.getvalue()


def odd_zip(rng: random.Random, whole: bytes) -> bytes:
    """A zip whose table of contents, or anything else, is wrong."""
    out = bytearray(whole)
    for _ in range(rng.choice((1, 1, 2, 4))):
        _odd_field(rng, out)
    if rng.random() < 0.1:  # a bomb: one member of far more bytes than it takes
        return _bomb(rng)
    if rng.random() < 0.4:
        return damaged(rng, bytes(out), [whole], TOKENS)
    return bytes(out)


# Where what stands: offset and width, in a central entry, a local one, and the end.
FIELDS = {
    b"PK\1\2": (
        *((4, 2), (6, 2), (8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2)),
        *((32, 2), (34, 2), (36, 2), (38, 4), (42, 4)),
    ),
    b"PK\3\4": ((4, 2), (6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2)),
    b"PK\5\6": ((4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2)),
}


def _odd_field(rng: random.Random, out: bytearray) -> None:
    signature = rng.choice(list(FIELDS))
    places, at = [], out.find(signature)
    while at >= 0:
        places.append(at)
        at = out.find(signature, at + 1)
    if not places:
        return
    offset, width = rng.choice(FIELDS[signature])
    at = rng.choice(places) + offset
    given = int.from_bytes(out[at : at + width], "little")
    number = rng.choice((odd_number(rng), given + rng.choice((-1, 1, 7)), given * 2))
    out[at : at + width] = (number % 256**width).to_bytes(width, "little")


def _bomb(rng: random.Random) -> bytes:
    buffer = io.BytesIO()
    size = rng.choice((2**20, 30 * 2**20))
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        name = rng.choice(("labels.csv", "images/0.png", "archive/data.pkl"))
        archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), b"a,b\n" * (size // 4), 8)
        archive.writestr(zipfile.ZipInfo("images/1.png", (2020, 1, 1, 0, 0, 0)), b"x")
    data = bytearray(buffer.getvalue())
    if rng.random() < 0.5:  # and says it has few
        at = data.find(b"PK\1\2")
        data[at + 24 : at + 28] = struct.pack("<I", rng.choice((10, 1000, 0)))
    return bytes(data)


def _images() -> dict[str, bytes]:
    made = {}
    for number in range(6):
        buffer = io.BytesIO()
        noise = np.random.default_rng(number).integers(0, 256, (9, 8), dtype=np.uint8)
        Image.fromarray(noise).save(buffer, "PNG")
        made[f"images/{number}.png"] = buffer.getvalue()
    return made


def _table() -> Table:
    numbers = range(6)
    return {
        "file": [f"{number}.png" for number in numbers],
        "patient_id": [f"p{number}" for number in numbers],
        "Mass": [str(number % 2) for number in numbers],
        "findings": ["Mass|Hernia" if number % 2 else "No Finding" for number in numbers],
        "age": [str(40 + number) for number in numbers],
    }


def _empty_ones() -> list[bytes]:
    kinds: list[Callable[[zipfile.ZipFile], object]] = [
        lambda archive: None,
        lambda archive: archive.writestr(zipfile.ZipInfo("a/"), b""),
    ]
    made = []
    for fill in kinds:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            fill(archive)
        made.append(buffer.getvalue())
    return made
