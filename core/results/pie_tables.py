"""A study's tables about PIEs: reads what each needs from its files, and calls the analysis.

What compares all runs with each other is made once for a sparsity and kept in the study's folder.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from core.analysis import pie_carried, pie_null, pie_surrogate
from core.analysis.bootstrap import benjamini_hochberg
from core.analysis.claims import CORRECTED, Claim, pie_claim_rows
from core.analysis.lost import lost_labels
from core.analysis.pie import Pies
from core.analysis.pie_claims import pie_claims_table
from core.analysis.pie_composition import PieClassRatio, PieFindingCountRatio
from core.analysis.pie_definitions import AgreementZ, ModalDisagreement, ModalExcess
from core.analysis.pie_excess import EXCESS, PieExcess
from core.analysis.pie_label_noise import WRONG_LABELS, PieLabelNoise, labels_record_noise
from core.analysis.pie_lost import labels_lost
from core.analysis.pie_null import PairAgreements
from core.analysis.pie_quality import PieQuality
from core.analysis.pie_quality_excess import BADNESS, PieQualityExcess, badness
from core.analysis.ranks import ranks
from core.errors import InputError
from core.pictures.quality import image_quality, kept_quality
from core.results import operating_tables, tables
from core.results.tables import PIE_SPARSITY, paper_pies
from core.study import paths, store
from core.study.labels import class_frequencies, label_matrix

# Changes with the way a kept table is computed, so that an old one is not taken for a new one.
PIES_EDITION = 2
LOST = "lost"  # the kind of the row of `pie_excess` that counts labels instead of images
Advance = Callable[[int, int], None]


class Compared(NamedTuple):
    """What a comparison of all runs at one sparsity gives: three kept tables."""

    images: pd.DataFrame
    pairs: pd.DataFrame
    excess: pd.DataFrame


def pies(
    folder: Path, sparsity: float = PIE_SPARSITY, advance: Advance | None = None
) -> pd.DataFrame:
    """`paper_pies` with the other definitions of a PIE, from the runs that have both sparsities;
    kept in the study's folder until a prediction changes. The modal columns are missing where a
    study keeps no validation predictions, what compares different runs where it has one run, and
    agreement_z where it has fewer than three. Beside them lost_at_sparsity and lost_classes of the
    image's labels (`lost_labels`), over the whole grid. `advance(done, total)` hears of the models
    and draws compared, if any are."""
    kept = kept_pies(folder, sparsity)
    table = _compared(folder, sparsity, advance).images if kept is None else kept
    labels = store.read_labels(folder)
    truth = label_matrix(labels.split("test"), labels.class_names)
    lost = lost_labels(truth, operating_tables.lost_at(folder), labels.class_names)
    return pd.concat([table, lost], axis=1)


def kept_pies(folder: Path, sparsity: float) -> pd.DataFrame | None:
    """`pies` without what is lost, where that has been worked out and nothing has changed since,
    else None."""
    path = paths.pie_definitions_path(folder, sparsity)
    return store.read_kept(path, _key(folder)) if path.exists() else None


def pie_excess(
    folder: Path, sparsity: float = PIE_SPARSITY, advance: Advance | None = None
) -> pd.DataFrame:
    """`PieExcess` of `all_carried`, and a row of kind LOST: pruned_ratio and dense_ratio are
    `LabelsLost`'s shares there, n_images the labels and n_positive those found by a dense model."""
    kept = store.read_kept(paths.pie_excess_path(folder, sparsity), _key(folder))
    return _compared(folder, sparsity, advance).excess if kept is None else kept


def excess_kept(folder: Path, sparsity: float) -> bool:
    """Whether `pie_excess` is there to be read."""
    return store.is_kept(paths.pie_excess_path(folder, sparsity), _key(folder))


def pie_class_ratio(folder: Path, sparsity: float = PIE_SPARSITY) -> pd.DataFrame:
    """`PieClassRatio`, and beside it the same under pruning and between dense models."""
    labels = store.read_labels(folder)
    found = paper_pies(folder, sparsity)
    table = PieClassRatio()(found, labels.split("test"), labels.class_names)
    return with_excess(table, pie_excess(folder, sparsity), pie_carried.CLASS, "class_name")


def pie_finding_count_ratio(folder: Path, sparsity: float = PIE_SPARSITY) -> pd.DataFrame:
    labels = store.read_labels(folder)
    found = paper_pies(folder, sparsity)
    table = PieFindingCountRatio()(found, labels.split("test"), labels.class_names)
    excess = pie_excess(folder, sparsity)
    return with_excess(table, excess, pie_carried.FINDING_COUNT, "finding_count")


def pie_label_noise(folder: Path, sparsity: float = PIE_SPARSITY) -> pd.DataFrame:
    """`PieLabelNoise`. Raises InputError where the labels do not record which are wrong."""
    labels = store.read_labels(folder)
    if not labels_record_noise(labels):
        raise InputError(
            f"The labels of {folder.name} do not record which of them are wrong: they have no "
            f"column {WRONG_LABELS}, as those of phantoms do."
        )
    found = paper_pies(folder, sparsity)
    table = PieLabelNoise()(found, labels.split("test"), labels.class_names)
    return with_excess(table, pie_excess(folder, sparsity), pie_carried.LABEL_NOISE, "images")


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
    folder: Path, sparsity: float = PIE_SPARSITY, advance: Advance | None = None
) -> pd.DataFrame:
    """`PieQuality` of `quality.MEASURES`, and `PieQualityExcess` beside it; `advance(done, total)`
    hears of the images measured, if any still are. Raises InputError for a study without images."""
    found = paper_pies(folder, sparsity)
    measured = image_quality(folder, advance)
    table = PieQuality()(found, store.read_labels(folder).split("test"), measured)
    return table.merge(quality_excess(folder, sparsity, measured), on="measure")


def quality_excess(folder: Path, sparsity: float, measured: pd.DataFrame) -> pd.DataFrame:
    """`PieQualityExcess` of `image_quality`'s table, and a row of `badness`; kept in the study's
    folder until a prediction or a measure changes."""
    path, measures = paths.pie_quality_path(folder, sparsity), paths.image_quality_path(folder)
    key = f"{_key(folder)} {measures.stat().st_mtime_ns if measures.exists() else 0}"
    kept = store.read_kept(path, key)
    if kept is not None:
        return kept
    n_runs, agreements = pair_agreements(folder, sparsity)
    every = measured.assign(**{BADNESS: badness(measured)})
    table = PieQualityExcess()(n_runs, agreements, _patients(folder), every)
    with suppress(OSError):  # a cache that may not be written only makes the next call slower
        store.write_kept(table, path, key)
    return table


def pair_agreements(folder: Path, sparsity: float) -> tuple[int, PairAgreements]:
    """The number of runs, and `PairAgreements` on ranks within class."""
    kept = store.read_kept(paths.pie_pairs_path(folder, sparsity), _key(folder))
    table = _compared(folder, sparsity, None).pairs if kept is None else kept
    values = np.ascontiguousarray(table.to_numpy(np.float32).T)
    half = len(values) // 2
    n_runs = len(_runs(folder, sparsity))
    return n_runs, PairAgreements(values[:half], values[half:])


def pie_claims(
    folder: Path, sparsity: float = PIE_SPARSITY, advance: Advance | None = None
) -> pd.DataFrame:
    """`pie_claims_table` of a study: the paper's claims about PIEs, as published and corrected.
    Reads what `pie_excess` keeps; images that have not been measured yet are not measured here."""
    rows = store.read_labels(folder).split("test")
    excess = pie_excess(folder, sparsity, advance)
    quality = None
    if paths.images_dir(store.read_config(folder).dataset) is not None:
        measured = kept_quality(folder)
        if measured is not None:
            one = measured[["image_id"]].assign(**{BADNESS: badness(measured)})
            table = PieQuality()(paper_pies(folder, sparsity), rows, one)
            beside = quality_excess(folder, sparsity, measured)
            quality = table.merge(beside, on="measure").iloc[0]
    return _claims_table(folder, sparsity, excess, quality)


def noise_claim(folder: Path, sparsity: float = PIE_SPARSITY) -> Claim:
    """The corrected claim about wrong labels, as the table `claims` judges it."""
    table = _claims_table(folder, sparsity, pie_excess(folder, sparsity), None)
    rows = pie_claim_rows(table[table["claim"] == pie_carried.NOISE])
    (claim,) = (row for row in rows if row.reading == CORRECTED)
    return claim


def _claims_table(
    folder: Path, sparsity: float, excess: pd.DataFrame, quality: pd.Series | None
) -> pd.DataFrame:
    labels = store.read_labels(folder)
    return pie_claims_table(
        paper_pies(folder, sparsity),
        labels.split("test"),
        labels.class_names,
        _tail(folder),
        excess,
        quality,
        len(_runs(folder, sparsity)),
    )


def _compared(folder: Path, sparsity: float, advance: Advance | None) -> Compared:
    """Compare all runs at a sparsity, and keep the tables."""
    key = _key(folder)  # of what is read below, whatever changes meanwhile
    made = _Comparison(folder, sparsity, advance).made()
    kept = {
        paths.pie_definitions_path(folder, sparsity): made.images,
        paths.pie_pairs_path(folder, sparsity): made.pairs,
        paths.pie_excess_path(folder, sparsity): made.excess,
    }
    with suppress(OSError):  # a cache that may not be written only makes the next call slower
        for path, table in kept.items():
            store.write_kept(table, path, key)
    return made


class _Comparison:
    def __init__(self, folder: Path, sparsity: float, advance: Advance | None) -> None:
        self.folder, self.sparsity = folder, sparsity
        self.labels = store.read_labels(folder)
        self.rows = self.labels.split("test")
        self.truth = label_matrix(self.rows, self.labels.class_names)
        self.runs = _runs(folder, sparsity)
        self.pairs = pie_null.pairs_of_runs(len(self.runs))
        self._advance, self._done = advance, 0
        draws = 1 + -(-pie_null.DRAWS // pie_null.DRAWS_AT_ONCE)
        models = 2 * len(self.runs) * (2 + pie_surrogate.SURROGATES)
        self._total = AgreementZ().splits + models + draws

    def made(self) -> Compared:
        images = paper_pies(self.folder, self.sparsity)  # says what is missing, if anything is
        dense, pruned = self._models()
        thresholds = tables.validation_thresholds(self.folder, self.labels, self.runs)
        modal = ModalDisagreement()(dense, pruned, thresholds)
        z = AgreementZ()(dense, pruned, lambda *_: self._step())
        images = pd.concat([images, modal], axis=1).assign(
            modal_excess=ModalExcess()(dense, pruned, thresholds), agreement_z=z
        )
        raw = pie_null.pair_agreements(dense, pruned, self.pairs, self._step)
        dense, pruned = (pie_null.rank_matrices(self.truth, models) for models in (dense, pruned))
        by_rank = pie_null.pair_agreements(dense, pruned, self.pairs, self._step)
        ensembles = Pies()(self.rows["image_id"], *self._ensemble_ranks())
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
        return Compared(
            images,
            pd.DataFrame(both.T, columns=names),
            self._excess(dense, pruned, by_rank),
        )

    def _excess(
        self, dense: np.ndarray, pruned: np.ndarray, by_rank: PairAgreements
    ) -> pd.DataFrame:
        """dense, pruned: (runs, images, classes) ranks within class."""
        truth = self.truth[:, pie_null.ranked(self.truth)]
        specificity = store.read_config(self.folder).operating_point.specificity
        lost = labels_lost(truth, dense, pruned, specificity)
        surrogates = []
        if len(self.runs) >= pie_null.LEAST_RUNS:
            for order in pie_surrogate.exchanges(truth):
                mixed = [pie_surrogate.exchanged(models, order) for models in (dense, pruned)]
                one = pie_null.pair_agreements(mixed[0], mixed[1], self.pairs, self._step)
                surrogates.append(one)
        carried = pie_carried.all_carried(self.rows, self.labels.class_names, _tail(self.folder))
        patients = _patients(self.folder)
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
        names, ids = self.labels.class_names, self.rows["image_id"]
        shape = (len(self.runs), len(ids), len(names))
        dense, pruned = (np.empty(shape, np.float32) for _ in range(2))
        for at, run in enumerate(self.runs):
            for values, s in ((dense, 0.0), (pruned, self.sparsity)):
                path = paths.prediction_path(self.folder, run, s)
                values[at] = store.read_predictions(path, ids, names)
        return dense, pruned

    def _ensemble_ranks(self) -> list[np.ndarray]:
        there = pie_null.ranked(self.truth)
        names, ids = self.labels.class_names, self.rows["image_id"]
        files = [paths.ensemble_path(self.folder, s) for s in (0.0, self.sparsity)]
        found = (store.read_predictions(path, ids, names) for path in files)
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


def _runs(folder: Path, sparsity: float) -> list[int]:
    return sorted(tables.runs_at(folder, 0.0) & tables.runs_at(folder, sparsity))


def _patients(folder: Path) -> np.ndarray:
    return pd.factorize(store.read_labels(folder).split("test")["patient_id"])[0]


def _tail(folder: Path) -> list[str]:
    table = class_frequencies(store.read_labels(folder), store.read_config(folder).groups)
    return table.loc[table["group"] == "tail", "class_name"].tolist()


def _key(folder: Path) -> str:
    """Every file with its time, so that one taken away or put back is noticed."""
    points = operating_tables.operating_points_key(folder)
    return store.ensembles_key(folder, f"{PIES_EDITION} {store.predictions_key(folder)} {points}")
