"""Which X-rays a reader study shows, and in what order each reader sees them. Nothing but the plan
and the study decides it: equal seeds draw equal images and equal orders."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from core.errors import InputError
from core.people.access import LOCAL
from core.pictures import xrays
from core.results.agreements import PIE_SPARSITY, paper_pies
from core.study import store
from core.study.config import StudyConfig
from core.study.labels import GROUPS, Labels, findings
from core.study.paths import images_dir
from core.study.study import Study

# As in the paper's composition of PIEs: 4 stands for four and more.
MOST_FINDINGS = 4
ADDRESS = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+")
ALIKE = ["finding_count", "group"]
Count = Annotated[int, Field(ge=2, le=500)]
Rows = Iterator[tuple[int, str, str]]  # index, patient_id and image_id
Opens = Callable[[str], bool]  # whether the X-ray of an image_id can be read


class Plan(BaseModel):
    """What a researcher decides about a reader study."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    readers: tuple[str, ...] = Field(min_length=1, max_length=200)
    n_pies: Count = 20
    n_non_pies: Count = 20
    sparsity: float = Field(PIE_SPARSITY, gt=0, lt=1)
    matched: bool = False
    seed: int = Field(0, ge=0, le=2**32 - 1)
    reveal: bool = False

    @field_validator("readers")
    @classmethod
    def addresses(cls, readers: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(reader_address(reader) for reader in readers))


@dataclass(frozen=True)
class Candidates:
    """What a plan can draw from: the images of each kind, the patients they are of, and about how
    many matched pairs of different patients."""

    n_pies: int
    n_non_pies: int
    n_pie_patients: int
    n_non_pie_patients: int
    n_pairs: int


def plan(**settings: object) -> Plan:
    """A checked plan. Raises InputError that says which setting is wrong."""
    try:
        return Plan.model_validate(settings)
    except ValidationError as error:
        found = error.errors()[0]
        where = ".".join(str(part) for part in found["loc"][:1])
        message = found["msg"].removeprefix("Value error, ").rstrip(".")
        raise InputError(f"{where.replace('_', ' ')}: {message}.") from error


def reader_address(text: str) -> str:
    """An e-mail address in small letters, or "local", which is whoever sits at this machine while
    nobody has to sign in. Raises InputError."""
    address = text.strip().lower()
    if address != LOCAL.email and not ADDRESS.fullmatch(address):
        raise InputError(
            f"{text.strip()[:80]!r} is no e-mail address of a reader, such as reader@clinic.org "
            f"(or {LOCAL.email!r} for yourself, on a machine without sign-in)."
        )
    return address


def split_addresses(text: str) -> list[str]:
    """Addresses as people type them: parted by commas, semicolons, spaces or new lines."""
    return [part for part in re.split(r"[\s,;]+", text) if part]


def draw_images(folder: Path, wanted: Plan) -> pd.DataFrame:
    """The images of a plan, in an order that says nothing about them.

    Returns image_id, patient_id, is_pie, labelled (list of the classes labelled for certain),
    finding_count ("No Finding" is none) and group (of the rarest finding; "none" without). PIEs are
    those of the paper's definition at the plan's sparsity; an image without an agreement is neither
    PIE nor non-PIE. Matched: each PIE comes with a non-PIE of its finding count (4 = 4 or more) and
    group.

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

    draw = _matched if wanted.matched else _unmatched
    drawn = shuffled.loc[draw(shuffled, wanted, config, opens)]
    return drawn.iloc[rng.permutation(len(drawn))].reset_index(drop=True)


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
    pairs = matched_pairs(rows, len(pies), lambda image_id: True)
    return Candidates(
        len(pies),
        len(others),
        int(pies["patient_id"].nunique()),
        int(others["patient_id"].nunique()),
        len(pairs) // 2,
    )


def reader_order(seed: int, reader: str, n_images: int) -> list[int]:
    """The positions 0 to n_images - 1 in the order in which this reader sees them."""
    digest = hashlib.sha256(reader.encode()).digest()
    own = np.random.default_rng([seed, int.from_bytes(digest[:8], "big")])
    return own.permutation(n_images).tolist()


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


def _matched(shuffled: pd.DataFrame, wanted: Plan, config: StudyConfig, opens: Opens) -> list[int]:
    if wanted.n_pies != wanted.n_non_pies:
        raise InputError(
            f"Matched, there are as many non-PIEs as PIEs; asked for were {wanted.n_non_pies} and "
            f"{wanted.n_pies}."
        )
    taken = matched_pairs(shuffled, wanted.n_pies, opens)
    if len(taken) < 2 * wanted.n_pies:
        raise InputError(
            f"{config.study.name} has {len(taken) // 2} PIEs at {wanted.sparsity:.0%} sparsity "
            "with a non-PIE of the same finding count and group, all of different patients; "
            f"{wanted.n_pies} were asked for. Ask for fewer, do not match, or take a larger study."
        )
    return taken


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


def matched_pairs(rows: pd.DataFrame, most: int, opens: Opens) -> list[int]:
    """Indices of a PIE and a non-PIE like it, in turn, in the order of `rows`; no patient twice.

    PIEs are drawn before their partners, so that none of them loses its patient to a partner.
    """
    stock = {kind: in_turn(alike) for kind, alike in rows[~rows["is_pie"]].groupby(ALIKE)}
    pies = rows[rows["is_pie"]]
    kinds = dict(zip(pies.index, pies[ALIKE].itertuples(index=False, name=None), strict=True))
    waiting = in_turn(pies)
    taken: list[int] = []
    seen: set[str] = set()
    while drawn := of_different_patients(waiting, most - len(taken) // 2, seen, opens):
        for index in drawn:
            alike = stock.get(kinds[index], iter(()))
            for other in of_different_patients(alike, 1, seen, opens):
                taken += [index, other]
    return taken


def _described(labels: Labels, groups: dict[str, str]) -> pd.DataFrame:
    test = labels.split("test")
    certain = test[list(labels.class_names)].eq(1).fillna(False).to_numpy(bool)
    names = np.array(labels.class_names, dtype=object)
    found = certain & np.isin(names, findings(labels.class_names))
    rarity = np.array([GROUPS.index(groups[name]) for name in names])
    rarest = np.where(found, rarity, -1).max(axis=1)  # -1, the last one, without a finding
    return pd.DataFrame(
        {
            "image_id": test["image_id"],
            "patient_id": test["patient_id"].astype(str),
            "labelled": [list(names[row]) for row in certain],
            "finding_count": found.sum(axis=1).clip(max=MOST_FINDINGS),
            "group": np.array([*GROUPS, "none"], dtype=object)[rarest],
        }
    )
