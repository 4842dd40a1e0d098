"""What the numbers of a study carry, in sentences: the same on a page and in the report."""

from __future__ import annotations

from core.analysis.safe_sparsity import ALL, UNSAFE, ClassBreak, SafeAnswer, SafeSparsity
from core.wording import words

NOT_A_LICENCE = (
    "A finding about this test set and this way of training, for research only: "
    "not a licence to deploy."
)
OTHER_FIRST = (
    "First here is the first class outside the margin with this confidence. \u201cForgotten "
    "first\u201d, on Overview, is another question: which classes are the first to lose a fifth of "
    "their Somers\u2019 D."
)
MOST_NAMED = 4


def names(given: tuple[str, ...] | list[str], most: int = MOST_NAMED) -> str:
    """A, B and C; beyond `most` only how many more."""
    shown = list(given[:most])
    if len(given) > most:
        shown.append(f"{len(given) - most} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def safe_headline(answer: SafeAnswer, settings: SafeSparsity) -> str:
    """The answer for all classes, or for one group, in one sentence."""
    who = _who(answer, settings)
    if answer.n_classes == 0:
        return f"Cannot tell: no {_class_of(answer)} has {_enough(settings)}."
    kept = _kept(settings)
    if answer.first is None:
        return (
            f"{who} keeps {kept} up to {words.percent(answer.last_sparsity)} sparsity, the end of "
            "the grid."
        )
    first, at = answer.first, words.percent(answer.first.breaks_at)
    if answer.safe_up_to is None:
        opening = f"No sparsity can be called safe: already at {at}"
        if first.verdict == UNSAFE:
            return f"{opening} {first.class_name} no longer keeps {kept}."
        return f"{opening} it cannot be told whether {first.class_name} keeps {kept}."
    kept_up_to = f"{who} keeps {kept} up to {words.percent(answer.safe_up_to)} sparsity"
    if first.verdict == UNSAFE:
        return f"{kept_up_to}; {first.class_name} breaks first, at {at}."
    return f"{kept_up_to}; at {at} it cannot be told whether {first.class_name} still does."


def safe_details(answer: SafeAnswer, settings: SafeSparsity) -> str:
    """What is known where the first class breaks, and which class is first shown to be unsafe."""
    if answer.n_classes == 0 or answer.first is None:
        return ""
    first, unsafe = answer.first, answer.first_unsafe
    label = words.METRICS[settings.metric]
    bound = words.percent(settings.confidence, 1).replace(".0", "")
    text = (
        f"{first.class_name} at {words.percent(first.breaks_at)}: {label} changes by "
        f"{signed(first.relative_change, 1)}, with {bound} confidence by no less than "
        f"{signed(first.ci_low, 1)}: {_meaning(first)}."
    )
    if unsafe is None:
        return f"{text} No class is shown to be unsafe at any sparsity."
    if unsafe.class_name == first.class_name and unsafe.unsafe_at == first.breaks_at:
        return text
    return (
        f"{text} The first class shown to be unsafe is {unsafe.class_name}, at "
        f"{words.percent(unsafe.unsafe_at)}."
    )


def safe_caveats(answer: SafeAnswer, settings: SafeSparsity) -> list[str]:
    """What the answer does not cover."""
    found = []
    if answer.too_few:
        found.append(
            f"Cannot tell for {words.count(len(answer.too_few), 'class')} with fewer than "
            f"{words.count(settings.min_positives, 'test positive')}: {names(answer.too_few)}."
        )
    if answer.chance_passes:
        found.append(
            f"Says little for {names(answer.chance_passes)}: a classifier that knows nothing "
            f"would keep {_kept(settings, 'its')} too."
        )
    if answer.n_runs < 2:
        found.append(
            "One run: the bounds are over patients only, and say nothing of other trainings."
        )
    return found


def signed(change: float, digits: int | None = None) -> str:
    """A change in percent with its sign, and a digit more where it is small; what rounds to
    nothing has no sign."""
    if digits is None:
        digits = 0 if abs(change) >= 0.095 or abs(change) < 0.0005 else 1
    text = words.percent(abs(change), digits)
    if not text.strip("0.% ") or text == words.NONE:
        return text
    return f"{words.MINUS if change < 0 else '+'}{text}"


def _who(answer: SafeAnswer, settings: SafeSparsity) -> str:
    if answer.n_classes == 1 and answer.first is not None:
        return f"{answer.first.class_name}, the only {_class_of(answer)} with {_enough(settings)},"
    return f"Every {_class_of(answer)} with {_enough(settings)}"


def _class_of(answer: SafeAnswer) -> str:
    return "class" if answer.scope == ALL else f"{answer.scope} class"


def _enough(settings: SafeSparsity) -> str:
    return f"at least {words.count(settings.min_positives, 'test positive')}"


def _kept(settings: SafeSparsity, whose: str = "its") -> str:
    share = words.percent(1 - settings.margin, 1).replace(".0", "")
    return f"{share} of {whose} {words.METRICS[settings.metric]}"


def _meaning(first: ClassBreak) -> str:
    if first.verdict == UNSAFE:
        return "shown to be unsafe"
    return "too uncertain to be called safe, not shown to be unsafe"
