"""The dashboard's pages driven as a person drives them, and how long the server takes each time.

Streamlit's AppTest runs the real pages in this process. Its time holds a page's script and every
query, and the reading of what the page sent as well, which a server leaves to the browser.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from core.analysis.groupings import groupings, values
from core.analysis.subgroup import PATIENT_ID, OneOf, Subgroup, subgroup_before
from core.errors import WorkError
from core.results import slices
from core.study import store
from core.study.labels import Labels
from core.study.paths import percent
from core.study.study import Study

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

Say = Callable[[str], None]
Taken = tuple[float, float]  # seconds of the clock, and of the processor
SHELL = Path(__file__).resolve().parents[1] / "pages" / "shell.py"
METRICS = ("ap", "calibrated_ap", "auroc")
READINGS = ("paper", "corrected")
# Milliseconds at the 95th percentile.
TABLE_GOAL = 100
SUBGROUP_GOAL = 1500


@dataclass(frozen=True)
class Interaction:
    """One thing a person changes on a page, and all that it is set to, one after the other.

    `set_to(page, value)` changes the widget; the run afterwards is timed. Times of values seen
    before answer to the bench's `goal`, those of a value's first visit to `first_goal` where there
    is one.
    """

    page: str
    what: str
    choices: Sequence[Any]
    set_to: Callable[[AppTest, Any], None]
    first_goal: int | None = None


@dataclass(frozen=True)
class PagesBench:
    """At least `n` interactions of each kind with values seen before, after one visit of each."""

    n: int = 30
    seed: int = 0
    goal: int = TABLE_GOAL  # of interactions with values seen before

    def __call__(self, folder: Path, say: Say) -> pd.DataFrame:
        """page, interaction, visit (first of a value, or again), n, p50_ms and p95_ms of the
        clock, goal_ms (of the latter), met, p95_cpu_ms (of all threads: what the 95th percentile
        is free of others' work).

        `folder`: a study that the cache folder in force holds.
        """
        name = store.read_config(folder).study.name
        say("Preparing subgroups, as the filter does once per study")
        rows, pages = [_row("any", "prepare subgroups", "first", [_prepare(folder)])], {}
        for page in sorted(path.name for path in SHELL.parent.glob("*.py") if path != SHELL):
            say(f"Opening {page}")
            started = _Clock()
            pages[page] = open_page(page, name)
            rows.append(_row(page, "open", "first", [started.read()]))
            again = [_run(pages[page]) for _ in range(self.n)]
            rows.append(_row(page, "nothing changed", "again", again, self.goal))
        for interaction in interactions(folder, self.n):
            say(f"{interaction.page}: {interaction.what}")
            rows += self._drive(pages[interaction.page], interaction)
        return pd.DataFrame(rows)

    def _drive(self, page: AppTest, interaction: Interaction) -> list[dict[str, Any]]:
        def visit(choice: Any) -> Taken:
            interaction.set_to(page, choice)
            return _run(page)

        if interaction.first_goal:  # what another page has worked out would be no first visit
            _forget()
            _run(page)
        choices = list(interaction.choices)
        random.Random(self.seed).shuffle(choices)
        first = [visit(choice) for choice in choices]
        again = [visit(choices[at % len(choices)]) for at in range(max(self.n, len(choices)))]
        names = interaction.page, interaction.what
        return [
            _row(*names, "first", first, interaction.first_goal),
            _row(*names, "again", again, self.goal),
        ]


def interactions(folder: Path, n: int) -> list[Interaction]:
    """What is driven: n values each, or all there are."""
    labels = store.read_labels(folder)
    names = list(labels.class_names)
    chance = random.Random(0)
    sparsities = [percent(sparsity) for sparsity in store.finished_ensembles(folder) if sparsity]
    pairs = [tuple(chance.sample(names, 2)) for _ in range(n)]
    picks = [sorted(chance.sample(names, 1 + at % min(3, len(names)))) for at in range(n)]
    slider = _widget("select_slider", "sparsity")
    metric = _widget("segmented_control", "metric")
    reading = _widget("segmented_control", "reading")
    picker = _widget("multiselect", "classes")
    return [
        Interaction("class_ap.py", "class picker", picks, picker),
        Interaction("class_ap.py", "metric switch", METRICS, metric),
        Interaction("forgettability.py", "pair of classes", pairs, _set_pair),
        Interaction("forgettability.py", "reading switch", READINGS, reading),
        Interaction("pie_browser.py", "class picker", picks, picker),
        *(
            Interaction(page, "sparsity slider", sparsities, slider)
            for page in ("class_ap.py", "pie_browser.py")
            if len(sparsities) > 1  # there is no slider otherwise
        ),
        *(
            Interaction(page, "subgroup", subgroups_of(labels, n), _set_subgroup, SUBGROUP_GOAL)
            for page in ("class_ap.py", "forgettability.py")
        ),
    ]


def subgroups_of(labels: Labels, n: int) -> list[Subgroup]:
    """Every value of every attribute, and lists of a third of the patients, n or more."""
    found = [
        subgroup_before(by, value, labels)
        for by in groupings(labels)
        for value in values(labels, by)
    ]
    patients = sorted(labels.split("test")["patient_id"].unique())
    chance = random.Random(0)
    while len(found) < n:
        listed = chance.sample(patients, max(1, len(patients) // 3))
        found.append(Subgroup((OneOf(PATIENT_ID, tuple(listed)),)))
    return found


def open_page(script: str, study_name: str) -> AppTest:
    """A page of a study in a session of its own."""
    from streamlit import config, logger
    from streamlit.testing.v1 import AppTest

    logger.set_log_level("ERROR")  # it warns of every session that is not a browser's
    # Studies that are not synthetic are shown only to this machine.
    config.set_option("server.address", "127.0.0.1")
    page = AppTest.from_file(str(SHELL), default_timeout=600)
    page.query_params["study"] = study_name
    _run(page)
    if script != "overview.py":
        page.switch_page(script)
        page.query_params["study"] = study_name
        _run(page)
    return page


def _run(page: AppTest) -> Taken:
    """One run of a page. Raises WorkError where the page failed."""
    started = _Clock()
    page.run()
    taken = started.read()
    if page.exception:
        raise WorkError(f"A page failed: {page.exception[0].message}")
    return taken


class _Clock:
    def __init__(self) -> None:
        self._began = time.perf_counter(), time.process_time()

    def read(self) -> Taken:
        return time.perf_counter() - self._began[0], time.process_time() - self._began[1]


def _prepare(folder: Path) -> Taken:
    started = _Clock()
    for _ in slices.prepare(Study(folder), slices.unprepared(Study(folder))):
        pass
    return started.read()


def _forget() -> None:
    import streamlit as st

    st.cache_resource.clear()


def _widget(kind: str, key: str) -> Callable[[AppTest, Any], None]:
    def change(page: AppTest, value: Any) -> None:
        getattr(page, kind)(key=key).set_value(value)

    return change


def _set_pair(page: AppTest, pair: tuple[str, str]) -> None:
    for key, name in zip(("first", "second"), pair, strict=True):
        page.selectbox(key=key).set_value(name)


def _set_subgroup(page: AppTest, subgroup: Subgroup) -> None:
    """As the filter's own widgets do, of which there are other ones for each attribute."""
    page.session_state["chosen_subgroup"] = str(subgroup), page.query_params.get("subgroup")


def _row(
    page: str, what: str, visit: str, taken: list[Taken], goal: int | None = None
) -> dict[str, Any]:
    (half, _), (most, most_cpu) = np.percentile(taken, [50, 95], axis=0) * 1000
    return {
        "page": page.removesuffix(".py"),
        "interaction": what,
        "visit": visit,
        "n": len(taken),
        "p50_ms": round(half),
        "p95_ms": round(most),
        "goal_ms": goal or "",
        "met": "" if goal is None else "yes" if most <= goal else "no",
        "p95_cpu_ms": round(most_cpu),
    }
