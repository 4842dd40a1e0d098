"""Decoders for pydicom: JPEG and RLE by imagecodecs, JPEG-LS and JPEG 2000 in another process.

pydicom's own plugins do not fit: Pillow's knows neither 12 bits nor lossless JPEG, GDCM ends the
whole process at a damaged frame (seen at SOF, SIZ and Huffman damage), pylibjpeg-libjpeg is under
the GPL, and pydicom's RLE unfolds a few bytes without bound. Of CharLS and OpenJPEG, which decode
JPEG-LS and JPEG 2000, see `core.pictures.frame_child`.
"""

from __future__ import annotations

import struct

import imagecodecs
import numpy as np
from pydicom import uid
from pydicom.pixels.common import PhotometricInterpretation
from pydicom.pixels.decoders.base import DecodeRunner

from core.pictures import frames
from core.pictures.frame_child import JPEG_2000, JPEG_LS

HTJ2K = (uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K)
# The package and the transfer syntaxes of each function below.
DECODERS = {
    "decode_jpeg": ("imagecodecs", (uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1)),
    "decode_jpeg_ls": ("jpeg_ls", (uid.JPEGLSLossless, uid.JPEGLSNearLossless)),
    "decode_jpeg_2000": ("openjpeg", (uid.JPEG2000Lossless, uid.JPEG2000, *HTJ2K)),
    "decode_rle": ("imagecodecs", (uid.RLELossless,)),
}
# pydicom asks a plugin module for this table and for `is_available`.
DECODER_DEPENDENCIES = {
    syntax: (package,) for package, syntaxes in DECODERS.values() for syntax in syntaxes
}


def is_available(syntax: str) -> bool:
    return syntax in DECODER_DEPENDENCIES


def decode_jpeg(frame: bytes, runner: DecodeRunner) -> bytes:
    """The samples of a JPEG frame as stored, colours untransformed."""
    space = None if runner.samples_per_pixel == 1 else "RGB"  # from and to: nothing changes
    samples = imagecodecs.jpeg8_decode(frame, colorspace=space, outcolorspace=space)
    runner.set_option("bits_allocated", 8 * samples.dtype.itemsize)
    runner.set_option("planar_configuration", 0)
    return samples.astype(samples.dtype.newbyteorder("<"), copy=False).tobytes()


def decode_jpeg_ls(frame: bytes, runner: DecodeRunner) -> bytes:
    """The samples of a JPEG-LS frame as stored, plane by plane or pixel by pixel."""
    found = frames.decode(JPEG_LS, frame, _n_samples(runner))
    runner.set_option("bits_allocated", 8 if found.bits <= 8 else 16)
    runner.set_option("planar_configuration", int(found.by_plane))
    return found.samples


def decode_jpeg_2000(frame: bytes, runner: DecodeRunner) -> bytes:
    """The samples of a JPEG 2000 frame, pixel by pixel, colours as RGB."""
    found = frames.decode(JPEG_2000, frame, _n_samples(runner))
    colours = runner.photometric_interpretation
    if colours in (PhotometricInterpretation.YBR_ICT, PhotometricInterpretation.YBR_RCT):
        runner.set_option("photometric_interpretation", PhotometricInterpretation.RGB)
    bits = runner.get_option("j2k_precision", runner.bits_stored)
    runner.set_option("bits_allocated", 8 if bits <= 8 else 16 if bits <= 16 else 32)
    return found.samples


def _n_samples(runner: DecodeRunner) -> int:
    return runner.rows * runner.columns * runner.samples_per_pixel


def decode_rle(frame: bytes, runner: DecodeRunner) -> bytes:
    """The bytes of an RLE frame, plane by plane; a segment of more than one plane is refused.

    DICOM PS3.5 annex G: 16 numbers of four bytes (how many segments, where each begins), then one
    segment a byte of a sample, the highest byte first.
    """
    n_bytes = runner.bits_allocated // 8
    n_segments = n_bytes * runner.samples_per_pixel
    count, *offsets = struct.unpack_from("<16I", frame)
    if count != n_segments:
        raise ValueError(f"{count} RLE segments where {n_segments} belong")
    ends = [*offsets[1:count], len(frame)]
    n_pixels = runner.rows * runner.columns
    planes = np.empty((runner.samples_per_pixel, n_pixels, n_bytes), np.uint8)
    for segment, (start, end) in enumerate(zip(offsets, ends, strict=False)):
        plane = bytearray(n_pixels + 1)  # a byte of padding is common
        used = len(imagecodecs.packbits_decode(frame[start:end], out=plane))
        if used < n_pixels:
            raise ValueError("an RLE segment ends early")
        sample, byte = divmod(segment, n_bytes)
        planes[sample, :, n_bytes - 1 - byte] = np.frombuffer(plane, np.uint8, n_pixels)
    runner.set_option("planar_configuration", 1)
    return planes.tobytes()
