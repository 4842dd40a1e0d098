"""The steps of the page "Analyse a checkpoint". What was chosen stands in the address."""

from __future__ import annotations

from functools import partial

import streamlit as st

from core import jobs
from core.actions.deletion import delete_upload
from core.checkpoints import analyses, preflights
from core.checkpoints.preflight import Preflight, PreflightOptions
from core.checkpoints.preflights import Question
from core.errors import InputError
from core.study.config import StudyConfig
from core.study.grids import grid_of
from core.study.settings import PRUNING_METHODS
from core.ui import confirm, people, plain, set_address, visible_studies
from core.ui.analyse import report as shown
from core.ui.analyse import training, waiting
from core.ui.analyse.own_data import own_data
from core.ui.upload import upload as upload_zone
from core.upload import uploads
from core.upload.uploads import Upload
from core.wording import precision_sentences
from core.wording.amounts import size
from core.wording.dense_sentences import UNPRUNED
from core.wording.words import count, duration, percent

SUFFIXES = (".pt", ".pth", ".ckpt", ".bin", ".safetensors", ".tar", ".onnx")
JOBS = "jobs.py"
STUDY_NAME = "study_name"
OTHER_GRID = "others"
LONGEST_STUDY_NAME = 63
# The widgets whose values belong to one report, and are forgotten with it.
OF_A_REPORT = (
    *("architecture", "preprocessing", "image_size", "centre_crop", "activation", STUDY_NAME),
    *("order_of_outputs", "classes_of_outputs", "training", "table_of_frequencies", "reference"),
    *("network_in_file", "rename_weights"),
)
GRIDS = {
    "every 5 %": tuple(value / 100 for value in range(0, 100, 5)),
    "every 10 %": tuple(value / 100 for value in range(0, 100, 10)),
    "0, 50, 70, 80, 90, 95 %": (0.0, 0.5, 0.7, 0.8, 0.9, 0.95),
}


def choose_file(who: str) -> Upload | None:
    """Step 1: the upload in the address, or a way to get one."""
    asked = st.query_params.get("upload")
    found = uploads.find(asked, who)
    if found and found.kind == "checkpoint":
        _show_file(found, who)
        return found
    if asked:
        st.warning("The upload in this address is not there, or not yours. Choose another.")
    arrived = upload_zone("checkpoint", "checkpoint_upload", "a checkpoint", SUFFIXES)
    if arrived and uploads.find(arrived, who):
        _go(upload=arrived)
    st.caption(
        ".safetensors, or what torch.save made of a state_dict. Nothing in the file is ever run. "
        "An .onnx graph is computed in a process with limits, and analysed unpruned. "
        "The file stays on this server until you delete it."
    )
    mine = {one.id: one for one in uploads.uploads_of(who, "checkpoint")}
    if mine:
        chosen = st.selectbox(
            "Or an earlier upload of yours",
            list(mine),
            index=None,
            format_func=lambda key: f"{mine[key].name} ({size(mine[key].n_bytes)})",
            placeholder="Choose a file",
            key="earlier_upload",
        )
        if chosen:
            _go(upload=chosen)
    return None


def choose_dataset() -> StudyConfig | None:
    """Step 2: a dataset that is here, or a way to bring one's own."""
    configs = [opened.config for opened in visible_studies().values()]
    known = preflights.datasets(configs, people.person().email)
    asked = st.query_params.get("dataset")
    if asked is not None and asked not in known:
        st.warning(f"There is no dataset {plain(asked[:80])} here. Choose another.")
    names = list(known)
    if st.session_state.get("dataset_choice") not in names:
        st.session_state["dataset_choice"] = asked if asked in known else None
    chosen = st.selectbox(
        "Dataset to study it on",
        names,
        index=None,
        format_func=lambda name: _dataset_words(name, known),
        placeholder="Choose a dataset",
        key="dataset_choice",
    )
    if chosen != asked and (chosen or asked in known):
        _go(dataset=chosen, look=None)
    with st.expander("Or bring your own images", expanded="own" in st.query_params):
        kept = own_data(names)
    if kept:
        st.session_state.pop("dataset_choice", None)
        _go(dataset=kept.study.name, look=None, own=None)
    return known.get(chosen) if chosen else None


def preflight(upload: Upload, base: StudyConfig) -> Preflight | None:
    """Step 3: asks by itself, shows how far it is, then the report; None until there is one."""
    options = preflights.choices(upload, st.query_params.get("look"))
    question = Question(upload, base, options)
    look = partial(preflights.answer, question)
    answer = waiting.asked(look, partial(preflights.ask, question))
    if st.query_params.get("look") != question.key:
        st.query_params["look"] = question.key
    _forget_widgets_of_another(question.key)
    if answer.state in ("absent", "working"):
        waiting.watch(look, partial(_cancel, question))
    elif answer.state == "broken":
        st.error(
            "The preflight ended without an answer, perhaps because memory ran out.",
            icon=":material/error:",
        )
        if st.button("Try again", icon=":material/refresh:"):
            preflights.forget(question)
            preflights.ask(question)
            st.rerun()
    elif answer.refusal:
        waiting.refuse(shown.on_page(answer.refusal))
    return _show_report(question, answer.report) if answer.report else None


def run(report: Preflight, base: StudyConfig) -> None:
    """Step 4: what else can be chosen, and the start."""
    assert report.config
    name = _study_name(report.config.study.name)
    sparsities, precision, overrides = _how(report, base)
    bad = st.columns(3)[0].selectbox(
        "Images that cannot be read",
        list(analyses.BAD_IMAGES),
        key="bad_images",
        bind="query-params",
        help="The preflight looked at a sample. Overview counts and lists the images left out.",
    )
    overrides = (*overrides, *analyses.BAD_IMAGES[bad])
    frequencies = training.frequencies(report.outputs)
    if report.estimate:
        seconds = analyses.seconds_on_grid(report, len(sparsities), precision)
        st.caption(
            f"About {duration(seconds)} for {count(len(sparsities), 'sparsity')} "
            f"({', '.join(percent(value) for value in sparsities[:3])}"
            f"{', ...' if len(sparsities) > 3 else ''}) as measured just "
            "now on this machine, if nothing else runs. You can close the page meanwhile."
        )
    start = st.button(
        "Start the study",
        type="primary",
        icon=":material/play_arrow:",
        disabled=frequencies is None,
    )
    if start and frequencies is not None:
        who = people.require("researcher", "admin").email
        config = analyses.analysis_config(report, name.strip() or None, overrides, frequencies)
        st.switch_page(JOBS, query_params={"job": jobs.submit(config, who)})


def _how(report: Preflight, base: StudyConfig) -> tuple[tuple[float, ...], str, tuple[str, ...]]:
    """The grid, the precision that it comes to, and both as settings with the method."""
    if report.graph:
        st.info(UNPRUNED, icon=":material/info:")
        return (0.0,), "fp32", ()
    own = base.sweep.sparsities
    grids = GRIDS if own in GRIDS.values() else {f"as {base.study.name}": own} | GRIDS
    left, middle, right = st.columns(3)
    grid = left.selectbox(
        "Sparsities",
        [*grids, OTHER_GRID],
        index=list(grids.values()).index(own),
        key="grid",
        bind="query-params",
        help="Dense, and pruned to each of these shares of zero weights.",
    )
    sparsities = _other_grid(own) if grid == OTHER_GRID else grids[grid]
    precision = middle.selectbox(
        "Precision",
        (analyses.AUTO, *analyses.PRECISIONS),
        key="precision",
        bind="query-params",
        help="auto: bf16 if this machine has bf16 arithmetic, because that halves the time and "
        "moves probabilities by about 0.01; otherwise fp32.",
    )
    method = right.selectbox(
        "Pruning",
        list(PRUNING_METHODS),
        index=list(PRUNING_METHODS).index(base.pruning.method),
        format_func=lambda one: f"{one}: {PRUNING_METHODS[one]}",
        key="method",
        bind="query-params",
    )
    computed = analyses.auto_precision(report) if precision == analyses.AUTO else precision
    st.caption(precision_sentences.choice(precision, computed, analyses.has_bf16(report)))
    return (
        sparsities,
        computed,
        (
            f"sweep.sparsities={list(sparsities)}",
            f"sweep.precision={precision}",
            f"pruning.method={method}",
        ),
    )


def _other_grid(own: tuple[float, ...]) -> tuple[float, ...]:
    """What a person writes; the dataset's own grid until it is one."""
    text = st.text_input(
        "Sparsities in percent",
        key="sparsities",
        bind="query-params",
        placeholder="5, 10, 20, 50",
        help="Whole percents from 0 to 99. Dense is always among them. Where two are more than 10 "
        "points apart, no sparsity is read between them.",
        max_chars=400,
    )
    try:
        grid = grid_of(text or "")
    except InputError as error:
        st.error(plain(str(error)))
        st.stop()
    return grid if text and text.strip() else own


def _study_name(proposed: str) -> str:
    """The study's name; in the address as `name` unless it is the one proposed."""
    if STUDY_NAME not in st.session_state:
        asked = st.query_params.get("name", proposed)
        st.session_state[STUDY_NAME] = asked[:LONGEST_STUDY_NAME]
    name = st.text_input("Name of the study", key=STUDY_NAME, max_chars=LONGEST_STUDY_NAME)
    if name.strip() in ("", proposed):
        st.query_params.pop("name", None)
    else:
        set_address("name", name)
    return name


def _show_file(found: Upload, who: str) -> None:
    with st.container(border=True):
        st.markdown(
            f"**{plain(found.name)}** &nbsp; {size(found.n_bytes)}, SHA-256 `{found.sha256[:16]}`"
        )
        with st.container(horizontal=True):
            if st.button("Choose another file", icon=":material/swap_horiz:"):
                _go(upload=None, look=None)
            asked = f"Delete {plain(found.name)} from this server? Studies made of it stay."
            if confirm.confirmed(asked, "Delete for good", "delete_upload"):
                delete_upload(found, who)
                _go(upload=None, look=None)


def _show_report(question: Question, report: Preflight) -> Preflight:
    shown.verdict(report)
    shown.facts(report)
    classes = shown.order(report)
    with st.form("choices", border=False):
        options = shown.details(report, question.options, classes)
        if st.form_submit_button("Look again with these choices", icon=":material/refresh:"):
            _look_again(question, options)
    return report


def _look_again(question: Question, options: PreflightOptions) -> None:
    if options == question.options:
        st.info("Nothing was changed: this is what these choices give.")
        return
    again = Question(question.upload, question.base, options)
    preflights.ask(again)
    _go(look=again.key)


def _cancel(question: Question) -> None:
    preflights.forget(question)
    _go(dataset=None, look=None)


def _forget_widgets_of_another(key: str) -> None:
    before = st.session_state.get("report_in_view")
    if before != key:
        st.session_state["report_in_view"] = key
        if before:  # else the page is opened at an address, which says what the name was
            st.query_params.pop("name", None)
        for name in list(st.session_state):
            if str(name).startswith(OF_A_REPORT):
                del st.session_state[name]


def _dataset_words(name: str, known: dict[str, StudyConfig]) -> str:
    title = known[name].study.title
    return f"{name}: {title}" if title else name


def _go(**address: str | None) -> None:
    """Another place in the address: None takes a part away, and with another report goes the name
    that was typed for a study of the one before."""
    st.query_params.pop("name", None)
    if address.get("dataset", "") is None:
        st.session_state.pop("dataset_choice", None)
    for name, value in address.items():
        if value is None:
            st.query_params.pop(name, None)
        else:
            st.query_params[name] = value
    if "upload" in address:
        st.session_state.pop("earlier_upload", None)
    st.rerun(scope="app")
