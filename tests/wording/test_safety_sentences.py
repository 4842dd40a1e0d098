"""Of a coarse grid no sparsity is called safe, or the first, that was not tried."""

import pytest

from core.analysis.safe_sparsity import ALL, UNSAFE, ClassBreak, SafeAnswer, SafeSparsity
from core.wording.safety_sentences import safe_headline


def told(tried: tuple[float, ...], breaks_at: float | None, safe_up_to: float | None) -> str:
    first = breaks_at and ClassBreak("Mass", breaks_at, UNSAFE, -0.3, -0.4, None, *[False] * 3)
    answer = SafeAnswer(
        ALL, 2, (), (), (), safe_up_to, first or None, None, tried[-1], 3, tried[0], 0.1, tried
    )
    return safe_headline(answer, SafeSparsity()).partition("to tell")[2]


KEEPS = " keeps 90 % of its Somers\u2019 D"
NO_LONGER = "Mass no longer keeps 90 % of its Somers\u2019 D."


@pytest.mark.parametrize(
    ("tried", "breaks_at", "safe_up_to", "expected"),
    [
        ((0.05, 0.1), 0.05, None, f": already at 5 % {NO_LONGER}"),
        ((0.5, 0.7), 0.5, None, f": at 50 %, the lowest sparsity tried, {NO_LONGER}"),
        ((0.05, 0.1), 0.1, 0.05, f"{KEEPS} up to 5 % sparsity; Mass breaks first, at 10 %."),
        (
            (0.05, 0.1, 0.5),
            0.5,
            0.1,
            f"{KEEPS} up to 10 % sparsity; Mass breaks first, by 50 % (between 10 and 50 % nothing "
            "was tried).",
        ),
        (
            (0.5, 0.6),
            0.6,
            0.5,
            f"{KEEPS} at every sparsity tried up to 50 %; Mass breaks first, at 60 %.",
        ),
        ((0.5,), None, 0.5, f"{KEEPS} at every sparsity tried up to 50 %, the end of the grid."),
        ((0.1, 0.2), None, 0.2, f"{KEEPS} up to 20 % sparsity, the end of the grid."),
    ],
)
def test_the_answer_says_what_was_tried(tried, breaks_at, safe_up_to, expected):
    assert told(tried, breaks_at, safe_up_to) == expected
