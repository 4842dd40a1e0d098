"""What PIEs hold more of: classes, findings, wrong labels where known, and image quality; beside it
the same of dense models, and what other definitions say."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from core import results
from core.analysis import gallery
from core.analysis.claims import Claim
from core.analysis.pie_composition import PieClassRatio, PieFindingCountRatio
from core.analysis.pie_label_noise import PieLabelNoise, labels_record_noise
from core.analysis.pie_quality import PieQuality
from core.analysis.quality_truth import PiePoor, QualityTruth, labels_record_quality
from core.charts.composition import (
    class_ratio_chart,
    finding_count_chart,
    label_noise_chart,
    quality_chart,
    z_chart,
)
from core.pictures import quality
from core.results import pies as pie_results
from core.results.pies import LOST, definitions
from core.study import paths
from core.study.study import Study
from core.ui import plain, widgets
from core.ui.pie_browser.images import compare_runs, is_compared, pies
from core.ui.results import cached
from core.ui.view import View
from core.wording import pie_sentences, statistic_sentences, words

NAMES = {key: measure.name for key, measure in quality.MEASURES.items()}
RESAMPLING = "Resampling patients for the intervals …"
RATIOS: dict[str, Callable[..., pd.DataFrame]] = {
    "pie_class_ratio": PieClassRatio(),
    "pie_finding_count_ratio": PieFindingCountRatio(),
    "pie_label_noise": PieLabelNoise(),
}


def show(view: View, images: gallery.Images) -> None:
    counts = gallery.count_pies(images.table)
    st.markdown(plain(statistic_sentences.by_definition(counts.n_pies, counts.n_images)))
    excess = None
    if is_compared(view):
        excess = pie_results.pie_excess(view.study, view.at)
        if not pie_sentences.held_against_dense(excess[excess["kind"] != LOST]):
            st.info(pie_sentences.TOO_FEW_RUNS)
    else:
        st.markdown(plain(pie_sentences.NOT_COMPARED))
        if st.button("Compare dense models with each other", icon=":material/calculate:"):
            compare_runs(view)
            st.rerun()
    by_class, by_count = ratio(view, "pie_class_ratio"), ratio(view, "pie_finding_count_ratio")
    grid, tag = st.grid(2, min_column_width=300, gap="medium"), view.about[-1]
    with grid.cell():
        legend, chart = view.config.groups, class_ratio_chart(by_class, images.groups)
        widgets.draw(chart, "pie_class_chart", legend, level=3, of=view, about=(tag,))
        widgets.downloads(view, "pie_class_ratio", lambda: by_class, tag)
    with grid.cell():
        chart = finding_count_chart(by_count)
        widgets.draw(chart, "pie_count_chart", level=3, of=view, about=(tag,))
        widgets.downloads(view, "pie_finding_count_ratio", lambda: by_count, tag)
    if excess is not None:
        (lost,) = excess[excess["kind"] == LOST].to_dict("records")
        st.markdown(plain(pie_sentences.labels_lost(lost)))
    show_quality_and_noise(view)
    _show_other_definitions(view)


def ratio(view: View, name: str) -> pd.DataFrame:
    """One of RATIOS, as the export table; without what dense models give until that is kept."""
    return _ratio(view, name, is_compared(view))


@cached("sparsity", spinner=RESAMPLING)
def _ratio(view: View, name: str, compared: bool) -> pd.DataFrame:
    if compared:
        return results.table(view.study, name, sparsity=view.at)
    return RATIOS[name](pies(view), view.study.test.rows, view.study.labels.class_names)


def show_quality_and_noise(view: View) -> None:
    """Label noise where the labels record it, and image quality where there are images."""
    noise = labels_record_noise(view.study.labels)
    images = paths.images_dir(view.config.dataset) is not None
    if not (noise or images):
        return
    grid = st.grid(2 if noise and images else 1, min_column_width=300, gap="medium")
    if noise:
        with grid.cell():
            _show_label_noise(view)
    if images:
        with grid.cell():
            _show_quality(view)


def _show_label_noise(view: View) -> None:
    table, tag = ratio(view, "pie_label_noise"), view.about[-1]
    claim = _noise_claim(view) if is_compared(view) else None
    chart = label_noise_chart(table, pie_sentences.label_noise_title(table))
    widgets.draw(chart, key="label_noise_chart", level=3, of=view, about=(tag,))
    st.markdown(plain(pie_sentences.label_noise(table, claim)))
    widgets.downloads(view, "pie_label_noise", lambda: table, tag)


@cached("sparsity")
def _noise_claim(view: View) -> Claim:
    return pie_results.noise_claim(view.study, view.at)


def _show_quality(view: View) -> None:
    measured = _measured(view)
    if measured is None:
        offer = st.empty()
        with offer.container():
            asked = _offer_measuring(len(view.study.test))
        if not asked:
            return
        measured = _measure(view)
        offer.empty()
        view = View(view.name, Study(view.folder), sparsity=view.sparsity)  # as it is now
    table, tag = _quality(view, measured, is_compared(view)), view.about[-1]
    title = pie_sentences.image_quality(table, NAMES)
    widgets.draw(
        quality_chart(table, NAMES, title), key="quality_chart", level=3, of=view, about=(tag,)
    )
    if unread := int(measured["brightness"].isna().sum()):
        st.caption(f"{words.count(unread, 'image')} cannot be read, so without measures.")
    meanings = (f"{measure.name}: {measure.meaning}" for measure in quality.MEASURES.values())
    st.caption(plain(f"{'; '.join(meanings)}."))
    widgets.downloads(view, "pie_quality", lambda: table, tag)
    if labels_record_quality(view.study.labels):
        truth, poor = _truth(view, measured)
        st.markdown(plain(pie_sentences.poor_images(truth, poor, NAMES)))
        widgets.downloads(view, "quality_truth", lambda: truth, tag)


def _offer_measuring(n_images: int) -> bool:
    st.markdown("### Image quality of PIEs")
    st.markdown(
        f"Sharpness and exposure of {words.count(n_images, 'test image')}, PIEs against others. "
        "They are measured once and kept. If you stop it, it continues from there next time."
    )
    return st.button("Measure the images", icon=":material/straighten:")


def _measure(view: View) -> pd.DataFrame:
    bar = st.progress(0.0, text="Measuring the images …")

    def advance(done: int, total: int) -> None:
        bar.progress(done / max(total, 1), text=f"Measuring the images: {done:,} of {total:,}")

    measured = quality.image_quality(view.folder, advance)
    bar.empty()
    return measured


@cached()
def _measured(view: View) -> pd.DataFrame | None:
    return quality.kept_quality(view.folder)


@cached("sparsity", spinner=RESAMPLING)
def _quality(view: View, _measured: pd.DataFrame, compared: bool) -> pd.DataFrame:
    table = PieQuality()(pies(view), view.study.test.rows, _measured)
    if not compared:
        return table
    return pie_results.with_quality_excess(view.study, view.at, _measured, table)


@cached("sparsity", spinner=RESAMPLING)
def _truth(view: View, _measured: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = view.study.test.rows
    return QualityTruth()(rows, _measured), PiePoor()(pies(view), rows)


def _show_other_definitions(view: View) -> None:
    table, tag = definitions.read(view.study, view.at), view.about[-1]
    if table is None:
        return  # the button above works them out too
    found = gallery.z_counts(table)
    if found.n_known:
        title = statistic_sentences.by_z(found.n_pies, found.n_within, found.n_low, found.n_known)
        widgets.draw(z_chart(table, title), "z_chart", level=3, of=view, about=(tag,))
    else:
        st.info("No z-score: below 3 runs, dense models have no spread among themselves.")
    if found.n_modal is None or found.n_modal_pies is None:
        st.caption("No modal disagreement: the study keeps no validation predictions.")
    else:
        st.caption(pie_sentences.modal(table, found.n_modal, found.n_modal_pies))
    widgets.downloads(view, "pies", tag=tag)
