"""The process that opens a stranger's file: `python -m core.engine.foreign.child`, within limits.

A question is JSON, the file's path and where the weights go; an answer is JSON that describes them,
or says in one sentence why there are none. What comes out is a safetensors file of plain float32
tensors; the file itself is never read by anybody else.
"""

from __future__ import annotations

import json
import pickle
import re
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from core.checkpoints.formats import check_archive, format_of, shown
from core.engine.foreign.naming import Found, find_weights, join_pruned, names_of_metadata
from core.errors import InputError
from core.processes.serving import serve

DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
COUNTERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool)
MAX_WEIGHTS = 500_000_000


class Inert:
    """Stands in for arguments and paths that training code saves beside the weights: takes what
    it is given, and does nothing with it."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


# Names that may stand in a file because they become nothing at all.
INERT = (
    "argparse.Namespace",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
    "pathlib.Path",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.dtype",
    "datetime.datetime",
    "datetime.timedelta",
    "pytorch_lightning.utilities.parsing.AttributeDict",
    "lightning.pytorch.utilities.parsing.AttributeDict",
    "lightning_fabric.utilities.data.AttributeDict",
    "lightning.fabric.utilities.data.AttributeDict",
)


def answer(question: bytes) -> list[bytes]:
    asked = json.loads(question)
    return [json.dumps(read(Path(asked["path"]), Path(asked["out"]))).encode()]


def read(path: Path, out: Path) -> dict[str, Any]:
    """Write a file's weights to `out` and describe them, or say what is wrong as "error"."""
    try:
        return _extract(path, format_of(path), out)
    except InputError as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": f"{shown(path.name)} needs more memory than a file of its size should."}
    except (OSError, RuntimeError, SafetensorError) as error:
        return {"error": f"{shown(path.name)} is damaged or cut off ({_first_line(error)})."}
    except Exception as error:
        return {"error": f"{shown(path.name)} is damaged ({type(error).__name__})."}


def _extract(path: Path, kind: str, out: Path) -> dict[str, Any]:
    found = _read_safetensors(path) if kind == "safetensors" else _read_torch(path, kind)
    for name, tensor in found.tensors.items():
        _refuse_odd(name, tensor, path)
    total = sum(tensor.numel() for tensor in found.tensors.values())
    if total > MAX_WEIGHTS:
        raise InputError(f"{shown(path.name)} has {total:,} weights; {MAX_WEIGHTS:,} are the most.")
    dtypes = Counter(_dtype(tensor) for tensor in found.tensors.values())
    try:
        found = join_pruned(found)
    except InputError as error:
        raise InputError(f"{shown(path.name)}: {error}") from error
    plain = {name: _plain(tensor) for name, tensor in found.tensors.items()}
    not_finite = {
        name: bad
        for name, tensor in plain.items()
        if tensor.is_floating_point() and (bad := int((~torch.isfinite(tensor)).sum()))
    }
    save_file(plain, out)
    return {
        "format": kind,
        "wrapper": found.wrapper,
        "beside": found.beside,
        "class_names": found.class_names,
        "joined": found.joined,
        "dtypes": dtypes,
        "not_finite": not_finite,
    }


def _read_safetensors(path: Path) -> Found:
    with safe_open(path, framework="pt", device="cpu") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        names = names_of_metadata(file.metadata())
    if not tensors:
        raise InputError(f"{shown(path.name)} holds no tensor.")
    return Found(tensors, class_names=names)


def _read_torch(path: Path, kind: str) -> Found:
    if kind == "torch archive":
        check_archive(path)
    stand_ins: Any = [(type(name.rpartition(".")[2], (Inert,), {}), name) for name in INERT]
    try:
        with torch.serialization.safe_globals(stand_ins):
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(_why_not(path, str(error))) from error
    except NotImplementedError as error:
        raise InputError(f"{shown(path.name)} holds tensors of a kind not read here.") from error
    try:
        return find_weights(loaded)
    except InputError as error:
        raise InputError(f"{shown(path.name)}: {error}") from error


def _why_not(path: Path, message: str) -> str:
    """torch's page of advice, one sentence long."""
    name = shown(path.name)
    if named := re.search(r"(?:GLOBAL|global|function) ([\w.]+)", message):
        what = named[1][:100]
        return (
            f"{name} is more than weights: it names {what}, which is not run here. If it is your "
            "own model, save model.state_dict() and bring that."
        )
    return f"{name} is damaged, or holds something other than what torch.save made of weights."


def _first_line(error: object) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return shown(lines[0].removeprefix("Error while deserializing header: ")).rstrip(".:")


def _refuse_odd(name: str, tensor: torch.Tensor, path: Path) -> None:
    where = f"{shown(path.name)}: {shown(name)}"
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
        raise InputError(
            f"{where} is sparse, quantised or without values; only plain tensors are read."
        )
    if tensor.dtype not in (*DTYPES, *COUNTERS):
        raise InputError(
            f"{where} is of type {_dtype(tensor)}; read are float32, float16, bfloat16 and float64."
        )
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise InputError(
            f"{where} says it has {tensor.numel():,} values where the file holds fewer."
        )


def _dtype(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    floating = tensor.is_floating_point()
    return tensor.detach().to(torch.float32 if floating else torch.int64).clone().contiguous()


if __name__ == "__main__":
    torch.set_num_threads(1)
    serve(answer)
