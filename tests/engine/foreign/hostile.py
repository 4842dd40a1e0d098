"""A corpus of files that nobody should have sent: broken, lying, or made to run something.

`make(folder, canary)` writes them and returns name -> path. Whatever in them is able to run would
create the file `canary`.
"""

from __future__ import annotations

import builtins
import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import save as to_safetensors
from safetensors.torch import save_file

# What `make` makes, for pytest to know before anything is made.
NAMES = (
    "os-system.pt",
    "os-system-protocol-0.pt",
    "exec.pt",
    "eval-in-dict.pth",
    "archive-os-system.pt",
    "archive-exec.pt",
    "archive-only-program.ckpt",
    "legacy-os-system.pt",
    "whole-model.pt",
    "getattr.pt",
    "subprocess.bin",
    "archive-cut-at-1.pt",
    "safetensors-cut-at-1.safetensors",
    "archive-cut-at-30.pt",
    "safetensors-cut-at-30.safetensors",
    "archive-cut-at-60.pt",
    "safetensors-cut-at-60.safetensors",
    "archive-cut-at-99.pt",
    "safetensors-cut-at-99.safetensors",
    "legacy-cut.pt",
    "archive-without-last-byte.pt",
    "archive-middle-zeroed.pt",
    "zip-with-program.pt",
    "zip-of-photos.pt",
    "empty.zip",
    "zip-bomb.pt",
    "zip-bomb-pickle.pt",
    "zip-of-many.pt",
    "zip-lying-size.pt",
    "zip-escaping.pt",
    "zip-absolute.pt",
    "zip-long-name.pt",
    "torchscript.pt",
    "tar.pt",
    "deep-pickle.pt",
    "photo.pt",
    "photo.safetensors",
    "empty.pt",
    "one-byte.pt",
    "text.pt",
    "page.pt",
    "noise.pt",
    "gzipped.pt",
    "keras.h5",
    "script.sh",
    "folder.pt",
    "pipe.pt",
    "nowhere.pt",
    "device.pt",
    "header-too-long.safetensors",
    "header-longer-than-file.safetensors",
    "header-no-json.safetensors",
    "header-deep.safetensors",
    "header-offsets-outside.safetensors",
    "header-offsets-wrong.safetensors",
    "header-shape-lies.safetensors",
    "header-overflow.safetensors",
    "header-dtype.safetensors",
    "header-empty.safetensors",
    "nan.pt",
    "infinite.pt",
    "shape.pt",
    "three-classes.pt",
    "one-tensor.pt",
    "a-list.pt",
    "no-tensors.pt",
    "optimizer-only.pt",
    "expanded.pt",
    "sparse.pt",
    "complex.pt",
    "float8.pt",
    "meta.pt",
    "unknown-network.pt",
    "half-a-network.pt",
    "no-classifier.pt",
    "squeeze.pt",
    "mask-shape.pt",
    "unicode",
    "300-bytes",
    "escaping",
)


class Runs:
    """Unpickled by Python's own unpickler, it calls `function(*arguments)`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def good_state() -> dict[str, torch.Tensor]:
    from core.engine.models import build_model
    from core.study.settings import ModelSettings

    settings = ModelSettings(architecture="resnet_small", image_size=32)
    return build_model(settings, 20, seed=0).state_dict()


def make(folder: Path, canary: Path) -> dict[str, Path]:
    """At least 40 files below `folder`, each to be refused in a sentence."""
    state, files = good_state(), {}
    touch = f"touch {canary}"

    def put(name: str, content: bytes, at: str | None = None) -> None:
        files[name] = folder / (at or name)
        files[name].write_bytes(content)

    def saved(name: str, what: Any, **options: Any) -> None:
        files[name] = folder / name
        torch.save(what, files[name], **options)

    _programs(put, saved, touch, canary, state)
    _cut_off(put, state)
    _archives(put, state, touch)
    _not_checkpoints(put, files, folder, state)
    _safetensors(put, state)
    _tensors(saved, state)
    _names(put, folder)
    return files


def _programs(put: Any, saved: Any, touch: str, canary: Path, state: Any) -> None:
    write = f"open({str(canary)!r}, 'w').close()"
    put("os-system.pt", pickle.dumps(Runs(os.system, touch)))
    put("os-system-protocol-0.pt", pickle.dumps(Runs(os.system, touch), protocol=0))
    put("exec.pt", pickle.dumps(Runs(builtins.exec, write)))
    put("eval-in-dict.pth", pickle.dumps({"state_dict": Runs(builtins.eval, write)}))
    saved("archive-os-system.pt", {"state_dict": state, "x": Runs(os.system, touch)})
    saved("archive-exec.pt", {"weights": state, "epoch": Runs(builtins.exec, write)})
    saved("archive-only-program.ckpt", Runs(os.system, touch))
    saved("legacy-os-system.pt", Runs(os.system, touch), _use_new_zipfile_serialization=False)
    saved("whole-model.pt", torch.nn.Sequential(torch.nn.Linear(2, 2)))
    # A program hidden behind a stand-in's name, which has to stay without power.
    saved("getattr.pt", {"w": torch.ones(2), "x": Runs(builtins.getattr, "a", "upper")})
    put("subprocess.bin", b"\x80\x02csubprocess\nPopen\n(]\x58\x05\x00\x00\x00touchatR.")


def _cut_off(put: Any, state: Any) -> None:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    whole, plain = buffer.getvalue(), to_safetensors(state)
    for share in (1, 30, 60, 99):
        put(f"archive-cut-at-{share}.pt", whole[: len(whole) * share // 100])
        put(f"safetensors-cut-at-{share}.safetensors", plain[: len(plain) * share // 100])
    old = io.BytesIO()
    torch.save(state, old, _use_new_zipfile_serialization=False)
    put("legacy-cut.pt", old.getvalue()[: len(old.getvalue()) // 2])
    put("archive-without-last-byte.pt", whole[:-1])
    put("archive-middle-zeroed.pt", _zeroed_directory(whole))


def _zeroed_directory(whole: bytes) -> bytes:
    at = whole.rindex(b"PK\x01\x02")
    return whole[: at - 4000] + bytes(4000) + whole[at:]


def _zip(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _archives(put: Any, state: Any, touch: str) -> None:
    program = pickle.dumps(Runs(os.system, touch), protocol=2)
    put("zip-with-program.pt", _zip({"archive/data.pkl": program, "archive/version": b"3"}))
    put("zip-of-photos.pt", _zip({"one.jpg": b"x", "two.jpg": b"y"}))
    put("empty.zip", _zip({}))
    zeros = bytes(40 * 2**20)
    put("zip-bomb.pt", _zip({"archive/data.pkl": b"}.", "archive/data/0": zeros}, 8))
    put("zip-bomb-pickle.pt", _zip({"archive/data.pkl": zeros}, 8))
    put("zip-of-many.pt", _zip({f"archive/data/{n}": b"" for n in range(21_000)}))
    put("zip-lying-size.pt", _lying(_zip({"archive/data.pkl": b"}.", "archive/data/0": b"1234"})))
    put("zip-escaping.pt", _zip({"archive/data.pkl": b"}.", "archive/../../etc/passwd": b"x"}))
    put("zip-absolute.pt", _zip({"/archive/data.pkl": b"}."}))
    put("zip-long-name.pt", _zip({"archive/data.pkl": b"}.", "archive/" + "n" * 400: b""}))
    put("torchscript.pt", _zip({"m/data.pkl": b"}.", "m/code/__torch__.py": b"", "m/version": b""}))
    with io.BytesIO() as buffer, tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("pickle"))
        archive.close()
        put("tar.pt", buffer.getvalue())
    deep = b"\x80\x02" + b"(" * 2_000_000 + b"."
    put("deep-pickle.pt", _zip({"archive/data.pkl": deep, "archive/version": b"3"}))


def _lying(archive: bytes) -> bytes:
    """The table of contents says a member has 3 GB."""
    at = archive.rindex(b"PK\x01\x02")
    huge = struct.pack("<II", 3 * 2**30, 3 * 2**30)
    return archive[: at + 20] + huge + archive[at + 28 :]


def _not_checkpoints(put: Any, files: Any, folder: Path, state: Any) -> None:
    picture = io.BytesIO()
    Image.new("L", (64, 64), 90).save(picture, "JPEG")
    put("photo.pt", picture.getvalue())
    picture = io.BytesIO()
    Image.new("L", (8, 8)).save(picture, "PNG")
    put("photo.safetensors", picture.getvalue())
    put("empty.pt", b"")
    put("one-byte.pt", b"\x80")
    put("text.pt", b"weights are attached, see below\n" * 50)
    put("page.pt", b"<!doctype html><title>404</title>")
    put("noise.pt", zlib.compress(bytes(range(256)) * 300))
    put("gzipped.pt", b"\x1f\x8b\x08\x00" + bytes(60))
    put("keras.h5", b"\x89HDF\r\n\x1a\n" + bytes(200))
    put("script.sh", b"#!/bin/sh\ntouch canary\n")
    files["folder.pt"] = folder / "folder.pt"
    files["folder.pt"].mkdir()
    files["pipe.pt"] = folder / "pipe.pt"
    os.mkfifo(files["pipe.pt"])
    files["nowhere.pt"] = folder / "nowhere.pt"
    files["nowhere.pt"].symlink_to(folder / "gone")
    files["device.pt"] = folder / "device.pt"
    files["device.pt"].symlink_to("/dev/zero")


def _safetensors(put: Any, state: Any) -> None:
    def with_header(header: bytes, content: bytes = b"\0" * 16) -> bytes:
        return struct.pack("<Q", len(header)) + header + content

    def of(offsets: list[int], shape: list[int], dtype: str = "F32") -> bytes:
        entry = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
        return json.dumps({"fc.weight": entry}).encode()

    put("header-too-long.safetensors", struct.pack("<Q", 2**62) + b"{" + bytes(50))
    put("header-longer-than-file.safetensors", struct.pack("<Q", 900) + b"{}" + bytes(50))
    put("header-no-json.safetensors", with_header(b"{not json at all}"))
    put("header-deep.safetensors", with_header(b'{"a":' * 100_000))
    put("header-offsets-outside.safetensors", with_header(of([0, 1600], [400])))
    put("header-offsets-wrong.safetensors", with_header(of([8, 4], [1])))
    put("header-shape-lies.safetensors", with_header(of([0, 16], [1_000_000, 1_000_000])))
    put("header-overflow.safetensors", with_header(of([0, 16], [2**33, 2**33])))
    put("header-dtype.safetensors", with_header(of([0, 16], [16], "F8_E4M3")))
    put("header-empty.safetensors", with_header(b"{}", b""))


def _tensors(saved: Any, state: Any) -> None:
    name = "stages.0.conv1.weight"

    def changed(**others: Any) -> dict[str, Any]:
        return {**state, **{key.replace("__", "."): value for key, value in others.items()}}

    saved("nan.pt", {**state, name: torch.full_like(state[name], float("nan"))})
    saved("infinite.pt", {**state, name: torch.full_like(state[name], float("inf"))})
    saved("shape.pt", {**state, name: torch.ones(7, 7, 3, 3)})
    three = {k: v[:3] if k.startswith("classifier") else v for k, v in state.items()}
    saved("three-classes.pt", three)
    saved("one-tensor.pt", torch.ones(3))
    saved("a-list.pt", [1, 2, 3])
    saved("no-tensors.pt", {"epoch": 3, "state_dict": {}})
    saved("optimizer-only.pt", {"optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}}})
    saved("expanded.pt", {**state, name: torch.zeros(1).expand(10**6, 10**6)})
    saved("sparse.pt", {**state, name: torch.eye(4).to_sparse()})
    saved("complex.pt", {**state, name: torch.ones(4, dtype=torch.complex64)})
    saved("float8.pt", {**state, name: torch.ones(4).to(torch.float8_e4m3fn)})
    saved("meta.pt", {**state, name: torch.empty(4, device="meta")})
    saved("unknown-network.pt", {f"encoder.{n}.q": torch.ones(4, 4) for n in range(5)})
    cut = {key: value for key, value in state.items() if not key.startswith("stages.3")}
    saved("half-a-network.pt", cut)
    saved("no-classifier.pt", {k: v for k, v in state.items() if "classifier" not in k})
    saved("squeeze.pt", {**state, "stages.0.se.fc1.weight": torch.ones(4, 4)})
    masked = {**state, f"{name}_orig": state[name], f"{name}_mask": torch.ones(2)}
    del masked[name]
    saved("mask-shape.pt", masked)


def _names(put: Any, folder: Path) -> None:
    put("unicode", b"no", at="Röntgen \u202e\u0007胸.pt")
    put("300-bytes", b"no", at="x" * 240 + ".pt")
    (folder / "inner").mkdir()
    put("escaping", b"no", at="inner/../escaping ..%2f.pt")


def one_good(folder: Path) -> Path:
    """The network that the broken ones were made of."""
    path = folder / "good.safetensors"
    save_file(good_state(), path)
    return path
