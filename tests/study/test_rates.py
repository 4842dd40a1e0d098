"""How fast a stage goes, and when its end can be told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.study.progress import Report, steady_rate


def test_a_rate_leaves_out_what_was_found_done() -> None:
    ten_a_second = [(float(second), 10 * second) for second in range(5)]
    assert steady_rate(ten_a_second) == 10
    # A resumed sweep: 5,000 images pass in a millisecond, then 10 a second as before.
    resumed = [(0.0, 0), (0.001, 5000), (1.001, 5010), (2.001, 5020)]
    assert steady_rate(resumed) == pytest.approx(10)
    assert steady_rate([]) is None
    assert steady_rate([(0.0, 5), (3.0, 5)]) is None


def test_a_rate_counts_what_lies_between_the_steps() -> None:
    # Each second of pruning is followed by four fast steps of predictions, 20 images in 1.4 s.
    steps, now = [(0.0, 0)], 0.0
    for cell in range(10):
        for took, done in ((1.0, 20 * cell), *((0.1, 20 * cell + 5 * n) for n in range(1, 5))):
            now += took
            steps.append((now, done))
    assert steady_rate(steps) == pytest.approx(20 / 1.4, rel=0.15)


def test_no_time_left_is_told_of_a_stage_that_has_only_begun() -> None:
    begun = Report("running", "Training", 1, 4, 64, 64_000, "images", 0.0, 0.0, 1.0, 1, rate=40.0)
    assert begun.stage_seconds_left is None
    assert replace(begun, updated=6.0).stage_seconds_left == pytest.approx(63_936 / 40)
