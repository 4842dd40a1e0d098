"""`make audit`: what the runtime depends on, under which licences, with which known holes.

Runtime is what requirements.txt names and all that these need, as installed here; tools for tests
and documentation are never passed on. Writes sbom.json (CycloneDX). Exit status: 0 all is well, 1 a
licence is not allowed or a vulnerability is known, 3 vulnerabilities could not be looked up.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from license_expression import ExpressionError, get_spdx_licensing
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
SBOM = ROOT / "sbom.json"
NOT_LOOKED_UP = 3

# What an Apache-2.0 program may be passed on with, without terms of its own changing.
ALLOWED = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause",
    "BSL-1.0", "CC0-1.0", "HPND", "ISC", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0",
    "Unlicense", "Zlib",
}  # fmt: skip
# Packages under other terms that were looked at, each with what was decided.
EXCEPTIONS = {
    "psycopg": "LGPL-3.0: an unchanged library, loaded at run time only where Postgres is used",
    "psycopg-binary": "LGPL-3.0: as psycopg",
    "nvidia-*": "NVIDIA's own: only with CUDA builds of torch, from NVIDIA; never in the CPU image",
    "cuda-toolkit": "NVIDIA's own: as nvidia-*; it holds no file but its name",
}
# What packages call their licence that do not use SPDX.
NAMES = {
    "3-clause bsd license": "BSD-3-Clause",
    "2-clause bsd": "BSD-2-Clause",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "psfl": "PSF-2.0",
    "python software foundation license": "PSF-2.0",
}


def runtime_packages(requirements: Path = ROOT / "requirements.txt") -> dict[str, str]:
    """Canonical name to version of what requirements.txt names and all that these need."""
    lines = requirements.read_text(encoding="utf-8").splitlines()
    todo = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    found: dict[str, str] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    while todo:
        wanted = todo.pop()
        name = canonicalize_name(wanted.name)
        if (name, frozenset(wanted.extras)) in seen:
            continue
        seen.add((name, frozenset(wanted.extras)))
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            sys.exit(f"{wanted.name} is not installed here: run `make demo` or `make test` first.")
        found[name] = package.version
        for text in package.requires or []:
            needed = Requirement(text)
            extras = ("", *wanted.extras)
            if not needed.marker or any(needed.marker.evaluate({"extra": e}) for e in extras):
                todo.append(needed)
    return dict(sorted(found.items()))


def licence_of(record: dict[str, str]) -> str:
    """The licence of a package as SPDX where it can be told, from a record of pip-licenses."""
    for field in ("License-Expression", "License-Metadata", "License-Classifier"):
        given = record.get(field, "UNKNOWN")
        if given != "UNKNOWN" and len(given) < 200 and "\n" not in given:
            return NAMES.get(" ".join(given.lower().split()), given)
    return "UNKNOWN"


def allowed(licence: str) -> bool:
    """Whether a licence expression is met by ALLOWED: every part of AND, one part of OR."""
    spdx = get_spdx_licensing()
    try:
        parsed = spdx.parse(licence, validate=True)
    except ExpressionError:
        return False

    def met(part: object) -> bool:
        children = getattr(part, "args", ())
        if getattr(part, "operator", "").strip() in ("AND", "OR"):
            every = part.operator.strip() == "AND"  # type: ignore[attr-defined]
            return (all if every else any)(met(child) for child in children)
        return str(part) in ALLOWED

    return parsed is not None and met(parsed)


def excepted(name: str) -> str | None:
    """Why a package under other terms may come along, or None."""
    return EXCEPTIONS.get(name) or (EXCEPTIONS["nvidia-*"] if name.startswith("nvidia-") else None)


def licences(packages: dict[str, str]) -> bool:
    """Print the licences that were looked at; True where every one may come along."""
    answer = _python("piplicenses", "--from=all", "--format=json", "--with-system")
    records = {canonicalize_name(one["Name"]): one for one in json.loads(answer.stdout)}
    refused: list[str] = []
    exceptions: dict[str, list[str]] = {}
    for name in packages:
        licence = licence_of(records.get(name, {}))
        if reason := excepted(name):
            exceptions.setdefault(reason, []).append(name)
        elif not allowed(licence):
            refused.append(f"  {name}: {licence}")
    print(f"Licences of {len(packages)} packages; by exception, with the reason:")
    for reason, names in exceptions.items():
        print(f"  {reason} ({', '.join(names)})")
    if refused:
        print("\n".join(["NOT ALLOWED (tools/audit.py lists what is):", *refused]))
    return not refused


def sbom(packages: dict[str, str]) -> None:
    """Write sbom.json: the packages of the runtime, without the tools installed beside them."""
    arguments = ("environment", "--pyproject", str(ROOT / "pyproject.toml"), "--of", "JSON")
    bom = json.loads(_python("cyclonedx_py", *arguments).stdout)
    kept = [one for one in bom["components"] if canonicalize_name(one["name"]) in packages]
    refs = {one["bom-ref"] for one in kept} | {bom["metadata"]["component"]["bom-ref"]}
    bom["components"] = kept
    bom["dependencies"] = [
        one | {"dependsOn": [ref for ref in one.get("dependsOn", []) if ref in refs]}
        for one in bom["dependencies"]
        if one["ref"] in refs
    ]
    SBOM.write_text(json.dumps(bom, indent=1) + "\n", encoding="utf-8")
    print(f"SBOM: {len(kept)} packages in {SBOM.name} (CycloneDX {bom['specVersion']}).")


def vulnerabilities(packages: dict[str, str]) -> int:
    """Ask PyPI's advisories of every package; prints and returns an exit status."""
    pinned = ROOT / ".audit-requirements.txt"
    pinned.write_text("".join(f"{name}=={version}\n" for name, version in packages.items()))
    try:
        answer = _python(
            "pip_audit", "-r", str(pinned), "--no-deps", "--disable-pip", "--format=json",
            "--progress-spinner=off", "--timeout=10", check=False,
        )  # fmt: skip
    finally:
        pinned.unlink()
    try:
        asked = json.loads(answer.stdout)["dependencies"]
    except (ValueError, KeyError):
        said = (answer.stderr.strip().splitlines() or ["nothing"])[-1]
        print(f"Vulnerabilities: NOT CHECKED. pip-audit said: {said}")
        return NOT_LOOKED_UP
    return judged(asked)


def judged(asked: list[dict]) -> int:
    """Print what pip-audit found in its own form, and return an exit status."""
    unknown = [one["name"] for one in asked if "skip_reason" in one]
    known = [(one["name"], one["version"], hole) for one in asked for hole in one.get("vulns", [])]
    for name, version, hole in known:
        fixed = ", ".join(hole.get("fix_versions", [])) or "no version yet"
        print(f"  {name} {version}: {hole['id']}, fixed in {fixed}")
    if unknown:
        print(
            f"Vulnerabilities: NOT CHECKED for {len(unknown)} of {len(asked)} packages, for PyPI's "
            "advisories could not be had (is this machine online?): "
            + ", ".join(unknown[:5])
            + (" ..." if len(unknown) > 5 else "")
        )
    else:
        print(f"Vulnerabilities: {len(known)} known in {len(asked)} packages.")
    if known:
        return 1
    return NOT_LOOKED_UP if unknown else 0


def _python(module: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=check)


def main() -> int:
    packages = runtime_packages()
    fine = licences(packages)
    sbom(packages)
    status = vulnerabilities(packages)
    return status if fine else 1


if __name__ == "__main__":
    sys.exit(main())
