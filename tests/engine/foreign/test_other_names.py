"""Networks of Hugging Face's transformers and of MONAI predict what these libraries predict.

The probabilities below are those of transformers 5.24.0 and MONAI 1.6.1 with torch on a CPU, of the
weights and pictures that `other_names` makes; neither library is needed here.
"""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from core.checkpoints.formats import format_of, weights_in
from core.engine.foreign.adopting import DETAILS, adopted_path, network_of
from core.engine.foreign.facts import facts
from core.engine.foreign.guessing import match
from core.engine.foreign.sidecar import read_sidecar
from core.engine.models import build_model
from core.errors import InputError
from core.study.settings import CheckpointSettings, ModelSettings
from tests.engine.foreign.other_names import hugging_face, monai_efficientnet, picture
from tests.engine.foreign.test_libraries import made

KNOWN = {
    "vit": (
        "timm/vit_tiny_patch16_224",
        "timm/vit_tiny_patch16_224",
        [[0.778691, 0.204328, 0.121844], [0.77869, 0.204329, 0.121845]],
    ),
    "resnet": (
        "timm/resnet18",
        "resnet18",
        [[0.550456, 0.514382, 0.422451], [0.550397, 0.514417, 0.422475]],
    ),
    "convnext": (
        "timm/convnext_tiny",
        "convnext_tiny",
        [[0.580066, 0.635983, 0.243578], [0.580063, 0.635986, 0.243576]],
    ),
    "swin": (
        "timm/swin_tiny_patch4_window7_224",
        "timm/swin_tiny_patch4_window7_224",
        [[0.559166, 0.18733, 0.578527], [0.559166, 0.18733, 0.578527]],
    ),
    "efficientnet": (
        "timm/tf_efficientnet_b0",
        "timm/tf_efficientnet_b0",
        [[0.486725, 0.43972, 0.439697], [0.486725, 0.43972, 0.439697]],
    ),
}


def assert_predicts(found, expected):
    assert found.keys.fit, found.keys
    with torch.inference_mode():
        ours = torch.sigmoid(network_of(found)(picture()))
    assert float((ours - torch.tensor(expected)).abs().max()) < 1e-5


@pytest.mark.parametrize("family", KNOWN)
def test_a_network_of_hugging_face_predicts_what_transformers_does(family):
    timm_name, ours, expected = KNOWN[family]
    found = match(hugging_face(family, timm_name), None, None)
    assert (found.settings.architecture, found.library, found.alternatives) == (
        ours, "Hugging Face's transformers", (),
    )  # fmt: skip
    assert_predicts(found, expected)


def test_an_efficientnet_of_monai_predicts_what_monai_does_below_any_prefix():
    state = {f"module.net.{name}": tensor for name, tensor in monai_efficientnet().items()}
    found = match(state, None, None)
    assert (found.settings.architecture, found.library) == ("timm/tf_efficientnet_b0", "MONAI")
    assert found.prefix == "module.net."
    assert_predicts(found, KNOWN["efficientnet"][2])
    assert match(state, None, 160).keys.fit
    with pytest.raises(InputError, match=r"as for images of 224 px.*choose 224 px"):
        match(state, None, 150)


def test_what_computes_something_else_than_the_networks_known_here_is_refused_by_name():
    ours = made("torchvision/resnet18").state_dict()
    with pytest.raises(InputError, match=r"a ResNet of MONAI.*import-predictions"):
        match(ours | {"layer2.0.downsample.0.bias": torch.ones(128)}, None, None)
    with pytest.raises(InputError, match="a ViT of MONAI"):
        match({"patch_embedding.position_embeddings": torch.ones(1, 4, 8)}, None, None)
    with pytest.raises(InputError, match=r"for volumes: a\.weight has five dimensions"):
        match({"a.weight": torch.ones(2, 1, 3, 3, 3)}, None, None)
    deit = hugging_face("vit", "timm/vit_tiny_patch16_224")
    deit["vit.embeddings.distillation_token"] = torch.ones(1, 1, 192)
    with pytest.raises(InputError, match="reads the first token only"):
        match(deit, None, None)


def test_layer_norms_that_add_another_number_are_part_of_the_network_and_of_its_study():
    settings = ModelSettings(architecture="vit_b_16", image_size=32, norm_eps=1e-3)
    with torch.device("meta"):
        model, convnext = (
            build_model(settings.model_copy(update={"architecture": name}), 2, seed=0)
            for name in ("vit_b_16", "convnext_tiny")
        )
    found = [[m.eps for m in one.modules() if isinstance(m, torch.nn.LayerNorm)]
             for one in (model, convnext)]  # fmt: skip
    assert set(found[0]) == {1e-3}
    assert (found[1][-1], set(found[1][:-1])) == (1e-3, {1e-6})
    usual = ModelSettings(architecture="vit_b_16", image_size=32)
    assert "norm_eps" not in usual.model_dump()
    checkpoint = CheckpointSettings(sha256="a" * 64, classes=("Mass",))
    assert adopted_path(checkpoint, usual).stem.endswith("vit_b_16")
    assert adopted_path(checkpoint, usual) != adopted_path(checkpoint, settings)
    assert set(ModelSettings.model_fields) >= DETAILS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """As `save_pretrained` leaves a model and its processor."""
    place = tmp_path_factory.mktemp("hub")
    state = hugging_face("resnet", "timm/resnet18")
    save_file(state, place / "model.safetensors", {"format": "pt"})
    config = {
        "model_type": "resnet",
        "id2label": {"0": "Hernia", "1": "Mass", "2": "Edema"},
        "downsample_in_bottleneck": False,
        "hidden_act": "relu",
    }
    (place / "config.json").write_text(json.dumps(config))
    processor = {
        "image_mean": [0.4, 0.4, 0.4],
        "image_std": [0.2, 0.2, 0.2],
        "size": {"height": 64, "width": 64},
    }
    (place / "preprocessor_config.json").write_text(json.dumps(processor))
    return place


def test_json_beside_a_network_of_hugging_face_says_classes_size_and_mean(folder):
    sidecar = read_sidecar(folder / "model.safetensors")
    assert sidecar.orders[0].names == ("Hernia", "Mass", "Edema")
    assert (sidecar.image_size, sidecar.centre_crop) == (64, 0.0)
    assert (sidecar.mean, sidecar.std) == ((0.4,) * 3, (0.2,) * 3)
    report = facts(folder / "model.safetensors")
    assert report.architecture.image_size == 64
    assert report.outputs.file_names == ("Hernia", "Mass", "Edema")


def test_what_config_json_says_to_compute_otherwise_is_refused(folder, tmp_path):
    for changed in ({"downsample_in_bottleneck": True}, {"hidden_act": "gelu"}):
        config = json.loads((folder / "config.json").read_text()) | changed
        (tmp_path / "config.json").write_text(json.dumps(config))
        said = read_sidecar(tmp_path / "model.safetensors").refusal
        assert next(iter(changed)) in said
    (tmp_path / "config.json").write_text('{"hidden_act": "tanh", "image_size": 999}')
    assert read_sidecar(tmp_path / "x.pt").refusal is None  # nobody's we know
    assert read_sidecar(tmp_path / "x.pt").image_size is None


def test_timms_hub_says_which_of_the_twins_it_is_and_how_it_sees(tmp_path):
    state = made("timm/resnetblur18").state_dict()
    save_file(state, tmp_path / "model.safetensors")
    config = {
        "architecture": "resnetblur18",
        "label_names": ["Mass", "Edema", "Hernia", "Nodule", "Fibrosis"],
        "pretrained_cfg": {"mean": [0.5] * 3, "std": [0.25] * 3, "crop_pct": 0.95},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    sidecar = read_sidecar(tmp_path / "model.safetensors")
    assert (sidecar.mean[0], sidecar.std[0], sidecar.centre_crop) == (0.5, 0.25, 0.95)
    report = facts(tmp_path / "model.safetensors")
    assert (report.architecture.architecture, report.architecture.chosen_by) == (
        "timm/resnetblur18", "stated",
    )  # fmt: skip
    assert report.outputs.file_names[0] == "Mass"


def test_a_folder_stands_for_the_one_file_of_weights_in_it(folder, tmp_path):
    assert weights_in(folder).name == "model.safetensors"
    assert weights_in(folder / "config.json").name == "config.json"
    with pytest.raises(InputError, match="folder with no file of weights"):
        weights_in(tmp_path)
    for name in ("last.ckpt", "best.ckpt"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"2 files of weights \(best\.ckpt, last\.ckpt\)"):
        weights_in(tmp_path)
    (tmp_path / "model.safetensors.index.json").touch()
    with pytest.raises(InputError, match=r"network in several files.*Save it as one"):
        weights_in(tmp_path)


def test_classes_whose_numbers_are_no_numbers_are_none(tmp_path):
    (tmp_path / "x.json").write_text('{"classes": [{"id": [1], "name": "a"}]}')
    assert read_sidecar(tmp_path / "x.pt").orders == ()


def test_layers_that_fsdp_or_recomputing_wraps_keep_their_names():
    state = build_model(ModelSettings(architecture="resnet_small"), 3, seed=0).state_dict()
    words = "0._fsdp_wrapped_module._checkpoint_wrapped_module."
    found = match({name.replace("0.", words, 1): one for name, one in state.items()}, None, 64)
    assert (found.settings.architecture, found.keys.fit) == ("resnet_small", True)


@pytest.mark.parametrize("name", ["model-00002-of-00003.bin", "model.safetensors.index.json"])
def test_a_part_of_a_network_is_known_by_its_name(name, tmp_path):
    (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(InputError, match="part of a network in several files"):
        format_of(tmp_path / name)
