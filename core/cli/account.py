"""Who works on the command line, and what the audit log says of it."""

from __future__ import annotations

from pathlib import Path


def logged_export(study: str, table: str) -> Path:
    """The folder of a study of which a table is about to leave, once the audit log says so."""
    from core.people.audit import record
    from core.study.store import find_study

    folder = find_study(study)
    record(who(), "export", {"study": folder.name, "table": table})
    return folder


def who() -> str:
    """Who works on the command line, for the audit log: the account of the operating system."""
    from getpass import getuser

    try:
        return f"local:{getuser()}"
    except (OSError, KeyError):  # a container's user may have no name
        return "local"
