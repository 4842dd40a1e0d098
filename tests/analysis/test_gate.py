"""The gate of what may be claimed: studies of known truth through the real commands. No corrected
verdict where nothing differs, none of the wrong sign where frequent classes lose more, and a strong
relation is found. `python -m tests.gate` prints the rates.
"""

from __future__ import annotations

from functools import cache

import pandas as pd
import pytest

from tests.gate import DECIDED, all_claims, most, rates
from tests.simulated_studies import Design, Kind

# How many studies, and how many false verdicts are too many: what a product that is wrong in
# 5 % of studies would exceed in one of some thousand runs of these tests.
FEW = pytest.param(10, id="few")
MANY = pytest.param(40, id="many", marks=pytest.mark.slow)
sizes = pytest.mark.parametrize("n", [FEW, MANY])
ACCEPTED = 0.05
CHANCE = 1e-4  # per claim, of which there are under ten
# What would be wrong to say where frequent classes lose more, and sooner.
WRONG = {
    "frequency~first_drop": "as claimed",
    "frequency~change_at_95": "as claimed",
    "frequency~fcd": "opposite",
    "cooccurrence~fcd": "as claimed",
    "tail_loses_more_than_head": "as claimed",
}


@cache
def rates_of(kind: Kind, n: int, seed: int) -> pd.DataFrame:
    return rates(all_claims(Design(kind=kind), range(seed, seed + n))).set_index(
        ["claim", "reading", "verdict"]
    )


def corrected(table: pd.DataFrame) -> pd.DataFrame:
    return table[table.index.get_level_values("reading") == "corrected"]


@sizes
def test_nothing_is_found_where_all_classes_are_forgotten_alike(n):
    table = corrected(rates_of("null", n, 0))
    decided = table[table.index.get_level_values("verdict").isin(DECIDED)]
    false = decided["n"].groupby("claim", sort=False).sum()
    assert len(false) == 9
    assert (false <= most(ACCEPTED, n, CHANCE)).all(), false


@sizes
def test_nothing_of_the_wrong_sign_where_frequent_classes_lose_more(n):
    table = corrected(rates_of("frequent-first", n, 1000))
    wrong = pd.Series(
        {claim: table.loc[(claim, "corrected", verdict), "n"] for claim, verdict in WRONG.items()}
    )
    assert (wrong <= most(ACCEPTED / 2, n, CHANCE)).all(), wrong


@pytest.mark.slow
def test_a_true_correlation_of_077_between_frequency_and_onset_is_found():
    table = rates_of("onset", 100, 2000)
    assert table.loc[("frequency~first_drop", "corrected", "as claimed"), "rate"] >= 0.75
    assert table.loc[("frequency~first_drop", "corrected", "opposite"), "n"] == 0
