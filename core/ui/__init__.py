"""What every page shares: the study in view, the page's head, and how far the work is.

Results are in `core.ui.results`, switches, charts and downloads in `core.ui.widgets`, the subgroup
filter in `core.ui.filters`. What only one page shows is in that page's folder.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from core.errors import InputError, WorkError
from core.people import access
from core.study import paths, store
from core.study.progress import Report, read_progress
from core.study.study import Study
from core.ui import people, standing
from core.ui.view import View, modified
from core.wording import terms, words

SECONDS_BETWEEN_LOOKS = 2
# In the session: how often a study was picked, and the address that a pick has not reached yet.
PICKS, BEHIND = "study_picks", "study_behind"
MOST_LISTED = 12  # studies listed where an address names none of them
HOW_TO_START = """
What to do next:

- **See what it does**: `make demo` in a terminal draws synthetic X-rays and runs a small study on
  them, in minutes. It opens here by itself.
- **Your own network**: **Analyse a checkpoint** prunes it, step by step.
- **Your own study**: `prunescope run data/studies/nih-sample.toml` trains networks on the NIH
  sample of real X-rays.
"""


# The study in view


def visible_studies() -> dict[str, View]:
    """Studies this server may show, the newest first, by their name in the address.

    The name is the study's own, or its id where two studies share a name.
    """
    visitor = people.visitor()
    readable = filter(_is_readable, map(Study, store.list_studies()))
    allowed = [study for study in readable if access.may_see(study.config, visitor)]
    names = [study.name for study in allowed]
    called = (
        name if names.count(name) == 1 else study.folder.name
        for name, study in zip(names, allowed, strict=True)
    )
    views = (View(name, study) for name, study in zip(called, allowed, strict=True))
    return {view.name: view for view in sorted(views, key=standing.created, reverse=True)}


def pick_study() -> None:
    """The study picker. Its choice stands in the address as `study`, and the address decides."""
    studies = visible_studies()
    if studies:
        _pick_of(studies)
    for job_id, said in standing.waiting(people.visitor()).items():
        at = {"job": job_id}
        st.page_link("jobs.py", label=plain(said), icon=":material/schedule:", query_params=at)


def _pick_of(studies: dict[str, View]) -> None:
    chosen = _study_in_view(studies)
    names = list(studies)
    labels = {name: standing.label(view) for name, view in studies.items()}
    # The study in view is the picker's own default, in a picker of its own. A value that is set
    # from here reaches the browser once, and not at all if the run is cut short: the browser would
    # then take the first study, and send that.
    key = f"study-{st.session_state.get(PICKS, 0)}-{chosen}"
    with st.container(key="study-picker"):
        st.selectbox(
            "Study",
            names,
            names.index(chosen) if chosen else None,
            key=key,
            format_func=labels.__getitem__,
            placeholder="Choose a study",
            on_change=_picked_at,
            args=(key,),
        )
    if chosen is None:
        return
    # Not bound: a bound widget leaves its default out, and the study that is meant today is
    # another one tomorrow. This address shows the same study then.
    set_address("study", chosen)
    view = studies[chosen]
    told = f"{standing.told(view)}, {standing.date(view)}"
    st.caption(plain(told[0].upper() + told[1:]))
    if view.config.synthetic:
        st.badge("Synthetic phantoms", icon=":material/science:", color="violet")


def show_study(name: str) -> None:
    """Show this study from now on; for callbacks. Its name reaches the address with the next run
    that is not cut short, so until then the address it had is known to be behind."""
    st.session_state["study"] = name
    st.session_state[BEHIND] = st.query_params.get("study")
    st.session_state[PICKS] = st.session_state.get(PICKS, 0) + 1
    st.session_state.pop("unknown_study", None)


def set_address(name: str, value: str) -> None:
    """Write to the address what is not there yet. Each writing sends the whole address as this run
    knows it, and so takes back what a bound widget has put there since the run began."""
    if st.query_params.get(name) != value:
        st.query_params[name] = value


def _picked_at(key: str) -> None:
    show_study(st.session_state[key])


def _study_in_view(studies: dict[str, View]) -> str | None:
    """The study in the address, or the last one if the address names none; kept in the session.
    None where the address names one that is not here."""
    asked, last = st.query_params.get("study"), st.session_state.get("study")
    if BEHIND in st.session_state:
        if asked == st.session_state[BEHIND] and last in studies and not went_back():
            return str(last)
        del st.session_state[BEHIND]
    st.session_state.pop("unknown_study", None)
    if asked is not None:
        chosen = _called(asked, studies)
        if chosen is None:
            st.session_state["unknown_study"] = asked
            st.session_state.pop("study", None)
            return None
    else:
        chosen = last if last in studies else standing.meant(studies.values()).name
    st.session_state["study"] = chosen
    return chosen


def _called(asked: str, studies: dict[str, View]) -> str | None:
    """The study of a name or an id in the address."""
    by_id = (name for name, view in studies.items() if view.folder.name == asked)
    return asked if asked in studies else next(by_id, None)


def went_back() -> bool:
    """Whether this run is asked for by the browser's Back or Forward."""
    return bool(getattr(get_script_run_ctx(), "is_history_navigation", False))


def open_study() -> View:
    """The study in view. Where there is none, explains how to get one; where the address names one
    that is not here, lists those that are. Then the page ends."""
    studies = visible_studies()
    if not studies:
        st.title("PruneScope")
        st.info("There is no study to show yet.", icon=":material/info:")
        st.markdown(HOW_TO_START)
        with st.container(horizontal=True):
            st.page_link("analyse.py", label="Analyse a checkpoint", icon=":material/upload_file:")
            st.page_link("jobs.py", label="Jobs at work", icon=":material/pending_actions:")
        st.fragment(_wait_for_a_study, run_every=SECONDS_BETWEEN_LOOKS)()
        st.stop()
    unknown = st.session_state.get("unknown_study")
    if unknown is not None:
        _explain_unknown(unknown, studies)
    return _as_read(
        studies.get(st.session_state.get("study", "")) or standing.meant(studies.values())
    )


def meant_study() -> View | None:
    """The study that a visitor sees first who may see them all; None where none has results."""
    found = (
        View(study.name, study) for study in map(Study, store.list_studies()) if _is_readable(study)
    )
    with_results = [view for view in found if paths.class_metrics_path(view.folder).exists()]
    return _as_read(standing.meant(with_results)) if with_results else None


def _as_read(view: View) -> View:
    """The view with all that has been read of its study, where nothing has changed since."""
    key = f"{standing.created(view)} {view.key}"
    return replace(view, study=_as_before(key, view.study))


def _explain_unknown(asked: str, studies: dict[str, View]) -> NoReturn:
    st.title("No such study here")
    same = sum(view.study.name == asked for view in studies.values())
    st.warning(
        f"{same} studies are called {plain(asked[:80])}: choose one."
        if same
        else f"There is no study called {plain(asked[:80])} here. It may have been deleted, or "
        "you may not be allowed to see it."
    )
    st.markdown("**Studies here**, the newest first:")
    with st.container(gap="xxsmall"):
        for name, view in list(studies.items())[:MOST_LISTED]:
            label, key = plain(standing.label(view)), f"open-{name}"
            st.button(label, key=key, type="tertiary", on_click=show_study, args=(name,))
    if len(studies) > MOST_LISTED:
        left = words.count(len(studies) - MOST_LISTED, "study")
        st.caption(f"{left} more in the list beside the page.")
    st.stop()


@st.cache_resource(max_entries=16, show_spinner=False)
def _as_before(key: str, _study: Study) -> Study:
    """The study as another run opened it, with all that has been read of it, where nothing has
    changed since."""
    return _study


def _wait_for_a_study() -> None:
    if visible_studies():
        st.rerun()


def page_head(title: str, view: View | None = None) -> None:
    """A page's bar: its heading, and of a page about a study which one, whether that is synthetic,
    and the page's words."""
    with st.container(key="head", horizontal=True, vertical_alignment="center", gap="small"):
        st.title(title, anchor=False, width="content")
        if view is None:
            return
        if view.config.synthetic:
            notice = ":violet-badge[:material/science: Synthetic phantoms] drawn, not of patients"
        else:
            notice = f":gray-badge[{plain(view.config.dataset.title)}]"
        st.markdown(f"{plain(view.title)} &nbsp; {notice}", width="content")
        if title in terms.OF_PAGE:
            with st.popover("Glossary", icon=":material/menu_book:", type="tertiary"):
                st.markdown(_meanings(terms.OF_PAGE[title]))


def file_stem(*parts: str) -> str:
    """A name without suffix for a download, of those parts that are not empty."""
    return "_".join(re.sub(r"[^\w.+-]+", "-", part) for part in parts if part)


def _meanings(names: tuple[str, ...]) -> str:
    return "\n\n".join(f"**{plain(name)}**: {plain(terms.TERMS[name])}" for name in names)


# Progress


def is_finished(view: View) -> bool:
    """Whether no work is left; so it is where none was done here, as of published predictions."""
    report = read_progress(view.folder)
    return report is None or words.standing(report) == "finished"


def show_progress(view: View) -> None:
    """How far a study's work is; keeps looking only while something runs."""
    report = read_progress(view.folder)
    if report is None or words.standing(report) == "finished":
        return
    if words.standing(report) == "running":
        watch = st.fragment(_watch, run_every=SECONDS_BETWEEN_LOOKS)
        watch(view.folder, _made(view.folder))
    else:
        _show_stopped(view, report)


def _watch(folder: Path, made: tuple[int, int]) -> None:
    """The page begins again when there is more to see on it: `made` is what it was drawn from."""
    report = read_progress(folder)
    if report is None or words.standing(report) != "running" or _made(folder) != made:
        st.rerun()
    st.progress(report.fraction, text=f"Running: {plain(words.progress(report))}")


def _made(folder: Path) -> tuple[int, int]:
    """Changes with the labels and with every finished run."""
    return modified(paths.labels_path(folder)), modified(paths.class_metrics_path(folder))


def _show_stopped(view: View, report: Report) -> None:
    how = f"`prunescope run` with its study file; what {plain(view.name)} has finished is kept"
    if words.standing(report) == "interrupted":
        st.warning(
            f"Interrupted: {plain(words.progress(report))}. A background job continues once a "
            f"worker runs; a run in a terminal continues with {how}."
        )
    elif report.state == "failed":
        st.error(f"The last run failed: {plain(report.message or report.stage)} Try again: {how}.")
    else:
        st.info(f"The last run was cancelled. To continue: {how}.")


# What they are made of


def plain(text: str) -> str:
    """Text that Markdown shows as it is, whatever a class or a study is called."""
    return re.sub(r"([\\`*_{}\[\]()<>#+\-.!|~$:&^=])", r"\\\1", text)


def nowrap(text: str) -> str:
    """The same where no line begins with a percent sign."""
    return plain(text).replace(" %", "\u00a0%")


def _is_readable(study: Study) -> bool:
    try:
        return bool(study.config)
    except (InputError, WorkError, KeyError):
        return False
