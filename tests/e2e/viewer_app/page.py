"""Steps through the images named in the address, with a slider that has nothing to do with them."""

import streamlit as st

from core.ui.viewer import ViewerImage, xray_viewer

st.title("Viewer")
names = st.query_params["images"].split(",")
st.session_state.setdefault("at", 0)
sparsity = st.slider("Sparsity", 0, 95, 90, 5)
st.markdown(f"slider at {sparsity}, page at {names[st.session_state.at]}")
stepped = xray_viewer(
    [ViewerImage(name, f"/xray/{name}") for name in names],
    st.session_state.at,
    key="viewer",
    caption=f"{st.session_state.at + 1} of {len(names)}",
    height=400,
)
if stepped:
    st.session_state.at = names.index(stepped)
    st.rerun()
