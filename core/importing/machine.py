"""The machine that a pickle is a program for, without the power to do anything.

A pickle is a program. Python's own unpickler runs it, so whoever wrote the file chooses what is
called; this one only takes notes. It knows the opcodes that pandas writes (protocols 2 to 5), and
of names only those it is given, none of which it imports.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class Refused(ValueError):  # noqa: N818
    """Why a pickle is not read; the file's name is added where it is known."""


@dataclass(frozen=True)
class Name:
    """A global that a pickle names: two words, and nothing that could be called."""

    module: str
    name: str


class Part:
    """A note about a piece of data that a pickle makes first and fills afterwards."""

    def build(self, state: Any) -> None:
        """Take the piece's contents, or raise Refused."""
        raise Refused("it fills something that takes no contents")

    def call(self, *arguments: Any) -> Any:
        """What calling the piece stands for; only few can be called."""
        raise Refused("it calls something that is not a name")


Allowed = dict[Name, Callable[..., Any]]


class Machine:
    """The stack machine of a pickle, over bytes in memory.

    It calls none but the functions in `allowed`; those in `created` may also create an empty
    part, which is then filled by its `build(state)`. Raises Refused for anything else.
    """

    def __init__(
        self, data: bytes, most_steps: int, allowed: Allowed, created: frozenset[Name]
    ) -> None:
        self._data, self._at, self._most_steps = data, 0, most_steps
        self._allowed, self._created = allowed, created
        # What it makes may be a few copies of what it holds, not a copy per opcode.
        self._bytes_left = 4 * len(data) + 2**20
        self._stack: list[Any] = []
        self._marks: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        for _ in range(self._most_steps):
            code = self._take(1)
            if code == pickle.STOP:
                return self._stack.pop()
            if code not in STEPS:
                raise Refused(f"the opcode {code!r} is not one that pandas writes")
            STEPS[code](self)
        raise Refused("it has far more parts than the expected table")

    def _take(self, n: int) -> bytes:
        if self._at + n > len(self._data):
            raise Refused("it ends too early")
        self._at += n
        return self._data[self._at - n : self._at]

    def _skip(self, n: int) -> None:
        self._take(n)

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _line(self) -> str:
        end = self._data.index(b"\n", self._at)
        return self._take(end - self._at + 1)[:-1].decode("utf-8")

    def _marked(self) -> list[Any]:
        items, self._stack = self._stack, self._marks.pop()
        return items

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _mark(self) -> None:
        self._marks.append(self._stack)
        self._stack = []

    def _tuple(self, n: int) -> None:
        if len(self._stack) < n:
            raise Refused("it takes more than it has put down")
        self._stack[-n:] = [tuple(self._stack[-n:])]

    def _put(self, key: int) -> None:
        self._memo[key] = self._stack[-1]

    def _name(self, module: Any, name: Any) -> None:
        if type(module) is not str or type(name) is not str:
            raise Refused("it names something by other than text")
        wanted = Name(module, name)
        if wanted not in self._allowed:
            raise Refused(
                f"it names {module[:80]}.{name[:80]}, which is not among the pandas and numpy data "
                "that may be read; nothing of it was run. If the file is your own, save the table "
                "as Parquet or CSV"
            )
        self._push(wanted)

    def _stack_global(self) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._name(module, name)

    def _reduce(self, *, create: bool) -> None:
        arguments, called = self._stack.pop(), self._stack.pop()
        if not isinstance(called, Name | Part) or type(arguments) is not tuple:
            raise Refused("it calls something that is not a name")
        if create and called not in self._created:
            raise Refused("it creates something in a form that is not known")
        call = self._allowed[called] if isinstance(called, Name) else called.call
        made = call(*arguments)
        self._charge(made)
        self._push(made)

    def _charge(self, made: Any) -> None:
        self._bytes_left -= len(made) if type(made) is bytes else getattr(made, "n_bytes", 0)
        if self._bytes_left < 0:
            raise Refused("it unfolds to far more bytes than it has")

    def _build(self) -> None:
        state, made = self._stack.pop(), self._stack[-1]
        if not isinstance(made, Part):
            raise Refused("it changes something that is not a table's part")
        made.build(state)
        self._charge(made)

    def _append(self, items: list[Any]) -> None:
        if type(self._stack[-1]) is not list:
            raise Refused("it appends to something that is not a list")
        self._stack[-1].extend(items)

    def _set_items(self, items: list[Any]) -> None:
        keys, values = items[::2], items[1::2]
        if type(self._stack[-1]) is not dict or not all(type(key) is str for key in keys):
            raise Refused("it fills something that is not a dictionary with keys of text")
        self._stack[-1].update(zip(keys, values, strict=True))

    def _long(self) -> None:
        self._push(int.from_bytes(self._take(self._number("<B")), "little", signed=True))


def _data(form: str, read: Callable[[bytes], Any]) -> Callable[[Machine], None]:
    return lambda m: m._push(read(m._take(m._number(form))))


def _text(data: bytes) -> str:
    return data.decode("utf-8")


STEPS: dict[bytes, Callable[[Machine], None]] = {
    pickle.PROTO: lambda m: m._skip(1),
    pickle.FRAME: lambda m: m._skip(8),
    pickle.MARK: Machine._mark,
    pickle.NONE: lambda m: m._push(None),
    pickle.NEWTRUE: lambda m: m._push(True),
    pickle.NEWFALSE: lambda m: m._push(False),
    pickle.BININT: lambda m: m._push(m._number("<i")),
    pickle.BININT1: lambda m: m._push(m._number("<B")),
    pickle.BININT2: lambda m: m._push(m._number("<H")),
    pickle.LONG1: Machine._long,
    pickle.BINFLOAT: lambda m: m._push(m._number(">d")),
    pickle.SHORT_BINUNICODE: _data("<B", _text),
    pickle.BINUNICODE: _data("<I", _text),
    pickle.BINUNICODE8: _data("<Q", _text),
    pickle.SHORT_BINBYTES: _data("<B", bytes),
    pickle.BINBYTES: _data("<I", bytes),
    pickle.BINBYTES8: _data("<Q", bytes),
    pickle.BYTEARRAY8: _data("<Q", bytes),
    pickle.EMPTY_TUPLE: lambda m: m._push(()),
    pickle.EMPTY_LIST: lambda m: m._push([]),
    pickle.EMPTY_DICT: lambda m: m._push({}),
    pickle.TUPLE1: lambda m: m._tuple(1),
    pickle.TUPLE2: lambda m: m._tuple(2),
    pickle.TUPLE3: lambda m: m._tuple(3),
    pickle.TUPLE: lambda m: m._push(tuple(m._marked())),
    pickle.APPEND: lambda m: m._append([m._stack.pop()]),
    pickle.APPENDS: lambda m: m._append(m._marked()),
    pickle.SETITEM: lambda m: m._set_items([m._stack.pop(-2), m._stack.pop()]),
    pickle.SETITEMS: lambda m: m._set_items(m._marked()),
    pickle.MEMOIZE: lambda m: m._put(len(m._memo)),
    pickle.BINPUT: lambda m: m._put(m._number("<B")),
    pickle.LONG_BINPUT: lambda m: m._put(m._number("<I")),
    pickle.BINGET: lambda m: m._push(m._memo[m._number("<B")]),
    pickle.LONG_BINGET: lambda m: m._push(m._memo[m._number("<I")]),
    pickle.GLOBAL: lambda m: m._name(m._line(), m._line()),
    pickle.STACK_GLOBAL: Machine._stack_global,
    pickle.REDUCE: lambda m: m._reduce(create=False),
    pickle.NEWOBJ: lambda m: m._reduce(create=True),
    pickle.BUILD: Machine._build,
}
