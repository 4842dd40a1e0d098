"""Signing in and out with a real provider, in a real browser."""

import csv
import io
import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests import page_studies
from tests.e2e.axe import serious, show_in
from tests.e2e.conftest import PATIENCE
from tests.e2e.oidc import ROLES, UNVERIFIED, provider, running_app, write_roles
from tests.waiting import until

SHORT_SECONDS = 12
ADMIN, RESEARCHER, READER = ROLES


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """A dashboard with sign-in, and two providers: the tokens of `brief` last some seconds."""
    folder = tmp_path_factory.mktemp("sign-in")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(folder / "cache"))
        page_studies.write_large_study(n_images=400)
    with (
        provider(3600) as long,
        provider(SHORT_SECONDS) as short,
        running_app(folder, {"brief": short, "clinic": long}) as app,
    ):
        yield app


def sign_in(page: Page, address: str, email: str, name: str = "clinic") -> None:
    page.goto(address)
    page.get_by_role("button", name=f"Sign in with {name}").click(timeout=PATIENCE)
    page.get_by_placeholder("sub").fill(email)
    page.get_by_role("button", name="Authorize", exact=True).click()
    page.wait_for_url(f"{address}/**", timeout=PATIENCE)


def shown(page: Page, heading: str) -> None:
    expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible(timeout=PATIENCE)


def usable(page: Page) -> None:
    """No serious violation that axe can see, in the light and in the dark theme."""
    for scheme in ("light", "dark"):
        show_in(page, scheme)
        until(lambda: not serious(page), told=lambda: (serious(page), page.url))


def audit(signed) -> list[tuple[str, str]]:
    lines = (signed.cache / "audit.jsonl").read_text().splitlines()
    return [(line["who"], line["what"]) for line in map(json.loads, lines)]


def test_a_stranger_sees_nothing_but_the_way_in(page, signed):
    for path in ("", "/pie_browser", "/administration", "/reader_study", "/no-such-page"):
        page.goto(signed.address + path)
        shown(page, "PruneScope")
        expect(page.get_by_role("button", name="Sign in with clinic")).to_be_visible()
        assert page.get_by_text("large", exact=False).count() == 0
        assert page.locator("[data-testid=stSidebarNav] a").count() == 0
    usable(page)


def test_a_researcher_signs_in_sees_an_xray_and_signs_out(page, signed):
    sign_in(page, signed.address, "Rolf@Clinic.org")  # one person, however it is written
    shown(page, "Overview")
    expect(page.get_by_text(f"{RESEARCHER}, researcher")).to_be_visible()
    expect(page.get_by_role("link", name="Administration")).to_have_count(0)
    page.get_by_text("The paper\u2019s claims, tested here").click()
    with page.expect_download(timeout=2 * PATIENCE) as download:
        page.get_by_role("button", name="CSV").first.click(timeout=PATIENCE)
    assert download.value.suggested_filename == "large_claims.csv"
    assert (RESEARCHER, "export") in audit(signed)
    page.get_by_role("link", name="PIE browser").click()
    shown(page, "PIE browser")
    xray = page.locator(".ps-xray img").first
    xray.wait_for(timeout=PATIENCE)
    address = signed.address + xray.get_attribute("src")
    assert page.request.get(address).status == 200
    page.get_by_role("link", name="Sign out").click()
    page.wait_for_url("**/oauth2/end_session**", timeout=PATIENCE)
    assert page.request.get(address).status == 403
    page.goto(f"{signed.address}/pie_browser")
    shown(page, "PruneScope")
    said = audit(signed)
    for event in ("sign-in", "x-ray thumbnail", "sign-out"):
        assert (RESEARCHER, event) in said
    assert ("", "access refused") in said


def test_signing_out_in_one_tab_ends_the_others(page, signed):
    sign_in(page, signed.address, RESEARCHER)
    shown(page, "Overview")
    other = page.context.new_page()
    other.goto(signed.address)
    shown(other, "Overview")
    page.get_by_role("link", name="Sign out").click()
    page.wait_for_url("**/oauth2/end_session**", timeout=PATIENCE)
    expect(other.get_by_text("Your session has ended.")).to_be_visible(timeout=PATIENCE)


def test_signing_out_of_a_page_that_is_still_drawn_counts(page, signed):
    sign_in(page, signed.address, RESEARCHER)
    page.get_by_role("link", name="Sign out").click(timeout=PATIENCE)
    page.wait_for_url("**/oauth2/end_session**", timeout=PATIENCE)
    page.goto(signed.address)
    shown(page, "PruneScope")


def test_a_reader_who_types_the_address_of_the_pie_page_is_refused(page, signed):
    sign_in(page, signed.address, READER)
    shown(page, "My readings")
    for name in ("Overview", "PIE browser", "Administration"):
        expect(page.get_by_role("link", name=name)).to_have_count(0)
    for path in ("pie_browser", "class_ap", "reader_results", "administration"):
        page.goto(f"{signed.address}/{path}")
        shown(page, "This page is not for you")
        assert page.locator(".ps-xray").count() == 0
    usable(page)
    page.get_by_role("link", name="Reader study").click()
    shown(page, "My readings")
    assert (READER, "access refused") in audit(signed)


def test_an_administrator_sees_the_audit_log(page, signed):
    sign_in(page, signed.address, ADMIN)
    page.get_by_role("link", name="Administration").click(timeout=PATIENCE)
    shown(page, "Administration")
    log = page.get_by_text(re.compile("prunescope audit prints all"))
    expect(log).to_be_visible(timeout=PATIENCE)
    usable(page)
    with page.expect_download(timeout=PATIENCE) as download:
        page.locator("[class*=download_audit_log__CSV] button").first.click(timeout=PATIENCE)
    assert download.value.suggested_filename == "audit_log.csv"
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert (rows[0]["who"], rows[0]["what"]) == (ADMIN, "export"), "it is in itself"
    assert json.loads(rows[0]["about"]) == {"table": "audit_log"}
    assert [(row["who"], row["what"]) for row in rows[::-1]] == audit(signed)


def test_a_page_left_open_ends_with_the_token(page, signed):
    sign_in(page, signed.address, RESEARCHER, "brief")
    shown(page, "Overview")
    expect(page.get_by_text("Your session has ended.")).to_be_visible(
        timeout=1000 * SHORT_SECONDS + PATIENCE
    )
    expect(page.get_by_role("heading", name="Overview")).to_have_count(0)


def test_a_person_whose_role_is_taken_away_is_out(page, signed):
    sign_in(page, signed.address, RESEARCHER)
    shown(page, "Overview")
    try:
        write_roles(signed.roles, {ADMIN: "admin"})
        expect(page.get_by_text("has no role here")).to_be_visible(timeout=30_000)
    finally:
        write_roles(signed.roles, ROLES)


def test_an_unverified_address_is_refused(page, signed):
    write_roles(signed.roles, ROLES | {UNVERIFIED: "admin"})
    try:
        page.goto(signed.address)
        page.get_by_role("button", name="Sign in with clinic").click(timeout=PATIENCE)
        page.get_by_role("button", name=UNVERIFIED).click()
        expect(page.get_by_text("is not verified")).to_be_visible(timeout=PATIENCE)
    finally:
        write_roles(signed.roles, ROLES)
    assert (UNVERIFIED, "sign-in refused") in audit(signed)
