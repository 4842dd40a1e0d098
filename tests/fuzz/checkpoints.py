"""Checkpoints: what a preflight does with a file before the network sees an image.

The format by its first bytes, the process that reads by an allow-list, the plain weights that
come out of it, the architecture they fit, the classes of the outputs, the JSON beside it.
"""

from __future__ import annotations

import io
import json
import pickletools
import random
import struct
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from safetensors.torch import save as to_safetensors

from core.checkpoints.formats import format_of
from core.checkpoints.mapping import map_outputs
from core.engine.foreign import child
from core.engine.foreign.adopting import network_of
from core.engine.foreign.guessing import match
from core.engine.foreign.reading import Reader, sha256_of
from core.engine.foreign.sidecar import read_sidecar
from core.engine.foreign.stated import Stated, order_of
from core.errors import InputError
from tests.fuzz.mutations import damaged, odd_number
from tests.fuzz.zips import odd_zip

CLASSES = ("Mass", "Hernia", "Effusion")
DTYPES = ("F32", "F64", "F16", "BF16", "I64", "U8", "BOOL", "F8_E4M3", "C64", "F4", "", "f32")
# What is said where the process was killed: of a damaged file that is no answer.
DIED = ("could not be read within", "could not be read.", "took longer")
NAMES = (
    *(
        b"os\nsystem\n",
        b"builtins\neval\n",
        b"torch\nload\n",
        b"torch._utils\n_rebuild_tensor_v2\n",
    ),
    *(
        b"torch\nFloatStorage\n",
        b"collections\nOrderedDict\n",
        b"numpy\ndtype\n",
        b"torch\ndevice\n",
    ),
    *(b"torch._utils\n_rebuild_sparse_tensor\n", b"torch._utils\n_rebuild_qtensor\n"),
    *(b"torch._utils\n_rebuild_meta_tensor_no_storage\n", b"argparse\nNamespace\n"),
    *(b"torch\nSize\n", b"_codecs\nencode\n", b"torch.nn.parameter\nParameter\n"),
    *(b"torch._utils\n_rebuild_parameter\n", b"torch\nQUInt8Storage\n", b"builtins\nbytearray\n"),
)


class Checkpoints:
    refusals = (InputError,)

    def __init__(self, folder: Path) -> None:
        torch.set_num_threads(1)
        self.limited, self.reader = False, Reader()
        self.folder, self.out = folder, folder / "plain.safetensors"
        self.tensors, self.others, self.sidecar = _safetensors(), _saved(_state()), _sidecar()
        self.real = [to_safetensors(_real()), *_saved(_real())[:4]]
        self.zips = [data for data in self.others if data[:2] == b"PK"]
        self.legacy = [data for data in self.others if data[:2] != b"PK"]

    def make(self, rng: random.Random) -> Path:
        self.out.unlink(missing_ok=True)
        # Most are read in this process, where a crash and its memory are seen; some as in earnest.
        self.limited = rng.random() < 0.05
        kind = rng.randrange(10)
        if kind < 3:
            data = _odd_safetensors(rng, rng.choice(self.tensors))
        elif kind < 7:
            data = self._archive(rng)
        elif kind < 9:
            data = _odd_pickle(rng, rng.choice(self.legacy))
        else:
            whole = [*self.tensors, *self.others]
            few = rng.random() < 0.5  # networks that fit: most wounds are to their weights
            data = damaged(rng, rng.choice(self.real if few else whole), whole)
            if few and rng.random() < 0.5:
                data = self.real[0][:50_000] + rng.randbytes(64) + self.real[0][50_064:]
        path = self.folder / rng.choice(("model.pt", "model.safetensors", "model.ckpt"))
        path.write_bytes(data)
        beside = path.with_suffix(".json")
        beside.unlink(missing_ok=True)
        if rng.random() < 0.1:
            beside.write_bytes(damaged(rng, self.sidecar, (), (b"null", b"[" * 99_999, b"1e999")))
        return path

    def _archive(self, rng: random.Random) -> bytes:
        whole = rng.choice(self.zips)
        if rng.random() < 0.4:
            return odd_zip(rng, whole)
        made = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(whole)) as archive, zipfile.ZipFile(made, "w") as out:
            names = archive.namelist()
            if rng.random() < 0.2:
                names.remove(rng.choice(names))
            for name in names:
                content = archive.read(name)
                if name.endswith("data.pkl") and rng.random() < 0.9:
                    content = _odd_pickle(rng, content)
                elif rng.random() < 0.1:
                    content = damaged(rng, content)
                out.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), content)
        return made.getvalue()

    def read(self, path: Path) -> None:
        format_of(path)
        sha256_of(path)
        if self.limited:
            self._survives(path)
        answer = child.read(path, self.out)
        if "error" not in answer and len(answer["networks"]) > 1:
            answer = child.read(path, self.out, answer["networks"][-1][0])
        if "error" in answer:
            raise InputError(answer["error"])
        tensors = load_file(self.out)
        side = read_sidecar(path)
        if answer["not_finite"]:
            raise InputError("It holds NaN or infinite values.")
        found = match(tensors, None, side.image_size)
        if found.keys.fit:
            network_of(found)
        orders = (*(Stated(**one) for one in answer["orders"]), *side.orders)
        names, _ = order_of(orders, found.n_outputs)
        map_outputs(found.n_outputs, CLASSES, names)

    def _survives(self, path: Path) -> None:
        said = ""
        try:
            self.reader.read(path)
        except InputError as error:
            said = str(error)
        assert not any(words in said for words in DIED), said


def _state(width: int = 1) -> dict[str, torch.Tensor]:
    """A network that fits nothing, of few weights; damage is not about their number."""
    rng = torch.Generator().manual_seed(0)
    return {
        "conv1.weight": torch.randn(4 * width, 3, 3, 3, generator=rng),
        "bn1.weight": torch.ones(4 * width),
        "bn1.num_batches_tracked": torch.tensor(3),
        "classifier.weight": torch.randn(3, 4 * width, generator=rng).half(),
        "classifier.bias": torch.zeros(3, dtype=torch.bfloat16),
    }


def _real() -> dict[str, torch.Tensor]:
    from core.engine.models import build_model
    from core.study.settings import ModelSettings

    settings = ModelSettings(architecture="resnet_small", image_size=32)
    return build_model(settings, 3, seed=0).state_dict()


def _safetensors() -> list[bytes]:
    notes = {"class_names": json.dumps(CLASSES)}
    return [to_safetensors(_state(), notes), to_safetensors(_state(2))]


def _saved(small: dict[str, torch.Tensor]) -> list[bytes]:
    lightning = {
        "state_dict": {f"model.{name}": value for name, value in small.items()},
        "epoch": 3,
        "hyper_parameters": {"class_names": list(CLASSES), "lr": 1e-3},
    }
    pruned = dict(small)
    first = next(iter(small))
    pruned[f"{first}_orig"] = pruned.pop(first)
    pruned[f"{first}_mask"] = torch.ones_like(pruned[f"{first}_orig"])
    made = []
    for what in (small, lightning, pruned, {"model": small, "classes": CLASSES}):
        for zipped in (True, False):
            buffer = io.BytesIO()
            torch.save(what, buffer, _use_new_zipfile_serialization=zipped)
            made.append(buffer.getvalue())
    return made


def _sidecar() -> bytes:
    seen = {"image_size": 32, "mean": [0.5], "std": [0.2], "kind": "grey"}
    return json.dumps({"class_names": CLASSES, "preprocessing": seen}).encode()


def _odd_safetensors(rng: random.Random, data: bytes) -> bytes:
    """Other types, shapes, offsets and names in the header, now and then another length."""
    length = int.from_bytes(data[:8], "little")
    header: dict[str, Any] = json.loads(data[8 : 8 + length])
    for _ in range(rng.choice((1, 1, 2, 5))):
        name = rng.choice(list(header))
        one = header[name]
        what = rng.randrange(8)
        if not isinstance(one, dict) or "shape" not in one or what == 0:
            header[rng.choice(("", "a" * 5000, "\0", "__metadata__", "😀"))] = one
        elif what == 1:
            one["dtype"] = rng.choice(DTYPES)
        elif what == 2:
            one["shape"] = [odd_number(rng) for _ in range(rng.choice((0, 1, 2, 60)))]
        elif what == 3:
            one["data_offsets"] = [odd_number(rng), odd_number(rng)]
        elif what == 4:
            begin, end = one["data_offsets"]
            one["data_offsets"] = [begin + rng.choice((-4, 0, 4)), end + rng.choice((-4, 4))]
        elif what == 5:
            del header[name]
        elif what == 6:
            header["__metadata__"] = rng.choice(
                ({}, {"classes": "[" * 5000}, {"classes": "1"}, {"labels": "{}"}, {"a": 1}, [])
            )
        else:
            header[name] = rng.choice((None, 1, [], {}, "x", {**one, "more": 1}))
        if not header:
            break
    text = json.dumps(header).encode()
    if rng.random() < 0.2:
        text = damaged(rng, text, (), (b"{", b"[" * 9999, b"1e999", b'"\\ud800"', b"-1"))
    said = odd_number(rng) if rng.random() < 0.1 else len(text)
    body = data[8 + length :]
    return struct.pack("<Q", said % 2**64) + text + body[: rng.choice((None, None, len(body) // 2))]


def _odd_pickle(rng: random.Random, data: bytes) -> bytes:
    """Opcodes moved, arguments changed, other names named."""
    try:
        starts = [at for _, _, at in pickletools.genops(data) if at is not None]
    except ValueError:
        return damaged(rng, data)
    end = data.index(b".", starts[-1]) + 1
    pieces = [data[a:b] for a, b in zip(starts, [*starts[1:], end], strict=True)]
    for _ in range(rng.choice((1, 1, 2, 4, 10))):
        at, other = rng.randrange(len(pieces)), rng.randrange(len(pieces))
        what = rng.randrange(6)
        if what == 0:
            del pieces[at]
            if not pieces:
                break
        elif what == 1:
            pieces[at], pieces[other] = pieces[other], pieces[at]
        elif what == 2:
            pieces[at] = b"J" + struct.pack("<I", odd_number(rng) % 2**32)
        elif what == 3:
            pieces[at] = b"c" + rng.choice(NAMES)
        elif what == 4:
            pieces[at:at] = pieces[at : at + 6] * rng.choice((1, 2, 2000))
        else:
            pieces[at] = damaged(rng, pieces[at])
    return b"".join(pieces) + data[end:]
