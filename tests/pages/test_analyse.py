"""The page of a brought checkpoint, in each of its states, with real uploads and preflights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from core import jobs
from core.checkpoints import analyses, preflights
from core.checkpoints.preflight import PreflightOptions
from core.cli import app as cli
from core.study import paths
from core.study.config import StudyConfig, read_config
from core.ui.analyse import report as preflight_report
from core.ui.analyse import steps
from core.upload import datasets, uploads
from core.upload.uploads import Upload
from tests.pages.test_pages import open_page, said
from tests.waiting import until

STUDY_FILE = """
study = { name = "grey-lungs", title = "Grey lungs" }
dataset = { kind = "phantom", n_patients = 40, size = 32 }
model = { architecture = "resnet_small", image_size = 32 }
sweep = { sparsities = [0, 0.9] }
"""
SMALL = PreflightOptions(image_size=32)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("analyse") / "cache"


@pytest.fixture(scope="module")
def study_file(cache: Path) -> Path:
    """Beside the study files that come along, as one of them."""
    folder = cache.parent / "studies"
    folder.mkdir()
    (folder / "grey-lungs.toml").write_text(STUDY_FILE)
    return folder / "grey-lungs.toml"


@pytest.fixture(autouse=True)
def _here(cache: Path, study_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(cache))
    monkeypatch.delenv("PRUNESCOPE_JOBS_DATABASE", raising=False)
    monkeypatch.setattr(preflights, "STUDY_FILES", study_file.parent)


def keep(path: Path, name: str) -> Upload:
    content = path.read_bytes()
    ticket = uploads.read_ticket(uploads.address("checkpoint", "local").rpartition("/")[2])
    assert ticket
    with uploads.receiving(ticket, name, len(content)) as place:
        place.write(content)
        return place.finish()


def network(n_outputs: int, path: Path) -> Path:
    from core.engine.models import build_model
    from core.study.settings import ModelSettings

    settings = ModelSettings(architecture="resnet_small", image_size=32)
    torch.save({"state_dict": build_model(settings, n_outputs, seed=0).state_dict()}, path)
    return path


@pytest.fixture(scope="module")
def checkpoint(cache: Path) -> Path:
    return network(20, cache.parent / "Best model (2).pt")


@pytest.fixture(scope="module")
def arrived(cache: Path, study_file: Path, checkpoint: Path) -> Upload:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(cache))
        return keep(checkpoint, checkpoint.name)


def answered(upload: Upload, base: StudyConfig, options: PreflightOptions) -> preflights.Question:
    """A question the real child has answered."""
    question = preflights.Question(upload, base, options)
    preflights.ask(question)
    until(lambda: preflights.answer(question).state != "working")
    return question


def base() -> StudyConfig:
    return preflights.datasets([], "local")["grey-lungs"]


def button(at: AppTest, label: str):
    return next(one for one in at.button if one.label == label)


def test_at_first_all_steps_are_there(cache: Path) -> None:
    at = open_page("analyse.py")
    headers = [one.value for one in at.header]
    assert headers == ["1. The checkpoint", "2. The dataset", "3. Preflight", "4. Run"]
    assert "once there is a file and a dataset" in said(at)
    assert "Nothing in the file is ever run" in said(at)


def test_what_is_not_there_or_not_yours_is_said(arrived: Upload) -> None:
    at = open_page("analyse.py", upload="0" * 32, dataset="<b>gone</b>")
    assert "not there, or not yours" in at.warning[0].value
    assert "There is no dataset" in at.warning[1].value
    assert "<b>gone" not in at.warning[1].value


def test_an_earlier_upload_is_chosen(arrived: Upload) -> None:
    at = open_page("analyse.py")
    at.selectbox(key="earlier_upload").set_value(arrived.id).run()
    assert at.query_params["upload"] == arrived.id
    assert "Best model" in said(at)
    at.selectbox(key="dataset_choice").set_value("grey-lungs").run()
    assert at.query_params["dataset"] == "grey-lungs"
    assert "Cancel" in [one.label for one in at.button]
    for question in arrived.folder.glob("preflights/*"):
        preflights.children.end(question)


def test_a_report_is_read_and_the_study_is_the_command_lines(
    arrived: Upload, checkpoint: Path, study_file: Path
) -> None:
    question = answered(arrived, base(), SMALL)
    address = {"upload": arrived.id, "dataset": "grey-lungs", "look": question.key}
    at = open_page("analyse.py", **address)
    text = said(at)
    assert at.header[3].value == "4. Run"
    for words in ("chance", "resnet", "All 74 match", "names no classes"):
        assert words in text + "".join(one.value for one in (*at.warning, *at.success, *at.info))
    assert "--classes" not in text
    assert 'src="data:image/png;base64,' in text, "what the network sees"
    assert at.text_input(key="study_name").value == "best-model-2-on-grey-lungs"

    # Refreshing brings the same report, and asks nothing again.
    before = {path.name for path in (arrived.folder / "preflights").iterdir()}
    open_page("analyse.py", **address)
    assert {path.name for path in (arrived.folder / "preflights").iterdir()} == before

    at = open_page("analyse.py", **address, grid=steps.OTHER_GRID, sparsities="5, 10")
    assert at.text_input(key="sparsities").value == "5, 10"
    at.text_input(key="sparsities").set_value("50, many").run()
    assert "many" in at.error[0].value
    assert not [one for one in at.button if one.label == "Start the study"]
    at.text_input(key="sparsities").set_value("95, 50,70,80,90").run()
    at.text_input(key="study_name").set_value("mine")
    # Given without a choice, images that cannot be read are left out, however many.
    assert at.selectbox(key="bad_images").value == "leave out and list"
    button(at, "Start the study").click().run()
    (submitted,) = jobs.jobs()
    assert submitted.study_name == "mine"
    arguments = ["analyze", checkpoint, "--dataset", study_file, "--set", "model.image_size=32"]
    arguments += ["--set", "sweep.sparsities=[0,0.5,0.7,0.8,0.9,0.95]", "--study", "mine"]
    result = CliRunner().invoke(cli, [str(one) for one in [*arguments, "--background"]])
    assert result.exit_code == 0, result.stderr
    assert [job.study_id for job in jobs.jobs()] == [submitted.study_id], "one study, one job"

    report = preflights.answer(question).report
    assert report
    bad = {
        words: analyses.analysis_config(report, overrides=overrides).dataset
        for words, overrides in analyses.BAD_IMAGES.items()
    }
    assert {words: (one.on_bad_image, one.bad_image_share) for words, one in bad.items()} == {
        "leave out and list": ("skip", 1), "leave out, at most 1 %": ("skip", 0.01),
        "leave out, at most 5 %": ("skip", 0.05), "stop at the first": ("fail", 1),
    }  # fmt: skip
    config = analyses.analysis_config(report)
    assert config.checkpoint
    assert config.checkpoint.path == arrived.path
    assert config.study.title == "Best model (2).pt on Grey lungs"


def test_a_typed_name_stands_in_the_address_until_there_is_another_report(arrived: Upload) -> None:
    question = answered(arrived, base(), SMALL)
    address = {"upload": arrived.id, "dataset": "grey-lungs", "look": question.key}
    at = open_page("analyse.py", **address)
    assert "name" not in at.query_params, "what is proposed"
    at.text_input(key="study_name").set_value("typed-by-hand").run()
    assert at.query_params["name"] in ("typed-by-hand", ["typed-by-hand"])

    kept = {"name": "typed-by-hand", "bad_images": "stop at the first"}
    at = open_page("analyse.py", **address, **kept)  # refreshed, or sent on
    assert at.selectbox(key="bad_images").value == "stop at the first"
    assert at.text_input(key="study_name").value == "typed-by-hand"
    at.text_input(key="study_name").set_value("best-model-2-on-grey-lungs").run()
    assert "name" not in at.query_params
    at.text_input(key="study_name").set_value("typed-by-hand").run()
    button(at, "Choose another file").click().run()
    assert "name" not in at.query_params, "it was of another report"

    long = open_page("analyse.py", **address, name="<b>" + "x" * 500)
    assert len(long.text_input(key="study_name").value) == steps.LONGEST_STUDY_NAME
    button(long, "Start the study").click().run()
    assert "study.name" in long.error[0].value.replace("\\", "")


def test_three_outputs_for_twenty_classes_can_be_named(cache: Path, arrived: Upload) -> None:
    upload = keep(network(3, cache.parent / "three.pt"), "three.pt")
    question = answered(upload, base(), SMALL)
    address = {"upload": upload.id, "dataset": "grey-lungs", "look": question.key}
    at = open_page("analyse.py", **address)
    assert "Refused" in at.error[0].value
    assert "in the table below" in at.error[0].value
    assert "Start the study" not in [one.label for one in at.button]
    assert "Nothing says which output stands for which class" in said(at)

    report = preflights.answer(question).report
    assert report
    assert report.outputs
    assert report.outputs.dataset_classes[0] == "Atelectasis"
    assert "order_of_outputs" not in at.session_state, "no published list has three classes"
    chosen = PreflightOptions(image_size=32, classes=("Hernia", "", "Mass"))
    again = answered(upload, base(), chosen)
    assert preflights.choices(upload, again.key) == chosen
    at = open_page("analyse.py", **(address | {"look": again.key}))
    assert not at.error
    assert button(at, "Start the study")


def test_fourteen_outputs_are_named_all_at_once(cache: Path) -> None:
    upload = keep(network(14, cache.parent / "chexnet.pt"), "chexnet.pt")
    question = answered(upload, base(), SMALL)
    address = {"upload": upload.id, "dataset": "grey-lungs", "look": question.key}
    at = open_page("analyse.py", **address)
    assert "Refused" in at.error[0].value
    order = at.selectbox(key="order_of_outputs")
    assert order.options == ["nih-cxr14, without No Finding"]
    order.set_value(order.options[0]).run()
    button(at, "Look again with these choices").click().run()
    chosen = preflights.choices(upload, at.query_params["look"]).classes
    assert chosen
    assert chosen[:4] == ("Atelectasis", "Cardiomegaly", "Effusion", "Infiltration")
    assert chosen[12:] == ("Pleural Thickening", "Hernia"), "in the dataset's own words"
    preflights.forget(preflights.Question(upload, base(), PreflightOptions(None, chosen, None, 32)))


def test_what_is_no_checkpoint_is_one_sentence(cache: Path) -> None:
    (cache.parent / "photo").write_bytes(b"\xff\xd8\xff\xe0" + bytes(90))
    upload = keep(cache.parent / "photo", "my <b>photo</b>.pt")
    question = answered(upload, base(), PreflightOptions())
    at = open_page("analyse.py", upload=upload.id, dataset="grey-lungs", look=question.key)
    assert "is a JPEG image and no checkpoint" in at.error[0].value
    assert "upload-" not in at.error[0].value
    assert "<b>" not in said(at)


def test_a_child_that_died_can_be_asked_again(cache: Path, arrived: Upload) -> None:
    question = preflights.Question(arrived, base(), PreflightOptions(image_size=64))
    preflights.ask(question)
    preflights.children.end(question.folder)
    until(lambda: preflights.answer(question).state != "working")
    address = {"upload": arrived.id, "dataset": "grey-lungs", "look": question.key}
    at = open_page("analyse.py", **address)
    assert "ended without an answer" in at.error[0].value
    button(at, "Try again").click().run()
    assert preflights.answer(question).state == "working"
    preflights.forget(question)
    assert not question.folder.exists()


def test_an_upload_is_deleted_with_a_yes(cache: Path, checkpoint: Path) -> None:
    upload = keep(checkpoint, "gone soon.pt")
    at = open_page("analyse.py", upload=upload.id)
    at.button(key="delete_upload").click().run()
    assert uploads.find(upload.id, "local") is None
    assert "upload" not in at.query_params


def own_dataset(name: str) -> datasets.OwnDataset:
    folder = datasets.datasets_dir() / f"{name}-00000000"
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "1.png").write_bytes(bytes(250_000))
    table = {"kind": "table", "images": folder / "images", "labels": folder / "labels.csv"}
    said = "\n".join(f'{key} = "{value}"' for key, value in table.items())
    model = '[model]\narchitecture = "resnet50"\n'
    (folder / "study.toml").write_text(f'[study]\nname = "{name}"\n[dataset]\n{said}\n{model}')
    datasets.write_note(folder, "local")
    return next(one for one in datasets.datasets_of("local") if one.name == name)


def test_a_dataset_of_ones_own_is_deleted_with_a_yes(cache: Path) -> None:
    dataset, used = own_dataset("our-clinic"), own_dataset("in-use")
    folder = paths.study_dir(used.config)
    folder.mkdir(parents=True)
    paths.study_json(folder).write_text(json.dumps({"config": used.config.model_dump(mode="json")}))
    at = open_page("analyse.py", dataset="our-clinic")
    assert "our-clinic &nbsp; 0.3 MB" in said(at)
    at.button(key=f"delete_{used.folder.name}").click().run()
    assert "used by study in" in at.error[0].value
    at.button(key=f"delete_{dataset.folder.name}").click().run()
    assert not at.exception
    assert not dataset.folder.exists()
    assert "dataset" not in at.query_params
    assert "our-clinic" not in said(at)
    assert used.images.exists()


def test_a_guest_is_told_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    import streamlit as st

    get = st.get_option
    changed = {"server.address": "0.0.0.0"}
    monkeypatch.setattr(st, "get_option", lambda name: changed.get(name) or get(name))
    at = open_page("analyse.py")
    assert any("people who sign in" in one.value for one in at.info)
    assert not at.header


def test_the_engines_words_are_a_pages_words() -> None:
    for given, words in (
        ('If they are some, say which, in order: --classes "A,B".', "say which in the table below"),
        ("under other names, give --classes.", "say so in the table below"),
    ):
        assert words in preflight_report.on_page(given)
        assert "--" not in preflight_report.on_page(given)


def test_the_study_file_of_the_tests_is_one() -> None:
    assert read_config(preflights.STUDY_FILES / "grey-lungs.toml").study.name == "grey-lungs"


def test_of_two_networks_in_a_file_one_is_chosen_and_its_weights_are_renamed() -> None:
    def page() -> None:
        import streamlit as st

        from core.checkpoints.preflight import FileFacts, NetworkInFile, Preflight, PreflightOptions
        from core.ui.analyse import report

        two = (NetworkInFile("model", 9), NetworkInFile("ema", 9))
        file = FileFacts("two.pt", "0" * 64, 10, "torch archive", {}, networks=two)
        found = Preflight("key", file, "fingerprint", refusal=file.question)
        report.verdict(found)
        st.session_state["options"] = report.details(found, PreflightOptions())

    at = AppTest.from_function(page, default_timeout=120).run()
    asked = at.error[0].value.replace("\\", "")
    assert "2 networks: model (9 weights) and ema (9 weights). Choose one below." in asked
    at.selectbox(key="network_in_file").select("ema (9 weights)")
    at.text_area(key="rename_weights").input("net.=\n").run()
    options = at.session_state["options"]
    assert (options.network, options.rename) == ("ema", ("net.=",))


def test_of_networks_that_a_file_fits_alike_one_is_chosen() -> None:
    def page() -> None:
        import streamlit as st

        from core.checkpoints.checks import Twin, which_twin
        from core.checkpoints.preflight import FileFacts, Preflight, PreflightOptions
        from core.ui.analyse import report

        twins = (Twin("timm/resnetblur18", 0.81), Twin("resnet18", 0.62))
        file = FileFacts("r.pt", "0" * 64, 10, "torch archive", {})
        asked = which_twin(twins, 200)
        found = Preflight("key", file, "fingerprint", twins=twins, refusal=asked)
        report.verdict(found)
        st.session_state["options"] = report.details(found, PreflightOptions())

    at = AppTest.from_function(page, default_timeout=120).run()
    asked = at.error[0].value.replace("\\", "")
    assert "timm/resnetblur18 predicts them best. Choose one below." in asked
    pick = at.selectbox(key="architecture")
    assert pick.options[:2] == ["Choose one", "timm/resnetblur18 (mean AUROC 0.810)"]
    assert at.session_state["options"].architecture is None
    pick.select(pick.options[1]).run()
    assert at.session_state["options"].architecture == "timm/resnetblur18"


def test_between_the_layers_of_a_classifier_one_activation_is_chosen() -> None:
    def page() -> None:
        from typing import get_args

        import streamlit as st

        from core.checkpoints.checks import Twin, which_activation
        from core.checkpoints.preflight import (
            ArchitectureFacts,
            FileFacts,
            Preflight,
            PreflightOptions,
        )
        from core.study.given_networks import Activation
        from core.ui.analyse import report

        names = reversed(get_args(Activation))
        measured = tuple(Twin(name, 0.8 - n / 10) for n, name in enumerate(names))
        facts = ArchitectureFacts("resnet34", "guessed", "timm", 1.0, 3, 64, head="8 relu")
        found = Preflight(
            "key",
            FileFacts("r.pt", "0" * 64, 10, "torch archive", {}),
            "fingerprint",
            architecture=facts,
            activations=measured,
            refusal=which_activation("8 relu", measured, 200),
        )
        report.verdict(found)
        st.session_state["options"] = report.details(found, PreflightOptions())

    at = AppTest.from_function(page, default_timeout=120).run()
    assert "linear predicts them best. Choose one below." in at.error[0].value.replace("\\", "")
    pick = at.selectbox(key="head")
    assert pick.options[:2] == ["Choose one", "linear (mean AUROC 0.800)"]
    pick.select(pick.options[-1]).run()
    assert at.session_state["options"].head == "relu"
