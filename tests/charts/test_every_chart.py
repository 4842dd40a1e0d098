"""What holds of every chart: it can be read, it says what it names and in which unit, and nothing
covers anything."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser

from core.charts import Chart, parts
from core.charts.labels import GAP, LETTER, NARROWEST
from core.charts.whiskers import CAPTION
from core.reporting.page import environment, shown_chart
from core.study.study import Study
from tests.charts.contrast import contrast
from tests.charts.gallery import drawing_functions, every_chart, write_gallery_study
from tests.waiting import until

LEAST_CONTRAST, LEAST_LETTERS = 4.5, 12
# WCAG 2.2, 1.4.11: what is needed to understand a graphic.
LEAST_GRAPHIC = 3.0
# Charts whose colours are not those of groups of classes.
OF_NO_GROUP = (
    "mean_ap_chart", "z_chart", "quality_chart", "label_noise_chart", "finding_count_chart",
    "question_chart", "pair_scatter", "frequency_and_distance", "cooccurrence_and_distance",
    "safety_chart", "evidence_heatmap", "fcd_heatmap", "iou_heatmap", "frequency_heatmap",
)  # fmt: skip
NAMES_NO_CLASS = ("mean_ap_chart", "z_chart", "question_chart")


@pytest.fixture(scope="module")
def charts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Chart]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield every_chart(Study(write_gallery_study()))


def within(part: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a figure behind its path."""
    if isinstance(part, dict):
        for key, value in part.items():
            yield from within(value, f"{path}.{key}")
    elif isinstance(part, list):
        for value in part:
            yield from within(value, path)
    else:
        yield path, part


def test_the_gallery_has_every_chart(charts):
    assert {name.split()[0] for name in charts} == set(drawing_functions())


@pytest.mark.parametrize(
    ("name", "title"),
    [("z_chart", "z of PIEs"), ("quality_chart", "Sharpness"), ("label_noise_chart", "Noise")],
)
def test_a_chart_has_the_title_that_it_is_given(charts, name, title):
    assert charts[name].title == title


def test_letters_are_large_enough_and_in_the_ink_of_the_page(charts):
    """A colour of its own could be read in one of the two themes at most."""
    for name, chart in charts.items():
        layout = json.loads(chart.figure.to_json())["layout"]
        values = list(within({key: part for key, part in layout.items() if key != "template"}))
        sizes = [value for path, value in values if path.endswith("font.size")]
        assert sizes, name
        assert min(sizes) >= LEAST_LETTERS, name
        assert not [path for path, _ in values if path.endswith("font.color")], name


def test_lines_and_points_stand_out_from_both_grounds():
    for colour in (*parts.GROUP_COLOURS.values(), parts.OTHER):
        for ground in ("#ffffff", "#101317"):
            assert contrast(colour, ground) >= LEAST_GRAPHIC, (colour, ground)


def test_a_colour_of_a_group_is_that_of_classes_alone(charts):
    for name, chart in charts.items():
        if name.split()[0] in OF_NO_GROUP:
            assert chart.groups == frozenset(), name
        else:
            assert chart.groups, name
    assert charts["frequency_chart"].groups == {"head", "medium"}, "no class of it is tail"


def test_no_legend_names_what_is_not_drawn(charts):
    """A mark that stands for other traces has no point of its own, but these are there."""
    for name, chart in charts.items():
        for trace in chart.figure.data:
            if chart.figure.layout.showlegend and trace.showlegend is not False and trace.name:
                said = [t for t in chart.figure.data if trace.name in json.dumps(t.hovertemplate)]
                drawn = [v for v in trace.x if v is not None]
                assert drawn or said, (name, trace.name)


def test_names_at_the_ends_of_curves_stay_beside_the_plot(charts):
    for name in ("class_curves_chart", "class_curves_chart as measured", "pair_curves_chart"):
        layout = charts[name].figure.layout
        low, high = layout.yaxis.range
        height = layout.height - layout.margin.t - 58
        boxes = []
        for one in layout.annotations:
            half = 8 * (1 + one.text.count("<br>"))
            middle = (high - one.y) / (high - low) * height - one.yshift
            assert half - 1 <= middle <= height - half + 1, (name, one.text)
            boxes.append((middle - half, middle + half))
        boxes.sort()
        for (_, bottom), (top, _) in pairwise(boxes):
            assert bottom <= top + 0.01, name


def test_names_beside_points_cover_no_point(charts):
    for name in ("first_drop_scatter", "change_scatter"):
        layout, points = charts[name].figure.layout, charts[name].figure.data[0]
        height = layout.height - layout.margin.t - 58
        (left, right), (low, high) = layout.xaxis.range, layout.yaxis.range
        x = (np.log10(points.x) - left) / (right - left) * NARROWEST
        y = (high - np.array(points.y)) / (high - low) * height
        assert layout.annotations, name
        for one in layout.annotations:
            width, at = LETTER * len(one.text), (one.x - left) / (right - left) * NARROWEST
            begin = {"left": at + GAP, "right": at - GAP - width, "center": at - width / 2}
            up = (high - one.y) / (high - low) * height - (one.yshift or 0)
            top = {"middle": up - 8, "bottom": up - 16, "top": up}[one.yanchor]
            covered = (x > begin[one.xanchor]) & (x < begin[one.xanchor] + width)
            assert not (covered & (y > top) & (y < top + 16)).any(), (name, one.text)


def test_a_logarithmic_axis_has_ticks_that_are_read_without_a_power_of_ten(charts):
    seen = 0
    for name, chart in charts.items():
        axis = chart.figure.layout.xaxis
        if axis.type == "log":
            seen += 1
            low, high = axis.range
            shown = [text for at, text in zip(axis.tickvals, axis.ticktext, strict=True)
                     if low <= np.log10(at) <= high]  # fmt: skip
            assert len(shown) >= 3, (name, shown)
    assert seen >= 4


def test_a_whisker_beyond_the_axis_ends_in_an_arrow_that_says_how_far_it_goes(charts):
    """Hernia, which is not judged, has an interval wider than all that the others lost."""
    chart = charts["changes_chart"]
    low, high = chart.figure.layout.xaxis.range
    (arrow,) = [
        t for t in chart.figure.data if t.type == "scatter" and t.marker.symbol == "triangle-left"
    ]
    assert re.fullmatch(r"Hernia<br>95 % interval \u2212\d+ % to .*", arrow.text[0])
    assert float(re.search(r"\u2212(\d+)", arrow.text[0])[1]) > -low
    assert CAPTION in chart.caption
    for one in charts.values():
        for trace in one.figure.data:
            ends = getattr(trace, "error_x", None)
            if ends is None or ends.arrayminus is None or not one.figure.layout.xaxis.range:
                continue
            lowest = np.array(trace.x, float) - np.array(ends.arrayminus, float)
            limit = np.array(one.figure.layout.xaxis.range, float)
            limit = 10**limit if one.figure.layout.xaxis.type == "log" else limit
            assert np.nanmin(lowest) >= limit[0] - 1e-6
    assert (low, high) == pytest.approx((-90, 2.4), abs=15)


PAGE = """<!doctype html><meta charset="utf-8"><style>{% include 'report.css' %}</style>
{% for chart in charts %}{{ chart.html }}{% endfor %}
<script>{% include 'report.js' %}</script>"""
HOVERS = """
async () => {
  const found = [];
  for (const chart of document.querySelectorAll(".js-plotly-plot")) {
    for (const [curve, trace] of chart._fullData.entries()) {
      if (trace.hoverinfo === "skip" || trace.type === "heatmap") continue;
      const length = (trace.x ?? []).length;
      for (const point of new Set([0, Math.floor(length / 2), length - 1])) {
        if (trace.x?.[point] == null || trace.y?.[point] == null) continue;
        const axis = trace.xaxis && trace.xaxis !== "x" ? trace.xaxis + trace.yaxis : undefined;
        Plotly.Fx.hover(chart, [{ curveNumber: curve, pointNumber: point }], axis);
        const said = [...chart.querySelectorAll(".hoverlayer text")].map(one => one.textContent);
        found.push([chart.id, curve, point, said.join(" ")]);
        Plotly.Fx.unhover(chart);
      }
    }
  }
  return found;
}
"""
INKS = """
() => [...document.querySelectorAll(".js-plotly-plot")].flatMap(chart =>
  [...chart.querySelectorAll(".cartesianlayer text, .infolayer text")]
    .filter(text => text.textContent.trim())
    .map(text => [chart.id, text.textContent, getComputedStyle(text).fill,
      parseFloat(getComputedStyle(text).fontSize),
      getComputedStyle(document.body).backgroundColor]))
"""


@pytest.fixture(scope="module")
def drawn(charts, browser: Browser, tmp_path_factory: pytest.TempPathFactory):
    """The gallery as the report draws charts."""
    shown = [shown_chart(chart, at, "") for at, chart in enumerate(charts.values())]
    path: Path = tmp_path_factory.mktemp("page") / "gallery.html"
    path.write_text(environment().from_string(PAGE).render(charts=shown), encoding="utf-8")
    page = browser.new_context(offline=True, color_scheme="dark").new_page()
    page.goto(path.as_uri(), timeout=180_000)
    page.wait_for_selector(f"#chart-{len(shown) - 1} .main-svg")
    yield page
    page.context.close()


def test_what_is_said_under_the_pointer_names_the_point_with_one_unit(charts, drawn):
    names = list(charts)
    found = drawn.evaluate(HOVERS)
    assert {names[int(one[0].split("-")[1])] for one in found} == set(names)
    for chart, curve, point, said in found:
        name = names[int(chart.split("-")[1])]
        assert said.strip(), (name, curve, point)
        assert "% %" not in said, said
        assert not re.search(r"(?<![\w/])-\d", said), f"a hyphen for a minus in {said}"
        assert "undefined" not in said, said
        assert "%{" not in said, said
        if name.split()[0] not in NAMES_NO_CLASS:
            assert re.search(r"[A-Z][a-z]{3}|finding|[Ii]mages", said), (name, said)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_letter_stands_out_from_its_ground(drawn, scheme):
    drawn.emulate_media(color_scheme=scheme)

    def faint() -> list[tuple]:
        return [one for one in drawn.evaluate(INKS) if contrast(one[2], one[4]) < LEAST_CONTRAST]

    until(lambda: not faint(), told=faint)  # the letters are painted again a while later
    found = drawn.evaluate(INKS)
    assert len(found) > 200
    assert all(size >= LEAST_LETTERS for _, _, _, size, _ in found)
