"""What a reader is asked about each X-ray, in the words of Holste et al., MICCAI 2023; of labels
one by one, where the paper asks of all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.study.labels import NO_FINDING

# A yes or no to each label of the image, or one to all of them together, as in the paper.
Form = Literal["labels", "image"]
LABELS: Form = "labels"
IMAGE: Form = "image"
LABEL_SHOWN = "label_shown"


@dataclass(frozen=True)
class Question:
    """`answers` maps the numbers that are stored, in the order of the buttons, to words (the ends
    of a scale have one); `level` is
    the level of measurement, as Krippendorff's alpha needs it."""

    name: str
    asked: str
    measure: str
    answers: dict[int, str]
    level: Literal["nominal", "ordinal"]

    def word(self, value: int) -> str:
        """What stands on an answer's button: "Yes", "1 poor", "2"."""
        if self.level == "nominal":
            return self.answers[value]
        return f"{value} {self.answers[value]}".strip()


QUESTIONS = {
    question.name: question
    for question in (
        Question(
            "label_correct",
            "Is the label correct?",
            "label correct",
            {1: "Yes", 0: "No"},
            "nominal",
        ),
        Question(
            LABEL_SHOWN,
            "Does the image show it?",
            "label shown",
            {1: "Yes", 0: "No"},
            "nominal",
        ),
        Question(
            "image_quality",
            "How good is the image?",
            "image quality",
            {1: "poor", 2: "", 3: "", 4: "", 5: "excellent"},
            "ordinal",
        ),
        Question(
            "difficulty",
            "How difficult is the diagnosis?",
            "difficulty",
            {1: "very easy", 2: "", 3: "", 4: "", 5: "very difficult"},
            "ordinal",
        ),
    )
}
FORMS: dict[Form, tuple[str, ...]] = {
    LABELS: (LABEL_SHOWN, "image_quality", "difficulty"),
    IMAGE: ("label_correct", "image_quality", "difficulty"),
}
_PART = "-"  # parts the name of a question about one label from its place among the labels


def questions_of(form: Form, labelled: Sequence[str]) -> dict[str, Question]:
    """What is asked of an image with these labels, by the name under which an answer is kept."""
    asked: dict[str, Question] = {}
    for name in FORMS[form]:
        if name != LABEL_SHOWN:
            asked[name] = QUESTIONS[name]
            continue
        for at, label in enumerate(labelled):
            one = f"{name}{_PART}{at}"
            asked[one] = Question(one, _shows(label), label, QUESTIONS[name].answers, "nominal")
    return asked


def measure_and_place(name: str) -> tuple[str, int | None]:
    """ "label_shown-2" as "label_shown" and 2; other questions have no place."""
    measure, _, place = name.partition(_PART)
    return measure, int(place) if place else None


def _shows(label: str) -> str:
    if label == NO_FINDING:
        return "Is the image free of findings?"
    return f"Does the image show {label}?"
