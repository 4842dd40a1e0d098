"""What pruning did to one image, and which images are shown, in plain sentences."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from core.analysis.gallery import EVERY, MODAL, PAPER, Z_SCORE
from core.analysis.image_curves import Fate, FindingFate
from core.analysis.lost import OPERATING_POINT, RANK, LostBy
from core.wording import words

WHAT_AGREEMENT_IS = (
    "Agreement is the rank correlation of all classes' probabilities between the dense and the "
    "pruned model: 1 where both order the classes alike, 0 where they have nothing in common."
)
NO_OPERATING_POINTS = (
    "This study keeps no validation predictions, so no class has an operating point. Findings can "
    "be lost and raised only by rank."
)
UNTIL = (
    "The finding is lost, or raised, at this sparsity or a smaller one. Which images are PIEs does "
    "not depend on it."
)
MOST_RAISED_TOLD = 6
NUMBERS = "Sensitivity, specificity and false alarms of every class"


def ways_to_be_lost(least: float) -> str:
    """What the two kinds of loss are. least: the specificity, and the smallest rank."""
    share = rank(least)
    return (
        f"Rank: the image ranked above {share} of the test images without the class when dense, "
        "and stays below that (lost); or it ranks that high from some sparsity on, and did not "
        "when dense (raised). Each sparsity is counted by itself: probabilities that rise together "
        "change no rank. Ranks are those of the mean over runs. Operating point: the probability, "
        "which reaches the dense model's operating point when dense, stays below it (lost), or "
        "reaches it from some sparsity on "
        f"though it did not when dense (raised). {share} of validation images without the class "
        "lie below that point, which is the same at every sparsity: where pruning makes "
        "probabilities rise, nothing is lost by it, and false alarms are raised. Lost is said of "
        "labelled classes, raised of classes the image is certain not to carry."
    )


# What is said of a finding, by what it is lost or raised by and by its fate.
FATES: dict[LostBy, dict[Fate, str]] = {
    OPERATING_POINT: {
        "no_limit": "has no operating point: no validation image is certain not to have it.",
        "stays": "stays above its operating point at every sparsity.",
        "below_dense": "is already below its operating point when dense, in {n} of {runs}.",
        "raised": "is raised from {at} sparsity on, in {n} of the {runs} that did not call it when "
        "dense: {from_to}.",
        "dips": "dips below its operating point at {at} sparsity, in {n} of the {runs} that had it "
        "when dense, but is above it again at the end of the grid.",
        "lost": "falls below its operating point at {at} sparsity: lost in {n} of the {runs} that "
        "had it when dense.",
    },
    RANK: {
        "no_limit": "has no rank: no test image is certain not to have it.",
        "stays": "ranks above {least} of the test images without it at every sparsity.",
        "below_dense": "ranks above only {dense} of the test images without it when dense "
        "already, short of {least}.",
        "raised": "is raised from {at} sparsity on: it ranks above {there} of the test images "
        "without it there, {dense} when dense (probability {from_to}).",
        "dips": "ranks above only {there} of the test images without it at {at} sparsity, but "
        "above {least} again at the end of the grid.",
        "lost": "no longer ranks above {least} of the test images without it from {at} sparsity "
        "on: above {there} there, {dense} when dense.",
    },
}


def fate(found: FindingFate) -> str:
    """What becomes of one finding of an image, in a sentence. The class name is as given."""
    label = {True: "labelled", False: "not labelled", None: "label uncertain"}[found.labelled]
    first, last = probability(found.dense_mean), probability(found.last_mean)
    said = FATES[found.by][found.fate].format(
        at=words.percent(found.at),
        n=found.n_changed,
        runs=words.count(found.n_before or 0, "run"),
        from_to=f"{first} when dense, {last} at {words.percent(found.last_sparsity)}",
        least=rank(found.least),
        dense=rank(found.dense_rank),
        there=rank(found.rank),
    )
    return f"{found.class_name} ({label}) {said}"


def headlines(fates: list[FindingFate]) -> list[FindingFate]:
    """What is said first: a labelled finding that is lost, and one that is raised, where there are
    such; else whatever is first."""
    found = [
        next((one for one in fates if one.fate == kind and bool(one.labelled) == labelled), None)
        for kind, labelled in (("lost", True), ("raised", False))
    ]
    return [one for one in found if one] or fates[:1]


def fates_told(fates: list[FindingFate]) -> list[str]:
    """A sentence for each but the headlines; of many raised findings the later ones by name
    only."""
    first = headlines(fates)
    rest = [found for found in fates if not any(found is one for one in first)]
    raised = [found for found in rest if found.fate == "raised"]
    unsaid = raised[MOST_RAISED_TOLD:]
    told = [fate(found) for found in rest if not any(found is other for other in unsaid)]
    if unsaid:
        last = words.percent(unsaid[-1].at)
        names = ", ".join(found.class_name for found in unsaid)
        told.append(f"{len(unsaid)} more are raised by {last} sparsity: {names}.")
    return told


SIMILAR = (
    "X-rays of other patients with the most similar predictions by the dense model: distance "
    "between the log-odds of all classes, means over runs. Similar to the model, not to the eye."
)


def rank(share: float | None) -> str:
    """A rank, rounded down: what is short of 90 % must not read as 90 %."""
    if share is None or math.isnan(share):
        return words.NONE
    value = rank_in_percent(share)
    return words.percent(value / 100, digits=0 if value % 1 == 0 else 1)


def rank_in_percent(share: float) -> float:
    """To one digit after the point, rounded down; NaN for none."""
    return math.nan if math.isnan(share) else math.floor(round(share * 1000, 3)) / 10


def probability(value: float | None) -> str:
    """Two significant digits: operating points of rare classes lie below 0.01."""
    if value is None or math.isnan(value):
        return words.NONE
    return f"{value:.2f}" if value >= 0.1 or value == 0 else f"{value:.2g}"


# Why a definition has no answer for any image.
NO_ANSWER = {
    MODAL: "Modal disagreement needs thresholds, and this study keeps no validation predictions to "
    "fix them on. Choose another definition.",
    Z_SCORE: "A z-score compares halves of the runs with each other. It takes 3 runs, and this "
    "study has fewer. Choose another definition.",
}


def fate_in_table(lost: float, raised: float) -> str:
    """lost at 85 %; sparsities in percent, NaN for none."""
    if not math.isnan(lost):
        return f"lost at {lost:.0f} %"
    return "" if math.isnan(raised) else f"raised at {raised:.0f} %"


def most_changed(changes: pd.DataFrame, sparsity: float) -> str:
    """Which finding moved most. changes: `image_change`. Names are as given."""
    top = changes.iloc[0]
    return (
        f"{top['class_name']} changes most: {probability(top['dense'])} dense, "
        f"{probability(top['pruned'])} at {words.percent(sparsity)}."
    )


def shown(
    definition: str,
    n_defined: int,
    n_images: int,
    n_shown: int,
    filtered: bool,
    of_all: bool = True,
) -> str:
    """How many images a definition takes, and how many of them the filters leave; `of_all` test
    images, or of those in a subgroup."""
    said = _shown(definition, n_defined, n_images, n_shown, filtered, of_all)
    return said if of_all else f"{said} in this subgroup"


def _shown(
    definition: str, n_defined: int, n_images: int, n_shown: int, filtered: bool, of_all: bool
) -> str:
    if definition == EVERY:
        text = f"{words.count(n_images, 'test image')}"
        return f"{n_shown:,} shown of {text}" if filtered else text
    if definition == PAPER:
        return words.pies_shown(n_defined, n_images, n_shown if filtered else None, of_all)
    by = {MODAL: "modal disagreement", Z_SCORE: "z-score below \u22122"}[definition]
    text = f"PIEs by {by}: {n_defined:,} of {words.count(n_images, 'test image')}"
    return f"{n_shown:,} shown of {text}" if filtered else text


def findings_first(
    fates: np.ndarray, n_raised: int, sparsity: float, by: str, can_be_lost: bool
) -> str:
    """What stands first in the order "Findings", and on how many images a finding is raised.
    fates: `gallery.order_fates` of what is shown, by one of LOST_BY; can_be_lost: whether anything
    can be lost by that."""
    n_lost, n_with = int((fates == 0).sum()), int((fates < 2).sum())
    at, how = words.percent(sparsity), "" if by == OPERATING_POINT else " in rank"
    told = f"First come {words.count(n_with, 'image')} labelled with a finding"
    if not n_with:
        told = "None of these images is labelled with a finding"
    if not can_be_lost:
        return f"{told}. {NO_OPERATING_POINTS}"
    raised = f"{n_raised:,} of these {words.count(len(fates), 'image')}"
    raised = (
        f"A finding that the image does not have is raised{how} on {raised}."
        if n_raised
        else f"No finding is raised{how} on any of these images."
    )
    if not n_with:
        return f"{told}. {raised}"
    if n_lost:
        told = f"{told}, of these first {n_lost:,} on which one is lost by {at} sparsity{how}."
        return f"{told} {raised}"
    if by == RANK:
        return f"{told}; none of these findings is lost in rank by {at} sparsity. {raised}"
    return (
        f"{told}; none of these findings is lost by {at} sparsity, that is, below its operating "
        "point from there on. That point is the dense model's: where pruning raises probabilities, "
        f"nothing falls below it, and false alarms rise instead. {raised} \u201cRank\u201d shows "
        "which images are no longer told apart."
    )


def loosen(left: dict[str, int], badges: dict[str, str]) -> str:
    """Which filter to take away where nothing is left. left: `Gallery.loosening`."""
    helping = [(badges[name], n) for name, n in left.items() if n]
    if not helping:
        return "No image meets these filters, and removing a single one would not help: reset them."
    text = "; ".join(f"without \u201c{badge}\u201d there are {n:,}" for badge, n in helping[:3])
    return f"No image meets all of these filters: {text}."


def image_caption(agreement: float, rank: int, n_images: int) -> str:
    if math.isnan(agreement):
        return "No agreement: all classes have the same probability here, so nothing can be ranked."
    return (
        f"Agreement {words.number(agreement)}, the {_ordinal(rank)} lowest of "
        f"{words.count(n_images, 'test image')}. {WHAT_AGREEMENT_IS}"
    )


def _ordinal(n: int) -> str:
    last = "th" if 10 <= n % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n:,}{last}"
