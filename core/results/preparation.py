"""What pages need at once, made when a study is finished rather than when somebody waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from core.analysis.lost import LOST_BY
from core.errors import InputError
from core.results import evidence, image_curves, operating, slices
from core.results.agreements import agreements
from core.results.kept import Advance
from core.results.pies import pie_excess
from core.study.study import Study


def make_ready(study: Study, advance: Advance) -> None:
    """Agreement of every image at every sparsity, what is lost and raised, how well each class is
    found at its operating points, what may be claimed of the classes, what PIEs hold more of than
    dense models among themselves, the ranks that subgroups need, and the predictions laid out by
    image. What is there already is left; pages make what is missing.

    `advance(done, total)` hears of sparsities and cells.
    """
    cells = slices.unprepared(study)
    total = 5 + len(cells) + len(image_curves.unprepared(study))
    for done, _ in enumerate(_steps(study, cells), start=1):
        advance(min(done, total), total)
    advance(total, total)


def _steps(study: Study, cells: list[slices.Cell]) -> Iterator[None]:
    if len(study.grid) > 1:
        agreements(study)
        yield
        for by in LOST_BY:
            operating.lost_at(study, by)
            operating.raised_at(study, by)
        yield
        operating.operating_characteristics(study)
        yield
        with suppress(InputError):  # no run has both dense and pruned predictions
            evidence.make_ready(study)
        yield
        with suppress(InputError):  # 90 % is not on the grid
            pie_excess(study)
        yield
    for _ in slices.prepare(study, cells):
        yield
    for _ in image_curves.prepare(study):
        yield
