"""The documentation is true: its commands work, its reference is what the code says, and nothing
that people meet is left out of it."""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from core import results, serve
from core.cli import app
from core.cli.studies import read_study
from core.errors import InputError, WorkError
from core.people import sign_in
from core.study import paths, store
from core.study.config import parse_config
from core.study.labels import Labels
from core.study.settings import RunSettings
from core.study.study import Study
from tests.dicoms import write_dicom
from tests.importing.given import FILES
from tests.page_studies import with_validation
from tests.toys import toy_config, write_toy_study
from tools.reference import pages as reference
from tools.reference import words as say

ROOT = Path(__file__).parents[1]
DOCUMENTS = (
    *sorted((ROOT / "docs").rglob("*.md")),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
)
# What is parsed and not run, by how it begins, and why.
NOT_RUN = {
    "prunescope demo": "trains for minutes and then serves; tests/test_serve.py",
    "prunescope serve": "serves until it is stopped; tests/test_serve.py",
    "prunescope worker": "works until it is stopped; tests/jobs/test_jobs.py",
    "prunescope run": "trains for minutes, on data of one's own; tests/cli/test_cli.py",
    "prunescope preflight": "needs a checkpoint; tests/cli/test_cli_checkpoints.py",
    "prunescope analyze": "needs a checkpoint; tests/cli/test_cli_checkpoints.py",
    "prunescope extend": "computes on a study's own X-rays; tests/engine/test_shared_trainings.py",
    "prunescope jobs cancel": "names a job of one's own; tests/jobs/test_jobs.py",
    "prunescope jobs resume": "names a job of one's own; tests/jobs/test_jobs.py",
}
# Commands of other programs that are not run, and why.
OTHERS = {
    "source .venv/bin/activate": "the tests run in that environment",
    "make": "its targets are looked up in the Makefile",
    ".venv/bin/python -m pytest": "the tests themselves",
    "git clone": "needs the network",
    "docker": "needs a container engine; make image-test",
    "install --directory": "needs root",
}
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
LARGEST_IMAGE = 200_000
LONGEST_README = 100  # lines


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of a language in a document."""
    text = path.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(path: Path) -> list[list[str]]:
    """The words of every command in a document's sh blocks, without comments."""
    lines = [line for block in blocks(path, "sh") for line in block.replace("\\\n", "").split("\n")]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def without_variables(words: list[str]) -> list[str]:
    """Without NAME=value before the command; every such name is a documented one, or the one of
    Streamlit's that `serve` reads."""
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        assert words[0].partition("=")[0] in {*say.VARIABLES, serve.BASE_PATH}, words[0]
        words = words[1:]
    return words


def parse(words: list[str]) -> None:
    """Take a command apart as the command line would; raises where it would refuse."""
    assert words[0] == "prunescope", words
    command, name, rest = reference.commands()["prunescope"], "prunescope", words[1:]
    while children := getattr(command, "commands", None):
        name, *rest = rest
        assert name in children, f"{' '.join(words)}: there is no command {name!r}"
        command = children[name]
    command.make_context(name, rest)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of small finished studies under the names that the documents use."""
    cache = tmp_path_factory.mktemp("made") / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(cache))
        for name in ("demo", "nih-sample", "my-model"):
            config = toy_config(name, paths.cache_dir() / "toy-images")
            folder = write_toy_study(name, 800, config, images=name == "demo")
            with_validation(folder)
    return cache


@pytest.fixture
def workplace(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in as the documents do, with the files they speak of."""
    shutil.copytree(made, tmp_path / "cache", ignore=shutil.ignore_patterns("toy-images"))
    for folder in ("predictions", "labels", "preds", "DIR", "LABELS"):
        (tmp_path / folder).mkdir()
        for path in FILES.glob("*nih-cxr-lt*"):
            if ("labels" in path.name) == (folder.lower() == "labels"):
                shutil.copy(path, tmp_path / folder)
    (tmp_path / "mine").mkdir()
    for prune in ("0", "0.9"):
        rows = "".join(f"{n}.png,0.{n},0.{9 - n}\n" for n in range(1, 9))
        path = tmp_path / "mine" / f"table_resnet50_seed-0_prune-{prune}.csv"
        path.write_text("image_id,Mass,Hernia\n" + rows)
    splits = ("test", "test", "train", "validation")
    rows = "".join(f"{n}.png,{n % 2},{n % 3 // 2},{splits[(n - 1) // 4]}\n" for n in range(1, 17))
    (tmp_path / "labels.csv").write_text("image_id,Mass,Hernia,split\n" + rows)
    write_dicom(tmp_path / "chest.dcm", np.arange(64, dtype=np.uint16).reshape(8, 8))
    own_file = next(iter(blocks(ROOT / "docs/how-to/own-data.md", "toml")))
    (tmp_path / "my-chest-study.toml").write_text(own_file)
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    for variable in ("PRUNESCOPE_JOBS_DATABASE", "PRUNESCOPE_READER_DATABASE"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


def reason_not_to_run(words: list[str], reasons: dict[str, str]) -> str | None:
    line = " ".join(words)
    return next((why for start, why in reasons.items() if f"{line} ".startswith(f"{start} ")), None)


@pytest.mark.parametrize("path", [d for d in DOCUMENTS if commands(d)], ids=name_of)
def test_every_command_in_the_documents_works(path: Path, workplace: Path) -> None:
    for given in commands(path):
        words = without_variables(given)
        line = " ".join(words)
        if words[0] == "make":
            targets = (ROOT / "Makefile").read_text(encoding="utf-8")
            named = [word for word in words[1:] if "=" not in word]
            assert all(re.search(rf"^{name}:", targets, re.MULTILINE) for name in named), line
        elif words[0] == "prunescope":
            parse(words)
            background = "--background" in words
            if not background and reason_not_to_run(words, NOT_RUN):
                settings = [words[at + 1] for at, word in enumerate(words) if word == "--set"]
                if words[1] == "run":  # the file and every setting in the line are good
                    read_study(words[2], tuple(settings))
                continue
            done = CliRunner().invoke(app, words[1:], input="y\n")
            assert done.exit_code == 0, f"{line}: {done.output}"
        elif words[0] == "tar":
            subprocess.run(words, check=True, timeout=60)
        else:
            assert reason_not_to_run(words, OTHERS), f"{line} in {name_of(path)} is not checked"


def test_a_wrong_command_option_or_value_would_be_found() -> None:
    parse(["prunescope", "export", "demo", "pies", "--out", "a.csv"])
    for wrong in (
        "prunescope exprot demo pies --out a.csv",
        "prunescope export demo pies --oot a.csv",
        "prunescope export demo pies",
        "prunescope export demo pies --out a.csv --sparsity much",
        "prunescope bench sweeps",
    ):
        with pytest.raises(Exception, match=r"(?i)exprot|oot|out|number|sweeps"):
            parse(wrong.split())


def docker_commands() -> list[list[str]]:
    return [words for path in DOCUMENTS for words in commands(path) if words[0] == "docker"]


def test_docker_commands_name_what_dockerfile_and_compose_file_have() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    arguments = set(re.findall(r"^ARG (\w+)", dockerfile, re.MULTILINE))
    (port,) = re.findall(r"^EXPOSE (8\d+)", dockerfile, re.MULTILINE)
    folders = set(re.findall(r"^VOLUME (\S+)", dockerfile, re.MULTILINE))
    compose = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    services = set(re.findall(r"^  (\w+):$", compose.partition("\nservices:")[2], re.MULTILINE))
    assert len(docker_commands()) > 8
    for words in docker_commands():
        line = " ".join(words)
        options = dict(pairwise(words))
        named = options.get("--build-arg", "").partition("=")[0]
        assert not named or named in arguments, line
        assert options.get("--publish", port).endswith(f":{port}") or "--publish" not in words, line
        if words[1] == "run":
            assert any(one.endswith(tuple(f":{folder}" for folder in folders)) for one in words), (
                line
            )
            variable = options.get("--env", "").partition("=")[0]
            assert not variable or variable in say.VARIABLES, line
        if words[1] == "exec":
            parse(words[3:])
        if words[1:3] == ["compose", "logs"]:
            assert set(words[3:]) <= services, line


def test_what_is_not_run_is_run_by_the_test_that_its_reason_names() -> None:
    for reason in NOT_RUN.values():
        assert (ROOT / reason.rpartition(" ")[2]).is_file(), reason


def test_a_backup_holds_what_cannot_be_made_again(workplace: Path) -> None:
    (line,) = (words for words in commands(ROOT / "docs/how-to/deploy.md") if words[0] == "tar")
    for name in ("audit.jsonl", "reader_study.sqlite", "pixels/a", "thumbnails/b", "phantoms/c"):
        (workplace / "cache" / name).parent.mkdir(exist_ok=True)
        (workplace / "cache" / name).touch()
    subprocess.run(line, check=True, timeout=60)
    listed = subprocess.run(
        ["tar", "--list", "--file", line[line.index("--file") + 1]],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert {"cache/audit.jsonl", "cache/reader_study.sqlite"} <= set(listed.split())
    assert "class_metrics.parquet" in listed
    assert not re.search("pixels|thumbnails|phantoms", listed)


def test_the_reference_is_what_the_code_says() -> None:
    for name, text in reference.pages().items():
        written = (reference.FOLDER / name).read_text(encoding="utf-8")
        assert written == text, f"docs/reference/{name} is old: run python -m tools.reference.pages"
    assert {path.name for path in reference.FOLDER.iterdir()} == set(reference.pages())


def test_every_table_has_the_columns_that_it_declares_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    folder = write_toy_study(n_images=200)
    labels = with_validation(folder)
    noted = labels.table.assign(wrong_labels="", poor_quality=False)
    store.write_labels(Labels(noted, labels.class_names), folder)
    for name, table in results.TABLES.items():
        assert table.columns.what, name
        assert table.columns.row, name
        if name != "achieved_sparsity":  # made with weights; see below
            made = results.table(Study(folder), name)
            assert list(made.columns) == table.columns.names, name


def test_the_columns_of_achieved_sparsity_are_the_engines() -> None:
    import torch

    from core.engine.pruning import achieved_sparsity

    columns = list(achieved_sparsity(torch.nn.Sequential(torch.nn.Linear(3, 2))).columns)
    assert ["run", "sparsity", *columns] == results.TABLES["achieved_sparsity"].columns.names


def undescribed_setting(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(RunSettings.model_fields["count"], "description", None)


def undescribed_variable(patch: pytest.MonkeyPatch) -> None:
    patch.delitem(say.VARIABLES, "PRUNESCOPE_ROLES")


def variable_that_is_gone(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(say.VARIABLES, "PRUNESCOPE_GONE", "What is no more.")


def undescribed_option(patch: pytest.MonkeyPatch) -> None:
    other = typer.Typer(add_completion=False)

    @other.command(epilog="Example: prunescope")
    def shout(loud: bool = False) -> None:
        """Say something."""

    patch.setattr(reference, "app", other)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (undescribed_setting, "no description of the setting runs.count"),
        (undescribed_variable, "does not describe the variable PRUNESCOPE_ROLES"),
        (variable_that_is_gone, "PRUNESCOPE_GONE, which is not there"),
        (undescribed_option, "no description of --loud, --no-loud of prunescope"),
    ],
)
def test_something_new_without_a_description_is_refused(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[pytest.MonkeyPatch], None], words: str
) -> None:
    change(monkeypatch)
    with pytest.raises(InputError, match=words):
        reference.pages()


def test_every_page_is_in_the_reference_and_its_file_is_there() -> None:
    listed = (reference.FOLDER / "pages.md").read_text(encoding="utf-8")
    pages = reference.dashboard_pages()
    there = {path.name for path in (ROOT / "pages").glob("*.py")} - {"shell.py"}
    assert set(pages) == there
    assert all(f"**{title}**" in listed for title, _ in pages.values())


@pytest.mark.parametrize("path", [d for d in DOCUMENTS if blocks(d, "toml")], ids=name_of)
def test_every_toml_in_the_documents_is_one_that_is_taken(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for block in blocks(path, "toml"):
        sections = tomllib.loads(block)
        if "study" in sections:
            parse_config(sections, name_of(path))
        elif "roles" in sections:
            (tmp_path / "roles.toml").write_text(block)
            monkeypatch.setenv("PRUNESCOPE_ROLES", str(tmp_path / "roles.toml"))
            for role, (email,) in sections["roles"].items():
                claims = {"email": email, "exp": 2**40}
                person = sign_in.person_of(claims)
                assert getattr(person, "role", None) == role
        else:
            assert sections["auth"]["redirect_uri"].endswith("/oauth2callback")


def slugs(path: Path) -> set[str]:
    """The anchors of a document's headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    plain = (re.sub(r"[^\w\s-]", "", heading.lower()).strip() for heading in headings)
    return {re.sub(r"[\s]+", "-", heading) for heading in plain}


def broken_links(path: Path) -> Iterator[str]:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        file = (path.parent / target) if target else path
        if not file.exists() or (anchor and anchor not in slugs(file)):
            yield link


@pytest.mark.parametrize("path", [*DOCUMENTS, ROOT / "data" / "README.md"], ids=name_of)
def test_every_link_and_image_is_there(path: Path) -> None:
    assert list(broken_links(path)) == []


def test_a_broken_link_would_be_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One heading\n[a](page.md#one-heading) ![b](no.png) [c](#two) [d](https://x.y)"
    )
    assert list(broken_links(page)) == ["no.png", "#two"]


def test_images_are_small_and_used() -> None:
    images = sorted((ROOT / "docs" / "images").glob("*.*"))
    texts = "".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    assert images
    assert [path.name for path in images if path.stat().st_size > LARGEST_IMAGE] == []
    assert [path.name for path in images if f"images/{path.name})" not in texts] == []


def test_the_readme_is_short_and_names_the_two_commands() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LONGEST_README
    assert ["make", "demo"] in commands(ROOT / "README.md")
    assert ["make", "test"] in commands(ROOT / "README.md")


def test_every_file_of_a_study_is_on_the_page_about_them(workplace: Path) -> None:
    page = (ROOT / "docs/explanation/on-disk.md").read_text(encoding="utf-8")
    folder = next((workplace / "cache" / "studies").glob("demo-*"))
    for name in results.TABLES:
        with contextlib.suppress(InputError, WorkError):  # of what a study without weights lacks
            results.table(Study(folder), name)
    lasting = [path.name for path in folder.iterdir() if path.suffix != ".lock"]
    assert len(lasting) > 10
    assert [name for name in lasting if f"`{name}" not in page] == []


def test_every_room_of_the_house_is_on_the_page_about_it() -> None:
    page = (ROOT / "docs/explanation/architecture.md").read_text(encoding="utf-8")
    rooms = [path.parent.name for path in (ROOT / "core").glob("*/__init__.py")]
    files = [path.name for path in (ROOT / "core").glob("*.py") if path.name != "__init__.py"]
    assert [room for room in rooms if f" {room}/ " not in page] == []
    assert [file for file in files if f" {file} " not in page] == []


def test_the_tests_and_files_that_security_and_contributing_name_are_there() -> None:
    for name in ("SECURITY.md", "CONTRIBUTING.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for path, test in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text):
            file = ROOT / path
            assert file.is_file(), f"{name}: {path}"
            assert not test or f"def {test}(" in file.read_text(encoding="utf-8"), f"{name}: {test}"
        for path in re.findall(r"`((?:core|pages|data|docs|tools)/[\w./-]+)`", text):
            assert (ROOT / path).exists(), f"{name}: {path}"


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr[-3000:]
    # Nothing is fetched from elsewhere by who reads it.
    page = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert not re.search(r'<(script|img)[^>]+src="https?://|<link[^>]+stylesheet[^>]+//', page)
