"""Reader studies in plain words, for those who make them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from core.analysis.pair_evidence import SIGNIFICANT
from core.analysis.reader import (
    FEWEST_READERS,
    FEWEST_READINGS,
    FEWEST_TO_GENERALISE,
    first_readings,
    readings,
)
from core.analysis.reader_power import STUDIES, Spread
from core.reader_study.database import ReaderStudy
from core.reader_study.drawing import Candidates
from core.wording import words
from core.wording.questions import QUESTIONS

# Fewer readings than this on a side can show only very large differences.
FEW_READINGS = 30
METHODS = (
    "Paper: Kruskal-Wallis over pooled answers, which treats answers about one image as "
    "independent. Corrected: mixed model with reader, image and matched pair as crossed random "
    f"effects and, from {FEWEST_TO_GENERALISE} readers on, a difference of each reader's own, so "
    "that it holds for other readers too; its q-value is over the questions (Benjamini-Hochberg). "
    "Krippendorff's alpha is agreement: 1 perfect, 0 as by chance; within readers, of images they "
    "saw twice. Yes counts 1, No counts 0; of several labels, the share of Yes. Empty: too few "
    "answers, or all alike."
)
SPREAD = Spread()
ASSUMED = (
    f"Simulated: {STUDIES} studies each, tested as the results are. Assumed standard deviations, "
    f"in points: {SPREAD.image:g} over images, {SPREAD.slope:g} over readers in how PIEs differ, "
    f"{SPREAD.rest:g} of one reading. `prunescope reader-study size` takes others. Below "
    f"{FEWEST_TO_GENERALISE} readers the result is about these readers only, which is easier to "
    "show."
)


def stock(found: Candidates) -> str:
    """What there is to draw from."""
    return (
        f"To draw from: {words.count(found.n_pies, 'PIE')} of "
        f"{words.count(found.n_pie_patients, 'patient')}, {found.n_non_pies:,} non-PIEs of "
        f"{found.n_non_pie_patients:,}. About {found.n_pairs:,} PIEs can be matched, "
        f"{found.n_equal_labels:,} of them with a non-PIE of equal labels. No patient is drawn "
        "twice."
    )


def made(of: ReaderStudy, images: pd.DataFrame) -> str:
    """How a reader study was made."""
    n_pies = int(images["is_pie"].sum())
    when = datetime.fromtimestamp(of.created_at, UTC).strftime("%Y-%m-%d")
    reveal = ", revealed to readers who have closed their readings" if of.reveal else ""
    parts = [
        f"{n_pies} PIEs and {len(images) - n_pies} non-PIEs at {words.percent(of.sparsity)} "
        f"sparsity, {_matched(of, images)}, seed {of.seed}{reveal}; made {when} by {of.created_by}."
    ]
    if of.design.n_passed_over:
        passed_over = words.count(of.design.n_passed_over, "PIE")
        parts.append(f"{passed_over} could not be matched and {_was(passed_over)} left out.")
    if of.design.n_blocks:
        anchors = int(images["block"].isna().sum())
        parts.append(
            f"Every reader reads {words.count(anchors, 'anchor image')} and some of the others, "
            f"which have {of.design.readers_per_image} readers each."
        )
    if of.design.repeats:
        parts.append(f"Readers see {words.percent(of.design.repeats)} of their images twice.")
    return " ".join(parts)


def _matched(of: ReaderStudy, images: pd.DataFrame) -> str:
    if not of.matched:
        return "not matched"
    if images["matched_on"].isna().all():
        return "matched on finding count and group"
    equal = int((images.loc[images["is_pie"], "matched_on"] == "labels").sum())
    n_pairs = int(images["is_pie"].sum())
    rest = f", {n_pairs - equal} on finding count and group" if equal < n_pairs else ""
    return f"matched ({equal} on equal labels{rest})"


def _was(counted: str) -> str:
    return "was" if counted.startswith("1 ") else "were"


def power(row: Mapping[str, Any], difference: float, shared: bool = False) -> str:
    """What a planned reader study would find. row: of `ReaderPower`; shared: each image has that
    many of the readers."""
    n_readers = int(row["n_readers"])
    readers = words.count(n_readers, "reader") + (" per image" if shared else "")
    images = f"{int(row['n_images']) // 2} + {int(row['n_images']) // 2} images"
    whom = " (of these readers)" if n_readers < FEWEST_TO_GENERALISE else ""
    return (
        f"With {readers} and {images}, a difference of {difference:g} points{whom} is found in "
        f"{words.percent(row['power'])} of simulated studies (95 % interval "
        f"{words.percent(row['power_ci_low'])} to {words.percent(row['power_ci_high'])})."
    )


def power_table(table: pd.DataFrame) -> pd.DataFrame:
    """`ReaderPower` as words: a row per number of readers, a column per number of images."""
    cells = [
        f"{words.percent(row['power'])} ({100 * row['power_ci_low']:.0f}\u2013"
        f"{100 * row['power_ci_high']:.0f})"
        for _, row in table.iterrows()
    ]
    images = (table["n_images"] // 2).map(lambda n: f"{n} + {n} images")
    wide = table.assign(cell=cells, images=images)
    wide = wide.pivot(index="n_readers", columns="images", values="cell")
    return wide[list(dict.fromkeys(images))].rename_axis("Readers", axis=0).reset_index()


def standing(counted: pd.DataFrame, readers: pd.DataFrame) -> str:
    """How many answers the statistics are of, and whether that is enough to tell anything.

    counted: the answers; readers: `results.reader_table`.
    """
    present = readers[~readers["removed"]]
    done = int((present["n_complete"] == present["n_images"]).sum())
    n_readers, n_images = counted["reader"].nunique(), counted["image_id"].nunique()
    parts = [
        f"{words.count(len(counted), 'answer')} of {words.count(n_readers, 'reader')} about "
        f"{words.count(n_images, 'image')}; {done} of {words.count(len(present), 'reader')} "
        f"{'has' if done == 1 else 'have'} finished."
    ]
    removed = int(readers["removed"].sum())
    if removed:
        parts.append(f"Answers of {words.count(removed, 'removed reader')} are left out.")
    fewest = _fewest(first_readings(counted))
    if fewest < FEWEST_READINGS or n_readers < FEWEST_READERS:
        parts.append(
            f"Too few to test: it takes {FEWEST_READERS} readers and {FEWEST_READINGS} answers to "
            "each question about PIEs and about non-PIEs."
        )
    elif fewest < FEW_READINGS:
        parts.append("Few answers: only very large differences would show.")
    if done < len(present):
        parts.append(
            "Readings are under way: testing again and again while answers come in finds too much."
        )
    return " ".join(parts)


def _fewest(first: pd.DataFrame) -> int:
    """Readings of the question and side that has the fewest."""
    if first["is_pie"].nunique() < 2:
        return 0
    sizes = [
        readings(rows).groupby("is_pie").size().reindex([True, False], fill_value=0).min()
        for _, rows in first.groupby("question")
    ]
    return int(min(sizes))


def answer(table: pd.DataFrame) -> str:
    """What readers see, in a sentence; empty where nothing could be tested. table:
    `ReaderResults`."""
    tested = table[table["q_value"].notna()]
    if tested.empty:
        return ""
    whom = "; it holds for other readers too" if tested["generalises"].all() else ""
    whom = whom or "; it holds for these readers only"
    clear = tested[tested["q_value"] < SIGNIFICANT]
    if clear.empty:
        return (
            f"No difference between PIEs and other X-rays is shown (q of {SIGNIFICANT:g} or more): "
            "the intervals say how large one may still be."
        )
    parts = [
        f"{QUESTIONS[row['question']].measure} {words.number(abs(row['mixed_effect']))} "
        f"{'higher' if row['mixed_effect'] > 0 else 'lower'} (95 % {_interval(row)})"
        for _, row in clear.iterrows()
    ]
    return f"PIEs differ from other X-rays: {', '.join(parts)}{whom}."


def side_by_side(table: pd.DataFrame) -> pd.DataFrame:
    """`ReaderResults` as words: a row per statistic, a column per question."""
    columns: dict[str, list[str]] = {"": list(STATISTICS)}
    for _, row in table.iterrows():
        told = [tell(row) for tell in STATISTICS.values()]
        columns[QUESTIONS[row["question"]].measure.capitalize()] = told
    return pd.DataFrame(columns)


def _mean(row: pd.Series, side: str) -> str:
    return f"{words.number(row[f'mean_{side}'])} ± {words.number(row[f'sd_{side}'])}"


def _interval(row: pd.Series) -> str:
    if pd.isna(row["mixed_effect"]):
        return words.NONE
    return f"{words.number(row['mixed_ci_low'])} to {words.number(row['mixed_ci_high'])}"


def _p(p: float, name: str = "p") -> str:
    return words.NONE if pd.isna(p) else words.p_value(p).replace("p", name, 1)


def _holds_for(row: pd.Series) -> str:
    if pd.isna(row["mixed_effect"]):
        return words.NONE
    return "other readers too" if row["generalises"] else "these readers only"


def _within(row: pd.Series) -> str:
    if not row["n_repeats"]:
        return words.NONE
    low, high = (words.number(row[f"within_alpha_ci_{end}"]) for end in ("low", "high"))
    n = words.count(int(row["n_repeats"]), "image")
    return f"{words.number(row['within_alpha'])} ({low} to {high}; {n} twice)"


STATISTICS: dict[str, Callable[[pd.Series], str]] = {
    "Readings of PIEs": lambda row: f"{int(row['n_pie']):,}",
    "Readings of non-PIEs": lambda row: f"{int(row['n_non_pie']):,}",
    "PIEs, mean ± SD": lambda row: _mean(row, "pie"),
    "Non-PIEs, mean ± SD": lambda row: _mean(row, "non_pie"),
    "Paper: Kruskal-Wallis H": lambda row: words.number(row["kruskal_h"]),
    "Paper: p": lambda row: _p(row["kruskal_p"]),
    "Corrected: PIE minus non-PIE": lambda row: words.number(row["mixed_effect"]),
    "Corrected: 95 % interval": _interval,
    "Corrected: p": lambda row: _p(row["mixed_p"]),
    "Corrected: q over the questions": lambda row: _p(row["q_value"], "q"),
    "Corrected: holds for": lambda row: _holds_for(row),
    "Alpha between readers": lambda row: words.number(row["krippendorff_alpha"]),
    "Alpha within readers": lambda row: _within(row),
}
