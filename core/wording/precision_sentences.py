"""What a precision costs on the machine that computes in it."""

from __future__ import annotations

# Times as long as fp32: 4.9 with only the AVX2 instructions (ResNet-50, 224 px, one core), 5.7 in
# `python -m benchmarks sweep` on a processor without AVX-512.
IMITATED_BF16 = 5
COSTS = (
    f"This machine only imitates bf16, which takes about {IMITATED_BF16} times as long as fp32 and "
    "saves nothing."
)


def cost(precision: str, native_bf16: bool) -> str:
    """A warning; empty where there is none."""
    return COSTS if precision == "bf16" and not native_bf16 else ""


def choice(asked: str, precision: str, native_bf16: bool) -> str:
    """What a choice, such as auto, comes to on this machine, and what it costs."""
    if warning := cost(precision, native_bf16):
        return warning
    if asked != "auto":
        return ""
    why = "has bf16 arithmetic" if native_bf16 else "has no bf16 arithmetic"
    return f"auto means {precision} here: this machine {why}."
