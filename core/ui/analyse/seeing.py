"""What the network sees: the preflight's pictures, and what can be chosen about them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import streamlit as st

from core.checkpoints.preflight import ArchitectureFacts, PreflightOptions, Seen
from core.people import audit
from core.study.settings import PreprocessingName
from core.ui import markup, people, plain

BASE64 = re.compile(r"[A-Za-z0-9+/=]+")
PREPROCESSING: dict[PreprocessingName, str] = {
    "imagenet": "ImageNet's mean and deviation, as torchvision",
    "xrv": "-1024 to 1024, as torchxrayvision",
    "half": "-1 to 1, mean and deviation 0.5",
    "unit": "0 to 1, nothing else",
}


def preprocessing(
    seen: Seen | None, found: ArchitectureFacts, options: PreflightOptions
) -> PreflightOptions:
    """The pictures; returns the choices as they stand in the widgets."""
    st.markdown("#### What the network sees")
    if seen:
        _log_previews(seen)
        pictures = zip(seen.image_ids, seen.previews, strict=False)
        st.html(markup.previews([one for one in pictures if BASE64.fullmatch(one[1])]))
        mean, std = (", ".join(f"{one:.3g}" for one in each) for each in (seen.mean, seen.std))
        st.caption(
            plain(
                f"{len(seen.previews)} test images as the network is given them: {seen.image_size} "
                f"x {seen.image_size} px, mean {mean}, deviation {std}. "
                f"Preprocessing {seen.name}: {seen.reason}."
            )
        )
    left, right = st.columns(2)
    known = {"As found": None} | {f"{name}: {words}": name for name, words in PREPROCESSING.items()}
    with left:
        chosen = pick("Preprocessing", known, options.preprocessing, key="preprocessing")
    side = right.number_input(
        "Image size (px)",
        min_value=16,
        max_value=1024,
        value=options.image_size or found.image_size,
        key="image_size",
    )
    return replace(
        options,
        preprocessing=chosen,
        seeing=_seeing(options.seeing),
        image_size=options.image_size if side == found.image_size else int(side),
    )


def _seeing(chosen: tuple[str, ...]) -> tuple[str, ...]:
    """The other settings of how the network sees, as the preflight takes them."""
    known = {
        "As found": None,
        "Stretched to a square": "checkpoint.centre_crop=0",
        "The middle square": "checkpoint.centre_crop=1",
        "The middle, 87.5 % of the shorter side": "checkpoint.centre_crop=0.875",
    }
    outputs = {
        "As found": None,
        "Sigmoid: each finding by itself": "checkpoint.activation=sigmoid",
        "Softmax: one finding of all": "checkpoint.activation=softmax",
        "Nothing: they are probabilities already": "checkpoint.activation=none",
    }
    left, right = st.columns(2)
    with left:
        begun = next((one for one in chosen if one in known.values()), None)
        framed = pick("Pictures that are not square", known, begun, key="centre_crop")
    with right:
        begun = next((one for one in chosen if one in outputs.values()), None)
        become = pick("Outputs become probabilities by", outputs, begun, key="activation")
    return tuple(one for one in (framed, become) if one)


def _log_previews(seen: Seen) -> None:
    """Once a session: X-rays in a report are X-rays opened. Raises WorkError, and so shows none,
    where that cannot be logged."""
    logged = st.session_state.setdefault("previews_logged", set())
    for image_id in seen.image_ids[: len(seen.previews)]:
        if image_id not in logged:
            about = {"image": image_id, "where": "preflight"}
            audit.record(people.person().email, "x-ray opened", about)
            logged.add(image_id)


def pick(label: str, options: dict[str, Any], chosen: Any, **settings: Any) -> Any:
    """What the chosen option means; `chosen`: what the one means that it begins with."""
    meanings = list(options.values())
    at = meanings.index(chosen) if chosen in meanings else 0
    return options[st.selectbox(label, list(options), index=at, **settings)]
