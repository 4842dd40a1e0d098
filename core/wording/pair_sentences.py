"""What is found of pairs of classes, in sentences: which are forgotten differently, and what goes
with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from core.analysis import claims as verdicts
from core.analysis.pair_evidence import SIGNIFICANT
from core.study.labels import FEW_PATIENTS
from core.wording import words

Row = Mapping[str, Any]
EDITIONS = {
    True: (
        "Corrected: FCD of Somers\u2019 D without what noise adds, so 0 is within noise; pairs "
        "are tested over runs and patients. Classes that cannot be judged are left out."
    ),
    False: (
        "Paper: FCD as a Euclidean distance, which grows with noise and with the number of grid "
        "points; class counts as column sums of the co-occurrence matrix, as in the published "
        "code; p-values that take all pairs as independent."
    ),
}
NOT_JUDGED = (
    f"fewer than {FEW_PATIENTS} patients with the class in the test set, or not found by the dense "
    "model"
)
IN_SUBGROUP = (
    "In a subgroup pairs are not tested, because nothing is known about other patients there. FCD "
    "is shown as measured, noise included: two classes that are forgotten alike do not have 0."
)
NOT_READ = (
    "Pairs are tested once all predictions of the study have been read. Until then FCD is shown as "
    "measured, noise included: two classes that are forgotten alike do not have 0."
)
NO_INTERACTION = (
    "The paper also asks whether frequency and co-occurrence act together. Its model is in the "
    "paper\u2019s reading only, because whether co-occurrence matters cannot be told here."
)
WITH_FREQUENCY = {
    verdicts.AS_CLAIMED: "The more two classes differ in frequency, the more differently they are "
    "forgotten",
    verdicts.OPPOSITE: "The more two classes differ in frequency, the more alike they are "
    "forgotten",
    verdicts.NOT_SHOWN: "No link between difference in frequency and FCD is shown",
    verdicts.CANNOT_TELL: "Whether difference in frequency goes with FCD cannot be told here",
}
WITH_COOCCURRENCE = "Whether classes that occur together are forgotten alike cannot be told here"
MOST_NAMED = 3
SCALES = {
    "fcd": "FCD: how differently two classes are forgotten (0: alike)",
    "iou": "IoU: how often two classes occur together (0: never)",
    "frequency": "how differently frequent two classes are (0: alike)",
}
NO_DISTANCE = "FCD 0, within noise"
TERMS = {
    "intercept": "where both classes are equally frequent and never meet",
    "log_frequency_difference": "frequency difference",
    "cooccurrence_iou_fourth_root": "co-occurrence, IoU^(1/4)",
    "log_frequency_difference:cooccurrence_iou_fourth_root": "both together (interaction)",
}


def pairs_apart(n_different: int, n_pairs: int, most: tuple[str, str] | None = None) -> str:
    """How many pairs are told apart: the title of the map. most: `most_apart`."""
    pairs = f"{words.count(n_pairs, 'pair')} of classes"
    if not n_pairs:
        return "No pair of classes can be judged"
    if not n_different or most is None:
        return f"None of {pairs} is shown to be forgotten differently"
    names = " and ".join(most)
    if n_different == 1:
        return f"1 of {pairs} is forgotten differently: {names}"
    return f"{n_different:,} of {pairs} are forgotten differently, {names} most of all"


def signs(which: str, tested: pd.DataFrame | None) -> dict[str, str]:
    """What is drawn in a map: the sign, by its name in the stylesheet, to its meaning. which: the
    map; tested: the table of pairs, where they are tested."""
    found = {"scale": SCALES[which]}
    if which == "fcd" and tested is not None:
        if (tested["q_value"] >= SIGNIFICANT).any():
            found["dot"] = "not told apart: may be chance"
        if tested["fcd_corrected"].isna().any():
            found["blank"] = "* not judged"
    return found | {"pair": "the pair shown; click any square"}


def pairs_caption(
    apart: list[tuple[str, str]], n_pairs: int, n_all: int, n_grid: int, n_runs: int
) -> str:
    """What the map of FCD shows, and of which pairs it says nothing. apart: the pairs that are told
    apart, surest first."""
    over = "runs and patients" if n_runs > 1 else "patients (one run: nothing of other trainings)"
    parts = [
        "FCD without noise, of Somers\u2019 D: root mean square distance of two curves over "
        f"{words.count(n_grid, 'sparsity')} above 0, {words.count(n_runs, 'run')}. 0: within "
        "noise.",
        f"Dots: not told apart (q \u2265 {SIGNIFICANT:g} over {over}, Benjamini-Hochberg).",
    ]
    if apart:
        told = "; ".join(f"{first} and {second}" for first, second in apart[:MOST_NAMED])
        more = f"; {len(apart) - MOST_NAMED:,} more" if len(apart) > MOST_NAMED else ""
        parts.append(f"Told apart: {told}{more}.")
    if n_all > n_pairs:
        parts.append(
            f"Blank: {words.count(n_all - n_pairs, 'pair')} with a class that is not judged (*: "
            f"{NOT_JUDGED})."
        )
    return " ".join(parts)


def pair_title(first: str, second: str, row: Row) -> str:
    """Which of two classes loses more, where that is more than noise, and their distance."""
    if words.known(row["q_value"]) and row["q_value"] < SIGNIFICANT:
        more, less = _by_loss(row)
        return f"{more} loses more than {less}: {_distance(row)}"
    if words.known(row["q_value"]):
        return f"{first} and {second} are not told apart: {_distance(row)}"
    return f"{first} and {second}: {pair_in_short(row)}"


def pair_in_short(row: Row) -> str:
    if not words.known(row["fcd_corrected"]):
        return "FCD not judged"
    value = _distance(row)
    if not words.known(row["q_value"]):
        return f"{value}, not tested"
    return f"{value}, {'told apart' if row['q_value'] < SIGNIFICANT else 'not told apart'}"


def pair_apart(row: Row, n_runs: int) -> str:
    """How the losses of two classes differ, with the interval and q."""
    if not words.known(row["fcd_corrected"]):
        return f"Not judged: one of the two has {NOT_JUDGED}."
    more, less = _by_loss(row)
    ends = sorted(
        row[f"difference_ci_{end}"] * (1 if row["difference"] > 0 else -1)
        for end in ("low", "high")
    )
    low, high = (words.number(end * 100, 1) for end in ends)
    over = "runs and patients" if n_runs > 1 else "patients"
    return (
        f"Averaged over sparsities, {more} loses {words.number(abs(row['difference']) * 100, 1)} "
        f"points more of its Somers\u2019 D than {less} (95 % interval over {over} {low} to "
        f"{high}; {words.p_value(row['q_value'], 'q')})."
    )


def _by_loss(row: Row) -> tuple[str, str]:
    """The class of a pair that loses more, and the other."""
    pair = str(row["class_a"]), str(row["class_b"])
    return pair if row["difference"] < 0 else pair[::-1]


def _distance(row: Row) -> str:
    return f"FCD {words.number(row['fcd_corrected'])}" if row["fcd_corrected"] > 0 else NO_DISTANCE


def interaction(rows: pd.DataFrame) -> str:
    """The paper's interaction model in words. rows: `Interaction`'s table with `plain_term`."""
    by_term = rows.set_index("plain_term")
    if by_term["coefficient"].isna().any() or by_term["ols_p"].drop("intercept").isna().any():
        return "Too few pairs of classes for the interaction model."
    _, frequency, _, both = (by_term.loc[term] for term in TERMS)
    p = words.p_value(both["ols_p"])
    text = (
        f"Of classes that never meet, one e-fold more difference in frequency goes with "
        f"{_signed(frequency['coefficient'])} of FCD ({words.p_value(frequency['ols_p'])}). "
    )
    if words.known(both["ols_p"]) and both["ols_p"] < SIGNIFICANT:
        how = "weaker" if both["coefficient"] * frequency["coefficient"] < 0 else "stronger"
        return text + (
            f"The more often two classes occur together, the {how} that is: "
            f"{_signed(both['coefficient'])} per unit of IoU^(1/4) ({p})."
        )
    return text + (
        "No effect of co-occurrence on this is shown: interaction "
        f"{_signed(both['coefficient'])}, {p}."
    )


def _signed(coefficient: float) -> str:
    text = words.number(coefficient, 3)
    return f"+{text}" if coefficient > 0 and float(text) else text
