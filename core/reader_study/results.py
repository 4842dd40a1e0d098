"""A reader study's answers and statistics as tables, and as files for other programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
from sqlalchemy import Select, and_, func, select

from core.analysis.reader import ReaderResults, by_reader
from core.errors import InputError
from core.reader_study.codebook import ANSWERS, HISTORY, IMAGES, codebook
from core.reader_study.database import ReaderStudy, invited
from core.reader_study.readings import sheet_of
from core.reader_study.schema import answers, images, readers, reading, showings
from core.results.export import FORMATS
from core.study import store
from core.study.progress import Advance
from core.wording.questions import FORMS, IMAGE, LABELS, QUESTIONS, measure_and_place

KEYS = ["reader", "image_id", "again", "question", "label"]  # of which the latest answer counts
FORMATS_OF_EXPORT = (".csv", ".parquet")


def answer_table(of: ReaderStudy) -> pd.DataFrame:
    """The latest answer of each reader, image and question, of removed readers too; ANSWERS.

    Readers are "reader 1", "reader 2", ... in the order of invitation: no addresses.
    """
    given = _history(of)
    if given.empty:
        empty = {"is_pie": bool, "again": bool, "value": int, "reader_removed": bool}
        return pd.DataFrame(columns=ANSWERS.names).astype(empty)
    seconds = _seconds_per_image(given)
    n_given = given.groupby(KEYS, dropna=False)["value"].transform("size")
    latest = given.assign(n_changes=n_given - 1).drop_duplicates(KEYS, keep="last")
    latest = latest.merge(seconds, on=["reader", "image_id", "again"], how="left")
    latest = latest.sort_values(["number", "position", "place"], kind="stable")
    latest["pair"] = latest["pair"].astype("Int64") + 1
    latest["given_at"] = _as_times(latest["given_at"])
    return latest[ANSWERS.names].reset_index(drop=True)


def history_table(of: ReaderStudy) -> pd.DataFrame:
    """Every answer ever given, in the order in which they came; HISTORY."""
    given = _history(of)
    for column in ("shown_at", "given_at"):
        given[column] = _as_times(given[column])
    return given[HISTORY.names].reset_index(drop=True)


def image_table(of: ReaderStudy) -> pd.DataFrame:
    """The images of a reader study; IMAGES."""
    query = select(images).where(images.c.reader_study == of.id).order_by(images.c.position)
    with reading() as connection:
        table = pd.DataFrame(connection.execute(query).mappings().all())
    table["labels"] = table["labelled"].map("|".join)
    table["block"] = table["block"].astype("Int64") + 1
    table["pair"] = table["pair"].astype("Int64") + 1
    return table[IMAGES.names]


def reader_table(of: ReaderStudy) -> pd.DataFrame:
    """How far each reader is; READERS, and address after the reader."""
    given = answer_table(of)
    shown = given.drop_duplicates(["reader", "image_id", "again"])
    per_image = shown.groupby("reader")["seconds"].median()
    everybody = invited(of)
    with reading() as connection:
        sheets = [sheet_of(connection, of, one.address) for one in everybody]
    rows = [
        {
            "reader": _name(one.number),
            "address": one.address,
            "removed": one.removed,
            "n_images": len(sheet.order),
            "n_complete": sheet.n_complete,
            "median_seconds": per_image.get(_name(one.number)),
        }
        for one, sheet in zip(everybody, sheets, strict=True)
    ]
    return pd.DataFrame(rows)


def counted(given: pd.DataFrame) -> pd.DataFrame:
    """The answers that the statistics are of: those of readers who were not removed."""
    return given[~given["reader_removed"].astype(bool)]


def results(given: pd.DataFrame, advance: Advance | None = None) -> pd.DataFrame:
    """given: `answer_table`. See `analysis.reader.ReaderResults`."""
    form = IMAGE if "label_correct" in set(given["question"]) else LABELS
    levels = {name: QUESTIONS[name].level for name in FORMS[form]}
    return ReaderResults(levels)(counted(given), advance)


def results_by_reader(given: pd.DataFrame) -> pd.DataFrame:
    """given: `answer_table`. See `analysis.reader.by_reader`."""
    return by_reader(counted(given))


def export_table(of: ReaderStudy, name: str) -> pd.DataFrame:
    """One of TABLES; no table holds a reader's address."""
    return TABLES[name](of)


def export_tables(of: ReaderStudy) -> dict[str, pd.DataFrame]:
    return {name: make(of) for name, make in TABLES.items()}


TABLES: dict[str, Callable[[ReaderStudy], pd.DataFrame]] = {
    "answers": answer_table,
    "history": history_table,
    "images": image_table,
    "readers": lambda of: reader_table(of).drop(columns="address"),
    "results": lambda of: results(answer_table(of)),
    "results_by_reader": lambda of: results_by_reader(answer_table(of)),
    "codebook": lambda of: codebook(),
}


def export_study(of: ReaderStudy, folder: Path, suffix: str = ".csv") -> list[Path]:
    """Write `export_tables` into a folder, one file each; returns their paths.

    Raises InputError for another suffix, and where the folder cannot be written.
    """
    if suffix not in FORMATS_OF_EXPORT:
        raise InputError(f"{suffix!r} is no format; allowed are {', '.join(FORMATS_OF_EXPORT)}.")
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in export_tables(of).items():
            path = folder / f"{of.name}_{name}{suffix}"
            with store.whole_file(path) as temporary:
                temporary.write_bytes(FORMATS[suffix](table))
            written.append(path)
    except OSError as error:
        raise InputError(f"Cannot write into {folder}: {error.strerror or error}.") from error
    return written


def _history(of: ReaderStudy) -> pd.DataFrame:
    with reading() as connection:
        rows = connection.execute(_history_query(of)).mappings().all()
    columns = [column.name for column in _history_query(of).selected_columns]
    table = pd.DataFrame(rows, columns=columns)
    table["again"] = table["again"].astype(bool)
    kept = table["question"].map(measure_and_place)
    table["question"], at = kept.str[0], kept.str[1]
    table["label"] = [
        labels[int(place)] if pd.notna(place) else None
        for labels, place in zip(table["labelled"], at, strict=True)
    ]
    order = {name: place for place, name in enumerate(QUESTIONS)}
    table["place"] = table["question"].map(order) * 1000 + at.fillna(0)
    table["reader"] = table["number"].map(_name)
    table["reader_removed"] = table.pop("removed_at").notna()
    return table


def _history_query(of: ReaderStudy) -> Select:
    size = select(func.count()).select_from(images).where(images.c.reader_study == of.id)
    n_images = size.scalar_subquery()
    of_image = and_(
        images.c.reader_study == answers.c.reader_study,
        images.c.position == answers.c.position % n_images,
    )
    of_reader = and_(
        readers.c.reader_study == answers.c.reader_study, readers.c.reader == answers.c.reader
    )
    return (
        select(
            readers.c.number,
            readers.c.removed_at,
            answers.c.position,
            images.c.image_id,
            images.c.is_pie,
            images.c.pair,
            images.c.labelled,
            (answers.c.position >= n_images).label("again"),
            answers.c.question,
            answers.c.value,
            answers.c.showing,
            showings.c.shown_at,
            answers.c.given_at,
        )
        .select_from(answers)
        .join(images, of_image)
        .join(readers, of_reader)
        .outerjoin(showings, showings.c.id == answers.c.showing)
        .where(answers.c.reader_study == of.id)
        .order_by(answers.c.id)
    )


def _seconds_per_image(given: pd.DataFrame) -> pd.DataFrame:
    """From each showing to the last answer given in it; showings of one image add up."""
    keys = ["reader", "image_id", "again"]
    of_showing = given.dropna(subset="showing").groupby([*keys, "showing"])
    spent = of_showing["given_at"].max() - of_showing["shown_at"].first()
    return spent.groupby(keys).sum().rename("seconds").reset_index()


def _as_times(seconds: pd.Series) -> pd.Series:
    return pd.to_datetime(seconds.astype(float), unit="s", utc=True).dt.floor("ms")


def _name(number: int) -> str:
    return f"reader {number}"
