"""What the names in a pickle become: plain data, `Stored` tensors, or a `StandIn`.

No name is ever imported or called. Those that torch's own state_dicts use are known here; of any
other class a stand-in keeps what it was given. Names of Python's own library that could do
something are not left aside: they raise `NotRun`, as functions of torch do.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

# Modules of Python's library whose names say what data is; others of it are refused.
DATA_MODULES = {
    "argparse",
    "collections",
    "collections.abc",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "fractions",
    "pathlib",
    "pathlib._local",
    "uuid",
    "zoneinfo",
}
DATA_NAMES = {
    *(f"builtins.{name}" for name in ("bool", "bytearray", "bytes", "complex", "dict", "float")),
    *(f"builtins.{name}" for name in ("frozenset", "int", "list", "object", "range", "set")),
    *(f"builtins.{name}" for name in ("slice", "str", "tuple", "type", "getattr")),
    "_codecs.encode",
    "copyreg._reconstructor",
    "copyreg.__newobj__",
    "functools.partial",
    "random.Random",
    "types.SimpleNamespace",
}
# What Python 2 called them, and modules that later versions of Python no longer have.
RENAMED = {"__builtin__": "builtins", "copy_reg": "copyreg"}
GONE = {"asyncore", "cPickle", "commands", "distutils", "imp", "pipes", "popen2"}
STANDARD = sys.stdlib_module_names | GONE


class NotRun(Exception):  # noqa: N818, reads as what it says
    """The pickle names something that could act, `name`."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True, slots=True)
class Name:
    """A class or function that is only named, such as `torch.FloatStorage`."""

    full: str

    @property
    def last(self) -> str:
        return self.full.rpartition(".")[2]


@dataclass(eq=False, slots=True)
class StandIn:
    """What an unknown class or function would have made of `args`; `state` and `items` came after.
    Equal only to itself."""

    name: str
    args: tuple[Any, ...] = ()
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Storage:
    """`n` values of a type in the file under `key`, from value `start` on."""

    dtype: str
    key: str
    n: int
    start: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor that has not been read: where in a storage its values lie, by offset and strides in
    values. `odd` says why it is none of plain values (sparse, quantised)."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str
    odd: str = ""

    def numel(self) -> int:
        n = 1
        for side in self.shape:
            n *= side
        return n

    def dim(self) -> int:
        return len(self.shape)


ODD = Stored(Storage("", "", 0), 0, (), (), "", "sparse, quantised or without values")


def hashable(value: Any) -> Any:
    """Something that can be hashed in an instant: tuples may be nested without end."""
    if isinstance(value, tuple) and any(isinstance(part, tuple) for part in value):
        return StandIn("builtins.tuple")
    return value


def named(module: str, name: str) -> Name:
    """Raises NotRun for what is Python's own and not known as data, however it is reached."""
    module = RENAMED.get(module, module)
    full = f"{module}.{name}"
    path = name.split(".")[:-1]
    by_way = any(part in STANDARD or part.startswith("__") for part in path)
    own = module.partition(".")[0] in STANDARD or not module
    if by_way or (own and module not in DATA_MODULES and full not in DATA_NAMES):
        raise NotRun(full)
    return Name(full)


def called(target: Any, args: Any) -> Any:
    if not isinstance(args, tuple):
        raise TypeError("arguments are a tuple")
    if isinstance(target, StandIn):
        return StandIn(target.name, args)
    if not isinstance(target, Name):
        raise TypeError("only what has a name is called")
    if known := KNOWN.get(target.full):
        return known(*args)
    # Functions of torch read files, among other things; its classes (losses) only hold data.
    if target.full.startswith("torch.") and not target.last[:1].isupper():
        raise NotRun(target.full)
    return StandIn(target.full, args)


def reference(said: Any) -> Any:
    """torch's reference to a storage: ("storage", type, key, device, number[, view])."""
    if not isinstance(said, tuple) or len(said) < 2:
        raise TypeError("no reference of torch's")
    if said[0] == "module":  # (class, its source): only in models saved whole
        return said[1]
    kind, _, key, _, n, *view = said[1], *said[1:5], *said[5:]
    if said[0] != "storage" or not isinstance(kind, Name) or isinstance(key, tuple | list):
        raise TypeError("no reference to a storage")
    dtype = STORAGES.get(kind.last, "")
    whole = Storage(dtype, str(key), _count(n))
    if view and isinstance(view[0], tuple):  # torch before 0.4: part of another storage
        root, start, length = view[0]
        return Storage(dtype, str(root), _count(length), _count(start))
    return whole


def _count(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < 2**48:
        raise ValueError("no size")
    return int(value)


def _counts(values: Any) -> tuple[int, ...]:
    if not isinstance(values, tuple | list) or len(values) > 64:
        raise TypeError("no shape")
    return tuple(_count(value) for value in values)


# What torch's own names make.


def _tensor(
    storage: Any, offset: Any, size: Any, strides: Any, *rest: Any, dtype: str = ""
) -> Stored:
    if not isinstance(storage, Storage):
        raise TypeError("no storage")
    shape, steps = _counts(size), _counts(strides)
    if len(shape) != len(steps):
        raise ValueError("no strides")
    odd = "a view of other values" if len(rest) > 2 and rest[2] else ""
    return Stored(storage, _count(offset), shape, steps, dtype or storage.dtype, odd)


def _tensor_v3(
    storage: Any, offset: Any, size: Any, strides: Any, grad: Any, hooks: Any, dtype: Any, *_: Any
) -> Stored:
    return _tensor(storage, offset, size, strides, dtype=dtype.last)


def _parameter(data: Any = ODD, *_: Any) -> Any:
    return data


def _of_type(function: Any, kind: Any, args: Any, state: Any = None) -> Any:
    made = called(function, args)
    plain = isinstance(kind, Name) and kind.full in ("torch.Tensor", *PARAMETERS)
    return made if plain else StandIn(getattr(kind, "full", "a tensor"), (made,))


def _dictionary(*args: Any) -> dict[Any, Any]:
    if args and isinstance(args[0], dict):
        return args[0]  # the same: a copy of each mention could fill memory
    pairs = args[0] if args and isinstance(args[0], list) else []
    return {hashable(key): value for key, value in pairs}


def _reconstructed(kind: Any, *_: Any) -> Any:
    return called(kind, ())


def _attribute(owner: Any, name: Any = None) -> Any:
    """A member of an enumeration, as Python 3.11 pickles it; of anything else it is refused."""
    outside = isinstance(owner, Name) and owner.full.partition(".")[0] not in STANDARD
    if not (outside and isinstance(name, str) and name.isidentifier() and name[:1] != "_"):
        raise NotRun("builtins.getattr")
    return StandIn(owner.full)


def _encoded(text: Any, encoding: Any = "latin1") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise TypeError("only bytes are encoded text")
    return text.encode("latin1")


PARAMETERS = ("torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer")
KNOWN: dict[str, Callable[..., Any]] = {
    "_codecs.encode": _encoded,
    "builtins.dict": _dictionary,
    "builtins.getattr": _attribute,
    "collections.OrderedDict": _dictionary,
    "collections.Counter": _dictionary,
    "collections.defaultdict": lambda *_: {},
    "copyreg._reconstructor": _reconstructed,
    "copyreg.__newobj__": lambda kind, *args: called(kind, args),
    "torch.Size": lambda values=(): tuple(values),
    "torch.device": lambda *args: StandIn("torch.device", args),
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._tensor._rebuild_from_type_v2": _of_type,
    **dict.fromkeys(PARAMETERS, _parameter),
    **{
        f"torch._utils._rebuild_{kind}": lambda *_: ODD
        for kind in (
            "sparse_tensor",
            "sparse_csr_tensor",
            "qtensor",
            "meta_tensor_no_storage",
            "nested_tensor",
            "wrapper_subclass",
            "device_tensor_from_numpy",
            "device_tensor_from_cpu_tensor",
        )
    },
    **{
        f"{module}.AttributeDict": _dictionary
        for module in (
            "pytorch_lightning.utilities.parsing",
            "lightning.pytorch.utilities.parsing",
            "lightning_fabric.utilities.data",
            "lightning.fabric.utilities.data",
        )
    },
}
STORAGES = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "UntypedStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
}
