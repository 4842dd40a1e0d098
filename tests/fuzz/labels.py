"""Label tables: one column per class or names joined by "|", CSV or Parquet, NIH's and CXR-LT's."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from core.errors import InputError
from core.study.labels import class_frequencies
from core.study.paths import DatasetSettings
from core.study.settings import CxrLtSettings, GroupSettings, NihSettings, TableSettings
from tests.fuzz.cells import Table, as_csv, as_gzip, as_parquet, odd_table, read_table
from tests.fuzz.mutations import damaged, odd_number

FILES = Path(__file__).resolve().parents[1] / "importing" / "files"
CLASSES = ("Mass", "Hernia", "Effusion")
N_IMAGES = 24


class LabelTables:
    refusals = (InputError,)

    def __init__(self, folder: Path) -> None:
        from core.datasets import load_labels

        self.load, self.folder, self.images = load_labels, folder, folder / "images"
        self.images.mkdir(exist_ok=True)
        for name in (*_names(), "sub"):
            if name == "sub":
                (self.images / name).mkdir(exist_ok=True)
            else:
                (self.images / name).write_bytes(b"")
        self.table, self.joined, self.nih = _table(), _joined(), _nih()
        self.cxr = {
            part: (FILES / f"miccai2023_nih-cxr-lt_labels_{part}.csv").read_text("utf-8")
            for part in ("train", "val", "test")
        }
        self.settings: DatasetSettings | None = None

    def make(self, rng: random.Random) -> Path:
        for old in self.folder.glob("*.*"):
            old.unlink()
        makers: tuple[Callable[[random.Random], Path], ...] = (
            *(self._wide, self._wide, self._joined, self._parquet, self._parquet),
            *(self._nih, self._nih, self._cxr_lt),
        )
        return rng.choice(makers)(rng)

    def read(self, path: Path) -> None:
        assert self.settings is not None
        labels = self.load(self.settings)
        labels.fingerprint()
        class_frequencies(labels, GroupSettings())

    def _settings(self, rng: random.Random, path: Path, **chosen: object) -> None:
        raw = {
            "kind": "table", "images": self.images, "labels": path,
            "on_bad_image": rng.choice(("skip", "skip", "fail")),
        }  # fmt: skip
        if rng.random() < 0.05:
            chosen["split_seed"] = abs(odd_number(rng))
        self.settings = TableSettings.model_validate(raw | chosen)

    def _wide(self, rng: random.Random) -> Path:
        path = self._csv(rng, odd_table(rng, self.table))
        classes = rng.choice(((), (), CLASSES, ("Mass",), ("Mass", "Mass"), ("patient_id",)))
        columns = {"class_columns": classes}
        if rng.random() < 0.1:
            names = ("path", "Mass", "age", "gone", "", "split")
            columns["patient_column"] = rng.choice(names)
            columns["split_column"] = rng.choice(names)
        self._settings(rng, path, **columns)
        return path

    def _joined(self, rng: random.Random) -> Path:
        path = self._csv(rng, odd_table(rng, self.joined))
        column = rng.choice(("labels", "labels", "labels", "path", "gone", "split"))
        self._settings(rng, path, joined_column=column)
        return path

    def _csv(self, rng: random.Random, table: Table) -> Path:
        data = as_csv(rng, table, [b"\x1f\x8b\x08\0" * 9])
        if rng.random() < 0.15:
            path, data = self.folder / "labels.csv.gz", as_gzip(rng, data)
        elif rng.random() < 0.05:  # a name from which other readers would choose something else
            path = self.folder / f"labels.{rng.choice(('zip', 'bz2', 'xz', 'zst', 'tar', 'pkl'))}"
        else:
            path = self.folder / "labels.csv"
        path.write_bytes(data)
        return path

    def _parquet(self, rng: random.Random) -> Path:
        path = self.folder / "labels.parquet"
        joined = rng.random() < 0.3
        table = odd_table(rng, self.joined if joined else self.table)
        path.write_bytes(as_parquet(rng, table, CLASSES, [path.name.encode()]))
        chosen = {"joined_column": "labels"} if joined else {}
        self._settings(rng, path, **chosen)
        return path

    def _nih(self, rng: random.Random) -> Path:
        path = self.folder / "Data_Entry.csv"
        path.write_bytes(as_csv(rng, odd_table(rng, self.nih)))
        lists: dict[str, Path] = {}
        if rng.random() < 0.4:
            names = "\n".join(_names())
            for key, text in (("train_list", names[:320]), ("test_list", names[323:])):
                lists[key] = self.folder / f"{key}.txt"
                data = text.encode()
                lists[key].write_bytes(damaged(rng, data) if rng.random() < 0.4 else data)
        self.settings = NihSettings.model_validate(
            {"kind": "nih-cxr14", "images": self.images, "labels": path, "on_bad_image": "skip"}
            | lists
        )
        return path

    def _cxr_lt(self, rng: random.Random) -> Path:
        wounded = rng.choice(("train", "val", "test"))
        for part, text in self.cxr.items():
            data = text.encode()
            if part == wounded:
                data = as_csv(rng, odd_table(rng, read_table(text)), [data])
            (self.folder / f"miccai2023_nih-cxr-lt_labels_{part}.csv").write_bytes(data)
        name = "mimic-cxr-lt" if rng.random() < 0.02 else "nih-cxr-lt"
        self.settings = CxrLtSettings.model_validate(
            {"kind": "cxr-lt", "images": self.images, "labels": self.folder, "name": name}
            | {"on_bad_image": "skip"}
        )
        return self.folder


def _names() -> list[str]:
    return [f"{number // 2:08d}_{number % 2:03d}.png" for number in range(1, N_IMAGES + 1)]


def _table() -> Table:
    numbers = range(N_IMAGES)
    table = {
        "path": _names(),
        "patient_id": [f"p{number // 2}" for number in numbers],
        "split": [("train", "train", "val", "test")[number // 2 % 4] for number in numbers],
        "age": [str(30 + number) for number in numbers],
    }
    for at, name in enumerate(CLASSES):
        table[name] = [("0", "1", "", "-1")[(number + at) % 4] for number in numbers]
    return table


def _joined() -> Table:
    table = {name: values for name, values in _table().items() if name not in CLASSES}
    names = ("Mass", "Mass|Hernia", "No Finding", "Effusion")
    return table | {"labels": [names[number % 4] for number in range(N_IMAGES)]}


def _nih() -> Table:
    numbers = range(N_IMAGES)
    findings = ("No Finding", "Mass|Nodule", "Hernia", "Effusion")
    return {
        "Image Index": _names(),
        "Finding Labels": [findings[number % 4] for number in numbers],
        "Follow-up #": ["0"] * N_IMAGES,
        "Patient ID": [str(number // 2) for number in numbers],
        "Patient Age": ["058Y" if number % 3 else "414" for number in numbers],
        "Patient Gender": ["F"] * N_IMAGES,
        "View Position": ["PA"] * N_IMAGES,
    }
