"""How far a study is: kept in the study's own folder, so that any process can read it."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from core.errors import WorkError
from core.study import store
from core.study.paths import progress_path

# (done, total) within a stage
Advance = Callable[[int, int], None]
State = Literal["running", "finished", "failed", "cancelled"]
SECONDS_BETWEEN_WRITES = 0.5
STOPPED = "Stopped on request; run it again to go on."
# What a rate is worked out from; later steps push earlier ones out.
STEPS_FOR_A_RATE = 240
# Of these steps, the fastest, which took this share of the time, do not count.
FASTEST_LEFT_OUT = 0.05
# A stage's first steps say little of the others: warming up, or waiting for another process.
SECONDS_BEFORE_AN_ESTIMATE = 5


class Cancelled(Exception):  # noqa: N818 - no error: somebody asked for it
    """Raised inside the work, at its next report, once somebody asked it to stop."""


@dataclass(frozen=True)
class Report:
    """One moment of a study's work. `done` of `total` counts `unit`s within `stage`;
    `stage_number` of `n_stages` counts stages. Times are seconds since the epoch."""

    state: State
    stage: str
    stage_number: int
    n_stages: int
    done: int
    total: int
    unit: str
    stage_started: float
    started: float
    updated: float
    pid: int
    message: str = ""
    rate: float | None = None  # units per second by the latest steps of this stage

    @property
    def fraction(self) -> float:
        """Share of the whole work, every stage counted alike."""
        if self.state == "finished":
            return 1.0
        within = self.done / self.total if self.total else 0.0
        return min(1.0, (self.stage_number - 1 + within) / max(self.n_stages, 1))

    @property
    def per_second(self) -> float | None:
        """Units of the current stage per second, by its latest steps where these are known."""
        if self.rate:
            return self.rate
        elapsed = self.updated - self.stage_started
        return self.done / elapsed if self.done and elapsed > 0 else None

    @property
    def stage_seconds_left(self) -> float | None:
        """By its latest steps; None in the first seconds of a stage."""
        if self.updated - self.stage_started < SECONDS_BEFORE_AN_ESTIMATE:
            return None
        rate = self.per_second
        return (self.total - self.done) / rate if rate else None


class Progress:
    """Reports go to the study's progress file, at most two a second, and to a listener.

    `listener(report)` draws bars; `cancelled()` is asked at each write.
    """

    def __init__(
        self,
        folder: Path,
        n_stages: int,
        listener: Callable[[Report], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        self._folder, self._path = folder, progress_path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._inode = folder.stat().st_ino
        self._steps: deque[tuple[float, int]] = deque(maxlen=STEPS_FOR_A_RATE)
        self._listener, self._cancelled = listener, cancelled
        self._n_stages, self._number, self._stage, self._unit = n_stages, 0, "starting", ""
        self._started = self._stage_started = time.time()
        self._last_write = 0.0

    def start(self, stage: str, unit: str) -> Advance:
        """Begin the next stage; returns its `advance(done, total)`."""
        self._number += 1
        return self.restart(stage, unit)

    def restart(self, stage: str, unit: str) -> Advance:
        """Begin the same stage again under another name, such as while it waits for somebody."""
        self._stage, self._unit = stage, unit
        self._stage_started = time.time()
        self._steps.clear()
        self._report("running", 0, 0, force=True)
        return lambda done, total: self._report("running", done, total)

    def end(self, state: State, message: str = "") -> None:
        """The last report. Where the work failed, one that cannot be written hides no reason."""
        try:
            self._report(state, 1, 1, message, force=True)
        except (OSError, WorkError):
            if state == "finished":
                raise

    def _report(
        self, state: State, done: int, total: int, message: str = "", force: bool = False
    ) -> None:
        now = time.time()
        if state == "running" and total:
            self._steps.append((now, done))
        if not force and done < total and now - self._last_write < SECONDS_BETWEEN_WRITES:
            return
        self._last_write = now
        report = Report(
            state=state,
            stage=self._stage,
            stage_number=self._number,
            n_stages=self._n_stages,
            done=done,
            total=total,
            unit=self._unit,
            stage_started=self._stage_started,
            started=self._started,
            updated=now,
            pid=os.getpid(),
            message=message,
            rate=steady_rate(self._steps),
        )
        self._refuse_another_folder()
        store.write_json(asdict(report), self._path)
        if self._listener:
            self._listener(report)
        if state == "running" and self._cancelled and self._cancelled():
            raise Cancelled

    def _refuse_another_folder(self) -> None:
        """A folder made again by a later write would lack everything before it."""
        try:
            same = self._folder.stat().st_ino == self._inode
        except FileNotFoundError:
            same = False
        if not same:
            raise WorkError(
                f"The folder {self._folder.name} was removed while the study ran. "
                "Run it again to start from the beginning."
            )


def steady_rate(steps: Sequence[tuple[float, int]]) -> float | None:
    """Units per second between (seconds, units done) steps, slow ones included, such as pruning
    between two predictions.

    Work found done already passes in no time. So the fastest steps, up to a twentieth of the time,
    do not count, however much work they are.
    """
    passed = [
        (now - before, has - had)
        for (before, had), (now, has) in zip(steps, list(steps)[1:], strict=False)
        if now > before
    ]
    counted, seconds, units = (1 - FASTEST_LEFT_OUT) * sum(took for took, _ in passed), 0.0, 0
    for took, done in sorted(passed, key=lambda step: step[1] / step[0]):
        if seconds >= counted:
            break
        seconds, units = seconds + took, units + done
    return units / seconds if units > 0 else None


def further(advance: Advance, before: int, total: int) -> Advance:
    """Progress of a part, `before` units into a whole of `total`, as progress of the whole."""
    return lambda done, _: advance(before + done, total)


def mark_ended(folder: Path, state: State, message: str = STOPPED) -> None:
    """Say of a study whose process was ended how it ended, where it could not say so itself."""
    report = read_progress(folder)
    if report and report.state == "running":
        ended = replace(report, state=state, message=message, updated=time.time())
        with suppress(OSError):
            store.write_json(asdict(ended), progress_path(folder))


def read_progress(folder: Path) -> Report | None:
    """The last report of a study, or None where nothing has been run yet."""
    value = store.read_json(progress_path(folder))
    return Report(**value) if value else None
