"""A toy for each recipe of CONTRIBUTING.md: which text goes into which file, and nothing else.

`tests/test_recipes.py` puts them into a copy of the project.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Put:
    """Text that goes before or after a place which a file has once, or is a new file."""

    text: str
    before: str = ""
    after: str = ""

    def into(self, content: str | None) -> str:
        if content is None:
            return self.text.lstrip("\n")
        assert content.count(self.before + self.after) == 1, self
        return content.replace(self.before + self.after, self.after + self.text + self.before)


@dataclass(frozen=True)
class Recipe:
    """What a heading of CONTRIBUTING.md has one do for a toy of this name, by file.

    most: how many files of code and docs it may touch.
    """

    heading: str
    name: str
    most: int
    puts: Mapping[str, tuple[Put, ...]]


SETTINGS = "core/study/settings.py"

PRUNING = Recipe(
    "A pruning method",
    "first_weights",
    2,
    {
        "core/engine/pruning.py": (
            Put('\n    "first_weights": first_weights,', after="int], torch.Tensor]] = {"),
            Put(
                '''
def first_weights(dense: torch.Tensor, n_zero: int, seed: int) -> torch.Tensor:
    """True at the first n_zero weights."""
    return torch.arange(dense.numel()) < n_zero


''',
                before="def l1_global",
            ),
        ),
        SETTINGS: (Put('"first_weights": "the first ones first",', after="PRUNING_METHODS = {"),),
    },
)

LOSS = Recipe(
    "A loss",
    "squared",
    2,
    {
        "core/engine/losses.py": (
            Put('"squared": squared, ', after="LOSSES: dict[str, Loss] = {"),
            Put(
                '''
def squared(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Squared error of the probability (Brier 1950)."""
    certain = ~targets.isnan()
    error = torch.sigmoid(logits[certain]) - targets[certain]
    return (error**2).sum(), int(certain.sum())


''',
                before="def bce",
            ),
        ),
        SETTINGS: (Put('"squared": "squared error of the probability", ', after="\nLOSSES = {"),),
    },
)

SAMPLER = Recipe(
    "A sampler",
    "with_replacement",
    2,
    {
        "core/engine/samplers.py": (
            Put(
                '"with_replacement": with_replacement, ',
                after="torch.Generator], np.ndarray]] = {",
            ),
            Put(
                '''
def with_replacement(targets: np.ndarray, generator: torch.Generator) -> np.ndarray:
    """Each time any image."""
    return torch.randint(len(targets), (len(targets),), generator=generator).numpy()


''',
                before="def uniform",
            ),
        ),
        SETTINGS: (Put('"with_replacement": "each time any image", ', after="\nSAMPLERS = {"),),
    },
)

SCHEDULE = Recipe(
    "A training schedule",
    "linear",
    2,
    {
        "core/engine/schedules.py": (
            Put('"linear": linear, ', after="SCHEDULES: dict[str, Callable[[float], float]] = {"),
            Put(
                '''
def linear(passed: float) -> float:
    """Down to 0 in equal steps."""
    return 1 - passed


''',
                before="def one_cycle",
            ),
        ),
        SETTINGS: (Put('"linear": "down to 0", ', before='"constant": "the same'),),
    },
)

REPAIR = Recipe(
    "A repair",
    "louder",
    2,
    {
        "core/engine/repair.py": (
            Put('"louder": louder, ', after="None]] = {"),
            Put(
                '''
def louder(pruned: nn.Module, material: Material) -> None:
    """Every weight that is left becomes a tenth larger."""
    for module in pruned.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.data.mul_(1.1)


''',
                before="def none",
            ),
        ),
        SETTINGS: (Put('"louder": "larger weights", ', after="\nREPAIRS = {"),),
    },
)

DATASET = Recipe(
    "A dataset kind",
    "folders",
    3,
    {
        SETTINGS: (
            Put(
                """
class FolderSettings(ImageSettings):
    kind: Literal["folders"] = Field(
        title="A folder a class", description="Images in a folder for each class."
    )
    images: Path
    patient_digits: int = Field(
        3, ge=1, description="With how many digits of a file's name its patient begins."
    )


""",
                before="class ImportedSettings",
            ),
            Put("FolderSettings | ", after="DatasetSettings = Annotated[\n    "),
        ),
        "core/datasets/folders.py": (
            Put('''
"""Images in a folder for each class: images/Mass/001-1.png is of patient 001."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from core.datasets.files import image_files
from core.study.labels import Labels, split_by_patient
from core.study.settings import FolderSettings


def load(settings: FolderSettings, advance: Callable[[int, int], None]) -> Labels:
    """Labels over the folders' names; patients are divided by the settings' shares."""
    paths = pd.Series(sorted(image_files(settings.images).paths))
    classes, names = paths.str.rsplit("/", n=1, expand=True).to_numpy().T
    table = pd.DataFrame({"image_id": paths, "path": paths})
    table["patient_id"] = pd.Series(names).str[: settings.patient_digits]
    shares = (settings.validation_share, settings.test_share, settings.split_seed)
    table["split"] = split_by_patient(table["patient_id"], *shares)
    class_names = tuple(sorted(set(classes)))
    labels = {name: (classes == name).astype(int) for name in class_names}
    return Labels(table.assign(**labels), class_names)
'''),
        ),
        "core/datasets/__init__.py": (
            Put("folders, ", after="from core.datasets import cxr_lt, "),
            Put('\n    "folders": folders.load,', after="Labels]] = {"),
        ),
    },
)

ARCHITECTURE = Recipe(
    "An architecture",
    "two_layers",
    3,
    {
        SETTINGS: (Put('\n    "two_layers",', after="Architecture = Literal["),),
        "core/engine/models.py": (
            Put(
                """
def _two_layers(settings: ModelSettings, n_classes: int) -> nn.Module:
    layers = (nn.Conv2d(3, 8, 5, stride=4), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
    return nn.Sequential(*layers, nn.Linear(32, n_classes))


""",
                before="MODELS: dict",
            ),
            Put('\n    "two_layers": _two_layers,', after="int], nn.Module]] = {"),
        ),
        "core/engine/foreign/layouts.py": (
            Put(
                '\n    Layout("PruneScope", "4.weight", ("two_layers",)),',
                after="LAYOUTS: tuple[Layout, ...] = (",
            ),
        ),
    },
)

STATISTIC = Recipe(
    "A statistic",
    "pair_gaps",
    3,
    {
        "core/analysis/pair_gaps.py": (
            Put('''
"""Where the curves of two classes are furthest apart."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from core.analysis.decay import ForgettabilityCurves
from core.analysis.pair_evidence import PAIR
from core.study.columns import SHARED, Column, Columns, Unit

PAIR_GAPS = Columns(
    PAIR,
    SHARED["sparsity"].meaning_here("Where the curves of the two are furthest apart."),
    Column("gap", "How far they are apart there.", Unit.CHANGE, "Gap"),
    what="The largest gap between two curves.",
    row="a pair of classes",
)


@dataclass(frozen=True)
class PairGaps:
    """PAIR_GAPS of the class metrics table, over the curves of `metric`."""

    metric: str = "ap"

    def __call__(self, class_metrics: pd.DataFrame) -> pd.DataFrame:
        curves = ForgettabilityCurves(self.metric)(class_metrics)
        by_class = curves.pivot(index="class_name", columns="sparsity", values="relative_ap_change")
        rows = []
        for first, second in combinations(by_class.index, 2):
            gaps = (by_class.loc[first] - by_class.loc[second]).abs().fillna(0)
            rows.append((first, second, gaps.idxmax(), gaps.max()))
        return pd.DataFrame(rows, columns=PAIR_GAPS.names)
'''),
        ),
        "core/results/classes.py": (
            Put(
                "from core.analysis.pair_gaps import PairGaps\n",
                before="from core.errors import InputError\n",
            ),
            Put(
                '''
def pair_gaps(part: Slice, metric: str = "ap") -> pd.DataFrame:
    """`PairGaps`."""
    return PairGaps(metric)(part.class_metrics)


''',
                before="def interaction",
            ),
        ),
        "core/results/__init__.py": (
            Put(
                "from core.analysis.pair_gaps import PAIR_GAPS\n",
                before="from core.analysis.pie_composition",
            ),
            Put(
                '\n    "pair_gaps": Table(classes.pair_gaps, PAIR_GAPS, (METRIC,), of_slice=True),',
                after="TABLES = {",
            ),
        ),
    },
)

COLUMN = Recipe(
    "A column",
    "class_pairs",
    1,
    {
        "core/analysis/class_pairs.py": (
            Put(
                '\n    Column("fcd_share", "`fcd` over the largest.", Unit.SHARE, "Share of FCD"),',
                after='code has it.",\n           Unit.SHARE),',
            ),
            Put(
                '        table["fcd_share"] = table["fcd"] / table["fcd"].max()\n',
                before="        return table[CLASS_PAIRS.names]",
            ),
        ),
    },
)

PAGE = Recipe(
    "A page",
    "furthest_apart",
    3,
    {
        "pages/furthest_apart.py": (
            Put('''
"""The pairs of classes that are forgotten most differently."""

import streamlit as st

from core import ui
from core.analysis.class_pairs import CLASS_PAIRS
from core.ui import results, tables, widgets

view = ui.open_study()
ui.page_head("Furthest apart", view)
results.finished_metrics(view)
n_pairs = st.slider("Pairs", 1, 20, 5, key="pairs", bind="query-params")
table = results.table(view, "class_pairs").sort_values("fcd", ascending=False)
tables.show(table.head(n_pairs), CLASS_PAIRS, ("class_a", "class_b", "fcd"))
widgets.downloads(view, "class_pairs", lambda: table)
'''),
        ),
        "pages/shell.py": (
            Put(
                '        "furthest_apart.py": ("Furthest apart", ":material/height:", '
                "SEES_STUDIES),\n",
                before='        "safe_sparsity.py": (',
            ),
        ),
        "tools/reference/words.py": (
            Put(
                '\n    "pairs": ("Furthest apart", "How many pairs are listed."),',
                after="ADDRESS = {",
            ),
        ),
    },
)

RECIPES = (
    *(PRUNING, LOSS, SAMPLER, SCHEDULE, REPAIR),
    *(DATASET, ARCHITECTURE, STATISTIC, COLUMN, PAGE),
)
