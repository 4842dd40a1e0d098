"""Grids of sparsities: which are allowed, and how people write them."""

from __future__ import annotations

import re

from core.errors import InputError


def checked_grid(values: tuple[float, ...]) -> tuple[float, ...]:
    """Raises ValueError for what are no whole percents rising from dense."""
    if any(abs(value * 100 - round(value * 100)) > 1e-9 for value in values):
        raise ValueError("sparsities are whole percents, such as 0.05")
    grid = tuple(round(value * 100) / 100 for value in values)
    if not grid or grid[0] != 0 or list(grid) != sorted(set(grid)) or grid[-1] >= 1:
        raise ValueError("sparsities start at 0 (dense), rise, and stay below 1")
    return grid


def grid_of(text: str) -> tuple[float, ...]:
    """The grid that a person writes in percent, "5, 10, 50": dense comes first, and each once.

    Raises InputError that names what is no sparsity.
    """
    found = {0}
    for part in filter(None, re.split(r"[\s,;%]+", text[:1000])):
        if not part.isascii() or not part.isdigit() or int(part) >= 100:
            raise InputError(
                f"{part[:20]!r} is no sparsity. Give whole percents from 0 to 99, such as 5, 10, "
                "50."
            )
        found.add(int(part))
    return tuple(percent / 100 for percent in sorted(found))
