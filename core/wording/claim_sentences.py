"""What each of the paper's claims comes to in a study, in one sentence with its numbers."""

from __future__ import annotations

import pandas as pd

from core.analysis import claims, class_evidence
from core.analysis.claims import Claim
from core.analysis.class_evidence import ONE_RUN
from core.wording import words

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
UNITS = dict.fromkeys((claims.FREQUENCY, claims.TOGETHER), "pair")
UNITS |= dict.fromkeys((claims.RARE, claims.MANY, claims.NOISE, claims.QUALITY), "image")

AGAINST = {
    claims.FIRST_DROP: "Frequent classes are forgotten at lower sparsity",
    claims.CHANGE: "Frequent classes lose more at 95 % sparsity",
}
# What a ratio of frequencies counts, and what the corrected one is compared with.
CARRIED = {
    claims.RARE: "PIEs carry a tail class",
    claims.MANY: "PIEs have two findings or more",
    claims.NOISE: "PIEs carry a wrong label",
}
LIKE = {
    claims.RARE: "other images with as many findings",
    claims.MANY: "the losses of their classes give",
    claims.NOISE: "other images with as many findings",
}
BOTH_WAYS = "Rarity works both ways"
SUBJECT = "a class ten times as frequent"
# How an effect over classes is said, and what a rising and a falling one are called.
EFFECTS = {
    claims.FIRST_DROP: (
        f"{SUBJECT} is forgotten {{points}} points of sparsity {{which}}",
        ("later", "earlier"),
    ),
    claims.CHANGE: (
        f"{SUBJECT} loses {{points}} points {{which}} of its Somers\u2019 D at 95 % sparsity",
        ("less", "more"),
    ),
    claims.TAIL: (
        "a tail class loses {points} points {which} of its Somers\u2019 D at 95 % sparsity than a "
        "head class",
        ("less", "more"),
    ),
}
EFFECTS |= {
    class_evidence.BY_DIFFICULTY: (
        "one with 0.1 more dense Somers\u2019 D is forgotten {points} points of sparsity {which}",
        ("later", "earlier"),
    )
}
DIFFICULTY_STEP = 0.1  # of Somers' D; the table has the slope per 1


def sentence(one: Claim) -> str:
    """Verdict, estimate, interval, the null it was compared with, and n."""
    verdict = VERDICTS[one.verdict]
    if one.reason:
        verdict = f"{verdict}: {one.reason}"
    if not words.known(one.estimate):
        return f"{verdict}."
    opens = f"{verdict}. Observed: " if one.reason else f"{verdict}: "
    n = words.count(one.n, UNITS.get(one.claim, "class"))
    if one.claim == claims.TOGETHER and one.reading == claims.CORRECTED:
        low, high = (words.number(one.detail[f"null_{end}"]) for end in ("low", "high"))
        return (
            f"{verdict}. r = {words.number(one.estimate)} over {n}; where co-occurrence plays no "
            f"part, r lies between {low} and {high} in 95 % of cases."
        )
    if one.reading == claims.CORRECTED and one.claim in EFFECTS:
        said = effect(one.claim, one.estimate, one.ci_low, one.ci_high)
        return f"{opens}{said.removesuffix(')')}; {_null(one)}; {n})."
    interval = f"{words.percent(one.confidence)} interval {_interval(one)}"
    return f"{opens}{_estimate(one)} ({interval}; {_null(one)}; {n})."


def effect(claim: str, estimate: float, ci_low: float, ci_high: float) -> str:
    """A corrected effect over classes with its interval, in words: "a class ten times as frequent
    loses 11.5 points more of its Somers\u2019 D (95 % interval 26.1 more to 3.1 less)". claim: of
    EFFECTS; the numbers as in the table `claims`, fractions."""
    said, (rising, falling) = EFFECTS[claim]

    def which(value: float) -> str:
        return rising if value >= 0 else falling

    low, high = (_points(value) for value in (ci_low, ci_high))
    between = f"{low} to {high} {which(ci_high)}"
    if which(ci_low) != which(ci_high):
        between = f"{low} {which(ci_low)} to {high} {which(ci_high)}"
    elif abs(ci_low) > abs(ci_high):
        between = f"{high} to {low} {which(ci_high)}"
    told = said.format(points=_points(estimate), which=which(estimate))
    return f"{told} (95 % interval {between})"


def rarity(table: pd.DataFrame) -> tuple[str, str]:
    """Whether rare classes are hit harder, from the table `claims`: the verdict with the number it
    rests on, and what else is known of it, or nothing."""
    rows = table[table["reading"] == claims.CORRECTED].set_index("claim")
    known = [
        rows.loc[name]
        for name in (claims.CHANGE, claims.FIRST_DROP)
        if name in rows.index and rows.loc[name, "verdict"] != claims.CANNOT_TELL
    ]
    if not known:
        why = (
            _reason(rows.loc[claims.CHANGE])
            if claims.CHANGE in rows.index
            else claims.TOO_FEW_CLASSES
        )
        return f"Whether rarity plays a part cannot be told here: {why}.", ""
    verdicts = {row["verdict"] for row in known}
    if verdicts >= {claims.AS_CLAIMED, claims.OPPOSITE}:
        opening = BOTH_WAYS
    elif claims.AS_CLAIMED in verdicts:
        opening = "Rare classes are hit harder"
    elif claims.OPPOSITE in verdicts:
        opening = "Frequent classes are hit harder"
    else:
        opening = "No effect of rarity is shown"
    told = [
        _as_sentence(effect(row.name, row["estimate"], row["ci_low"], row["ci_high"]))
        for row in sorted(known, key=lambda row: row["verdict"] == claims.NOT_SHOWN)
    ]
    if opening == BOTH_WAYS:
        return f"{opening}. {' '.join(told)}", ""
    return f"{opening}. {told[0]}", " ".join(told[1:])


def difficulty(trends: pd.DataFrame) -> tuple[str, str]:
    """Whether classes that the dense model finds badly go sooner, from the table `trends`, and the
    number it rests on; empty where that cannot be told."""
    row = trends.set_index("name").loc[class_evidence.BY_DIFFICULTY]
    if row["reason"]:
        return "", ""
    opening = "No effect of difficulty is shown"
    if row["ci_low"] > 0:
        opening = "Classes that are hard for the dense model are forgotten first"
    step = (row[name] * DIFFICULTY_STEP for name in ("slope", "ci_low", "ci_high"))
    told = effect(class_evidence.BY_DIFFICULTY, *step)
    return f"{opening}.", f"Of equally frequent classes, {told}."


def trend_title(claim: str, row: pd.Series) -> str:
    """The title of a forest plot: what `row` of the table `trends` says of the claim."""
    if row["reason"]:
        return f"Cannot be told here: {row['reason']}"
    numbers = row["slope"], row["ci_low"], row["ci_high"]
    opening = "No clear relation"
    if row["ci_low"] > 0 or row["ci_high"] < 0:
        opening = HEADINGS[claim] if row["slope"] > 0 else AGAINST[claim]
    return f"{opening}: {effect(claim, *numbers)}"


def trend_caption(row: pd.Series) -> str:
    """The coefficient, the classes' own scatter, n, and what is drawn."""
    over = "patients" if row["reason"] == ONE_RUN else "runs and patients"
    drawn = (
        f"Dot and line: each class with its 95 % interval over {over}. Classes are sorted from "
        "frequent to rare."
    )
    n = words.count(int(row["n"]), "class")
    if not words.known(row["slope"]):
        return f"{n}. {drawn}"
    b, low, high = (words.number(row[name], 3) for name in ("slope", "ci_low", "ci_high"))
    return (
        f"Meta-regression over {n}: b = {b} per tenfold frequency (95 % interval {low} to {high}, "
        f"{words.p_value(row['p_value'])}), scatter of classes \u03c4 = "
        f"{words.number(row['tau'], 3)}. {drawn} Dashed: the trend. Light diamond: the class "
        "shrunk towards the trend by as much as its difference is noise."
    )


def claims_told(table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the table `claims` as a page shows it: a row per claim with both verdicts,
    and the corrected sentence without the verdict it opens with."""
    paper = table[table["reading"] == claims.PAPER].set_index("claim")["verdict"]
    rows = []
    for row in table[table["reading"] == claims.CORRECTED].to_dict(orient="records"):
        said = row["sentence"].removeprefix(VERDICTS[row["verdict"]]).lstrip(":. ")
        symbol = said[1:3] == " ="  # r = 0.12: a symbol stays as it is
        why = said if symbol else f"{said[:1].upper()}{said[1:]}"
        verdicts = VERDICTS[paper[row["claim"]]], VERDICTS[row["verdict"]]
        rows.append([HEADINGS[row["claim"]], *verdicts, why])
    return ["Claim", "By the paper\u2019s statistic", "Corrected", "Why"], rows


def _reason(row: pd.Series) -> str:
    """Why a claim cannot be told, as its sentence says."""
    said = row["sentence"].removeprefix(f"{VERDICTS[claims.CANNOT_TELL]}: ")
    return said.split(". ")[0].removesuffix(".")


def _as_sentence(said: str) -> str:
    return f"{said[0].upper()}{said[1:]}."


def _points(value: float) -> str:
    return words.number(abs(value) * 100, 1)


def _estimate(one: Claim) -> str:
    if one.reading == claims.PAPER and one.null == 1:
        return f"{CARRIED[one.claim]} {_value(one, one.estimate)} times as often as others"
    if one.reading == claims.PAPER:
        return f"{one.statistic.removeprefix('Pearson ')} = {_value(one, one.estimate)}"
    if one.claim == claims.FREQUENCY:
        n = int(one.detail["n_different"])
        pairs = (
            f"{words.count(n, 'pair')} {'is' if n == 1 else 'are'}" if n else "no pair by itself is"
        )
        change = _value(one, one.estimate)
        return (
            f"{pairs} told apart; squared FCD changes by {change} per tenfold difference in "
            "frequency"
        )
    if one.null == 1:
        return (
            f"{CARRIED[one.claim]} {_value(one, one.detail['pruned'])} times as often as "
            f"{LIKE[one.claim]}, {_value(one, one.estimate)} times what retraining by itself gives"
        )
    return f"{one.statistic} {_value(one, one.estimate)}"


def _interval(one: Claim) -> str:
    low, high = (_value(one, value) for value in (one.ci_low, one.ci_high))
    return f"{low.removesuffix(' points')} to {high}"


def _null(one: Claim) -> str:
    return f"no effect: {words.number(one.null, 0)}"


def _value(one: Claim, value: float) -> str:
    """In the unit of the estimate: percentage points of dense, or a plain number."""
    if one.claim == claims.TAIL:
        return words.points(value)
    if one.claim == claims.FREQUENCY and one.reading == claims.CORRECTED:
        return words.number(value, 4)
    return words.number(value)
