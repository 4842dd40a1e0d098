"""A study as one HTML file to send and to print: what Overview says, both readings of each claim,
interactive charts, methods and provenance. It asks nothing of the network, and holds no ids of
images; X-rays only where somebody who may see them asked for them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from core import results
from core.analysis import decay
from core.analysis.class_changes import PRIMARY
from core.analysis.first_forgotten import first_forgotten
from core.analysis.safe_operation import operating_answers
from core.analysis.safe_sparsity import ALL, SafeSparsity, safe_answers
from core.errors import InputError, WorkError
from core.pictures.repairs import sentences
from core.reporting import figures, readings, report_methods, report_tables
from core.reporting.citation import citations
from core.reporting.page import ShownChart, environment, shown_chart
from core.reporting.report_pies import ShownPie, Xrays, shown_pies
from core.results.agreements import paper_pies
from core.results.safe import safe_operation
from core.study import store
from core.study.config import NOT_PART_OF_ID, StudyConfig
from core.study.known_settings import known_settings, unknown_names
from core.study.labels import Labels, known_split, training_known
from core.study.progress import read_progress
from core.study.study import Study, find_study
from core.wording import (
    claim_sentences,
    data_sentences,
    first_sentences,
    operating_sentences,
    safety_sentences,
    words,
)
from core.wording.published import published

PACKAGES = ("prunescope", "numpy", "pandas", "scipy", "plotly")
Advance = Callable[[int, int], None]
T = TypeVar("T")


def write_report(
    study_name: str, out: Path, advance: Advance | None = None, xrays: Xrays | None = None
) -> None:
    """Write the report of a study to `out`, whole or not at all.

    `advance(done, total)` hears of the predictions read, if they have to be. xrays: as
    `report_html` takes them. Raises InputError for an unknown study, a name that does not end in
    .html, or a place that cannot be written.
    """
    if out.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{out.name} does not end in .html.")
    if out.is_dir():
        raise InputError(f"{out} is a folder; give the name of a file.")
    html = report_html(find_study(study_name), advance, xrays)
    try:
        with store.whole_file(out) as temporary:
            temporary.write_text(html, encoding="utf-8")
    except OSError as error:
        raise InputError(f"Cannot write {out}: {error.strerror or error}.") from error


def report_html(study: Study, advance: Advance | None = None, xrays: Xrays | None = None) -> str:
    """The report of a study as a page; its top says what an unfinished study lacks. xrays:
    gives the X-rays of PIEs; without it the report shows none."""
    config = study.config
    contents = _Contents(study, advance)
    charts, pies = contents.charts(), contents.pies(xrays)
    sections = {
        "short": "In short", "claims": "Claims", "pies": "PIEs", "charts": "Figures",
        "tables": "Tables", "methods": "Methods", "cite": "How to cite",
    }  # fmt: skip
    empty = {
        "claims": not contents.readings, "pies": not pies, "charts": not charts,
        "tables": not contents.tables,
    }  # fmt: skip
    page = environment().get_template("report.html")
    return page.render(
        title=config.study.title or config.study.name,
        name=config.study.name,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        synthetic=config.synthetic,
        not_a_licence=safety_sentences.NOT_A_LICENCE,
        missing=contents.missing,
        contents=[
            (key, text)
            for key, text in (sections | {"provenance": "Provenance"}).items()
            if not empty.get(key)
        ],
        answers=contents.answers or ["Nothing can be said of this study yet."],
        groups=contents.groups,
        caveats=contents.caveats,
        verdicts=contents.verdicts,
        readings=contents.readings,
        pies=pies,
        pies_caption=contents.pies_caption,
        charts=charts,
        tables=contents.tables,
        methods=report_methods.methods(config),
        citations=citations(study.folder.name),
        provenance=_provenance(study, contents.labels),
        settings=_settings(config),
    )


class _Contents:
    """Everything a report can say of a study; what cannot be had goes to `missing`, in words."""

    def __init__(self, study: Study, advance: Advance | None) -> None:
        self._study, self._advance, self.config = study, advance, study.config
        self.missing: list[str] = []
        self.answers: list[str] = []
        self.groups: list[str] = []
        self.caveats: list[str] = []
        self.verdicts: tuple[list[str], list[list[str]]] = ([], [])
        self.readings: list[readings.Reading] = []
        self.pies_caption = ""
        self.tables: list[report_tables.Table] = []
        self._ratios: list[report_tables.Table] = []
        self._state()
        self.labels = self._try("Labels", lambda: study.labels)
        self.metrics = study.class_metrics
        self._pruned = decay.pruned_sparsities(self.metrics)
        if self.labels is not None:
            test = self.labels.split("test")
            self.caveats += data_sentences.one_valued(test, self.labels.class_names)
        self.safety: pd.DataFrame | None = None
        self.claims: pd.DataFrame | None = None
        self._over_patients = False
        if self.labels is None or self.metrics.empty:
            if self.metrics.empty:
                self.missing.append("Everything about results: no prediction is finished yet.")
            return
        if self._pruned and 0.0 in set(self.metrics["sparsity"]):
            self._read_claims()
            self._safe_sparsity()
        else:
            self.missing.append("Everything about losses: dense and pruned are not both finished.")

    def _try(self, what: str, make: Callable[[], T]) -> T | None:
        try:
            return make()
        except (InputError, WorkError) as error:
            self.missing.append(f"{what}: {error}")
            return None

    def _table(self, what: str, name: str) -> pd.DataFrame | None:
        return self._try(what, lambda: results.table(self._study, name, advance=self._advance))

    def _state(self) -> None:
        report = read_progress(self._study.folder)
        n_cells = len(self._study.cells)
        total = self.config.runs.count * len(self.config.sweep.sparsities)
        if n_cells < total:
            done = words.finished(n_cells, self.config)
            how = f", {words.standing(report)}" if report else ""
            self.missing.append(f"Unfinished study{how}: {done}.")

    def _safe_sparsity(self) -> None:
        settings = SafeSparsity()
        table = self._table("Safe sparsity", "safe_sparsity")
        answers = safe_answers(table) if table is not None else {}
        if not answers:
            return
        self.safety = table
        everything = answers[ALL]
        operation = safe_operation(self._study, settings)
        by_decisions = operating_answers(operation)
        told = (
            safety_sentences.safe_headline(everything, settings),
            safety_sentences.safe_details(everything, settings),
            *safety_sentences.by_decisions(by_decisions),
        )
        self.answers += [line for line in told if line]
        self.groups += [
            safety_sentences.safe_headline(answer, settings)
            for scope, answer in answers.items()
            if scope != ALL
        ]
        self.caveats += safety_sentences.safe_caveats(
            everything, settings, self._unknown_patients()
        )

    def _unknown_patients(self) -> str:
        return words.unknown_patients(self.labels.split("test")) if self.labels else ""

    def _read_claims(self) -> None:
        overall = self._table("mAP over patients", "overall")
        self._over_patients = overall is not None
        if overall is None:  # a damaged prediction: what is left is over runs
            overall = results.table(self._study, "overall", over_patients=False)
        self.claims = self._table("The paper's claims", "claims")
        if self.claims is not None:
            self.readings += readings.of_claims(self.claims, published(self.config))
            self.verdicts = claim_sentences.claims_told(self.claims)
        composition = self._try("PIEs", self._composition)
        if composition is not None:
            self.readings.append(composition)
        self.readings.append(readings.first_drop(overall))
        if self.claims is None:  # the same reason: what is read of class metrics is there
            every = results.table(self._study, "class_summary", over_patients=False)
        else:
            every = results.table(self._study, "class_summary")
            self._overview(self.claims)
        self.tables.append(report_tables.summary_table(every))
        self.tables.append(report_tables.overall_table(overall))
        correlations = self._table("Correlations", "correlations")
        if correlations is not None:
            self.tables.append(report_tables.correlations_table(correlations))
        self.tables += self._ratios

    def _overview(self, claims: pd.DataFrame) -> None:
        """What Overview opens with."""
        summary = results.table(self._study, "class_summary", metric=PRIMARY)
        n_runs, at = decay.complete_runs(self.metrics), figures.preferred(self._pruned)
        found = first_forgotten(summary, n_runs, self._pruned)
        operating = results.table(self._study, "operating_characteristics")
        told = (
            first_sentences.headline(found),
            first_sentences.lost(figures.changes_at(self._study, PRIMARY, at), at),
            *claim_sentences.rarity(claims),
            first_sentences.details(found),
            operating_sentences.false_alarms_sentence(operating, at),
            first_sentences.not_judged(found),
        )
        self.answers += [line for line in told if line]

    def pies(self, xrays: Xrays | None) -> list[ShownPie]:
        if xrays is None or self.labels is None or not self._pruned:
            return []
        sparsity = figures.preferred(self._pruned)
        shown = self._try("X-rays of PIEs", lambda: shown_pies(self._study, sparsity, xrays))
        self.pies_caption = (
            f"At {words.percent(sparsity)} sparsity, the test images with the lowest agreement "
            "between dense and pruned models (Spearman correlation over classes), with their "
            "labels. For research only, not for diagnosis."
        )
        return shown or []

    def _composition(self) -> readings.Reading:
        sparsity = figures.preferred([s for s in self._study.grid if s > 0] or self._pruned)
        pies = paper_pies(self._study, sparsity)
        by_class = results.table(self._study, "pie_class_ratio", sparsity=sparsity)
        by_count = results.table(self._study, "pie_finding_count_ratio", sparsity=sparsity)
        self._ratios = [report_tables.ratio_table(by_class, sparsity)]
        return readings.pie_composition(pies, by_class, by_count, sparsity)

    def charts(self) -> list[ShownChart]:
        if self.labels is None:
            return []
        rows = self._study.frequencies
        legend = words.groups(self.config.groups, known_split(rows), training_known(rows))
        shown: list[ShownChart] = []
        for name in self._figures():
            with suppress(InputError):  # of what it lacks the rest of the report speaks
                options = {"over_patients": self._over_patients} if name == "mean_ap" else {}
                chart = figures.figure(self._study, name, **options)
                coloured = figures.FIGURES[name].in_groups
                shown.append(shown_chart(chart, len(shown), legend if coloured else ""))
        return shown

    def _figures(self) -> list[str]:
        """In the order of FIGURES, those that what is known suffices for."""
        always = {"class_frequencies"}
        if not self.metrics.empty:
            always.add("mean_ap")
        if self.safety is not None:
            always.add("safe_sparsity")
        return [name for name in figures.FIGURES if self.claims is not None or name in always]


# Provenance


def _provenance(study: Study, labels: Labels | None) -> list[tuple[str, str]]:
    config, known = study.config, store.read_provenance(study.folder)
    made_with = ", ".join(f"{name} {value}" for name, value in known.get("versions", {}).items())
    origin = words.origin(config)
    facts = {
        "Study id": study.folder.name,
        "Dataset": config.dataset.title,
        "Dataset fingerprint": known.get("dataset_fingerprint"),
        "Model": words.model(config),
        "Class frequencies in training": words.trained_on(config),
        "Predictions": origin,
        "Pruning": words.pruning(config),
        "Precision": words.precision(config),
        "Runs": words.runs(config, known.get("seeds", ())),
        "Sparsity grid": words.grid(config.sweep.sparsities),
        "Finished": words.finished(len(study.cells), config),
        "Skipped images": str(len(known.get("skipped_images", []))),
        "Repaired images": " ".join(sentences(known.get("image_repairs", []), with_names=False)),
        "Started": known.get("started"),
        "Finished at": known.get("finished"),
        "Imported with" if origin else "Predictions made with": made_with or None,
        "Report made with": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
    }
    if labels is not None:
        facts["Dataset fingerprint"] = facts["Dataset fingerprint"] or labels.fingerprint()
        for split, rows in labels.table.groupby("split"):
            n_patients = words.count(rows["patient_id"].nunique(), "patient")
            facts[f"n {split}"] = f"{words.count(len(rows), 'image')} of {n_patients}"
        facts["Patients"] = words.unknown_patients(labels.split("test"))
    return [(term, str(value)) for term, value in facts.items() if value]


def _settings(config: StudyConfig) -> list[tuple[str, str]]:
    """The settings without the folders of this machine, and without what is not known."""
    told = [
        (f"{section}.{name}", _plain(value))
        for section, values in known_settings(config).items()
        for name, value in values.items()
        if name not in NOT_PART_OF_ID.get(section, ()) and value is not None
    ]
    return told + [(name, words.UNKNOWN) for name in unknown_names(config)]


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
