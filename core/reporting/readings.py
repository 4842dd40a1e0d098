"""The paper's claims as this study bears on them: a rendering of the table `claims`, by its own
statistic beside the corrected one, with what the paper found. Claims of Holste et al., MICCAI 2023,
section 3."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from core.analysis.claims import CORRECTED, PAPER, PAPER_ROWS
from core.wording import words
from core.wording.claim_sentences import HEADINGS
from core.wording.published import Figures

Published = dict[str, Figures]


@dataclass(frozen=True)
class Reading:
    """One claim, both ways to read it, and what the paper found, if it studied this dataset."""

    claim: str
    paper: tuple[str, ...]
    corrected: tuple[str, ...]
    published: tuple[str, ...] = ()


def of_claims(claims: pd.DataFrame, published: Published) -> list[Reading]:
    """claims: CLAIMS."""
    by_reading = claims.groupby(["claim", "reading"], sort=False)["sentence"].agg(tuple)
    return [
        Reading(
            HEADINGS[name],
            by_reading.get((name, PAPER), ()),
            by_reading.get((name, CORRECTED), ()),
            _published(published.get(PAPER_ROWS.get(name, ""))),
        )
        for name in claims["claim"].unique()
    ]


def pie_composition(
    pies: pd.DataFrame, by_class: pd.DataFrame, by_count: pd.DataFrame, sparsity: float
) -> Reading:
    """What PIEs hold. pies: image_id, agreement, is_pie; the others as `PieClassRatio`,
    `PieFindingCountRatio`."""
    known = by_class[by_class["ratio"].notna()].sort_values("ratio", ascending=False)
    most = [f"{row.class_name} {row.ratio:.1f} times" for row in known.head(3).itertuples()]
    counts = [f"{row.finding_count}: {words.number(row.ratio)}" for row in by_count.itertuples()]
    n_pies = int(pies["is_pie"].sum())
    return Reading(
        "Which images are PIEs",
        (
            f"At {words.percent(sparsity)} sparsity, {n_pies:,} of "
            f"{words.count(len(pies), 'test image')} are PIEs (5 % by definition, whether or not "
            "pruning changed anything).",
            f"Most over-represented: {', '.join(most) if most else words.NONE}.",
            f"Ratio by number of findings: {'; '.join(counts)}.",
        ),
        (
            "Such ratios say nothing about pruning: models that were only trained again have "
            "PIEs with ratios of their own.",
        ),
    )


def first_drop(overall: pd.DataFrame) -> Reading:
    """overall: OVERALL."""
    found = {}
    for kind, p in (("paper", "welch_p"), ("corrected", "paired_p")):
        flagged = overall[overall[f"first_significant_{kind}"]]
        if len(flagged):
            row = flagged.iloc[0]
            found[kind] = (
                f"First at {words.percent(row['sparsity'])}: mAP {words.number(row['mean_ap'], 3)}"
                f", {words.number(row['difference'], 3)} against dense, {words.p_value(row[p])}"
            )
        elif overall[p].isna().all():
            found[kind] = "Cannot tell: this needs two runs"
        else:
            found[kind] = "Not shown to be below dense at any sparsity of the grid"
    return Reading(
        "The sparsity at which mAP first lies significantly below dense",
        (f"{found['paper']} (Welch's t test, each sparsity by itself).",),
        (
            f"{found['corrected']} (paired over runs, tested from the highest sparsity down to the "
            "first that is not significant).",
        ),
    )


def _published(found: Figures | None) -> tuple[str, ...]:
    if found is None:
        return ()
    return (f"r = {words.number(found.r)}, rho = {words.number(found.rho)}.",)
