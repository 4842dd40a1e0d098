"""The command line: quick to start, explained with examples, and refusing in sentences."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import typer.main
from typer.testing import CliRunner

from core import jobs
from core.analysis.overall import OVERALL
from core.cli import app
from core.cli.studies import STUDY_FILES
from core.errors import WorkError
from core.study import paths
from core.study.config import read_config
from core.study.progress import Progress
from tests.page_studies import with_validation, write_imported_study
from tests.toys import toy_config, write_toy_study

ROOT = Path(__file__).parents[2]
STUDY_FILE = """
study = { name = "mine" }
dataset = { kind = "phantom", n_patients = 20 }
model = { architecture = "resnet_small", image_size = 32 }
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PRUNESCOPE_JOBS_DATABASE", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def study_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(STUDY_FILE)
    return path


def call(*arguments: object) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


def command_paths() -> list[tuple[str, ...]]:
    def below(command: object, path: tuple[str, ...]) -> list[tuple[str, ...]]:
        children = getattr(command, "commands", {})
        return [path] + [p for name in children for p in below(children[name], (*path, name))]

    return below(typer.main.get_command(app), ())


def test_the_commands_are_the_documented_ones() -> None:
    names = {" ".join(path) for path in command_paths()}
    assert names == {
        "", "demo", "run", "extend", "studies", "export", "query", "report", "import-predictions",
        "serve", "worker",
        "preflight", "analyze", "look", "audit", "delete",
        "jobs", "jobs list", "jobs cancel", "jobs resume",
        "reader-study", "reader-study create", "reader-study list", "reader-study results",
        "reader-study export", "reader-study size",
    }  # fmt: skip


@pytest.mark.parametrize("path", command_paths(), ids=" ".join)
def test_every_command_has_help_with_an_example(path: tuple[str, ...]) -> None:
    status, out, _ = call(*path, "--help")
    assert status == 0
    example = rf"Example(,[\w\s]+)?:\s+prunescope {' '.join(path)}".rstrip()
    assert re.search(example, out)


def test_help_comes_within_a_second_without_torch_or_pandas() -> None:
    code = "import sys; from core.cli import app; app(['--help'], standalone_mode=False); "
    code += "sys.exit(bool({'torch', 'pandas', 'dbos', 'streamlit'} & set(sys.modules)))"
    before = os.times()
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    # Of processor time, since the machine may be busy with something else.
    assert sum(after[2:4]) - sum(before[2:4]) < 1


def test_the_version_is_told() -> None:
    status, out, _ = call("--version")
    assert (status, out.split()[0]) == (0, "prunescope")


def test_a_study_that_is_finished_is_not_queued_again(study_file: Path) -> None:
    Progress(paths.study_dir(read_config(study_file)), 1).end("finished")
    assert call("run", study_file, "--background") == (0, "mine is finished already.\n", "")
    assert jobs.jobs() == []


def test_a_finished_study_of_an_older_version_is_queued_by_its_name() -> None:
    """Its validation predictions of pruned models are still to be made; see `run_study`."""
    with_validation(folder := write_toy_study("older", images=False))
    Progress(folder, 1).end("finished")
    status, out, _ = call("run", "older", "--background")
    assert status == 0
    assert "queued as job" in out
    assert [job.study_id for job in jobs.jobs()] == [folder.name]


def test_an_imported_study_cannot_be_run() -> None:
    folder = write_imported_study(n_images=60)
    status, _, err = call("run", "published")
    assert status == 2
    assert "imported, without the network" in err
    assert not paths.progress_path(folder).exists()


def test_an_unknown_study_file_is_refused_with_the_ones_that_come_along() -> None:
    status, out, err = call("run", "nowhere")
    assert (status, out) == (2, "")
    assert err.startswith("There is no study file 'nowhere'.")
    assert "nih-cxr-lt" in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("runs.count=0", "runs.count: Input should be greater than or equal to 1 (given: '0')"),
        ("runs.counts=2", "runs.counts is not a setting; did you mean runs.count."),
        ("count=2", "not of the form section.key=value"),
    ],
)
def test_a_wrong_setting_is_one_sentence_and_status_2(
    study_file: Path, setting: str, words: str
) -> None:
    status, _, err = call("run", study_file, "--set", setting)
    assert status == 2
    assert words in err
    assert len(err.strip().splitlines()) == 1


def test_settings_reach_the_study_and_equal_ones_are_one_job(study_file: Path) -> None:
    arguments = ("run", study_file, "--set", "runs.count=2", "--background")
    status, out, _ = call(*arguments)
    assert status == 0
    assert "The worker of `prunescope serve` takes it up" in out
    assert call(*arguments)[0] == 0
    (job,) = jobs.jobs()
    assert (job.study_name, job.status) == ("mine", "queued")
    assert job.id in out


@pytest.mark.parametrize("name", sorted(path.stem for path in STUDY_FILES.glob("*.toml")))
def test_a_name_stands_for_a_study_file_that_comes_along(name: str) -> None:
    status, out, err = call("run", name, "--background")
    assert (status, err) == (0, "")
    assert out.startswith(f"{name}: queued")


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (WorkError("The disk is full."), 1, "The disk is full.\n"),
        (KeyboardInterrupt(), 130, "stopped; run the same command again to go on\n"),
    ],
)
def test_failed_and_stopped_work_have_their_own_statuses(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, words: str
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr("core.study.store.list_studies", fail)
    assert call("studies") == (status, "", words)


def test_studies_are_listed_with_how_far_they_are(cache: Path) -> None:
    assert "no studies yet" in call("studies")[1]
    write_toy_study("done", images=False)
    folder = write_toy_study("cut-short", images=False, config=toy_config("cut-short"))
    paths.prediction_path(folder, 1, 0.95).unlink()
    Progress(folder, 2).start("training", "epochs")  # and then its process went away
    Progress(paths.study_dir(toy_config("done", cache / "toy-images")), 2).end("finished")
    status, out, _ = call("studies")
    assert status == 0
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()[1:]}
    assert rows == {
        "cut-short": ["table", "resnet_small", "7/8", "interrupted"],
        "done": ["table", "resnet_small", "8/8", "finished"],
    }


def test_an_export_says_what_it_wrote(tmp_path: Path) -> None:
    write_toy_study(images=False)
    out_file = tmp_path / "pies.parquet"
    status, out, _ = call("export", "toy", "pies", "--out", out_file, "--sparsity", 0.5)
    assert (status, out) == (0, f"200 rows written to {out_file}\n")
    assert pd.read_parquet(out_file)["is_pie"].sum() == 10
    status, _, err = call("export", "toy", "pie", "--out", out_file)
    assert status == 2
    assert "Tables: class_metrics" in err


def test_an_export_can_describe_a_table_without_a_study() -> None:
    status, out, _ = call("export", "--describe", "overall")
    what, first, *others = out.splitlines()
    assert status == 0
    assert what.endswith("One row: a sparsity.")
    assert first.startswith("sparsity (fraction of weights): Fraction of the prunable weights")
    assert len(others) == len(OVERALL) - 1
    status, _, err = call("export", "--describe", "nothing")
    assert status == 2
    assert "Tables: class_metrics" in err


def test_a_run_in_the_foreground_reports_its_stages_and_where_the_study_is(
    cache: Path, study_file: Path
) -> None:
    """The real engine, on twenty synthetic patients."""
    settings = ("runs.count=1", "training.epochs=1", "training.batch_size=8", "dataset.size=32")
    arguments = [part for setting in settings for part in ("--set", setting)]
    status, out, err = call("run", study_file, "--set", "sweep.sparsities=[0, 0.9]", *arguments)
    assert status == 0, err
    assert f"mine is finished: {cache / 'studies'}" in out
    assert "Training run 1 of 1" in err
    status, out, _ = call("studies")
    assert status == 0
    assert out.splitlines()[1].split() == ["mine", "phantom", "resnet_small", "2/2", "finished"]
    other = call("run", study_file, "--set", "runs.count=2", "--set", "dataset.size=32")
    assert other[0] == 2
    assert "exists with other settings" in other[2]


def test_a_report_is_written_and_refused_in_one_sentence(tmp_path: Path) -> None:
    write_toy_study(images=False)
    status, out, _ = call("report", "toy", "--out", tmp_path / "toy.html")
    assert (status, out) == (0, f"Report written to {tmp_path / 'toy.html'}\n")
    assert (tmp_path / "toy.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    status, _, err = call("report", "toy", "--out", tmp_path / "toy.doc")
    assert status == 2
    assert err == "toy.doc does not end in .html.\n"


def test_a_query_is_printed_or_written(cache: Path, tmp_path: Path) -> None:
    write_toy_study(images=False)
    sql = "select count(*) as n from labels where split = 'test'"
    status, out, _ = call("query", "toy", sql)
    assert (status, out.split()) == (0, ["n", "200"])
    written = tmp_path / "n.csv"
    assert call("query", "toy", sql, "--out", written)[0] == 0
    assert written.read_text() == "n\n200\n"
    status, _, err = call("query", "toy", "drop table labels")
    assert (status, "changes nothing" in err) == (2, True)


def test_an_export_and_a_query_can_be_of_a_subgroup(tmp_path: Path) -> None:
    write_toy_study(images=False)
    out_file = tmp_path / "part.csv"
    chosen = ("--subgroup", "view:PA,age:60-")
    assert call("export", "toy", "class_frequencies", "--out", out_file, *chosen)[0] == 0
    n = int(pd.read_csv(out_file).set_index("class_name")["test_positives"]["Effusion"])
    status, out, _ = call("query", "toy", "select sum(Effusion)::int as n from labels", *chosen)
    assert (status, out.split()) == (0, ["n", str(n)])
    for command in (("export", "toy", "overall", "--out", out_file), ("query", "toy", "select 1")):
        status, _, err = call(*command, "--subgroup", "sex:F")
        assert status == 2
        assert err.startswith("The test images of this study cannot be chosen by 'sex'.")
