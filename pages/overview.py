"""Which study this is, what was run, how far it is, and what pruning does to it as a whole."""

import streamlit as st

from core import ui
from core.analysis import decay
from core.analysis.overall import OVERALL
from core.charts.classes import frequency_chart
from core.pictures import repairs
from core.study import store
from core.study.paths import labels_path
from core.ui import answer, figures, loaders, markup, reporting, statistics, tables, tour, widgets
from core.wording import statistic_sentences, words

OVERALL_SHOWN = (
    *("sparsity", "n_runs", "mean_ap", "ci_low", "ci_high", "difference"),
    *("difference_ci_low", "difference_ci_high", "welch_p", "paired_p"),
)


def study_facts(opened: ui.OpenStudy) -> dict[str, str]:
    config = opened.config
    provenance = store.read_provenance(opened.folder)
    finished = len(opened.study.cells)
    origin = words.origin(config)
    repaired = " ".join(repairs.sentences(provenance.get("image_repairs", [])))
    patients = loaders.patients_caveat(opened) if has_labels else ""
    return {
        "Dataset": config.dataset.title,
        "Model": words.model(config),
        **({"Predictions": origin} if origin else {}),
        "Runs": words.runs(config, provenance.get("seeds", ())),
        "Sparsity grid": words.grid(config.sweep.sparsities),
        "Pruning": words.pruning(config),
        "Finished": words.finished(finished, config),
        "Images": words.split_sizes(loaders.split_sizes(opened)) if has_labels else words.NONE,
        "Skipped images": words.skipped(provenance.get("skipped_images", [])),
        **({"Repaired images": repaired} if repaired else {}),
        **({"Patients": patients} if patients else {}),
        "Study id": opened.folder.name,
    }


def show_overall() -> None:
    """From where on mAP is significantly below dense, in both readings."""
    table = statistics.overall(opened)
    if table.empty:
        return
    st.markdown("**Where mAP is below dense**, in both readings:")
    for corrected in (True, False):
        st.markdown(f"- {ui.plain(statistic_sentences.first_significant(table, corrected))}")
    st.caption(ui.plain(statistic_sentences.overall_interval(table)))
    with st.expander("mAP at every sparsity as a table"):
        tables.show(
            table,
            OVERALL,
            OVERALL_SHOWN,
            height="content",
            alt="mAP at every sparsity, its difference from dense, intervals and p-values",
        )
    widgets.downloads(opened, "overall", lambda: statistics.overall(opened))


opened = ui.open_study()
has_labels = labels_path(opened.folder).exists()
ui.page_head("Overview", opened)
metrics = loaders.class_metrics(opened)
has_losses = bool(decay.pruned_sparsities(metrics))
ui.show_progress(opened)
if has_losses:  # in its place, though it takes a moment: set in later, it would move the rest
    answer.show_answer(opened)
tour.show_tour(opened.config.synthetic and not has_losses)
with st.container(key="facts"):
    st.html(markup.facts(study_facts(opened)))
reporting.download(opened)

if metrics.empty:
    st.info("mAP appears here as soon as the first (run, sparsity) is finished.")
else:
    widgets.draw(figures.mean_ap(opened), key="mean_ap_chart", of=opened)
    show_overall()

if has_labels:
    groups = opened.config.groups
    n_images = loaders.split_sizes(opened)[loaders.split_of_groups(opened)]
    chart = frequency_chart(loaders.frequencies(opened), groups.tail_below, n_images)
    widgets.draw(chart, key="frequency_chart", legend=groups, of=opened)
    widgets.downloads(opened, "class_frequencies", lambda: loaders.frequencies(opened))
