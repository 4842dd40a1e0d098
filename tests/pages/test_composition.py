"""The PIE browser says whether PIEs are richer in wrong labels, and measures images when asked."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from core.pictures import quality
from core.study import store
from core.study.labels import Labels
from tests.toys import write_toy_study


def page():
    from dataclasses import replace

    from core import ui
    from core.ui.pie_browser.composition import show_quality_and_noise

    show_quality_and_noise(replace(ui.open_study(), sparsity=0.9))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    return write_toy_study(n_images=200)


def opened() -> AppTest:
    at = AppTest.from_function(page, default_timeout=90)
    at.query_params["study"] = "toy"
    at.run()
    assert not at.exception, at.exception
    return at


def texts(at: AppTest) -> str:
    shown = "\n".join(element.value for element in [*at.markdown, *at.caption])
    return shown.replace("\\", "")  # what keeps Markdown from taking names for markup


def test_images_are_measured_on_a_button_and_kept(folder):
    at = opened()
    assert "100 test images" in texts(at)
    assert "wrong label" not in texts(at)  # this study does not know which are wrong
    (button,) = (b for b in at.button if b.label == "Measure the images")
    button.click().run()
    assert not at.exception, at.exception
    assert "n = 5 PIEs, 95 other images" in texts(at)
    assert len(quality.kept_quality(folder)) == 100
    again = opened()
    assert "n = 5 PIEs, 95 other images" in texts(again)


def test_label_noise_is_said_with_its_n_where_it_is_known(folder):
    labels = store.read_labels(folder)
    rows = labels.table.assign(wrong_labels="")
    rows.loc[rows.index[::4], "wrong_labels"] = "Nodule"
    store.write_labels(Labels(rows, labels.class_names), folder)
    said = texts(opened())
    assert "of 5 PIEs" in said
    assert "of 95 other images" in said
