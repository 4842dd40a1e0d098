"""Which X-rays a reader study shows. Nothing but the plan and the study decides it: equal seeds
draw equal images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from core.errors import InputError
from core.pictures import xrays
from core.reader_study.design import Plan
from core.reader_study.schedule import deal
from core.results.agreements import paper_pies
from core.study import store
from core.study.config import StudyConfig
from core.study.labels import EVERY_GROUP, Labels, findings
from core.study.paths import images_dir
from core.study.study import Study

# As in the paper's composition of PIEs: 4 stands for four and more.
MOST_FINDINGS = 4
# What a non-PIE has to share with its PIE: the first of these that can be had.
ALIKE: dict[str, list[str]] = {"labels": ["pattern"], "count": ["finding_count", "group"]}
Rows = Iterator[tuple[int, str, str]]  # index, patient_id and image_id
Opens = Callable[[str], bool]  # whether the X-ray of an image_id can be read


@dataclass(frozen=True)
class Candidates:
    """What a plan can draw from: the images of each kind, the patients they are of, and about how
    many matched pairs of different patients, and of these how many of equal labels."""

    n_pies: int
    n_non_pies: int
    n_pie_patients: int
    n_non_pie_patients: int
    n_pairs: int
    n_equal_labels: int


@dataclass(frozen=True)
class Pair:
    """Indices of a PIE and of a non-PIE that shares `on` with it, a key of ALIKE."""

    pie: int
    other: int
    on: str


@dataclass(frozen=True)
class Drawn:
    """images: see `draw_images`. n_passed_over: PIEs that were drawn, and left out again because
    no non-PIE is like them."""

    images: pd.DataFrame
    n_passed_over: int = 0


def draw_images(folder: Path, wanted: Plan) -> Drawn:
    """The images of a plan, in an order that says nothing about them.

    Gives image_id, patient_id, is_pie, labelled (list of the classes labelled for certain),
    finding_count ("No Finding" is none), group (of the rarest finding; "none" without), pair and
    matched_on (missing unless matched) and block (missing where every reader reads the image). PIEs
    are those of the paper's definition at the plan's sparsity; an image without an agreement is
    neither PIE nor non-PIE. Matched: each PIE comes with a non-PIE of equal labels, or else of its
    finding count (4 = 4 or more) and group; a pair stays together in one block.

    No patient is drawn twice, neither among PIEs nor once on either side: the statistics have a
    random effect of the image and none of the patient, so they take images for independent. An
    image is drawn at random, PIEs first, as there are fewer; then all others of its patient are
    out.

    Raises InputError where the study has no images, or too few patients with an image of a kind
    that can be opened.
    """
    config = store.read_config(folder)
    if images_dir(config.dataset) is None:
        raise InputError(
            f"{config.study.name} has no X-rays to show: its predictions were imported without "
            "images. Import again with --images."
        )
    rows = candidates(folder, wanted.sparsity)
    rng = np.random.default_rng(wanted.seed)
    shuffled = rows.iloc[rng.permutation(len(rows))]

    def opens(image_id: str) -> bool:
        return xrays.source_size(folder, config, image_id) is not None

    if wanted.matched:
        pairs, n_passed_over = _matched(shuffled, wanted, config, opens)
        units: list[Sequence[int]] = [(pair.pie, pair.other) for pair in pairs]
        kinds = {at: pair.on for pair in pairs for at in (pair.pie, pair.other)}
    else:
        taken, n_passed_over = _unmatched(shuffled, wanted, config, opens), 0
        units, kinds = [(at,) for at in taken], {}
    numbers = {at: number for number, unit in enumerate(units) for at in unit}
    blocks = deal(units, wanted.n_blocks, wanted.anchors) if wanted.n_blocks else {}
    drawn = shuffled.loc[list(numbers)]
    drawn = drawn.assign(
        pair=[numbers[at] if kinds else None for at in drawn.index],
        matched_on=[kinds.get(at) for at in drawn.index],
        block=[blocks.get(at) for at in drawn.index],
    ).astype({"pair": object, "block": object})
    order = rng.permutation(len(drawn))
    return Drawn(drawn.iloc[order].reset_index(drop=True), n_passed_over)


def candidates(folder: Path, sparsity: float) -> pd.DataFrame:
    """The test images with an agreement, in test-set order; columns as `draw_images`."""
    study = Study(folder)
    groups = study.frequencies.set_index("class_name")["group"]
    pies = paper_pies(study, sparsity)
    described = _described(study.labels, groups.to_dict())
    rows = pies.merge(described, on="image_id", how="left", validate="one_to_one")
    return rows[rows["agreement"].notna()].drop(columns="agreement").reset_index(drop=True)


def count_candidates(rows: pd.DataFrame) -> Candidates:
    """rows: `candidates`. n_pairs is what a draw of all pairs in test-set order comes to; another
    order may come to a few more or less."""
    pies, others = rows[rows["is_pie"]], rows[~rows["is_pie"]]
    pairs, _ = matched_pairs(rows, len(pies), lambda image_id: True)
    return Candidates(
        len(pies),
        len(others),
        int(pies["patient_id"].nunique()),
        int(others["patient_id"].nunique()),
        len(pairs),
        sum(pair.on == "labels" for pair in pairs),
    )


def _unmatched(
    shuffled: pd.DataFrame, wanted: Plan, config: StudyConfig, opens: Opens
) -> list[int]:
    taken: list[int] = []
    seen: set[str] = set()
    for kind, is_pie, n in (("PIEs", True, wanted.n_pies), ("non-PIEs", False, wanted.n_non_pies)):
        rows = in_turn(shuffled[shuffled["is_pie"] == is_pie])
        found = of_different_patients(rows, n, seen, opens)
        if len(found) < n:
            left = "" if is_pie else ", once the patients of the PIEs are out"
            raise InputError(
                f"{config.study.name} has {len(found)} {kind} of different patients at "
                f"{wanted.sparsity:.0%} sparsity that can be opened{left}; {n} were asked for. "
                "Ask for fewer, or take a larger study."
            )
        taken += found
    return taken


def _matched(
    shuffled: pd.DataFrame, wanted: Plan, config: StudyConfig, opens: Opens
) -> tuple[list[Pair], int]:
    pairs, n_passed_over = matched_pairs(shuffled, wanted.n_pies, opens)
    if len(pairs) < wanted.n_pies:
        raise InputError(
            f"{config.study.name} has {len(pairs)} PIEs at {wanted.sparsity:.0%} sparsity with a "
            "non-PIE of the same finding count and group, all of different patients; "
            f"{wanted.n_pies} were asked for. Ask for fewer, do not match, or take a larger study."
        )
    return pairs, n_passed_over


def of_different_patients(rows: Rows, n: int, seen: set[str], opens: Opens) -> list[int]:
    """Indices of the next n of `rows`, of patients not `seen`, to whom theirs are added.

    Nobody should judge a broken file: an image that cannot be opened is left out. What has been
    passed over is never to be had later, so `rows` goes on where it stopped.
    """
    found: list[int] = []
    while len(found) < n and (row := next(rows, None)):
        index, patient, name = row
        if patient not in seen and opens(name):
            seen.add(patient)
            found.append(index)
    return found


def in_turn(rows: pd.DataFrame) -> Rows:
    return zip(rows.index, rows["patient_id"], rows["image_id"], strict=True)


def matched_pairs(rows: pd.DataFrame, most: int, opens: Opens) -> tuple[list[Pair], int]:
    """A PIE and a non-PIE like it, in the order of `rows`; no patient twice. And the number of PIEs
    passed over because no non-PIE like them was left.

    PIEs are drawn before their partners, so that none of them loses its patient to a partner, and
    partners of equal labels before those of equal number and group, so that no PIE takes the only
    one of another.
    """
    rows = rows.assign(pattern=rows["labelled"].map(tuple))
    others = rows[~rows["is_pie"]]
    pies = rows[rows["is_pie"]]
    waiting = in_turn(pies)
    pairs: list[Pair] = []
    seen: set[str] = set()
    n_drawn = 0
    while drawn := of_different_patients(waiting, most - len(pairs), seen, opens):
        n_drawn += len(drawn)
        alone = drawn
        for on, columns in ALIKE.items():
            # Of everything again: what had to give way to labels may do by number and group.
            stock = {kind: in_turn(alike) for kind, alike in others.groupby(columns)}
            kinds = pies.loc[alone, columns].itertuples(index=False, name=None)
            left = []
            for index, kind in zip(alone, list(kinds), strict=True):
                found = of_different_patients(stock.get(kind, iter(())), 1, seen, opens)
                pairs += [Pair(index, other, on) for other in found]
                left += [] if found else [index]
            alone = left
    place = {index: at for at, index in enumerate(pies.index)}
    return sorted(pairs, key=lambda pair: place[pair.pie]), n_drawn - len(pairs)


def _described(labels: Labels, groups: dict[str, str]) -> pd.DataFrame:
    test = labels.split("test")
    certain = test[list(labels.class_names)].eq(1).fillna(False).to_numpy(bool)
    names = np.array(labels.class_names, dtype=object)
    found = certain & np.isin(names, findings(labels.class_names))
    rarity = np.array([EVERY_GROUP.index(groups[name]) for name in names])
    rarest = np.where(found, rarity, -1).max(axis=1)  # -1, the last one, without a finding
    return pd.DataFrame(
        {
            "image_id": test["image_id"],
            "patient_id": test["patient_id"].astype(str),
            "labelled": [list(names[row]) for row in certain],
            "finding_count": found.sum(axis=1).clip(max=MOST_FINDINGS),
            "group": np.array([*EVERY_GROUP, "none"], dtype=object)[rarest],
        }
    )
