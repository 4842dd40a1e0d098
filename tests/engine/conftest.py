"""Toy networks are faster on one thread, and steadier on a busy machine."""

import pytest


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    import torch

    torch.set_num_threads(1)
