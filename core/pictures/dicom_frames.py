"""What a compressed frame's own header claims, before a decoder makes room for it."""

from __future__ import annotations

import struct

JP2 = b"\x00\x00\x00\x0cjP  "  # how a JPEG 2000 file begins, whose boxes hold the frame


def coded_size(frame: bytes) -> tuple[int, int, int] | None:
    """Rows, columns and samples a pixel in a JPEG, JPEG-LS or JPEG 2000 frame's own header; None
    for RLE, which has none. Raises ValueError where it has not exactly one."""
    if frame[:2] == b"\xff\xd8":
        return _jpeg_size(frame)
    if frame.startswith(JP2):
        _refuse_endless_boxes(frame)
    if frame.count(b"\xff\x4f\xff\x51") == 1:
        at = frame.index(b"\xff\x4f\xff\x51") + 8
        x1, y1, x0, y0 = struct.unpack_from(">4I", frame, at)
        return y1 - y0, x1 - x0, struct.unpack_from(">H", frame, at + 32)[0]
    if frame[:3] == b"\x00\x00\x00" or len(frame) < 64:  # how many segments: at most 15
        raise ValueError("neither JPEG nor RLE")
    return None


def _jpeg_size(frame: bytes) -> tuple[int, int, int]:
    at, found = 2, []
    while at + 4 <= len(frame) and frame[at] == 0xFF:
        kind = frame[at + 1]
        if kind == 0xFF or kind == 0x01 or 0xD0 <= kind <= 0xD8:  # fill, or a marker of no length
            at += 1 if kind == 0xFF else 2
            continue
        if kind == 0xDA:  # the scan begins
            break
        if kind == 0xF7 or (0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC)):
            found.append(struct.unpack_from(">HHB", frame, at + 5))
        at += 2 + struct.unpack_from(">H", frame, at + 2)[0]
    if len(found) != 1:
        raise ValueError(f"{len(found)} frame headers")
    return found[0]


def _refuse_endless_boxes(frame: bytes) -> None:
    """pydicom goes from box to box by their lengths, for ever where one is 0."""
    at = 12
    while at < len(frame) and frame[at + 4 : at + 8] != b"jp2c":
        length = int.from_bytes(frame[at : at + 4], "big")
        if length < 8:
            raise ValueError(f"a JP2 box of {length} bytes")
        at += length
