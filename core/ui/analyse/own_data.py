"""Bringing one's own images: a zip is looked at, then kept as a dataset with a person's yes, and
deleted with another."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.actions.deletion import delete_upload
from core.people.access import Person
from core.study.config import StudyConfig
from core.study.settings import TableSettings
from core.ui import confirm, markup, people, plain
from core.ui.analyse import waiting
from core.ui.analyse.report import pick, table
from core.ui.upload import upload as upload_zone
from core.upload import own_data as data
from core.upload import uploads
from core.upload.datasets import datasets_of
from core.upload.own_data import Columns, DataReport
from core.upload.uploads import Upload
from core.wording.amounts import size, some
from core.wording.words import count

FOUND = "(as found)"
NONE = "(none)"


def own_data(taken: Collection[str]) -> StudyConfig | None:
    """The whole way from a zip to a dataset; returns it at the moment it is kept.

    taken: names of datasets that there are.
    """
    person = people.person()
    who = person.email
    st.caption(
        "One .zip of images (PNG, JPEG, DICOM and others) and one .csv: a row for each image, "
        "with its file name, and a column of 1 and 0 for each class, or one of names joined by |. "
        "Columns called patient_id and split are used if present. Nothing leaves this server."
    )
    found = uploads.find(st.query_params.get("own"), who)
    if found is None or found.kind != "dataset":
        arrived = upload_zone("dataset", "dataset_upload", "a .zip of images and a CSV", (".zip",))
        if arrived and uploads.find(arrived, who):
            _go_on_with(arrived)
        _kept(person)
        return None
    columns = _columns()
    look = partial(data.answer, found, columns)
    answer = waiting.asked(look, partial(data.look, found, columns))
    st.markdown(f"**{plain(found.name)}** &nbsp; {size(found.n_bytes)}")
    if answer.state in ("absent", "working"):
        waiting.watch(look)
    elif answer.refusal:
        waiting.refuse(answer.refusal)
    elif answer.report is None:
        st.error("Checking this zip ended without an answer.", icon=":material/error:")
    kept = _report(found, columns, answer.report, who, taken) if answer.report else None
    if kept is None:
        _others(found, columns, who, usable=answer.report is not None)
    return kept


def _kept(person: Person) -> None:
    """What a person keeps of their own images, each with a way to delete it."""
    who = person.email
    zips, datasets = uploads.uploads_of(who, "dataset"), datasets_of(who)
    if not zips and not datasets:
        return
    total, most = size(uploads.kept_bytes(who)), size(uploads.allowed_bytes())
    st.markdown(f"**Yours on this server** &nbsp; {total} of {most}, uploaded checkpoints included")
    for dataset in datasets:
        with _row(f"{dataset.name} &nbsp; {size(dataset.n_bytes)}"):
            yes = _delete(dataset.folder.name, f"the dataset {dataset.name} and its images")
        if yes and confirm.delete_own(dataset, person):
            if st.query_params.get("dataset") == dataset.name:
                st.query_params.pop("dataset")
                st.query_params.pop("look", None)
            st.session_state.pop("dataset_choice", None)
            st.rerun(scope="app")
    for one in zips:
        with _row(f"{plain(one.name)} &nbsp; {size(uploads.bytes_of(one))}, not kept yet"):
            if st.button("Go on", icon=":material/play_arrow:", key=f"go_on_{one.id}"):
                _go_on_with(one.id)
            if _delete(one.id, f"{plain(one.name)} and what was unpacked of it"):
                delete_upload(one, who)
                st.rerun(scope="app")


def _row(text: str) -> DeltaGenerator:
    row = st.container(horizontal=True, vertical_alignment="center")
    row.markdown(text, width="stretch")
    return row


def _delete(key: str, what: str) -> bool:
    return confirm.confirmed(f"Delete {what} from this server?", "Delete for good", f"delete_{key}")


def _go_on_with(upload_id: str | None) -> None:
    """Another zip, or none, and with it what was said of the columns of the one before."""
    st.session_state.pop("own_columns", None)
    if upload_id:
        st.query_params["own"] = upload_id
    else:
        st.query_params.pop("own", None)
    st.rerun(scope="app")


def _columns() -> Columns:
    held = st.session_state.get("own_columns")
    return held if isinstance(held, Columns) else Columns()


def _report(
    found: Upload, columns: Columns, report: DataReport, who: str, taken: Collection[str]
) -> StudyConfig | None:
    st.success(
        f"**Usable.** {count(report.n_images, 'image')}, {count(report.n_rows, 'row')} in "
        f"{plain(report.table)}, {count(len(report.classes), 'class')}.",
        icon=":material/check:",
    )
    for warning in _warnings(report):
        st.warning(plain(warning), icon=":material/warning:")
    split = ", ".join(f"{name} {number:,}" for name, number in report.splits.items())
    split_by = f"by {report.split_column}" if report.split_column else "drawn here, by patient"
    found_out = {
        "Image column": report.image_column,
        "Patients": f"{report.n_patients:,}, by {_patients_by(report)}",
        "Split": f"{split}; {split_by}",
        "Not images, left out": f"{report.n_skipped:,}",
        "Unpacked": size(report.n_bytes),
    }
    st.html(markup.facts(found_out))
    rows = [(one.class_name, one.n_positive, 100 * one.frequency) for one in report.classes]
    names = ["Class", "Positives", "Frequency (%)"]
    formats = {names[2]: st.column_config.NumberColumn(format="%.2f")}
    table(rows, names, "Classes of the data and how frequent they are", column_config=formats)
    _change_columns(found, columns, report)
    proposed = re.sub(r"[^a-z0-9]+", "-", found.name.lower().removesuffix(".zip")).strip("-")[:41]
    name = st.text_input("Name of the dataset", value=proposed or "own-data", key="own_name")
    if st.button("Keep as a dataset", type="primary", icon=":material/save:"):
        kept = data.keep(found, columns, name.strip(), who, taken)
        delete_upload(found, who)
        st.session_state.pop("own_columns", None)
        return kept
    return None


def _patients_by(report: DataReport) -> str:
    if report.patient_column == data.PATIENT_COLUMN:
        return "folder"
    by_folder = report.n_patients < report.n_rows  # patient00001/ in the path
    return report.patient_column or ("folder" if by_folder else "image")


def _warnings(report: DataReport) -> list[str]:
    said = []
    if report.n_missing:
        few = ", ".join(report.missing)
        said.append(
            f"{report.n_missing:,} of the images that the table names are not in the zip, such as "
            f"{few}. They are left out."
        )
    if report.n_broken:
        few = ", ".join(report.broken)
        said.append(f"{report.n_broken:,} files are no readable image, such as {few}: left out.")
    if report.n_unused:
        said.append(f"{report.n_unused:,} images are not in the table and will not be used.")
    for what, share in (("positives", 0), ("negatives", 1)):
        if names := [one.class_name for one in report.classes if one.frequency == share]:
            said.append(f"No {what}, so nothing can be said about: {some(names)}.")
    if _patients_by(report) == "image":
        said.append(
            "No column names patients, so each image counts as a patient of its own. If patients "
            "have several images, intervals come out too narrow."
        )
    return said


def _change_columns(found: Upload, columns: Columns, report: DataReport) -> None:
    with (
        st.popover("Other columns and shares", icon=":material/table:"),
        st.form("own_columns_form"),
    ):
        names = list(report.columns)
        named = {name: name for name in names}
        image = pick("Image", {FOUND: None} | named, columns.image)
        others = {FOUND: None, NONE: ""} | named
        patient = pick("Patient", others, columns.patient)
        split = pick("Split", others, columns.split)
        classes = st.multiselect("Classes", names, default=list(columns.classes))
        shares = _shares(columns)
        if st.form_submit_button("Look again"):
            data.forget(found, columns)  # unpacked once is enough
            chosen = Columns(image, patient, split, tuple(classes), shares)
            st.session_state["own_columns"] = chosen
            st.rerun()


def _shares(columns: Columns) -> tuple[float, float]:
    """Of the patients for validation and for testing."""
    usual = tuple(float(TableSettings.model_fields[name].default) for name in data.SHARES)
    validation, test = columns.shares or usual
    test = st.number_input(
        "Test images, % of patients",
        *(1, 100, round(test * 100)),
        help="Where no column says the split. A given checkpoint is tried on test images only: "
        "100 uses every image.",
    )
    validation = st.number_input(
        "Validation images, % of patients",
        *(0, 99, round(validation * 100)),
        help="Operating points are fixed on them; without any, nothing is known of sensitivity and "
        "specificity.",
    )
    # More than all is less for validation.
    return min(validation, 100 - test) / 100, test / 100


def _others(found: Upload, columns: Columns, who: str, usable: bool) -> None:
    with st.container(horizontal=True):
        if st.button("Take another zip", icon=":material/swap_horiz:"):
            delete_upload(found, who)
            _go_on_with(None)
        if not usable and st.button("Look again", icon=":material/refresh:"):
            data.forget(found, columns)
            st.rerun(scope="app")
