"""Which images a reader study shows, and in what order."""

import re

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.reader_study import design
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
    return design.plan(**asked | settings)


def test_pies_and_non_pies_are_those_of_the_papers_definition(folder):
    drawn = design.draw_images(folder, wanted())
    truth = paper_pies(Study(folder), 0.9).set_index("image_id")["is_pie"]
    assert (truth[drawn["image_id"]].to_numpy() == drawn["is_pie"]).all()
    assert drawn["is_pie"].value_counts().to_dict() == {False: 7, True: 5}
    assert drawn["image_id"].is_unique


def test_equal_seeds_draw_equal_images_and_others_do_not(folder):
    first, again, other = (design.draw_images(folder, wanted(seed=s)) for s in (3, 3, 4))
    assert first.equals(again)
    assert list(first["image_id"]) != list(other["image_id"])


def test_the_stored_order_says_nothing_about_pies(folder):
    """Over many seeds every position holds a PIE as often as any other."""
    n, seeds = 10, range(60)
    plans = [wanted(seed=s, n_pies=5, n_non_pies=5) for s in seeds]
    where = sum(design.draw_images(folder, p)["is_pie"].to_numpy(int) for p in plans)
    assert len(where) == n
    assert where.min() >= 15  # 30 expected; below 15 has a chance of 3e-5
    assert where.max() <= 45


def test_a_matched_pie_has_a_non_pie_like_itself(folder):
    drawn = design.draw_images(folder, wanted(n_pies=6, n_non_pies=6, matched=True))
    alike = drawn.groupby(["finding_count", "group"])["is_pie"].agg(["sum", "size"])
    assert (2 * alike["sum"] == alike["size"]).all()


def test_counts_say_what_a_matched_plan_can_have(folder):
    """As many pairs as counted can be drawn, and not one more."""
    found = design.count_candidates(design.candidates(folder, 0.9))
    assert found.n_pies == 10
    n = found.n_pairs
    drawn = design.draw_images(folder, wanted(n_pies=n, n_non_pies=n, matched=True))
    assert drawn["is_pie"].sum() == n
    assert drawn["patient_id"].is_unique
    with pytest.raises(InputError, match=f"has {n} PIEs at 90% sparsity with a non-PIE"):
        design.draw_images(folder, wanted(n_pies=n + 1, n_non_pies=n + 1, matched=True))


def test_of_few_patients_as_many_are_drawn_as_there_are(folder):
    """A hundred patients with two images each: ten PIEs leave ninety for the others."""
    with pytest.raises(InputError, match=r"has 90 non-PIEs of different patients .* 91 were asked"):
        design.draw_images(folder, wanted(n_pies=10, n_non_pies=91))
    drawn = design.draw_images(folder, wanted(n_pies=10, n_non_pies=90))
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
    rows["patient_id"] = "patient " + rows["patient"].astype(str)
    rows["image_id"] = "image " + rows.index.astype(str)
    return rows


@settings(max_examples=40, deadline=None)
@given(ROWS, st.integers(1, 20), st.sets(st.integers(0, 39)))
def test_no_patient_is_in_two_pairs_and_a_pair_is_alike(drawn, most, broken):
    rows = rows_of(drawn)
    unreadable = {f"image {number}" for number in broken}
    taken = design.matched_pairs(rows, most, lambda name: name not in unreadable)
    pies, others = rows.loc[taken[::2]], rows.loc[taken[1::2]]
    assert rows.loc[taken, "patient_id"].is_unique
    assert len(pies) == len(others) <= most
    assert pies["is_pie"].all()
    assert not others["is_pie"].any()
    for column in ("finding_count", "group"):
        assert list(pies[column]) == list(others[column])
    assert not unreadable & set(rows.loc[taken, "image_id"])


@settings(max_examples=40, deadline=None)
@given(ROWS, st.integers(0, 40), st.integers(0, 12))
def test_of_every_patient_one_image_at_most_and_none_is_passed_over(drawn, n, known):
    rows = rows_of(drawn)
    seen = {f"patient {known}"}
    found = rows.loc[
        design.of_different_patients(design.in_turn(rows), n, seen, lambda name: True), "patient_id"
    ]
    unseen = set(rows["patient_id"]) - {f"patient {known}"}
    assert found.is_unique
    assert len(found) == min(n, len(unseen))
    assert seen == {f"patient {known}", *found}


def test_findings_are_counted_without_no_finding_and_the_rarest_gives_the_group(folder):
    labels = store.read_labels(folder)
    rows = labels.split("test").set_index("image_id")
    drawn = design.candidates(folder, 0.9).set_index("image_id")
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
        design.draw_images(folder, wanted(n_pies=11))


def test_an_image_that_cannot_be_opened_is_left_out(folder):
    pies = paper_pies(Study(folder), 0.9)
    broken = pies.loc[pies["is_pie"], "image_id"].iloc[0]
    (paths.images_dir(store.read_config(folder).dataset) / broken).write_bytes(b"no image")
    assert broken not in set(design.draw_images(folder, wanted(n_pies=9))["image_id"])
    with pytest.raises(InputError, match="has 9 PIEs"):
        design.draw_images(folder, wanted(n_pies=10))


def test_a_study_without_images_is_refused(folder):
    with pytest.raises(InputError, match="has no X-rays to show"):
        design.draw_images(write_imported_study(n_images=200), wanted())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "No Spaces"}, "name: "),
        ({"readers": ("nobody",)}, "readers: 'nobody' is no e-mail address"),
        ({"readers": ()}, "readers: "),
        ({"n_pies": 1}, "n pies: "),
        ({"sparsity": 1.0}, "sparsity: "),
        ({"seed": -1}, "seed: "),
    ],
)
def test_a_wrong_plan_is_refused_in_a_sentence(settings, message):
    with pytest.raises(InputError, match=re.escape(message)):
        wanted(**settings)


def test_matching_needs_as_many_of_each(folder):
    with pytest.raises(InputError, match="as many non-PIEs as PIEs"):
        design.draw_images(folder, wanted(matched=True))


@given(st.integers(0, 2**32 - 1), st.text(max_size=40), st.integers(1, 200))
def test_an_order_is_a_permutation_and_always_the_same(seed, reader, n):
    order = design.reader_order(seed, reader, n)
    assert sorted(order) == list(range(n))
    assert order == design.reader_order(seed, reader, n)


@given(st.integers(0, 2**32 - 1), st.lists(st.emails(), min_size=2, max_size=6, unique=True))
def test_readers_see_different_orders(seed, readers):
    orders = {tuple(design.reader_order(seed, reader, 40)) for reader in readers}
    assert len(orders) == len(readers)  # two of 40! are equal with a chance of 1e-48


def test_addresses_are_parted_and_written_one_way():
    assert design.split_addresses("A@b.org; c@d.org,\n local") == ["A@b.org", "c@d.org", "local"]
    assert wanted(readers=("A@b.org", " a@B.org ")).readers == ("a@b.org",)
