"""Between which sparsities of a grid something lies, where the grid is too coarse to say where."""

import numpy as np
import pandas as pd
import pytest

from core.analysis import gaps
from core.analysis.forgettability import InterpolatedFirstDrop

GRID = np.array([0.0, 0.5, 0.6, 0.9])


@pytest.mark.parametrize(
    ("found", "low", "high"),
    [
        (0.1, 0, 0.5),
        (0.5, 0, 0.5),
        (0.55, 0.55, 0.55),
        (0.6, 0.6, 0.6),
        (0.61, 0.6, 0.9),
        (0.95, 0.95, 0.95),
        (np.inf, np.inf, np.inf),
        (np.nan, np.nan, np.nan),
    ],
)
def test_only_a_wide_gap_widens_what_is_known(found, low, high):
    ends = [end.item() for end in gaps.ends(np.array(found), GRID)]
    assert ends == pytest.approx([low, high], nan_ok=True)


def test_steps_of_ten_points_are_not_wide_whatever_floats_make_of_them():
    assert not any(gaps.is_wide(at / 10, (at + 1) / 10) for at in range(9))
    assert gaps.is_wide(0, 0.11)


@pytest.mark.parametrize(
    ("grid", "between"),
    [((0, 0.5, 0.7), None), ((0, 0.05, 0.1), 0.04), ((0, 0.1, 0.2), 0.08), ((0, 0.2, 0.3), None)],
)
def test_a_first_drop_is_read_between_grid_points_only_where_they_are_near(grid, between):
    """Edema, -25 % at the first pruned sparsity: the paper's number is that grid point."""
    curves = pd.DataFrame(
        {"class_name": "Edema", "sparsity": grid, "relative_ap_change": [0, -0.25, -0.3]}
    )
    row = InterpolatedFirstDrop()(curves).iloc[0]
    assert row["first_drop_sparsity"] == grid[1]
    if between is None:
        assert np.isnan(row["first_drop_interpolated"])
    else:
        assert row["first_drop_interpolated"] == pytest.approx(between)
    assert not row["first_drop_censored"]
