"""What a pickle says, read without running any of it.

torch.save writes pickles, and a pickle is a program: its opcodes import names and call them. Here
every opcode is followed by hand (their meaning: `pickletools`, protocols 0 to 5); what the names
become is decided in `pickle_names`, which imports and calls none of them.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import Any, BinaryIO

from core.engine.foreign.pickle_names import (
    NotRun,
    StandIn,
    Storage,
    Stored,
    called,
    hashable,
    named,
    reference,
)

LATEST_PROTOCOL = 5


class Damaged(ValueError):  # noqa: N818
    """It is no pickle, or not a whole one."""


def read_pickle(file: BinaryIO, storages: dict[str, str] | None = None) -> Any:
    """The next pickle in `file`, which then stands after it; bytes that are not there are not
    waited for, so `file` has to hold everything (BytesIO, mmap). `storages` receives the type of
    each storage that it refers to.

    Raises NotRun, or Damaged.
    """
    machine = _Machine({} if storages is None else storages)
    try:
        for opcode, argument, _ in pickletools.genops(file):
            if opcode.name == "STOP":
                return machine.stack.pop()
            OPCODES[opcode.name](machine, argument)
    except NotRun:
        raise
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise Damaged(str(error)) from error
    except RecursionError as error:
        raise Damaged("nested too deeply") from error
    raise Damaged("it ends early")


class _Machine:
    """The pickle machine: a stack, marks in it, and a memo."""

    def __init__(self, storages: dict[str, str]) -> None:
        self.storages = storages
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def since_mark(self) -> list[Any]:
        at = self.marks.pop()
        found = self.stack[at:]
        del self.stack[at:]
        return found

    def pop(self, _: Any = None) -> None:
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
        else:
            self.stack.pop()

    def tuple_of(self, n: int) -> None:
        if n > len(self.stack):
            raise ValueError("nothing to take")
        found = tuple(self.stack[-n:])
        self.stack[-n:] = [found]

    def put(self, key: int) -> None:
        self.memo[key] = self.stack[-1]

    def call(self, args: Any) -> None:
        self.stack[-1] = called(self.stack[-1], args)

    def new(self, _: Any) -> None:
        args = self.stack.pop()
        self.call(args)

    def new_by_name(self, _: Any) -> None:
        self.stack.pop()  # arguments by name: what has them is left aside
        self.new(None)

    def instance(self, name: str) -> None:
        args = self.since_mark()
        self.push(called(named(*name.split(" ", 1)), tuple(args)))

    def object(self, _: Any) -> None:
        cls, *args = self.since_mark()
        self.push(called(cls, tuple(args)))

    def build(self, _: Any) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, StandIn):
            target.state = state
        elif not isinstance(target, dict | Stored):  # those have attributes that say nothing here
            raise TypeError("no state is kept of it")

    def append(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, list):
            target.extend(values)
        elif not isinstance(target, StandIn):
            raise TypeError("not a list")

    def set_items(self, values: list[Any]) -> None:
        target = self.stack[-1]
        held = target.items if isinstance(target, StandIn) else target
        if not isinstance(held, dict) or len(values) % 2:
            raise TypeError("not a dictionary")
        held.update(_pairs(values))

    def name(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not (isinstance(name, str) and isinstance(module, str)):
            raise TypeError("names are text")
        self.push(named(module, name))

    def persistent(self, _: Any) -> None:
        found = reference(self.stack.pop())
        if isinstance(found, Storage):
            self.storages.setdefault(found.key, found.dtype)
        self.push(found)


def _pairs(values: list[Any]) -> dict[Any, Any]:
    keys = (hashable(value) for value in values[::2])
    return dict(zip(keys, values[1::2], strict=True))


def _refused(machine: _Machine, argument: Any) -> None:
    raise ValueError("an opcode that torch.save does not use")


def _plain(machine: _Machine, argument: Any) -> None:
    machine.stack.append(argument)


def _ignored(machine: _Machine, argument: Any) -> None:
    """Frames and the like say nothing about data."""


def _protocol(machine: _Machine, argument: int) -> None:
    if argument > LATEST_PROTOCOL:
        raise ValueError("a protocol of later")


def _constant(value: Any) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.stack.append(value)


def _set(machine: _Machine, argument: Any) -> None:
    machine.push(StandIn("builtins.set"))  # without an order, so nobody asks what is in it


def _to_mark(machine: _Machine, argument: Any) -> None:
    machine.since_mark()


def _frozen_set(machine: _Machine, argument: Any) -> None:
    _to_mark(machine, None)
    _set(machine, None)


OPCODES: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(
        ["INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"],
        _plain,
    ),
    **dict.fromkeys(["STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE"], _plain),
    **dict.fromkeys(["SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES"], _plain),
    **dict.fromkeys(["BINBYTES8", "BYTEARRAY8"], _plain),
    **dict.fromkeys(["EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER", "PERSID"], _refused),
    "PROTO": _protocol,
    "FRAME": _ignored,
    "NONE": _constant(None),
    "NEWTRUE": _constant(True),
    "NEWFALSE": _constant(False),
    "EMPTY_TUPLE": _constant(()),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_SET": _set,
    "FROZENSET": _frozen_set,
    "LIST": lambda machine, _: machine.push(machine.since_mark()),
    "DICT": lambda machine, _: machine.push(_pairs(machine.since_mark())),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.since_mark())),
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "APPEND": lambda machine, _: machine.append([machine.stack.pop()]),
    "APPENDS": lambda machine, _: machine.append(machine.since_mark()),
    "ADDITEMS": lambda machine, _: machine.append(machine.since_mark()),
    "SETITEM": lambda machine, _: machine.set_items([machine.stack.pop(-2), machine.stack.pop()]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.since_mark()),
    "MARK": lambda machine, _: machine.marks.append(len(machine.stack)),
    "POP": _Machine.pop,
    "POP_MARK": _to_mark,
    "DUP": lambda machine, _: machine.push(machine.stack[-1]),
    "GET": lambda machine, key: machine.push(machine.memo[key]),
    "BINGET": lambda machine, key: machine.push(machine.memo[key]),
    "LONG_BINGET": lambda machine, key: machine.push(machine.memo[key]),
    "PUT": _Machine.put,
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "MEMOIZE": lambda machine, _: machine.put(len(machine.memo)),
    "GLOBAL": lambda machine, name: machine.push(named(*name.split(" ", 1))),
    "STACK_GLOBAL": _Machine.name,
    "REDUCE": _Machine.new,
    "NEWOBJ": _Machine.new,
    "NEWOBJ_EX": _Machine.new_by_name,
    "INST": _Machine.instance,
    "OBJ": _Machine.object,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.persistent,
}
