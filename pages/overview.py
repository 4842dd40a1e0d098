"""Which study this is, what was run, how far it is, and what pruning does to it as a whole."""

import streamlit as st

from core import charts, markup, store, ui, words
from core.analysis import decay
from core.study import labels_path


def study_facts(opened: ui.OpenStudy) -> dict[str, str]:
    config = opened.config
    provenance = store.read_provenance(opened.folder)
    finished = len(store.finished_cells(opened.folder))
    return {
        "Dataset": words.dataset(config),
        "Model": words.model(config),
        "Runs": words.runs(config),
        "Sparsity grid": words.grid(config.sweep.sparsities),
        "Pruning": words.PRUNING[config.pruning.method],
        "Finished": words.finished(finished, config),
        "Images": words.split_sizes(ui.split_sizes(opened)) if has_labels else words.NONE,
        "Skipped images": words.skipped(provenance.get("skipped_images", [])),
        "Study id": opened.folder.name,
    }


opened = ui.open_study()
has_labels = labels_path(opened.folder).exists()
ui.page_head("Overview", opened)
ui.show_progress(opened)
st.html(markup.facts(study_facts(opened)))

metrics = ui.class_metrics(opened)
if metrics.empty:
    st.info("mAP appears here as soon as the first (run, sparsity) is finished.")
else:
    n_classes, n_undefined = decay.defined_classes(metrics)
    n_test = ui.split_sizes(opened)["test"]
    chart = charts.mean_ap_chart(ui.mean_ap_band(opened), n_classes, n_undefined, n_test)
    ui.draw(chart, key="mean_ap_chart")

if has_labels:
    groups = opened.config.groups
    n_train = ui.split_sizes(opened)["train"]
    chart = charts.frequency_chart(ui.frequencies(opened), groups.tail_below, n_train)
    ui.draw(chart, key="frequency_chart", legend=groups)
