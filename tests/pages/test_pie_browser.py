"""The PIE browser without a browser: its filters, its counts, and one image looked at closely."""

import html
import json
import re
from urllib.parse import parse_qsl

import pytest
from streamlit.testing.v1 import AppTest

from core.actions import saved_views
from core.analysis.lost import IN_TABLES, OPERATING_POINT, RANK
from core.people import access
from core.results import image_curves, operating, pies
from core.study.store import find_study
from core.study.study import Study
from core.ui import people
from core.wording import words
from tests import page_studies
from tests.pages.test_pages import open_page, said
from tests.toys import write_toy_study


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A toy study with validation, one without, one import without images, and the odd one."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(folder))
        page_studies.with_validation(write_toy_study())
        write_toy_study("bare")
        page_studies.with_validation(rising := write_toy_study("rising"))
        page_studies.with_rising(rising)
        page_studies.write_odd_study()
        page_studies.write_imported_study(n_images=200)
    return folder


@pytest.fixture(autouse=True)
def _cache(cache, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(cache))


def browse(**address: str) -> AppTest:
    return open_page("pie_browser.py", **({"study": "toy"} | address))


def button(at: AppTest, label: str):
    return next(b for b in at.button if b.label.startswith(label))


def cards(at: AppTest) -> list[str]:
    """The image_ids of the grid's X-rays; those of an open X-ray's patient come after them."""
    grids = [e.proto.body for e in at.get("html") if 'class="ps-cards"' in e.proto.body]
    return re.findall(r'data-image="([^"]+)"', grids[0]) if grids else []


def open_card(at: AppTest, image_id: str) -> AppTest:
    """Where its link leads; tests/e2e clicks it, which is quicker."""
    at.query_params["image"] = image_id
    return at.run()


def in_viewer(at: AppTest, key: str) -> dict:
    """What the X-ray viewer is given."""
    (viewer,) = [c for c in at.get("bidi_component") if key in c.proto.component_name]
    return json.loads(viewer.proto.json)


def lost_image() -> tuple[str, str, float]:
    """An image of the toy study and a finding of it that is lost, and where."""
    table = pies.pies(Study(find_study("toy")))
    row = table[table["lost_classes"].notna()].sort_values("lost_at_sparsity").iloc[0]
    return row["image_id"], row["lost_classes"].split("|")[0], row["lost_at_sparsity"]


def test_the_address_holds_every_filter():
    at = browse(
        definition="every", sparsity="95", classes="Effusion", group="head",
        findings="1", column="view", value="PA", sort="tail", size="small",
    )  # fmt: skip
    assert at.select_slider(key="sparsity").value == 95
    text = said(at)
    assert "shown of 200 test images" in text
    labels = [b.label.replace("\\", "") for b in at.button]
    for badge in ("Labelled Effusion", "Group head", "Findings 1", "View: PA"):
        assert badge in labels


def test_a_badge_takes_one_filter_away_and_reset_takes_all():
    at = browse(definition="every", classes="Effusion", group="tail")
    few = cards(at)
    button(at, "Group tail").click().run()
    assert len(cards(at)) > len(few)
    assert at.multiselect(key="classes").value == ["Effusion"]
    button(at, "Reset all filters").click().run()
    assert at.multiselect(key="classes").value == []
    assert "**200 test images**" in said(at)
    assert not [b for b in at.button if b.label == "Reset all filters"]


def test_where_nothing_is_left_the_page_says_which_filter_to_loosen():
    at = browse(definition="every", classes="Effusion", findings="0")
    assert "without" in at.info[0].value
    assert "Findings 0" in at.info[0].value
    assert not cards(at)


def test_an_image_keeps_open_while_its_filter_changes():
    image_id, _, _ = lost_image()
    at = browse(image=image_id, classes="Hernia")
    assert "not in this list" in said(at)
    assert at.query_params["image"] == image_id
    at.select_slider(key="sparsity").set_value(50).run()
    assert at.query_params["image"] == image_id


def test_the_large_image_is_the_same_at_every_sparsity():
    image_id, _, _ = lost_image()
    at = browse(image=image_id)

    def viewer_after(sparsity: int) -> bytes:
        at.select_slider(key="sparsity").set_value(sparsity).run()
        (viewer,) = [c for c in at.get("bidi_component") if "xray_viewer" in c.proto.component_name]
        return viewer.proto.SerializeToString()

    # Addresses are signed anew every five minutes, perhaps between two looks, not between three.
    seen = [viewer_after(sparsity) for sparsity in (50, 90, 50)]
    assert seen[0] == seen[1] or seen[1] == seen[2]


def test_a_lost_finding_is_told_in_a_sentence_on_its_card_and_in_its_filter():
    image_id, name, sparsity = lost_image()
    by = {"definition": "every", "lost_by": OPERATING_POINT}
    at = browse(**by, image=image_id, sparsity="95", finding=name)
    text = said(at).replace("\\", "")
    assert (
        f"{name} (labelled) falls below its operating point at {sparsity:.0%}".replace("%", " %")
        in text
    )
    assert f"lost at {sparsity * 100:.0f} %" in text
    assert at.dataframe[0].value["lost_at_sparsity"].notna().any()
    table = pies.pies(Study(find_study("toy")))
    n = table["lost_classes"].fillna("").str.split("|").map(lambda names: name in names).sum()
    assert f"{n} shown of 200 test images" in text
    before = browse(**by, sparsity="50", finding=name, until="50")
    assert f"{name} lost" not in said(before) or sparsity <= 0.5


def test_a_finding_lost_by_rank_is_told_on_its_card_in_a_sentence_and_in_its_filter():
    table = image_curves.lost_findings(Study(find_study("toy")))
    table = table[(table["lost_by"] == IN_TABLES[RANK]) & table["labelled"].fillna(False)]
    found = table.sort_values("lost_at_sparsity").iloc[0]
    name, at_sparsity = found["class_name"], words.percent(found["lost_at_sparsity"])
    address = {"definition": "every", "sparsity": "95", "lost_by": RANK}
    at = browse(**address, image=found["image_id"], finding=name)
    text = said(at).replace("\\", "")
    assert f"{name} (labelled) no longer ranks above 90 %" in text
    assert f"from {at_sparsity} sparsity on" in text
    assert f"lost at {at_sparsity}" in text
    assert f"{(table['class_name'] == name).sum()} shown of 200 test images" in text
    shown = at.dataframe[0].value.set_index("class_name")
    assert shown.loc[name, "dense_rank"] >= 90
    assert shown.loc[name, "pruned_rank"] < 90
    assert f"Lost: {name}, by 95 % in rank" in [b.label.replace("\\", "") for b in at.button]


@pytest.mark.parametrize("by", [OPERATING_POINT, RANK])
def test_a_false_alarm_is_told_on_its_card_in_a_sentence_in_its_filter_and_counted(by):
    folder = find_study("rising")
    table = image_curves.raised_findings(Study(folder))
    table = table[(table["raised_by"] == IN_TABLES[by]) & (table["class_name"] != "No Finding")]
    found = table.sort_values("raised_at_sparsity", kind="stable").iloc[0]
    name, at_sparsity = found["class_name"], words.percent(found["raised_at_sparsity"])
    address = {"study": "rising", "definition": "every", "sparsity": "95", "lost_by": by}
    at = browse(**address, image=found["image_id"], finding=name, fate="raised", sort="raised")
    text = said(at).replace("\\", "")
    assert f"raised at {at_sparsity}" in text
    assert f"{name} (not labelled) is raised from {at_sparsity} sparsity on" in text
    n = int((table["class_name"] == name).sum())
    assert f"{n} shown of 200 test images" in text
    how = " in rank" if by == RANK else ""
    assert f"Raised: {name}, by 95 %{how}" in [b.label.replace("\\", "") for b in at.button]
    shown = at.dataframe[0].value.set_index("class_name")
    assert shown.loc[name, "raised_at_sparsity"] == pytest.approx(100 * found["raised_at_sparsity"])
    if by == OPERATING_POINT:  # acceptance: the numbers of the table
        numbers = operating.operating_characteristics(Study(folder))
        row = numbers[(numbers["threshold"] == "dense") & (numbers["sparsity"] == 0.95)]
        assert row.set_index("class_name").loc[name, "n_raised"] == n


def test_rank_is_what_counts_where_the_address_says_nothing():
    assert browse().segmented_control(key="lost_by").value == RANK
    assert browse(lost_by=OPERATING_POINT).segmented_control(key="lost_by").value == (
        OPERATING_POINT
    )


def test_where_nothing_is_lost_the_page_says_that_false_alarms_rise():
    at = browse(study="rising", definition="every", lost_by=OPERATING_POINT)
    text = said(at).replace("\\", "")
    assert "A finding that the image does not have is raised on" in text
    assert "findings on more than half" in text or "no finding is called" in text


def test_a_study_without_validation_loses_by_rank_and_by_nothing_else():
    at = browse(study="bare", lost_by=RANK, definition="every", sparsity="95")
    assert not at.multiselect(key="finding").disabled
    assert "lost at" in said(at)
    at = browse(study="bare", lost_by=OPERATING_POINT)
    open_card(at, cards(at)[0])
    assert "keeps no validation predictions" in said(at)
    assert "lost at" not in said(at)
    assert at.multiselect(key="finding").disabled


def test_an_import_without_images_still_has_curves_and_a_table():
    at = browse(study="published")
    button(at, "Open").click().run()
    assert "1 of 5" in said(at)
    button(at, "Next").click().run()
    assert "2 of 5" in said(at)
    assert at.get("plotly_chart")
    assert len(at.dataframe[0].value) == 20


def test_one_run_has_curves_without_a_band():
    at = browse(study="odd")
    open_card(at, cards(at)[0])
    assert "one run" in said(at)


def test_other_images_of_the_patient_are_a_click_away():
    at = browse()
    first = cards(at)[0]
    open_card(at, first)
    assert "1 other test image of patient" in said(at).replace("\\", "")
    _, others = (e.proto.body for e in at.get("html") if 'class="ps-cards"' in e.proto.body)
    (other,) = re.findall(r'href="([^"]+)"', others)
    assert first not in other
    assert re.search(r"study=toy.*image=", other)
    given = in_viewer(at, "xray_viewer")
    (prior,) = given["priors"]
    assert prior["image_id"] in other, "the viewer can show it beside"
    assert prior["address"].startswith("/xray/")


def test_the_most_similar_predictions_are_of_other_patients_and_looked_for_on_demand():
    image_id, _, _ = lost_image()
    grids = [e for e in browse(image=image_id).get("html") if 'class="ps-cards"' in e.proto.body]
    at = browse(image=image_id, similar="true")
    asked = [e for e in at.get("html") if 'class="ps-cards"' in e.proto.body]
    assert len(asked) == len(grids) + 1
    alike = re.findall(r'data-image="([^"]+)"', asked[-1].proto.body)
    rows = Study(find_study("toy")).test.rows.set_index("image_id")["patient_id"]
    assert len(alike) == 8
    assert rows[image_id] not in set(rows[alike])
    distances = [float(text) for text in re.findall(r"distance <b>([^<]+)", asked[-1].proto.body)]
    assert distances == sorted(distances)


def test_what_is_lost_or_raised_is_the_first_row_of_the_table():
    image_id, name, _ = lost_image()
    at = browse(image=image_id, sparsity="50", lost_by=OPERATING_POINT)
    assert at.dataframe[0].value["class_name"].iloc[0] == name
    assert at.dataframe[0].value["fate"].iloc[0].startswith("lost at")


def test_a_card_is_a_link_to_the_same_view_with_its_image_open():
    at = browse(definition="every", group="tail", image=lost_image()[0], folded=True)
    grid = next(e.proto.body for e in at.get("html") if 'class="ps-cards"' in e.proto.body)
    link = html.unescape(re.search(r'href="\?([^"]+)"', grid)[1])
    first = cards(at)[0]
    assert dict(parse_qsl(link)) == {
        "study": "toy", "definition": "every", "group": "tail", "image": first,
    }  # fmt: skip
    assert f'aria-label="Open {first}"' in grid


@pytest.mark.parametrize(
    ("definition", "answer"),
    [("modal", "PIEs by"), ("z_score", "It takes 3 runs, and this study has fewer")],
)
def test_other_definitions_are_worked_out_on_request(definition, answer):
    at = browse(definition=definition, sparsity="50")
    if any(b.label == "Work it out" for b in at.button):
        button(at, "Work it out").click().run()
    assert answer in said(at)
    assert not at.exception


def test_patients_and_agreement_filter():
    at = browse(definition="every", patient="patient-0100, patient-0101")
    assert "4 shown of 200" in said(at)
    at.slider(key="agreement").set_range(-1.0, 0.5).run()
    assert "Agreement -1 to 0.5" in [b.label.replace("\\", "") for b in at.button]


def test_nonsense_in_the_address_shows_everything():
    nonsense = dict.fromkeys(
        (
            *(
                "definition",
                "finding",
                "fate",
                "until",
                "lost",
                "lost_by",
                "group",
                "findings",
                "agreement",
                "column",
            ),
            *("value", "sort", "size"),
        ),
        "'\"><script>",
    )
    assert "PIEs: 10 of 200 test images" in said(browse(**nonsense))


def name_view(at: AppTest, name: str) -> AppTest:
    at.text_input(key="view-name").set_value(name)
    button(at, "Save it").click().run()
    return at


def test_a_saved_view_brings_back_every_filter_and_a_deleted_one_comes_back():
    chosen = {
        "definition": "every", "sparsity": "95", "classes": "Effusion", "group": "head",
        "findings": "1", "column": "view", "value": "PA", "sort": "tail", "size": "small",
        "lost_by": OPERATING_POINT,
    }  # fmt: skip
    at = browse(**chosen)
    at.slider(key="agreement").set_range(-0.5, 1.0).run()
    n = cards(at)
    name_view(at, "PA [of] heads")
    assert "Saved: PA [of] heads." in "".join(s.value for s in at.success).replace("\\", "")
    another_day = browse()
    assert another_day.select_slider(key="sparsity").value == 90
    button(another_day, r"PA \[of\] heads").click().run()
    assert cards(another_day) == n
    assert another_day.slider(key="agreement").value == (-0.5, 1.0)
    for key, value in chosen.items():
        held = another_day.session_state[key]
        assert value in (held, str(held)) or held == [value], key
    another_day.button(key="delete-view-0").click().run()
    assert "Deleted: PA [of] heads." in said(another_day).replace("\\", "")
    assert "No view of this study is saved yet" in said(another_day)
    another_day.button(key="undo-view").click().run()
    assert cards(another_day) == n
    assert button(browse(), r"PA \[of\] heads")
    assert "No view of this study" in said(browse(study="bare")), "a view is of one study"


def test_a_deleted_view_whose_name_is_taken_meanwhile_is_not_lost():
    of = find_study("toy").name
    at = name_view(browse(size="small"), "a view")
    at.button(key="delete-view-0").click().run()
    saved_views.save(access.LOCAL, of, "a view", {})
    at.button(key="undo-view").click().run()
    assert "You have a view 'a view' already" in at.error[0].value.replace("\\", "")
    saved_views.remove(access.LOCAL, of, "a view")
    at.button(key="undo-view").click().run()
    assert not at.error
    kept = next(view for view in saved_views.saved(access.LOCAL, of) if view.name == "a view")
    assert kept.settings["size"] == "small"
    saved_views.remove(access.LOCAL, of, "a view")


def test_a_name_that_is_taken_or_empty_is_refused_beside_the_views():
    at = name_view(name_view(browse(), "mine"), "mine")
    assert "You have a view 'mine' already" in at.error[0].value.replace("\\", "")
    name_view(at, "  ")
    assert "A view needs a name" in at.error[0].value.replace("\\", "")
    assert cards(at)


def test_a_guest_saves_no_view(monkeypatch):
    monkeypatch.setattr(people, "look", lambda: access.GUEST)
    at = browse()
    assert cards(at)
    assert not [t for t in at.text_input if t.key == "view-name"]
