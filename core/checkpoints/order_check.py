"""Whether outputs seem to stand for other classes than they are taken for, by what they rank high.

Each output's AUROC for each class is measured on the preflight's sample; the assignment with the
largest sum of AUROCs is the best order (Kuhn, *Naval Research Logistics Quarterly* 1955). It often
differs from the order in force by luck, so a change is said only where (1) its gain is beyond luck,
over all pairs that could have been found (Bonferroni), (2) no output ranks a class better than the
one that seems to stand for it, and (3) that one ranks it well.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy  # its submodules load when first used

from core.analysis.influence import influences
from core.checkpoints.checks import Moved

FEW = 5  # positives, and negatives, below which a class is left where it is
LEAST_AUROC = 0.65  # that a moved output has for its new class
LEVEL = 0.05


def moved_outputs(
    truth: np.ndarray, probabilities: np.ndarray, patients: np.ndarray
) -> list[tuple[int, int, float, float]]:
    """(output, class it seems to stand for, AUROC for its own, AUROC for that one), by column.

    truth (images, classes) of 1, 0 and NaN; probabilities (images, classes), column c the output
    that is taken for class c; patients (images,).
    """
    positives, negatives = (truth == 1).sum(axis=0), (truth == 0).sum(axis=0)
    measured = np.flatnonzero((positives >= FEW) & (negatives >= FEW))
    if len(measured) < 2:
        return []
    area, spread = _areas(truth[:, measured], probabilities[:, measured], patients)
    outputs, classes = scipy.optimize.linear_sum_assignment(area, maximize=True)
    best = dict(zip(outputs.tolist(), classes.tolist(), strict=True))
    n_pairs = len(measured) * (len(measured) - 1) / 2
    far = float(scipy.stats.norm.isf(LEVEL / n_pairs))
    # Of a random order: 1 / (12 P) + 1 / (12 N), which AUROCs of few positives do not fall below.
    of_luck = (1 / positives[measured] + 1 / negatives[measured]) / 12
    others = area - np.sqrt(of_luck)  # a class of few positives is ranked well by chance
    found = []
    for cycle in _cycles(best):
        moved = np.array(cycle)
        seems = np.array([best[one] for one in cycle])
        gain = area[moved, seems].sum() - area[moved, moved].sum()
        of_patients = (spread[moved, seems] - spread[moved, moved]).sum(axis=0)
        # Each class is in two of the AUROCs.
        variance = max(float((of_patients**2).sum()), float(2 * of_luck[moved].sum()))
        clear = (area[moved, seems] >= others[:, seems].max(axis=0)).all() and (
            area[moved, seems] >= LEAST_AUROC
        ).all()
        if clear and gain > far * np.sqrt(variance):
            found += [
                (int(measured[o]), int(measured[c]), float(area[o, o]), float(area[o, c]))
                for o, c in zip(moved, seems, strict=True)
            ]
    return sorted(found)


def _areas(
    truth: np.ndarray, probabilities: np.ndarray, patients: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(outputs, classes) AUROC, and (outputs, classes, patients) what each patient adds to it."""
    codes = pd.factorize(patients)[0]
    n, n_patients = truth.shape[1], codes.max() + 1
    area, spread = np.empty((n, n)), np.empty((n, n, n_patients))
    for output in range(n):
        for name in range(n):
            one = influences(truth[:, name], probabilities[:, output])["auroc"]
            area[output, name] = one.value
            spread[output, name] = np.bincount(codes, one.of_images, n_patients)
    return area, spread


def _cycles(order: dict[int, int]) -> list[list[int]]:
    """The cycles of a permutation that are longer than 1."""
    left, found = set(order), []
    while left:
        cycle = [min(left)]
        while (following := order[cycle[-1]]) != cycle[0]:
            cycle.append(following)
        left -= set(cycle)
        if len(cycle) > 1:
            found.append(cycle)
    return found


def proposal(
    classes: tuple[str, ...],
    names: tuple[str, ...],
    moved: list[tuple[int, int, float, float]],
) -> tuple[tuple[Moved, ...], tuple[str, ...]]:
    """What is moved, in words, and the class of each output ("" for none) once it is.

    classes: of each output in the file's order; names: of the columns of `moved_outputs`.
    """
    new = {names[at]: names[to] for at, to, _, _ in moved}
    said = tuple(
        Moved(classes.index(names[at]) + 1, names[at], names[to], own, other)
        for at, to, own, other in moved
    )
    return said, tuple(new.get(name, name) for name in classes)
