"""What every page shares: the study in view, cached tables, and the widgets more than one uses.

Caches are keyed on a study's folder and the times of the files read, never on frames.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from core import access, charts, markup, store, study, words, xrays
from core.analysis import decay, frequency, losses, pairs, pie
from core.errors import InputError, WorkError
from core.labels import SPLITS, Labels, class_frequencies
from core.progress import Report, read_progress
from core.study import GroupSettings, StudyConfig

ENTRIES = 32  # tables kept per loader; those of a study are small
LARGE_ENTRIES = 4  # tables with a row per image
SECONDS_BETWEEN_LOOKS = 2
HOW_TO_START = """
Make a first study in a terminal, then reload this page:

- `make demo` draws synthetic phantoms and runs a small study on them
- `prunescope run data/studies/nih-sample.toml` runs one on the NIH sample of real X-rays
"""


@dataclass(frozen=True)
class OpenStudy:
    """The study a page shows: `name` as in the address, its folder and its config."""

    name: str
    folder: Path
    config: StudyConfig

    @property
    def title(self) -> str:
        return self.config.study.title or self.name


# The study in view


def visible_studies() -> dict[str, OpenStudy]:
    """Studies this server may show, the newest first, by their name in the address.

    The name is the study's own, or its id where two studies share a name.
    """
    folders = sorted(store.list_studies(), key=_created, reverse=True)
    readable = [(folder, _config(folder)) for folder in folders]
    allowed = [
        (folder, config)
        for folder, config in readable
        if config and access.may_see(config, st.get_option("server.address"))
    ]
    names = [config.study.name for _, config in allowed]
    return {
        name: OpenStudy(name, folder, config)
        for (folder, config), name in (
            ((folder, config), name if names.count(name) == 1 else folder.name)
            for (folder, config), name in zip(allowed, names, strict=True)
        )
    }


def pick_study() -> None:
    """The study picker. Its choice stands in the address as `study`."""
    studies = visible_studies()
    if not studies:
        return
    asked = st.query_params.get("study")
    if st.session_state.get("study") not in studies:
        if asked is not None and asked not in studies:
            st.session_state["unknown_study"] = asked
        st.session_state["study"] = asked if asked in studies else next(iter(studies))
    chosen = st.selectbox(
        "Study",
        list(studies),
        key="study",
        on_change=lambda: st.session_state.pop("unknown_study", None),
    )
    # Not bound: a bound widget leaves its default out, and the newest study is not the newest
    # for long. This address shows the same study tomorrow.
    st.query_params["study"] = chosen
    if studies[chosen].config.synthetic:
        st.badge("Synthetic phantoms", icon=":material/science:", color="violet")


def open_study() -> OpenStudy:
    """The study in view; explains how to get one and ends the page where there is none."""
    studies = visible_studies()
    if not studies:
        st.info("There is no study to show yet.", icon=":material/info:")
        st.markdown(HOW_TO_START)
        st.stop()
    chosen = studies.get(st.session_state.get("study", "")) or next(iter(studies.values()))
    unknown = st.session_state.get("unknown_study")
    if unknown is not None:
        st.warning(
            f"There is no study called {plain(unknown[:80])} here. "
            f"You are looking at {plain(chosen.name)}."
        )
    return chosen


def page_head(title: str, opened: OpenStudy) -> None:
    """A page's heading, which study it is about, and whether that is synthetic."""
    st.title(title)
    if opened.config.synthetic:
        notice = ":violet-badge[:material/science: Synthetic phantoms] drawn, not of patients"
    else:
        notice = f":gray-badge[{plain(words.dataset(opened.config))}]"
    st.markdown(f"{plain(opened.title)} &nbsp; {notice}")


def finished_metrics(opened: OpenStudy) -> pd.DataFrame:
    """Class metrics; shows progress and ends the page while no cell is finished."""
    show_progress(opened)
    metrics = class_metrics(opened)
    if metrics.empty:
        st.info("No (run, sparsity) of this study is finished yet, so there is nothing to chart.")
        st.stop()
    return metrics


# Progress


def show_progress(opened: OpenStudy) -> None:
    """How far a study's work is; keeps looking only while something runs."""
    report = read_progress(opened.folder)
    if report is None or words.standing(report) == "finished":
        return
    if words.standing(report) == "running":
        st.fragment(_watch, run_every=SECONDS_BETWEEN_LOOKS)(opened.folder)
    else:
        _show_stopped(opened, report)


def _watch(folder: Path) -> None:
    report = read_progress(folder)
    if report is None or words.standing(report) != "running":
        st.rerun()
    st.progress(report.fraction, text=f"Running: {plain(words.progress(report))}")


def _show_stopped(opened: OpenStudy, report: Report) -> None:
    how = f"`prunescope run` with its study file; what {plain(opened.name)} has finished is kept"
    if words.standing(report) == "interrupted":
        st.warning(
            f"Interrupted: {plain(words.progress(report))}. A running worker goes on with it by "
            f"itself; without one, run it again: {how}."
        )
    elif report.state == "failed":
        st.error(f"The last run failed: {plain(report.message or report.stage)} Try again: {how}.")
    else:
        st.info(f"The last run was cancelled. To go on: {how}.")


# Cached tables


def labels(opened: OpenStudy) -> Labels:
    path = study.labels_path(opened.folder)
    return _labels(str(opened.folder), _modified(path))


def frequencies(opened: OpenStudy) -> pd.DataFrame:
    path = study.labels_path(opened.folder)
    return _frequencies(str(opened.folder), _modified(path), opened.config.groups)


def groups_of_classes(opened: OpenStudy) -> dict[str, str]:
    """class_name to head, medium or tail."""
    table = frequencies(opened)
    return dict(zip(table["class_name"], table["group"], strict=True))


def split_sizes(opened: OpenStudy) -> dict[str, int]:
    """Images per split."""
    sizes = labels(opened).table["split"].value_counts()
    return {split: int(sizes.get(split, 0)) for split in SPLITS}


def chance_levels(opened: OpenStudy, metric: str) -> pd.Series:
    return _chance(str(opened.folder), _modified(study.labels_path(opened.folder)), metric)


def class_metrics(opened: OpenStudy) -> pd.DataFrame:
    path = study.class_metrics_path(opened.folder)
    return _metrics(str(opened.folder), _modified(path))


def mean_ap_band(opened: OpenStudy) -> pd.DataFrame:
    """mAP per sparsity: median and quartiles over runs."""
    path = study.class_metrics_path(opened.folder)
    return _mean_ap_band(str(opened.folder), _modified(path))


def curves(opened: OpenStudy, metric: str) -> pd.DataFrame:
    path = study.class_metrics_path(opened.folder)
    return _curves(str(opened.folder), _modified(path), metric)


def class_curves(opened: OpenStudy, metric: str, relative: bool) -> pd.DataFrame:
    path = study.class_metrics_path(opened.folder)
    return _class_curves(str(opened.folder), _modified(path), metric, relative)


def class_losses(opened: OpenStudy, metric: str, sparsity: float) -> pd.DataFrame:
    """See `analysis.losses.Losses`."""
    times = (
        _modified(study.class_metrics_path(opened.folder)),
        _modified(study.labels_path(opened.folder)),
    )
    return _losses(str(opened.folder), times, opened.config.groups, metric, sparsity)


def fcd(opened: OpenStudy, metric: str) -> tuple[pd.DataFrame, list[str]]:
    """FCD of every pair, and the class names in clustered order."""
    path = study.class_metrics_path(opened.folder)
    return _fcd(str(opened.folder), _modified(path), metric)


def pies(opened: OpenStudy, sparsity: float) -> pd.DataFrame:
    """See `analysis.pie.Pies`; one row per test image."""
    paths = [study.ensemble_path(opened.folder, s) for s in (0.0, sparsity)]
    return _pies(str(opened.folder), tuple(map(_modified, paths)), sparsity)


def image_probabilities(opened: OpenStudy, image_id: str, sparsity: float) -> pd.DataFrame:
    path = study.ensemble_path(opened.folder, sparsity)
    return _image_probabilities(str(opened.folder), _modified(path), image_id, sparsity)


def source_size(opened: OpenStudy, image_id: str) -> tuple[int, int] | None:
    path = study.labels_path(opened.folder)
    return _source_size(str(opened.folder), _modified(path), opened.config, image_id)


def _modified(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def _created(folder: Path) -> int:
    return _modified(study.study_json(folder))


def _config(folder: Path) -> StudyConfig | None:
    return _read_config(str(folder), _created(folder))


@st.cache_data(max_entries=256, show_spinner=False)
def _read_config(folder: str, time: int) -> StudyConfig | None:
    try:
        return store.read_config(Path(folder))
    except (InputError, WorkError, KeyError):
        return None


@st.cache_data(max_entries=LARGE_ENTRIES, show_spinner=False)
def _labels(folder: str, time: int) -> Labels:
    return store.read_labels(Path(folder))


@st.cache_data(max_entries=ENTRIES, show_spinner=False)
def _frequencies(folder: str, time: int, groups: GroupSettings) -> pd.DataFrame:
    return class_frequencies(_labels(folder, time), groups)


@st.cache_data(max_entries=ENTRIES, show_spinner=False)
def _chance(folder: str, time: int, metric: str) -> pd.Series:
    return frequency.chance_levels(_labels(folder, time), metric)


@st.cache_data(max_entries=ENTRIES, show_spinner=False)
def _metrics(folder: str, time: int) -> pd.DataFrame:
    return store.read_class_metrics(Path(folder))


@st.cache_data(max_entries=ENTRIES, show_spinner=False)
def _mean_ap_band(folder: str, time: int) -> pd.DataFrame:
    means = decay.mean_over_classes(_metrics(folder, time))
    return decay.band_over_runs(means, "mean_ap", ["sparsity"])


@st.cache_data(max_entries=ENTRIES, show_spinner=False)
def _curves(folder: str, time: int, metric: str) -> pd.DataFrame:
    return decay.ForgettabilityCurves(metric)(_metrics(folder, time))


@st.cache_data(max_entries=ENTRIES, show_spinner=False)
def _class_curves(folder: str, time: int, metric: str, relative: bool) -> pd.DataFrame:
    return losses.class_curves(_metrics(folder, time), metric, relative)


@st.cache_data(max_entries=256, show_spinner=False)
def _losses(
    folder: str, times: tuple[int, int], groups: GroupSettings, metric: str, sparsity: float
) -> pd.DataFrame:
    metrics_time, labels_time = times
    return losses.Losses(metric, sparsity)(
        _curves(folder, metrics_time, metric),
        _metrics(folder, metrics_time),
        _frequencies(folder, labels_time, groups),
        _chance(folder, labels_time, metric),
    )


@st.cache_data(max_entries=ENTRIES, show_spinner=False)
def _fcd(folder: str, time: int, metric: str) -> tuple[pd.DataFrame, list[str]]:
    distances = pairs.fcd_matrix(_curves(folder, time, metric))
    return distances, pairs.clustered_order(distances)


@st.cache_data(max_entries=ENTRIES, show_spinner="Comparing dense and pruned images …")
def _pies(folder: str, times: tuple[int, ...], sparsity: float) -> pd.DataFrame:
    known = store.read_labels(Path(folder))
    ids = known.split("test")["image_id"]
    dense, pruned = (
        store.read_predictions(study.ensemble_path(Path(folder), s), ids, known.class_names)
        for s in (0.0, sparsity)
    )
    return pie.Pies()(ids, dense, pruned)


@st.cache_data(max_entries=256, show_spinner=False)
def _image_probabilities(folder: str, time: int, image_id: str, sparsity: float) -> pd.DataFrame:
    return store.image_probabilities(Path(folder), [image_id], sparsity)


@st.cache_data(max_entries=4096, show_spinner=False)
def _source_size(
    folder: str, time: int, config: StudyConfig, image_id: str
) -> tuple[int, int] | None:
    return xrays.source_size(Path(folder), config, image_id)


# Shared widgets


def plain(text: str) -> str:
    """Text that Markdown shows as it is, whatever a class or a study is called."""
    return re.sub(r"([\\`*_{}\[\]()<>#+\-.!|~$:&^=])", r"\\\1", text)


def draw(chart: charts.Chart, key: str, legend: GroupSettings | None = None, **options: Any) -> Any:
    """A chart below its finding, with its caption; `legend` says what its colours mean."""
    st.markdown(f"## {plain(chart.title)}")
    if legend:
        st.html(markup.group_legend(legend))
    event = st.plotly_chart(
        chart.figure, key=key, alt=chart.title, config={"displayModeBar": False}, **options
    )
    st.caption(plain(chart.caption))
    return event


def sparsity_slider(sparsities: list[float], preferred: float = 0.9) -> float:
    """A grid point, in the address as whole percent; no slider where there is one point only."""
    if len(sparsities) == 1:
        st.markdown(f"Sparsity **{words.percent(sparsities[0])}**, the only one there is.")
        return sparsities[0]
    options = [study.percent(sparsity) for sparsity in sparsities]
    near = min(options, key=lambda option: abs(option - study.percent(preferred)))
    drop_stale("sparsity", options)
    chosen = st.select_slider(
        "Sparsity (%)", options, value=near, key="sparsity", bind="query-params"
    )
    return sparsities[options.index(chosen)]


def metric_switch() -> str:
    """ap, calibrated_ap or auroc; in the address as `metric`."""
    names = {"AP": "ap", "Calibrated AP": "calibrated_ap", "AUROC": "auroc"}
    drop_stale("metric", list(names))
    chosen = st.segmented_control(
        "Metric", list(names), default="AP", required=True, key="metric", bind="query-params"
    )
    return names[chosen]


def addressed_choice(place: Any, label: str, options: list[str], begin: str, key: str) -> str:
    """A selectbox whose value always stands in the address, also the one it begins with.

    A bound widget leaves its default out, and may not be set by a click elsewhere as well.
    """
    if st.session_state.get(key) not in options:
        asked = st.query_params.get(key)
        st.session_state[key] = asked if asked in options else begin
    chosen = place.selectbox(label, options, key=key)
    st.query_params[key] = chosen
    return chosen


def drop_stale(key: str, options: list) -> None:
    """Forget a widget's value that another study's page left and that is no option here."""
    held = st.session_state.get(key)
    values = held if isinstance(held, list) else [held]
    if held is not None and any(value not in options for value in values):
        kept = [value for value in values if value in options]
        if isinstance(held, list):
            st.session_state[key] = kept
        else:
            del st.session_state[key]


def class_picker(label: str, names: list[str]) -> list[str]:
    """Classes picked by typing; in the address as `classes`."""
    drop_stale("classes", names)
    return st.multiselect(label, names, key="classes", bind="query-params")


def style() -> None:
    """The few rules the theme has no setting for."""
    st.html(markup.STYLE)
