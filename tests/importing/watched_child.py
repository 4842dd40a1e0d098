"""`core.importing.pickle_child` under Python's own watch: it does nothing that can be announced.

For the tests that have to know; a question that begins with UNRESTRICTED is unpickled as anybody
would, so that they know that they would.
"""

from __future__ import annotations

import pickle
import sys
from typing import Any

import numpy as np
import pyarrow as pa

from core.importing.pickle_child import answer
from core.processes.serving import serve

WATCHED, UNRESTRICTED = "about to do", b"unrestricted"
# Each may be the first step of something else than reading.
REFUSED = ("os.", "subprocess.", "socket.", "shutil.", "pty.", "ctypes.", "import", "open", "exec")


at_work = False


def watched(event: str, _: Any) -> None:
    if at_work and event.startswith(REFUSED):
        raise RuntimeError(f"{WATCHED} {event}")


def read(question: bytes) -> list[bytes]:
    global at_work
    at_work = True
    try:
        if question.startswith(UNRESTRICTED):
            return [repr(pickle.loads(question.removeprefix(UNRESTRICTED))).encode()]
        return answer(question)
    finally:
        at_work = False


if __name__ == "__main__":
    pa.array(np.zeros(1))
    sys.addaudithook(watched)
    serve(read)
