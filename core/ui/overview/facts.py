"""Which study this is, and what was run."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from core.charts import Chart
from core.charts.classes import frequency_chart
from core.pictures import repairs
from core.study import store
from core.study.paths import labels_path
from core.ui import markup, plain, results, widgets
from core.ui.view import View
from core.wording import words


def show(view: View) -> None:
    st.html(markup.facts(_facts(view)))
    skipped = store.read_provenance(view.folder).get("skipped_images", [])
    rows = [(one["image_id"], one.get("reason", "")) for one in skipped]
    if rows:
        found = pd.DataFrame(rows, columns=["Skipped image", "Why it cannot be used"])
        st.dataframe(found, hide_index=True, height="auto", alt="Skipped images and why")


def say_caveats(view: View) -> None:
    """What the labels cannot answer, where there is such a thing."""
    if labels_path(view.folder).exists() and (said := results.data_caveats(view)):
        st.info(plain(" ".join(said)), icon=":material/info:")


def _facts(view: View) -> dict[str, str]:
    config, has_labels = view.config, labels_path(view.folder).exists()
    provenance = store.read_provenance(view.folder)
    origin, trained_on = words.origin(config), words.trained_on(config)
    repaired = " ".join(repairs.sentences(provenance.get("image_repairs", [])))
    patients = results.patients_caveat(view) if has_labels else ""
    return {
        "Dataset": config.dataset.title,
        "Model": words.model(config),
        **({"Predictions": origin} if origin else {}),
        **({"Class frequencies in training": trained_on} if trained_on else {}),
        "Runs": words.runs(config, provenance.get("seeds", ())),
        "Sparsity grid": words.grid(config.sweep.sparsities),
        "Pruning": words.pruning(config),
        "Precision": words.precision(config),
        "Finished": words.finished(len(view.study.cells), config),
        "Images": words.split_sizes(results.split_sizes(view)) if has_labels else words.NONE,
        "Skipped images": words.skipped(provenance.get("skipped_images", [])),
        **({"Repaired images": repaired} if repaired else {}),
        **({"Patients": patients} if patients else {}),
        "Study id": view.folder.name,
    }


def show_frequencies(view: View) -> None:
    table = partial(widgets.downloads, view, "class_frequencies")
    groups = view.config.groups
    widgets.draw(_chart(view), key="frequency_chart", legend=groups, of=view, also=table)


@results.cached(shared=True)
def _chart(view: View) -> Chart:
    frequencies = results.table(view, "class_frequencies")
    return frequency_chart(frequencies, view.config.groups.tail_below, view.study.n_of_frequencies)
