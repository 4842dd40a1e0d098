"""What may be claimed of a study, as tables: onsets and trends of its classes, pairs that differ,
and the paper's claims. Kept in the study's folder, because they draw runs and patients anew.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import pandas as pd

from core.analysis import claims as claim_rows
from core.analysis import decay
from core.analysis.claims import CLAIMS, Claim
from core.analysis.class_evidence import ClassEvidence, class_evidence
from core.analysis.class_pairs import ClassPairs
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
from core.results import operating_tables, pie_tables, tables
from core.results.tables import PIE_SPARSITY
from core.study import paths, store
from core.study.labels import label_matrix
from core.wording.claim_sentences import sentence

# Changes with the way a kept table is computed, so that an old one is not taken for a new one.
EDITION = 9
CLASS_EVIDENCE = (
    "class_name",
    "judged",
    "onset",
    "onset_ci_low",
    "onset_ci_high",
    "onset_se",
    "onset_censored",
    "p_among_first",
)


def class_onsets(folder: Path) -> pd.DataFrame:
    """CLASS_EVIDENCE: `onset.Onsets` of every class, and whether the class is judged."""

    def make() -> pd.DataFrame:
        evidence = of_classes(folder)
        return evidence.onsets.assign(judged=evidence.judged)[list(CLASS_EVIDENCE)]

    return _kept(folder, "class_onsets", make)


def class_summary(folder: Path, metric: str = "ap") -> pd.DataFrame:
    """`ClassSummary` of the metric, with the onsets of Somers' D where a pruned model is there."""
    metrics = tables.class_metrics(folder)
    onsets = class_onsets(folder) if decay.pruned_sparsities(metrics) else None
    return ClassSummary(metric)(metrics, tables.frequencies(folder), onsets)


def class_pairs(folder: Path, metric: str = "ap") -> pd.DataFrame:
    """`ClassPairs` of the metric, with the evidence of Somers' D."""
    labels = store.read_labels(folder)
    truth = label_matrix(labels.split("test"), labels.class_names)
    metrics = tables.class_metrics(folder)
    return ClassPairs(metric)(metrics, truth, list(labels.class_names), different_pairs(folder))


def trends(folder: Path) -> pd.DataFrame:
    """`class_evidence.TRENDS`."""
    return _kept(folder, "trends", lambda: of_classes(folder).trends())


def class_effects(folder: Path) -> pd.DataFrame:
    """`ClassEvidence.effects`: what each class adds to the trends."""
    return _kept(folder, "class_effects", lambda: of_classes(folder).effects())


def different_pairs(folder: Path) -> pd.DataFrame:
    """`pair_evidence.PAIR_EVIDENCE`."""
    return _kept(folder, "different_pairs", lambda: DifferentPairs()(of_pairs(folder)))


def claims(folder: Path) -> pd.DataFrame:
    """CLAIMS: every claim of the paper, by its own statistic and by the corrected one."""

    def make() -> pd.DataFrame:
        rows = [
            {**{name: getattr(one, name) for name in CLAIMS[:-1]}, "sentence": sentence(one)}
            for one in _claims(folder)
        ]
        return pd.DataFrame(rows, columns=list(CLAIMS))

    return store.kept(paths.evidence_path(folder, "claims"), _claims_key(folder), make)


def of_classes(folder: Path) -> ClassEvidence:
    """Worked out once for the tables that are made of it."""
    return _of_classes(folder, store.predictions_key(folder))


@lru_cache(maxsize=2)
def _of_classes(folder: Path, key: str) -> ClassEvidence:
    return class_evidence(
        tables.class_metrics(folder),
        tables.moments(folder),
        tables.patient_draws(folder),
        tables.frequencies(folder),
    )


def of_pairs(folder: Path, classes: ClassEvidence | None = None) -> PairEvidence:
    known = classes or of_classes(folder)
    return pair_evidence(tables.moments(folder), known.curves, known.log_frequency)


def _claims(folder: Path) -> list[Claim]:
    classes = of_classes(folder)
    pairs = of_pairs(folder, classes)
    labels = store.read_labels(folder)
    truth = label_matrix(labels.split("test"), labels.class_names)
    metrics, frequencies = tables.class_metrics(folder), tables.frequencies(folder)
    of_paper = Correlations(("ap",))(metrics, frequencies, truth, list(labels.class_names))
    iou = cooccurrence_iou(truth, list(labels.class_names))
    iou = iou.loc[pairs.class_names, pairs.class_names].to_numpy(float)
    found = n_different(DifferentPairs()(pairs))
    return [
        *claim_rows.class_claims(classes, of_paper, ClassSummary()(metrics, frequencies)),
        *claim_rows.pair_claims(pairs, of_paper, together(pairs, iou), found),
        *_of_pies(folder),
    ]


def _of_pies(folder: Path) -> list[Claim]:
    try:
        return claim_rows.pie_claim_rows(pie_tables.pie_claims(folder))
    except InputError:
        missing = f"no ensemble of the dense model and {PIE_SPARSITY * 100:.0f} % sparsity is there"
        return claim_rows.no_pie_claims(missing)


def make_ready(folder: Path) -> None:
    """What pages open with, made when a study is finished; the claims last."""
    for make in (class_onsets, trends, class_effects, different_pairs, claims):
        make(folder)


def is_ready(folder: Path) -> bool:
    """Whether all of that is there to be read."""
    return store.is_kept(paths.evidence_path(folder, "claims"), _claims_key(folder))


def _kept(folder: Path, name: str, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    return store.kept(paths.evidence_path(folder, name), _key(folder), make)


def _key(folder: Path) -> str:
    """What the classes and pairs are made of: predictions, and the metrics of each."""
    metrics = paths.class_metrics_path(folder)
    time = metrics.stat().st_mtime_ns if metrics.exists() else 0
    return f"{EDITION}-{tables.MOMENTS_EDITION}-{store.predictions_key(folder)}-{time}"


def _claims_key(folder: Path) -> str:
    """The same with what PIEs are made of, and image quality, measured when somebody asks."""
    quality = paths.image_quality_path(folder)
    measured = quality.stat().st_mtime_ns if quality.exists() else 0
    points = operating_tables.operating_points_key(folder)
    beside = f"{_key(folder)} {pie_tables.PIES_EDITION} {points} {measured}"
    return store.ensembles_key(folder, beside)
