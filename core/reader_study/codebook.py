"""What each column of a reader study's exports means."""

from __future__ import annotations

import pandas as pd

from core.analysis.reader import BY_READER, QUESTION, READER, READER_RESULTS
from core.study.columns import SHARED, Column, Columns, Unit
from core.wording.questions import QUESTIONS


def _coded() -> str:
    return "; ".join(
        f"{question.name}: "
        + ", ".join(f"{value} = {word}" for value, word in sorted(question.answers.items()) if word)
        for question in QUESTIONS.values()
    )


IS_PIE = Column(
    "is_pie", "Whether the image is a PIE (paper's definition) at the reader study's sparsity."
)
VALUE = Column("value", _coded())
PAIR = Column("pair", "Number of the matched pair, from 1; missing where images are not matched.")
AGAIN = Column("again", "Whether it is of the second time that the reader was shown the image.")
LABEL = Column("label", "The label that label_shown asks about; missing for other questions.")
GIVEN_AT = Column("given_at", "When the answer was kept (UTC).")
ANSWERS = Columns(
    READER,
    Column("reader_removed", "Whether the reader was removed; then the statistics leave the "
           "answers out."),
    SHARED["image_id"], IS_PIE, PAIR, AGAIN, QUESTION, LABEL, VALUE,
    Column("n_changes", "How often the reader changed this answer; the latest one counts."),
    Column("seconds", "Seconds the reader spent on this image, by the server's clock: from being "
           "shown to the last answer given, added up over visits. Pauses are in it.", Unit.SECONDS),
    GIVEN_AT,
)  # fmt: skip
HISTORY = Columns(
    READER, SHARED["image_id"], AGAIN, QUESTION, LABEL, VALUE,
    Column("shown_at", "When the image was shown to the reader who then gave this answer (UTC)."),
    GIVEN_AT,
)  # fmt: skip
IMAGES = Columns(
    SHARED["image_id"], IS_PIE,
    Column("labels", "The labels the reader judged, joined by |, as they were when the study was "
           "made."),
    Column("finding_count", 'Findings labelled for certain, "No Finding" left out; 4 means 4 or '
           "more."),
    Column("group", "head, medium or tail: of the rarest finding labelled; none where there is "
           "none."),
    PAIR,
    Column("matched_on", "labels: the two of a pair have equal labels; count: as many findings and "
           "the same group; missing where images are not matched."),
    Column("block", "Which readers read it: those of this block, from 1; missing where all do."),
)  # fmt: skip
READERS = Columns(
    READER,
    Column("removed", "Whether the reader was removed."),
    Column("n_images", "Images the reader has to read; those shown twice count twice.",
           label="images"),
    Column("n_complete", "Those of which the reader has answered every question."),
    Column("median_seconds", "Median over images of the reader's seconds.", Unit.SECONDS,
           "s per image"),
)  # fmt: skip
TABLES = {
    "answers": ANSWERS,
    "history": HISTORY,
    "images": IMAGES,
    "readers": READERS,
    "results": READER_RESULTS,
    "results_by_reader": BY_READER,
}


def codebook() -> pd.DataFrame:
    """table, column, meaning of every column of the exported tables, in their order."""
    rows = [
        (table, column.name, column.meaning)
        for table, columns in TABLES.items()
        for column in columns.values()
    ]
    return pd.DataFrame(rows, columns=["table", "column", "meaning"])
