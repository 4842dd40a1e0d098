"""A verdict is an interval against a null; each claim is there in both readings, with its words."""

import numpy as np
import pytest

from core.analysis import claims
from core.analysis.claims import Claim, fisher_interval
from core.results import evidence
from core.study import store
from core.study.study import Study
from core.wording import words
from core.wording.claim_sentences import HEADINGS, VERDICTS, sentence
from tests.toys import write_toy_study

NAMES = {
    "frequency~first_drop", "frequency~change_at_95", "tail_loses_more_than_head",
    "frequency~fcd", "cooccurrence~fcd",
}  # fmt: skip


def claim(low: float, high: float, name: str = claims.CHANGE, **columns) -> Claim:
    return Claim(
        **{
            "claim": name,
            "reading": claims.CORRECTED,
            "statistic": "slope",
            "estimate": (low + high) / 2,
            "ci_low": low,
            "ci_high": high,
            "p_value": 0.5,
            "n": 18,
        }
        | columns
    )


@pytest.mark.parametrize(
    ("one", "verdict"),
    [
        (claim(0.1, 0.3), "as claimed"),
        (claim(-0.3, -0.1), "opposite"),
        (claim(-0.1, 0.3), "not shown"),
        (claim(0.0, 0.3), "not shown"),
        (claim(-0.3, -0.1, claims.TAIL), "as claimed"),
        (claim(0.1, 0.3, claims.TAIL), "opposite"),
        (claim(1.1, 1.9, claims.RARE, null=1.0), "as claimed"),
        (claim(0.9, 1.9, claims.RARE, null=1.0), "not shown"),
        (claim(0.1, 0.3, beside=((-0.1, 0.2),)), "not shown"),
        (claim(0.1, 0.3, beside=((0.1, 0.2),)), "as claimed"),
        (claim(0.1, 0.3, beside=((np.nan, np.nan),)), "cannot tell"),
        (claim(0.1, 0.3, reason="too few"), "cannot tell"),
        (claim(np.nan, np.nan, estimate=0.2), "cannot tell"),
        (claim(-0.1, 0.3, p_value=0.001), "not shown"),
    ],
)
def test_the_verdict_is_the_interval_against_the_null(one, verdict):
    assert one.verdict == verdict


def test_fishers_interval_on_paper():
    """r = 0.5 of 28 points: tanh(0.549306 -+ 1.959964 / 5)."""
    expected = np.tanh([0.549306 - 0.391993, 0.549306 + 0.391993])
    assert fisher_interval(0.5, 28) == pytest.approx(tuple(expected), abs=1e-5)
    assert np.isnan(fisher_interval(0.5, 3)).all()
    assert np.isnan(fisher_interval(1.0, 20)).all()


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        write_toy_study(images=False)
        yield evidence.claims(Study(store.find_study("toy")))


def test_every_claim_is_there_in_both_readings(table):
    assert list(table.columns) == claims.CLAIMS.names
    readings = table.groupby("claim")["reading"].agg(list)
    assert set(readings.index) >= NAMES
    assert set(readings.index) <= set(HEADINGS)
    assert all(found == ["paper", "corrected"] for found in readings)
    assert set(table["verdict"]) <= set(VERDICTS)


def test_a_sentence_has_verdict_estimate_interval_null_and_n(table):
    for row in table.itertuples():
        assert row.sentence.startswith(VERDICTS[row.verdict])
        assert row.sentence.endswith(".")
        if row.verdict != "cannot tell":
            assert " % interval" in row.sentence
            assert "no effect" in row.sentence
            assert f"{row.n:,} " in row.sentence


@pytest.mark.parametrize("name", sorted(HEADINGS))
@pytest.mark.parametrize("reading", [claims.PAPER, claims.CORRECTED])
def test_the_sentence_of_every_claim_carries_its_numbers(name, reading):
    null = 1.0 if name in (claims.RARE, claims.MANY) else 0.0
    detail = {"pruned": 2.0, "n_different": 2, "null_low": -0.3, "null_high": 0.3}
    one = claim(null + 0.125, null + 0.375, name, reading=reading, null=null, detail=detail)
    said = sentence(one)
    assert said.startswith(VERDICTS[one.verdict])
    if name == claims.TOGETHER and reading == claims.CORRECTED:
        assert "0.25" in said
        assert "\u22120.30" in said
        return
    assert "95 % interval" in said
    assert f"no effect: {words.number(null, 0)}" in said
    assert "18 " in said
