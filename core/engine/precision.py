"""Which arithmetic this machine has: bf16 halves the time where it is built in, and multiplies it
where it is imitated."""

from __future__ import annotations

import torch

from core.engine.checkpoints import device

# As torch.cpu.get_capabilities names them, of x86 and of ARM.
INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "avx10_2", "bf16", "sve_bf16")


def native_bf16() -> bool:
    """Whether the device that predicts computes in bf16 itself."""
    if device().type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    found = torch.cpu.get_capabilities()
    return any(found.get(name, False) for name in INSTRUCTIONS)
