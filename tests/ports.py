"""Ports of this machine for the servers that tests start."""

from __future__ import annotations

import os
import socket
from itertools import cycle

# Below those that systems lend to outgoing connections, and another hundred for each process, so
# that no two workers of pytest-xdist take the same port before its server listens.
_FIRST, _EACH = 20_000, 100
_numbers = cycle(range(_EACH))


def free_port() -> int:
    first = _FIRST + os.getpid() % 100 * _EACH
    for _ in range(_EACH):
        port = first + next(_numbers)
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"All ports from {first} to {first + _EACH - 1} are taken.")
