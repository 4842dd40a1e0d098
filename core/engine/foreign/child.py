"""The process that opens a stranger's file: `python -m core.engine.foreign.child`, within limits.

A question is JSON: the file's path, where the weights go, which of several networks, and how to
rename weights. An answer is JSON that describes them, or says in one sentence why there are none.
What comes out is a safetensors file of plain float32 tensors; the file itself is never read by
anybody else, and no code in it is run (`pickled`).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from core.checkpoints.formats import format_of, shown
from core.engine.foreign.naming import Found, Network, find_networks, join_pruned
from core.engine.foreign.pickle_names import NotRun, Stored
from core.engine.foreign.pickled import Damaged
from core.engine.foreign.renaming import WrongChoice, renamed
from core.engine.foreign.stated import notes_of_metadata, stated_network, stated_orders
from core.engine.foreign.stored import ArchiveFile, OldFile, SavedFile
from core.errors import InputError
from core.processes.serving import serve
from core.wording.amounts import some

DTYPES = ("float32", "float16", "bfloat16", "float64")
COUNTERS = ("int64", "int32", "int16", "int8", "uint8", "bool")
MAX_WEIGHTS = 500_000_000
NOTHING: dict[str, Any] = {
    "wrapper": "",
    "joined": [],
    "dtypes": {},
    "not_finite": {},
    "wrong_choice": "",
}


def answer(question: bytes) -> list[bytes]:
    asked = json.loads(question)
    path, out = Path(asked["path"]), Path(asked["out"])
    return [json.dumps(read(path, out, asked["network"], asked["rename"])).encode()]


def read(
    path: Path, out: Path, network: str | None = None, rename: list[str] | None = None
) -> dict[str, Any]:
    """Write a file's weights to `out` and describe them, or say what is wrong as "error".

    Of several networks `network` names one; else they are only listed, and `out` holds nothing.
    """
    name = shown(path.name)
    try:
        return _extract(path, format_of(path), out, network, rename or [])
    except NotRun as error:
        what = shown(error.name)
        return {
            "error": f"{name} is more than weights: it names {what}, which is not run here. If it "
            "is your own model, save model.state_dict() and bring that."
        }
    except Damaged:
        return {
            "error": f"{name} is damaged, or holds something other than what torch.save made of "
            "weights."
        }
    except InputError as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": f"{name} needs more memory than a file of its size should."}
    except (OSError, RuntimeError, SafetensorError) as error:
        return {"error": f"{name} is damaged or cut off ({_first_line(error)})."}
    except Exception as error:
        return {"error": f"{name} is damaged ({type(error).__name__})."}


def _extract(
    path: Path, kind: str, out: Path, name: str | None, rename: list[str]
) -> dict[str, Any]:
    saved: SavedFile | None = None
    try:
        if kind == "safetensors":
            found, notes = _read_safetensors(path)
        else:
            saved = ArchiveFile(path) if kind == "torch archive" else OldFile(path)
            found, notes = find_networks(saved.loaded), saved.loaded
        orders, stated = stated_orders(notes), stated_network(notes)
        heard = {order.where.partition(".")[0] for order in orders}
        said = {
            "format": kind,
            "beside": tuple(
                key
                for key in found.beside
                if key not in heard
                and (not stated or stated_network({key: notes.get(key)}) != stated)
            ),
            "orders": [asdict(order) for order in orders],
            "stated": stated,
            "networks": [[one.name, one.n_weights] for one in found.networks],
        }
        if (network := found.chosen(name)) is None:
            save_file({}, out)
            return said | NOTHING
        return said | _written(network, saved, out, rename)
    except WrongChoice as error:
        save_file({}, out)
        return said | NOTHING | {"wrong_choice": str(error)}
    except (NotRun, Damaged):
        raise
    except InputError as error:
        told = str(error)
        raise InputError(told if shown(path.name) in told else f"{shown(path.name)}: {told}")  # noqa: B904


def _written(
    network: Network, saved: SavedFile | None, out: Path, rename: list[str]
) -> dict[str, Any]:
    """Write a network's weights, and say what they were."""
    tensors = network.tensors
    for name, tensor in tensors.items():
        _refuse_odd(name, tensor, saved)
    _refuse_integers(tensors)
    total = sum(tensor.numel() for tensor in tensors.values())
    if total > MAX_WEIGHTS:
        raise InputError(f"it has {total:,} weights; {MAX_WEIGHTS:,} are the most.")
    dtypes = Counter(_dtype(tensor) for tensor in tensors.values())
    if saved is not None:
        tensors = dict(zip(tensors, saved.values(tensors.values()), strict=True))
    tensors, joined = join_pruned(tensors)
    plain = {name: _plain(tensor) for name, tensor in renamed(tensors, rename).items()}
    not_finite = {
        name: bad
        for name, tensor in plain.items()
        if tensor.is_floating_point() and (bad := int((~torch.isfinite(tensor)).sum()))
    }
    save_file(plain, out)
    return NOTHING | {
        "wrapper": network.wrapper,
        "joined": joined,
        "dtypes": dtypes,
        "not_finite": not_finite,
    }


def _read_safetensors(path: Path) -> tuple[Found, dict[str, Any]]:
    with safe_open(path, framework="pt", device="cpu") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        notes = notes_of_metadata(file.metadata())
    if not tensors:
        raise InputError(f"{shown(path.name)} holds no tensor.")
    return find_networks(tensors), notes


def _first_line(error: object) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return shown(lines[0].removeprefix("Error while deserializing header: ")).rstrip(".:")


def _refuse_odd(name: str, tensor: Stored | torch.Tensor, saved: SavedFile | None) -> None:
    where = shown(name)
    if isinstance(tensor, Stored) and tensor.odd:
        raise InputError(f"{where} is {tensor.odd}; only plain tensors are read.")
    if (dtype := _dtype(tensor)) not in (*DTYPES, *COUNTERS):
        raise InputError(
            f"{where} is of type {dtype or 'unknown'}; read are float32, float16, bfloat16 and "
            "float64."
        )
    if isinstance(tensor, Stored) and saved and tensor.numel() > saved.n_values(tensor):
        raise InputError(
            f"{where} says it has {tensor.numel():,} values where the file holds fewer."
        )


def _refuse_integers(tensors: dict[str, Any]) -> None:
    """Whole numbers are counters and indices; as weights they lack what they are multiples of."""
    whole = [
        name
        for name, tensor in tensors.items()
        if _dtype(tensor) in COUNTERS and re.search(r"(weight|bias)(_orig)?$", name)
    ]
    if whole:
        kind = _dtype(tensors[whole[0]])
        raise InputError(
            f"{len(whole)} weights ({some([shown(name) for name in whole], 2)}) are stored as "
            f"whole numbers ({kind}), without a scale. Save them as "
            "floating-point numbers, or bring predictions made elsewhere: prunescope "
            "import-predictions."
        )


def _dtype(tensor: Any) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    floating = tensor.is_floating_point()
    return tensor.detach().to(torch.float32 if floating else torch.int64).clone().contiguous()


if __name__ == "__main__":
    torch.set_num_threads(1)
    serve(answer)
