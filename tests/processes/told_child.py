"""A child that does what its question says."""

import os
import time
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.processes import children
from core.processes.children import Teller


def report(folder: Path, tell: Teller) -> dict[str, Any]:
    asked = children.question(folder)
    assert asked
    if asked["do"] == "sleep":
        time.sleep(60)
    if asked["do"] == "grow":
        bytearray(2**31)
    if asked["do"] == "refuse":
        raise InputError("This is no zip.")
    return {"variables": dict(os.environ)}


if __name__ == "__main__":
    children.work(report, seconds=3, memory=2**31)
