"""The process that opens a stranger's file: one fork per file, under limits, with nothing to lose.

Started as `python -m core.engine.foreign.child`. It imports torch once, then answers each line of
JSON on standard input with one on standard output. Each file is opened in a fork of its own, whose
memory, processor time and output are limited by the kernel and whose patience by the parent. What
comes out is a safetensors file of plain float32 tensors and a JSON description; the file itself is
never read by anybody else.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import re
import resource
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from core.engine.foreign.formats import check_archive, format_of, shown
from core.engine.foreign.naming import Found, find_weights, join_pruned, names_of_metadata
from core.errors import InputError

SECONDS = 25.0
SPARE_BYTES = 2 * 2**30
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


def serve() -> None:
    """Answer requests until standard input ends."""
    torch.set_num_threads(1)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever prints does not answer
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(_in_a_fork(Path(request["path"]), Path(request["out"]))), file=answers)
        answers.flush()


def _in_a_fork(path: Path, out: Path) -> dict[str, Any]:
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reader)
        answer: dict[str, Any] = {"error": f"{shown(path.name)} could not be read."}
        with contextlib.suppress(BaseException):
            answer = _answer(path, out)
        with contextlib.suppress(BaseException), os.fdopen(writer, "w") as file:
            json.dump(answer, file)
        os._exit(0)
    os.close(writer)
    text = _read_until(reader, time.monotonic() + SECONDS)
    if text is None:
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    if text is None:
        return {"error": f"{shown(path.name)} took longer than {SECONDS:.0f} s to read; given up."}
    try:
        return json.loads(text)
    except ValueError:
        return {
            "error": f"{shown(path.name)} could not be read within the memory and time allowed."
        }


def _read_until(handle: int, deadline: float) -> str | None:
    pieces: list[bytes] = []
    with os.fdopen(handle, "rb") as file:
        while (left := deadline - time.monotonic()) > 0:
            if select.select([file], [], [], left)[0]:
                piece = os.read(handle, 2**16)
                if not piece:
                    return b"".join(pieces).decode("utf-8", "replace")
                pieces.append(piece)
    return None


def _answer(path: Path, out: Path) -> dict[str, Any]:
    try:
        kind = format_of(path)
        _limit(path.stat().st_size)
        return _extract(path, kind, out)
    except InputError as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": f"{shown(path.name)} needs more memory than a file of its size should."}
    except (OSError, RuntimeError, SafetensorError) as error:
        return {"error": f"{shown(path.name)} is damaged or cut off ({_first_line(error)})."}
    except Exception as error:
        return {"error": f"{shown(path.name)} is damaged ({type(error).__name__})."}


def _limit(size: int) -> None:
    """What a child may take: memory and output in proportion to the file, a little time."""
    limits = [
        (resource.RLIMIT_CPU, int(SECONDS)),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 4 * size + 2**20),
    ]
    with contextlib.suppress(OSError):  # where there is no /proc, the time limit has to do
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limits.append((resource.RLIMIT_AS, pages * resource.getpagesize() + 6 * size + SPARE_BYTES))
    for which, value in limits:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(which, (value, value))


def _extract(path: Path, kind: str, out: Path) -> dict[str, Any]:
    found = _read_safetensors(path) if kind == "safetensors" else _read_torch(path, kind)
    for name, tensor in found.tensors.items():
        _refuse_odd(name, tensor, path)
    total = sum(tensor.numel() for tensor in found.tensors.values())
    if total > MAX_WEIGHTS:
        raise InputError(f"{shown(path.name)} has {total:,} weights; {MAX_WEIGHTS:,} are the most.")
    dtypes: dict[str, int] = {}
    for tensor in found.tensors.values():
        name = str(tensor.dtype).removeprefix("torch.")
        dtypes[name] = dtypes.get(name, 0) + 1
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
        "beside": list(found.beside),
        "class_names": list(found.class_names),
        "joined": list(found.pruned),
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
        dtype = str(tensor.dtype).removeprefix("torch.")
        raise InputError(
            f"{where} is of type {dtype}; read are float32, float16, bfloat16 and float64."
        )
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise InputError(
            f"{where} says it has {tensor.numel():,} values where the file holds fewer."
        )


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    floating = tensor.is_floating_point()
    return tensor.detach().to(torch.float32 if floating else torch.int64).clone().contiguous()


if __name__ == "__main__":
    serve()
