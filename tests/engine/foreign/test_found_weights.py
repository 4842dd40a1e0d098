"""What is found in a file: its networks, the order of its classes; and names that are changed."""

from __future__ import annotations

import argparse
import json

import numpy as np
import pytest
import torch
from torch import nn

from tests.engine.foreign.saved import CLASSES, omega, put, read, state

__all__ = ["read"]  # a fixture


def names_in(said) -> list[tuple[str, ...]]:
    return [tuple(order["names"]) for order in said["orders"]]


# Weights


def test_whole_numbers_are_no_weights_but_counters_stay(read):
    eight = {
        name: tensor.to(torch.int8) if name.endswith("weight") else tensor
        for name, tensor in state().items()
    }
    assert "stored as whole numbers (int8)" in read(eight)[0]["error"]
    assert "import-predictions" in read(eight)[0]["error"]
    said, tensors = read(state() | {"position_index": torch.arange(16).view(4, 4)})
    assert "error" not in said
    assert int(tensors["layer0.bn.num_batches_tracked"]) == 7


WRAPPED = {
    "ema_state_dict": lambda s: {"ema_state_dict": s, "epoch": 3},
    "student": lambda s: {"student": s},
    "teacher": lambda s: {"teacher": s, "args": None},
    "net_state_dict": lambda s: {"net_state_dict": s},
    "state.model": lambda s: {"state": {"model": s, "optimizers": {"Adam": {}}}, "rng": []},
    "state.network": lambda s: {"state": {"network": s}},
    "model_state": lambda s: {"model_state": s},
    "generator": lambda s: {"generator": s},
    "models.0": lambda s: {"models": [s]},
    "checkpoint.model.state_dict": lambda s: {"checkpoint": {"model": {"state_dict": s}}},
    "my_very_own_key": lambda s: {"my_very_own_key": s, "loss": 0.2},
    "best.weights": lambda s: {"best": {"weights": s, "auc": 0.8}},
    "module": lambda s: {"module": s, "dp_world_size": 1},
}


@pytest.mark.parametrize("wrapper", WRAPPED)
def test_weights_are_found_wherever_they_lie(wrapper, read):
    said, tensors = read(WRAPPED[wrapper](state()))
    assert said["wrapper"] == wrapper
    assert set(tensors) == set(state())


def test_an_optimiser_and_its_moments_are_no_network(read):
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))
    optimiser = torch.optim.Adam(model.parameters())
    model(torch.ones(2, 4)).sum().backward()
    optimiser.step()
    moments = {name: torch.ones_like(t) for name, t in model.state_dict().items()}
    said, tensors = read(
        {
            "weights_of_mine": model.state_dict(),
            "optimizer_states": [optimiser.state_dict()],
            "optimizer": moments,
            "grad_scaler": moments,
            "confusion": torch.ones(3, 3),
        }
    )
    assert len(said["networks"]) == 1
    assert set(tensors) == set(model.state_dict())


def test_a_classifier_beside_its_backbone_is_joined_to_it(read):
    backbone = {n: t for n, t in state().items() if not n.startswith("fc")}
    head = {"weight": torch.ones(3, 4), "bias": torch.zeros(3)}
    said, tensors = read({"backbone": backbone, "head": head, "epoch": 1})
    assert len(said["networks"]) == 1
    assert {"backbone.layer0.conv.weight", "head.weight", "head.bias"} <= set(tensors)
    said, tensors = read({"state": {"encoder": backbone, "classifier": put(head, "fc.")}})
    assert "classifier.fc.weight" in tensors


TWO = {
    "EMA beside it": (
        {"state_dict": state(), "state_dict_ema": state(2)}, ["state_dict", "state_dict_ema"],
    ),
    "EMA inside": (put(state(), "model.") | put(state(2), "ema."), ["model", "ema"]),
    "DINO": ({"student": state(), "teacher": state(2)}, ["student", "teacher"]),
    "MoCo": (
        put(state(), "module.encoder_q.") | put(state(2), "module.encoder_k.")
        | {"module.queue": torch.ones(4, 8)},
        ["module.encoder_q", "module.encoder_k"],
    ),
    "BYOL": (
        {"state_dict": put(state(), "online_net.") | put(state(2), "target_net.")},
        ["state_dict.online_net", "state_dict.target_net"],
    ),
    "GAN": ({"netG": state(1, 5), "netD": state(2, 3)}, ["netG", "netD"]),
    "GAN inside": (put(state(1, 5), "generator.") | put(state(2, 3), "discriminator."),
                   ["generator", "discriminator"]),
    "ensemble": ({"models": [state(), state(2)]}, ["models.0", "models.1"]),
    "ensemble inside": (put(state(), "models.0.") | put(state(2), "models.1."),
                        ["models.0", "models.1"]),
    "folds": (put(state(), "fold1.") | put(state(2), "fold2."), ["fold1", "fold2"]),
}  # fmt: skip


@pytest.mark.parametrize("kind", TWO)
def test_of_two_networks_a_person_says_which(kind, read):
    what, names = TWO[kind]
    said, tensors = read(what)
    assert sorted(name for name, _ in said["networks"]) == sorted(names)
    assert not tensors
    for scale, name in enumerate(names, 1):
        said, tensors = read(what, name)
        conv = [t for n, t in tensors.items() if n.endswith("layer0.conv.weight")]
        assert [float(t.mean()) for t in conv] == [scale]
    assert "no network 'third'; there are:" in read(what, "third")[0]["wrong_choice"]


def test_the_same_weights_under_two_keys_are_one_network(read):
    one = state()
    assert len(read({"model": one, "state_dict": one})[0]["networks"]) == 1


@pytest.mark.parametrize(
    "name",
    ["densenet121", "googlenet", "inception_v3", "swin_t", "vit_b_16", "convnext_tiny",
     "efficientnet_b0", "mobilenet_v3_small", "vgg11_bn", "shufflenet_v2_x0_5",
     "squeezenet1_0", "mnasnet0_5", "maxvit_t", "resnet18"],
)  # fmt: skip
def test_a_published_network_is_one_network(name):
    """Blocks have equal names inside too, such as the layers of a transformer."""
    import torchvision

    from core.engine.foreign.naming import find_networks

    with torch.device("meta"):
        options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        model = torchvision.models.get_model(name, **options)
    for prefix in ("", "model.", "module.backbone."):
        assert len(find_networks(put(model.state_dict(), prefix)).networks) == 1


# The order of classes

NAMES = list(CLASSES)
STATED = {
    "names": {"class_names": NAMES},
    "name to index": {"class_names": {"Nodule": 1, "Hernia": 2, "Effusion": 0}},
    "class_to_idx": {"class_to_idx": {"Hernia": 2, "Effusion": 0, "Nodule": 1}},
    "id2label": {"config": {"id2label": {"0": "Effusion", "1": "Nodule", "2": "Hernia"}}},
    "label2id": {"config": {"label2id": {"Effusion": 0, "Hernia": 2, "Nodule": 1}}},
    "mmdetection": {"meta": {"CLASSES": CLASSES}},
    "mmpretrain": {"meta": {"dataset_meta": {"classes": NAMES}}},
    "dataset_meta": {"dataset_meta": {"classes": CLASSES}},
    "label_names": {"hyper_parameters": {"label_names": NAMES}},
    "idx_to_class": {"idx_to_class": {2: "Hernia", 0: "Effusion", 1: "Nodule"}},
    "hparams in hparams": {"hparams": {"data": {"label_names": NAMES}}},
    "namespace": {"args": argparse.Namespace(classes=NAMES, lr=1)},
    "text": {"args": argparse.Namespace(labels="Effusion,Nodule,Hernia")},
    "JSON": {"config": json.dumps(NAMES), "classes": json.dumps(NAMES)},
    "array of text": {"class_names": np.array(NAMES)},
    "array of objects": {"class_names": np.array(NAMES, dtype=object)},
    "numpy numbers": {"class_to_idx": {n: np.int64(i) for i, n in enumerate(NAMES)}},
    "omegaconf": {"cfg": omega({"data": {"target_names": NAMES}})},
    "records": {"categories": [{"id": i, "name": n} for i, n in enumerate(NAMES)]},
    "counted from 1": {"label_map": {1: "Effusion", 2: "Nodule", 3: "Hernia"}},
    "MONAI": {"network_data_format": {"channel_def": dict(enumerate(NAMES))}},
}


@pytest.mark.parametrize("kind", STATED)
def test_a_stated_order_is_found(kind, read):
    said, _ = read({"state_dict": state(), **STATED[kind]})
    assert CLASSES in names_in(said)


@pytest.mark.parametrize(
    "metadata",
    [
        {"class_names": json.dumps(NAMES)},
        {"classes": "Effusion, Nodule, Hernia"},
        {"id2label": json.dumps(dict(enumerate(NAMES)))},
        {"config": json.dumps({"labels": {name: i for i, name in enumerate(NAMES)}})},
        {
            "hparams": json.dumps(
                {"data": {"class_to_idx": dict(zip(NAMES, range(3), strict=True))}}
            )
        },
    ],
)
def test_the_notes_of_safetensors_state_one(metadata, read):
    said, _ = read(state(), suffix=".safetensors", metadata=metadata)
    assert names_in(said) == [CLASSES]


@pytest.mark.parametrize(
    "other",
    [
        {"id2label": {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}},
        {"class_names": 3},
        {"class_to_idx": {"a": 0, "b": 0, "c": 1}},
        {"class_to_idx": {"a": 0, "b": 500}},
        {"labels": torch.ones(3)},
        {"labels": "data/labels.csv"},
        {"history": {"lr": NAMES}},
    ],
)
def test_what_states_no_order_is_none(other, read):
    assert names_in(read({"state_dict": state(), **other})[0]) == []


def test_a_gap_in_numbered_classes_is_an_output_without_one(read):
    said, _ = read({"state_dict": state(), "class_to_idx": {"Mass": 0, "Hernia": 2}})
    assert names_in(said) == [("Mass", "", "Hernia")]


# Names of weights


def test_names_are_changed_by_beginning_or_pattern(read):
    tensors = read(put(state(), "enc."), rename=["enc.=", r"/layer(\d)/=block\1.one"])[1]
    assert "block0.one.conv.weight" in tensors
    assert "fc.weight" in tensors


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("enc", 'is no rule; write "old=new"'),
        ("nothing.=x.", "changes no name; names are layer0"),
        ("/(/=x", "unterminated subpattern"),
        (r"/layer\d/=layer", "gives two weights the name layer.conv.weight"),
        ("/a/=" + "b" * 400, "at most 300 characters"),
    ],
)
def test_rules_that_cannot_be_followed_are_said(rule, words, read):
    assert words in read(state(), rename=[rule])[0]["wrong_choice"]
