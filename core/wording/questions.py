"""What a reader is asked about each X-ray, in the words of Holste et al., MICCAI 2023."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


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
