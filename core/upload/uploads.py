"""Files that people upload: each in a folder of its own below `cache/uploads`, with a note.

The folder's name is drawn at random and signed into the address; what a person calls the file
stands in the note and never becomes a path. An upload is there once its note is: a folder without
one is half an upload, which goes as soon as nobody writes to it. Nothing here looks into a file.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from itsdangerous import BadData, URLSafeTimedSerializer

from core.errors import InputError, WorkError
from core.people import access, audit
from core.people.access import SEES_STUDIES, Visitor
from core.processes import children
from core.study import store
from core.study.environment import UPLOAD_LIMIT, environment
from core.study.paths import cache_dir
from core.upload.datasets import bytes_below, datasets_of
from core.upload.names import shown_name
from core.wording.amounts import size as shown_size

Kind = Literal["checkpoint", "dataset", "look"]
KINDS: tuple[Kind, ...] = ("checkpoint", "dataset", "look")

LIMIT = 2_000_000_000
UNITS = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}
QUOTA_IN_FILES = 20  # uploads and datasets of one person
QUOTA_IN_LIMITS = 5  # bytes that one person may keep here, in files of the largest size
AT_ONCE = 3  # uploads of one person
SPARE_DISK = 512 * 2**20  # left for studies that run meanwhile
MINUTES_TO_BEGIN = 15
SECONDS_TO_OPEN = 60
SECONDS_OF_A_LOOK = 1800

_begin_lock = threading.Lock()


@dataclass(frozen=True)
class Upload:
    """A file that has arrived whole. `name` is what its person calls it, safe to show."""

    id: str
    kind: Kind
    name: str
    person: str
    n_bytes: int
    sha256: str
    when: float

    @property
    def folder(self) -> Path:
        return upload_dir(self.id)

    @property
    def path(self) -> Path:
        return stored_path(self.id)


@dataclass(frozen=True)
class Ticket:
    """What an upload's address says: `person` may send one file of a kind, as upload `id`."""

    id: str
    kind: Kind
    person: str


def uploads_dir() -> Path:
    return cache_dir() / "uploads"


def upload_dir(upload_id: str) -> Path:
    return uploads_dir() / upload_id


def stored_path(upload_id: str) -> Path:
    return upload_dir(upload_id) / f"upload-{upload_id}"


def note_path(upload_id: str) -> Path:
    return upload_dir(upload_id) / "note.json"


def limit() -> int:
    """The most bytes of one file; PRUNESCOPE_UPLOAD_LIMIT changes it, such as 500M or 4G."""
    text = environment().upload_limit.strip()
    if not text:
        return LIMIT
    found = re.fullmatch(r"(\d{1,15})\s*([kmg]?)b?", text.lower())
    if not found or not int(found[1]):
        raise InputError(
            f"{UPLOAD_LIMIT} is {text[:40]!r}; allowed are bytes, or such as 500M or 4G."
        )
    return int(found[1]) * UNITS[found[2]]


def may_upload(visitor: Visitor | None) -> bool:
    """Researchers and administrators; nobody who came in without a name from elsewhere."""
    return (
        visitor is not None and not visitor.synthetic_only and visitor.person.role in SEES_STUDIES
    )


def why_not(visitor: Visitor) -> str:
    """The sentence for somebody who may not upload."""
    if visitor.synthetic_only:
        return (
            "Uploads are for people who sign in, or who sit at the server's own machine. Set up "
            "sign-in (docs/how-to/deploy.md) to allow them here."
        )
    role = visitor.person.role
    return f"Uploads are for researchers and administrators; your role here is {role}."


# Addresses


def address(kind: Kind, person: str) -> str:
    """Where this person may PUT one file within the next 15 minutes."""
    return f"/upload/{_serializer().dumps([secrets.token_hex(16), kind, person])}"


def read_ticket(token: str) -> Ticket | None:
    """What a token says, or None where it is forged, expired or malformed, all alike."""
    try:
        values = _serializer().loads(token, max_age=60 * MINUTES_TO_BEGIN)
    except BadData:
        return None
    if not (isinstance(values, list) and [type(value) for value in values] == [str] * 3):
        return None
    ticket = Ticket(*values)
    return ticket if is_id(ticket.id) and ticket.kind in KINDS else None


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(access.secret(), salt="upload")


def is_id(text: object) -> bool:
    return isinstance(text, str) and re.fullmatch(r"[0-9a-f]{32}", text) is not None


# What is there


def find(upload_id: object, person: str) -> Upload | None:
    """A whole upload of this person; None for what is not there and what is not theirs alike."""
    if not is_id(upload_id):
        return None
    found = _read(str(upload_id))
    return found if found and found.person == person else None


def uploads_of(person: str, kind: Kind | None = None) -> list[Upload]:
    """A person's whole uploads, newest first."""
    mine = [one for one in all_uploads() if one.person == person and kind in (None, one.kind)]
    return sorted(mine, key=lambda one: one.when, reverse=True)


def sweep() -> None:
    """Remove half uploads that nobody writes to any more, such as after a crash, and what children
    left that it ended."""
    if not uploads_dir().is_dir():
        return
    for folder in uploads_dir().iterdir():
        if is_id(folder.name) and not note_path(folder.name).exists() and _is_left(folder):
            shutil.rmtree(folder, ignore_errors=True)
    for one in all_uploads():  # looked at by nobody who waited for the answer
        if one.kind == "look" and time.time() - one.when > SECONDS_OF_A_LOOK:
            shutil.rmtree(one.folder, ignore_errors=True)
    for folder in uploads_dir().glob("*/preflights/*"):
        children.sweep(folder)


def _is_left(folder: Path) -> bool:
    """Whether nobody writes here. Another process may have made the folder this very moment."""
    if stored_path(folder.name).exists():
        return not _in_use(folder.name)
    try:
        return time.time() - folder.stat().st_mtime > SECONDS_TO_OPEN
    except OSError:
        return False


def all_uploads() -> Iterator[Upload]:
    """Everybody's whole uploads."""
    if uploads_dir().is_dir():
        for folder in uploads_dir().iterdir():
            if is_id(folder.name) and (found := _read(folder.name)):
                yield found


def _read(upload_id: str) -> Upload | None:
    try:
        note = store.read_json(note_path(upload_id))
        found = Upload(**note) if isinstance(note, dict) else None
    except (WorkError, InputError, TypeError, ValueError, OSError):
        return None
    return found if found and found.id == upload_id and found.path.is_file() else None


# Receiving


class Receiving:
    """An upload on its way: `write` takes its bytes as they come, `finish` makes it one.

    Its file is locked meanwhile, so that other processes can tell it from what a crash left.
    """

    def __init__(self, ticket: Ticket, name: str, n_bytes: int, file: BinaryIO) -> None:
        self.ticket, self.name, self.n_bytes = ticket, name, n_bytes
        self.received = 0
        self._file, self._digest = file, hashlib.sha256()

    def write(self, piece: bytes) -> None:
        """Raises WorkError where the disk is full."""
        self.received += len(piece)
        if self.received > self.n_bytes:
            raise InputError("More bytes came than were announced.")
        try:
            self._file.write(piece)
        except OSError as error:
            raise WorkError(f"The file could not be kept: {error.strerror}.") from error
        self._digest.update(piece)
        if shutil.disk_usage(uploads_dir()).free < SPARE_DISK // 2:
            raise WorkError("The server's disk has filled up meanwhile; the file was not kept.")

    def finish(self) -> Upload:
        if self.received < self.n_bytes:
            raise InputError(
                f"Only {shown_size(self.received)} of {shown_size(self.n_bytes)} arrived; the file "
                "was not kept. Send it again."
            )
        self._file.flush()
        os.fsync(self._file.fileno())
        done = Upload(
            id=self.ticket.id,
            kind=self.ticket.kind,
            name=self.name,
            person=self.ticket.person,
            n_bytes=self.n_bytes,
            sha256=self._digest.hexdigest(),
            when=time.time(),
        )
        about = {"upload": done.id, "file": done.name, "bytes": str(done.n_bytes)}
        audit.record(done.person, "upload", about | {"sha256": done.sha256})
        store.write_json(asdict(done), note_path(done.id))
        return done


@contextmanager
def receiving(ticket: Ticket, name: str, n_bytes: int) -> Iterator[Receiving]:
    """A place for an upload of `n_bytes`, taken away again unless it was finished.

    Raises InputError where it may not begin: too large, over the quota, sent already.
    """
    with _begin_lock:
        file = _begin(ticket, n_bytes)
    try:
        with file:
            yield Receiving(ticket, shown_name(name), n_bytes, file)
    finally:
        if not note_path(ticket.id).exists():
            shutil.rmtree(upload_dir(ticket.id), ignore_errors=True)


def refuse_size(n_bytes: int) -> None:
    """Raise InputError for a file that is empty or larger than is allowed."""
    if n_bytes <= 0:
        raise InputError("The file is empty (0 bytes).")
    if n_bytes > limit():
        raise InputError(
            f"The file has {shown_size(n_bytes)}; at most {shown_size(limit())} are taken here."
        )


def refuse_over_quota(person: str, n_bytes: int) -> None:
    """Raise InputError where a person keeps too much here, or the disk has no room. What was
    refused when it was looked at does not count: it makes way once its room is needed."""
    coming = list(_coming())
    mine = [size for who, size, _ in coming if who == person]
    if len(mine) >= AT_ONCE:
        raise InputError(f"{AT_ONCE} uploads of yours are on their way; wait until one has ended.")

    def kept() -> tuple[int, int]:
        n_files = len(uploads_of(person)) + len(datasets_of(person)) + len(mine)
        return n_files, kept_bytes(person) + sum(mine)

    n_kept, total = kept()
    if n_kept >= QUOTA_IN_FILES or total + n_bytes > allowed_bytes():
        _remove_refused(person)
        n_kept, total = kept()
    if n_kept >= QUOTA_IN_FILES:
        raise InputError(
            f"You keep {n_kept} uploads and datasets here, which is the most; delete one first."
        )
    if total + n_bytes > allowed_bytes():
        raise InputError(
            f"You keep {shown_size(total)} here, and {shown_size(allowed_bytes())} are the most; "
            "delete an upload or a dataset first."
        )
    uploads_dir().mkdir(parents=True, exist_ok=True)
    left = sum(size - there for _, size, there in coming)
    free = shutil.disk_usage(uploads_dir()).free - left - SPARE_DISK
    if n_bytes > free:
        raise InputError(
            f"The file has {shown_size(n_bytes)}, and the server's disk has room for "
            f"{shown_size(max(free, 0))}."
        )


def is_refused(upload: Upload) -> bool:
    """Whether everybody who looked into it refused to read it, and nobody looks now."""
    answers = [children.answer(folder, dict) for folder in upload.folder.glob("*/*")]
    return bool(answers) and all(one.refusal for one in answers)


def _remove_refused(person: str) -> None:
    for one in uploads_of(person):
        if is_refused(one):
            audit.record(person, "deletion", {"upload": one.id, "file": one.name, "why": "refused"})
            note_path(one.id).unlink(missing_ok=True)  # first: half a deletion is half an upload
            shutil.rmtree(one.folder, ignore_errors=True)


def kept_bytes(person: str) -> int:
    """What a person's files take: uploads, what was unpacked of them, and datasets."""
    sizes = [bytes_of(one) for one in uploads_of(person)]
    return sum(sizes) + sum(one.n_bytes for one in datasets_of(person))


def bytes_of(upload: Upload) -> int:
    """What an upload takes, with what was unpacked of it."""
    return upload.n_bytes + bytes_below(upload.folder / "looks")


def allowed_bytes() -> int:
    """The most that one person may keep."""
    return QUOTA_IN_LIMITS * limit()


def _begin(ticket: Ticket, n_bytes: int) -> BinaryIO:
    refuse_size(n_bytes)
    sweep()
    refuse_over_quota(ticket.person, n_bytes)
    try:
        upload_dir(ticket.id).mkdir(mode=0o700)
    except FileExistsError as error:
        raise InputError("This address was used already. Choose the file again.") from error
    file = open(stored_path(ticket.id), "xb")  # noqa: SIM115, closed by `receiving`
    fcntl.flock(file, fcntl.LOCK_EX)
    store.write_json({"person": ticket.person, "n_bytes": n_bytes}, _announced(ticket.id))
    return file


def _announced(upload_id: str) -> Path:
    return upload_dir(upload_id) / "announced.json"


def _coming() -> Iterator[tuple[str, int, int]]:
    """(person, bytes announced, bytes there) of uploads on their way."""
    if not uploads_dir().is_dir():
        return
    for folder in uploads_dir().iterdir():
        if is_id(folder.name) and not note_path(folder.name).exists() and _in_use(folder.name):
            with contextlib.suppress(WorkError, TypeError, KeyError, OSError):
                said: Any = store.read_json(_announced(folder.name))
                there = stored_path(folder.name).stat().st_size
                yield said["person"], said["n_bytes"], there


def _in_use(upload_id: str) -> bool:
    """Whether some process is writing the upload."""
    try:
        with open(stored_path(upload_id), "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False
