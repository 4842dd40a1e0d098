"""The wire format of protobuf: fields of a message, without its schema and without copies.

https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
Field = tuple[int, int, int | memoryview]


class Malformed(ValueError):  # noqa: N818, reads as what it names
    """Bytes that are no message."""


class Message:
    """One message; `budget` counts down the fields of a whole file, so that none keeps us."""

    def __init__(self, data: memoryview, budget: list[int]) -> None:
        self._data, self._budget = data, budget

    def __len__(self) -> int:
        return len(self._data)

    def fields(self) -> Iterator[Field]:
        """(number, wire type, value); a value is a number, or the bytes of what is longer."""
        data, at = self._data, 0
        while at < len(data):
            self._budget[0] -= 1
            if self._budget[0] < 0:
                raise Malformed("it has more parts than an honest one")
            key, at = varint(data, at)
            number, wire = key >> 3, key & 7
            value: int | memoryview
            if wire == VARINT:
                value, at = varint(data, at)
            else:
                if wire == BYTES:
                    length, at = varint(data, at)
                elif wire in (FIXED32, FIXED64):
                    length = 4 if wire == FIXED32 else 8
                else:  # groups, which protobuf 3 does not write
                    raise Malformed("it is cut off or damaged")
                if at + length > len(data):
                    raise Malformed("it is cut off or damaged")
                value, at = data[at : at + length], at + length
            yield number, wire, value

    def inside(self, number: int) -> Iterator[Message]:
        """The messages in the fields of this number."""
        for found, wire, value in self.fields():
            if found == number and wire == BYTES:
                assert isinstance(value, memoryview)
                yield Message(value, self._budget)

    def texts(self, number: int) -> list[str]:
        """The strings in the fields of this number."""
        return [bytes(one._data).decode("utf-8", "replace") for one in self.inside(number)]

    def text(self, number: int) -> str:
        """The last of them, "" without any: what protobuf takes where one is expected."""
        return (self.texts(number) or [""])[-1]

    def numbers(self, number: int) -> list[int]:
        """The signed whole numbers in the fields of this number, be they packed."""
        found = []
        for at, wire, value in self.fields():
            if at != number:
                continue
            if isinstance(value, int):
                found.append(_signed(value))
            elif wire == BYTES:
                place = 0
                while place < len(value):
                    one, place = varint(value, place)
                    found.append(_signed(one))
                    self._budget[0] -= 1
                    if self._budget[0] < 0:
                        raise Malformed("it has more parts than an honest one")
        return found

    def number(self, number: int, otherwise: int = 0) -> int:
        return (self.numbers(number) or [otherwise])[-1]

    def has(self, *numbers: int) -> bool:
        return any(found in numbers for found, _, _ in self.fields())

    def n_bytes(self, number: int) -> int:
        """How long the fields of this number are in all; a number counts as 8."""
        values = (value for found, _, value in self.fields() if found == number)
        return sum(8 if isinstance(value, int) else len(value) for value in values)


def varint(data: memoryview, at: int) -> tuple[int, int]:
    """The number at a place, and the place after it."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (2**64 - 1), at
    raise Malformed("it is cut off or damaged")


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value
