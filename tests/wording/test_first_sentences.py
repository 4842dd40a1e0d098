"""Which classes are said to be forgotten first: only where that is probable, and how sure."""

import math

import pandas as pd
import pytest

from core.analysis.first_forgotten import first_drops, first_forgotten
from core.wording import first_sentences


def summary(**columns) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "class_name": ["Hernia", "Mass", "Edema", "Nodule", "Rare", "Unseen"],
            "n_positive_patients": [30, 150, 25, 80, 3, 20],
            "judged": [True, True, True, True, False, False],
            "p_among_first": [0.92, 0.97, 0.3, 0.04, math.nan, math.nan],
            "onset": [0.7, 0.6, 0.8, math.nan, 0.2, 0.3],
            "onset_by": [0.7, 0.6, 0.8, math.nan, 0.2, 0.3],
            "onset_ci_low": [0.55, 0.5, 0.7, 0.9, 0.1, 0.1],
            "onset_ci_high": [math.nan, 0.72, 0.97, math.nan, 0.9, 0.9],
            "onset_censored": [False, False, False, True, False, False],
            "first_drop_sparsity": [0.7, 0.6, None, 0.9, 0.2, 0.3],
            "first_drop_interpolated": [0.66, 0.58, None, 0.86, 0.15, 0.26],
            "first_drop_censored": [False, False, True, False, False, False],
            "unstable": [False, False, False, False, True, False],
        }
    )
    return table.assign(**columns)


def found(n_runs: int = 3, **columns):
    return first_forgotten(summary(**columns), n_runs, (0.5, 0.6, 0.7, 0.8, 0.9, 0.95))


def test_classes_are_named_by_probability_with_their_intervals():
    assert first_sentences.headline(found()) == "Forgotten first: Mass and Hernia"
    assert first_sentences.details(found()) == (
        "Mass is among the first three with 97 % probability and Hernia with 92 %. A fifth of "
        "their Somers\u2019 D is gone at 60 % sparsity (95 % interval 50 to 72 %) and 70 % (55 % "
        "or later than 95 %). The third cannot be told; next is Edema, with 30 %."
    )


def test_no_class_is_named_that_is_not_probable():
    unsure = found(p_among_first=[0.62, 0.81, 0.3, 0.04, math.nan, math.nan])
    assert first_sentences.headline(unsure) == "Which classes go first cannot be told"
    assert first_sentences.details(unsure) == (
        "No class is among the first three with 90 % probability. Mass is among the first three "
        "with 81 % probability, Hernia with 62 % and Edema with 30 %. A fifth of their "
        "Somers\u2019 D is gone at 60 % sparsity (95 % interval 50 to 72 %), 70 % (55 % or later "
        "than 95 %) and 80 % (70 % or later than 95 %)."
    )


def test_what_is_not_judged_is_said_with_the_reason():
    assert first_sentences.not_judged(found()) == (
        "Not judged, with fewer than 10 patients in the test set: Rare (3). Not judged, because "
        "the dense model does not find them: Unseen."
    )


def test_one_run_is_said_to_be_over_patients_only():
    one, two = (first_sentences.details(found(n_runs=n)) for n in (1, 2))
    assert "One run: nothing is known of other trainings. The third" in one
    assert "One run" not in two
    nobody = found(n_runs=1, p_among_first=[0.05, 0.02, 0.01, 0.0, math.nan, math.nan])
    assert first_sentences.details(nobody) == (
        "No class is among the first three to lose a fifth of Somers\u2019 D with more than 10 % "
        "probability. One run: nothing is known of other trainings."
    )


@pytest.mark.parametrize(("n_judged", "told"), [(0, "No class can be judged"), (2, "Only two")])
def test_of_three_classes_or_fewer_no_order_is_told(n_judged, told):
    few = found(judged=[at < n_judged for at in range(6)])
    assert first_sentences.headline(few) == "Which classes go first cannot be told"
    assert first_sentences.details(few).startswith(told)


def test_classes_that_lose_no_fifth_on_the_grid_are_a_finding():
    none = found(p_among_first=[0.0] * 4 + [math.nan] * 2, onset_censored=True)
    assert first_sentences.headline(none) == (
        "No class loses a fifth of Somers\u2019 D by 95 % sparsity"
    )


def test_what_rounds_to_certain_is_not_called_certain():
    nearly = found(p_among_first=[0.998, 1.0, 0.9, 0.0, math.nan, math.nan])
    assert first_sentences.details(nearly).startswith(
        "Mass is among the first three with 100 % probability, Hernia with 99 % and Edema with 90 %"
    )
    assert "cannot be told" not in first_sentences.details(nearly)


def test_of_one_class_the_other_two_are_open():
    one = found(p_among_first=[0.92, 0.05, 0.05, 0.04, math.nan, math.nan])
    assert "of its Somers\u2019 D is gone at 70 % sparsity" in first_sentences.details(one)
    assert first_sentences.details(one).endswith("The other two cannot be told.")


def test_first_drops_are_observed_and_called_so():
    paper = first_sentences.first_drops(first_drops(summary(), False), "ap", False)
    assert paper == (
        "First drops of AP, by the paper: Unseen (30 %), Mass (60 %) and Hernia (70 %) \u2013 the "
        "first grid point more than 20 % below dense. 1 class did not fall by a fifth on this "
        "grid; 1 class of fewer than 10 patients left out; observed, without a probability."
    )
    part = first_sentences.first_drops(first_drops(summary(), True), "auroc", True)
    assert part.startswith("First drops of AUROC, in this subgroup: Unseen (26 %), Mass (58 %)")


def test_classes_that_drop_at_one_sparsity_are_all_named():
    """The third and the fourth of these are told alike, so neither is before the other."""
    drops = first_drops(summary(first_drop_interpolated=[0.5, 0.6, 0.704, 0.699, 0.1, 0.9]), True)
    assert [one.class_name for one in drops.first] == ["Hernia", "Mass", "Nodule", "Edema"]
    text = first_sentences.first_drops(drops, "ap", True)
    assert "Hernia (50 %), Mass (60 %), Nodule and Edema (both 70 %) \u2013" in text


def changes(*rows: tuple[str, float, bool]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["class_name", "change", "judged"])
    return table.assign(lower=table["change"] - 0.5, upper=table["change"] + 0.5)


def test_what_is_lost_is_said_of_the_class_that_lost_most_of_those_judged():
    known = changes(("Mass", -0.8, True), ("Hernia", -0.9, False), ("Edema", 0.1, True))
    assert first_sentences.lost(known, 0.9) == (
        "At 90 % sparsity Mass has lost 80 % of its Somers\u2019 D (95 % interval 30 to 130 %). "
        f"{first_sentences.SOMERS_D}"
    )
    more = changes(("A", -0.8, True), ("B", -0.3, True), ("C", -0.1, True))
    assert "30 to 130 %), the median class 30 %. Somers" in first_sentences.lost(more, 0.9)


def test_where_nothing_is_lost_or_known_no_class_is_named():
    known = changes(("Mass", 0.0, True), ("Edema", 0.1, True))
    assert first_sentences.lost(known, 0.5) == "At 50 % sparsity no class has lost Somers\u2019 D."
    assert first_sentences.lost(known.iloc[:0], 0.5) == (
        "No class can be compared at 50 % sparsity."
    )


def test_while_runs_are_missing_what_fell_first_is_no_headline():
    assert first_sentences.so_far(2, 6) == "So far, 2 of 6 runs"
    later = "More runs can change the order; the classes forgotten first are named when all are "
    later += "finished."
    drops = first_drops(summary(), corrected=True)
    assert first_sentences.first_so_far(drops) == (
        "First to lose a fifth of Somers\u2019 D in these: Unseen (26 %), Mass (58 %) and "
        f"Hernia (66 %). {later}"
    )
    nowhere = {"first_drop_sparsity": math.nan, "first_drop_interpolated": math.nan}
    none = first_drops(summary(**nowhere), corrected=True)
    assert first_sentences.first_so_far(none) == later


def test_across_an_unmeasured_gap_no_sparsity_is_named():
    """A grid of 0, 50, 70: that Edema loses a quarter at 5 % can not be seen."""
    coarse = {"onset": math.nan, "onset_by": [0.5, 0.5, 0.7, math.nan, 0.5, 0.5]}
    ends = {"onset_ci_low": [0, 0, 0.5, math.nan, 0, 0], "onset_ci_high": [0.5, 0.7, 0.7] * 2}
    known = first_forgotten(summary(**coarse, **ends), 3, (0.5, 0.7))
    assert first_sentences.headline(known) == "Forgotten first: Mass and Hernia"
    assert first_sentences.details(known) == (
        "Mass is among the first three with 97 % probability and Hernia with 92 %. A fifth of "
        "their Somers\u2019 D is gone by 50 % sparsity (95 % interval 0 to 70 %) and by 50 % (0 to "
        "50 %). The third cannot be told; next is Edema, with 30 %. 2 of the 4 judged classes lose "
        "a fifth of Somers\u2019 D between 0 and 50 %, where nothing was measured, so their order "
        "is not known. 1 of the 4 judged classes loses a fifth of Somers\u2019 D between 50 and "
        "70 %, where nothing was measured."
    )
    none = first_forgotten(summary(p_among_first=0.0, **coarse, **ends), 3, (0.5, 0.7))
    assert first_sentences.headline(none) == "Which classes go first cannot be told"
    assert first_sentences.details(none).startswith("2 of the 4 judged classes lose a fifth")
    one = first_forgotten(summary(judged=[True] + [False] * 5, **coarse, **ends), 3, (0.5, 0.7))
    assert " The only judged class loses a fifth" in first_sentences.details(one)


def test_a_first_drop_in_a_gap_is_told_by_the_sparsity_that_ends_it():
    known = summary(
        first_drop_sparsity=[0.5, 0.5, 0.7, 0.72, 0.2, 0.9],
        first_drop_interpolated=[math.nan, math.nan, math.nan, 0.71, 0.15, math.nan],
    )
    text = first_sentences.first_drops(first_drops(known, True), "ap", True)
    assert "Hernia and Mass (both by 50 %) and Edema (by 70 %) \u2013 a fifth is gone." in text
    paper = first_sentences.first_drops(first_drops(known, False), "ap", False)
    assert "Hernia and Mass (both 50 %) and Edema (70 %) \u2013 the first grid point" in paper
