"""Whether outputs seem to stand for other classes than they are taken for, by what they rank high.

Each output's AUROC for each class is measured on the preflight's sample; the assignment with the
largest sum of AUROCs is the best order (Kuhn, *Naval Research Logistics Quarterly* 1955). It often
differs from the order in force by luck, so a change is said only where (1) its gain is beyond luck,
over all pairs that could have been found (Bonferroni), (2) no output ranks a class better than the
one that seems to stand for it, and (3) that one ranks it well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy  # its submodules load when first used

from core.analysis.influence import influences
from core.checkpoints.checks import Moved

FEW = 5  # positives, and negatives, below which a class is left where it is
LEAST_AUROC = 0.65  # that a moved output has for its new class
LEVEL = 0.05


@dataclass(frozen=True)
class Ranked:
    """How well each output ranks each class, of the classes with FEW positives and negatives.

    `measured` are their columns; area (outputs, classes); spread (outputs, classes, patients) what
    each patient adds to it; of_luck (classes,) a random order's variance: 1 / (12 P) + 1 / (12 N),
    below which AUROCs of few positives do not fall.
    """

    measured: np.ndarray
    area: np.ndarray
    spread: np.ndarray
    of_luck: np.ndarray

    @property
    def far(self) -> float:
        """Deviations of a gain beyond luck, over all pairs that could have been found."""
        n = len(self.measured)
        return float(scipy.stats.norm.isf(LEVEL / max(n * (n - 1) / 2, 1)))

    def clear(self, outputs: Sequence[int], classes: Sequence[int]) -> bool:
        """Whether each output ranks its class well, and no other output ranks it better."""
        area = self.area[outputs, classes]
        others = self.area - np.sqrt(self.of_luck)  # few positives are ranked well by chance
        best = others[:, classes].max(axis=0)
        return bool((area >= best).all() and (area >= LEAST_AUROC).all())

    def gain(self, outputs: Sequence[int], seems: Sequence[int]) -> tuple[float, float]:
        """Of AUROC in sum, if `outputs` stood for `seems`; and its deviation."""
        at, to = np.array(outputs), np.array(seems)
        gain = self.area[at, to].sum() - self.area[at, at].sum()
        of_patients = (self.spread[at, to] - self.spread[at, at]).sum(axis=0)
        # Each class is in two of the AUROCs.
        variance = max(float((of_patients**2).sum()), float(2 * self.of_luck[at].sum()))
        return float(gain), float(np.sqrt(variance))


def ranked(truth: np.ndarray, probabilities: np.ndarray, patients: np.ndarray) -> Ranked:
    """truth (images, classes) of 1, 0 and NaN; probabilities (images, classes), column c the output
    that is taken for class c; patients (images,)."""
    positives, negatives = (truth == 1).sum(axis=0), (truth == 0).sum(axis=0)
    measured = np.flatnonzero((positives >= FEW) & (negatives >= FEW))
    area, spread = _areas(truth[:, measured], probabilities[:, measured], patients)
    of_luck = (1 / positives[measured] + 1 / negatives[measured]) / 12
    return Ranked(measured, area, spread, of_luck)


def moved_outputs(found: Ranked) -> list[tuple[int, int, float, float]]:
    """(output, class it seems to stand for, AUROC for its own, AUROC for that one), by column."""
    area, measured = found.area, found.measured
    outputs, classes = scipy.optimize.linear_sum_assignment(area, maximize=True)
    best = dict(zip(outputs.tolist(), classes.tolist(), strict=True))
    moves = []
    for moved in _cycles(best):
        seems = [best[one] for one in moved]
        gain, deviation = found.gain(moved, seems)
        if found.clear(moved, seems) and gain > found.far * deviation:
            moves += [
                (int(measured[o]), int(measured[c]), float(area[o, o]), float(area[o, c]))
                for o, c in zip(moved, seems, strict=True)
            ]
    return sorted(moves)


def alike(found: Ranked, n_classes: int) -> list[tuple[int, int]]:
    """Pairs of the `n_classes` columns whose swap `moved_outputs` would not see: their classes have
    too few images, or their outputs rank them too badly, or as well as each other's."""
    at = {int(column): place for place, column in enumerate(found.measured)}
    clear = {place for place in at.values() if found.clear([place], [place])}
    pairs = []
    for one in range(n_classes):
        for other in range(one + 1, n_classes):
            swapped = [at.get(one, -1), at.get(other, -1)]
            if clear.issuperset(swapped):
                gain, deviation = found.gain(swapped, swapped[::-1])
                if -gain > found.far * deviation:
                    continue
            pairs.append((one, other))
    return pairs


def _areas(
    truth: np.ndarray, probabilities: np.ndarray, patients: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(outputs, classes) AUROC, and (outputs, classes, patients) what each patient adds to it."""
    codes = pd.factorize(patients)[0]
    n, n_patients = truth.shape[1], codes.max(initial=-1) + 1
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
