"""What pages need at once, made when a study is finished rather than when somebody waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from core import image_curves, pie_tables, store, subgroups, tables
from core.analysis.lost import LOST_BY
from core.errors import InputError


def make_ready(folder: Path, advance: Callable[[int, int], None]) -> None:
    """Agreement of every image at every sparsity, what is lost, the moments that safe sparsity
    needs, what PIEs hold more of at 90 % sparsity than dense models among themselves, the ranks
    that subgroups need, and the predictions laid out by image. What is there already is left; pages
    make what is missing.

    `advance(done, total)` hears of sparsities and cells.
    """
    cells, curves = subgroups.unprepared(folder), image_curves.key(folder)
    total = 4 + len(cells) + len(image_curves.unprepared(folder, curves))
    for done, _ in enumerate(_steps(folder, cells, curves), start=1):
        advance(min(done, total), total)
    advance(total, total)


def _steps(folder: Path, cells: list[subgroups.Cell], curves: str) -> Iterator[None]:
    if len(store.finished_ensembles(folder)) > 1:
        tables.agreements(folder)
        yield
        for by in LOST_BY:
            tables.lost_at(folder, by)
        yield
        with suppress(InputError):  # no run has both dense and pruned predictions
            tables.moments(folder)
        yield
        with suppress(InputError):  # 90 % is not on the grid
            pie_tables.pie_excess(folder)
        yield
    for _ in subgroups.prepare(folder, cells):
        yield
    for _ in image_curves.prepare(folder, curves):
        yield
