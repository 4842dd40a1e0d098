"""Several runs at a time, each in a process of its own and on one thread.

On a processor small networks gain more from that than from many threads for one run, and their
numbers do not depend on how many processors there are: sums are added in the same order everywhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, Self

from core.errors import InputError, WorkError
from core.processes.spawning import spawning
from core.study.progress import Advance

# work(*arguments, advance): what a member does, told by one tuple of arguments.
Work = Callable[..., None]


class Crew:
    """Processes that wait for work until the `with` block is left. They end with this process."""

    def __init__(self, n: int) -> None:
        self._members = []
        # Not fork: torch's threads hold locks that a forked child would inherit.
        with spawning() as context:
            for _ in range(n):
                ours, theirs = context.Pipe()
                process = context.Process(target=_member, args=(theirs,), daemon=True)
                process.start()
                theirs.close()
                self._members.append((process, ours))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        for process, ours in self._members:
            ours.close()
            process.terminate()
            process.join()

    def do(self, work: Work, parts: Sequence[tuple], advance: Advance) -> None:
        """Do `work` with each of the parts, at most one a member, all at the same time.

        `advance(done, total)` hears the sums over parts. Raises what a part raises: InputError and
        WorkError as they are, else WorkError.
        """
        at_work = dict(zip((ours for _, ours in self._members), parts, strict=False))
        so_far: dict[Connection, tuple[int, int]] = {}
        for ours, part in at_work.items():
            ours.send((work, part))
        while at_work:
            ready = set(wait(list(at_work)))
            for ours in [one for one in at_work if one in ready]:
                said = _heard(ours)
                if isinstance(said, Exception):
                    raise said
                if said is None:
                    del at_work[ours]
                    continue
                so_far[ours] = said
                if len(so_far) == len(parts):  # else the total is not known yet
                    done, total = (sum(column) for column in zip(*so_far.values(), strict=True))
                    advance(done, total)


class Alone:
    """The same for one run at a time: the work is done here, on as many threads as torch takes."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        pass

    def do(self, work: Work, parts: Sequence[tuple], advance: Advance) -> None:
        (part,) = parts
        work(*part, advance)


def crew_size(wanted: int, n_runs: int) -> int:
    """As many as are wanted, with work, and have a processor."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    return max(1, min(wanted, n_runs, cores))


def _heard(ours: Connection) -> Any:
    try:
        return ours.recv()
    except (EOFError, ConnectionError):
        return WorkError(
            "A process that made a run ended too early, perhaps because memory ran out."
        )


def _member(theirs: Connection) -> None:
    import torch

    torch.set_num_threads(1)
    while True:
        try:
            work, part = theirs.recv()
            theirs.send(_done(work, part, theirs))
        except (EOFError, ConnectionError):
            return  # nobody waits for it any more


def _done(work: Work, part: tuple, theirs: Connection) -> Exception | None:
    try:
        work(*part, lambda done, total: theirs.send((done, total)))
    except (InputError, WorkError) as error:
        return error
    except ConnectionError:
        raise
    except Exception as error:
        return WorkError(f"{type(error).__name__}: {error}")
    return None
