"""What pages need at once, made when a study is finished rather than when somebody waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from core.analysis.lost import LOST_BY
from core.errors import InputError
from core.results import (
    evidence_tables,
    image_curves,
    operating_tables,
    pie_tables,
    subgroups,
    tables,
)
from core.study import store


def make_ready(folder: Path, advance: Callable[[int, int], None]) -> None:
    """Agreement of every image at every sparsity, what is lost and raised, how well each class is
    found at its operating points, what may be claimed of the classes, what PIEs hold more of than
    dense models among themselves, the ranks that subgroups need, and the predictions laid out by
    image. What is there already is left; pages make what is missing.

    `advance(done, total)` hears of sparsities and cells.
    """
    cells, curves = subgroups.unprepared(folder), image_curves.key(folder)
    total = 5 + len(cells) + len(image_curves.unprepared(folder, curves))
    for done, _ in enumerate(_steps(folder, cells, curves), start=1):
        advance(min(done, total), total)
    advance(total, total)


def _steps(folder: Path, cells: list[subgroups.Cell], curves: str) -> Iterator[None]:
    if len(store.finished_ensembles(folder)) > 1:
        tables.agreements(folder)
        yield
        for by in LOST_BY:
            operating_tables.lost_at(folder, by)
            operating_tables.raised_at(folder, by)
        yield
        operating_tables.operating_characteristics(folder)
        yield
        with suppress(InputError):  # no run has both dense and pruned predictions
            tables.moments(folder)
            evidence_tables.make_ready(folder)
        yield
        with suppress(InputError):  # 90 % is not on the grid
            pie_tables.pie_excess(folder)
        yield
    for _ in subgroups.prepare(folder, cells):
        yield
    for _ in image_curves.prepare(folder, curves):
        yield
