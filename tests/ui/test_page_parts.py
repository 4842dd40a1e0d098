"""What every page begins with: its document, its words, and the names of its figures' files."""

from __future__ import annotations

from dataclasses import replace

from markupsafe import Markup
from starlette.applications import Starlette
from starlette.testclient import TestClient

from core.analysis.subgroup import OneOf, Subgroup
from core.charts.library import ADDRESS, library_routes
from core.study import paths
from core.study.study import Study
from core.ui import markup
from core.ui.document import SIDEBAR, STYLE, document, document_routes
from core.ui.figure_files import file_name, source
from core.ui.view import View
from core.wording import terms
from tests.toys import toy_config
from tools.reference import pages as reference
from tools.reference.address import parameters


def opened() -> View:
    config = toy_config()
    study = Study(paths.study_dir(config))
    vars(study)["config"] = config  # there is no such folder
    return View("toy", study)


def test_a_page_begins_with_our_style_in_streamlits_document() -> None:
    page = document("class_ap")
    head, _, body = page.partition("</head>")
    assert STYLE in head
    assert SIDEBAR in head
    assert 'id="root"' in body
    assert all(name in head for name in ("Html.", "PlotlyChart.")), "Streamlit renamed its parts"


def test_the_reading_room_keeps_no_place_for_a_sidebar() -> None:
    assert SIDEBAR not in document("reader_study")


def test_documents_are_asked_for_anew_and_plotly_is_kept() -> None:
    asked = TestClient(Starlette(routes=[*document_routes(["jobs"]), *library_routes()]))
    for path in ("/", "/jobs"):
        assert asked.get(path).headers["cache-control"] == "no-cache"
    assert asked.get("/else").status_code == 404
    library = asked.get(ADDRESS)
    assert "immutable" in library.headers["cache-control"]
    assert b"window.Plotly" in library.content


def test_a_figures_file_names_study_chart_settings_and_subgroup() -> None:
    of = opened()
    assert file_name("curves_chart", of, ("ap", "sparsity-85")).endswith("_curves_ap_sparsity-85")
    named = file_name(
        "pair_chart", replace(of, subgroup=Subgroup((OneOf("view", ("PA",)),))), ("Mass / <b>",)
    )
    assert named.startswith("toy_")
    assert named.endswith("PA")
    assert not set(named) & set("/\\<>:|?* ")


def test_a_figure_tells_its_study_and_subgroup() -> None:
    assert source(opened()).startswith("Study toy: ")
    part = replace(opened(), subgroup=Subgroup((OneOf("view", ("PA",)),)))
    assert part.subgroup is not None
    assert "View: PA" in source(part)


def test_names_that_strangers_gave_are_escaped() -> None:
    odd = "<img src=x onerror=alert(1)>\" & '"
    escaped = "&lt;img src=x onerror=alert(1)&gt;&#34; &amp; &#39;"
    for html in (
        markup.facts({odd: odd}),
        markup.table(odd, [odd, odd], [[odd, odd]]),
        markup.class_chips([odd], {odd: "tail"}, {odd: odd}),
        markup.named(odd, Markup("")),
        markup.without_xray(odd, Markup("")),
        markup.cards([(odd, "", "", Markup(""), True)], 200),
        markup.previews([(odd, "")]),
    ):
        assert escaped in html
        assert odd not in html
        assert "<img src=x" not in html


def test_no_line_begins_with_a_percent_sign() -> None:
    assert "5\u00a0%" in markup.facts({"Share": "5 %"})


def test_every_word_of_a_page_has_a_meaning_and_every_meaning_a_page() -> None:
    titles = {title for title, _ in reference.dashboard_pages().values()}
    assert set(terms.OF_PAGE) <= titles
    used = {name for names in terms.OF_PAGE.values() for name in names} | {"preflight"}
    assert used == set(terms.TERMS)


def test_a_parameter_is_seen_however_a_page_reads_it(tmp_path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "core" / "ui").mkdir(parents=True)
    (tmp_path / "pages" / "a.py").write_text(
        'st.slider("A", key="a", bind="query-params")\nst.query_params["b"] = 1\n'
        'st.query_params.get("c")\n"d" in st.query_params\nswitch("e", "E", [])\n'
        'addressed("f", [], "")\nst.slider("G", key="g")\n'
    )
    assert parameters(tmp_path) == set("abcdef")
