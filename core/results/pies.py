"""A study's tables about PIEs. What compares all runs is made once for a sparsity, and kept."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from core.analysis import pie_carried, pie_null, pie_surrogate
from core.analysis.bootstrap import benjamini_hochberg
from core.analysis.claims import CORRECTED, Claim, pie_claim_rows
from core.analysis.lost import lost_labels
from core.analysis.pie import Pies
from core.analysis.pie_claims import pie_claims_table
from core.analysis.pie_composition import PieClassRatio, PieFindingCountRatio
from core.analysis.pie_definitions import (
    PIES,
    AgreementZ,
    ModalDisagreement,
    ModalExcess,
    best_f1_thresholds,
)
from core.analysis.pie_excess import EXCESS, PieExcess
from core.analysis.pie_label_noise import WRONG_LABELS, PieLabelNoise, labels_record_noise
from core.analysis.pie_lost import labels_lost
from core.analysis.pie_null import PairAgreements
from core.analysis.pie_quality import PieQuality
from core.analysis.pie_quality_excess import BADNESS, PIE_QUALITY, PieQualityExcess, badness
from core.analysis.quality_truth import POOR, PiePoor, QualityTruth, labels_record_quality
from core.analysis.ranks import ranks
from core.errors import InputError
from core.pictures.quality import image_quality, kept_quality
from core.results import operating
from core.results.agreements import PIE_SPARSITY, paper_pies
from core.results.kept import Advance, Kept, kept
from core.study import paths
from core.study.study import ENSEMBLES, PREDICTIONS, QUALITY, VALIDATION, Study

LOST = "lost"  # the kind of the row of `pie_excess` that counts labels instead of images


def validation_thresholds(study: Study, runs: list[int]) -> np.ndarray | None:
    """(runs, classes) thresholds of best F1 of each run's dense model on the validation split, NaN
    for a run without validation predictions; None where no run has any."""
    if len(study.validation) == 0 or not any(map(study.has_validation, runs)):
        return None
    thresholds = np.full((len(runs), len(study.labels.class_names)), np.nan)
    for at, run in enumerate(runs):
        if study.has_validation(run):
            predicted = study.validation_predictions(run)
            thresholds[at] = best_f1_thresholds(study.validation.truth, predicted)
    return thresholds


class _Comparison:
    def __init__(self, study: Study, sparsity: float, advance: Advance | None) -> None:
        self.study, self.sparsity = study, sparsity
        self.truth, self.class_names = study.test.truth, study.labels.class_names
        self.runs = study.runs(0.0, sparsity)
        self.pairs = pie_null.pairs_of_runs(len(self.runs))
        self._advance, self._done = advance, 0
        draws = 1 + -(-pie_null.DRAWS // pie_null.DRAWS_AT_ONCE)
        models = 2 * len(self.runs) * (2 + pie_surrogate.SURROGATES)
        self._total = AgreementZ().splits + models + draws

    def made(self) -> tuple[pd.DataFrame, ...]:
        """images, pairs, excess"""
        images = paper_pies(self.study, self.sparsity)  # says what is missing, if anything is
        dense, pruned = self._models()
        thresholds = validation_thresholds(self.study, self.runs)
        modal = ModalDisagreement()(dense, pruned, thresholds)
        z = AgreementZ()(dense, pruned, lambda *_: self._step())
        images = pd.concat([images, modal], axis=1).assign(
            modal_excess=ModalExcess()(dense, pruned, thresholds), agreement_z=z
        )
        raw = pie_null.pair_agreements(dense, pruned, self.pairs, self._step)
        dense, pruned = (pie_null.rank_matrices(self.truth, models) for models in (dense, pruned))
        by_rank = pie_null.pair_agreements(dense, pruned, self.pairs, self._step)
        ensembles = Pies()(self.study.test.image_ids, *self._ensemble_ranks())
        images = images.assign(
            agreement_dense_dense=_mean(raw.null),
            agreement_dense_pruned=_mean(raw.cross),
            rank_agreement=ensembles["agreement"],
            is_pie_rank=ensembles["is_pie"],
            rank_agreement_dense_dense=_mean(by_rank.null),
            rank_agreement_dense_pruned=_mean(by_rank.cross),
        )
        both = np.concatenate([by_rank.null, by_rank.cross])
        names = [f"{side} {a} {b}" for side in ("null", "cross") for a, b in self.pairs]
        pairs = pd.DataFrame(both.T, columns=names)
        return images, pairs, self._excess(dense, pruned, by_rank)

    def _excess(
        self, dense: np.ndarray, pruned: np.ndarray, by_rank: PairAgreements
    ) -> pd.DataFrame:
        """dense, pruned: (runs, images, classes) ranks within class."""
        truth = self.truth[:, pie_null.ranked(self.truth)]
        specificity = self.study.config.operating_point.specificity
        lost = labels_lost(truth, dense, pruned, specificity)
        surrogates = []
        if len(self.runs) >= pie_null.LEAST_RUNS:
            for order in pie_surrogate.exchanges(truth):
                mixed = [pie_surrogate.exchanged(models, order) for models in (dense, pruned)]
                one = pie_null.pair_agreements(mixed[0], mixed[1], self.pairs, self._step)
                surrogates.append(one)
        carried = pie_carried.all_carried(self.study.test.rows, self.class_names, _tail(self.study))
        patients = self.study.test.patients
        table = PieExcess()(len(self.runs), by_rank, surrogates, patients, carried, self._step)
        row = {
            "kind": LOST,
            "name": "labels",
            "pruned_ratio": lost.lost_pruned,
            "dense_ratio": lost.lost_dense,
            "n_images": lost.n_labels,
            "n_positive": round(lost.found),
        }
        return pd.concat([table, pd.DataFrame([row])], ignore_index=True)

    def _models(self) -> tuple[np.ndarray, np.ndarray]:
        shape = (len(self.runs), *self.truth.shape)
        dense, pruned = (np.empty(shape, np.float32) for _ in range(2))
        for at, run in enumerate(self.runs):
            for values, s in ((dense, 0.0), (pruned, self.sparsity)):
                values[at] = self.study.predictions(run, s)
        return dense, pruned

    def _ensemble_ranks(self) -> list[np.ndarray]:
        there = pie_null.ranked(self.truth)
        found = (self.study.ensemble(s) for s in (0.0, self.sparsity))
        return [ranks(self.truth, values)[:, there] for values in found]

    def _step(self) -> None:
        self._done += 1
        if self._advance:
            self._advance(min(self._done, self._total), self._total)


def _mean(agreements: np.ndarray) -> np.ndarray:
    """(images,) over pairs; missing where there is no pair."""
    if len(agreements) == 0:
        return np.full(agreements.shape[1], np.nan)
    return agreements.mean(axis=0, dtype=float)


def _compare(
    study: Study, sparsity: float, advance: Advance | None = None
) -> tuple[pd.DataFrame, ...]:
    return _Comparison(study, sparsity, advance).made()


# All runs compared at a sparsity: `paper_pies` with the other definitions of a PIE, from the runs
# that have both sparsities (the modal columns are missing where a study keeps no validation
# predictions, what compares different runs where it has one run, and agreement_z where it has fewer
# than three); the `PairAgreements` of runs; and `PieExcess` of `all_carried`, with a row of kind
# LOST: pruned_ratio and dense_ratio are `LabelsLost`'s shares there, n_images the labels and
# n_positive those found by a dense model.
definitions = Kept(
    _compare,
    (paths.pie_definitions_path, paths.pie_pairs_path, paths.pie_excess_path),
    version=2,
    inputs=(PREDICTIONS, ENSEMBLES, VALIDATION),
    columns=(PIES, EXCESS),
)
_pairs = definitions.beside(1)
_excess = definitions.beside(2)


def pies(
    study: Study, sparsity: float = PIE_SPARSITY, advance: Advance | None = None
) -> pd.DataFrame:
    """`definitions` of PIEs, and beside them lost_at_sparsity and lost_classes of the image's
    labels (`lost_labels`), over the whole grid. `advance(done, total)` hears of the models and
    draws compared, if any are."""
    table = definitions(study, sparsity, advance=advance)
    lost = lost_labels(study.test.truth, operating.lost_at(study), study.labels.class_names)
    return pd.concat([table, lost], axis=1)


def pie_excess(
    study: Study, sparsity: float = PIE_SPARSITY, advance: Advance | None = None
) -> pd.DataFrame:
    """What PIEs hold more of than dense models among themselves; see `definitions`."""
    return _excess(study, sparsity, advance=advance)


def pie_class_ratio(study: Study, sparsity: float = PIE_SPARSITY) -> pd.DataFrame:
    """`PieClassRatio`, and beside it the same under pruning and between dense models."""
    table = _of_rows(study, sparsity, PieClassRatio())
    return with_excess(table, pie_excess(study, sparsity), pie_carried.CLASS, "class_name")


def pie_finding_count_ratio(study: Study, sparsity: float = PIE_SPARSITY) -> pd.DataFrame:
    """`PieFindingCountRatio`, with the same beside it."""
    table = _of_rows(study, sparsity, PieFindingCountRatio())
    return with_excess(
        table, pie_excess(study, sparsity), pie_carried.FINDING_COUNT, "finding_count"
    )


def pie_label_noise(study: Study, sparsity: float = PIE_SPARSITY) -> pd.DataFrame:
    """`PieLabelNoise`. Raises InputError where the labels do not record which are wrong."""
    if not labels_record_noise(study.labels):
        raise InputError(
            f"The labels of {study.folder.name} do not record which of them are wrong: they have "
            f"no column {WRONG_LABELS}, as those of phantoms do."
        )
    table = _of_rows(study, sparsity, PieLabelNoise())
    return with_excess(table, pie_excess(study, sparsity), pie_carried.LABEL_NOISE, "images")


def _of_rows(study: Study, sparsity: float, analysis: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    return analysis(paper_pies(study, sparsity), study.test.rows, study.labels.class_names)


def with_excess(table: pd.DataFrame, excess: pd.DataFrame, kind: str, by: str) -> pd.DataFrame:
    """A table of ratios with EXCESS, ror_q (Benjamini-Hochberg over its stable rows), n_pruned and
    n_dense of the rows of that kind; `by` is the column that names a row."""
    rows = excess[excess["kind"] == kind].set_index("name")[[*EXCESS, "n_pruned", "n_dense"]]
    beside = rows.loc[table[by]].reset_index(drop=True)
    p = beside["ror_p"].to_numpy(float)
    if "unstable" in table:
        p = np.where(table["unstable"], np.nan, p)
    beside.insert(len(EXCESS), "ror_q", benjamini_hochberg(p))
    return pd.concat([table.reset_index(drop=True), beside], axis=1)


def pie_quality(
    study: Study, sparsity: float = PIE_SPARSITY, advance: Advance | None = None
) -> pd.DataFrame:
    """`PieQuality` of `quality.MEASURES`, and `PieQualityExcess` beside it; `advance(done, total)`
    hears of the images measured, if any still are. Raises InputError for a study without images."""
    found = paper_pies(study, sparsity)
    measured = image_quality(study.folder, advance)
    return with_quality_excess(
        study, sparsity, measured, PieQuality()(found, study.test.rows, measured)
    )


def quality_truth(study: Study, advance: Advance | None = None) -> pd.DataFrame:
    """`QualityTruth`. Raises InputError where the labels do not record which images are poor."""
    _refuse_unknown_quality(study)
    return QualityTruth()(study.test.rows, image_quality(study.folder, advance))


def pie_poor_quality(study: Study, sparsity: float = PIE_SPARSITY) -> pd.DataFrame:
    """`PiePoor`. Raises InputError where the labels do not record which images are poor."""
    _refuse_unknown_quality(study)
    return PiePoor()(paper_pies(study, sparsity), study.test.rows)


def _refuse_unknown_quality(study: Study) -> None:
    if not labels_record_quality(study.labels):
        raise InputError(
            f"The labels of {study.folder.name} do not record which images are poor: they have no "
            f"column {POOR}, as those of phantoms do."
        )


def with_quality_excess(
    study: Study, sparsity: float, measured: pd.DataFrame, table: pd.DataFrame
) -> pd.DataFrame:
    """A table by measure with what dense models give beside it. measured: `image_quality`."""
    if kept_quality(study.folder) is None:  # nothing may be written
        return table.merge(_quality_excess(study, sparsity, measured), on="measure")
    return table.merge(quality_excess(study, sparsity), on="measure")


@kept(
    paths.pie_quality_path,
    version=1,
    inputs=(QUALITY,),
    uses=(definitions,),
    columns=PIE_QUALITY,
)
def quality_excess(study: Study, sparsity: float) -> pd.DataFrame:
    """`PieQualityExcess` of the images' measures, and a row of `badness`."""
    measured = kept_quality(study.folder)
    if measured is None:
        raise InputError(f"The images of {study.folder.name} have not been measured.")
    return _quality_excess(study, sparsity, measured)


def _quality_excess(study: Study, sparsity: float, measured: pd.DataFrame) -> pd.DataFrame:
    every = measured.assign(**{BADNESS: badness(measured)})
    return PieQualityExcess()(*pair_agreements(study, sparsity), study.test.patients, every)


def pair_agreements(study: Study, sparsity: float) -> tuple[int, PairAgreements]:
    """The number of runs, and `PairAgreements` on ranks within class."""
    values = np.ascontiguousarray(_pairs(study, sparsity).to_numpy(np.float32).T)
    half = len(values) // 2
    return len(study.runs(0.0, sparsity)), PairAgreements(values[:half], values[half:])


def pie_claims(study: Study, sparsity: float = PIE_SPARSITY) -> pd.DataFrame:
    """`pie_claims_table` of a study: the paper's claims about PIEs, as published and corrected.
    Images that have not been measured yet are not measured here."""
    quality = None
    if paths.images_dir(study.config.dataset) is not None:
        measured = kept_quality(study.folder)
        if measured is not None:
            one = measured[["image_id"]].assign(**{BADNESS: badness(measured)})
            table = PieQuality()(paper_pies(study, sparsity), study.test.rows, one)
            quality = table.merge(quality_excess(study, sparsity), on="measure").iloc[0]
    return _claims_table(study, sparsity, quality)


def noise_claim(study: Study, sparsity: float = PIE_SPARSITY) -> Claim:
    """The corrected claim about wrong labels, as the table `claims` judges it."""
    table = _claims_table(study, sparsity, None)
    rows = pie_claim_rows(table[table["claim"] == pie_carried.NOISE])
    (claim,) = (row for row in rows if row.reading == CORRECTED)
    return claim


def _claims_table(study: Study, sparsity: float, quality: pd.Series | None) -> pd.DataFrame:
    return pie_claims_table(
        paper_pies(study, sparsity),
        study.test.rows,
        study.labels.class_names,
        _tail(study),
        pie_excess(study, sparsity),
        quality,
        len(study.runs(0.0, sparsity)),
    )


def _tail(study: Study) -> list[str]:
    table = study.frequencies
    return table.loc[table["group"] == "tail", "class_name"].tolist()
