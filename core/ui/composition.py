"""What PIEs hold more of, beyond their classes: wrong labels, where known, and image quality."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from core.analysis.pie_label_noise import PieLabelNoise, labels_record_noise
from core.analysis.pie_quality import PieQuality
from core.charts.composition import label_noise_chart, quality_chart
from core.pictures import quality
from core.results.pies import definitions, quality_excess
from core.study import paths
from core.ui import OpenStudy, exemplars, loaders, modified, plain, widgets
from core.ui.cached import ENTRIES, Source, of_study
from core.wording import pie_sentences, words

NAMES = {key: measure.name for key, measure in quality.MEASURES.items()}


def show_quality_and_noise(opened: OpenStudy, sparsity: float, tag: str) -> None:
    """Label noise where the labels record it, and image quality where there are images."""
    noise = labels_record_noise(loaders.labels(opened))
    images = paths.images_dir(opened.config.dataset) is not None
    if not (noise or images):
        return
    cells = st.grid(2 if noise and images else 1, min_column_width=300, gap="medium")
    if noise:
        with cells.cell():
            _show_label_noise(opened, sparsity, tag)
    if images:
        with cells.cell():
            _show_quality(opened, sparsity, tag)


def _show_label_noise(opened: OpenStudy, sparsity: float, tag: str) -> None:
    pies = exemplars.pies(opened, sparsity)
    table = _label_noise(opened, pies, _edition(opened, sparsity))
    table = exemplars.pie_label_noise(opened, sparsity, table)
    claim = exemplars.noise_claim(opened, sparsity)
    chart = label_noise_chart(table, pie_sentences.label_noise_title(table))
    widgets.draw(chart, key="label_noise_chart", level=3, of=opened, about=(tag,))
    st.markdown(plain(pie_sentences.label_noise(table, claim)))
    widgets.downloads(opened, "pie_label_noise", lambda: table, tag)


def _show_quality(opened: OpenStudy, sparsity: float, tag: str) -> None:
    measured = _kept(str(opened.folder), modified(paths.image_quality_path(opened.folder)))
    if measured is None:
        offer = st.empty()
        with offer.container():
            asked = _offer_measuring(len(exemplars.test_rows(opened)))
        if not asked:
            return
        measured = _measure(opened)
        offer.empty()
    pies = exemplars.pies(opened, sparsity)
    time = modified(paths.image_quality_path(opened.folder))
    pairs = modified(paths.pie_pairs_path(opened.folder, sparsity))
    table = _quality(opened, pies, measured, (*_edition(opened, sparsity), time, pairs))
    title = pie_sentences.image_quality(table, NAMES)
    chart = quality_chart(table, NAMES, title)
    widgets.draw(chart, key="quality_chart", level=3, of=opened, about=(tag,))
    if unread := int(measured["brightness"].isna().sum()):
        st.caption(f"{words.count(unread, 'image')} cannot be read, so without measures.")
    meanings = (f"{measure.name}: {measure.meaning}" for measure in quality.MEASURES.values())
    st.caption(plain(f"{'; '.join(meanings)}."))
    widgets.downloads(opened, "pie_quality", lambda: table, tag)


def _offer_measuring(n_images: int) -> bool:
    st.markdown("### Image quality of PIEs")
    st.markdown(
        f"Sharpness and exposure of {words.count(n_images, 'test image')}, PIEs against others. "
        "They are measured once and kept; stopped, it goes on where it was."
    )
    return st.button("Measure the images", icon=":material/straighten:")


def _measure(opened: OpenStudy) -> pd.DataFrame:
    bar = st.progress(0.0, text="Measuring the images …")

    def advance(done: int, total: int) -> None:
        bar.progress(done / max(total, 1), text=f"Measuring the images: {done:,} of {total:,}")

    measured = quality.image_quality(opened.folder, advance)
    bar.empty()
    return measured


def _edition(opened: OpenStudy, sparsity: float) -> tuple[float, ...]:
    times = (modified(paths.ensemble_path(opened.folder, s)) for s in (0.0, sparsity))
    return sparsity, *times


@st.cache_data(max_entries=ENTRIES, show_spinner=False)
def _kept(folder: str, time: int) -> pd.DataFrame | None:
    return quality.kept_quality(Path(folder))


@of_study(spinner="Resampling patients for the intervals …")
def _label_noise(of: Source, _pies: pd.DataFrame, edition: tuple[float, ...]) -> pd.DataFrame:
    labels = loaders.labels(of)
    return PieLabelNoise()(_pies, labels.split("test"), labels.class_names)


@of_study(spinner="Resampling patients for the intervals …")
def _quality(
    of: Source, _pies: pd.DataFrame, _measured: pd.DataFrame, edition: tuple[float, ...]
) -> pd.DataFrame:
    table = PieQuality()(_pies, loaders.labels(of).split("test"), _measured)
    if not definitions.is_there(of.study, edition[0]):
        return table
    return table.merge(quality_excess(of.study, edition[0]), on="measure")
