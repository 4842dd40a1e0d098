"""What a reader study is told to have found, and how large it has to be."""

import pandas as pd
import pytest

from core.analysis.reader import READER_RESULTS
from core.analysis.reader_power import ReaderPower
from core.reader_study import words


def found(q: float, effect: float = 0.5, generalises: bool = True) -> pd.DataFrame:
    row = dict.fromkeys(READER_RESULTS, 1.0)
    row |= {"question": "image_quality", "q_value": q, "mixed_effect": effect}
    row |= {"mixed_ci_low": effect - 0.4, "mixed_ci_high": effect + 0.4}
    return pd.DataFrame([row | {"generalises": generalises}])


def test_a_difference_is_told_with_its_side_its_interval_and_of_whom_it_holds():
    assert words.answer(found(0.01)) == (
        "PIEs differ from other X-rays: image quality 0.50 higher (95 % 0.10 to 0.90); it holds "
        "for other readers too."
    )
    told = words.answer(found(0.01, -0.5, generalises=False))
    assert "0.50 lower" in told
    assert told.endswith("it holds for these readers only.")


def test_no_difference_shown_is_not_told_as_none():
    assert words.answer(found(0.2)).startswith(
        "No difference between PIEs and other X-rays is shown"
    )
    assert "how large one may still be" in words.answer(found(0.2))
    assert words.answer(found(float("nan"))) == ""


@pytest.mark.parametrize(("n_readers", "whom"), [(3, " (of these readers)"), (6, "")])
def test_the_size_of_a_study_is_told_with_its_interval(n_readers, whom):
    (row,) = ReaderPower(studies=100)((n_readers,), (20,)).to_dict("records")
    told = words.power(row, 0.5)
    assert told.startswith(f"With {n_readers} readers and 20 + 20 images")
    assert f"a difference of 0.5 points{whom} is found in" in told
    table = words.power_table(ReaderPower(studies=50)((4, 8), (10, 20)))
    assert list(table.columns) == ["Readers", "10 + 10 images", "20 + 20 images"]
