"""The whole dashboard at the size of the paper and beyond, for one person and for eight at once.

A real server is asked by sessions of its own kind (`visitor.py`): every page is opened, and every
widget that people change most is changed. Times hold the network on loopback, the page's script,
and where a page shows X-rays, their coming.
"""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.browser import BrowserStudy, dashboard, resident_mb
from benchmarks.jobs import job_running
from benchmarks.visitor import Answer, Visitor, visiting
from core.study import store
from core.wording import words

Say = Callable[[str], None]
# Milliseconds at the 95th percentile.
SLIDER_GOAL, PAGE_GOAL = 100, 1000
MEMORY_GOAL_MB = 1500
PAGES = (
    *("", "class_ap", "forgettability", "safe_sparsity", "pie_browser"),
    *("reader_study", "reader_results", "analyse", "jobs", "administration"),
)
MOST_GRID_PAGES = 20


@dataclass(frozen=True)
class DashboardStudy(BrowserStudy):
    """A simulated study of the paper's size with an X-ray for each test image.

    Of the X-rays the first thousand are files, the others links to them: as many to read, without
    the disk.
    """

    runs: int = 30
    images: int = 25_596
    classes: int = 20
    distinct_images: int = 1000

    def times(self, factor: int) -> DashboardStudy:
        """That many times the test images and so the predictions. Made sparse: three runs are
        simulated, and the others are links to them."""
        if factor == 1:
            return self
        return replace(self, images=factor * self.images, distinct_runs=3)


# What people do


@dataclass(frozen=True)
class Action:
    """Something that a person changes on a page: `values` of it, one after the other, by `do`, and
    the way back to how the page was found."""

    page: str
    name: str
    values: Callable[[Visitor], list[Any]]
    do: Callable[[Visitor, Any], list[Answer]]
    back: Callable[[Visitor], list[Answer]] = lambda visitor: []
    goal: int = PAGE_GOAL


def _switch(page: str, name: str, key: str, *back: str, goal: int = PAGE_GOAL) -> Action:
    """A slider of options, a multiselect or a group of buttons."""
    return Action(
        page,
        name,
        lambda visitor: visitor.options(key),
        lambda visitor, value: [visitor.pick(key, value)],
        lambda visitor: [visitor.pick(key, *back)],
        goal,
    )


def _subgroup(page: str) -> Action:
    """Another value of an attribute that has few, beside what was chosen before."""

    def values(visitor: Visitor) -> list[tuple[str, str]]:
        keys = visitor.keys("subgroup-")
        return [(key, value) for key in keys for value in visitor.options(key)]

    return Action(
        page,
        "subgroup",
        values,
        lambda visitor, chosen: [visitor.pick(*chosen)],
        lambda visitor: [visitor.click("all-test-images")],
    )


ACTIONS = (
    _switch("class_ap", "sparsity slider", "sparsity", "90", goal=SLIDER_GOAL),
    _switch("class_ap", "class picker", "classes"),
    _switch("class_ap", "metric", "metric", "Somers' D"),
    _subgroup("class_ap"),
    _switch("forgettability", "reading", "reading", "Corrected"),
    _subgroup("forgettability"),
    Action(
        "forgettability",
        "pair of classes",
        lambda visitor: visitor.options("second"),
        lambda visitor, name: [visitor.select("second", name)],
    ),
    _switch("pie_browser", "sparsity slider", "sparsity", "90", goal=SLIDER_GOAL),
    _switch("pie_browser", "filter by group", "group"),
    _switch("pie_browser", "filter by number of findings", "findings"),
    _switch("pie_browser", "filter by class", "classes"),
    Action(
        "pie_browser",
        "page of the grid",
        lambda visitor: list(range(1, min(visitor.n_pages("page"), MOST_GRID_PAGES) + 1)),
        lambda visitor, number: [visitor.turn("page", number)],
        lambda visitor: [visitor.turn("page", 1)],
    ),
    Action(
        "pie_browser",
        "open an X-ray",
        lambda visitor: visitor.cards(),
        lambda visitor, image_id: [visitor.open_card("xray_viewer", image_id)],
    ),
)


# What is measured


@dataclass
class DashboardBench:
    """One person who changes everything `moves` times in each of `rounds` visits of every page,
    then `people` at once, each of whom does so once.

    `think`: the seconds that people who are there together look at what they see, on average,
    before they go on; somebody alone goes on at once. `training`: the seconds of a job in which
    the worker's memory is looked at. `servers` share the cache folder, and people are spread over
    them, each with one server throughout.
    """

    rounds: int = 4
    moves: int = 5
    think: float = 2.0
    people: int = 8
    training: float = 20
    servers: int = 1
    _taken: dict[tuple[str, ...], list[float]] = field(default_factory=lambda: defaultdict(list))
    _goals: dict[tuple[str, ...], int] = field(default_factory=dict)
    _seen: set[tuple[str, ...]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, folder: Path, say: Say) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Times: people, page, action, visit ("first": the server had not answered that before),
        n, p50_ms, p95_ms, goal_ms, of_goal (the latter two's ratio). Memory: what, mb, goal_mb.

        `folder`: a study that the cache folder in force holds.
        """
        name = store.read_config(folder).study.name
        memory: list[tuple[str, float, int | None]] = []
        with ExitStack() as stack:
            started = [stack.enter_context(dashboard()) for _ in range(self.servers)]
            addresses = [address for address, *_ in started]
            say("One person")
            for number in range(self.rounds):
                self._visit(addresses[0], name, 1, number, think=0)
            memory.append(("server, after one person", resident_mb(started[0][1].pid), None))
            say(f"{self.people} people at once, with {words.count(self.servers, 'server')}")
            with ThreadPoolExecutor(self.people) as pool:
                visits = [
                    pool.submit(self._visit, address, name, self.people, number, self.think)
                    for number, address in zip(range(self.people), cycle(addresses), strict=False)
                ]
                for visit in visits:
                    visit.result()
            most = max(resident_mb(server.pid, "VmHWM") for _, server, _ in started)
            memory.append((f"a server, at most with {self.people} people", most, MEMORY_GOAL_MB))
        with job_running(say) as worker:
            time.sleep(self.training)
            memory.append(("worker, at most, training a ResNet-18", family_mb(worker), None))
        rows = [self._row(key) for key in sorted(self._taken, key=_place)]
        return pd.DataFrame(rows), pd.DataFrame(memory, columns=["what", "mb", "goal_mb"])

    def _visit(self, address: str, study: str, people: int, number: int, think: float) -> None:
        """Every page once, the first one first."""
        chance = random.Random(100 * people + number)

        def note(page: str, action: str, answer: Answer, goal: int) -> None:
            self._note(people, page, action, answer, goal)
            time.sleep(chance.uniform(0.5, 1.5) * think)

        with visiting(address, study) as visitor:
            note("overview", "first page of a session", visitor.open(""), PAGE_GOAL)
            for page in chance.sample(PAGES, len(PAGES)):
                named = page or "overview"
                note(named, "open", visitor.open(page), PAGE_GOAL)
                note(named, "nothing changed", visitor.again(), PAGE_GOAL)
                for action in ACTIONS:
                    if action.page != page:
                        continue
                    values = action.values(visitor)
                    for value in chance.sample(values, min(self.moves, len(values))):
                        for answer in action.do(visitor, value):
                            note(page, action.name, answer, action.goal)
                    for answer in action.back(visitor):
                        note(page, action.name, answer, action.goal)

    def _note(self, people: int, page: str, action: str, answer: Answer, goal: int) -> None:
        with self._lock:
            state = page, action if action.startswith("first") else "", answer.state
            visit = "again" if state in self._seen else "first"
            self._seen.add(state)
            key = str(people), page, action, visit
            self._taken[key].append(answer.seconds)
            self._goals[key] = goal
            if answer.n_pictures:
                key = str(people), page, f"{action}, last X-ray", visit
                self._taken[key].append(answer.with_pictures)
                self._goals[key] = PAGE_GOAL

    def _row(self, key: tuple[str, ...]) -> dict[str, Any]:
        half, most = np.percentile(self._taken[key], [50, 95]) * 1000
        return {
            **dict(zip(("people", "page", "action", "visit"), key, strict=True)),
            "n": len(self._taken[key]),
            "p50_ms": round(half),
            "p95_ms": round(most),
            "goal_ms": self._goals[key],
            "of_goal": most / self._goals[key],
        }


def _place(key: tuple[str, ...]) -> tuple[int, int]:
    """One person before several, pages as they are listed; actions of a page as they came."""
    people, page, *_ = key
    return int(people), PAGES.index("" if page == "overview" else page)


def missed(times: pd.DataFrame, memory: pd.DataFrame) -> list[str]:
    """A line for every goal that was missed, the worst first."""
    late = times[times["of_goal"] > 1].sort_values("of_goal", ascending=False)
    lines = [
        f"{row.page}, {row.action} ({row.visit}), {row.people} at once: p95 {row.p95_ms} ms, "
        f"goal {row.goal_ms}"
        for row in late.itertuples()
    ]
    large = memory[memory["mb"] > memory["goal_mb"]]
    return lines + [
        f"{row.what}: {row.mb:.0f} MB, goal {row.goal_mb:.0f}" for row in large.itertuples()
    ]


def family_mb(process: int) -> float:
    """What a process and its children have held at most, each counted by itself (Linux)."""
    try:  # a thread's children are its own
        lists = [
            path.read_text(encoding="ascii")
            for path in Path(f"/proc/{process}/task").glob("*/children")
        ]
    except OSError:
        lists = []
    below = [int(child) for children in lists for child in children.split()]
    return resident_mb(process, "VmHWM") + sum(map(family_mb, below))
