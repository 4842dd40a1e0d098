"""The report: one page that needs nobody, tells both readings, and says what is missing."""

import html
import re
import shutil
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import yaml

from core import results
from core.analysis import decay
from core.analysis.class_changes import PRIMARY
from core.analysis.first_forgotten import first_forgotten
from core.errors import InputError
from core.people import audit
from core.reporting import citation, readings
from core.reporting.report import report_html, write_report
from core.reporting.report_pies import MOST, xrays_of
from core.results import evidence
from core.study import paths, store
from core.study.study import Study
from core.ui.forgettability import figures
from core.ui.results import unstable_classes
from core.ui.view import View
from core.wording import claim_sentences, first_sentences, words
from core.wording.claim_sentences import HEADINGS
from core.wording.published import PUBLISHED
from tests import page_studies
from tests.charts.contrast import contrast
from tests.toys import write_toy_study
from tests.waiting import until

MEGABYTE = 2**20
PATIENCE = 180_000  # ms; every chart is drawn before a page counts as loaded
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(folder))
        write_toy_study(images=False)
        page_studies.write_odd_study()
        page_studies.write_pair_study()
        page_studies.write_started_study()
    return folder


@pytest.fixture(autouse=True)
def _cache(cache, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(cache))


@pytest.fixture(scope="module")
def pages(cache):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(cache))
        return {
            name: report_html(Study(store.find_study(name)))
            for name in ("toy", "odd", "pair", "started")
        }


@lru_cache
def prose(page: str) -> str:
    """The page without scripts and styles."""
    return re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)


def test_report_and_page_give_one_distance_of_two_classes_and_name_one_pair(pages):
    """Without noise, and none of an unstable class is judged."""
    folder = store.find_study("odd")
    view = View("odd", Study(folder), metric="somers_d")
    order = tuple(Study(folder).frequencies["class_name"])
    chart = figures.fcd(view, order)
    assert "root mean square" in chart.caption
    text = html.unescape(prose(pages["odd"]))
    assert f". {chart.title}</h3>" in text
    assert chart.caption in text
    assert "Euclidean distance of two median curves" not in text
    unstable = unstable_classes(view)
    assert unstable
    assert not any(name in chart.title for name in unstable)


def test_plotly_is_in_the_page_once_and_nothing_is_loaded(pages):
    page = pages["toy"]
    assert page.count("plotly.js v") == 1
    assert len(page) < 8 * MEGABYTE
    assert "http:" not in prose(page)
    assert "https:" not in prose(page)
    assert not re.search(r"<(link|img|iframe|object|embed|base)\b", prose(page))
    assert not re.search(r"<script[^>]+src=", page)
    assert "default-src 'none'" in page


def test_a_page_of_a_whole_study_tells_both_readings_and_how(pages):
    text = prose(pages["toy"])
    for part in (
        *HEADINGS.values(),
        "Which images are PIEs",
        "The sparsity at which mAP first lies significantly below dense",
        "Paper-compatible",
        "Corrected",
        "told apart",
        "5 % by definition",
        "Among the first three",
        "Methods",
        "Non-inferiority",
        "Siblini",
        "Dataset fingerprint",
        "runs.count",
        "seed 0 to 1",
        "not a licence to deploy",
    ):
        assert part in text, part
    assert "Not in this report" not in text


def test_numbers_are_those_of_the_tables(pages):
    folder = store.find_study("toy")
    correlations = results.table(Study(folder), "correlations").set_index("name")
    row = correlations.loc["fcd~log_frequency_difference_paper"]
    assert f"r = {words.number(row['pearson_r'])}" in prose(pages["toy"])
    overall = results.table(Study(folder), "overall")
    assert words.number(overall["mean_ap"].iloc[-1], 3) in prose(pages["toy"])


def test_neither_images_nor_their_ids_nor_folders_of_this_machine_are_told(pages, cache):
    for name, page in pages.items():
        folder = store.find_study(name)
        ids = store.read_labels(folder).table["image_id"]
        assert ids.str.match(r"image-\d").all()
        assert not re.search(r"(image|patient)-\d", page)
        assert str(cache) not in page
    assert "broken" not in pages["odd"]  # a skipped image is counted, not named
    assert re.search(r"Skipped images</dt><dd>1</dd>", pages["odd"])
    assert "2 images: the rescale slope is 0, missing or no number; 1 is taken." in pages["odd"]
    assert "odd&lt;b&gt;.dcm" not in pages["odd"]


def test_hostile_names_stay_text(pages):
    page = pages["odd"]
    assert "<img" not in page.replace("'<img", "").replace('"<img', "") or "<img src=x" not in page
    assert "<img src=x" not in page
    assert "<b>mass" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in prose(page)
    assert "胸腔积液" in page


def test_one_run_says_what_it_cannot_carry(pages):
    text = prose(pages["odd"])
    assert "One run: the bounds are over patients only" in text
    assert "Cannot tell: this needs two runs" in text
    assert "Never seen" in text


def test_a_study_that_has_only_begun_says_what_is_missing(pages):
    text = prose(pages["started"])
    assert "Not in this report" in text
    assert "no prediction is finished yet" in text
    assert "0 of 8 (run, sparsity) cells" in text
    assert "Provenance" in text


@pytest.fixture
def copy(cache, tmp_path, monkeypatch):
    """The toy study where it may be damaged."""
    shutil.copytree(cache / "studies", tmp_path / "studies")
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path))
    return store.find_study("toy")


def test_without_pies_the_rest_is_there(copy):
    shutil.rmtree(copy / "ensemble")
    text = prose(report_html(Study(copy)))
    assert "PIEs: " in text
    assert "no ensemble at sparsity" in text
    assert "Rare classes are forgotten at lower sparsity" in text


def test_the_dense_model_alone_and_a_damaged_prediction_are_told(copy):
    paths.prediction_path(copy, 0, 0.9).write_bytes(b"damaged")
    text = prose(report_html(Study(copy)))
    assert "Safe sparsity: " in text
    assert "damaged" in text
    metrics = store.read_class_metrics(copy)
    store.write_table(metrics[metrics["sparsity"] == 0], paths.class_metrics_path(copy))
    assert "dense and pruned are not both finished" in prose(report_html(Study(copy)))


def test_a_study_without_labels_still_says_what_it_is(copy):
    paths.labels_path(copy).unlink()
    text = prose(report_html(Study(copy)))
    assert "Labels: " in text
    assert "Settings" in text


def test_claims_are_those_of_the_table_in_both_readings(pages):
    folder = store.find_study("toy")
    table = evidence.claims(Study(folder))
    text = html.unescape(prose(pages["toy"]))
    for row in table.itertuples():
        assert row.sentence in text
    found = readings.of_claims(table, PUBLISHED["nih-cxr-lt"])
    assert [one.claim for one in found] == [HEADINGS[name] for name in table["claim"].unique()]
    assert found[0].published == ("r = 0.64, rho = 0.61.",)
    assert readings.of_claims(table, {})[0].published == ()
    for one in found:
        assert len(one.paper) == len(one.corrected) == 1


def test_overview_and_report_say_the_same_with_the_same_verdicts(pages):
    """First forgotten, rarity, and every claim, those about PIEs included."""
    study = Study(store.find_study("toy"))
    text = html.unescape(prose(pages["toy"]))
    claims = results.table(study, "claims")
    summary = results.table(study, "class_summary", metric=PRIMARY)
    n_runs = decay.complete_runs(study.class_metrics)
    found = first_forgotten(summary, n_runs, decay.pruned_sparsities(study.class_metrics))
    for line in (
        first_sentences.headline(found),
        first_sentences.details(found),
        *claim_sentences.rarity(claims),
    ):
        assert line in text
    _, rows = claim_sentences.claims_told(claims)
    assert {row[0] for row in rows} >= {
        HEADINGS[name] for name in ("pies~rare", "pies~image_quality")
    }
    for row in rows:
        for cell in row:
            assert cell in text, cell
    changes = results.table(study, "class_summary")
    for row in changes.itertuples():
        assert f'<td class="number">{words.signed(row.relative_ap_change_at_95)}</td>' in text


def test_xrays_leave_only_when_asked_for_without_ids_and_logged(copy, cache):
    study = Study(copy)
    assert "<img" not in prose(report_html(study))
    taken = []

    def xray(image_id: str) -> bytes:
        taken.append(image_id)
        return b"a picture"

    text = prose(report_html(study, xrays=xray))
    assert text.count("<img") == len(taken) == min(MOST, 10)
    assert "data:image/png;base64,YSBwaWN0dXJl" in text
    assert not any(image_id in text for image_id in taken)
    none = prose(report_html(study, xrays=xrays_of(study, "someone@example.org")))
    assert "X-rays of PIEs: none of their X-rays can be read." in html.unescape(none)
    assert audit.audit_path().read_text().count("someone@example.org") == len(taken)


def test_the_citation_is_that_of_the_file_that_comes_with_the_source(pages):
    said = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert said["title"] == citation.TITLE
    (paper,) = said["references"]
    assert paper["title"] in citation.PAPER
    assert paper["doi"] in citation.PAPER
    assert f"{paper['start']}-{paper['end']}" in citation.PAPER
    for author in paper["authors"]:
        initials = "".join(name[0] for name in author["given-names"].split())
        assert f"{author['family-names']} {initials}" in citation.PAPER
    assert citation.PAPER in html.unescape(prose(pages["toy"]))


def test_on_paper_nothing_is_cut_off_or_dark_and_tables_say_their_columns_on_each_page(
    browser, pages, tmp_path
):
    path: Path = tmp_path / "report.html"
    path.write_text(pages["toy"], encoding="utf-8")
    context = browser.new_context(color_scheme="dark", viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.goto(path.as_uri(), timeout=PATIENCE)
    page.wait_for_selector(".js-plotly-plot .main-svg")
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size({"width": 688, "height": 1000})  # between the margins of A4
    beyond = (
        "Math.max(...[...document.querySelectorAll('table, .main-svg')]"
        ".map(one => one.getBoundingClientRect().right - innerWidth))"
    )
    until(lambda: page.evaluate(beyond) <= 1, told=lambda: page.evaluate(beyond))
    style = "getComputedStyle(document.querySelector('{}')).{}"
    assert page.evaluate(style.format("body", "backgroundColor")) == "rgb(255, 255, 255)"
    assert page.evaluate(style.format("thead", "display")) == "table-header-group"
    ink = page.evaluate(style.format(".xtick text", "fill"))
    assert contrast(ink, "#ffffff") > 7
    context.close()


def test_figures_and_tables_have_numbers(pages):
    text = prose(pages["toy"])
    n_figures = text.count('<figure class="drawn">')
    assert [int(n) for n in re.findall(r"Figure (\d+)\.", text)] == list(range(1, n_figures + 1))
    assert "Table 1." in text


@pytest.mark.parametrize(
    ("value", "expected"), [(-0.123, "\u22120.12"), (-0.001, "0.00"), (np.nan, "\u2013")]
)
def test_numbers_have_a_proper_minus_and_no_negative_zero(value, expected):
    assert words.number(value) == expected


def test_refusals_are_sentences_and_write_nothing(tmp_path):
    with pytest.raises(InputError, match=r"a\.pdf does not end in \.html"):
        write_report("toy", tmp_path / "a.pdf")
    with pytest.raises(InputError, match="no study called 'toys'"):
        write_report("toys", tmp_path / "a.html")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="Cannot write"):
        write_report("toy", tmp_path / "file" / "a.html")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(("name", "scheme"), [("toy", "light"), ("odd", "dark")])
def test_in_a_browser_without_network_charts_draw_and_nothing_is_asked(
    browser, pages, tmp_path, name, scheme
):
    path: Path = tmp_path / "report.html"
    path.write_text(pages[name], encoding="utf-8")
    found, asked = [], []
    context = browser.new_context(
        offline=True, color_scheme=scheme, viewport={"width": 420, "height": 900}
    )
    page = context.new_page()
    page.on("console", lambda message: message.type == "error" and found.append(message.text))
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("dialog", lambda dialog: found.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri(), timeout=PATIENCE)
    page.wait_for_selector(".js-plotly-plot .main-svg")
    n_charts = page.locator(".js-plotly-plot").count()
    assert n_charts == page.locator("figure.drawn").count() >= 5
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    context.close()
    assert found == []
    assert asked == [path.as_uri()]
