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
TERMS = {
    "intercept": "where both classes are equally frequent and never meet",
    "log_frequency_difference": "frequency difference",
    "cooccurrence_iou_fourth_root": "co-occurrence, IoU^(1/4)",
    "log_frequency_difference:cooccurrence_iou_fourth_root": "both together (interaction)",
}


def pairs_apart(n_different: int, n_pairs: int) -> str:
    """How many pairs are told apart: the title of the map."""
    if not n_pairs:
        return "No pair of classes can be judged"
    if not n_different:
        return f"None of {words.count(n_pairs, 'pair')} of classes is told apart"
    are = "is" if n_different == 1 else "are"
    return f"{n_different:,} of {words.count(n_pairs, 'pair')} of classes {are} told apart"


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
    """The distance of two classes and whether it is more than noise, above their curves."""
    return f"{first} and {second}: {pair_in_short(row)}"


def pair_in_short(row: Row) -> str:
    if not words.known(row["fcd_corrected"]):
        return "FCD not judged"
    distance = words.number(row["fcd_corrected"])
    value = f"FCD {distance}" if row["fcd_corrected"] > 0 else "FCD 0, within noise"
    if not words.known(row["q_value"]):
        return f"{value}, not tested"
    return f"{value}, {'told apart' if row['q_value'] < SIGNIFICANT else 'not told apart'}"


def pair_apart(row: Row, n_runs: int) -> str:
    """How the losses of two classes differ, with the interval and q."""
    if not words.known(row["fcd_corrected"]):
        return f"Not judged: one of the two has {NOT_JUDGED}."
    low, high = (words.signed(row[f"difference_ci_{end}"], 1) for end in ("low", "high"))
    over = "runs and patients" if n_runs > 1 else "patients"
    return (
        f"Change of Somers\u2019 D averaged over sparsities, {row['class_a']} minus "
        f"{row['class_b']}: {words.signed(row['difference'], 1)} (95 % interval over {over} {low} "
        f"to {high}; no difference is 0; {words.p_value(row['q_value'], 'q')})."
    )


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
