"""What will be asked for next, made while nobody waits: one thread of the server makes it, and what
it makes lies in the caches in which a page looks."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from threading import Condition, Thread
from typing import TypeVar

MOST = 64  # that wait; older ones are of a page that somebody has left
SECONDS_BETWEEN = 0.02  # a person who waits for an answer goes first
NEIGHBOURS = 2  # of a slider's value, on either side
NAME = "ahead"
T = TypeVar("T")
Task = Callable[[], object]

log = logging.getLogger(__name__)


class Ahead:
    """Tasks for one thread, which begins with the first of them; the newest is done first."""

    def __init__(self) -> None:
        self._waiting: deque[Task] = deque(maxlen=MOST)
        self._changed = Condition()
        self._thread: Thread | None = None
        self._at_work = False

    def prepare(self, *tasks: Task) -> None:
        """Do these, in this order, before those that wait already. Each asks a cache, and draws
        nothing."""
        with self._changed:
            self._waiting.extend(reversed(tasks))
            if self._thread is None:
                self._thread = Thread(target=self._work, name=NAME, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def settle(self, seconds: float = 60) -> bool:
        """Wait until nothing waits any more; whether that came to be."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._at_work, seconds)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._at_work = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: bool(self._waiting))
                task, self._at_work = self._waiting.pop(), True
            try:
                task()
            except Exception as error:  # the page that asks for it says why
                log.debug("not made ahead: %s", error)
            time.sleep(SECONDS_BETWEEN)


ahead = Ahead()
# Streamlit warns that a spinner of this thread is nobody's.
logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context").addFilter(
    lambda record: record.threadName != NAME
)


def neighbours(options: Sequence[T], chosen: T) -> list[T]:
    """The values beside the chosen one, the nearest first."""
    at = options.index(chosen)
    near = (at + side * step for step in range(1, NEIGHBOURS + 1) for side in (1, -1))
    return [options[place] for place in near if 0 <= place < len(options)]
