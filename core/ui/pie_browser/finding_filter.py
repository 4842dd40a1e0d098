"""One filter: a finding, or any of a group, that pruning takes from an image or adds to it, by some
sparsity. That sparsity is its own: which images are PIEs goes by the slider above the grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from core.study.labels import GROUPS, findings
from core.study.paths import percent
from core.ui import switches, widgets
from core.wording import image_sentences, words

ANY = "any finding"
OF_GROUP = {f"any {group} finding": group for group in GROUPS[::-1]}
FATES = {"lost": "Lost", "raised": "Raised"}
# Names in the address, in saved views and of the widgets: findings, fate, by which sparsity.
FINDING, FATE, UNTIL = "finding", "fate", "until"


@dataclass(frozen=True)
class FindingFilter:
    """`classes`: one of them must be lost, or raised; none: any image. `said`: as it was chosen."""

    classes: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    raised: bool = False
    until: float = 1.0

    def badge(self, by_rank: bool) -> str:
        """Lost: any tail finding, by 80 % in rank."""
        how, fate = " in rank" if by_rank else "", FATES["raised" if self.raised else "lost"]
        return f"{fate}: {' or '.join(self.said)}, by {words.percent(self.until)}{how}"


def choose(groups: Mapping[str, str], sparsities: list[float], able: bool) -> FindingFilter:
    """Its three widgets, side by side. groups: class_name to group, the rarest first. able: whether
    anything can be lost or raised."""
    _follow_old_address([percent(sparsity) for sparsity in sparsities])
    known = [said for said, group in OF_GROUP.items() if group in groups.values()]
    options = [ANY, *known, *groups]
    widgets.drop_stale(FINDING, options)
    reason = None if able else image_sentences.NO_OPERATING_POINTS
    said = st.multiselect(
        "Lost or raised finding", options, key="finding", bind="query-params", disabled=not able,
        help=reason, placeholder="Any image",
    )  # fmt: skip
    fate = switches.switch("fate", "It is", FATES)
    return FindingFilter(
        tuple(name for name in groups if any(name in _named(one, groups) for one in said)),
        tuple(said),
        fate == "raised",
        _choose_until(sparsities),
    )


def _choose_until(sparsities: list[float]) -> float:
    options = [percent(sparsity) for sparsity in sparsities]
    if len(options) == 1:
        return sparsities[0]
    widgets.drop_stale(UNTIL, options)
    chosen = st.select_slider(
        "By sparsity (%)", options, options[-1], key="until", bind="query-params",
        help=image_sentences.UNTIL, width=150,
    )  # fmt: skip
    return sparsities[options.index(chosen)]


def _named(said: str, groups: Mapping[str, str]) -> list[str]:
    """The classes that an option stands for."""
    if said == ANY:
        return findings(tuple(groups))
    if said in OF_GROUP:
        return [name for name in findings(tuple(groups)) if groups[name] == OF_GROUP[said]]
    return [said]


def of_before(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What an address or a saved view held before this was one filter: classes as `lost` or as
    `raised`, by the sparsity of the definition. Of both the lost ones are kept."""
    for fate in FATES:
        if settings.get(fate) and FINDING not in settings:
            return {FINDING: settings[fate], FATE: fate, UNTIL: settings.get("sparsity", 90)}
    return {}


def _follow_old_address(percents: list[int]) -> None:
    address = st.query_params
    held: dict[str, Any] = {fate: address.get_all(fate) for fate in FATES}
    if not any(held.values()):
        return
    if FINDING in address:
        held[FINDING] = address.get_all(FINDING)
    if (sparsity := address.get("sparsity", "")).isdecimal():
        held["sparsity"] = int(sparsity)
    st.query_params.pop("lost", None)
    st.query_params.pop("raised", None)
    if now := of_before(held):
        st.session_state[FINDING] = now[FINDING]
        switches.choose(FATE, now[FATE])
        if now[UNTIL] in percents:
            st.session_state[UNTIL] = now[UNTIL]
