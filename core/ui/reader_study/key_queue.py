"""A reader's keys, queued in the browser until the page has taken them: see key_queue.js.

Buttons with shortcuts lose what is pressed while the page runs, or take it for the next question.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import streamlit as st

KEY, TAKEN = "reading_keys", "reading_keys_taken"
_component = st.components.v2.component(
    "prunescope_reader_keys", js=Path(__file__).with_suffix(".js").read_text("utf-8")
)


@dataclass
class Taken:
    """The number of the last key that was taken in this session.

    Streamlit begins a run while what the one before was asked for is still at work: a key is taken
    after those before it, and once, by the lock.
    """

    number: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def queue_keys(
    image: str, keys: str, slip_seconds: float, take: Callable[[str, str], None]
) -> None:
    """Take the keys of the image in view, in the order in which they were pressed.

    image: names the image in view. keys: the letters and digits that are answers. take: hears of
    each key, or of "left" and "right", once, before the page runs, with the image that was on the
    screen; empty where the key was pressed within `slip_seconds` of its first sight.
    """
    taken: Taken = st.session_state.setdefault(TAKEN, Taken())

    def pressed() -> None:
        waiting = st.session_state[KEY].pressed or []
        with taken.lock:
            for one in waiting:
                if one["number"] > taken.number:
                    taken.number = one["number"]
                    take(str(one["key"]), str(one["image"]))

    _component(
        key=KEY,
        data={
            "image": image,
            "keys": keys,
            "slip_ms": 1000 * slip_seconds,
            "taken": taken.number,
        },
        on_pressed_change=pressed,
        height="content",
    )
