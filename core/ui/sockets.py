"""What the server sends goes out at once."""

from __future__ import annotations

import socket
from pathlib import Path

OPEN_FILES = Path("/dev/fd")  # of this process


def send_at_once() -> int:
    """Let no small message wait for the receipt of the one before (Nagle's algorithm), which the
    other side's system may hold back for 40 ms; how many listening sockets have been told.

    A connection inherits this from the socket that listens. asyncio asks for it itself, but only
    of sockets that were made with their protocol's number, and Streamlit's is not.
    """
    told = 0
    for number in [int(path.name) for path in OPEN_FILES.iterdir()]:
        try:
            found = socket.socket(fileno=number)
        except OSError:  # no socket, or closed by now
            continue
        try:
            if found.family in (socket.AF_INET, socket.AF_INET6) and found.getsockopt(
                socket.SOL_SOCKET, socket.SO_ACCEPTCONN
            ):
                found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                told += 1
        finally:
            found.detach()  # it stays its owner's
    return told
