"""The process behind one preflight: `python -m core.engine.foreign.preflight_child FOLDER`.

It reads `question.json`, tells how far it is in `progress.json`, and writes `answer.json`, whole or
not at all. One at a time works on a machine; the others wait their turn.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from core.checkpoints.analyses import named_after
from core.checkpoints.preflights import read_question
from core.errors import InputError
from core.processes import children
from core.processes.children import Teller

SECONDS_IN_ALL = 1800  # drawing thousands of phantoms takes minutes; for ever is no answer


def report(folder: Path, tell: Teller) -> dict[str, Any]:
    path, name, base, options = read_question(folder)
    with children.turn("preflights", tell, "Waiting for another preflight"):
        tell("Starting", 0, 1)
        from core.engine.foreign.preflight import preflight
        from core.engine.foreign.reading import Reader

        try:
            with Reader(children.scratch(folder, os.getpid())) as reader:
                found = preflight(path, base, options, tell, reader)
        except InputError as error:
            # The engine names the file as it lies on disk, by letters that occur nowhere else.
            raise InputError(str(error).replace(path.name, name)) from error
    return json.loads(named_after(found, name, path, base).to_json())


if __name__ == "__main__":
    children.work(report, SECONDS_IN_ALL)
