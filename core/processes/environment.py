"""What a child process that reads a stranger's file is told of us."""

from __future__ import annotations

import os

# No secret in the environment can be asked for.
PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "PYTHONPATH", "VIRTUAL_ENV", "LANG")


def environment() -> dict[str, str]:
    """All it needs, to work on one thread."""
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return passed_on | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
