"""What a page shows: a study, which of its test images, and what was chosen of its numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from core.analysis.subgroup import Subgroup
from core.results.moments import moments
from core.results.slices import Slice
from core.study import paths
from core.study.config import StudyConfig
from core.study.study import ENSEMBLES, METRICS, PREDICTIONS, QUALITY, VALIDATION, Study

INPUTS = (METRICS, PREDICTIONS, ENSEMBLES, VALIDATION, QUALITY)


@dataclass(frozen=True)
class View:
    """`name`: of the study, as in the address. `subgroup`: the slice of its test images that the
    numbers are of, if any. `corrected`: the corrected edition, not the paper's; `relative`: change
    against dense, not values as measured. `sparsity`: None on pages without a choice."""

    name: str
    study: Study
    subgroup: Subgroup | None = None
    metric: str = ""
    corrected: bool = True
    relative: bool = True
    sparsity: float | None = None

    @property
    def config(self) -> StudyConfig:
        return self.study.config

    @property
    def folder(self) -> Path:
        return self.study.folder

    @property
    def title(self) -> str:
        return self.config.study.title or self.name

    @property
    def at(self) -> float:
        """The sparsity, of a view that has one."""
        assert self.sparsity is not None
        return self.sparsity

    @cached_property
    def part(self) -> Slice:
        return Slice(self.study, self.subgroup)

    @property
    def whole(self) -> View:
        """The same of all test images."""
        return replace(self, subgroup=None)

    @property
    def over_patients(self) -> bool:
        """Whether it is known what other patients would change: not in a subgroup, whose
        predictions are not read again, nor before all predictions of the study have been read once
        (`core.results.preparation`)."""
        return self.subgroup is None and moments.is_there(self.study)

    @property
    def key(self) -> str:
        """Changes with all that the numbers of this study and subgroup are made of, and once it is
        known what other patients would change."""
        known = modified(paths.paired_moments_path(self.folder))
        groups, made_from = self.config.groups, self.study.stamp(*INPUTS)
        return f"{self.folder} {made_from} {groups} {known} {self.subgroup}"

    @property
    def chosen(self) -> tuple[object, ...]:
        return self.metric, self.corrected, self.relative, self.sparsity

    def only(self, *choices: str) -> View:
        """The view with these of the choices, and the others as they are by default."""
        return View(
            self.name, self.study, self.subgroup, **{name: getattr(self, name) for name in choices}
        )

    def of(self, metric: str) -> View:
        """The same of a metric."""
        return replace(self, metric=metric)

    @property
    def about(self) -> tuple[str, ...]:
        """What the file of a figure is called by."""
        at = () if self.sparsity is None else (f"sparsity-{paths.percent(self.sparsity)}",)
        return self.metric, "corrected" if self.corrected else "paper", *at

    @property
    def tag(self) -> str:
        """What of the metric the file of a table is called by."""
        return "" if self.metric == "ap" else self.metric


def modified(path: Path) -> int:
    """When a file was last written; 0 if it does not exist. What caches are keyed on."""
    return path.stat().st_mtime_ns if path.exists() else 0
