"""How far the pruned ensemble departs from the dense one on each image, and the paper's PIEs."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pandas as pd

from core.analysis.pie import Pies, agreement
from core.results.kept import kept
from core.study import paths
from core.study.study import ENSEMBLES, Study

PIE_SPARSITY = 0.9


def paper_pies(study: Study, sparsity: float = PIE_SPARSITY) -> pd.DataFrame:
    """image_id, agreement, is_pie of the test images, in test-set order, from the ensembles.

    Raises InputError that lists the finished sparsities where that one, or dense, is missing.
    """
    study.require(0.0, sparsity)
    table = agreements(study)
    return Pies().of_agreement(table["image_id"], table[_column(sparsity)].to_numpy())


@kept(paths.agreements_path, version=1, inputs=(ENSEMBLES,))
def agreements(study: Study) -> pd.DataFrame:
    """image_id of the test images, in their order, and their `agreement` at every finished sparsity
    above 0, a column per whole percent."""
    dense = study.ensemble(0.0)
    grid = [sparsity for sparsity in study.grid if sparsity]
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # sorting lets the others run
        found = pool.map(lambda sparsity: agreement(dense, study.ensemble(sparsity)), grid)
        columns = dict(zip(map(_column, grid), found, strict=True))
    return pd.DataFrame({"image_id": study.test.image_ids.to_numpy()} | columns)


def _column(sparsity: float) -> str:
    return str(paths.percent(sparsity))
