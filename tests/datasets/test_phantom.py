"""Phantoms: what the drawn X-rays and their labels promise."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from core.datasets.phantom.anatomy import anatomy_of, sex_of
from core.datasets.phantom.dataset import CLASS_NAMES, patient_names, render, sample_labels
from core.datasets.phantom.drawing import acquisition, draw
from core.datasets.phantom.figures import figures
from core.datasets.phantom.findings import FINDINGS
from core.errors import InputError
from tests.phantom_figures import (
    MEASURED,
    PAIRS,
    RAW,
    latent_correlation,
    measure,
    nearest_correlation,
    shipped_iou,
)

NIH_LABELS = Path(__file__).resolve().parents[3] / "shared" / "data" / "nih-cxr14-labels.parquet"


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return sample_labels(6000, seed=11)


def small(pixels: np.ndarray, side: int = 64) -> np.ndarray:
    reduced = Image.fromarray(pixels).resize((side, side), Image.Resampling.BOX)
    return np.asarray(reduced, dtype=np.float64)


def true_classes(table: pd.DataFrame) -> np.ndarray:
    drawn = [set(names.split("|")) - {""} for names in table["true_findings"]]
    return np.array([[name in (row or {"No Finding"}) for name in CLASS_NAMES] for row in drawn])


# --- pictures


def test_equal_seeds_give_equal_pixels_and_other_seeds_do_not() -> None:
    first, taken = draw(3, 4, ["Mass", "Effusion"])
    again, _ = draw(3, 4, ["Effusion", "Mass", "No Finding"])
    assert first.shape == (224, 224)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert taken == acquisition(4)
    assert not np.array_equal(first, draw(3, 5, ["Mass", "Effusion"])[0])
    assert not np.array_equal(first, draw(4, 4, ["Mass", "Effusion"])[0])


@pytest.mark.parametrize("name", FINDINGS)
def test_every_finding_shows_at_64_pixels(name: str) -> None:
    changes = []
    for seed in range(5):
        without, with_it = (
            small(draw(seed, 40 + seed, [])[0]),
            small(draw(seed, 40 + seed, [name])[0]),
        )
        changes.append(np.sort(np.abs(with_it - without).ravel())[-20:].mean())
    # Grey levels, over the 20 pixels (0.5 % of the picture) that change most.
    assert np.median(changes) > 12


def test_the_drawable_findings_are_the_classes_without_no_finding() -> None:
    assert tuple(FINDINGS) == CLASS_NAMES[:-1]
    assert CLASS_NAMES[-1] == "No Finding"
    with pytest.raises(ValueError, match=r"cannot draw Gout; known findings: Atelectasis"):
        draw(1, 1, ["Gout"])


@pytest.mark.parametrize("name", FINDINGS)
def test_a_faint_finding_shows_less_and_in_the_same_place(name: str) -> None:
    without, plain, faint = (
        small(np.mean([draw(s, 40 + s, which, strength={name: x})[0] for s in range(3)], axis=0))
        for which, x in (([], 1), ([name], 1), ([name], 0.5))
    )
    full, part = plain - without, faint - without
    strongest = np.abs(full).ravel().argsort()[-40:]
    shown = part.ravel()[strongest] / full.ravel()[strongest]
    assert 0.25 < np.median(shown) < 0.8
    assert np.array_equal(draw(1, 2, [], strength={name: 0.5})[0], draw(1, 2, [])[0])


def test_pictures_of_one_patient_are_closer_than_pictures_of_two() -> None:
    def plain(patient: int) -> list[np.ndarray]:
        pa = [s for s in range(1000 * patient, 1000 * patient + 60) if is_plain(s)]
        return [small(draw(patient, s, [])[0]) for s in pa[:3]]

    def is_plain(seed: int) -> bool:
        taken = acquisition(seed)
        return taken["view"] == "PA" and not taken["poor_quality"] and abs(taken["exposure"]) < 0.1

    def distance(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.abs(a - b)[8:56, 8:56].mean())

    patients = [plain(number) for number in range(1, 9)]
    within = [distance(a, b) for films in patients for a, b in combinations(films, 2)]
    between = [
        distance(a, b)
        for one, two in combinations(patients, 2)
        for a, b in zip(one, two, strict=True)
    ]
    assert np.mean(within) < 0.85 * np.mean(between)
    assert anatomy_of(5) == anatomy_of(5)


def test_other_sizes_show_the_same_picture() -> None:
    full, _ = draw(8, 9, ["Cardiomegaly"])
    reduced, _ = draw(8, 9, ["Cardiomegaly"], size=56)
    assert reduced.shape == (56, 56)
    assert np.abs(small(full, 56) - reduced).mean() < 2


def test_air_is_dark_and_the_heart_points_to_image_right() -> None:
    films = np.mean([draw(seed, 70 + seed, [])[0] for seed in range(24)], axis=0)
    lungs = (films[80:130, 55:75].mean() + films[80:130, 150:170].mean()) / 2
    assert films[100:130, 108:116].mean() > lungs + 60  # mediastinum
    assert films[195:215, 60:160].mean() > lungs + 60  # abdomen
    assert films[125:145, 130:145].mean() > films[125:145, 79:94].mean() + 20  # heart
    enlarged = np.mean([draw(s, 70 + s, ["Cardiomegaly"])[0] for s in range(24)], axis=0)
    assert (enlarged - films)[125:150].mean() > 2


# --- labels


def test_equal_seeds_give_equal_tables_and_more_patients_only_add_rows(table: pd.DataFrame) -> None:
    few = sample_labels(50, seed=11)
    pd.testing.assert_frame_equal(few, table.head(len(few)))
    assert not few["image_seed"].isin(sample_labels(50, seed=12)["image_seed"]).any()


def test_keys_seeds_and_patients_are_consistent(table: pd.DataFrame) -> None:
    assert table["image_id"].is_unique
    assert table["image_seed"].is_unique
    assert not table["image_seed"].isin(table["patient_seed"]).any()
    per_patient = table.groupby("patient_id").agg(
        images=("image_id", "size"), sexes=("sex", "nunique"), seeds=("patient_seed", "nunique")
    )
    assert per_patient["images"].between(1, 8).all()
    assert per_patient["images"].mean() == pytest.approx(3, abs=0.1)
    assert (per_patient[["sexes", "seeds"]] == 1).all(axis=None)
    first = table.iloc[0]
    assert first["image_id"] == f"{first['patient_id']}-00"
    assert first["sex"] == sex_of(first["patient_seed"])
    assert all(table[name].dtype == np.int8 for name in CLASS_NAMES)


def test_frequencies_are_the_figures_within_sampling_error(table: pd.DataFrame) -> None:
    known, true = figures(), true_classes(table)
    for k, name in enumerate(CLASS_NAMES):
        share = known.frequency[name]
        # Patients, not images, are independent: the error comes from sums over patients.
        excess = pd.Series(true[:, k] - share).groupby(table["patient_id"]).sum()
        error = np.sqrt((excess**2).sum()) / len(table)
        allowed = 4 * error + (0.01 if name == "No Finding" else 0)
        assert abs(true[:, k].mean() - share) < allowed, name
        assert abs(table[name].mean() - share) < allowed + 0.002 + 0.05 * share, name


def test_rare_findings_are_made_frequent_in_the_test_patients_alone() -> None:
    names = patient_names(3000)
    of_test = set(names[::3])
    table = sample_labels(3000, 4, 0.0, rarest=0.008, rarest_in_test=0.05, test_patients=of_test)
    usual = sample_labels(3000, 4, 0.0)
    tested = table["patient_id"].isin(of_test)
    for name in CLASS_NAMES[:-1]:
        of_nih = figures().frequency[name]
        for rows, least in ((table[~tested], 0.008), (table[tested], 0.05)):
            share = max(of_nih, least)
            excess = (rows[name] - share).groupby(rows["patient_id"]).sum()
            assert abs(rows[name].mean() - share) < 4 * np.sqrt((excess**2).sum()) / len(rows)
    # What is frequent anyway, and which body each has, is as without these settings.
    same = ["image_id", "Infiltration", "Effusion", "sex", "patient_seed", "image_seed"]
    pd.testing.assert_frame_equal(table[same], usual[same])


def test_frequent_pairs_cooccur_as_often_as_in_the_figures(table: pd.DataFrame) -> None:
    pairs = [tuple(pair) for pair, count in PAIRS.items() if count > 800]
    assert len(pairs) >= 10
    for a, b in pairs:
        both, either = (table[a] & table[b]).sum(), (table[a] | table[b]).sum()
        assert both / either == pytest.approx(shipped_iou(a, b), abs=0.03), (a, b)


def test_a_finding_tends_to_stay_with_its_patient(table: pd.DataFrame) -> None:
    for name in ("Effusion", "Infiltration", "Nodule"):
        before = table.groupby("patient_id")[name].shift(1)
        assert table.loc[before == 1, name].mean() > 2.5 * table[name].mean()


def test_no_finding_is_recorded_exactly_where_nothing_else_is(table: pd.DataFrame) -> None:
    others = table[list(CLASS_NAMES[:-1])].sum(axis=1)
    assert ((others == 0) == (table["No Finding"] == 1)).all()


def test_wrong_labels_name_every_difference_between_drawn_and_recorded(table: pd.DataFrame) -> None:
    differs = true_classes(table) != table[list(CLASS_NAMES)].to_numpy(dtype=bool)
    told = ["|".join(np.array(CLASS_NAMES)[row]) for row in differs]
    assert told == table["wrong_labels"].tolist()
    assert (table["wrong_labels"] != "").mean() == pytest.approx(0.03, abs=0.006)
    findings_wrong = differs[:, :-1].sum(axis=1)
    assert set(findings_wrong) == {0, 1, 2}  # left out or added: one; taken for another: two
    assert (sample_labels(200, seed=1, wrong_label_share=0)["wrong_labels"] == "").all()


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InputError, match="n_patients is 0"):
        sample_labels(0, seed=1)
    with pytest.raises(InputError, match=r"wrong_label_share is 0\.9"):
        sample_labels(5, seed=1, wrong_label_share=0.9)
    with pytest.raises(InputError, match="no finding 'Gout' whose strength"):
        render(sample_labels(1, seed=1), Path("unused"), strength={"Gout": 0.5})
    with pytest.raises(InputError, match="lacks patient_seed, image_seed"):
        render(pd.DataFrame({"image_id": ["a"], "true_findings": [""]}), Path("unused"))


# --- figures


def test_the_latent_correlations_reproduce_the_pair_counts() -> None:
    known = figures()
    matrix = known.latent_correlation
    assert np.linalg.eigvalsh(matrix).min() > 0
    solved = np.eye(len(MEASURED))
    for i, j in combinations(range(len(MEASURED)), 2):
        a, b = MEASURED[i], MEASURED[j]
        together = PAIRS[frozenset((a, b))] / RAW["n_images"]
        solved[i, j] = solved[j, i] = latent_correlation(
            known.frequency[a], known.frequency[b], together
        )
    n = len(solved)
    assert known.findings[:n] == MEASURED
    assert np.abs(nearest_correlation(solved) - matrix[:n, :n]).max() < 0.005


def test_the_latent_correlation_of_independent_findings_is_zero() -> None:
    assert latent_correlation(0.1, 0.2, 0.02) == pytest.approx(0, abs=1e-3)
    assert latent_correlation(0.5, 0.5, 0.25 + np.arcsin(0.5) / (2 * np.pi)) == pytest.approx(
        0.5, abs=1e-3
    )
    assert latent_correlation(0.1, 0.1, 0.0) == -0.95


def test_the_shipped_figures_are_those_of_the_nih_labels() -> None:
    if not NIH_LABELS.exists():
        pytest.skip("the NIH ChestX-ray14 labels are not on this machine")
    labels = pd.read_parquet(NIH_LABELS).rename(
        columns=lambda name: name.replace("Pleural_", "Pleural ")
    )
    counts, pairs = measure(labels[list(MEASURED)])
    assert len(labels) == RAW["n_images"]
    assert counts == {name: RAW["counts"][name] for name in MEASURED}
    assert pairs == {pair: PAIRS[pair] for pair in pairs}


# --- files


def test_pixels_do_not_depend_on_row_order_or_the_number_of_processes(tmp_path: Path) -> None:
    few = sample_labels(12, seed=5).head(30)
    seen: list[tuple[int, int]] = []
    alone = render(few, tmp_path / "one", processes=1, progress=lambda *at: seen.append(at))
    render(few.sample(frac=1, random_state=0), tmp_path / "two", processes=2)
    for name in alone["path"]:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert seen[0] == (0, len(few))
    assert seen[-1] == (len(few), len(few))
    row = alone.iloc[3]
    findings = [name for name in row["true_findings"].split("|") if name]
    expected, taken = draw(row["patient_seed"], row["image_seed"], findings)
    with Image.open(tmp_path / "one" / row["path"]) as picture:
        assert picture.mode == "L"
        assert np.array_equal(np.asarray(picture), expected)
    assert {key: row[key] for key in taken} == taken


def test_a_stopped_rendering_goes_on_and_damaged_or_stale_files_are_drawn_again(
    tmp_path: Path,
) -> None:
    few = sample_labels(30, seed=6).head(60)

    def stop(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render(few, tmp_path, size=64, processes=1, progress=stop)
    drawn = sorted(path.name for path in tmp_path.iterdir())
    assert 0 < len(drawn) < len(few)
    assert all(name.endswith(".png") for name in drawn)  # nothing temporary stays

    kept, damaged, stale = (tmp_path / name for name in drawn[:3])
    before = kept.stat().st_mtime_ns
    damaged.write_bytes(damaged.read_bytes()[:-40])
    stale.write_bytes(kept.read_bytes())  # whole, but another image
    seen: list[int] = []
    finished = render(
        few, tmp_path, size=64, processes=1, progress=lambda done, _: seen.append(done)
    )
    assert seen[0] == len(drawn) - 2
    assert kept.stat().st_mtime_ns == before
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(finished["path"])
    for name in finished["path"]:
        with Image.open(tmp_path / name) as picture:
            picture.load()
            assert picture.size == (64, 64)
    pd.testing.assert_frame_equal(finished, render(few, tmp_path, size=64, processes=1))


def test_a_picture_of_another_strength_is_drawn_again(tmp_path: Path) -> None:
    few = sample_labels(40, seed=6)
    few = few[few["true_findings"] == "Effusion"].head(2)

    def drawn(**options: dict) -> list[bytes]:
        table = render(few, tmp_path, size=64, processes=1, **options)
        return [(tmp_path / name).read_bytes() for name in table["path"]]

    usual, faint = drawn(), drawn(strength={"Effusion": 0.4})
    assert usual
    assert all(a != b for a, b in zip(usual, faint, strict=True))
    assert drawn(strength={"Nodule": 0.4}) == usual
