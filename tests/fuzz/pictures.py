"""Pictures that are no DICOM: every format that is read, and their ways of claiming too much."""

from __future__ import annotations

import io
import random
import struct
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from core.pictures.images import read_grey, read_samples, stored_size
from core.pictures.samples import BadImage
from tests.fuzz.mutations import damaged, odd_number

JPEG = tuple(b"\xff" + bytes([code]) for code in (0xC0, 0xC2, 0xC4, 0xDA, 0xDB, 0xDD, 0xE1, 0xD9))
TOKENS = (
    *JPEG,
    *(b"IHDR", b"IDAT", b"IEND", b"PLTE", b"tRNS", b"iCCP", b"zTXt", b"acTL", b"eXIf"),
    *(b"II*\0", b"MM\0*", b"BM", b"GIF89a", b"RIFF", b"WEBP", b"VP8L", b"ANIM", b"\xff\x51"),
    *(b"P5\n99999 99999\n255\n", b"P6\n", b"DICM", b"\0" * 128 + b"DICM"),
)
SIDES = (0, 1, 3, 4000, 8900, 16_000, 20_000, 65535, 2**31 - 1)
# Tags of TIFF that say where and how long things are.
TIFF = (256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 317, 322, 323, 324, 325, 338, 339, 347)


class Pictures:
    refusals = (BadImage,)

    def __init__(self, folder: Path) -> None:
        self.path, self.seeds = folder / "image.png", _seeds()

    def make(self, rng: random.Random) -> Path:
        data = rng.choice(self.seeds)
        what = rng.random()
        if what < 0.45:
            data = self._structured(rng, data)
        if what > 0.35:
            data = damaged(rng, data, self.seeds, TOKENS)
        self.path.write_bytes(data)
        return self.path

    def read(self, path: Path) -> None:
        """Header, picture and samples, as pages and studies ask for them."""
        width, height = stored_size(path)
        grey = read_grey(path, 32)
        assert (grey.shape, grey.dtype) == ((32, 32), np.uint8)
        assert read_samples(path).values.size == width * height

    def _structured(self, rng: random.Random, data: bytes) -> bytes:
        if data[:4] == b"\x89PNG":
            return _png_chunks(rng, data)
        if data[:2] == b"\xff\xd8":
            return _jpeg_segments(rng, data)
        if data[:2] in (b"II", b"MM"):
            return _tiff_entries(rng, data)
        return _odd_sides(rng, data)


def _seeds() -> list[bytes]:
    rng = np.random.default_rng(0)
    grey = Image.fromarray(rng.integers(0, 256, (40, 30), dtype=np.uint8))
    colour = Image.fromarray(rng.integers(0, 256, (24, 20, 3), dtype=np.uint8))
    deep = Image.fromarray(rng.integers(0, 4096, (24, 20), dtype=np.uint16))
    floats = Image.fromarray(rng.random((12, 10), dtype=np.float32))
    lab = colour.convert("LAB")
    lab.info.pop("icc_profile", None)  # Pillow's holds the time
    turned = Image.Exif()
    turned[0x0112] = 6
    kinds: list[tuple[Image.Image, str, dict[str, Any]]] = [
        (grey, "PNG", {}),
        (grey.convert("1"), "PNG", {}),
        (grey.convert("P"), "PNG", {"transparency": 3}),
        (colour.convert("RGBA"), "PNG", {"exif": turned}),
        (grey.convert("LA"), "PNG", {}),
        (deep, "PNG", {}),
        (grey, "JPEG", {}),
        (colour, "JPEG", {"progressive": True, "exif": turned}),
        (colour.convert("CMYK"), "JPEG", {"restart_marker_blocks": 1}),
        *((deep, "TIFF", {"compression": name}) for name in (None, "tiff_lzw", "packbits")),
        *((colour, "TIFF", {"compression": name}) for name in ("jpeg", "tiff_adobe_deflate")),
        (lab, "TIFF", {}),
        (grey.convert("1"), "TIFF", {"compression": "group4"}),
        (grey, "TIFF", {"compression": "zstd", "exif": turned}),
        (floats, "TIFF", {"compression": "lzma"}),
        (colour.convert("YCbCr"), "TIFF", {"compression": "jpeg"}),
        (grey, "BMP", {}),
        (colour, "BMP", {}),
        (grey, "GIF", {}),
        (colour, "WEBP", {"lossless": True}),
        (colour.convert("RGBA"), "WEBP", {"quality": 40}),
        (grey, "PPM", {}),
        (colour, "PPM", {}),
        (deep, "PPM", {}),
        (floats, "PPM", {}),
        (grey, "JPEG2000", {}),
        (colour, "JPEG2000", {"irreversible": True, "tile_size": (16, 16)}),
        (deep, "JPEG2000", {"no_jp2": True}),
        # Two frames: never read, but told from one by what is in the file.
        (grey, "GIF", {"save_all": True, "append_images": [grey.rotate(9)]}),
        (grey, "TIFF", {"save_all": True, "append_images": [grey]}),
        (grey, "PNG", {"save_all": True, "append_images": [grey.rotate(9)]}),
    ]
    made = []
    for image, name, options in kinds:
        buffer = io.BytesIO()
        image.save(buffer, name, **{k: v for k, v in options.items() if v is not None})
        made.append(buffer.getvalue())
    return made + _deep(rng)


def _deep(rng: np.random.Generator) -> list[bytes]:
    """Deep colours, and TIFF that Pillow does not write."""
    deep = rng.integers(0, 4096, (24, 20, 4), dtype=np.uint16)
    made = [imagecodecs.png_encode(np.ascontiguousarray(deep[:, :, :n])) for n in (2, 3, 4)]
    options: tuple[dict[str, Any], ...] = (
        {"byteorder": ">"},
        {"compression": "zlib", "predictor": True},
        {"tile": (16, 16), "compression": "lzw"},
        {"bigtiff": True, "compression": "packbits"},
    )
    for one in options:
        for values in (deep[:, :, 0], deep[:, :, 0].astype(np.float16), deep[:, :, :3]):
            if values.dtype.kind == "f" and "predictor" in one:
                continue
            kind = "rgb" if values.ndim == 3 else "miniswhite"
            buffer = io.BytesIO()
            tifffile.imwrite(buffer, values, photometric=kind, **one)
            made.append(buffer.getvalue())
    phone = Image.fromarray((deep[:, :, 0] >> 4).astype(np.uint8))
    buffer = io.BytesIO()
    phone.save(buffer, "MPO", save_all=True, append_images=[phone.resize((5, 6))])
    return [*made, buffer.getvalue(), b"P6\n20 24\n4095\n" + deep[:, :, :3].tobytes()]


def _png_chunks(rng: random.Random, data: bytes) -> bytes:
    """Chunks changed, moved and repeated, under checksums that hold."""
    chunks, at = [], 8
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(chunks))
        name, content = chunks[at]
        what = rng.randrange(6)
        if what == 0:
            sides = struct.pack(">II", rng.choice(SIDES), rng.choice(SIDES))
            kinds = bytes(rng.choice((0, 1, 2, 3, 4, 6, 8, 16)) for _ in range(5))
            chunks[0] = (b"IHDR", sides + rng.choice((kinds, chunks[0][1][8:])))
        elif what == 1 and content:
            chunks[at] = (name, damaged(rng, content))
        elif what == 2:
            chunks.insert(at, (rng.choice(TOKENS)[:4].ljust(4, b"a"), content))
        elif what == 3 and name == b"IDAT":  # far more, or less, behind what is packed
            chunks[at] = (name, zlib.compress(bytes(rng.choice((0, 10, 10**7))), 9))
        elif what == 4:
            chunks[at:at] = [chunks[at]] * rng.choice((1, 2, 300))
        else:
            text = b"a\0\0" + zlib.compress(bytes(10**7), 9)
            chunks.insert(at, (rng.choice((b"zTXt", b"iCCP", b"iTXt")), text))
    packed = (
        struct.pack(">I", len(content)) + name + content
        + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )  # fmt: skip
    return data[:8] + b"".join(packed)


def _jpeg_segments(rng: random.Random, data: bytes) -> bytes:
    """Frame headers of other sizes, segments damaged, scans repeated."""
    out = bytearray(data)
    for marker in (b"\xff\xc0", b"\xff\xc2"):
        at = out.find(marker)
        if at >= 0 and rng.random() < 0.5:
            out[at + 5 : at + 9] = struct.pack(
                ">HH", rng.choice(SIDES) % 65536, rng.choice(SIDES) % 65536
            )
    at = out.rfind(b"\xff\xda")
    if rng.random() < 0.4:
        scan = out[at:-2]
        out[at:at] = scan * rng.choice((1, 10, 300, 3000)) if len(scan) < 2000 else scan
    elif rng.random() < 0.5:
        head = damaged(rng, bytes(out[2:at]), (), JPEG)
        out[2:at] = head
    return bytes(out)


def _tiff_entries(rng: random.Random, data: bytes) -> bytes:
    """The entries of the first directory: types, counts, values and offsets."""
    order = "<" if data[:2] == b"II" else ">"
    out = bytearray(data)
    begin = struct.unpack_from(f"{order}I", out, 4)[0]
    n = struct.unpack_from(f"{order}H", out, begin)[0]
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = begin + 2 + 12 * rng.randrange(n)
        if at + 12 > len(out):
            continue
        what = rng.randrange(5)
        number = odd_number(rng) % 2**32
        if what == 0:
            struct.pack_into(f"{order}H", out, at, rng.choice(TIFF))
        elif what == 1:
            struct.pack_into(
                f"{order}H", out, at + 2, rng.choice((0, 1, 2, 3, 4, 5, 7, 12, 16, 99))
            )
        elif what == 2:
            struct.pack_into(f"{order}I", out, at + 4, number)
        elif what == 3:
            struct.pack_into(f"{order}I", out, at + 8, rng.choice((number, *SIDES[3:8])))
        else:  # the chain of directories
            end = begin + 2 + 12 * n
            struct.pack_into(f"{order}I", out, end, rng.choice((begin, 8, number)))
    return bytes(out)


def _odd_sides(rng: random.Random, data: bytes) -> bytes:
    """Another width and height, where the format keeps them."""
    out = bytearray(data)
    wide, high = rng.choice(SIDES), rng.choice(SIDES)
    if data[:2] == b"BM":
        struct.pack_into("<ii", out, 18, wide, rng.choice((high, -high)))
    elif data[:3] == b"GIF":
        struct.pack_into("<HH", out, 6, wide % 65536, high % 65536)
    elif data[:1] == b"P":
        end = out.index(b"\n", 3)
        out[3:end] = f"{wide} {high}".encode()
    elif (at := out.find(b"\xff\x51")) >= 0:
        struct.pack_into(">II", out, at + 6, wide, high)
    elif (at := out.find(b"VP8")) >= 0:
        at += 8 + rng.randrange(8)
        out[at : at + 2] = rng.randbytes(2)
    return bytes(out)
