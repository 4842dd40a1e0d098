"""A study's own checkpoint, brought as a stranger's, gives that study's numbers."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from core.checkpoints.analyses import analysis_config
from core.checkpoints.preflight import Preflight, PreflightOptions, lines
from core.engine.foreign import checking
from core.engine.foreign.preflight import preflight
from core.engine.foreign.reading import Reader
from core.engine.pipeline import run_study
from core.engine.precision import native_bf16
from core.engine.preprocessing import Normalisation, to_input
from core.errors import InputError
from core.study import paths, store
from core.study.config import StudyConfig, parse_config, read_config, with_overrides
from core.study.labels import Labels, label_matrix
from core.study.study import Study
from core.study.trainings import trained_checkpoint

STUDY = """
[study]
name = "small"
[dataset]
kind = "phantom"
n_patients = 60
size = 64
[model]
architecture = "resnet_small"
image_size = 32
[training]
epochs = 2
batch_size = 32
learning_rate = 1e-3
[runs]
count = 1
[sweep]
sparsities = [0, 0.5, 0.9]
"""


@pytest.fixture(scope="module")
def reader():
    with Reader() as running:
        yield running


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(config, cache) of a finished study that was trained here."""
    cache = tmp_path_factory.mktemp("trained")
    (cache / "small.toml").write_text(STUDY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNESCOPE_CACHE", str(cache))
        config = read_config(cache / "small.toml")
        run_study(config)
    return config, cache


@pytest.fixture
def base(trained, tmp_path, monkeypatch) -> StudyConfig:
    config, cache = trained
    shutil.copytree(cache, tmp_path / "cache")
    monkeypatch.setenv("PRUNESCOPE_CACHE", str(tmp_path / "cache"))
    return config


@pytest.fixture
def brought(base, tmp_path):
    """A copy of the study's checkpoint with its description, as somebody would send it."""
    source = trained_checkpoint(paths.study_dir(base), 0)
    for suffix in (".safetensors", ".json"):
        shutil.copy(source.with_suffix(suffix), tmp_path / f"Brought{suffix}")
    return tmp_path / "Brought.safetensors"


def predictions(folder, run=0) -> dict[str, pd.DataFrame]:
    found = sorted((folder / "predictions").rglob("*.parquet"))
    return {path.name: store.read_table(path) for path in found}


def assert_same_numbers(folder, other) -> None:
    ours, theirs = predictions(folder), predictions(other)
    assert list(ours) == ["sparsity=00.parquet", "sparsity=50.parquet", "sparsity=90.parquet"]
    for name, table in ours.items():
        pd.testing.assert_frame_equal(table, theirs[name])
    for path in ("class_metrics.parquet", "achieved_sparsity.parquet"):
        pd.testing.assert_frame_equal(
            store.read_table(folder / path), store.read_table(other / path)
        )


def test_our_own_checkpoint_is_read_as_what_it_is_and_studied_to_the_same_numbers(
    base, brought, reader
):
    stages = []
    report = preflight(brought, base, None, lambda *stage: stages.append(stage[0]), reader)
    assert report.fit, report.refusal
    assert (report.architecture.architecture, report.architecture.share) == ("resnet_small", 1.0)
    assert (report.outputs.named_by, report.outputs.n_outputs) == ("file", 20)
    assert (report.seen.name, report.seen.image_size) == ("imagenet", 32)
    assert len(report.seen.previews) == 3
    assert report.check.n_images == len(store.read_labels(paths.study_dir(base)).split("test"))
    assert report.estimate.n_predictions > 0
    assert list(dict.fromkeys(stages)) == [
        "Reading the dataset", "Reading the file", "Comparing weights", "Decoding images",
        "Predicting", "Decoding more images", "Checking the order",
    ]  # fmt: skip

    config = analysis_config(report, "again")
    brought.unlink()  # the weights were copied
    folder = run_study(config)
    assert_same_numbers(folder, paths.study_dir(base))
    source = store.read_json(trained_checkpoint(folder, 0).with_suffix(".json"))["source"]
    assert source["sha256"] == report.file.sha256

    # Stopped anywhere, it goes on; and with the cache's own copy gone, the study has its weights.
    paths.prediction_path(folder, 0, 0.5).unlink()
    paths.adopted_path(report.file.sha256, "resnet_small").unlink()
    assert run_study(config) == folder
    assert_same_numbers(folder, paths.study_dir(base))


def test_outputs_in_another_order_are_put_right_by_their_names(base, brought, reader, tmp_path):
    names = store.read_labels(paths.study_dir(base)).class_names
    order = np.random.default_rng(0).permutation(len(names))
    state = load_file(brought)
    for key in ("classifier.weight", "classifier.bias"):
        state[key] = state[key][torch.from_numpy(order)].contiguous()
    torch.save({"weights": state, "optimizer": {}, "epoch": 1}, tmp_path / "shuffled.pt")
    given = tuple(names[i] for i in order)
    options = PreflightOptions(classes=given, image_size=32)
    report = preflight(tmp_path / "shuffled.pt", base, options, reader=reader)
    folder = run_study(analysis_config(report))
    pruned = predictions(folder)["sparsity=50.parquet"]
    expected = predictions(paths.study_dir(base))["sparsity=50.parquet"]
    pd.testing.assert_frame_equal(pruned, expected, atol=1e-5)


def test_what_a_person_gave_stays_in_the_report_that_refuses_it(base, brought, reader):
    names = store.read_labels(paths.study_dir(base)).class_names
    given = (names[1], *names[1:])
    report = preflight(brought, base, PreflightOptions(classes=given), reader=reader)
    assert (
        report.refusal == f"Two outputs stand for the class {names[1]!r}; one has to be left out."
    )
    assert report.outputs.classes == given


def test_the_order_is_checked_on_more_images_than_the_sample_of_any_split(
    base, brought, reader, monkeypatch
):
    monkeypatch.setattr(checking, "SECONDS_FOR_ORDER", 1e6)  # on however slow a machine
    n = len(store.read_labels(paths.study_dir(base)).table)
    report = preflight(brought, base, PreflightOptions(n_images=10), reader=reader)
    assert report.check.n_images == 10
    assert report.moved or f"seem swapped on {n:,} images" in report.order_checked
    assert report.moved or f"Order of outputs: {report.order_checked}" in lines(report)


def test_further_images_that_cannot_be_read_leave_the_order_to_the_sample(
    base, brought, reader, monkeypatch
):
    decode = checking.decode_sample

    def unreadable(sample, *more):
        if len(sample.table) > 9:
            raise InputError("No image of validation can be read.")
        return decode(sample, *more)

    monkeypatch.setattr(checking, "decode_sample", unreadable)
    report = preflight(brought, base, PreflightOptions(n_images=9), reader=reader)
    assert report.fit
    assert report.moved or "seem swapped on 9 images" in report.order_checked


def test_half_of_the_further_images_have_the_rarest_findings(base):
    labels = store.read_labels(paths.study_dir(base))
    sample = checking.sample_of_test(labels, 5)
    truth = label_matrix(labels.table, labels.class_names)
    few = checking.others_of_all(labels, sample, 8)
    assert len(few.table) == 8
    assert not set(few.table["image_id"]) & set(sample.table["image_id"])
    assert (label_matrix(few.table, few.class_names) == 1).any(axis=1).sum() >= 4
    everything = checking.others_of_all(labels, sample, 10**6)
    assert len(everything.table) == len(truth) - 5
    assert checking.others_of_all(labels, labels, 8) is None
    assert checking.others_of_all(labels, sample, 0) is None


def test_where_every_image_is_in_the_sample_the_order_is_checked_on_it(
    base, brought, reader, monkeypatch
):
    whole = store.read_labels(paths.study_dir(base))
    test = Labels(whole.table.assign(split="test"), whole.class_names)
    monkeypatch.setattr("core.engine.foreign.preflight.load_labels", lambda *_: test)
    options = PreflightOptions(n_images=len(test.table))
    report = preflight(brought, base, options, reader=reader)
    assert report.fit, report.refusal
    assert report.check.n_images == len(test.table)


def test_the_owners_probabilities_are_compared_with_ours(base, brought, reader):
    theirs = predictions(paths.study_dir(base))["sparsity=00.parquet"].head(6)
    report = preflight(
        brought, base, PreflightOptions(reference=theirs.to_csv(index=False)), reader=reader
    )
    assert report.reference.agrees
    assert report.reference.largest < 1e-5
    assert report.reference.n_images == 6
    assert Preflight.from_json(report.to_json()) == report
    assert any(line.startswith("Probabilities: equal to the owner's") for line in lines(report))

    darker = PreflightOptions(
        reference=theirs.to_csv(index=False), seeing=("checkpoint.mean=[0.9]",)
    )
    assert not preflight(brought, base, darker, reader=reader).reference.agrees

    flipped = theirs.assign(Mass=1 - theirs["Mass"]).to_csv(index=False)
    report = preflight(brought, base, PreflightOptions(reference=flipped), reader=reader)
    assert report.fit
    assert any("different from the owner's on 6 images" in one for one in report.warnings)
    unknown = PreflightOptions(reference="image_id,Mass\nelsewhere.png,0.5")
    report = preflight(brought, base, unknown, reader=reader)
    assert report.fit
    assert any("'elsewhere.png', which is no image" in one for one in report.warnings)


def test_of_two_networks_the_chosen_one_is_studied_in_the_order_that_the_file_states(
    base, brought, reader, tmp_path
):
    names = store.read_labels(paths.study_dir(base)).class_names
    order = np.random.default_rng(1).permutation(len(names))
    state = load_file(brought)
    average = {f"net.{name}": weight.clone() for name, weight in state.items()}
    for key in ("net.classifier.weight", "net.classifier.bias"):
        average[key] = average[key][torch.from_numpy(order)].contiguous()
    noise = {name: torch.randn(weight.shape) for name, weight in state.items()}
    saved = {
        "state_dict": noise,
        "state_dict_ema": average,
        "class_to_idx": {names[i]: place for place, i in enumerate(order)},
    }
    path = tmp_path / "two.pt"
    torch.save(saved, path, pickle_protocol=4)
    asked = preflight(path, base, PreflightOptions(image_size=32), reader=reader)
    assert asked.refusal.startswith("The file holds 2 networks: state_dict (")
    assert asked.refusal.endswith('--network "state_dict" or --network "state_dict_ema".')
    chosen = PreflightOptions(image_size=32, network="state_dict_ema", rename=("net.=",))
    report = preflight(path, base, chosen, reader=reader)
    assert (report.outputs.named_by, report.outputs.classes) == (
        "file",
        tuple(names[i] for i in order),
    )
    config = analysis_config(report)
    for adopted in paths.adopted_paths(report.file.sha256):
        adopted.unlink()  # the study finds the same network in the file again
    pruned = predictions(run_study(config))["sparsity=50.parquet"]
    expected = predictions(paths.study_dir(base))["sparsity=50.parquet"]
    pd.testing.assert_frame_equal(pruned, expected, atol=1e-5)


def test_a_choice_that_the_file_does_not_have_is_said_in_the_report(brought, base, reader):
    options = PreflightOptions(image_size=32, rename=("absent.=",))
    refused = preflight(brought, base, options, reader=reader)
    assert "'absent.=' changes no name" in refused.refusal
    options = PreflightOptions(image_size=32, network="ema")
    assert "leave --network out" in preflight(brought, base, options, reader=reader).refusal


def test_a_stated_order_of_another_length_is_said(brought, base, reader, tmp_path):
    saved = {"weights": load_file(brought), "class_names": ["Mass", "Hernia"]}
    torch.save(saved, tmp_path / "short.pt")
    report = preflight(tmp_path / "short.pt", base, PreflightOptions(image_size=32), reader=reader)
    assert "the file names 2 classes (Mass, Hernia) where the network has 20" in report.warnings[0]


def test_equal_files_and_choices_give_one_study_and_one_preflight(base, brought, reader, tmp_path):
    first = preflight(brought, base, reader=reader)
    stages = []
    again = preflight(brought, base, None, lambda *stage: stages.append(stage[0]), reader)
    assert again == first
    assert "Predicting" not in stages
    elsewhere = tmp_path / "other" / brought.name
    elsewhere.parent.mkdir()
    shutil.copy(brought, elsewhere)
    shutil.copy(brought.with_suffix(".json"), elsewhere.with_suffix(".json"))
    moved = preflight(elsewhere, base, reader=reader)
    assert analysis_config(moved).id == analysis_config(first).id
    bf16 = analysis_config(first, overrides=("sweep.precision=bf16",))
    assert bf16.id != analysis_config(first).id
    auto = analysis_config(first, overrides=("sweep.precision=auto",))
    assert auto.id == (bf16 if native_bf16() else analysis_config(first)).id
    with pytest.raises(InputError, match="only study, sweep, pruning, groups, dataset"):
        analysis_config(first, overrides=("dataset.seed=3",))
    assert Preflight.from_json(first.to_json()) == first


def test_some_of_the_classes_are_studied_alone(base, brought, reader, tmp_path):
    names = store.read_labels(paths.study_dir(base)).class_names
    state = load_file(brought)
    for key in ("classifier.weight", "classifier.bias"):
        state[key] = state[key][:3].contiguous()
    save_file(state, tmp_path / "three.safetensors")
    refused = preflight(tmp_path / "three.safetensors", base, reader=reader)
    assert refused.refusal.startswith("The network has 3 outputs, the dataset 20 classes")
    with pytest.raises(InputError, match="3 outputs"):
        analysis_config(refused)
    options = PreflightOptions(classes=(names[0], "", names[2]), image_size=32)
    report = preflight(tmp_path / "three.safetensors", base, options, reader=reader)
    assert "1 without a class are left out" in "\n".join(lines(report))
    folder = run_study(analysis_config(report))
    dense = predictions(folder)["sparsity=00.parquet"]
    assert list(dense.columns) == ["image_id", names[0], names[2]]
    expected = predictions(paths.study_dir(base))["sparsity=00.parquet"]
    pd.testing.assert_frame_equal(dense, expected[list(dense.columns)], atol=1e-5)


def test_zeros_that_are_there_count_towards_the_sparsity(base, brought, reader, tmp_path):
    state = load_file(brought)
    for weight in state.values():
        if weight.dim() in (2, 4):
            flat = weight.reshape(-1)
            n = round(0.7 * flat.numel())
            flat[flat.abs().argsort()[:n]] = 0
    save_file(state, tmp_path / "sparse.safetensors")
    options = PreflightOptions(image_size=32)
    report = preflight(tmp_path / "sparse.safetensors", base, options, reader=reader)
    assert report.weights.sparsity == pytest.approx(0.7, abs=1e-3)
    assert any("70.0% of the weights are zero already" in line for line in lines(report))
    folder = run_study(analysis_config(report))
    achieved = store.read_table(paths.achieved_sparsity_path(folder))
    overall = achieved[achieved["layer"] == "overall"].set_index("sparsity")["achieved_sparsity"]
    assert overall.to_numpy() == pytest.approx([0.7, 0.7, 0.9], abs=1e-3)
    found = predictions(folder)
    pd.testing.assert_frame_equal(found["sparsity=00.parquet"], found["sparsity=50.parquet"])


def test_one_channel_is_predicted_as_such_and_stays_so_in_the_study(base, reader, tmp_path):
    from core.engine.models import build_model
    from core.study.settings import ModelSettings

    grey = ModelSettings(architecture="resnet_small", image_size=32, channels=1)
    torch.save(build_model(grey, 20, seed=1).state_dict(), tmp_path / "grey.pt")
    options = PreflightOptions(preprocessing="unit", image_size=32)
    report = preflight(tmp_path / "grey.pt", base, options, reader=reader)
    assert (report.seen.channels, report.seen.mean, report.seen.std) == (1, (0.0,), (1.0,))
    config = analysis_config(report)
    folder = run_study(config)
    info = store.read_json(trained_checkpoint(folder, 0).with_suffix(".json"))
    assert info["preprocessing"]["colour"] == "8-bit grey, 1 channel"
    assert len(predictions(folder)) == 3


def test_torchxrayvisions_densenet_gets_its_own_preprocessing(base, reader, tmp_path):
    from core.engine.models import build_model
    from core.study.settings import ModelSettings

    grey = ModelSettings(architecture="densenet121", image_size=32, channels=1)
    torch.save(build_model(grey, 18, seed=1).state_dict(), tmp_path / "xrv.pt")
    report = preflight(tmp_path / "xrv.pt", base, PreflightOptions(image_size=32), reader=reader)
    assert (report.outputs.named_by, report.seen.name) == ("torchxrayvision", "xrv")
    seen = to_input(torch.tensor([[[0.0, 1.0]]]), Normalisation(report.seen.mean, report.seen.std))
    assert seen.flatten().tolist() == [-1024.0, 1024.0]
    assert report.config.model.channels == 1


def test_a_study_without_its_weights_asks_for_the_file(base, brought, reader):
    report = preflight(brought, base, reader=reader)
    config = analysis_config(report)
    paths.adopted_path(report.file.sha256, "resnet_small").unlink()
    damaged = bytearray(brought.read_bytes())
    damaged[-1] ^= 1
    brought.write_bytes(damaged)
    with pytest.raises(InputError, match="is not the file the study was set up with"):
        run_study(config)
    brought.unlink()
    with pytest.raises(InputError, match="is not there"):
        run_study(config)


def test_a_preflight_needs_images(base, brought, reader):
    raw = with_overrides(base, ()).model_dump(mode="json")
    raw["dataset"] = {
        "kind": "imported", "name": "table", "labels": "labels.csv", "architecture": "resnet50",
    }  # fmt: skip
    with pytest.raises(InputError, match="needs a dataset with images"):
        preflight(brought, StudyConfig.model_validate(raw), reader=reader)


def test_masks_and_convolutions_of_one_channel_keep_their_geometry():
    from core.engine.models import build_model
    from core.study.settings import ModelSettings

    grey = ModelSettings(architecture="densenet121", image_size=64, channels=1)
    first = next(m for m in build_model(grey, 2, 0).modules() if isinstance(m, nn.Conv2d))
    assert (first.in_channels, first.kernel_size, first.stride) == (1, (7, 7), (2, 2))


def test_one_truncated_image_among_test_images_alone_does_not_end_a_study(
    base, brought, reader, tmp_path
):
    labels, images = store.read_labels(paths.study_dir(base)), paths.images_dir(base.dataset)
    shutil.copytree(images, tmp_path / "xrays")
    labels.table.assign(split="test").to_csv(tmp_path / "labels.csv", index=False)
    dataset = {"kind": "table", "images": tmp_path / "xrays", "labels": tmp_path / "labels.csv"}
    raw = base.model_dump(mode="json", exclude_none=True)
    raw["dataset"] = {name: str(value) for name, value in dataset.items()}
    raw["dataset"]["class_columns"] = list(labels.class_names)
    raw["sweep"] = {"sparsities": [0, 0.5]}
    config = parse_config(raw, "the test")
    few = PreflightOptions(n_images=4)
    report = preflight(brought, config, few, reader=reader)
    assert report.fit, report.refusal
    looked_at = set(report.seen.image_ids)
    bad = next(name for name in labels.table["path"] if name not in looked_at)
    path = tmp_path / "xrays" / bad
    path.write_bytes(path.read_bytes()[:200])

    study = Study(run_study(analysis_config(report)))
    skipped = store.read_provenance(study.folder)["skipped_images"]
    assert [one["image_id"] for one in skipped] == [bad]
    assert len(study.test) == len(labels.table) - 1
    with pytest.raises(InputError, match="cannot be used"):
        run_study(analysis_config(report, "strict", ("dataset.on_bad_image=fail",)))
    few = analysis_config(report, "few", ("dataset.bad_image_share=0.001",))
    assert few.dataset.on_bad_image == "skip"
    with pytest.raises(InputError, match=r"bad_image_share allows 0\.10%"):
        run_study(few)
    with pytest.raises(InputError, match=r"No image is in the train split.*prunescope analyze"):
        run_study(with_overrides(config, ("study.name=trained", "dataset.on_bad_image=skip")))
