"""A study as one HTML file to send and to print: both readings of each claim, interactive charts,
methods and provenance. It asks nothing of the network, and holds neither images nor their ids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import plotly.graph_objects as go
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from core import evidence_tables, pie_tables, safe_tables, store, study, tables
from core.analysis import decay, losses
from core.analysis.chance import chance_levels
from core.analysis.class_pairs import pair_matrices, pair_table
from core.analysis.class_summary import ClassSummary
from core.analysis.correlations import STABLE, named_row
from core.analysis.overall import Overall
from core.analysis.safe_operation import operating_answers
from core.analysis.safe_sparsity import ALL, SafeSparsity, safe_answers
from core.charts import Chart
from core.charts.classes import frequency_chart, losses_chart
from core.charts.curves import class_curves_chart, mean_ap_chart
from core.charts.pairs import fcd_heatmap, matrix_of
from core.charts.safety import safety_chart
from core.charts.scatter import first_drop_scatter, pair_scatter
from core.errors import InputError, WorkError
from core.known_settings import known_settings, unknown_names
from core.labels import FEW_PATIENTS, Labels, label_matrix
from core.pictures.repairs import sentences
from core.progress import read_progress
from core.reporting import readings, report_methods, report_tables
from core.wording import claims, findings, words
from core.wording.published import FIRST_DROP_STABLE, published

PREFERRED_SPARSITY = 0.9
TEMPLATES = Path(__file__).parent / "templates"
PACKAGES = ("prunescope", "numpy", "pandas", "scipy", "plotly")
TITLE_ROOM = {"automargin": True, "title": {"standoff": 12}, "gridcolor": "rgba(120,128,138,.25)"}
FIGURE = go.layout.Template(
    layout={
        "font": {"family": "system-ui, sans-serif", "color": "#555d67"},
        "xaxis": TITLE_ROOM | {"zerolinecolor": "rgba(120,128,138,.6)"},
        "yaxis": TITLE_ROOM | {"zerolinecolor": "rgba(120,128,138,.6)"},
    }
)
Advance = Callable[[int, int], None]
T = TypeVar("T")


def write_report(study_name: str, out: Path, advance: Advance | None = None) -> None:
    """Write the report of a study to `out`, whole or not at all.

    `advance(done, total)` hears of the predictions read, if they have to be. Raises InputError
    for an unknown study, a name that does not end in .html, or a place that cannot be written.
    """
    if out.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{out.name} does not end in .html.")
    if out.is_dir():
        raise InputError(f"{out} is a folder; give the name of a file.")
    html = report_html(store.find_study(study_name), advance)
    try:
        with store.whole_file(out) as temporary:
            temporary.write_text(html, encoding="utf-8")
    except OSError as error:
        raise InputError(f"Cannot write {out}: {error.strerror or error}.") from error


def report_html(folder: Path, advance: Advance | None = None) -> str:
    """The report of a study as a page; what an unfinished study lacks is told at its top."""
    config = store.read_config(folder)
    contents = _Contents(folder, advance)
    charts = contents.charts()
    sections = {"short": "In short", "charts": "Charts", "tables": "Tables", "methods": "Methods"}
    empty = {"charts": not charts, "tables": not contents.tables}
    page = _environment().get_template("report.html")
    return page.render(
        title=config.study.title or config.study.name,
        name=config.study.name,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        synthetic=config.synthetic,
        not_a_licence=claims.NOT_A_LICENCE,
        missing=contents.missing,
        contents=[
            (key, text)
            for key, text in (sections | {"provenance": "Provenance"}).items()
            if not empty.get(key)
        ],
        answers=contents.answers or ["Nothing can be said of this study yet."],
        groups=contents.groups,
        caveats=contents.caveats,
        readings=contents.readings,
        charts=charts,
        tables=contents.tables,
        methods=report_methods.methods(config),
        provenance=_provenance(folder, contents.labels),
        settings=_settings(folder),
    )


@dataclass(frozen=True)
class _Shown:
    title: str
    caption: str
    html: Markup
    legend: str


class _Contents:
    """Everything a report can say of a study; what cannot be had goes to `missing`, in words."""

    def __init__(self, folder: Path, advance: Advance | None) -> None:
        self._folder, self._advance = folder, advance
        self.config = store.read_config(folder)
        self.missing: list[str] = []
        self.answers: list[str] = []
        self.groups: list[str] = []
        self.caveats: list[str] = []
        self.readings: list[readings.Reading] = []
        self.tables: list[report_tables.Table] = []
        self._ratios: list[report_tables.Table] = []
        self._state()
        self.labels = self._try("Labels", lambda: store.read_labels(folder))
        self.metrics = store.read_class_metrics(folder)
        self._pruned = decay.pruned_sparsities(self.metrics)
        self.safety: pd.DataFrame | None = None
        if self.labels is None or self.metrics.empty:
            if self.metrics.empty:
                self.missing.append("Everything about results: no prediction is finished yet.")
            return
        if self._pruned and 0.0 in set(self.metrics["sparsity"]):
            self._safe_sparsity()
            self._read_claims()
        else:
            self.missing.append("Everything about losses: dense and pruned are not both finished.")

    def _try(self, what: str, make: Callable[[], T]) -> T | None:
        try:
            return make()
        except (InputError, WorkError) as error:
            self.missing.append(f"{what}: {error}")
            return None

    def _state(self) -> None:
        report = read_progress(self._folder)
        n_cells = len(store.finished_cells(self._folder))
        total = self.config.runs.count * len(self.config.sweep.sparsities)
        if n_cells < total:
            done = words.finished(n_cells, self.config)
            how = f", {words.standing(report)}" if report else ""
            self.missing.append(f"Unfinished study{how}: {done}.")

    def _safe_sparsity(self) -> None:
        settings = SafeSparsity()
        make = lambda: safe_tables.safe_sparsity(self._folder, settings, self._advance)  # noqa: E731
        table = self._try("Safe sparsity", make)
        answers = safe_answers(table) if table is not None else {}
        if not answers:
            return
        self.safety = table
        everything = answers[ALL]
        operation = safe_tables.safe_operation(self._folder, settings)
        by_decisions = operating_answers(operation)
        told = (
            claims.safe_headline(everything, settings),
            claims.safe_details(everything, settings),
            *claims.by_decisions(by_decisions),
        )
        self.answers += [line for line in told if line]
        self.groups += [
            claims.safe_headline(answer, settings)
            for scope, answer in answers.items()
            if scope != ALL
        ]
        self.caveats += claims.safe_caveats(everything, settings)

    def _read_claims(self) -> None:
        folder, theirs = self._folder, published(self.config)
        correlations = self._try("Correlations", lambda: tables.correlations(folder))
        if correlations is not None:
            self.readings.append(readings.rare_classes(correlations, theirs))
            interaction = tables.interaction(folder)
            distance = readings.forgettability_distance(correlations, interaction, theirs)
            self.readings.append(distance)
        composition = self._try("PIEs", self._composition)
        if composition is not None:
            self.readings.append(composition)
        make = lambda: tables.overall(folder, advance=self._advance)  # noqa: E731
        overall = self._try("mAP over patients", make)
        if overall is None:  # a damaged prediction: what is left is over runs
            overall = Overall()(self.metrics)
        self.readings.append(readings.first_drop(overall))
        every = self._try("Onsets", lambda: evidence_tables.class_summary(folder))
        if every is None:  # the same: what is read of class metrics is there
            every = ClassSummary()(self.metrics, tables.frequencies(folder))
        self.tables.append(report_tables.summary_table(every))
        self.tables.append(report_tables.overall_table(overall))
        if correlations is not None:
            self.tables.append(report_tables.correlations_table(correlations))
        self.tables += self._ratios

    def _composition(self) -> readings.Reading:
        sparsity = self._preferred(
            [s for s in store.finished_ensembles(self._folder) if s > 0] or self._pruned
        )
        pies = tables.paper_pies(self._folder, sparsity)
        by_class = pie_tables.pie_class_ratio(self._folder, sparsity)
        by_count = pie_tables.pie_finding_count_ratio(self._folder, sparsity)
        self._ratios = [report_tables.ratio_table(by_class, sparsity)]
        return readings.pie_composition(pies, by_class, by_count, sparsity)

    def _preferred(self, sparsities: list[float]) -> float:
        return min(sparsities, key=lambda s: abs(s - PREFERRED_SPARSITY))

    def charts(self) -> list[_Shown]:
        if self.labels is None:
            return []
        drawn = []
        if not self.metrics.empty:
            drawn.append((self._mean_ap(self.labels), False))
        if self.safety is not None:
            drawn.append((self._safety(self.labels, self.safety), False))
            drawn += self._losses(self.labels)
            drawn += self._scatters(self.labels)
        frequencies = tables.frequencies(self._folder)
        groups, n_train = self.config.groups, len(self.labels.split("train"))
        drawn.append((frequency_chart(frequencies, groups.tail_below, n_train), True))
        legend = words.groups(groups)
        return [
            _shown(chart, number, legend if coloured else "")
            for number, (chart, coloured) in enumerate(drawn)
        ]

    def _mean_ap(self, labels: Labels) -> Chart:
        means = decay.mean_over_classes(self.metrics)
        band = decay.band_over_runs(means, "mean_ap", ["sparsity"])
        n_test = len(labels.split("test"))
        return mean_ap_chart(band, *decay.defined_classes(self.metrics), n_test)

    def _safety(self, labels: Labels, table: pd.DataFrame) -> Chart:
        test = labels.split("test")
        answer = safe_answers(table)[ALL]
        n_patients = test["patient_id"].nunique()
        return safety_chart(table, answer, SafeSparsity(), len(test), n_patients)

    def _losses(self, labels: Labels) -> list[tuple[Chart, bool]]:
        """Each with whether its colours are those of the groups."""
        frequencies = tables.frequencies(self._folder)
        sparsity, n_test = self._preferred(self._pruned), len(labels.split("test"))
        charts = []
        for metric in ("ap", "calibrated_ap"):
            curves = decay.ForgettabilityCurves(metric)(self.metrics)
            chance = chance_levels(labels, metric)
            lost = losses.Losses(metric, sparsity)(curves, self.metrics, frequencies, chance)
            if metric == "ap":
                relative = losses.class_curves(self.metrics, metric, relative=True)
                named = losses.most_lost(lost)
                curve_chart = class_curves_chart(
                    relative, lost, named, chance, metric, True, sparsity
                )
                charts.append((curve_chart, True))
            charts.append((losses_chart(lost, metric, sparsity, n_test), True))
        order = list(frequencies["class_name"])
        if len(order) > 1:
            n_runs, table = decay.n_runs(self.metrics), self._pairs(labels)
            distances = matrix_of(table, "fcd_rms", order)
            unstable = _unstable(frequencies)
            chart = fcd_heatmap(distances, order, n_runs, len(self._pruned), True, unstable)
            charts.append((chart, False))
        return charts

    def _pairs(self, labels: Labels) -> pd.DataFrame:
        """Every pair of classes, of AP."""
        names, curves = list(labels.class_names), decay.ForgettabilityCurves("ap")(self.metrics)
        truth = label_matrix(labels.split("test"), labels.class_names)
        return pair_table(pair_matrices(curves, truth, names), names)

    def _scatters(self, labels: Labels) -> list[tuple[Chart, bool]]:
        """Corrected: classes against their frequency, pairs against what sets them apart."""
        correlations = self._try("Scatter plots", lambda: tables.correlations(self._folder))
        if correlations is None:
            return []
        charts, frequencies = [], tables.frequencies(self._folder)
        for metric in ("ap", "calibrated_ap"):
            summary = ClassSummary(metric)(self.metrics, frequencies)
            row = named_row(correlations, FIRST_DROP_STABLE, metric)
            told = findings.classes_told(row, metric, True, findings.DROP_FIRST)
            charts.append((first_drop_scatter(summary, *told, True, max(self._pruned)), True))
        table, unstable = self._pairs(labels), _unstable(frequencies)
        for name, x, axis, said in (
            ("log_frequency_difference", table["log_frequency_difference"],
             "Difference of log frequency", findings.FREQUENCY),
            ("cooccurrence_iou_fourth_root", table["cooccurrence_iou"] ** 0.25,
             "Co-occurrence, IoU^(1/4)", findings.TOGETHER),
        ):  # fmt: skip
            row = named_row(correlations, f"fcd~{name}{STABLE}", "ap")
            told = findings.pairs_told(row, True, said)
            axes = (axis, "FCD, RMS")
            charts.append((pair_scatter(table, x, table["fcd_rms"], axes, *told, unstable), False))
        return charts


def _unstable(frequencies: pd.DataFrame) -> frozenset[str]:
    few = frequencies["test_positive_patients"] < FEW_PATIENTS
    return frozenset(frequencies.loc[few, "class_name"])


def _shown(chart: Chart, number: int, legend: str) -> _Shown:
    chart.figure.update_layout(template=FIGURE)
    html = chart.figure.to_html(
        full_html=False,
        include_plotlyjs=number == 0,
        div_id=f"chart-{number}",
        default_height=f"{chart.figure.layout.height}px",
        config={"displaylogo": False, "responsive": True, "displayModeBar": False},
    )
    return _Shown(chart.title, chart.caption, Markup(html), legend)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


# Provenance


def _provenance(folder: Path, labels: Labels | None) -> list[tuple[str, str]]:
    config, known = store.read_config(folder), store.read_provenance(folder)
    made_with = ", ".join(f"{name} {value}" for name, value in known.get("versions", {}).items())
    origin = words.origin(config)
    facts = {
        "Study id": folder.name,
        "Dataset": words.dataset(config),
        "Dataset fingerprint": known.get("dataset_fingerprint"),
        "Model": words.model(config),
        "Predictions": origin,
        "Pruning": words.pruning(config),
        "Seeds": ", ".join(map(str, known.get("seeds", []))) or words.runs(config),
        "Sparsity grid": words.grid(config.sweep.sparsities),
        "Finished": words.finished(len(store.finished_cells(folder)), config),
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
    return [(term, str(value)) for term, value in facts.items() if value]


def _settings(folder: Path) -> list[tuple[str, str]]:
    """The settings without the folders of this machine, and without what nobody told of."""
    config = store.read_config(folder)
    told = [
        (f"{section}.{name}", _plain(value))
        for section, values in known_settings(config).items()
        for name, value in values.items()
        if name not in study.NOT_PART_OF_ID.get(section, ()) and value is not None
    ]
    return told + [(name, words.UNKNOWN) for name in unknown_names(config)]


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
