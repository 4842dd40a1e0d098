"""What a researcher decides about a reader study, checked."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from core.errors import InputError
from core.people.access import GUEST, LOCAL
from core.results.agreements import PIE_SPARSITY
from core.wording.questions import LABELS, Form

ADDRESS = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+")
# The name of somebody who reads at a machine where nobody signs in; no e-mail address is one.
READER_NAME = re.compile(r"[^\W_][\w.-]{0,39}")
REPEATS = 0.1  # of the images: enough to see whether readers agree with themselves
Count = Annotated[int, Field(ge=2, le=500)]


class Plan(BaseModel):
    """What a researcher decides about a reader study.

    `matched`: each PIE comes with a non-PIE like it. `form`: the questions, see
    `core.wording.questions`. `repeats`: share of a reader's images shown twice. With
    `readers_per_image` above 0 every reader reads `anchors` images and some of the others, so that
    each of these has that many readers; at 0 every reader reads all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    readers: tuple[str, ...] = Field(min_length=1, max_length=200)
    n_pies: Count = 20
    n_non_pies: Count = 20
    sparsity: float = Field(PIE_SPARSITY, gt=0, lt=1)
    matched: bool = True
    form: Form = LABELS
    repeats: float = Field(REPEATS, ge=0, le=0.3)
    readers_per_image: int = Field(0, ge=0, le=200)
    anchors: int = Field(0, ge=0, le=1000)
    seed: int = Field(0, ge=0, le=2**32 - 1)
    reveal: bool = False

    @field_validator("readers")
    @classmethod
    def addresses(cls, readers: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(reader_address(reader) for reader in readers))

    @model_validator(mode="after")
    def whole(self) -> Plan:
        if self.matched and self.n_pies != self.n_non_pies:
            raise ValueError(
                f"a matched study has as many non-PIEs as PIEs; you asked for {self.n_non_pies} "
                f"and {self.n_pies}"
            )
        if self.readers_per_image >= max(len(self.readers), 2):
            raise ValueError(
                f"{self.readers_per_image} readers per image leave nothing to share among "
                f"{len(self.readers)}; 0 lets everybody read every image"
            )
        if self.readers_per_image and self.anchors >= self.n_pies + self.n_non_pies:
            raise ValueError(
                "everybody reads the anchors, so there must be fewer of them than images"
            )
        return self

    @property
    def n_blocks(self) -> int:
        """As many as readers, or 0 where every reader reads every image."""
        return len(self.readers) if self.readers_per_image else 0


def plan(**settings: object) -> Plan:
    """A checked plan. Raises InputError that says which setting is wrong."""
    try:
        return Plan.model_validate(settings)
    except ValidationError as error:
        raise InputError(_sentence(error.errors()[0])) from error


def _sentence(found: Any) -> str:
    message = found["msg"].removeprefix("Value error, ").rstrip(".")
    where = ".".join(str(part) for part in found["loc"][:1]).replace("_", " ")
    return f"{where}: {message}." if where else f"{message[0].upper()}{message[1:]}."


def reader_address(text: str) -> str:
    """An e-mail address in small letters; or, for a machine where nobody signs in, the name of
    somebody who reads there, or "local", the person at that machine. Raises InputError."""
    address = text.strip().lower()
    if address != GUEST.email and (ADDRESS.fullmatch(address) or READER_NAME.fullmatch(address)):
        return address
    raise InputError(
        f"{text.strip()[:80]!r} is no reader. Write an e-mail address, such as reader@clinic.org; "
        "or, for a machine without sign-in, a name of letters, digits, dots and dashes, or "
        f"{LOCAL.email!r} for yourself."
    )


def needs_no_sign_in(address: str) -> bool:
    """Whether it is a name rather than an e-mail address."""
    return "@" not in address


def split_addresses(text: str) -> list[str]:
    """Addresses as people type them: separated by commas, semicolons, spaces or new lines."""
    return [part for part in re.split(r"[\s,;]+", text) if part]
