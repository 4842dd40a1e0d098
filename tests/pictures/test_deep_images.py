"""TIFF, PNG and JPEG files as people have them: greys equal a plain rendering to one grey, in the
model's picture, the thumbnail and the viewer."""

from __future__ import annotations

import io
import itertools
import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from core.pictures.deep import turned
from core.pictures.images import read_grey, read_samples, stored_size
from core.pictures.samples import BadImage
from tests.renderings import assert_shown, stretched

CASES = Path(__file__).parents[3] / "shared" / "cases"
here = pytest.mark.skipif(not CASES.is_dir(), reason="the reported files are not at ../shared")
RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)[:, :48]
RNG = np.random.default_rng(0)
LUMA = np.array([0.299, 0.587, 0.114])


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))


def tiff(path: Path, values: np.ndarray, **options) -> Path:
    tifffile.imwrite(path, values, **({"photometric": "minisblack"} | options))
    return path


# Grey TIFF


@pytest.mark.parametrize(
    "dtype", ["uint16", "int16", "uint32", "int32", "float16", "float32", "float64"]
)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("photometric", ["miniswhite", "minisblack"])
def test_deep_grey_tiff_of_every_type(tmp_path, dtype, order, photometric):
    values = RAMP.astype(dtype) - (2000 if dtype[0] != "u" else 0)
    path = tiff(tmp_path / "a.tif", values, byteorder=order, photometric=photometric)
    assert stored_size(path) == (48, 64)
    shown = stretched(values.astype(float))
    assert_shown(path, 1 - shown if photometric == "miniswhite" else shown)


@pytest.mark.parametrize("compression", ["zlib", "lzw", "packbits", "zstd", "lzma"])
@pytest.mark.parametrize("predictor", [False, True])
@pytest.mark.parametrize("layout", [{}, {"tile": (32, 32)}, {"rowsperstrip": 7}, {"bigtiff": True}])
def test_compressed_tiled_and_striped_white_is_zero(tmp_path, compression, predictor, layout):
    if compression == "packbits" and predictor:
        pytest.skip("PackBits has no predictor")
    for order in "<>":
        path = tiff(
            tmp_path / "a.tif", RAMP, photometric="miniswhite", compression=compression,
            predictor=predictor, byteorder=order, **layout,
        )  # fmt: skip
        assert_shown(path, 1 - stretched(RAMP.astype(float)))


def test_float_tiff_with_its_own_predictor_and_small_values(tmp_path):
    values = (RAMP / 4095 * 1e-6).astype(np.float32)
    path = tiff(tmp_path / "a.tif", values, compression="zlib", predictor=3)
    assert_shown(path, stretched(values.astype(float)))
    flat = tiff(tmp_path / "b.tif", np.full((9, 9), 0.3, np.float32))
    assert not read_grey(flat).any()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floats_that_are_none_are_refused(tmp_path, bad, dtype):
    values = RAMP.astype(dtype)
    values[3, 3] = bad
    with pytest.raises(BadImage, match="not finite"):
        read_grey(tiff(tmp_path / "a.tif", values))
    values[3, 3] = 0
    if dtype == "float64":
        values[:2, 0] = 1.7e308, -1.7e308
        with pytest.raises(BadImage, match="not finite"):
            read_grey(tiff(tmp_path / "b.tif", values))


def test_tiff_orientation_is_applied(tmp_path):
    for orientation in range(1, 9):
        path = tiff(tmp_path / "a.tif", RAMP, extratags=[(274, "H", 1, orientation, True)])
        as_png = tmp_path / "a.png"
        exif = Image.Exif()
        exif[274] = orientation
        Image.fromarray(RAMP).save(as_png, exif=exif)
        np.testing.assert_array_equal(read_grey(path), read_grey(as_png))
        assert_shown(path, stretched(turned(RAMP, orientation).astype(float)))


# 12 bits in 16-bit colours


def deep_colours(kind: str, top: int) -> tuple[np.ndarray, np.ndarray]:
    """The pixels of a kind of file, and their grey."""
    grey = (RAMP.astype(int) * top // 4095).astype(np.uint16)
    alpha = RNG.integers(0, 65536, grey.shape).astype(np.uint16)
    colours = RNG.integers(0, top + 1, (*grey.shape, 3)).astype(np.uint16)
    made = {
        "grey in RGB": np.dstack([grey] * 3),
        "RGB": colours,
        "grey in RGBA": np.dstack([grey, grey, grey, alpha]),
        "RGBA": np.dstack([colours, alpha]),
        "LA": np.dstack([grey, alpha]),
    }[kind]
    return made, colours @ LUMA if kind in ("RGB", "RGBA") else grey.astype(float)


KINDS = ("grey in RGB", "RGB", "grey in RGBA", "RGBA", "LA")


@pytest.mark.parametrize("top", [1023, 4095, 65535])
@pytest.mark.parametrize("kind", KINDS)
def test_deep_colours_of_png_are_stretched(tmp_path, kind, top):
    values, grey = deep_colours(kind, top)
    path = tmp_path / "a.png"
    path.write_bytes(imagecodecs.png_encode(values))
    assert_shown(path, stretched(grey))
    assert read_samples(path).values.max() > 255  # the lower bytes are there


def interlaced(values: np.ndarray, colour_type: int) -> bytes:
    """A 16-bit PNG whose seven passes are Adam7's: begin and step of columns and rows."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    passes = ((0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2),
              (0, 1, 1, 2))  # fmt: skip
    rows = [
        b"\0" + row.astype(">u2").tobytes()
        for x, dx, y, dy in passes
        for row in values[y::dy, x::dx]
    ]
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, colour_type, 0, 0, 1)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"".join(rows)))
    return b"\x89PNG\r\n\x1a\n" + data + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", KINDS)
def test_interlaced_deep_colours_of_png(tmp_path, kind):
    values, grey = deep_colours(kind, 4095)
    path = tmp_path / "a.png"
    path.write_bytes(interlaced(values, {2: 4, 3: 2, 4: 6}[values.shape[2]]))
    np.testing.assert_array_equal(imagecodecs.png_decode(path.read_bytes()), values)
    assert_shown(path, stretched(grey))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"planarconfig": "separate"}])
@pytest.mark.parametrize("kind", KINDS)
def test_deep_colours_of_tiff_are_stretched(tmp_path, kind, order, options):
    values, grey = deep_colours(kind, 4095)
    options = {"planarconfig": "contig"} | options
    if options["planarconfig"] == "separate":
        values = np.moveaxis(values, 2, 0)
    path = tiff(
        tmp_path / "a.tif", values, byteorder=order, extrasamples=["unassalpha"] * ("A" in kind),
        photometric="minisblack" if kind == "LA" else "rgb", **options,
    )  # fmt: skip
    assert_shown(path, stretched(grey))


def test_deep_colours_of_ppm_and_floats_in_rgb(tmp_path):
    values, grey = deep_colours("RGB", 4095)
    path = tmp_path / "a.ppm"
    for top in (4095, 65535):
        path.write_bytes(b"P6\n48 64\n%d\n" % top + values.astype(">u2").tobytes())
        assert_shown(path, stretched(grey))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BadImage, match="truncated"):
        read_grey(path)
    path = tiff(tmp_path / "a.tif", values.astype(np.float32), photometric="rgb")
    assert_shown(path, stretched(grey))


def test_8_bit_colours_stay_as_they_are(tmp_path):
    colours = RNG.integers(0, 200, (20, 30, 3)).astype(np.uint8)
    for name in ("a.png", "a.tif", "a.ppm"):
        Image.fromarray(colours).save(tmp_path / name)
        assert_shown(tmp_path / name, colours @ LUMA / 255)


def test_deep_colours_of_jpeg_2000_are_told(tmp_path):
    values, _ = deep_colours("RGB", 65535)
    path = tmp_path / "a.jp2"
    path.write_bytes(imagecodecs.jpeg2k_encode(values, reversible=True, level=0))
    told: set[str] = set()
    read_grey(path, repairs=told)
    assert told == {"depth"}


# Hot and dead pixels

FAR = {
    "one hot": (65535,),
    "one dead": (0,),
    "both": (65535, 0),
    "many": (65535, 64000, 63000, 0, 1) * 2,
    "a letter": (65535,) * 14,
}


@pytest.mark.parametrize("name", FAR)
@pytest.mark.parametrize("kind", ["png", "uint16", "float32", "int32", "rgb"])
def test_a_few_far_pixels_are_left_out_of_the_stretch(tmp_path, name, kind):
    values = (30000 + RAMP // 2).astype(np.uint16)
    values.ravel()[77 : 77 + len(FAR[name])] = FAR[name]
    if kind == "png":
        path = tmp_path / "a.png"
        Image.fromarray(values).save(path)
    elif kind == "rgb":
        path = tmp_path / "a.png"
        path.write_bytes(imagecodecs.png_encode(np.dstack([values] * 3)))
    else:
        path = tiff(tmp_path / "a.tif", values.astype(kind))
    near = values[(values > 20000) & (values < 50000)]
    expected = stretched(np.clip(values.astype(float), near.min(), near.max()))
    assert_shown(path, expected, "far_pixels")


@pytest.mark.parametrize(
    "values",
    [
        RAMP,  # even
        np.where(np.indices((64, 64))[0] < 2, 65535, np.arange(4096).reshape(64, 64)),  # a bar
        np.where(np.eye(64) > 0, 5000, np.arange(4096).reshape(64, 64)),  # near
        np.where(np.indices((64, 64)).sum(0) == 5, 4000, 0),  # a line on black: no picture beside
        np.array([[1000, 1010], [1020, 5080]]),  # too few to say
    ],
)
def test_where_nothing_says_what_is_far_all_values_count(tmp_path, values):
    path = tiff(tmp_path / "a.tif", values.astype(np.uint16))
    assert_shown(path, stretched(values.astype(float)))
    path = tiff(tmp_path / "b.tif", values.astype(np.float32))
    assert_shown(path, stretched(values.astype(float)))


# Phones' JPEGs


@pytest.mark.parametrize("n_previews", [1, 2])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_first_picture_of_a_phones_jpeg_is_read(tmp_path, mode, n_previews):
    picture = Image.fromarray((RAMP // 16).astype(np.uint8)).convert(mode)
    small = [picture.resize((12, 16)) for _ in range(n_previews)]
    path = tmp_path / "phone.jpg"
    picture.save(path, "MPO", save_all=True, append_images=small, quality=95)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=95)
    plain = np.asarray(Image.open(buffer).convert("L")) / 255
    assert stored_size(path) == (48, 64)
    assert_shown(path, plain, "preview")


def test_the_scans_of_a_phones_jpeg_are_counted_as_well(tmp_path, monkeypatch):
    picture = Image.fromarray((RAMP // 16).astype(np.uint8))
    path = tmp_path / "phone.jpg"
    picture.save(path, "MPO", save_all=True, append_images=[picture])
    monkeypatch.setattr("core.pictures.samples.MAX_SCANNED", 64 * 48)
    with pytest.raises(BadImage, match="scans"):
        read_grey(path)


# What may not be


def test_huge_and_damaged_deep_tiff_is_refused(tmp_path):
    path = tiff(tmp_path / "a.tif", RAMP)
    whole = path.read_bytes()
    for size in (len(whole) // 2, 60, 12):
        path.write_bytes(whole[:size])
        with pytest.raises(BadImage):
            read_grey(path)
    with tifffile.TiffFile(tiff(path, RAMP)) as opened:
        at = {tag.name: tag.valueoffset for tag in opened.pages[0].tags}
    content = bytearray(path.read_bytes())
    for name in ("ImageWidth", "ImageLength"):
        content[at[name] : at[name] + 4] = (9000).to_bytes(4, "little")
    path.write_bytes(content)
    for read in (read_grey, read_samples, stored_size):
        with pytest.raises(BadImage, match="claims 9,000 x 9,000"):
            read(path)
    with pytest.raises(BadImage, match="several frames"):
        read_grey(tiff(path, np.stack([RAMP, RAMP])))


def test_turning_is_that_of_pillow():
    from PIL import ImageOps

    for orientation in range(10):
        image = Image.fromarray(RAMP)
        image.getexif()[274] = orientation
        expected = np.asarray(ImageOps.exif_transpose(image))
        np.testing.assert_array_equal(turned(RAMP, orientation), expected)


# The reported files


def tiff_plain(name: str) -> np.ndarray:
    values = tifffile.imread(CASES / name).astype(float)
    if "miniswhite" in name:
        return 1 - (values / 255 if "t8" in name else stretched(values))
    return stretched(values @ LUMA if values.ndim == 3 else values)


def png_plain(name: str) -> np.ndarray:
    values = imagecodecs.png_decode((CASES / name).read_bytes()).astype(float)
    if "hot" in name:
        return stretched(np.minimum(values, values[values < 65535].max()))
    return stretched(values[..., 0] if values.shape[2] == 2 else values[..., :3] @ LUMA)


REPORTED = {
    "09-tiff-white-is-zero-16/t16_be_miniswhite.tif": [],
    "09-tiff-white-is-zero-16/t16_miniswhite.tif": [],
    "09-tiff-white-is-zero-16/t8_miniswhite.tif": [],
    "10-deep-colour-and-alpha/p16_la_12bit.png": [],
    "10-deep-colour-and-alpha/p16_rgb_12bit.png": [],
    "10-deep-colour-and-alpha/p16_rgba_12bit.png": [],
    "10-deep-colour-and-alpha/trgb16.tif": [],
    "13-hot-pixel/hotpixel.png": ["far_pixels"],
}


@here
@pytest.mark.parametrize("name", REPORTED)
def test_reported_files_show_what_is_right(name):
    plain = tiff_plain if name.endswith("tif") else png_plain
    assert_shown(CASES / name, plain(name), *REPORTED[name])


def test_every_repair_has_its_words():
    from core.pictures.repairs import REPAIRS, counted, sentences

    found = [(f"{key}.png", [key]) for key in REPAIRS] + [("again.png", ["slope"])]
    told = sentences(counted(itertools.chain(found)))
    assert len(told) == len(REPAIRS)
    assert f"2 images: {REPAIRS['slope']} (first: slope.png)." in told
