"""Pickles from strangers: data is read to the last bit, and nothing else is possible."""

from __future__ import annotations

import os
import pickle
import struct
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.importing import pickle_child, pickles
from core.importing.pickle_child import ALLOWED, answer
from core.importing.pickles import read_pickled_frame
from core.processes import limited
from tests.importing.opcodes import (
    AS_IT_IS,
    FORM,
    NDARRAY,
    NDIM,
    NEW_BLOCK,
    PARTIAL,
    VALUES,
    Evil,
    a_range,
    arrow,
    attacks,
    block,
    call,
    dtype,
    framed,
    index,
    inner,
    partial,
    reconstructed,
    text,
    within,
)
from tests.importing.watched_child import WATCHED

FILES = Path(__file__).parent / "files"
FORMS = sorted((FILES / "forms").glob("*.pkl"))
PUBLISHED = sorted(FILES.glob("*.pkl"))
# Events by which Python announces that something is started, whoever starts it.
STARTED = ("os.system", "os.exec", "os.spawn", "os.posix_spawn", "subprocess.Popen", "pty.spawn")
started: list[str] = []
sys.addaudithook(lambda event, _: started.append(event) if event in STARTED else None)


@pytest.fixture(autouse=True)
def _watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that reads here refuses, by an error, whatever Python is about to do."""
    monkeypatch.setattr(pickles, "CHILD", "tests.importing.watched_child")


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
    named = [] if pd.api.types.is_numeric_dtype(expected.index) else ["index"]
    assert list(frame.columns) == [*expected.columns, *named]
    assert not named or list(frame["index"]) == list(expected.index)
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


@pytest.mark.parametrize("name", attacks(Path("canary")))
def test_a_pickle_that_names_anything_else_is_refused_by_that_name(
    name: str, tmp_path: Path
) -> None:
    canary = tmp_path / "canary"
    with pytest.raises(InputError, match=r"it names .*nothing of it was run") as refused:
        read(attacks(canary)[name], tmp_path)
    said = str(refused.value)
    assert name in said or name in ("system", "os.system") or name.startswith("builtins.getattr")
    assert not canary.exists()


def test_the_attacks_are_real(tmp_path: Path) -> None:
    """Python's own unpickler runs them."""
    canary = tmp_path / "canary"
    started.clear()
    pickle.loads(attacks(canary)["os.system"])
    assert canary.exists()
    assert started == ["os.system"]


def test_the_watched_process_sees_them(tmp_path: Path) -> None:
    """Were anything started, the tests here would know."""
    data = pickle.dumps(Evil(os.system, "true"))
    with pytest.raises(ValueError, match=f"{WATCHED} os.system"):
        limited.ask(pickles.CHILD, b"unrestricted" + data, 10.0)


def test_these_pickles_are_frames_where_nothing_is_amiss(tmp_path: Path) -> None:
    """What is refused below, is for its one difference from these."""
    partial_as_it_is = partial(b"(" + NEW_BLOCK + b")" + NDIM + b"Ntb")
    for one in (block(), block(reconstructed(dtype("f4"))), partial_as_it_is):
        assert read(framed(one), tmp_path).shape == (3, 1)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (framed(block(reconstructed(dtype("f4"), b"K\x01"))), FORM),
        (framed(block(reconstructed(dtype("f4"), b"cnumpy\ndtype\n"))), FORM),
        (framed(block(within(call("numpy", "ndarray", (2**40,))))), FORM),
        (framed(block(reconstructed(dtype("V8")))), "numbers, booleans and text"),
        (framed(block(reconstructed(dtype("O,O")))), "numbers, booleans and text"),
        (framed(block(reconstructed(dtype("f1")))), "numbers, booleans and text"),
        (
            framed(block(reconstructed(dtype("f4", AS_IT_IS.replace(b"NNN", b"N)}"))))),
            "numbers, booleans and text",
        ),
        (framed(block(reconstructed(dtype("f4", b"")))), "numbers, booleans and text"),
        (
            framed(block(reconstructed(dtype("f4")).replace(b"latin1", b"rot-13"))),
            "without the bytes",
        ),
        (
            framed(block(place=within(call("builtins", "slice", "a", "b", "c")))),
            "damaged, or no pickle .slice indices",
        ),
        (framed(block(dimensions=3)), FORM),
        (framed(block(place=inner(np.array([0.5])))), "whole numbers"),
        (framed(block(place=inner(np.array([0, 1])))), "does not fit its place"),
        (framed(block(place=inner(np.array([1])))), "do not fit their names"),
        (framed(block() + block()), "do not fit their names"),
        (framed(block(VALUES.replace(b"K\x01K\x03\x86", b"K\x03K\x01\x86"))), "fit its place"),
        (framed(block(), index(["A", "B"])), "column 'B' has no values"),
        (framed(block(), index(["A", "A"])), "occurs twice"),
        (framed(block(), inner(["A"])), FORM),
        (framed(block(), within(call("pandas.core.indexes.base", "_new_Index", 1, {}))), FORM),
        (framed(block(), rows=a_range(4)), "do not fit their names"),
        (framed(inner(["A"])), FORM),
        (framed(PARTIAL), FORM),
        (framed(partial(b"")), FORM),
        (framed(partial(b"(N)" + NDIM + b"Ntb")), FORM),
        (framed(partial(b"(" + NEW_BLOCK + b")" + NDIM + b"Ntb", b"K\x01")), FORM),
        (framed(partial(b"(" + NEW_BLOCK + b")}" + text("other") + b"K\x02sNtb")), FORM),
        (framed(partial(b"(" + NEW_BLOCK + b")" + NDIM.replace(b"\2", b"\3") + b"Ntb")), FORM),
        (framed(block() + b"Nb"), "takes no contents"),
        (framed(block(reconstructed(dtype("f4") + AS_IT_IS))), "takes no contents"),
        (call("pandas.core.frame", "DataFrame", {"a": 1}), "something else than a DataFrame"),
        (call("functools", "partial", 1, 2), "something else than a DataFrame"),
        (b"\x80\x02" + PARTIAL + b"\x81.", "no pickle"),
        (b"\x80\x02" + NDARRAY + b"}" + text("__setstate__") + b"Nsb.", "no pickle"),
        (b"\x80\x02" + NDARRAY + b"N}" + text("name") + b"Ns\x86b.", "no pickle"),
        (b"\x80\x02" + NDARRAY + b")RN}" + text("name") + b"Ns\x86b.", "takes no contents"),
        (b"\x80\x02" + NDARRAY + text("a") + b"Ns.", "no pickle"),
        (b"\x80\x02" + NDARRAY + text("a") + b"a.", "no pickle"),
        (b"\x80\x02}K\x01Ns.", "its columns are not all named by text"),
        (b"\x80\x02(ios\nsystem\n.", "names os.system"),
        (b"\x80\x02(cos\nsystem\no.", "names os.system"),
        (b"\x80\x02\x82\x01.", "no pickle"),
        (b"\x80\x02Pcanary\n.", "no pickle"),
        (b"\x80\x02K\x01Q.", "no pickle"),
        (b"\x80\x02K\x01K\x01R.", "no pickle"),
        (b"\x80\x02]r\xff\xff\xff\xff.", "far more bytes than it has"),  # a memo of 64 GB
        (b"\x80\x05\x96" + struct.pack("<Q", 2**62) + b".", "no pickle|far more bytes"),
        (b"\x80\x05\x8e" + struct.pack("<Q", 2**62) + b".", "no pickle|far more bytes"),
        (b"\x80\x04\x95" + struct.pack("<Q", 2**62), "no pickle|far more bytes"),
        (b"\x80\x02" + b"]" * 30_000 + b".", "something else than a DataFrame"),
        (b"\x80\x02K\x01.", "something else than a DataFrame"),
        (b"\x80\x02cpandas.core.frame\nDataFrame\n)\x81.", "something else than a DataFrame"),
        (b"", "no pickle"),
        (b"PK\x03\x04", "no pickle"),
    ],
)
def test_what_is_allowed_cannot_be_misused(data: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        read(data, tmp_path)


def test_no_pickle_changes_what_another_one_finds(tmp_path: Path) -> None:
    """The process is used again; notes take no attribute that a file names."""
    for name in sorted(name for _, name in ALLOWED):
        note, _ = pickle_child.NOTES[name], read(framed(block()), tmp_path)
        for state in (b"}" + text("given") + b"Ns", b"N}" + text("given") + b"Ns\x86"):
            module = next(module for module, one in ALLOWED if one == name)
            named = f"\x80\x02c{module}\n{name}\n".encode()
            with pytest.raises(ValueError, match="no pickle"):
                answer(named + state + b"b.")
            assert "given" in vars(note.__base__)
            assert "given" not in vars(note)


# A few bytes that take more: each says twice, or hashes twice, what the line before it said.
TWICE = b"0".join(
    b"h" + bytes([n]) + b"h" + bytes([n]) + b"\x86q" + bytes([n + 1]) for n in range(60)
)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x80\x02)q\x00" + TWICE + b"}h\x3cNs.", "longer, or more memory"),
        (b"\x80\x02})" + b"\x85" * 1_000_000 + b"Ns.", "longer, or more memory"),  # how deep
    ],
)
def test_what_takes_time_or_crashes_ends_its_own_process(
    data: bytes, words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words):
        read(data, tmp_path, n_rows=2000)
    assert read(framed(block()), tmp_path).shape == (3, 1)


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
    assert {f"{module}.{name}" for module, name in ALLOWED} == {
        "numpy.ndarray",
        "numpy.dtype",
        "numpy.core.multiarray._reconstruct",
        "numpy._core.multiarray._reconstruct",
        "numpy.core.multiarray.scalar",
        "numpy._core.multiarray.scalar",
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
    refused = ""
    try:
        assert isinstance(read(bytes(data), tmp_path), pd.DataFrame)
    except InputError as error:
        refused = str(error)
    assert WATCHED not in refused


@settings(FUZZ, max_examples=100)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_an_input_error(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        read(b"\x80\x04" + data, tmp_path)


def test_a_small_file_that_unfolds_to_gigabytes_is_refused(tmp_path: Path) -> None:
    """A thousand times the same chunk of text, each of a megabyte."""
    n = 1_000_000
    held = within(call("_codecs", "encode", "a" * n, "latin1"))
    ends = inner(np.array([0, n], "<i4").tobytes())
    buffers = b"](N" + arrow("py_buffer", ends) + arrow("py_buffer", held) + b"e"
    layout = b"K\x01K\x00K\x00" + buffers + b"]N"
    chunk = arrow("_restore_array", b"(" + arrow("type_for_alias", inner("string")) + layout + b"t")
    for times, words in ((3, ""), (1000, "unfolds to far more bytes")):
        chunks = arrow("chunked_array", b"](" + chunk + b"q\x07" + b"h\x07" * (times - 1) + b"e")
        column = b"cpandas.arrays\nArrowStringArray\n)\x81}(" + text("_pa_array") + chunks
        column += text("_dtype") + b"cpandas\nStringDtype\n)Rub"
        data = framed(block(column), rows=a_range(times))
        assert len(data) < n + 4000
        if not words:
            assert list(read(data, tmp_path, 2000)["A"].str.len()) == [n] * times
            continue
        with pytest.raises(InputError, match=words):
            read(data, tmp_path, 2000)
