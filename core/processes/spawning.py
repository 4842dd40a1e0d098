"""Processes that begin afresh: with the environment of now, and without this process's script.

A fork server keeps the environment it once started with. And every way of starting a process but
fork runs the parent's `__main__` again, which in a process that has shown a page is that page.
"""

from __future__ import annotations

import multiprocessing
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import SpawnContext
from types import ModuleType

_one_at_a_time = threading.Lock()


@contextmanager
def spawning() -> Iterator[SpawnContext]:
    """Start processes within the block, by this context; they import only what they work with."""
    with _one_at_a_time:
        script, nothing = sys.modules["__main__"], ModuleType("__main__")
        sys.modules["__main__"] = nothing
        try:
            yield multiprocessing.get_context("spawn")
        finally:
            if sys.modules["__main__"] is nothing:  # else a page has begun meanwhile
                sys.modules["__main__"] = script
