"""The process that unpacks own data: `python -m core.upload.own_data_child FOLDER`, under limits.

It writes `answer.json`, and beside it `unpacked/` with `images/` and `labels.csv`; without an
answer that is not refused, `unpacked/` is taken away again.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from core.datasets.columns import patient_column, patients_in_paths, split_column
from core.datasets.files import alike, without_suffix
from core.datasets.table import classes_of, load
from core.datasets.tables import read_rows, refuse_missing_columns
from core.errors import InputError, WorkError
from core.pictures.images import stored_size
from core.pictures.samples import BadImage
from core.processes import children
from core.processes.children import Teller
from core.study.settings import TableColumns, TableSettings
from core.upload import uploads
from core.upload.own_data import IMAGE_COLUMN, PATIENT_COLUMN, ClassFound, Columns, DataReport
from core.upload.own_data_zip import MAX_DEPTH, contents, opened, unpack
from core.wording.amounts import size

SECONDS_IN_ALL = 3600
MEMORY_BYTES = 4 * 2**30
MAX_TABLE_BYTES = 200 * 2**20
MAX_COLUMNS = 500
NAMED = 5


def report(folder: Path, tell: Teller) -> dict[str, Any]:
    """The `DataReport` of the zip that is asked about. Raises InputError where it cannot be used,
    WorkError where it cannot be unpacked."""
    unpacked = folder / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir()
    try:
        # One after the other, so that many at once get no more room and memory than one.
        with children.turn("looks", tell, "Waiting for another zip"):
            return asdict(_look(folder, unpacked, tell))
    except BaseException as error:
        shutil.rmtree(unpacked, ignore_errors=True)
        if isinstance(error, MemoryError | RecursionError):
            raise InputError("The zip took more memory than is allowed.") from error
        if isinstance(error, OSError):
            raise WorkError(f"The zip could not be unpacked: {error.strerror}.") from error
        raise


def _look(folder: Path, unpacked: Path, tell: Teller) -> DataReport:
    asked = children.question(folder)
    if asked is None:
        raise WorkError("The question is gone.")
    path, name = Path(asked["path"]), asked["name"]
    given = asked["columns"]
    columns = Columns(
        given["image"],
        given["patient"],
        given["split"],
        tuple(given["classes"]),
        tuple(given["shares"]) if given.get("shares") else None,
    )
    with opened(path, name) as archive:
        found = contents(archive, name, path.stat().st_size)
        if found.table.file_size > MAX_TABLE_BYTES:
            raise InputError(f"The table in {name} has more than {MAX_TABLE_BYTES:,} bytes.")
        room = uploads.allowed_bytes() - uploads.kept_bytes(asked["person"])
        if found.n_bytes > room:
            raise InputError(
                f"Unpacked, {name} has {size(found.n_bytes)}, and you may keep "
                f"{size(max(0, room))} more here. Delete an upload or a dataset first."
            )
        unpack(archive, found, unpacked, name, lambda d, n: tell("Unpacking images", d, n))
    table = found.table.filename
    images = [one.filename for one in found.images]
    broken = _broken(images, unpacked / "images", tell)
    tell("Reading the table", 0, 1)
    return _report(unpacked, table, images, broken, columns, found.n_skipped, found.n_bytes)


def _broken(images: list[str], folder: Path, tell: Teller) -> list[str]:
    """Files that are no image whatever their suffix; they do not stay."""
    found = []
    for number, image in enumerate(images):
        try:
            stored_size(folder / image)
        except BadImage:
            found.append(image)
            (folder / image).unlink()
        tell("Looking at images", number + 1, len(images))
    return found


def _report(
    unpacked: Path,
    table: str,
    images: list[str],
    broken: list[str],
    columns: Columns,
    n_skipped: int,
    n_bytes: int,
) -> DataReport:
    rows = _rows(unpacked, table)
    image_column = columns.image or _image_column(rows, images, table)
    if image_column not in rows:
        raise InputError(f"{table} has no column {image_column!r}; it has: {', '.join(rows)}.")
    patient = columns.patient if columns.patient is not None else patient_column(rows)
    split = columns.split if columns.split is not None else split_column(rows)
    paths = _paths(rows[image_column], images)
    rows = rows.assign(**{IMAGE_COLUMN: paths})
    # The zip's folders may lack the patients that the table's paths name.
    folders = patients_in_paths(rows[image_column].map(_relative))
    if patient is None and folders is not None and patients_in_paths(paths) is None:
        patient = PATIENT_COLUMN
        rows = rows.assign(**{patient: folders})
    labels_file = unpacked / "labels.csv"
    rows.to_csv(labels_file, index=False)
    (unpacked / "given.csv").unlink()
    gone = set(images) - set(broken)
    missing = [text for text in paths if text not in gone and text not in set(broken)]
    if len(missing) + len(broken) >= len(rows):
        raise InputError(
            f"None of the {len(rows):,} images that {table} names in {image_column!r} is in the "
            f"zip; it names {rows[image_column].iloc[0]!r}, and the zip holds {images[0]!r}."
        )
    keys = [key for key in (image_column, patient, split, IMAGE_COLUMN) if key]
    refuse_missing_columns(rows, keys, Path(table))
    asked = TableColumns(labels=Path(table), class_columns=columns.classes)
    named, joined = classes_of(rows, keys, asked, Path(table))
    settings = TableSettings(
        kind="table",
        images=unpacked / "images",
        labels=labels_file,
        image_column=IMAGE_COLUMN,
        patient_column=patient or None,
        split_column=split or None,
        class_columns=named,
        joined_column=joined,
        on_bad_image="skip",
        **columns.share_settings,
    )
    try:
        labels = load(settings, lambda done, total: None)
    except InputError as error:
        # The table's name on the disk is ours; its person knows it by theirs.
        raise InputError(str(error).replace(str(labels_file), table)) from error
    test = labels.table["split"].value_counts()
    return DataReport(
        table=table,
        columns=tuple(
            name for name in map(str, rows) if name not in (IMAGE_COLUMN, PATIENT_COLUMN)
        ),
        image_column=image_column,
        joined_column=joined or "",
        patient_column=patient or "",
        split_column=split or "",
        n_rows=len(rows),
        n_images=len(images) - len(broken),
        classes=tuple(_class_found(labels.table, name) for name in labels.class_names),
        n_patients=int(labels.table["patient_id"].nunique()),
        splits={str(split): int(count) for split, count in test.items()},
        missing=tuple(map(str, missing[:NAMED])),
        n_missing=len(missing),
        broken=tuple(broken[:NAMED]),
        n_broken=len(broken),
        n_unused=len(set(images) - set(paths)),
        n_skipped=n_skipped,
        n_bytes=n_bytes,
    )


def _rows(unpacked: Path, table: str) -> pd.DataFrame:
    try:
        rows = read_rows(unpacked / "given.csv")
    except InputError as error:
        raise InputError(str(error).replace(str(unpacked / "given.csv"), table)) from error
    if len(rows.columns) > MAX_COLUMNS:
        raise InputError(f"{table} has {len(rows.columns):,} columns; at most {MAX_COLUMNS}.")
    ours = {name: f"{name} (given)" for name in (IMAGE_COLUMN, PATIENT_COLUMN)}
    return rows.rename(columns=ours)


def _image_column(rows: pd.DataFrame, images: list[str], table: str) -> str:
    """The column that names the most images of the zip."""
    bare = {name: rows[name].astype(str).map(_bare) for name in rows}
    best = _most_hits(bare, {_bare(image) for image in images})
    if best is None:  # 001.dcm, or 001, may be 001.png
        stems = {name: column.map(without_suffix) for name, column in bare.items()}
        best = _most_hits(stems, {without_suffix(_bare(image)) for image in images})
    if best is None:
        raise InputError(
            f"No column of {table} names an image of the zip, such as "
            f"{images[0].rpartition('/')[2]!r}; its columns: {', '.join(map(str, rows))}."
        )
    return best


def _most_hits(columns: dict[str, pd.Series], known: set[str]) -> str | None:
    hits = {name: int(column.isin(known).sum()) for name, column in columns.items()}
    return max(filter(hits.get, hits), key=lambda name: hits[name], default=None)


def _paths(given: pd.Series, images: list[str]) -> pd.Series:
    """Each row's image as the zip has it: by its path, else by the longest ending that both share,
    in capitals or small letters (x.PNG is x.png), else by the same without their suffixes.

    An ending counts only where no other row has it too: `study1/view1.jpg` by itself would give one
    patient's image to all. Raises InputError where two images share the longest ending.
    """
    texts = given.map(_relative)
    distinct = list(texts.unique())
    whole = {alike(image): image for image in images}
    forms: tuple[Callable[[str], str], ...] = (str, without_suffix)
    endings = [(form, _by_ending(distinct, form), _by_ending(images, form)) for form in forms]

    def found(text: str) -> str:
        if alike(text) in whole:
            return whole[alike(text)]
        for form, rows_of, images_of in endings:
            shared = next((one for one in _endings(form(text)) if one in images_of), None)
            if shared is None:
                continue
            ours = images_of[shared]
            if len(ours) > 1:
                raise InputError(
                    f"{text!r} is in the zip {len(ours)} times: {ours[0]!r} and {ours[1]!r}."
                )
            return ours[0] if len(rows_of[shared]) == 1 else _harmless(text)
        return _harmless(text)

    return texts.map({text: found(text) for text in distinct})


def _relative(value: object) -> str:
    text = "" if pd.isna(value) else str(value).strip().replace("\\", "/")
    return text.removeprefix("./").lstrip("/")


def _endings(path: str) -> Iterator[str]:
    """The path in small letters, then without its first folder, and so on to its bare name."""
    parts = alike(path).split("/")[-MAX_DEPTH:]
    return ("/".join(parts[at:]) for at in range(len(parts)))


def _by_ending(paths: Iterable[str], form: Callable[[str], str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in paths:
        for ending in _endings(form(path)):
            found.setdefault(ending, []).append(path)
    return found


def _harmless(text: str) -> str:
    """A path that is not in the zip, so that it cannot mean a file elsewhere."""
    return "/".join(part for part in text.split("/") if part not in ("", ".", "..")).replace(
        ":", "_"
    )


def _bare(text: str) -> str:
    return alike(str(text).strip().replace("\\", "/").rpartition("/")[2])


def _class_found(table: pd.DataFrame, name: str) -> ClassFound:
    positive = pd.to_numeric(table[name]) == 1
    share = positive.mean()  # missing where all of a class is uncertain
    return ClassFound(name, int(positive.sum()), 0.0 if pd.isna(share) else float(share))


if __name__ == "__main__":
    children.work(report, SECONDS_IN_ALL, MEMORY_BYTES)
