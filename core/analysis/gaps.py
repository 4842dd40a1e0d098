"""What a grid of sparsities leaves unmeasured: nothing is read off a line across a wide gap."""

from __future__ import annotations

import numpy as np

# The paper's grid has steps of 5 points. A class can lose a quarter of its AP at 5 % sparsity and
# stay there, so a line from 0 to 50 % says nothing of where.
WIDE = 0.10
TINY = 1e-9


def is_wide(low: float, high: float) -> bool:
    """Whether neighbours on a grid lie too far apart to read a sparsity between them."""
    return high - low > WIDE + TINY


def ends(found: np.ndarray, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sparsities as far as the grid knows them: the ends of the wide gap that each lies in, or the
    sparsity itself, twice. What is missing, infinite or beyond the grid stays as it is."""
    if len(grid) < 2:
        return found, found
    after = np.clip(np.searchsorted(grid, found - TINY), 1, len(grid) - 1)
    low, high = grid[after - 1], grid[after]
    with np.errstate(invalid="ignore"):
        within = (high - low > WIDE + TINY) & (found > low) & (found <= high)
    return np.where(within, low, found), np.where(within, high, found)
