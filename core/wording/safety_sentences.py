"""What the numbers of a study carry, in sentences: the same on a page and in the report."""

from __future__ import annotations

from itertools import pairwise

from core.analysis import gaps
from core.analysis.operating_characteristics import REFIXED
from core.analysis.safe_operation import MARGIN_POINTS, OperatingAnswer
from core.analysis.safe_sparsity import ALL, UNSAFE, SafeAnswer, SafeSparsity
from core.wording import first_sentences, words

NOT_A_LICENCE = (
    "A finding about this test set and this way of training, for research only: "
    "not a licence to deploy."
)
NO_DECISIONS = (
    "By decisions: cannot tell. This study has no operating points, because it keeps no "
    "validation predictions; so nothing is known about sensitivity and specificity."
)
DECISIONS_ARE = (
    "By decisions, each change is measured against the dense model at its own operating point, "
    "with the 95 % intervals over patients of both models. The bounds treat the two as "
    "independent although they share their patients, so they are conservative. They say nothing "
    "about other trainings."
)
OTHER_FIRST = (
    "First here is the first class outside the margin with this confidence. \u201cForgotten "
    "first\u201d, on Overview, is another question: which classes are the first to lose a fifth of "
    "their Somers\u2019 D."
)


def safe_headline(answer: SafeAnswer, settings: SafeSparsity) -> str:
    """The answer for all classes, or for one group, in one sentence."""
    kind = "" if answer.scope == ALL else f"{answer.scope} "
    if answer.n_classes == 0:
        return f"By ranking, cannot tell: no {kind}class has enough patients to tell."
    who = f"each of the {answer.n_classes} {kind}classes with enough patients to tell"
    if answer.n_classes == 1:
        who = f"the one {kind}class with enough patients to tell"
    kept, first = _kept(settings), answer.first
    if first is None or first.breaks_at is None:
        up_to = _up_to(answer.last_sparsity, answer.tried)
        return f"By ranking, {who} keeps {kept} {up_to}, the end of the grid."
    if answer.safe_up_to is None:
        everyone, at = who.replace("each of the", "all", 1), _already(first.breaks_at)
        opening = f"By ranking, no sparsity is shown to be safe for {everyone}: {at}"
        if first.verdict == UNSAFE:
            return f"{opening} {first.class_name} no longer keeps {kept}."
        return f"{opening} it cannot be told whether {first.class_name} keeps {kept}."
    at = _next(answer.safe_up_to, first.breaks_at)
    kept_up_to = f"By ranking, {who} keeps {kept} {_up_to(answer.safe_up_to, answer.tried)}"
    if first.verdict == UNSAFE:
        return f"{kept_up_to}; {first.class_name} breaks first, {at}."
    return f"{kept_up_to}; {at} it cannot be told whether {first.class_name} still does."


def _up_to(last: float, tried: tuple[float, ...]) -> str:
    """Up to 50 % sparsity: of a grid with wide gaps, nothing is said of what lies in them."""
    grid = [0.0, *(sparsity for sparsity in tried if sparsity <= last)]
    if any(gaps.is_wide(*ends) for ends in pairwise(grid)):
        return f"at every sparsity tried up to {words.percent(last)}"
    return f"up to {words.percent(last)} sparsity"


def _already(lowest: float) -> str:
    """At the lowest sparsity of the grid; "already" only where less would hardly be pruning."""
    at = words.percent(lowest)
    return f"at {at}, the lowest sparsity tried," if gaps.is_wide(0, lowest) else f"already at {at}"


def _next(before: float, at: float) -> str:
    """At the next sparsity of the grid, or by it where nothing in a wide gap was tried."""
    if not gaps.is_wide(before, at):
        return f"at {words.percent(at)}"
    return f"by {words.percent(at)} ({first_sentences.between(before, at)} nothing was tried)"


def safe_details(answer: SafeAnswer, settings: SafeSparsity) -> str:
    """The smallest margin shown, what is known where the first class breaks, and which class is
    first shown to be unsafe."""
    if answer.n_classes == 0:
        return ""
    bound = words.short_percent(settings.confidence)
    label = words.METRICS[settings.metric]
    whose = f"any of the {answer.n_classes} classes" if answer.n_classes > 1 else "the class"
    text = (
        f"The smallest margin shown at {words.percent(answer.shown_at)}: with {bound} confidence, "
        f"{whose} loses at most {words.percent(answer.smallest_margin, 1)} of its {label}."
    )
    if answer.first is None:
        return text
    first, unsafe = answer.first, answer.first_unsafe
    meaning = "too uncertain to be called safe, not shown to be unsafe"
    if first.verdict == UNSAFE:
        meaning = "shown to be unsafe"
    text += (
        f" {first.class_name} at {words.percent(first.breaks_at)}: {label} changes by "
        f"{words.signed(first.relative_change, 1)}, lower bound {words.signed(first.ci_low, 1)}: "
        f"{meaning}."
    )
    if unsafe is None:
        return f"{text} No class is shown to be unsafe at any sparsity."
    if unsafe.class_name == first.class_name and unsafe.unsafe_at == first.breaks_at:
        return text
    return (
        f"{text} The first class shown to be unsafe is {unsafe.class_name}, from "
        f"{words.percent(unsafe.unsafe_at)} on."
    )


def by_decisions(answers: dict[str, OperatingAnswer]) -> list[str]:
    """The second criterion, a sentence per threshold, or why there is none."""
    return [_decided(answer) for answer in answers.values()] or [NO_DECISIONS]


def _decided(answer: OperatingAnswer) -> str:
    again = answer.threshold == REFIXED
    threshold = (
        "thresholds re-fixed at each sparsity" if again else "the dense model\u2019s thresholds"
    )
    who = f"{'each of ' if answer.n_classes > 1 else ''}the {_classes(answer.n_classes)}"
    within = f"within {100 * MARGIN_POINTS:.0f} points of dense"
    kept = f"{who} keeps sensitivity and specificity {within}"
    if answer.first is None:
        safe = f"{kept} {_up_to(answer.last_sparsity, answer.tried)}."
    else:
        at, told = float(str(answer.first["sparsity"])), _told_of(answer.first)
        if answer.safe_up_to is None:
            everyone = f"{'all ' if answer.n_classes > 1 else 'the '}{_classes(answer.n_classes)}"
            safe = f"no sparsity is shown to be safe for {everyone}: {_already(at)} {told}."
        else:
            up_to, here = _up_to(answer.safe_up_to, answer.tried), _next(answer.safe_up_to, at)
            safe = f"{kept} {up_to}; {here} {told}."
    text = f"By decisions at {threshold}, {safe}"
    unsafe = answer.first_unsafe
    if unsafe is None:
        return f"{text} No class is shown to be unsafe."
    changes = " and ".join(
        f"{rate} {words.points(float(str(unsafe[f'{rate}_change'])))}"
        for rate in ("sensitivity", "specificity")
    )
    return (
        f"{text} Shown to be unsafe: {answer.n_unsafe} of {answer.n_classes}, first "
        f"{unsafe['class_name']}, from {words.percent(float(str(unsafe['sparsity'])))} on "
        f"({changes} there)."
    )


def _told_of(first: dict[str, object]) -> str:
    if first["verdict"] == UNSAFE:
        return f"{first['class_name']} does not"
    return f"it cannot be told for {first['class_name']}"


def safe_caveats(
    answer: SafeAnswer, settings: SafeSparsity, unknown_patients: str = ""
) -> list[str]:
    """What the answer does not cover; unknown_patients: that of `words`."""
    found = [unknown_patients] if unknown_patients else []
    if answer.too_few:
        found.append(
            f"Cannot tell for {words.count(len(answer.too_few), 'class')} with fewer than "
            f"{words.count(settings.min_patients, 'test patient')}: {words.names(answer.too_few)}."
        )
    if answer.not_found:
        found.append(
            f"No verdict for {words.names(answer.not_found)}: the dense model does not find "
            f"{'this class' if len(answer.not_found) == 1 else 'these classes'}. The interval of "
            f"its {words.METRICS[settings.metric]} includes chance, so there is nothing to keep."
        )
    if answer.chance_passes:
        found.append(
            f"Says little for {words.names(answer.chance_passes)}: a classifier that knows nothing "
            f"would keep {_kept(settings, 'its')} too."
        )
    if answer.n_runs < 2:
        found.append(
            "One run: the bounds are over patients only, and say nothing about other trainings."
        )
    return found


def _classes(n: int) -> str:
    return "class with enough patients" if n == 1 else f"{n} classes with enough patients"


def _kept(settings: SafeSparsity, whose: str = "its") -> str:
    share = words.short_percent(1 - settings.margin)
    return f"{share} of {whose} {words.METRICS[settings.metric]}"
