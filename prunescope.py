"""PruneScope in a notebook: open a study, take its tables and figures, run one, analyze a network.

    import prunescope

    study = prunescope.open("demo")
    study.table("class_summary")  # a pandas frame
    study.figure("class_ap")  # a Plotly figure

Studies lie in the folder that PRUNESCOPE_CACHE names, or in `cache` of the working directory.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from core import results
from core.errors import InputError, WorkError
from core.reporting.figures import FIGURES, figure
from core.results.query import query
from core.study import store
from core.study import study as opened
from core.study.config import StudyConfig, read_config, with_overrides
from core.study.progress import read_progress

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["InputError", "Study", "WorkError", "analyze", "open", "run", "studies"]


@dataclass(frozen=True)
class Study:
    """A study as it is when opened; its numbers are those of the pages and of exports."""

    _study: opened.Study

    @property
    def name(self) -> str:
        return self._study.name

    @property
    def config(self) -> StudyConfig:
        """The settings that decide its numbers."""
        return self._study.config

    @property
    def labels(self) -> pd.DataFrame:
        """image_id, patient_id, path, split, a column per class (1, 0, missing) and attributes."""
        return self._study.labels.table.copy()

    @property
    def cells(self) -> list[tuple[int, float]]:
        """(run, sparsity) of every finished prediction, in order."""
        return list(self._study.cells)

    @property
    def tables(self) -> list[str]:
        """The names that `table` takes."""
        return list(results.TABLES)

    @property
    def figures(self) -> list[str]:
        """The names that `figure` takes."""
        return list(FIGURES)

    def table(self, name: str, subgroup: str | None = None, **options: Any) -> pd.DataFrame:
        """A table, such as "class_summary"; `docs/reference/tables.md` gives columns and units.

        subgroup: "sex:F,age:60-,view:PA" for the test images that meet all three conditions.
        options: `metric` ("ap", "somers_d", ...) and `sparsity`, a fraction, where the table takes
        one. What takes long is kept in the study's folder. Raises InputError that lists what is
        allowed.
        """
        return results.table(self._study, name, subgroup, **options).copy()

    def predictions(self, run: int, sparsity: float) -> pd.DataFrame:
        """image_id of the test images and a probability per class, float32, of one model.

        Raises WorkError where that cell is not finished; see `cells`.
        """
        return self._of_images(self._study.predictions(run, sparsity))

    def ensemble(self, sparsity: float) -> pd.DataFrame:
        """The mean of `predictions` over runs."""
        self._study.require(sparsity)
        return self._of_images(self._study.ensemble(sparsity))

    def figure(self, name: str, **options: Any) -> go.Figure:
        """A figure, such as "class_ap", with its finding as title.

        options: `metric` and `sparsity`, where the figure takes one. Raises InputError that lists
        the names.
        """
        chart = figure(self._study, name, **options)
        chart.figure.update_layout(
            title={"text": chart.title, "font": {"size": 15}}, margin={"t": 64}
        )
        return chart.figure

    def query(self, sql: str, subgroup: str | None = None) -> pd.DataFrame:
        """The answer to a `select` in DuckDB's SQL; `prunescope query --help` names the tables and
        functions. subgroup: as of `table`; every table then holds its images only."""
        return query(self._study, sql, subgroup)

    def _of_images(self, values: np.ndarray) -> pd.DataFrame:
        frame = pd.DataFrame(values, columns=list(self._study.labels.class_names))
        frame.insert(0, "image_id", self._study.test.image_ids)
        return frame

    def __repr__(self) -> str:
        return f"<prunescope.Study {self.name}: {len(self._study.cells)} finished predictions>"


def open(name: str) -> Study:
    """The study called `name`. Raises InputError that lists the names there are."""
    return Study(opened.find_study(name))


def studies() -> pd.DataFrame:
    """name, title, dataset, state and finished (predictions) of every study there is."""
    rows = []
    for folder, config in store.readable_studies():
        progress = read_progress(folder)
        rows.append(
            {
                "name": config.study.name,
                "title": config.study.title,
                "dataset": config.dataset.kind,
                "state": progress.state if progress else "finished",
                "finished": len(store.finished_cells(folder)),
            }
        )
    return pd.DataFrame(rows, columns=["name", "title", "dataset", "state", "finished"])


def run(config: StudyConfig | str | Path, *overrides: str) -> Study:
    """Train, prune and evaluate a study here and now, or go on with what it lacks.

    config: a study file or a config; overrides: "section.key=value", such as "runs.count=2".
    """
    from core.engine.pipeline import run_study  # loads torch

    if isinstance(config, StudyConfig):
        settings = with_overrides(config, overrides) if overrides else config
    else:
        settings = read_config(Path(config), overrides)
    return Study(opened.Study(run_study(settings)))


def analyze(
    checkpoint: str | Path, dataset: str | Path, study: str | None = None, **options: Any
) -> Study:
    """Prune a network that somebody trained over the whole grid, as a study like any other.

    checkpoint: a file of weights. dataset: the name of a study whose images to use, or a study
    file. study: what the new study is called. options: of `PreflightOptions`, such as `classes`,
    the class of each output. Raises InputError that says why a file is not fit.
    """
    from core.checkpoints.analyses import analysis_config
    from core.checkpoints.preflight import PreflightOptions
    from core.engine.foreign.preflight import preflight
    from core.engine.foreign.reading import Reader

    if Path(dataset).exists():
        base = read_config(Path(dataset))
    else:
        base = opened.find_study(str(dataset)).config
    with Reader() as reader:
        report = preflight(
            Path(checkpoint), base, PreflightOptions(**options), _nobody_listens, reader
        )
    return run(analysis_config(report, study))


def _nobody_listens(stage: str, done: int, total: int) -> None:
    pass
