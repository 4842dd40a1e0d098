"""Pickles from strangers: data is read to the last bit, and nothing else is possible."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import struct
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.importing.pickles import ALLOWED, read_pickled_frame

FILES = Path(__file__).parent / "files"
FORMS = sorted((FILES / "forms").glob("*.pkl"))
PUBLISHED = sorted(FILES.glob("*.pkl"))
# Events by which Python announces that something is started, whoever starts it.
STARTED = ("os.system", "os.exec", "os.spawn", "os.posix_spawn", "subprocess.Popen", "pty.spawn")
started: list[str] = []
sys.addaudithook(lambda event, _: started.append(event) if event in STARTED else None)


def read(data: bytes, folder: Path, n_rows: int = 100, n_columns: int = 20) -> pd.DataFrame:
    path = folder / "given.pkl"
    path.write_bytes(data)
    return read_pickled_frame(path, n_rows, n_columns)


def unrestricted(path: Path) -> pd.DataFrame:
    """pandas' own reading, of files that make_files.py wrote."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy.core is now numpy._core
        return pd.read_pickle(path)


@pytest.mark.parametrize("path", [*PUBLISHED, *FORMS], ids=lambda path: path.stem)
def test_a_frame_of_pandas_1_is_read_to_the_last_bit(path: Path) -> None:
    frame = read_pickled_frame(path, 100, 20)
    expected = unrestricted(path)
    assert list(frame.columns) == list(expected.columns)
    assert list(frame["label"]) == list(expected["label"])
    for name in expected.columns.drop("label"):
        assert frame[name].dtype == expected[name].dtype
        assert frame[name].to_numpy().tobytes() == expected[name].to_numpy().tobytes()


def test_a_frame_of_pandas_before_1_3_is_read(tmp_path: Path) -> None:
    """Its manager was filled by BUILD, from a dictionary."""
    path = FILES / "forms" / "protocol-2.pkl"
    expected = unrestricted(path)
    values = np.asfortranarray(expected.drop(columns="label").to_numpy().T)
    label = np.array([list(expected["label"])], dtype=object)
    n = values.shape[0]
    blocks = [
        {"values": values, "mgr_locs": slice(0, n, 1)},
        {"values": label, "mgr_locs": np.array([n])},
    ]
    manager = b"}" + text("0.14.1") + b"}(" + text("axes") + b"]("
    manager += index(list(expected.columns)) + a_range(len(expected)) + b"e"
    manager += text("blocks") + inner(blocks) + b"us"
    data = b"\x80\x02cpandas.core.frame\nDataFrame\n)\x81}" + text("_data")
    data += b"cpandas.core.internals.managers\nBlockManager\n)\x81(]]]" + manager + b"tbsb."
    pd.testing.assert_frame_equal(
        read(data, tmp_path), expected, check_dtype=False, check_column_type=False
    )


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


@pytest.mark.parametrize("name", attacks(Path("canary")))
def test_a_pickle_that_names_anything_else_is_refused_by_that_name(
    name: str, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    started.clear()
    with pytest.raises(InputError, match=r"it names .*nothing of it was run") as refused:
        read(attacks(canary)[name], tmp_path)
    said = str(refused.value)
    assert name in said or name in ("system", "os.system") or name.startswith("builtins.getattr")
    assert started == []
    assert not canary.exists()


def test_the_attacks_are_real(tmp_path: Path) -> None:
    """Python's own unpickler runs them."""
    canary = tmp_path / "canary"
    started.clear()
    pickle.loads(attacks(canary)["os.system"])
    assert canary.exists()
    assert started == ["os.system"]


REFERENCE = b"cnumpy\nndarray\n"
DTYPE = b"cnumpy\ndtype\n"
NEW_BLOCK = b"cpandas.core.internals.blocks\nnew_block\n"
PARTIAL = b"\x80\x02cfunctools\npartial\n" + NEW_BLOCK + b"\x85"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (call("numpy.core.multiarray", "_reconstruct", 1, (0,), b"b"), "plain numpy array"),
        (
            b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n" + DTYPE + b"K\x00\x85K\x00\x87R.",
            "pla",
        ),
        (call("numpy", "ndarray", (2**40,)), "only ever named"),
        (call("numpy", "dtype", "V8", False, True), "numbers, booleans and text"),
        (call("numpy", "dtype", "O,O", False, True), "numbers, booleans and text"),
        (call("_codecs", "encode", "cbf", "rot13"), "latin1"),
        (call("builtins", "slice", "a", "b", "c"), "whole numbers"),
        (call("pandas.core.frame", "DataFrame", {"a": 1}), "not known"),
        (call("pandas.core.indexes.base", "_new_Index", 1, {}), "not known"),
        (call("functools", "partial", 1), "partial of something else than new_block"),
        (call("functools", "partial", 1, 2), "partial of something else than new_block"),
        (PARTIAL + b"R.", "something else than a DataFrame"),
        (PARTIAL + b"R)R.", "form that is not known"),
        (PARTIAL + b"R(N)}Ntb.", "partial of something else than new_block"),
        (PARTIAL + b"R(" + NEW_BLOCK + b")}" + text("other") + b"K\x02sNtb.", "more than ndim"),
        (PARTIAL + b"R(" + NEW_BLOCK + b")}" + text("ndim") + b"K\x03sNtb.", "two-dimensional"),
        (PARTIAL + b"\x81.", "in a form that is not known"),
        (b"\x80\x02" + REFERENCE + b"}" + text("__setstate__") + b"Nsb.", "not a table's part"),
        (b"\x80\x02" + REFERENCE + text("a") + b"Ns.", "keys of text"),
        (b"\x80\x02" + REFERENCE + text("a") + b"a.", "not a list"),
        (b"\x80\x02}K\x01Ns.", "keys of text"),
        (b"\x80\x02(ios\nsystem\n.", "opcode b'i'"),
        (b"\x80\x02(cos\nsystem\no.", "names os.system"),
        (b"\x80\x02\x82\x01.", r"opcode b'\\x82'"),
        (b"\x80\x02Pcanary\n.", "opcode b'P'"),
        (b"\x80\x02K\x01Q.", "opcode b'Q'"),
        (b"\x80\x02K\x01K\x01R.", "not a name"),
        (b"\x80\x02]r\xff\xff\xff\xff.", "something else than a DataFrame"),  # a memo of 64 GB
        (b"\x80\x05\x96" + struct.pack("<Q", 2**62) + b".", "ends too early"),
        (b"\x80\x05\x8e" + struct.pack("<Q", 2**62) + b".", "ends too early"),
        (b"\x80\x04\x95" + struct.pack("<Q", 2**62), "opcode|ends too early"),
        (b"\x80\x02" + b"]" * 30_000 + b".", "far more parts"),
        (b"\x80\x02K\x01.", "something else than a DataFrame"),
        (b"\x80\x02cpandas.core.frame\nDataFrame\n)\x81.", "something else than a DataFrame"),
        (b"", "ends too early"),
        (b"PK\x03\x04", "opcode b'P'"),
    ],
)
def test_what_is_allowed_cannot_be_misused(data: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        read(data, tmp_path)


def test_an_array_must_bring_the_bytes_of_its_shape(tmp_path: Path) -> None:
    """A declared size is believed by nobody: a small file cannot ask for a large array."""
    whole = (FILES / "forms" / "protocol-3.pkl").read_bytes()
    assert whole.count(b"K\x0c\x86") == 2  # the two blocks' shapes, (classes, 12)
    with pytest.raises(InputError, match="without the bytes"):
        read(whole.replace(b"K\x0c\x86", b"J\xff\xff\xff\x7f\x86", 1), tmp_path)


def test_a_range_of_a_billion_columns_does_not_unfold(tmp_path: Path) -> None:
    data = b"\x80\x02cpandas.core.frame\nDataFrame\n)\x81}(" + text("_mgr")
    data += b"cpandas.core.internals.managers\nBlockManager\n()]("
    data += a_range(10**9) + a_range(3) + b"etRub."
    with pytest.raises(InputError, match="not named by text"):
        read(data, tmp_path)


def test_a_file_far_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.pkl"
    with path.open("wb") as file:
        file.truncate(2**40)  # sparse: takes no room
    with pytest.raises(InputError, match="far more than 100 images of 20 classes"):
        read_pickled_frame(path, 100, 20)


def test_the_allow_list_is_this_one() -> None:
    assert {f"{name.module}.{name.name}" for name in ALLOWED} == {
        "numpy.ndarray",
        "numpy.dtype",
        "numpy.core.multiarray._reconstruct",
        "numpy._core.multiarray._reconstruct",
        "numpy.core.numeric._frombuffer",
        "numpy._core.numeric._frombuffer",
        "builtins.slice",
        "__builtin__.slice",
        "_codecs.encode",
        "pandas.core.frame.DataFrame",
        "pandas.core.internals.managers.BlockManager",
        "pandas._libs.internals._unpickle_block",
        "pandas.core.internals.blocks.new_block",
        "functools.partial",  # of new_block, and nothing else
        "pandas.core.indexes.base._new_Index",
        "pandas.core.indexes.base.Index",
        "pandas.core.indexes.range.RangeIndex",
        "pandas.core.indexes.numeric.Int64Index",
        "pandas.core.indexes.numeric.UInt64Index",
        "pandas.core.indexes.numeric.Float64Index",
        # What pandas 3 writes: its public names, and text as Arrow's buffers.
        "pandas.DataFrame",
        "pandas.Index",
        "pandas.RangeIndex",
        "pandas.NA",
        "pandas.StringDtype",
        "pandas.arrays.ArrowStringArray",
        "pandas.core.arrays.string_.StringDtype",
        "pandas.core.arrays.string_arrow.ArrowStringArray",
        "pyarrow.lib.type_for_alias",
        "pyarrow.lib.py_buffer",
        "pyarrow.lib._restore_array",
        "pyarrow.lib.chunked_array",
        "builtins.bytearray",
        "__builtin__.bytearray",
    }


SEEDS = [
    path.read_bytes() for path in FORMS if path.stem in ("protocol-2", "protocol-5", "pandas-1.3")
]
FUZZ = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@FUZZ
@given(
    whole=st.sampled_from(SEEDS),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8),
    cut=st.one_of(st.none(), st.floats(0, 1)),
    inserted=st.binary(max_size=6),
)
def test_a_changed_pickle_is_a_frame_or_an_input_error(
    whole: bytes, changes: list, cut: float | None, inserted: bytes, tmp_path: Path
) -> None:
    data = bytearray(whole)
    for where, value in changes:
        data[int(where * (len(data) - 1))] = value
    if cut is not None:
        place = int(cut * len(data))
        data[place:place] = inserted
        data = data if inserted else data[:place]
    started.clear()
    with contextlib.suppress(InputError):
        assert isinstance(read(bytes(data), tmp_path), pd.DataFrame)
    assert started == []


@settings(FUZZ, max_examples=100)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_an_input_error(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        read(b"\x80\x04" + data, tmp_path)


def test_a_small_file_that_unfolds_to_gigabytes_is_refused(tmp_path):
    text = 1_000_000
    program = b"\x80\x04c_codecs\nencode\nq\x00X" + text.to_bytes(4, "little") + b"a" * text
    program += b"q\x01\x8c\x06latin1q\x02" + b"h\x00h\x01h\x02\x86R" * 900 + b"."
    path = tmp_path / "bomb.pkl"
    path.write_bytes(program)
    with pytest.raises(InputError, match="unfolds to far more bytes"):
        read_pickled_frame(path, 2000, 20)
