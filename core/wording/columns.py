"""Columns of the labels and their values in human words; downloads and addresses keep their own."""

from __future__ import annotations

import re
from collections.abc import Mapping

from core.analysis.subgroup import PATIENT_ID, Condition, OneOf, Subgroup, number
from core.wording.words import NONE, count

COLUMNS = {
    "patient_id": "Patient",
    "n_findings": "Number of findings",
    "follow_up": "Follow-up number",
    "rotation_degrees": "Rotation (degrees)",
    "poor_quality": "Poor image quality",
    "true_findings": "Findings drawn",
    "wrong_labels": "Wrong labels",
    "patient_seed": "Seed of the patient",
    "image_seed": "Seed of the image",
}
# Of an image's attributes, what a radiologist looks for in its corner, and how it stands there.
TAKEN = {
    "frontallateral": "{}",
    "view": "{}",
    "viewposition": "{}",
    "appa": "{}",
    "projection": "{}",
    "studydate": "{}",
    "date": "{}",
    "followup": "follow-up {}",
}
DAY = re.compile(r"(\d{4})(\d\d)(\d\d)(\.0)?")
IDENTIFIER = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def column(name: str) -> str:
    """poor_quality as "Poor image quality", view as "View"; what is no identifier as it is."""
    if name in COLUMNS:
        return COLUMNS[name]
    if not IDENTIFIER.fullmatch(name):
        return name
    plain = name.replace("_", " ")
    return plain[0].upper() + plain[1:]


def value(text: str) -> str:
    """True as yes, nothing as a dash, Mass|Nodule as Mass, Nodule."""
    if not text.strip():
        return NONE
    return {"True": "yes", "False": "no"}.get(text, text.replace("|", ", "))


def told(attributes: Mapping[str, str]) -> dict[str, str]:
    """An image's attributes in words; a column keeps its name where two would be called alike."""
    called = [column(name) for name in attributes]
    return {
        (name if called.count(words) > 1 else words): value(text)
        for (name, text), words in zip(attributes.items(), called, strict=True)
    }


def taken(attributes: Mapping[str, str]) -> str:
    """How and when an image was taken, as far as its attributes say: PA · 2014-03-02."""
    plain = {re.sub(r"[\W_#]", "", name).lower(): text for name, text in attributes.items()}
    said = []
    for name, words in TAKEN.items():
        text = plain.get(name, "").strip()
        if text not in ("", NONE):
            said.append(words.format(DAY.sub(r"\1-\2-\3", text)))
    return " \u00b7 ".join(said)


def slice_title(by: str, of: str) -> str:
    """Poor image quality: yes."""
    return f"{column(by)}: {value(of)}"


def condition(one: Condition) -> str:
    """Sex: F; Age: 60 and over; 2 listed patients."""
    if isinstance(one, OneOf):
        if one.by == PATIENT_ID:
            return count(len(one.values), "listed patient")
        return f"{column(one.by)}: {', '.join(map(value, one.values))}"
    low, high = number(one.low), number(one.high)
    ends = f"{low} to {high}" if low and high else f"{low} and over" if low else f"up to {high}"
    return f"{column(one.by)}: {ends}"


def subgroup(of: Subgroup) -> str:
    """Age: 60 and over, Sex: F, View: PA."""
    return ", ".join(map(condition, of.conditions))
