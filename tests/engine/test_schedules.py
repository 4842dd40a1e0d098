"""Schedules: how the learning rate goes."""

import pytest

from core.engine.schedules import SCHEDULES, constant, one_cycle


def test_a_constant_rate_is_the_one_that_is_set():
    assert {constant(passed) for passed in (0, 0.3, 0.999)} == {1.0}


def test_one_cycle_rises_to_the_rate_that_is_set_and_falls_to_nothing():
    assert one_cycle(0) == pytest.approx(0.04)
    assert one_cycle(0.15) == pytest.approx(0.52)
    assert one_cycle(0.3) == 1
    assert one_cycle(0.65) == pytest.approx(0.5)
    assert one_cycle(1 - 1e-9) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_no_step_has_more_than_the_rate_that_is_set_or_less_than_none(schedule):
    assert all(0 <= schedule(step / 100) <= 1 for step in range(100))
