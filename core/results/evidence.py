"""What may be claimed of a study, as tables: onsets and trends of its classes, pairs that differ,
and the paper's claims. Kept in the study's folder, because they draw runs and patients many times.
"""

from __future__ import annotations

from functools import lru_cache, partial

import pandas as pd

from core.analysis import claims as claim_rows
from core.analysis.claims import CLAIMS, Claim
from core.analysis.class_evidence import CLASS_EFFECTS, TRENDS, ClassEvidence, class_evidence
from core.analysis.class_summary import ClassSummary
from core.analysis.correlations import Correlations
from core.analysis.pair_evidence import (
    DifferentPairs,
    PairEvidence,
    n_different,
    pair_evidence,
    together,
)
from core.analysis.pairs import cooccurrence_iou
from core.errors import InputError
from core.results import pies
from core.results.agreements import PIE_SPARSITY
from core.results.kept import Kept, kept
from core.results.moments import moments, patient_draws
from core.results.slices import Slice
from core.study import paths
from core.study.study import METRICS, QUALITY, Study
from core.wording.claim_sentences import sentence

CLASS_EVIDENCE = (
    "class_name",
    "judged",
    "onset",
    "onset_by",
    "onset_ci_low",
    "onset_ci_high",
    "onset_se",
    "onset_censored",
    "p_among_first",
)


def _make(study: Study) -> tuple[pd.DataFrame, ...]:
    found = of_classes(study)
    onsets = found.onsets.assign(judged=found.judged)[list(CLASS_EVIDENCE)]
    return onsets, found.trends(), found.effects(), DifferentPairs()(of_pairs(study))


def _file(name: str) -> partial:
    return partial(paths.evidence_path, table=name)


# `onset.Onsets` of every class and whether the class is judged (CLASS_EVIDENCE);
# `class_evidence.TRENDS`; what each class adds to them (`ClassEvidence.effects`); and
# `pair_evidence.PAIR_EVIDENCE`: made together.
class_onsets = Kept(
    _make,
    tuple(map(_file, ("class_onsets", "trends", "class_effects", "different_pairs"))),
    version=11,
    inputs=(METRICS,),
    uses=(moments,),
    columns=(TRENDS, CLASS_EFFECTS),
)
trends = class_onsets.beside(1)
class_effects = class_onsets.beside(2)
different_pairs = class_onsets.beside(3)


@kept(
    _file("claims"),
    version=2,
    inputs=(QUALITY,),
    uses=(class_onsets, pies.definitions),
    columns=CLAIMS,
)
def claims(study: Study) -> pd.DataFrame:
    """CLAIMS: every claim of the paper, by its own statistic and by the corrected one."""
    rows = [
        {**{name: getattr(one, name) for name in CLAIMS.names[:-1]}, "sentence": sentence(one)}
        for one in _claims(study)
    ]
    return pd.DataFrame(rows, columns=CLAIMS.names)


def of_classes(study: Study) -> ClassEvidence:
    """Worked out once for the tables that are made of it."""
    return _of_classes(study, class_onsets.key(study))


@lru_cache(maxsize=2)
def _of_classes(study: Study, key: str) -> ClassEvidence:
    return class_evidence(
        Slice(study).class_metrics, moments(study), patient_draws(study), study.frequencies
    )


def of_pairs(study: Study) -> PairEvidence:
    """The evidence of every pair of classes."""
    known = of_classes(study)
    return pair_evidence(moments(study), known.curves, known.log_frequency)


def _claims(study: Study) -> list[Claim]:
    classes, pairs = of_classes(study), of_pairs(study)
    metrics, truth = Slice(study).class_metrics, study.test.truth
    names, frequencies = list(study.labels.class_names), study.frequencies
    of_paper = Correlations(("ap",))(metrics, frequencies, truth, names)
    iou = cooccurrence_iou(truth, names)
    iou = iou.loc[pairs.class_names, pairs.class_names].to_numpy(float)
    found = n_different(DifferentPairs()(pairs))
    return [
        *claim_rows.class_claims(classes, of_paper, ClassSummary()(metrics, frequencies)),
        *claim_rows.pair_claims(pairs, of_paper, together(pairs, iou), found),
        *_of_pies(study),
    ]


def _of_pies(study: Study) -> list[Claim]:
    try:
        return claim_rows.pie_claim_rows(pies.pie_claims(study))
    except InputError:
        missing = f"no ensemble of the dense model and {PIE_SPARSITY * 100:.0f} % sparsity is there"
        return claim_rows.no_pie_claims(missing)


def make_ready(study: Study) -> None:
    """What pages open with, made when a study is finished; the claims last."""
    class_onsets(study)
    claims(study)


def is_ready(study: Study) -> bool:
    """Whether all of that is there to be read."""
    return claims.is_there(study)
