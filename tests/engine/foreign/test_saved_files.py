"""Files that training code saves are read without running anything in them."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import datetime
import decimal
import enum
import functools
import io
import os
import pathlib
import pickle
import random
import types
import uuid

import numpy as np
import pytest
import torch
from torch import nn

from core.engine.foreign import stored
from core.engine.foreign.pickle_names import KNOWN, Name, NotRun, StandIn, named
from core.engine.foreign.pickled import Damaged, read_pickle
from tests.engine.foreign.saved import omega, read, state

__all__ = ["read"]  # a fixture

# Pickles


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("zipped", [True, False])
def test_every_protocol_is_read_to_the_same_values(protocol, zipped, read):
    said, tensors = read(
        {"state_dict": state(), "epoch": 3},
        pickle_protocol=protocol,
        _use_new_zipfile_serialization=zipped,
    )
    assert said["beside"] == ("epoch",)
    assert set(tensors) == set(state())
    assert all(torch.equal(tensors[name], tensor) for name, tensor in state().items())


def test_what_names_classes_and_network_is_not_called_unused(read):
    notes = {"epoch": 3, 5: "five", "class_to_idx": {"Mass": 0, "Edema": 1}, "arch": "resnet18"}
    said, _ = read({"state_dict": state(), **notes})
    assert (said["stated"], said["beside"]) == ("resnet18", ("epoch", "5"))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
@pytest.mark.parametrize("zipped", [True, False])
def test_views_strides_and_types_are_torchs(dtype, zipped, read):
    values = torch.arange(48, dtype=getattr(torch, dtype))
    whole = {
        "a.weight": values.view(6, 8).t(),
        "b.weight": values[8:24].view(4, 4),
        "c.weight": values.view(6, 8)[::2, 1:3],
        "d.weight": nn.Parameter(values.view(2, 24)),
        "empty.weight": torch.empty(0, 3),
    }
    _, tensors = read(whole, _use_new_zipfile_serialization=zipped)
    assert all(torch.equal(tensors[name], t.detach().float()) for name, t in whole.items())


def test_a_file_of_a_big_endian_machine_is_swapped(tmp_path):
    path = tmp_path / "big.pt"
    torch.save({"fc.weight": torch.arange(6.0).view(2, 3)}, path)
    import zipfile

    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            if name.endswith("byteorder"):
                content = b"big"
            if "/data/" in name:
                content = np.frombuffer(content, "<f4").astype(">f4").tobytes()
            archive.writestr(name, content)
    saved = stored.ArchiveFile(path)
    (weight,) = saved.values([saved.loaded["fc.weight"]])
    assert weight.flatten().tolist() == [0, 1, 2, 3, 4, 5]


class Colour(enum.Enum):
    RED = 1


@dataclasses.dataclass
class Settings:
    rate: float = 0.1


EXTRAS = {
    "array": np.arange(5.0),
    "numpy scalar": np.float64(0.5),
    "numpy rng": np.random.RandomState(3),
    "numpy generator": np.random.default_rng(3),
    "numpy rng state": np.random.get_state(),
    "python rng": random.getstate(),
    "torch rng": torch.get_rng_state(),
    "defaultdict": collections.defaultdict(list, loss=[0.3, 0.2]),
    "ordered": collections.OrderedDict(loss=[0.3]),
    "counter": collections.Counter("aab"),
    "deque": collections.deque([1, 2], 3),
    "loss": nn.BCEWithLogitsLoss(pos_weight=torch.ones(3)),
    "size": torch.Size([3, 4]),
    "dtype": torch.float16,
    "device": torch.device("cpu"),
    "partial": functools.partial(torch.optim.Adam, lr=1e-3),
    "set": {1, 2},
    "frozenset": frozenset({"a"}),
    "enum": Colour.RED,
    "dataclass": Settings(),
    "path": pathlib.PurePosixPath("runs/3"),
    "namespace": argparse.Namespace(lr=0.1),
    "simple namespace": types.SimpleNamespace(lr=0.1),
    "date": datetime.datetime(2024, 1, 2),
    "uuid": uuid.UUID(int=3),
    "decimal": decimal.Decimal("0.1"),
    "complex": 1 + 2j,
    "bytes": b"\x00\xff",
    "bytearray": bytearray(b"ab"),
    "slice": slice(1, 2),
    "class": Settings,
    "nested keys": {(1, (2, 3)): 4},
    "omegaconf": omega({"model": {"lr": 0.1}}),
    "module": nn.Sequential(nn.Linear(2, 2)),
}


@pytest.mark.parametrize("name", EXTRAS)
@pytest.mark.parametrize("protocol", [2, 4])
def test_what_lies_beside_the_weights_is_left_aside(name, protocol, read):
    said, tensors = read(
        {"state_dict": state(), "extra": EXTRAS[name], "lr": 0.1}, pickle_protocol=protocol
    )
    assert said.get("error") is None
    assert said["beside"] == ("extra", "lr")
    assert set(tensors) == set(state())


class Runs:
    def __init__(self, function, *arguments) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def _raise(*_):
    raise AssertionError("it ran")


def text(protocol: int, module: str, name: str, argument: str) -> bytes:
    """A pickle that calls a name, as no pickler of today would write it."""
    if protocol < 4:
        call = f"c{module}\n{name}\n(S'{argument}'\ntR."
        return call.encode()
    parts = b"".join(
        b"\x8c" + bytes([len(part)]) + part.encode() + b"\x94" for part in (module, name)
    )
    called = b"\x93\x8c" + bytes([len(argument)]) + argument.encode() + b"\x85R."
    return b"\x80\x04" + parts + called


@pytest.mark.parametrize("protocol", [0, 4])
@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("posix", "system"),
        ("nt", "system"),
        ("subprocess", "Popen"),
        ("builtins", "eval"),
        ("__builtin__", "eval"),
        ("builtins", "__import__"),
        ("builtins", "getattr"),
        ("builtins", "open"),
        ("commands", "getoutput"),
        ("pty", "spawn"),
        ("runpy", "run_path"),
        ("importlib", "import_module"),
        ("pickle", "loads"),
        ("marshal", "loads"),
        ("types", "FunctionType"),
        ("operator", "attrgetter"),
        ("functools", "reduce"),
        ("ctypes", "CDLL"),
        ("webbrowser", "open"),
        ("shutil", "rmtree"),
        ("socket", "create_connection"),
        ("collections.abc", "sys.modules.get"),
        ("pathlib", "os.system"),
        ("torch", "load"),
        ("torch.hub", "load"),
        ("torch.storage", "_load_from_bytes"),
        ("torch", "os.system"),
        ("torch.jit", "load"),
    ],
)
def test_what_could_act_is_refused_by_its_name(protocol, module, name):
    with pytest.raises(NotRun, match=name):
        read_pickle(io.BytesIO(text(protocol, module, name, "touch canary")))


@pytest.mark.parametrize("wrap", ["args", "new", "state", "object", "partial", "getattr"])
def test_however_it_is_reached(wrap, tmp_path):
    canary = tmp_path / "canary"
    act = Runs(os.system, f"touch {canary}")
    sent = {
        "args": Runs(Settings, act),
        "new": b"\x80\x02cos\nsystem\n(X\x04\x00\x00\x00true\x81.",
        "state": {"a": [{"b": (act,)}]},
        "object": b"(cos\nsystem\nX\x04\x00\x00\x00trueo.",
        "partial": functools.partial(os.system, "true"),
        "getattr": Runs(getattr, "a", "upper"),
    }[wrap]
    data = sent if isinstance(sent, bytes) else pickle.dumps(sent, 2)
    with pytest.raises(NotRun):
        read_pickle(io.BytesIO(data))
    assert not canary.exists()


def test_classes_of_others_are_never_imported():
    """`this` prints a poem when it is imported; a module that is nowhere cannot be imported."""
    found = read_pickle(io.BytesIO(text(0, "nowhere.at_all", "Thing", "a")))
    assert isinstance(found, StandIn)
    assert (found.name, found.args) == ("nowhere.at_all.Thing", ("a",))
    assert named("nowhere", "Thing") == Name("nowhere.Thing")
    with pytest.raises(NotRun):
        named("this", "s")


def test_nothing_that_is_known_is_a_function_of_torch_or_python():
    ours = "core.engine.foreign.pickle_names"
    assert {function.__module__ for function in KNOWN.values()} == {ours}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x02",
        b"\x80\x06N.",  # a protocol of later
        b".",
        b"\x80\x02}q\x00R.",  # a dictionary is called
        b"\x80\x02K\x01K\x02s.",  # an item is set in a number
        b"\x80\x02]K\x01b.",  # state for a list
        b"\x80\x02h\x05.",  # a memo that was never kept
        b"\x80\x02]}K\x01s}]K\x01s.",  # a list as a key
        b"\x80\x02X\xff\xff\xff\x7fab.",  # text of 2 GB
        b"\x80\x05\x96" + (2**40).to_bytes(8, "little") + b"ab.",  # bytes of a terabyte
        b"\x80\x02\x8b" + (2**30).to_bytes(4, "little") + b"a.",  # a number of a gigabyte
        b"I" + b"9" * 5000 + b"\n.",
        b"\x80\x04\x82\x01.",  # a registered extension
        b"\x80\x05\x97.",  # a buffer from outside
        b"Pname\n.",  # a reference by text
        b"\x80\x02K\x01Q.",  # a reference that is a number
        b"\x80\x02" + b"(" * 100_000 + b"t" * 100_001 + b".",
        b"\x80\x02\x87.",
    ],
)  # fmt: skip
def test_a_damaged_pickle_is_said_to_be(data):
    with pytest.raises(Damaged):
        read_pickle(io.BytesIO(data))


def test_nested_without_end_is_read_and_harmless():
    """100,000 tuples one in another, also as the key of a dictionary, whose hash would recurse."""
    deep = b"\x80\x02)" + b"\x85" * 100_000
    assert read_pickle(io.BytesIO(deep + b".")) is not None
    found = read_pickle(io.BytesIO(b"\x80\x02}" + deep[2:] + b"K\x01s."))
    assert len(found) == 1


def test_equal_mentions_are_one_object_and_searched_once():
    """Fifty lists, each twice in the next, are 2^50 on paper."""
    data = b"\x80\x02]q\x00K\x01a"
    for number in range(50):
        data += b"]q" + bytes([number + 1]) + (b"h" + bytes([number]) + b"a") * 2
    found = read_pickle(io.BytesIO(data + b"."))
    from core.engine.foreign.naming import find_networks
    from core.errors import InputError

    with pytest.raises(InputError, match="list"):
        find_networks(found)


def test_weights_made_by_a_class_are_refused(read):
    """Left out they would be missing; to have them its code would have to run."""
    made = {**state(), "fc.weight": Runs(Settings, torch.ones(3, 4))}
    assert "fc.weight is a" in read({"state_dict": made})[0]["error"]
    whole = read({"model": nn.Sequential(nn.Linear(2, 2)), "epoch": 1})[0]["error"]
    assert "it names torch.nn.modules.container.Sequential, which is not run" in whole
