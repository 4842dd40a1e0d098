"""Steps through the images named in the address, with a slider that has nothing to do with them."""

import streamlit as st

from core.ui.viewer import ViewerImage, xray_viewer

st.title("Viewer")
names = st.query_params["images"].split(",")
st.session_state.setdefault("at", 0)
sparsity = st.slider("Sparsity", 0, 95, 90, 5)
st.markdown(f"slider at {sparsity}, page at {names[st.session_state.at]}")
# Where there is another source, its images go by the same names: those of the first one.
other = st.query_params.get("other", "").split(",")
source = st.radio("Source", ["first", "other"]) if other[0] else "first"
files = names if source == "first" else other
stepped = xray_viewer(
    [ViewerImage(name, f"/xray/{file}") for name, file in zip(names, files, strict=True)],
    st.session_state.at,
    key="viewer",
    source=source,
    caption=f"{st.session_state.at + 1} of {len(names)}",
    height=None if "tall" in st.query_params else 400,
    priors=[
        ViewerImage(name, f"/xray/{name}", label=f"earlier: {name}")
        for name in st.query_params.get("priors", "").split(",")
        if name
    ],
)
if stepped:
    st.session_state.at = names.index(stepped)
    st.rerun()
