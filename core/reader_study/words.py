"""Reader studies in plain words, for those who make them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pandas as pd

from core.analysis.reader import FEWEST_READERS, FEWEST_READINGS
from core.reader_study.database import ReaderStudy
from core.reader_study.design import Candidates
from core.wording import words
from core.wording.questions import QUESTIONS

# Fewer readings than this on a side can show only very large differences.
FEW_READINGS = 30
METHODS = (
    "Paper: Kruskal-Wallis over pooled answers, which takes answers about one image for "
    "independent. Corrected: mixed model with reader and image as crossed random effects; its "
    "q-value is over the questions (Benjamini-Hochberg). Krippendorff's alpha is agreement between "
    "readers: 1 perfect, 0 as by chance. Yes counts 1, No counts 0. Empty: too few answers, or all "
    "alike."
)


def stock(found: Candidates) -> str:
    """What there is to draw from."""
    return (
        f"To draw from: {words.count(found.n_pies, 'PIE')} of "
        f"{words.count(found.n_pie_patients, 'patient')}, {found.n_non_pies:,} non-PIEs of "
        f"{found.n_non_pie_patients:,}; about {found.n_pairs:,} PIEs can have a non-PIE like "
        "themselves. No patient is drawn twice."
    )


def made(of: ReaderStudy, images: pd.DataFrame) -> str:
    """How a reader study was made."""
    n_pies = int(images["is_pie"].sum())
    when = datetime.fromtimestamp(of.created_at, UTC).strftime("%Y-%m-%d")
    matched = "matched on finding count and group" if of.matched else "not matched"
    reveal = ", revealed to readers who have closed their readings" if of.reveal else ""
    return (
        f"{n_pies} PIEs and {len(images) - n_pies} non-PIEs at {words.percent(of.sparsity)} "
        f"sparsity, {matched}, seed {of.seed}{reveal}; made {when} by {of.created_by}."
    )


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
    fewest = int(
        counted.groupby(["question", "is_pie"]).size().unstack(fill_value=0).min(axis=None)
        if counted["is_pie"].nunique() == 2
        else 0
    )
    if fewest < FEWEST_READINGS or n_readers < FEWEST_READERS:
        parts.append(
            f"Too few to test: it takes {FEWEST_READERS} readers and {FEWEST_READINGS} answers to "
            "each question about PIEs and about non-PIEs."
        )
    elif fewest < FEW_READINGS:
        parts.append("Few answers: only very large differences would show.")
    if done < len(present):
        parts.append("Readings are under way: tests repeated while answers come in find too much.")
    return " ".join(parts)


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


STATISTICS: dict[str, Callable[[pd.Series], str]] = {
    "Answers about PIEs": lambda row: f"{int(row['n_pie']):,}",
    "Answers about non-PIEs": lambda row: f"{int(row['n_non_pie']):,}",
    "PIEs, mean ± SD": lambda row: _mean(row, "pie"),
    "Non-PIEs, mean ± SD": lambda row: _mean(row, "non_pie"),
    "Paper: Kruskal-Wallis H": lambda row: words.number(row["kruskal_h"]),
    "Paper: p": lambda row: _p(row["kruskal_p"]),
    "Corrected: PIE minus non-PIE": lambda row: words.number(row["mixed_effect"]),
    "Corrected: 95 % interval": _interval,
    "Corrected: p": lambda row: _p(row["mixed_p"]),
    "Corrected: q over the questions": lambda row: _p(row["q_value"], "q"),
    "Krippendorff's alpha": lambda row: words.number(row["krippendorff_alpha"]),
}
