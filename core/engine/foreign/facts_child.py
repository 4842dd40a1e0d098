"""The process behind a look at a checkpoint: `python -m core.engine.foreign.facts_child FOLDER`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from core.errors import InputError, WorkError
from core.processes import children
from core.processes.children import Teller

SECONDS_IN_ALL = 600


def report(folder: Path, tell: Teller) -> dict[str, Any]:
    asked = children.question(folder)
    if asked is None:
        raise WorkError("The question is gone.")
    path = Path(asked["path"])
    with children.turn("preflights", tell, "Waiting for another checkpoint"):
        tell("Starting", 0, 1)
        from core.engine.foreign.facts import facts
        from core.engine.foreign.reading import Reader

        try:
            with Reader(children.scratch(folder, os.getpid())) as reader:
                found = facts(path, listener=tell, reader=reader)
        except InputError as error:
            # The engine names the file as it lies on disk, by letters that occur nowhere else.
            raise InputError(str(error).replace(path.name, asked["name"])) from error
    return json.loads(found.to_json())


if __name__ == "__main__":
    children.work(report, SECONDS_IN_ALL)
