"""The process in which doubtful frames are decoded: `python -m core.pictures.frame_child`.

CharLS takes 5 to 25 s over some damaged JPEG-LS frames of 500 bytes, and nothing stops it from
within; it and OpenJPEG keep Python waiting meanwhile. Here the kernel ends the process once a frame
has taken its time or memory, and `core.pictures.frames` has another started.

A question is a letter, JPEG_LS or JPEG_2000, and the frame; an answer is two bytes, the bits a
sample and whether it is by plane, and the samples.
"""

from __future__ import annotations

from core.processes.serving import serve

JPEG_LS, JPEG_2000 = b"L", b"J"


def main() -> None:
    import jpeg_ls
    import openjpeg

    def decode(question: bytes) -> tuple[bytes, bytearray]:
        if question[:1] == JPEG_2000:
            pixels = openjpeg.decode_pixel_data(question[1:], version=2)
            assert isinstance(pixels, bytearray)
            return b"\0\0", pixels
        samples, seen = jpeg_ls.decode_pixel_data(question[1:])
        by_plane = seen["components"] > 1 and not seen["interleave_mode"]
        return bytes([seen["bits_per_sample"], by_plane]), samples

    serve(decode)


if __name__ == "__main__":
    main()
