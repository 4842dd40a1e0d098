"""`streamlit run` starts this: images by name, as `core.pictures.xrays` answers a token."""

import io
import json
import os
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.pictures.thumbnails import pixels


def uniform(value: int, shape=(64, 64), dtype=np.uint8) -> np.ndarray:
    return np.full(shape, value, dtype)


def large(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4096, (1024, 1024), np.uint16)


# Samples, and the window they are first shown with.
IMAGES = {
    "grey100": (uniform(100), (100, 200)),
    "grey50": (uniform(50), (100, 200)),
    "deep": (uniform(1000, dtype=np.uint16), (2000, 4000)),
    "curved": (uniform(1000, dtype=np.uint16), (700, 1000)),
    "wide": (uniform(200, (64, 128)), (100, 200)),
    **{f"large{seed}": (large(seed), (2048, 4096)) for seed in range(8)},
}
# What the file says of them besides.
SAID: dict[str, dict] = {
    "wide": {"spacing": [0.5, 0.5], "measured": "detector"},
    "grey50": {"right": "L", "down": "F"},
}
# Files that a test has written, shown by the product's own code.
FILES = Path(os.environ.get("VIEWER_FILES", "."))


def show(request: Request) -> Response:
    name = request.path_params["token"]
    if name == "expired":
        return Response("Not allowed, or no longer.", 403)
    if name == "broken":
        return Response("This image cannot be read.", 422)
    if name.endswith(".dcm"):
        content, headers = pixels(FILES / name)
        return Response(content, headers=headers)
    if name == "png":
        buffer = io.BytesIO()
        Image.fromarray(uniform(77)).save(buffer, "PNG")
        return Response(buffer.getvalue(), media_type="image/png")
    samples, (center, width) = IMAGES[name]
    windows = [
        {"name": "As stored", "center": center, "width": width, "function": "LINEAR_EXACT"},
        {"name": "Narrow", "center": center, "width": width / 2, "function": "LINEAR_EXACT"},
    ]
    if name == "curved":
        windows[0]["function"] = "SIGMOID"
    about = {
        "width": samples.shape[1],
        "height": samples.shape[0],
        "bits": 8 * samples.itemsize,
        "windows": windows,
    } | SAID.get(name, {})
    content = samples.astype(samples.dtype.newbyteorder("<")).tobytes()
    return Response(content, headers={"X-Xray": json.dumps(about)})


app = st.App("page.py", routes=[Route("/xray/{token}", show)])
