"""Schedules: the learning rate of each step, as a share of the one that is set."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

RISING = 0.3
FIRST = 0.04


def constant(passed: float) -> float:
    return 1.0


def one_cycle(passed: float) -> float:
    """From a twenty-fifth up to 1, then down to 0, each along half a cosine (Smith and Topin,
    *Super-Convergence*, 2019)."""
    if passed < RISING:
        return FIRST + (1 - FIRST) * _half_cosine(passed / RISING)
    return 1 - _half_cosine((passed - RISING) / (1 - RISING))


def _half_cosine(x: float) -> float:
    """0 at 0, 1 at 1."""
    return float(0.5 - 0.5 * np.cos(np.pi * x))


# share of all steps that have passed, 0 to below 1 -> factor on the learning rate
SCHEDULES: dict[str, Callable[[float], float]] = {"constant": constant, "one_cycle": one_cycle}
