"""Below a sub-path, asked directly and behind nginx with TLS as the how-to sets it up: everything
that a browser is sent for lies below it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests import page_studies
from tests.e2e import nginx
from tests.e2e.conftest import PATIENCE
from tests.e2e.oidc import ROLES, SignedApp, provider, running_app
from tests.e2e.test_sign_in import shown, sign_in
from tests.ports import free_port

BASE = "/scope"
RESEARCHER = next(who for who, role in ROLES.items() if role == "researcher")
MORE_THAN_NGINX_TAKES_UNASKED = 1_500_000  # bytes; its client_max_body_size is 1 MB if not set
LOADED = "(image) => image.decode().then(() => image.naturalWidth)"


@pytest.fixture(scope="module", params=["direct", "nginx"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[SignedApp, str]]:
    """A dashboard with sign-in, and the address that people type."""
    behind_nginx = request.param == "nginx"
    if behind_nginx and not nginx.PROGRAM:
        pytest.skip("nginx is not installed")
    folder = tmp_path_factory.mktemp("sub-path")
    listen = free_port()
    typed = f"https://127.0.0.1:{listen}{BASE}" if behind_nginx else ""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as running:
        patch.setenv("PRUNESCOPE_CACHE", str(folder / "cache"))
        page_studies.write_large_study(n_images=400)
        clinic = running.enter_context(provider(3600))
        app = running.enter_context(running_app(folder, {"clinic": clinic}, base=BASE, typed=typed))
        if behind_nginx:
            running.enter_context(nginx.proxy(folder, listen, port_of(app), BASE))
        yield app, typed or app.address


@pytest.fixture
def below(browser: Browser, site: tuple[SignedApp, str]) -> Iterator[Page]:
    """A researcher who signed in; whatever the browser asked this server for is below the path."""
    address = site[1]
    origin = address.removesuffix(BASE)
    with browser.new_context(ignore_https_errors=True) as context:
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda one: asked.append(one.url))
        page.on("websocket", lambda one: asked.append(one.url.replace("ws", "http", 1)))
        sign_in(page, address, RESEARCHER)
        shown(page, "Overview")
        yield page
        ours = [one.removeprefix(origin) for one in asked if one.startswith(origin)]
        assert any("/_stcore/stream" in one for one in ours)
        assert [one for one in ours if one != BASE and not one.startswith(f"{BASE}/")] == []


def port_of(app: SignedApp) -> int:
    return int(app.address.removesuffix(BASE).rpartition(":")[2])


def test_xrays_load_and_signing_out_ends_them(below: Page, site: tuple[SignedApp, str]) -> None:
    below.get_by_role("link", name="PIE browser").click()
    shown(below, "PIE browser")
    xray = below.locator(".ps-xray img").first
    xray.wait_for(timeout=PATIENCE)
    assert xray.evaluate(LOADED) > 0
    source = site[1].removesuffix(BASE) + xray.get_attribute("src")
    below.goto(f"{site[1]}/pie_browser?study=large")  # as somebody sends it on
    shown(below, "PIE browser")
    below.get_by_role("link", name="Sign out").click()
    below.wait_for_url("**/oauth2/end_session**", timeout=PATIENCE)
    assert below.request.get(source).status == 403


def test_a_file_is_uploaded(below: Page, tmp_path: Path) -> None:
    file = tmp_path / "model.pt"
    file.write_bytes(bytes(MORE_THAN_NGINX_TAKES_UNASKED))
    below.get_by_role("link", name="Analyse a checkpoint").click()
    shown(below, "Analyse a checkpoint")
    below.locator("input[type=file]").first.set_input_files(file)
    below.wait_for_url("**/analyse?*upload=*", timeout=PATIENCE)


def test_a_proxy_that_is_trusted_decides_the_scheme(site: tuple[SignedApp, str]) -> None:
    connection = HTTPConnection("127.0.0.1", port_of(site[0]))
    host = "127.0.0.1:8443"
    connection.request("GET", BASE, headers={"X-Forwarded-Proto": "https", "Host": host})
    assert connection.getresponse().headers["Location"] == f"https://{host}{BASE}/"
    connection.close()
