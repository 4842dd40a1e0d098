"""The subgroup filter: which test images a page's numbers are of. It stands in the address as
`subgroup`, in the text of `core.analysis.subgroup`, and goes with the person from page to page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import streamlit as st

from core.analysis import subgroup as subgroups
from core.analysis.groupings import patient_list
from core.analysis.overall import mean_ap_beside_whole
from core.analysis.subgroup import EVERYTHING, Attribute, Between, Condition, OneOf, Subgroup
from core.errors import InputError
from core.results import slices
from core.study.study import Study
from core.ui import plain, results, switches
from core.ui.view import View
from core.wording import columns, statistic_sentences, words

REFUSED = "subgroup_refused"
ALL_IMAGES = "All test images: the subgroup chosen on other pages is not applied here."
LONGEST_ADDRESS = 2000  # characters of a subgroup that still make an address to send around
LONGEST_TITLE = 40  # characters of conditions on the button; of longer ones it says how many
MOST_PILLS = 6  # values shown side by side; more are chosen from a list


def subgroup_filter(view: View, label: str = "") -> View:
    """The study with the chosen subgroup. label: of the button, in place of the conditions."""
    known = results.attributes_of_test_images(view)
    chosen = _chosen(view, known)
    titles = [columns.condition(one) for one in chosen.conditions] if chosen else [EVERYTHING]
    title = ", ".join(titles)
    if len(title) > LONGEST_TITLE:
        title = words.count(len(titles), "condition")
    with st.popover(plain(label or title), icon=":material/filter_alt:"):
        st.caption("Every number is recomputed for the test images you choose.")
        if refused := st.session_state.pop(REFUSED, ""):
            st.warning(plain(refused))
        in_force = {one.by: one for one in chosen.conditions} if chosen else {}
        for attribute in known.values():
            _choose(attribute, in_force.get(attribute.name), chosen)
        if chosen and len(str(chosen)) > LONGEST_ADDRESS:
            st.caption("This list is too long for the page's address, which leaves it out.")
    return replace(view, subgroup=chosen)


def show_subgroup(view: View) -> None:
    """The conditions as of `show_conditions`, and the mAP of the images that meet them."""
    show_conditions(view)
    if view.subgroup is None:
        return
    _prepare(view)
    if said := _mean_ap(view):
        st.markdown(plain(said), help=statistic_sentences.MEAN_AP_OF_SUBGROUP)


def show_conditions(view: View) -> None:
    """The conditions, each with a way out of it, and how many images meet them all; ends the page
    where none does."""
    chosen = view.subgroup
    if chosen is None:
        return
    facts = results.facts_of_slice(view)
    with st.container(horizontal=True, vertical_alignment="center"):
        for one in chosen.conditions:
            st.button(
                plain(columns.condition(one)),
                icon=":material/close:",
                key=f"leave-{one.by}",
                help="Remove this condition",
                on_click=_take,
                args=(chosen, one.by, None),
            )
        st.markdown(
            f"**{facts.n_images:,}** of {words.count(len(view.study.test), 'test image')}, "
            f"**{facts.n_patients:,}** {'patient' if facts.n_patients == 1 else 'patients'}"
        )
        with st.popover("Positives per class", type="tertiary"):
            st.markdown(plain(words.positives(facts.n_positive, results.unstable_classes(view))))
        st.button(
            "Show all test images",
            key="all-test-images",
            type="tertiary",
            on_click=_set,
            args=(None,),
        )
    if not facts.n_images:
        st.info(
            f"No test image belongs to the subgroup {plain(columns.subgroup(chosen))}, so there "
            "is nothing to compute. Remove a condition, or show all test images."
        )
        st.stop()


def say_all_images() -> None:
    """On a page without the filter: that a subgroup of other pages is not applied."""
    if switches.asked("subgroup"):
        st.caption(ALL_IMAGES)


def _chosen(view: View, known: Mapping[str, Attribute]) -> Subgroup | None:
    """The subgroup in force; says so where this study has not what it names."""
    before = st.query_params.get("by"), st.query_params.get("is", "")
    text = switches.asked("subgroup")
    chosen = None
    try:
        if before[0] and not text:
            chosen = subgroups.subgroup_before(before[0], before[1], view.study.labels)
        else:
            chosen = Subgroup.read(text, known) if text else None
    except InputError as error:
        st.info(f"{plain(str(error))} You are looking at all test images.")
    text = str(chosen) if chosen else ""
    switches.keep("subgroup", text)
    switches.write("subgroup", text if len(text) <= LONGEST_ADDRESS else "")
    for name in ("by", "is"):
        st.query_params.pop(name, None)
    return chosen


def _choose(attribute: Attribute, now: Condition | None, chosen: Subgroup | None) -> None:
    """The widgets of one attribute. They have no state of their own: what is in force is drawn."""
    key, label = f"subgroup-{attribute.name}", plain(columns.column(attribute.name))

    def take(condition: Callable[[], Condition | None]) -> Callable[[], None]:
        return lambda: _take(chosen, attribute.name, condition)

    if attribute.ends and (isinstance(now, Between) or not attribute.values):
        _range(key, label, attribute, now, take)
        return
    if not attribute.values:
        st.session_state[key] = "\n".join(now.values) if isinstance(now, OneOf) else ""
        st.text_area(
            f"{label} ids, separated by commas, spaces or lines",
            key=key,
            height=68,
            on_change=take(lambda: _one_of(attribute, patient_list(st.session_state[key]))),
        )
        return
    values = attribute.values
    st.session_state[key] = [v for v in now.values if v in values] if isinstance(now, OneOf) else []
    changed = take(lambda: _one_of(attribute, st.session_state[key]))

    def told(value: str) -> str:
        return f"{columns.value(value)} ({values[value]:,})"

    shown = list(values)
    if len(shown) <= MOST_PILLS:
        st.pills(label, shown, selection_mode="multi", format_func=told, key=key, on_change=changed)
    else:
        st.multiselect(
            label, shown, format_func=told, key=key, placeholder="Any", on_change=changed
        )


def _range(
    key: str,
    label: str,
    attribute: Attribute,
    now: Condition | None,
    take: Callable[[Callable[[], Condition | None]], Callable[[], None]],
) -> None:
    """The two ends of a number, each included. A single number is a range from it to itself."""
    assert attribute.ends
    kind = int if all(end.is_integer() for end in attribute.ends) else float
    ends: tuple[float | None, float | None] = (None, None)
    if isinstance(now, Between):
        ends = now.low, now.high
    elif isinstance(now, OneOf):
        ends = float(now.values[0]), float(now.values[-1])
    keys = f"{key}-low", f"{key}-high"

    def condition() -> Condition | None:
        low, high = (st.session_state[one] for one in keys)
        return None if low is None and high is None else Between(attribute.name, low, high)

    for one, column, end, bound, name in zip(
        keys, st.columns(2), ends, attribute.ends, ("from", "to"), strict=True
    ):
        st.session_state[one] = end if end is None else kind(end)
        column.number_input(
            f"{label}, {name}",
            value=None,
            step=kind(1),
            placeholder=subgroups.number(bound),
            key=one,
            on_change=take(condition),
        )


def _one_of(attribute: Attribute, values: list[str]) -> Condition | None:
    return OneOf(attribute.name, tuple(values)) if values else None


def _take(
    chosen: Subgroup | None, by: str, condition: Callable[[], Condition | None] | None
) -> None:
    """For callbacks: the subgroup with another condition on an attribute, or without one."""
    try:
        _set(subgroups.with_condition(chosen, by, condition() if condition else None))
    except InputError as error:
        st.session_state[REFUSED] = str(error)


def _set(chosen: Subgroup | None) -> None:
    switches.choose("subgroup", str(chosen) if chosen else "")


@results.cached()
def _mean_ap(view: View) -> str:
    found = mean_ap_beside_whole(results.class_metrics(view), results.class_metrics(view.whole))
    return statistic_sentences.mean_ap_of_subgroup(found) if found else ""


def _prepare(view: View) -> None:
    if known := _known_ready(view.whole):
        return
    bar = st.empty()
    while cells := slices.unprepared(study := Study(view.folder)):  # more may be finished meanwhile
        for done in slices.prepare(study, cells):
            text = f"Preparing subgroups, once per study: {done:,} of {len(cells):,} cells"
            bar.progress(done / len(cells), text=text)
    bar.empty()
    known.append(True)


@results.cached(shared=True)
def _known_ready(view: View) -> list[bool]:
    """Holds something once every cell was seen to be ready: looking at 600 files takes a while."""
    return []
