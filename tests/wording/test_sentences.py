"""Every sentence with a number that a page shows, with the table and column it comes from: page and
command line have one number for one name.

To add a sentence, add a row to SENTENCES.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from core import results
from core.analysis.pair_evidence import most_apart
from core.reporting.report import report_html
from core.results import export
from core.study import store
from core.study.study import Study
from core.wording import words
from core.wording.words import signed
from tests import page_studies
from tests.pages.test_pages import open_page, said
from tests.toys import toy_config, toy_labels

CLASSES = ("Effusion", "Nodule", "Mass", "Edema", "Fibrosis", "Hernia", "Rare", "No Finding")
FREQUENCIES = (0.3, 0.2, 0.14, 0.1, 0.07, 0.05, 0.004)
WHY = '<td data-name="Why">(.*?)</td>'
LEAST = "the least"  # of a column
HIGHEST = "the highest"


class Said(NamedTuple):
    """A sentence and one number in it.

    page and address: where it stands; part: what its line holds, so that it is found; table and
    metric: the export; row: column to value, or LEAST or HIGHEST; column; shown: how the number is
    written.
    """

    page: str
    address: dict[str, str]
    part: str
    table: str
    metric: str | None
    row: dict[str, object]
    column: str
    shown: Callable[[float], str]


def percent_number(value: float) -> str:
    return words.number(value * 100, 0)


def chance(value: float) -> str:
    return words.percent(min(value, 0.99) if value < 1 else value)


def points(value: float) -> str:
    return words.number(abs(value) * 100, 1)


three = partial(words.number, digits=3)
whole = partial(signed, digits=0)
OVERVIEW: tuple[str, dict[str, str]] = ("overview.py", {})
CORRECTED: tuple[str, dict[str, str]] = ("class_ap.py", {})
PAPER: tuple[str, dict[str, str]] = ("class_ap.py", {"reading": "Paper"})
PAIRS: tuple[str, dict[str, str]] = ("forgettability.py", {})
PAPER_PAIRS: tuple[str, dict[str, str]] = ("forgettability.py", {"reading": "Paper"})
NAMED = CLASSES[1]
MOST = {"pair": HIGHEST}  # that the map begins with
FIRST = {"p_among_first": HIGHEST}
CHANGE = {"claim": "frequency~change_at_95", "reading": "corrected"}
ONSET = {"claim": "frequency~first_drop", "reading": "corrected"}
AT_90 = {"sparsity": 0.9}
SENTENCES = (
    *(
        Said(*OVERVIEW, "among the first three", "class_summary", None, FIRST, column, shown)
        for column, shown in (
            ("p_among_first", chance),
            ("onset", words.percent),
            ("onset_ci_low", percent_number),
            ("onset_ci_high", words.percent),
        )
    ),
    *(
        Said(*OVERVIEW, part, "claims", None, claim, column, points)
        for claim, part in ((CHANGE, "**Is it rarity?**"), (ONSET, "A class ten times as frequent"))
        for column in ("estimate", "ci_low", "ci_high")
    ),
    *(
        Said(*OVERVIEW, "**What is lost?**", "forgettability", "somers_d",
             {**AT_90, "mean_change": LEAST}, column, lambda v: words.percent(-v))
        for column in ("mean_change", "ci_low")
    ),
    *(
        Said(*where, "of its Somers\u2019 D, ", "forgettability", "somers_d",
             {**AT_90, "mean_change": end}, "mean_change", lambda v: words.percent(abs(v)))
        for where in (OVERVIEW, CORRECTED)
        for end in (LEAST, HIGHEST)
    ),
    *(
        Said(*OVERVIEW, "mAP goes from", "overall", None, {"sparsity": at}, "mean_ap", words.number)
        for at in (0.0, 0.95)
    ),
    Said(*OVERVIEW, "Welch", "overall", None, {"first_significant_paper": True}, "welch_p",
         words.p_value),
    Said(*OVERVIEW, "from the highest sparsity down", "overall", None,
         {"first_significant_corrected": True}, "paired_p", words.p_value),
    Said("class_ap.py", {"classes": NAMED}, "by 90 % sparsity", "forgettability", "somers_d",
         {**AT_90, "class_name": NAMED}, "mean_change", lambda v: words.percent(-v)),
    *(
        Said(*CORRECTED, part, "trends", None, {"name": name}, column, points)
        for name, part in (("change_at_95", "of its Somers"), ("onset", "is forgotten"))
        for column in ("slope", "ci_low", "ci_high")
    ),
    *(
        Said(*CORRECTED, "Meta-regression", "trends", None, {"name": name}, column, three)
        for name in ("change_at_95", "onset")
        for column in ("slope", "ci_low", "ci_high", "tau")
    ),
    *(
        Said(*PAPER, part, "correlations", None, {"name": name}, column, words.number)
        for name, part in (
            ("log_train_frequency~first_drop_sparsity", "### AP: "),
            ("log_train_frequency~relative_ap_change_at_95", "### AP: "),
        )
        for column in ("pearson_r", "spearman_rho")
    ),
    Said(*PAPER, "First drops of AP, by the paper", "class_summary", None,
         {"first_drop_sparsity": LEAST, "unstable": False}, "first_drop_sparsity", percent_number),
    Said("class_ap.py", {"reading": "Paper", "classes": NAMED}, "by 90 % sparsity",
         "forgettability", "ap", {**AT_90, "class_name": NAMED}, "relative_ap_change",
         lambda v: words.percent(-v)),
    Said(*PAIRS, ": FCD ", "class_pairs", "somers_d", MOST, "fcd_corrected", words.number),
    *(
        Said(*PAIRS, "Averaged over sparsities", "class_pairs", "somers_d", MOST, column, shown)
        for column, shown in (
            ("difference", points),
            ("difference_ci_low", points),
            ("difference_ci_high", points),
            ("q_value", words.bare_p),
        )
    ),
    *(
        Said(*PAPER_PAIRS, part, "correlations", None, {"name": name}, column, words.number)
        for name, part in (
            ("fcd~log_frequency_difference_paper", "in frequency"),
            ("fcd~cooccurrence_iou_paper_fourth_root", "### "),
        )
        for column in ("pearson_r", "spearman_rho")
    ),
    *(
        Said(*PAPER_PAIRS, "Of classes that never meet", "interaction", None, {"term": term},
             "coefficient", lambda v: words.number(abs(v), 3))
        for term in (
            "log_frequency_difference_paper",
            "log_frequency_difference_paper:cooccurrence_iou_paper_fourth_root",
        )
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Seven findings and "No Finding", three runs; the rarest finding has too few patients."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        config = toy_config(
            "said", runs={"count": 3}, sweep={"sparsities": [0, 0.5, 0.7, 0.8, 0.9, 0.95]}
        )
        labels = toy_labels(1600, class_names=CLASSES, frequencies=FREQUENCIES)
        yield page_studies.write_study(config, labels)


@pytest.fixture(scope="module")
def lines(folder):
    """(page, address) to the lines it says."""
    found: dict[tuple[str, str], list[str]] = {}

    def of(page: str, address: dict[str, str]) -> list[str]:
        key = (page, str(address))
        if key not in found:
            text = said(open_page(page, study="said", **address))
            found[key] = text.replace("\\", "").replace("\u00a0", " ").split("\n")
        return found[key]

    return of


@pytest.fixture(scope="module")
def exported(folder, tmp_path_factory):
    """(table, metric) as the command line writes it."""
    found: dict[tuple[str, str | None], pd.DataFrame] = {}
    place: Path = tmp_path_factory.mktemp("tables")

    def of(table: str, metric: str | None) -> pd.DataFrame:
        if (table, metric) not in found:
            out = place / f"{table}-{metric}.parquet"
            export.export("said", table, out, metric=metric)
            found[table, metric] = pd.read_parquet(out)
        return found[table, metric]

    return of


def chosen(table: pd.DataFrame, row: dict[str, object], judged: set[str]) -> pd.Series:
    rows = table[table["class_name"].isin(judged)] if "mean_change" in row else table
    if "relative_ap_change" in row:
        rows = table[table["class_name"].ne("Rare")]
    for column, value in row.items():
        if row is MOST:
            first, second = most_apart(rows)
            rows = rows[(rows["class_a"] == first) & (rows["class_b"] == second)]
        elif value in (LEAST, HIGHEST):
            at = rows[column].idxmin() if value == LEAST else rows[column].idxmax()
            rows = rows.loc[[at]]
        elif isinstance(value, float):
            rows = rows[np.isclose(rows[column].astype(float), value)]
        else:
            rows = rows[rows[column] == value]
    assert len(rows) == 1, f"{len(rows)} rows for {row}"
    return rows.iloc[0]


@pytest.mark.parametrize("one", SENTENCES, ids=lambda one: f"{one.part[:20]}-{one.column}")
def test_the_number_of_a_sentence_is_that_of_the_exported_table(one, lines, exported) -> None:
    summary = exported("class_summary", None)
    judged = set(summary.loc[summary["judged"], "class_name"])
    number = one.shown(chosen(exported(one.table, one.metric), one.row, judged)[one.column])
    where = [line for line in lines(one.page, one.address) if one.part in line]
    assert where, f"no line says {one.part!r}"
    assert any(number in line for line in where), (number, where)


def test_the_claims_on_overview_are_the_sentences_of_the_exported_table(lines, exported) -> None:
    table = exported("claims", None)
    corrected = table[table["reading"] == "corrected"]
    page = "\n".join(lines(*OVERVIEW))
    shown = [html.unescape(why).replace("\u00a0", " ") for why in re.findall(WHY, page)]
    assert len(shown) == len(corrected) == 9
    for why, sentence in zip(shown, corrected["sentence"], strict=True):
        assert sentence.lower().endswith(why.lower())


def test_the_classes_that_are_named_are_those_of_the_exported_table(lines, exported) -> None:
    summary = exported("class_summary", None)
    likely = summary[summary["p_among_first"] >= 0.5]
    headline = next(line for line in lines(*OVERVIEW) if line.startswith("## "))
    for name in likely["class_name"]:
        assert name in headline
    not_judged = next(line for line in lines(*OVERVIEW) if "Not judged" in line)
    few = summary[summary["n_positive_patients"] < 10]
    for row in few.itertuples():
        assert f"{row.class_name} ({row.n_positive_patients})" in not_judged


def test_pairs_are_counted_as_the_exported_table_has_them(lines, exported) -> None:
    table = exported("class_pairs", "somers_d")
    n_judged, n_apart = table["fcd_corrected"].notna().sum(), (table["q_value"] < 0.05).sum()
    title = next(line for line in lines(*PAIRS) if "pairs of classes" in line and "###" in line)
    assert f"of {n_judged} pairs of classes" in title
    assert (f"{n_apart} of" if n_apart else "None of") in title
    left_out = next(line for line in lines(*PAIRS) if "Blank:" in line)
    assert f"Blank: {len(table) - n_judged} pairs" in left_out


def test_forgettability_and_the_report_say_the_sentences_of_the_exported_claims(
    folder, lines, exported
) -> None:
    claims = exported("claims", None).set_index(["claim", "reading"])["sentence"]
    for name in ("frequency~fcd", "cooccurrence~fcd"):
        assert claims[name, "corrected"] in lines(*PAIRS)
    report = html.unescape(report_html(Study(folder)))
    for sentence in claims:
        assert sentence in report
    title = next(line for line in lines(*PAIRS) if "pairs of classes" in line and "###" in line)
    assert f". {title.removeprefix('### ')}</h3>" in report


def test_a_page_and_the_command_line_write_the_same_file(folder, exported, tmp_path) -> None:
    from core.study.study import find_study

    for name in ("claims", "trends", "class_effects", "class_summary", "class_pairs"):
        out = tmp_path / f"{name}.csv"
        export.export("said", name, out)
        assert export.FORMATS[".csv"](results.table(find_study("said"), name)) == out.read_bytes()
    assert store.list_studies() == [folder]
