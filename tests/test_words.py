"""The words on the pages."""

import os

import pytest

from core.wording import words
from tests.pages.test_pages import report


def test_a_running_report_of_a_silent_process_is_an_interruption():
    now = 1_800_000_000.0
    mine = os.getpid()
    assert words.standing(report(updated=now - 1, pid=2**22 + 1), now) == "running"
    assert words.standing(report(updated=now - 30, pid=mine), now) == "running"
    assert words.standing(report(updated=now - 30, pid=2**22 + 1), now) == "interrupted"
    assert words.standing(report(updated=now - 601, pid=mine), now) == "interrupted"
    assert words.standing(report(updated=now - 999, state="finished"), now) == "finished"


@pytest.mark.parametrize(
    ("share", "text"), [(0.57, "57 %"), (0.042, "4.2 %"), (0.0018, "0.18 %"), (0, "0 %")]
)
def test_a_frequency_has_the_digits_it_needs(share, text):
    assert words.frequency(share) == text


def test_a_change_is_told_as_what_happened():
    assert words.loss(-0.804, "ap") == "loses 80 % of its AP"
    assert words.loss(0.05, "auroc") == "gains 5 % of its AUROC"
    assert words.loss(float("nan"), "ap") == "has no AP"


def test_progress_says_stage_count_and_time_left():
    text = words.progress(report())
    assert text.startswith("training run 1, stage 1 of 4: 50 of 100 images, about 10 s left")
