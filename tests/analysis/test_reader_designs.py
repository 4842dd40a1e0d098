"""A matched reader study whose readers see some images twice: its statistics are those of plain
code, and where there is nothing to be found it finds something at most 5 % of the time."""

from __future__ import annotations

import krippendorff
import numpy as np
import pandas as pd
import pytest
import scipy.optimize
import scipy.stats

from core.analysis import mixed_effects
from core.analysis.reader import ReaderResults, mixed_model, readings
from core.analysis.reader_agreement import within_readers
from core.analysis.reader_power import ReaderPower, Spread, paired_p
from core.reader_study.schedule import blocks_of

QUALITY = {"image_quality": "ordinal"}


def matched_study(
    seed: int,
    effect: float = 0.0,
    n_readers: int = 4,
    n_pairs: int = 20,
    slope: float = 0.2,
    repeats: int = 0,
    n_read: int = 0,
) -> pd.DataFrame:
    """Pairs of a PIE and a non-PIE alike (SD 0.3), images (0.5), readers' scales (0.4) and readers'
    differences (`slope`), noise (0.8), rounded to 1-5. `repeats` images of each reader are judged a
    second time; with `n_read`, a reader reads four pairs of anchors and that many of the blocks."""
    rng = np.random.default_rng(seed)
    rows = []
    pair = rng.normal(0, 0.3, n_pairs)
    image = rng.normal(0, 0.5, (n_pairs, 2))
    for reader in range(n_readers):
        scale, own = rng.normal(0, 0.4), effect + rng.normal(0, slope)
        blocks = blocks_of(reader + 1, n_readers, n_read) if n_read else frozenset()
        mine = [at for at in range(n_pairs) if not n_read or at < 4 or at % n_readers in blocks]
        again = set(rng.choice(2 * n_pairs, repeats, replace=False))
        for at in mine:
            for side in (0, 1):
                level = 3 + pair[at] + image[at, side] + scale + own * (0.5 - side)
                for second in [False, True] if 2 * at + side in again else [False]:
                    value = np.clip(np.rint(level + rng.normal(0, 0.8)), 1, 5)
                    name = f"image {at}.{side}"
                    rows.append((f"reader {reader}", name, side == 0, at, second, int(value)))
    columns = ["reader", "image_id", "is_pie", "pair", "again", "value"]
    return pd.DataFrame(rows, columns=columns).assign(question="image_quality")


def plain_mixed(table: pd.DataFrame) -> dict[str, float]:
    """The restricted likelihood written out with whole matrices, maximised without derivatives."""
    y = table["value"].to_numpy(float)
    half = np.where(table["is_pie"], 0.5, -0.5)
    x = np.column_stack([np.ones(len(y)), half])
    reader = pd.get_dummies(table["reader"]).to_numpy(float)
    z = {
        "reader": reader,
        "slope": reader * half[:, None],
        "image": pd.get_dummies(table["image_id"]).to_numpy(float),
        "pair": pd.get_dummies(table["pair"]).to_numpy(float),
    }
    squares = [matrix @ matrix.T for matrix in z.values()]

    def fitted(sds: np.ndarray):
        v = sds[-1] ** 2 * np.eye(len(y))
        v += sum(sd**2 * square for sd, square in zip(sds, squares, strict=False))
        inverse = np.linalg.inv(v)
        covariance = np.linalg.inv(x.T @ inverse @ x)
        beta = covariance @ x.T @ inverse @ y
        rest = y - x @ beta
        value = np.linalg.slogdet(v)[1] - np.linalg.slogdet(covariance)[1] + rest @ inverse @ rest
        return value, beta, covariance, (covariance @ x.T @ inverse)[1]

    start = np.array([0.4, 0.3, 0.5, 0.3, 0.8])
    options = {"xatol": 1e-6, "fatol": 1e-9, "maxiter": 4000, "maxfev": 4000}
    found = scipy.optimize.minimize(
        lambda sds: fitted(sds)[0], start, method="Nelder-Mead", options=options
    )
    _, beta, covariance, weights = fitted(found.x)
    variance = covariance[1, 1]
    part = {
        name: found.x[at] ** 2 * ((matrix.T @ weights) ** 2).sum()
        for at, (name, matrix) in enumerate(z.items())
    }
    images = part["image"] + part["pair"]
    n_readers, n_pairs = table["reader"].nunique(), table["pair"].nunique()
    df = variance**2 / (images**2 / (n_pairs - 1) + (variance - images) ** 2 / (n_readers - 1))
    t = scipy.stats.t(df)
    return {
        "mixed_effect": beta[1],
        "mixed_ci_low": beta[1] - t.ppf(0.975) * variance**0.5,
        "mixed_ci_high": beta[1] + t.ppf(0.975) * variance**0.5,
        "mixed_df": df,
        "mixed_p": 2 * t.sf(abs(beta[1]) / variance**0.5),
        "slope_sd": abs(found.x[1]),
    }


@pytest.mark.parametrize(("seed", "n_read"), [(1, 0), (2, 0), (5, 3)])
def test_a_matched_study_with_repeats_equals_plain_code(seed, n_read):
    """All readers read all images, or anchors and three of five blocks."""
    table = matched_study(seed, 0.6, 5, 12, slope=0.5, repeats=4, n_read=n_read)
    row = ReaderResults(QUALITY)(table).iloc[0]
    first = table[~table["again"]]
    expected = plain_mixed(first)
    for name, value in expected.items():
        # Without derivatives the search for a variance near 0 ends a little beside it.
        close = 1e-2 if name in ("mixed_df", "slope_sd") else 2e-3
        assert row[name] == pytest.approx(value, rel=close, abs=2e-4), name
    assert row["generalises"]
    pie, other = (first.loc[first["is_pie"] == side, "value"] for side in (True, False))
    assert (row["n_pie"], row["mean_pie"], row["sd_non_pie"]) == pytest.approx(
        (len(pie), pie.mean(), other.std())
    )
    assert row["kruskal_p"] == pytest.approx(scipy.stats.kruskal(pie, other).pvalue)
    between = first.pivot(index="reader", columns="image_id", values="value").to_numpy(float)
    assert row["krippendorff_alpha"] == pytest.approx(
        krippendorff.alpha(between, level_of_measurement="ordinal")
    )
    twice = table.pivot(index=["reader", "image_id"], columns="again", values="value").dropna()
    assert row["n_repeats"] == len(twice) > 5
    assert row["within_alpha"] == pytest.approx(
        krippendorff.alpha(twice.to_numpy(float).T, level_of_measurement="ordinal")
    )


def test_the_interval_of_agreement_within_readers_draws_whole_images():
    table = matched_study(3, n_readers=6, repeats=8)
    twice = table.pivot(index=["image_id", "reader"], columns="again", values="value").dropna()
    images = twice.index.get_level_values("image_id")
    rng = np.random.default_rng(99)
    drawn = []
    for _ in range(400):
        chosen = rng.choice(images.unique(), images.nunique())
        pairs = np.concatenate([twice[images == name].to_numpy(float) for name in chosen])
        drawn.append(krippendorff.alpha(pairs.T, level_of_measurement="ordinal"))
    found = within_readers(table, "ordinal")
    low, high = np.percentile(drawn, [2.5, 97.5])
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high), abs=0.06)
    assert found.ci_low < found.alpha < found.ci_high


def test_readers_who_repeat_themselves_agree_within_and_not_between():
    rng = np.random.default_rng(0)
    rows = [
        (f"reader {r}", f"image {i}", i < 10, again, value)
        for r in range(4)
        for i, value in enumerate(rng.integers(1, 6, 20))
        for again in (False, True)
    ]
    table = pd.DataFrame(rows, columns=["reader", "image_id", "is_pie", "again", "value"])
    row = ReaderResults(QUALITY)(table.assign(question="image_quality")).iloc[0]
    assert row["within_alpha"] == 1
    assert row["krippendorff_alpha"] < 0.2
    assert row["n_pie"] == row["n_non_pie"] == 40, "second looks are no more readings"


def test_labels_asked_one_by_one_count_as_their_share_and_agree_label_by_label():
    rows = [
        ("a", "1", "Mass", 1), ("a", "1", "Nodule", 0), ("a", "2", "Mass", 1),
        ("b", "1", "Mass", 1), ("b", "1", "Nodule", 1), ("b", "2", "Mass", 1),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["reader", "image_id", "label", "value"])
    table = table.assign(is_pie=table["image_id"] == "1", question="label_shown")
    assert readings(table)["value"].tolist() == [0.5, 1, 1, 1]
    row = ReaderResults({"label_shown": "nominal"})(table).iloc[0]
    assert (row["n_pie"], row["mean_pie"], row["mean_non_pie"]) == (2, 0.75, 1)
    ratings = [[1, 0, 1], [1, 1, 1]]
    assert row["krippendorff_alpha"] == pytest.approx(
        krippendorff.alpha(ratings, level_of_measurement="nominal")
    )


def test_readers_who_differ_in_scale_alone_leave_a_t_test_of_the_images():
    table = matched_study(4, 1.0, n_readers=1, n_pairs=10)
    every = pd.concat([table.assign(reader=f"{n}", value=table["value"] + n) for n in range(4)])
    found = mixed_model(every)
    pie, other = (table.loc[table["is_pie"] == side, "value"] for side in (True, False))
    plain = scipy.stats.ttest_ind(pie, other)
    assert (found.effect, found.p) == pytest.approx((pie.mean() - other.mean(), plain.pvalue))


def test_a_mixed_model_without_spread_over_readers_is_least_squares():
    rng = np.random.default_rng(0)
    y, x = rng.normal(size=200), np.column_stack([np.ones(200), rng.normal(size=200)])
    groups = np.eye(4)[np.repeat(range(4), 50)]
    y -= groups @ (groups.T @ y) / 50  # nothing is left between them
    found = mixed_effects.fit(y, x, {"group": groups})
    assert found.variances["group"] == pytest.approx(0, abs=1e-6)
    assert found.effects == pytest.approx(np.linalg.lstsq(x, y)[0], abs=1e-4)
    assert sum(found.parts.values()) == pytest.approx(found.covariance[1, 1])


def test_ten_readers_of_few_images_are_no_more_certain_than_their_images_allow():
    """A reader more brings less and less, where images differ."""
    widths = []
    for n in (4, 40):
        found = mixed_model(matched_study(7, n_readers=n, n_pairs=8))
        widths.append(found.ci_high - found.ci_low)
    assert widths[1] > 0.35 * widths[0], "forty over four readers would be 0.32 of the width"


def rejections(n: int, **settings) -> int:
    p = [mixed_model(readings(matched_study(seed, **settings))).p for seed in range(n)]
    return int((np.array(p) < 0.05).sum())


@pytest.mark.parametrize(
    "settings", [{}, {"n_readers": 6, "n_read": 3}], ids=["all read all", "anchors and blocks"]
)
def test_where_there_is_nothing_at_most_5_percent_of_200_studies_find_it(settings):
    assert rejections(200, **settings) <= 10


@pytest.mark.slow
@pytest.mark.parametrize("slope", [0.0, 0.2, 0.5])
@pytest.mark.parametrize("n_readers", [2, 4, 8])
def test_the_error_rate_is_5_percent_whatever_readers_do(n_readers, slope):
    """Of 600; below 4 readers nothing is said of others, so nothing may vary over readers."""
    slope = slope if n_readers >= 4 else 0.0
    n = rejections(600, n_readers=n_readers, slope=slope)
    assert scipy.stats.binom.ppf(0.0005, 600, 0.03) <= n <= scipy.stats.binom.ppf(0.9995, 600, 0.05)


def test_the_power_simulation_tests_as_the_results_do():
    """Its closed form is close to the mixed model's p, which also knows what noise there is in the
    sums of pairs, where no variance is estimated as 0."""
    compared = 0
    for seed in range(12):
        table = matched_study(100 + seed, 0.5, n_readers=5, n_pairs=15, slope=0.4)
        found = mixed_effects_are_all_there(table)
        sides = [
            table[table["is_pie"] == side].pivot(index="reader", columns="pair", values="value")
            for side in (True, False)
        ]
        difference = (sides[0] - sides[1]).to_numpy(float)
        if found is not None:
            assert paired_p(difference[None])[0] == pytest.approx(found, rel=0.25, abs=0.002)
            compared += 1
    assert compared >= 4


def mixed_effects_are_all_there(table: pd.DataFrame) -> float | None:
    found = mixed_model(table)
    half = table["is_pie"].to_numpy(bool) - 0.5
    reader = pd.get_dummies(table["reader"]).to_numpy(float)
    random = {"reader": reader, "slope": reader * half[:, None]}
    random |= {name: pd.get_dummies(table[name]).to_numpy(float) for name in ("image_id", "pair")}
    x = np.column_stack([np.ones(len(table)), half])
    fitted = mixed_effects.fit(table["value"].to_numpy(float), x, random)
    return found.p if min(fitted.variances.values()) > 1e-3 else None


def test_power_grows_with_readers_and_images_and_is_5_percent_of_nothing():
    table = ReaderPower()((4, 6, 12), (10, 40))
    power = table.pivot(index="n_readers", columns="n_images", values="power")
    assert (power[80] > power[20]).all()
    assert power[80].is_monotonic_increasing
    assert (table["power_ci_low"] < table["power"]).all()
    nothing = ReaderPower(difference=0.0, studies=2000)((4, 8), (20,))
    assert (nothing["power_ci_low"] < 0.05).all()
    assert (nothing["power"] < 0.065).all()


def test_power_is_what_studies_simulated_one_by_one_have():
    """Of matched studies with the same spreads, tested by the mixed model."""
    settings = {"effect": 0.5, "n_readers": 6, "n_pairs": 20, "slope": 0.2}
    of_studies = rejections(120, **settings) / 120
    row = ReaderPower(spread=Spread(0.5, 0.2, 0.8))((6,), (20,)).iloc[0]
    assert row["power"] == pytest.approx(of_studies, abs=3 * (0.25 / 120) ** 0.5)
