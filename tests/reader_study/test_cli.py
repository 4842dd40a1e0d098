"""`prunescope reader-study`: a reader study made, read and taken out without the dashboard."""

from pathlib import Path

import pandas as pd
from typer.testing import CliRunner

from core.cli import app
from core.reader_study import database
from tests.reader_study.toy_readings import answer_all
from tests.toys import write_toy_study


def call(*arguments: object) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    result = CliRunner().invoke(app, ["reader-study", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def test_a_reader_study_from_making_to_exporting(tmp_path: Path) -> None:
    assert "no reader studies yet" in call("list")[1]
    write_toy_study()
    asked = ("toy", "--name", "mine", "--pies", 5, "--non-pies", 5, "--reader", "a@b.org")
    status, out, err = call("create", *asked, "--reader", "local")
    assert (status, err) == (0, "")
    assert "mine is ready for 2 readers" in out
    assert "5 PIEs and 5 non-PIEs at 90 % sparsity, matched (" in out
    assert "Readers see 10 % of their images twice." in out
    assert "a difference of 0.5 points (of these readers) is found in" in out
    assert database.find("mine").created_by == "local"
    assert "0 of 2 readers finished" in call("list")[1]
    assert "Too few to test" in call("results", "mine")[1]
    for shift, reader in enumerate(("a@b.org", "local")):
        answer_all(database.find("mine"), reader, shift)
    assert "2 of 2 readers finished" in call("list")[1]
    assert "kruskal_h" in call("results", "mine")[1]
    status, out, _ = call("export", "mine", "--out", tmp_path / "out", "--format", "parquet")
    assert status == 0
    answers = pd.read_parquet(tmp_path / "out" / "mine_answers.parquet")
    assert set(answers["reader"]) == {"reader 1", "reader 2"}
    scales = answers[answers["question"] != "label_shown"]
    assert (len(scales), scales["again"].sum()) == (2 * 2 * 11, 4), "one image in ten twice"
    assert (tmp_path / "out" / "mine_codebook.parquet") == Path(out.splitlines()[-1])


def test_a_reader_study_made_in_a_terminal_can_be_a_researchers() -> None:
    write_toy_study()
    asked = ("toy", "--name", "hers", "--pies", 5, "--non-pies", 5, "--reader", "a@b.org")
    assert call("create", *asked, "--owner", "Rolf@clinic.org")[0] == 0
    assert database.find("hers").created_by == "rolf@clinic.org"


def test_the_design_of_the_paper_can_be_had() -> None:
    write_toy_study()
    asked = ("toy", "--name", "paper", "--pies", 5, "--non-pies", 7, "--reader", "a@b.org")
    status, out, _ = call("create", *asked, "--unmatched", "--questions", "image", "--repeats", 0)
    assert status == 0
    assert "5 PIEs and 7 non-PIEs at 90 % sparsity, not matched" in out
    made = database.find("paper")
    assert (made.matched, made.design.form, made.design.repeats) == (False, "image", 0)


def test_more_readers_and_more_images_find_a_difference_more_often() -> None:
    status, out, _ = call("size", "--readers", 4, "--readers", 8, "--pies", 20, "--pies", 100)
    assert status == 0
    rows = [line.split() for line in out.splitlines()[1:5]]
    power = {(int(row[0]), int(row[1])): float(row[2]) for row in rows}
    assert power[4, 40] < power[8, 40] < power[8, 200]


def test_what_cannot_be_is_refused_in_one_sentence() -> None:
    write_toy_study()
    for arguments, words in [
        (("create", "toy", "--name", "x", "--reader", "a@b.org"), "has 10 PIEs"),
        (("create", "toy", "--name", "x", "--reader", "no body"), "is no reader"),
        (("results", "nowhere"), "There is no reader study 'nowhere'"),
    ]:
        status, _, err = call(*arguments)
        assert status == 2
        assert words in err
        assert len(err.strip().splitlines()) == 1
