"""Damage to bytes, drawn from a random.Random: what a bad disk does, and what a bad person does."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

# Where counts, sizes and offsets break: the ends of every integer, and just beside them.
NUMBERS = (0, 1, 2, 3, 7, 8, 15, 16, 127, 128, 255, 256, 4096, 8000, 32767, 32768, 65535, 65536)
HUGE = (10**6, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**40, 2**63 - 1, 2**63, 2**64 - 1)
MOST_BYTES = 8 * 2**20

Damage = Callable[[random.Random, bytearray], None]


def damaged(
    rng: random.Random, data: bytes, others: Sequence[bytes] = (), tokens: Sequence[bytes] = ()
) -> bytes:
    """`data` with one to a dozen wounds; `others` are spliced in, `tokens` are what the format is
    made of."""
    out = bytearray(data)
    focus = rng.choice((None, None, 64, 512, 4096))
    for _ in range(rng.choice((1, 1, 1, 2, 2, 4, 12))):
        if not out:
            break
        if others and rng.random() < 0.05:
            _splice(rng, out, rng.choice(others))
        elif tokens and rng.random() < 0.25:
            token, at = rng.choice(tokens), _place(rng, out, focus)
            out[at : at + rng.choice((0, len(token)))] = token
        else:
            rng.choice(DAMAGES)(rng, out) if focus is None else _within(rng, out, focus)
    return bytes(out[:MOST_BYTES])


def odd_number(rng: random.Random) -> int:
    """An integer that somebody forgot to think of."""
    number = rng.choice((*NUMBERS, *HUGE))
    return -number if rng.random() < 0.2 else number


def _place(rng: random.Random, out: bytearray, focus: int | None) -> int:
    return rng.randrange(min(len(out), focus or len(out)))


def _within(rng: random.Random, out: bytearray, focus: int) -> None:
    """Damage to the first bytes alone, where headers are."""
    head = out[:focus]
    rng.choice(DAMAGES)(rng, head)
    out[:focus] = head


def _flip(rng: random.Random, out: bytearray) -> None:
    out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)


def _byte(rng: random.Random, out: bytearray) -> None:
    out[rng.randrange(len(out))] = rng.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF, rng.randrange(256)))


def _number(rng: random.Random, out: bytearray) -> None:
    size = rng.choice((2, 4, 8))
    number = odd_number(rng) % 256**size
    at = rng.randrange(len(out))
    out[at : at + size] = number.to_bytes(size, rng.choice(("little", "big")))


def _cut(rng: random.Random, out: bytearray) -> None:
    del out[rng.randrange(len(out)) :]


def _remove(rng: random.Random, out: bytearray) -> None:
    at = rng.randrange(len(out))
    del out[at : at + rng.choice((1, 2, 4, 16, 100, 1000))]


def _repeat(rng: random.Random, out: bytearray) -> None:
    at, length = rng.randrange(len(out)), rng.choice((1, 2, 8, 40, 300, 2000))
    piece = out[at : at + length] * rng.choice((1, 2, 10, 100))
    out[at:at] = piece[: 2**18]


def _insert(rng: random.Random, out: bytearray) -> None:
    at = rng.randrange(len(out))
    out[at:at] = rng.randbytes(rng.choice((1, 2, 4, 16, 100)))


def _overwrite(rng: random.Random, out: bytearray) -> None:
    at, length = rng.randrange(len(out)), rng.choice((2, 8, 32, 256))
    length = min(length, len(out) - at)
    out[at : at + length] = rng.choice((bytes(length), b"\xff" * length, rng.randbytes(length)))


def _swap(rng: random.Random, out: bytearray) -> None:
    length = rng.choice((1, 4, 16, 200))
    one, other = rng.randrange(len(out)), rng.randrange(len(out))
    out[one : one + length], out[other : other + length] = (
        out[other : other + length],
        out[one : one + length],
    )


def _splice(rng: random.Random, out: bytearray, other: bytes) -> None:
    out[rng.randrange(len(out)) :] = other[rng.randrange(len(other) or 1) :]


DAMAGES: tuple[Damage, ...] = (
    *(_flip, _flip, _byte, _byte, _number, _number, _number),
    *(_cut, _remove, _repeat, _insert, _overwrite, _swap),
)
