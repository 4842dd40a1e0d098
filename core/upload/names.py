"""Names of files that strangers gave them."""

from __future__ import annotations

import re
import unicodedata

LONGEST_NAME = 200


def shown_name(name: str) -> str:
    """A file's name as it may be shown: its last part, printable, of bounded length."""
    last = re.split(r"[\\/]", unicodedata.normalize("NFC", name))[-1]
    # Also what turns the writing direction round, so that "gpj.exe" could read as a picture.
    clean = "".join(c if c.isprintable() and unicodedata.category(c) != "Cf" else "?" for c in last)
    clean = clean.strip() or "unnamed"
    if len(clean) <= LONGEST_NAME:
        return clean
    return f"{clean[: LONGEST_NAME - 25]}...{clean[-20:]}"
