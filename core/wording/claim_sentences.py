"""What each of the paper's claims comes to in a study, in one sentence with its numbers."""

from __future__ import annotations

from core.analysis import claims
from core.analysis.claims import Claim
from core.wording import words
from core.wording.claims import signed

HEADINGS = {
    claims.FIRST_DROP: "Rare classes are forgotten at lower sparsity",
    claims.CHANGE: "Rare classes lose more at 95 % sparsity",
    claims.TAIL: "Tail classes lose more than head classes",
    claims.FREQUENCY: "Classes of different frequency are forgotten differently",
    claims.TOGETHER: "Classes that occur together are forgotten alike",
    claims.RARE: "PIEs hold more rare findings",
    claims.MANY: "PIEs hold more findings each",
    claims.NOISE: "PIEs hold more wrong labels",
    claims.QUALITY: "PIEs are worse images",
}
VERDICTS = {
    claims.AS_CLAIMED: "As claimed",
    claims.OPPOSITE: "The opposite of what is claimed",
    claims.NOT_SHOWN: "Not shown",
    claims.CANNOT_TELL: "Cannot be told here",
}
UNITS = {
    "frequency~fcd": "pair",
    "cooccurrence~fcd": "pair",
    "pies~rare": "image",
    "pies~many_findings": "image",
    "pies~label_noise": "image",
    "pies~image_quality": "image",
}


def sentence(one: Claim) -> str:
    """Verdict, estimate, interval, the null it was held against, and n."""
    verdict = VERDICTS[one.verdict]
    if one.reason:
        verdict = f"{verdict}: {one.reason}"
    if not _known(one.estimate):
        return f"{verdict}."
    n = words.count(one.n, UNITS.get(one.claim, "class"))
    if one.claim == claims.TOGETHER and one.reading == claims.CORRECTED:
        return (
            f"{verdict}. r = {words.number(one.estimate)} over {n}; noise and class differences "
            f"alone give {_range(one.detail['null_low'], one.detail['null_high'])} in 95 % of "
            "cases."
        )
    return f"{verdict}: {_estimate(one)} (95 % interval {_interval(one)}; {_null(one)}; {n})."


def _estimate(one: Claim) -> str:
    if one.reading == claims.PAPER:
        return f"{_paper_name(one)} = {_value(one, one.estimate)}"
    if one.claim == claims.FIRST_DROP:
        later = "later" if one.estimate >= 0 else "earlier"
        points = words.number(abs(one.estimate) * 100, 1)
        return f"a class ten times as frequent is forgotten {points} points of sparsity {later}"
    if one.claim == claims.CHANGE:
        less = "less" if one.estimate >= 0 else "more"
        return (
            f"a class ten times as frequent loses {words.percent(abs(one.estimate), 1)} {less} of "
            "its dense Somers\u2019 D"
        )
    if one.claim == claims.TAIL:
        return f"tail minus head is {_value(one, one.estimate)} of dense Somers\u2019 D"
    if one.claim == claims.FREQUENCY:
        return (
            f"squared FCD changes by {_value(one, one.estimate)} per tenfold difference in "
            f"frequency; {words.count(int(one.detail['n_different']), 'pair')} told apart"
        )
    if one.null == 1:
        return (
            f"{_value(one, one.detail['pruned'])} times as often as in other images, "
            f"{_value(one, one.estimate)} times what retraining alone gives"
        )
    return f"{one.statistic} {_value(one, one.estimate)}"


def _paper_name(one: Claim) -> str:
    return {"Pearson r": "r"}.get(one.statistic, one.statistic)


def _interval(one: Claim) -> str:
    return _range(_value(one, one.ci_low), _value(one, one.ci_high))


def _range(low: float | str, high: float | str) -> str:
    low, high = (v if isinstance(v, str) else words.number(v) for v in (low, high))
    return f"{low} to {high}"


def _null(one: Claim) -> str:
    return f"no effect is {words.number(one.null, 0)}"


def _value(one: Claim, value: float) -> str:
    """In the unit of the estimate: percent of dense, points of sparsity, or a plain number."""
    if one.claim == claims.FIRST_DROP and one.reading == claims.CORRECTED:
        return f"{words.number(value * 100, 1)} points"
    if one.claim == claims.TAIL or (one.claim == claims.CHANGE and one.reading == claims.CORRECTED):
        return signed(value, 1)
    if one.claim == claims.FREQUENCY and one.reading == claims.CORRECTED:
        return words.number(value, 4)
    return words.number(value)


def _known(value: float) -> bool:
    return value == value
