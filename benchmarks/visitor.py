"""One person at the dashboard as the server sees her: a session over its websocket.

A browser draws what it receives, which costs more processor than the server takes to make it. Of
eight people on one machine the drawing would be measured, not the server; so nothing is drawn here.
What a browser sends is sent: the address, the widgets' values, and the hashes of large messages
that are kept; the pictures of a page are fetched six at a time.
"""

from __future__ import annotations

import html
import json
import re
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from core.errors import WorkError

PATIENCE = 300  # seconds without a word from the server
AT_ONCE = 6  # pictures, as Chromium fetches from one server
PICTURES = re.compile(r'<img src="(/xray/[^"]+)"')
CARDS = re.compile(r'<figure class="ps-xray[^>]* data-image="([^"]+)"')
KEY = re.compile(r"\$\$ID-[0-9a-f]+-(.+)")  # of a widget, in its id
TRIGGERS = "$$STREAMLIT_INTERNAL_KEY_{}__events"  # of a component, from its id
LARGEST_MESSAGE = 256 << 20
Place = tuple[int, ...]  # of an element, from the page's root


@dataclass
class Answer:
    """What came of one thing a person did. Seconds since it was sent; sizes as received."""

    seconds: float  # until the script's end
    with_pictures: float  # until the last X-ray had come; the same without any
    n_pictures: int
    n_messages: int
    n_bytes: int
    state: str  # what was asked for: the address and every widget's value


@contextmanager
def visiting(address: str, study: str) -> Iterator[Visitor]:
    """A session of its own. `address`: http://host:port of a dashboard where nobody signs in."""
    with connect(
        address.replace("http://", "ws://", 1) + "/_stcore/stream",
        origin=Origin(address),
        subprotocols=[Subprotocol("streamlit")],
        proxy=None,
        max_size=LARGEST_MESSAGE,
        ping_interval=None,
    ) as socket:
        yield Visitor(socket, address, study)


@dataclass
class Visitor:
    """Somebody who looks at `study` over `socket`."""

    socket: ClientConnection
    address: str
    study: str
    _page: str = ""
    _query: str = ""
    _elements: dict[Place, Any] = field(default_factory=dict)  # deltas, by their place
    _values: dict[str, WidgetState] = field(default_factory=dict)
    _kept: dict[str, ForwardMsg] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)  # pictures that the browser's cache holds

    def __post_init__(self) -> None:
        # Loopback must not go through a proxy.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def open(self, page: str, **parameters: str) -> Answer:
        """Follow a link to a page, "" for the first one."""
        self._page, self._query = page, urlencode({"study": self.study, **parameters})
        self._elements.clear()
        self._values.clear()
        return self._run()

    def again(self) -> Answer:
        """The page's own rerun, with nothing changed."""
        return self._run()

    def options(self, key: str) -> list[str]:
        """What a select slider, a multiselect, a selectbox or a button group lets one choose;
        nothing of other widgets."""
        options = getattr(self._widget(key), "options", ())
        return [getattr(option, "content", option) for option in options]

    @property
    def query(self) -> str:
        """The address's part behind the question mark, as the page has set it."""
        return self._query

    def charts(self) -> list[str]:
        """What the page's charts are drawn from."""
        found = (delta.new_element for _, delta in sorted(self._elements.items()))
        return [e.plotly_chart.spec for e in found if e.WhichOneof("type") == "plotly_chart"]

    def keys(self, begin: str) -> list[str]:
        """Keys of the widgets whose key begins like this."""
        found = (KEY.match(getattr(_of(delta), "id", "")) for delta in self._elements.values())
        return [match[1] for match in found if match and match[1].startswith(begin)]

    def cards(self) -> list[str]:
        """The image_ids of the X-rays on the page."""
        return [html.unescape(name) for body in self._bodies() for name in CARDS.findall(body)]

    def n_pages(self, key: str) -> int:
        return int(self._widget(key).num_pages)

    def pick(self, key: str, *chosen: str) -> Answer:
        """Options of a select slider, a multiselect, or a button group."""
        state = WidgetState(id=self._widget(key).id)
        state.string_array_value.data[:] = chosen
        return self._set(key, state)

    def select(self, key: str, option: str) -> Answer:
        """An option of a selectbox or of radio buttons."""
        return self._set(key, WidgetState(id=self._widget(key).id, string_value=option))

    def turn(self, key: str, page: int) -> Answer:
        """To another page of a pagination."""
        return self._set(key, WidgetState(id=self._widget(key).id, int_value=page))

    def click(self, key: str) -> Answer:
        """A button."""
        state = WidgetState(id=self._widget(key).id, trigger_value=True)
        answer = self._set(key, state)
        del self._values[state.id]
        return answer

    def open_card(self, key: str, image_id: str) -> Answer:
        """A card of X-rays, as the viewer of that key tells the page of a click on it."""
        widget = self._widget(key)
        told = json.dumps([{"event": "step", "value": image_id}])
        self._values[widget.id] = WidgetState(id=widget.id, json_value="{}")
        state = WidgetState(id=TRIGGERS.format(widget.id), json_trigger_value=told)
        answer = self._set(key, state)
        del self._values[state.id]
        return answer

    # The protocol

    def _set(self, key: str, state: WidgetState) -> Answer:
        found = self._find(key)
        self._values[state.id] = state
        return self._run(found.fragment_id if found else "")

    def _widget(self, key: str) -> Any:
        found = self._find(key)
        if found is None:
            raise WorkError(f"The page {self._page or 'overview'!r} has no widget {key!r}.")
        return _of(found)

    def _find(self, key: str) -> Any | None:
        """The delta of the widget with that key."""
        for delta in self._elements.values():
            match = KEY.match(getattr(_of(delta), "id", ""))
            if match and match[1] == key:
                return delta
        return None

    def _run(self, fragment: str = "") -> Answer:
        message = BackMsg()
        asked = message.rerun_script
        asked.query_string, asked.page_name, asked.fragment_id = self._query, self._page, fragment
        asked.widget_states.widgets.extend(self._values.values())
        state = f"{self._page} {self._query} {asked.widget_states}"
        asked.cached_message_hashes.extend(self._kept)
        before, n_messages, n_bytes = set(self._pictures()), 0, 0
        if not fragment:
            self._elements.clear()
        began = time.perf_counter()
        self.socket.send(message.SerializeToString())
        while True:
            raw = self._receive()
            n_messages, n_bytes = n_messages + 1, n_bytes + len(raw)
            if self._take(raw):
                break
        seconds = time.perf_counter() - began
        new = [path for path in self._pictures() if path not in before | self._seen]
        self._fetch(new)
        last = time.perf_counter() - began if new else seconds
        self._refuse_errors()
        return Answer(seconds, last, len(new), n_messages, n_bytes, state)

    def _receive(self) -> bytes:
        try:
            raw = self.socket.recv(timeout=PATIENCE)
        except TimeoutError as error:
            raise WorkError(f"No answer from the dashboard for {PATIENCE} s.") from error
        return raw if isinstance(raw, bytes) else raw.encode()

    def _take(self, raw: bytes) -> bool:
        """Take a message up as a browser does; True for the last one of a run."""
        message = ForwardMsg()
        message.ParseFromString(raw)
        if message.WhichOneof("type") == "ref_hash":
            kept = self._kept[message.ref_hash]
            metadata = message.metadata
            message = ForwardMsg()
            message.CopyFrom(kept)
            message.metadata.CopyFrom(metadata)
        elif message.metadata.cacheable and message.hash:
            self._kept[message.hash] = message
        kind = message.WhichOneof("type")
        if kind == "delta":
            self._elements[tuple(message.metadata.delta_path)] = message.delta
            widget = _of(message.delta)
            if getattr(widget, "set_value", False):  # the page has set it; it is no longer ours
                self._values.pop(widget.id, None)
        elif kind == "page_info_changed":
            self._query = message.page_info_changed.query_string
        elif kind == "script_finished":
            # A script that sends the person elsewhere, or starts itself again, is not at its end.
            return message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN
        return False

    # What the page holds

    def _pictures(self) -> list[str]:
        return [path for body in self._bodies() for path in PICTURES.findall(body)]

    def _bodies(self) -> list[str]:
        """The page's pieces of HTML."""
        found = (delta.new_element for delta in self._elements.values())
        return [one.html.body for one in found if one.WhichOneof("type") == "html"]

    def _fetch(self, paths: list[str]) -> None:
        def fetch(path: str) -> None:
            with self._opener.open(self.address + path, timeout=PATIENCE) as answer:
                answer.read()

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(fetch, paths))
        self._seen.update(paths)

    def _refuse_errors(self) -> None:
        for delta in self._elements.values():
            if delta.new_element.WhichOneof("type") == "exception":
                raise WorkError(f"A page failed: {delta.new_element.exception.message}")


def _of(delta: Any) -> Any:
    """The message of a delta's element: a slider, a button, a chart."""
    element = delta.new_element
    kind = element.WhichOneof("type")
    return getattr(element, kind) if kind else element
