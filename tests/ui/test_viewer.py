"""What the X-ray viewer refuses before anything reaches the browser."""

import pytest
from streamlit.testing.v1 import AppTest

from core.errors import InputError
from core.ui.viewer import ViewerImage, xray_viewer

ONE = ViewerImage("a", "/xray/token")


@pytest.mark.parametrize("address", ["https://elsewhere/x", "//elsewhere/x", "/\\elsewhere", ""])
def test_only_addresses_of_this_server_are_shown(address):
    with pytest.raises(InputError, match="this server only"):
        ViewerImage("a", address)


@pytest.mark.parametrize("at", [-1, 1])
def test_an_image_outside_the_list_is_refused(at):
    with pytest.raises(InputError, match="1 images, and none at"):
        xray_viewer([ONE], at, key="viewer", source="study")


def test_an_image_is_in_the_list_once():
    with pytest.raises(InputError, match="twice"):
        xray_viewer([ONE, ONE], 0, key="viewer", source="study")


def test_nobody_has_stepped_when_the_page_opens():
    def page():
        import streamlit as st

        from core.ui.viewer import ViewerImage, xray_viewer

        shown = xray_viewer([ViewerImage("a", "/xray/t")], 0, key="viewer", source="study")
        st.write(repr(shown))

    shown = AppTest.from_function(page, default_timeout=90).run()
    assert not shown.exception
    assert "None" in shown.markdown[0].value
