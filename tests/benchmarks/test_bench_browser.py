"""The browser's benchmark has X-rays to show, leaves nothing behind, and says what it needs."""

import sys

import pytest

from benchmarks.browser import BrowserBench, BrowserStudy, browser_study
from core.errors import InputError
from core.pictures.images import read_grey
from core.study import store

SMALL = BrowserStudy(runs=1, sparsities=2, images=30, classes=3)


def say_nothing(line):
    pass


def test_every_test_image_can_be_read_and_all_goes_at_the_end(tmp_path):
    with browser_study(SMALL, tmp_path, False, say_nothing) as folder:
        images = store.read_config(folder).dataset.images
        shown = [
            read_grey(images / path) for path in store.read_labels(folder).split("test")["path"]
        ]
        assert len(shown) == 30
        assert all(grey.std() > 20 for grey in shown)
    assert list(tmp_path.iterdir()) == []


def test_what_is_kept_is_found_again_and_stays(tmp_path):
    with browser_study(SMALL, tmp_path, True, say_nothing) as folder:
        pass
    with browser_study(SMALL, tmp_path, False, say_nothing) as again:
        assert again == folder
    assert folder.is_dir()


def test_without_playwright_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with (
        browser_study(SMALL, tmp_path, False, say_nothing) as folder,
        pytest.raises(InputError, match=r"pip install -r requirements-dev\.txt"),
    ):
        BrowserBench(2)(folder, say_nothing)
