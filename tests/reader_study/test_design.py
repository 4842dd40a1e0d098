"""Which images a reader study shows, and in what order."""

import re

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.reader_study import design, drawing
from core.reader_study.schedule import blocks_of, cyclic_base, deal, reader_order
from core.results.agreements import paper_pies
from core.study import paths, store
from core.study.study import Study
from tests.page_studies import write_imported_study
from tests.toys import write_toy_study


@pytest.fixture
def folder():
    return write_toy_study()


def wanted(**settings):
    asked = {"name": "one", "readers": ("a@b.org",), "n_pies": 5, "n_non_pies": 7}
    asked |= {"matched": False, "repeats": 0.0}
    return design.plan(**asked | settings)


def test_pies_and_non_pies_are_those_of_the_papers_definition(folder):
    drawn = drawing.draw_images(folder, wanted()).images
    truth = paper_pies(Study(folder), 0.9).set_index("image_id")["is_pie"]
    assert (truth[drawn["image_id"]].to_numpy() == drawn["is_pie"]).all()
    assert drawn["is_pie"].value_counts().to_dict() == {False: 7, True: 5}
    assert drawn["image_id"].is_unique


def test_equal_seeds_draw_equal_images_and_others_do_not(folder):
    first, again, other = (drawing.draw_images(folder, wanted(seed=s)).images for s in (3, 3, 4))
    assert first.equals(again)
    assert list(first["image_id"]) != list(other["image_id"])


def test_the_stored_order_says_nothing_about_pies(folder):
    """Over many seeds every position holds a PIE as often as any other."""
    n, seeds = 10, range(60)
    plans = [wanted(seed=s, n_pies=5, n_non_pies=5) for s in seeds]
    where = sum(drawing.draw_images(folder, p).images["is_pie"].to_numpy(int) for p in plans)
    assert len(where) == n
    assert where.min() >= 15  # 30 expected; below 15 has a chance of 3e-5
    assert where.max() <= 45


def test_a_matched_pie_has_a_non_pie_like_itself(folder):
    drawn = drawing.draw_images(folder, wanted(n_pies=6, n_non_pies=6, matched=True)).images
    pairs = drawn.set_index("is_pie").groupby("pair")
    assert len(pairs) == 6
    for _, pair in pairs:
        pie, other = pair.loc[True], pair.loc[False]
        assert list(pie[["finding_count", "group"]]) == list(other[["finding_count", "group"]])
        assert (pie["matched_on"] == "labels") == (pie["labelled"] == other["labelled"])


def test_a_reader_study_is_matched_unless_it_is_asked_otherwise(folder):
    plan = design.plan(name="one", readers=("a@b.org",))
    assert plan.matched
    assert plan.form == "labels"
    assert plan.repeats > 0
    assert (plan.n_pies, plan.n_non_pies) == (20, 20)


def test_counts_say_what_a_matched_plan_can_have(folder):
    """As many pairs as counted can be drawn, and not one more."""
    found = drawing.count_candidates(drawing.candidates(folder, 0.9))
    assert found.n_pies == 10
    n = found.n_pairs
    drawn = drawing.draw_images(folder, wanted(n_pies=n, n_non_pies=n, matched=True)).images
    assert drawn["is_pie"].sum() == n
    assert drawn["patient_id"].is_unique
    with pytest.raises(InputError, match=f"has {n} PIEs at 90% sparsity with a non-PIE"):
        drawing.draw_images(folder, wanted(n_pies=n + 1, n_non_pies=n + 1, matched=True))


def test_of_few_patients_as_many_are_drawn_as_there_are(folder):
    """A hundred patients with two images each: ten PIEs leave ninety for the others."""
    with pytest.raises(InputError, match=r"has 90 non-PIEs of different patients .* 91 were asked"):
        drawing.draw_images(folder, wanted(n_pies=10, n_non_pies=91))
    drawn = drawing.draw_images(folder, wanted(n_pies=10, n_non_pies=90)).images
    assert drawn["patient_id"].nunique() == 100


ROWS = st.lists(
    st.tuples(
        st.integers(0, 12), st.booleans(), st.integers(0, 2), st.sampled_from(["head", "none"])
    ),
    min_size=1,
    max_size=40,
)


def rows_of(drawn: list[tuple]) -> pd.DataFrame:
    rows = pd.DataFrame(drawn, columns=["patient", "is_pie", "finding_count", "group"])
    rows.loc[rows["finding_count"] == 0, "group"] = "none"
    # Labels that number and group follow from; of number 2 there are several.
    of = rows["finding_count"], rows["group"], rows["patient"] % 2
    rows["labelled"] = [
        [f"{g}{i}{i and odd}" for i in range(n)] for n, g, odd in zip(*of, strict=True)
    ]
    rows["patient_id"] = "patient " + rows["patient"].astype(str)
    rows["image_id"] = "image " + rows.index.astype(str)
    return rows


@settings(max_examples=40, deadline=None)
@given(ROWS, st.integers(1, 20), st.sets(st.integers(0, 39)))
def test_no_patient_is_in_two_pairs_and_a_pair_is_alike(drawn, most, broken):
    rows = rows_of(drawn)
    unreadable = {f"image {number}" for number in broken}
    pairs, n_passed_over = drawing.matched_pairs(rows, most, lambda name: name not in unreadable)
    pies, others = rows.loc[[p.pie for p in pairs]], rows.loc[[p.other for p in pairs]]
    taken = [*pies.index, *others.index]
    n_readable = rows.loc[
        rows["is_pie"] & ~rows["image_id"].isin(unreadable), "patient_id"
    ].nunique()
    assert 0 <= n_passed_over <= n_readable - len(pairs)
    assert rows.loc[taken, "patient_id"].is_unique
    assert len(pies) == len(others) <= most
    assert pies["is_pie"].all()
    assert not others["is_pie"].any()
    for pair, pie, other in zip(pairs, pies.itertuples(), others.itertuples(), strict=True):
        assert (pie.finding_count, pie.group) == (other.finding_count, other.group)
        assert (pair.on == "labels") == (pie.labelled == other.labelled)
    assert not unreadable & set(rows.loc[taken, "image_id"])


@settings(max_examples=40, deadline=None)
@given(ROWS, st.integers(0, 40), st.integers(0, 12))
def test_of_every_patient_one_image_at_most_and_none_is_passed_over(drawn, n, known):
    rows = rows_of(drawn)
    seen = {f"patient {known}"}
    found = rows.loc[
        drawing.of_different_patients(drawing.in_turn(rows), n, seen, lambda name: True),
        "patient_id",
    ]
    unseen = set(rows["patient_id"]) - {f"patient {known}"}
    assert found.is_unique
    assert len(found) == min(n, len(unseen))
    assert seen == {f"patient {known}", *found}


def test_findings_are_counted_without_no_finding_and_the_rarest_gives_the_group(folder):
    labels = store.read_labels(folder)
    rows = labels.split("test").set_index("image_id")
    drawn = drawing.candidates(folder, 0.9).set_index("image_id")
    for image_id, image in drawn.iterrows():
        truth = rows.loc[image_id, list(labels.class_names)]
        assert image["labelled"] == [name for name, value in truth.items() if value == 1]
        assert image["finding_count"] == truth.drop("No Finding").sum()
        assert (image["group"] == "none") == (image["finding_count"] == 0)


def test_too_few_pies_are_refused_with_the_number_there_is(folder):
    with pytest.raises(
        InputError,
        match="toy has 10 PIEs of different patients at 90% sparsity that can be opened; 11",
    ):
        drawing.draw_images(folder, wanted(n_pies=11))


def test_an_image_that_cannot_be_opened_is_left_out(folder):
    pies = paper_pies(Study(folder), 0.9)
    broken = pies.loc[pies["is_pie"], "image_id"].iloc[0]
    (paths.images_dir(store.read_config(folder).dataset) / broken).write_bytes(b"no image")
    assert broken not in set(drawing.draw_images(folder, wanted(n_pies=9)).images["image_id"])
    with pytest.raises(InputError, match="has 9 PIEs"):
        drawing.draw_images(folder, wanted(n_pies=10))


def test_a_study_without_images_is_refused(folder):
    with pytest.raises(InputError, match="has no X-rays to show"):
        drawing.draw_images(write_imported_study(n_images=200), wanted())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "No Spaces"}, "name: "),
        ({"readers": ("no body",)}, "readers: 'no body' is no reader"),
        ({"readers": ()}, "readers: "),
        ({"n_pies": 1}, "n pies: "),
        ({"sparsity": 1.0}, "sparsity: "),
        ({"seed": -1}, "seed: "),
    ],
)
def test_a_wrong_plan_is_refused_in_a_sentence(settings, message):
    with pytest.raises(InputError, match=re.escape(message)):
        wanted(**settings)


def test_matching_needs_as_many_of_each():
    with pytest.raises(InputError, match="A matched study has as many non-PIEs as PIEs"):
        wanted(matched=True)


POSITIONS = st.integers(1, 200)


@given(st.integers(0, 2**32 - 1), st.text(max_size=40), POSITIONS)
def test_an_order_is_a_permutation_and_always_the_same(seed, reader, n):
    order = reader_order(seed, reader, range(n), n)
    assert sorted(order) == list(range(n))
    assert order == reader_order(seed, reader, range(n), n)


def test_an_order_is_the_one_that_readers_of_earlier_versions_were_given():
    assert reader_order(0, "ada@clinic.org", range(10), 10) == [3, 1, 4, 5, 6, 2, 8, 0, 7, 9]


@given(st.integers(0, 2**32 - 1), st.lists(st.emails(), min_size=2, max_size=6, unique=True))
def test_readers_see_different_orders(seed, readers):
    orders = {tuple(reader_order(seed, reader, range(40), 40)) for reader in readers}
    assert len(orders) == len(readers)  # two of 40! are equal with a chance of 1e-48


@given(st.integers(0, 1000), POSITIONS, st.sampled_from([0.05, 0.1, 0.3]))
def test_repeats_come_once_more_and_a_third_of_the_images_later(seed, n, repeats):
    order = reader_order(seed, "ada@clinic.org", range(n), n, repeats)
    once, again = [at for at in order if at < n], [at - n for at in order if at >= n]
    assert once == reader_order(seed, "ada@clinic.org", range(n), n)
    assert len(again) == len(set(again)) == min(-(-n * repeats // 1), n // 3)
    for at in again:
        assert order.index(n + at) - order.index(at) > n // 3


def test_other_readers_repeat_other_images():
    again = [
        {at - 60 for at in reader_order(0, f"r{r}@clinic.org", range(60), 60, 0.1) if at >= 60}
        for r in range(8)
    ]
    assert len(set.union(*again)) > 20


@given(st.integers(2, 9), st.integers(1, 8), st.integers(1, 40), st.integers(0, 30))
def test_each_image_has_as_many_readers_as_asked_and_anchors_have_all(n, k, n_pairs, n_anchors):
    k = min(k, n - 1)
    dealt = deal([(2 * at, 2 * at + 1) for at in range(n_pairs)], n, n_anchors)
    for at in range(n_pairs):
        assert dealt[2 * at] == dealt[2 * at + 1], "a pair stays together"
    anchors = sum(block is None for block in dealt.values())
    assert min(n_anchors, 2 * n_pairs) <= anchors <= min(n_anchors + 1, 2 * n_pairs)
    for block in set(dealt.values()) - {None}:
        assert sum(block in blocks_of(reader + 1, n, k) for reader in range(n)) == k
    sizes = [sum(block == b for block in dealt.values()) for b in range(n)]
    assert max(sizes) - min(sizes) <= 2, "blocks are of one size, but for a pair"


def test_seven_blocks_of_which_three_are_read_are_a_balanced_design():
    """The Fano plane: any two blocks share exactly one reader."""
    readers = [blocks_of(number, 7, 3) for number in range(1, 8)]
    shared = {sum({a, b} <= read for read in readers) for a in range(7) for b in range(a)}
    assert shared == {1}
    assert cyclic_base(13, 4) == (0, 1, 3, 9)  # Singer's difference set


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"readers_per_image": 3}, "3 readers per image leave nothing to share among 1"),
        ({"readers": ("guest",)}, "'guest' is no reader"),
        ({"readers": ("a b",)}, "'a b' is no reader"),
        ({"repeats": 0.5}, "repeats: "),
        (
            {"readers": ("anna", "ben", "cy"), "readers_per_image": 2, "anchors": 12},
            "fewer of them",
        ),
    ],
)
def test_a_design_that_cannot_be_is_refused(settings, message):
    with pytest.raises(InputError, match=message):
        wanted(**settings)


def test_addresses_are_parted_and_written_one_way():
    assert design.split_addresses("A@b.org; c@d.org,\n local") == ["A@b.org", "c@d.org", "local"]
    assert wanted(readers=("A@b.org", " a@B.org ")).readers == ("a@b.org",)
