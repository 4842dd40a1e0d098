"""What each column of a reader study's exports means."""

from __future__ import annotations

import pandas as pd

from core.errors import InputError
from core.wording.questions import QUESTIONS


def _coded() -> str:
    return "; ".join(
        f"{question.name}: "
        + ", ".join(f"{value} = {word}" for value, word in sorted(question.answers.items()) if word)
        for question in QUESTIONS.values()
    )


MEANINGS = {
    "reader": "A reader, numbered in the order of invitation. E-mail addresses are not exported.",
    "reader_removed": "Whether the reader was removed; then the statistics leave the answers out.",
    "removed": "Whether the reader was removed.",
    "image_id": "The image, as in the study's labels.",
    "is_pie": "Whether the image is a PIE (paper's definition) at the reader study's sparsity.",
    "labels": "The labels the reader judged, joined by |, as they were when the study was made.",
    "finding_count": 'Findings labelled for certain, "No Finding" left out; 4 means 4 or more.',
    "group": "head, medium or tail: of the rarest finding labelled; none where there is none.",
    "question": "label_correct: is the label correct? image_quality: how good is the image? "
    "difficulty: how difficult is the diagnosis?",
    "value": _coded(),
    "n_changes": "How often the reader changed this answer; the latest one counts.",
    "seconds": "Seconds the reader spent on this image, by the server's clock: from being shown to "
    "the last answer given, added up over visits. Pauses are in it.",
    "shown_at": "When the image was shown to the reader who then gave this answer (UTC).",
    "given_at": "When the answer was kept (UTC).",
    "n_images": "Images in the reader study.",
    "n_complete": "Images of which the reader has answered every question.",
    "median_seconds": "Median over images of the reader's seconds.",
    "n_pie": "Answers about PIEs (readers x images).",
    "n_non_pie": "Answers about non-PIEs.",
    "mean_pie": "Mean answer about PIEs; for label_correct the share of Yes.",
    "mean_non_pie": "Mean answer about non-PIEs.",
    "sd_pie": "Standard deviation of the answers about PIEs (n - 1).",
    "sd_non_pie": "Standard deviation of the answers about non-PIEs (n - 1).",
    "kruskal_h": "Kruskal-Wallis H, ties corrected, PIE against non-PIE, answers pooled (paper).",
    "kruskal_p": "Its p-value (paper). It takes answers about one image for independent.",
    "mixed_effect": "PIE minus non-PIE from the mixed model with reader and image as crossed "
    "random effects (corrected).",
    "mixed_ci_low": "Lower end of its 95 % interval (t, images - 2 degrees of freedom).",
    "mixed_ci_high": "Upper end of its 95 % interval.",
    "mixed_p": "Its p-value (t, images - 2 degrees of freedom).",
    "q_value": "Benjamini-Hochberg of mixed_p over the questions.",
    "krippendorff_alpha": "Agreement between readers over all images: 1 perfect, 0 as by chance. "
    "Nominal for label_correct, ordinal for the others.",
    "difference": "mean_pie minus mean_non_pie of this reader.",
}


def codebook(columns: dict[str, list[str]]) -> pd.DataFrame:
    """table, column, meaning of every column of the exported tables, in their order."""
    rows = []
    for table, names in columns.items():
        for name in names:
            if name not in MEANINGS:
                raise InputError(f"The codebook does not explain {name} of {table}.")
            rows.append({"table": table, "column": name, "meaning": MEANINGS[name]})
    return pd.DataFrame(rows)
