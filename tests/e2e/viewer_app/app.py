"""`streamlit run` starts this: images by name, as `core.pictures.xrays` answers a token."""

import io
import json

import numpy as np
import streamlit as st
from PIL import Image
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


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


def show(request: Request) -> Response:
    name = request.path_params["token"]
    if name == "expired":
        return Response("Not allowed, or no longer.", 403)
    if name == "broken":
        return Response("This image cannot be read.", 422)
    if name == "png":
        buffer = io.BytesIO()
        Image.fromarray(uniform(77)).save(buffer, "PNG")
        return Response(buffer.getvalue(), media_type="image/png")
    samples, (center, width) = IMAGES[name]
    presets = [
        {"name": "As stored", "center": center, "width": width},
        {"name": "Narrow", "center": center, "width": width / 2},
    ]
    headers = {
        "X-Image-Width": str(samples.shape[1]),
        "X-Image-Height": str(samples.shape[0]),
        "X-Image-Bits": str(8 * samples.itemsize),
        "X-Window-Center": str(center),
        "X-Window-Width": str(width),
        "X-Window-Presets": json.dumps(presets),
    }
    if name == "curved":
        presets[0]["function"] = headers["X-Window-Function"] = "SIGMOID"
        headers["X-Window-Presets"] = json.dumps(presets)
    return Response(samples.astype(samples.dtype.newbyteorder("<")).tobytes(), headers=headers)


app = st.App("page.py", routes=[Route("/xray/{token}", show)])
