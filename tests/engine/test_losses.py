"""Losses, on labels whose loss can be worked out on paper."""

import numpy as np
import pytest
import torch

from core.engine.losses import LOSSES, bce


def test_binary_cross_entropy_of_an_undecided_network_is_log_2_a_label():
    loss, n = bce(torch.zeros(3, 2), torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]]))
    assert (loss.item(), n) == (pytest.approx(6 * np.log(2)), 6)


@pytest.mark.parametrize("loss_of", LOSSES.values(), ids=LOSSES)
def test_uncertain_labels_carry_no_loss(loss_of):
    certain, _ = loss_of(torch.tensor([[0.0]]), torch.tensor([[1.0]]))
    loss, n = loss_of(torch.tensor([[0.0, 50.0]]), torch.tensor([[1.0, torch.nan]]))
    assert (loss.item(), n) == (pytest.approx(certain.item()), 1)
