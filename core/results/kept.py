"""The one way to keep a result on disk: made once, read until what it is made of changes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zlib import crc32

import pandas as pd

from core.study import store
from core.study.columns import Columns
from core.study.study import Study

# done, total
Advance = Callable[[int, int], None]


@dataclass(frozen=True)
class Kept:
    """A table in a file of the study's folder, and those that are made together with it.

    Called with a study, and what the table is about (a sparsity, say), it reads the table, or makes
    and keeps all of them. They are kept under a key: over the version, which is raised when the
    computation changes, over the columns declared of them, over the files they are made of
    (`inputs` of `Study.stamp`), and over those of the kept tables that are used.
    """

    make: Callable[..., tuple[pd.DataFrame, ...]]
    files: tuple[Callable[..., Path], ...]
    version: int
    inputs: tuple[str, ...] = ()
    uses: tuple[Kept, ...] = ()
    columns: tuple[Columns, ...] = ()
    part: int = 0

    def beside(self, part: int) -> Kept:
        """The table in another of the files."""
        return replace(self, part=part)

    def __call__(self, study: Study, *at: Any, advance: Advance | None = None) -> pd.DataFrame:
        """`advance(done, total)` hears of the work, if there is any."""
        kept = self.read(study, *at)
        if kept is not None:
            return kept
        study = Study(study.folder)  # as its files are now, and not as they were when it was opened
        key = self.key(study)  # of what is read below, whatever changes meanwhile
        tables = self.make(study, *at, **({"advance": advance} if advance else {}))
        with suppress(OSError):  # a cache that may not be written only makes the next call slower
            # The first is written last: then all are there.
            for file, table in reversed(list(zip(self.files, tables, strict=True))):
                store.write_kept(table, file(study.folder, *at), key)
        return tables[self.part]

    def read(self, study: Study, *at: Any) -> pd.DataFrame | None:
        """The table if it is there and nothing has changed since, else None."""
        path = self.files[self.part](study.folder, *at)
        return store.read_kept(path, self.key(study)) if path.exists() else None

    def is_there(self, study: Study, *at: Any) -> bool:
        """Whether all tables are there to be read."""
        return store.is_kept(self.files[0](study.folder, *at), self.key(study))

    def key(self, study: Study) -> str:
        return f"{self._versions()} {study.stamp(*self._inputs())}"

    def _versions(self) -> str:
        names = " ".join(name for declared in self.columns for name in declared)
        own = f"{self.version}.{crc32(names.encode()):08x}" if names else str(self.version)
        return "-".join([own, *(used._versions() for used in self.uses)])

    def _inputs(self) -> tuple[str, ...]:
        return (*self.inputs, *(name for used in self.uses for name in used._inputs()))


def kept(
    file: Callable[..., Path],
    version: int,
    inputs: tuple[str, ...] = (),
    uses: tuple[Kept, ...] = (),
    columns: Columns | None = None,
) -> Callable[[Callable[..., pd.DataFrame]], Kept]:
    """Keep the one table that a function makes; see `Kept`."""

    def keep(make: Callable[..., pd.DataFrame]) -> Kept:
        def one(*args: Any, **options: Any) -> tuple[pd.DataFrame]:
            return (make(*args, **options),)

        return Kept(one, (file,), version, inputs, uses, (columns,) if columns else ())

    return keep
