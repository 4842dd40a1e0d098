"""What `make audit` lets pass: licences, and vulnerabilities that were really looked up."""

from __future__ import annotations

import pytest

from tools import audit


@pytest.mark.parametrize(
    "licence", ["MIT", "MPL-2.0 AND (Apache-2.0 OR MIT)", "GPL-3.0-only OR MIT", "BSD-3-Clause"]
)
def test_what_an_apache_program_may_take_along_passes(licence: str) -> None:
    assert audit.allowed(licence)


@pytest.mark.parametrize(
    "licence",
    ["GPL-3.0-or-later", "MIT AND AGPL-3.0-only", "UNKNOWN", "", "Read the file", "LGPL-3.0-only"],
)
def test_what_binds_us_or_is_not_known_does_not(licence: str) -> None:
    assert not audit.allowed(licence)


def test_a_licence_is_read_from_the_most_exact_field() -> None:
    record = {
        "License-Expression": "UNKNOWN",
        "License-Metadata": "a whole licence\n" * 50,
        "License-Classifier": "MIT License",
    }
    assert audit.licence_of(record) == "MIT"
    assert audit.licence_of(record | {"License-Expression": "GPL-2.0-only"}) == "GPL-2.0-only"
    assert audit.licence_of({}) == "UNKNOWN"


def test_the_runtime_is_what_requirements_name_and_what_that_needs(tmp_path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("# to draw\njinja2==3.1.6\n")
    assert set(audit.runtime_packages(requirements)) == {"jinja2", "markupsafe"}
    assert {"torch", "streamlit", "authlib"} <= set(audit.runtime_packages())
    assert "pytest" not in audit.runtime_packages()


def test_every_package_of_the_runtime_may_come_along(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.licences(audit.runtime_packages()), capsys.readouterr().out


def test_vulnerabilities_that_could_not_be_looked_up_are_no_pass(
    capsys: pytest.CaptureFixture[str],
) -> None:
    fine = {"name": "a", "version": "1", "vulns": []}
    hole = {"id": "PYSEC-1", "fix_versions": ["2"]}
    skipped = {"name": "c", "skip_reason": "not found"}
    assert audit.judged([fine]) == 0
    assert audit.judged([fine, fine | {"vulns": [hole]}, skipped]) == 1
    assert "PYSEC-1, fixed in 2" in capsys.readouterr().out
    assert audit.judged([fine, skipped]) == audit.NOT_LOOKED_UP
    assert "NOT CHECKED for 1 of 2 packages" in capsys.readouterr().out
