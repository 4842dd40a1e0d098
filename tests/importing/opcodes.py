"""Pickles for the tests: frames put together opcode by opcode, and what attackers would write."""

from __future__ import annotations

import io
import os
import pickle
import struct
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd


def text(word: str) -> bytes:
    return b"X" + struct.pack("<I", len(word.encode())) + word.encode()


def inner(value: object) -> bytes:
    """A value as it stands within a pickle of protocol 2: no header, no end, no memo."""
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, 2)
    pickler.fast = True
    pickler.dump(value)
    return buffer.getvalue()[2:-1]


def index(names: list[str]) -> bytes:
    data = inner(np.array(names, dtype=object))
    new, kind = (b"cpandas.core.indexes.base\n" + name for name in (b"_new_Index\n", b"Index\n"))
    return new + kind + b"}(" + text("data") + data + text("name") + b"Nu\x86R"


def a_range(n: int) -> bytes:
    bounds = (
        text("start")
        + b"K\x00"
        + text("stop")
        + b"J"
        + struct.pack("<i", n)
        + text("step")
        + b"K\x01"
    )
    return (
        b"cpandas.core.indexes.base\n_new_Index\ncpandas.core.indexes.range\nRangeIndex\n}("
        + bounds + b"u\x86R"
    )  # fmt: skip


def call(module: str, name: str, *arguments: object) -> bytes:
    """A pickle of protocol 2 that calls module.name(*arguments)."""
    pushed = b"".join(inner(argument) for argument in arguments)
    return f"\x80\x02c{module}\n{name}\n(".encode("latin1") + pushed + b"tR."


NDARRAY = b"cnumpy\nndarray\n"
NEW_BLOCK = b"cpandas.core.internals.blocks\nnew_block\n"
PARTIAL = b"cfunctools\npartial\n" + NEW_BLOCK + b"\x85R"
PLACE = inner(np.array([0]))
VALUES = inner(np.zeros((1, 3), np.float32))
FLOAT = inner(np.dtype("f4"))
AS_IT_IS = b"(K\x03" + text("<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"


def within(pickled: bytes) -> bytes:
    """A pickle without its header and end."""
    return pickled[2:-1]


def block(values: bytes = VALUES, place: bytes = PLACE, dimensions: int = 2) -> bytes:
    called = b"cpandas._libs.internals\n_unpickle_block\n("
    return called + values + place + b"K" + bytes([dimensions]) + b"tR"


def framed(blocks: bytes, names: bytes = index(["A"]), rows: bytes = a_range(3)) -> bytes:
    """A frame of one column and three rows, of today's form but for what is given."""
    return (
        b"\x80\x02cpandas.core.frame\nDataFrame\n)\x81}" + text("_mgr")
        + b"cpandas.core.internals.managers\nBlockManager\n(("
        + blocks + b"t](" + names + rows + b"etRsb."
    )  # fmt: skip


def partial(state: bytes, called: bytes = NEW_BLOCK) -> bytes:
    made = b"cfunctools\npartial\n" + called + b"\x85R" + state
    return made + b"(" + VALUES + PLACE + b"tR"


def reconstructed(dtype: bytes, kind: bytes = NDARRAY) -> bytes:
    """An array of (1, 3) float32, of another type than it may have."""
    state = b"(K\x01K\x01K\x03\x86" + dtype + b"\x89" + inner(b"0" * 12) + b"tb"
    return RECONSTRUCT + kind + b"K\x00\x85K\x00\x87R" + state


def dtype(code: str, state: bytes = AS_IT_IS) -> bytes:
    return within(call("numpy", "dtype", code, False, True)) + state


NDIM = b"}" + text("ndim") + b"K\x02s"
FORM = "form that is not known"


def arrow(name: str, *pushed: bytes) -> bytes:
    return b"cpyarrow.lib\n" + name.encode() + b"\n(" + b"".join(pushed) + b"tR"


class Evil:
    """Pickles as a call of whatever it is given."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple:
        return self.call


def attacks(canary: Path) -> dict[str, bytes]:
    touch, python = f"touch {canary}", f"open({str(canary)!r}, 'w')"
    table = pd.DataFrame({"A": np.zeros(3, np.float32)})
    table["label"] = np.array([Evil(os.system, touch)] * 3, dtype=object)
    return {
        "os.system": call("os", "system", touch),
        "posix.system": pickle.dumps(Evil(os.system, touch)),
        "nt.system": call("nt", "system", touch),
        "subprocess.Popen": pickle.dumps(Evil(subprocess.Popen, ["touch", str(canary)])),
        "subprocess.check_output": call("subprocess", "check_output", ["touch", str(canary)]),
        "builtins.eval": pickle.dumps(Evil(eval, python)),
        "builtins.exec": pickle.dumps(Evil(exec, python)),
        "__builtin__.eval": call("__builtin__", "eval", python),
        "builtins.open": call("builtins", "open", str(canary), "w"),
        "builtins.__import__": call("builtins", "__import__", "antigravity"),
        "builtins.getattr": pickle.dumps(Evil(getattr, Evil(__import__, "os"), "system")),
        "operator.attrgetter": call("operator", "attrgetter", "__class__.__base__"),
        "functools.reduce": call("functools", "reduce", 1),
        "pandas.read_pickle": call("pandas", "read_pickle", str(canary)),
        "pandas.io.pickle.read_pickle": call("pandas.io.pickle", "read_pickle", str(canary)),
        "pandas.eval": call("pandas", "eval", python),
        "numpy.f2py.compile": call("numpy.f2py", "compile", python),
        "numpy.load": call("numpy", "load", str(canary)),
        "numpy.memmap": call("numpy", "memmap", str(canary), "u1", "w+", 0, (1,)),
        "numpy.testing._private.utils.runstring": call(
            "numpy.testing._private.utils", "runstring", python, {}
        ),
        "numpy.core.multiarray.fromfile": call("numpy.core.multiarray", "fromfile", str(canary)),
        "numpy.core.multiarray._reconstruct.__globals__": (
            b"\x80\x04\x8c\x15numpy.core.multiarray\x8c\x18_reconstruct.__globals__\x93."
        ),
        "core.study.store.write_json": call("core.study.store", "write_json", 1, str(canary)),
        "system": pickle.dumps(table),  # hidden in a table's label column
    }
