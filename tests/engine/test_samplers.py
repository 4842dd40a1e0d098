"""Samplers: what a pass over the training images shows."""

import numpy as np
import pytest
import torch

from core.engine.samplers import SAMPLERS, uniform

TARGETS = np.array([[1, 0], [0, np.nan], [0, 1], [0, 0], [1, 1]], dtype=np.float32)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_uniform_pass_shows_every_image_once():
    assert sorted(uniform(TARGETS, seeded(0))) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("order_of", SAMPLERS.values(), ids=SAMPLERS)
def test_a_pass_is_as_long_as_the_data_and_follows_from_the_seed(order_of):
    orders = [list(order_of(TARGETS, seeded(seed))) for seed in (3, 3, 4, 5, 6)]
    assert orders[0] == orders[1]
    assert len({tuple(order) for order in orders}) > 1
    assert {len(order) for order in orders} == {len(TARGETS)}
