"""The process behind one preflight: `python -m core.engine.foreign.preflight_child FOLDER`.

It reads `question.json`, tells how far it is in `progress.json`, and writes `answer.json`, whole or
not at all. One at a time works on a machine; the others wait their turn.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from pathlib import Path

from core.checkpoints.analyses import named_after
from core.checkpoints.preflights import read_question
from core.errors import InputError, WorkError
from core.processes import children
from core.processes.children import Teller
from core.study import store

SECONDS_IN_ALL = 1800  # drawing thousands of phantoms takes minutes; for ever is no answer


def main(folder: Path) -> None:
    logging.basicConfig(level=logging.INFO)
    signal.alarm(SECONDS_IN_ALL)  # ends the process, which reads as "broken"
    try:
        answer = _answer(folder, Teller(folder))
    except (InputError, WorkError) as error:
        answer = {"refusal": str(error)}
    store.write_json(answer, folder / "answer.json")


def _answer(folder: Path, tell: Teller) -> dict[str, object]:
    path, name, base, options = read_question(folder)
    with children.turn("preflights", tell, "Waiting for another preflight"):
        tell("Starting", 0, 1)
        from core.engine.foreign.preflight import preflight
        from core.engine.foreign.reading import Reader

        try:
            with Reader(children.scratch(folder, os.getpid())) as reader:
                report = preflight(path, base, options, tell, reader)
        except InputError as error:
            # The engine names the file as it lies on disk, by letters that occur nowhere else.
            raise InputError(str(error).replace(path.name, name)) from error
    return {"report": json.loads(named_after(report, name, path, base).to_json())}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
