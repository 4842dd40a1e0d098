"""Study files, as the command line (`--set` included), the pages and a saved study read them."""

from __future__ import annotations

import random
from pathlib import Path

from core.errors import InputError
from core.study.config import parse_config, read_config, with_overrides
from core.study.paths import study_dir
from tests.fuzz.mutations import damaged, odd_number

SEEDS = Path(__file__).resolve().parents[2] / "data" / "studies"
WHOLE = """
[study]
name = "whole"
title = "Every section"
[dataset]
kind = "table"
images = "xrays"
labels = "~/labels.csv"
image_column = "path"
patient_column = "patient_id"
split_column = "split"
class_columns = ["Effusion", "Hernia"]
on_bad_image = "skip"
split_seed = 3
validation_share = 0.1
test_share = 0.2
[model]
architecture = "resnet_small"
weights = "none"
image_size = 32
channels = 1
[training]
epochs = 2
learning_rate = 1e-4
flip = false
[runs]
count = 1
first_seed = 7
[pruning]
method = "random_global"
[sweep]
sparsities = [0, 0.5, 0.95]
precision = "bf16"
[groups]
head_above = 0.2
tail_below = 0.01
[operating_point]
specificity = 0.8
[checkpoint]
path = "weights.safetensors"
sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
classes = ["Effusion", "", "Hernia"]
preprocessing = "xrv"
"""
VALUES = (
    *("true", "nan", "inf", "-inf", "-0.0", "1e400", "0x7fffffff", "1_0", "''", '""', '"\\u0000"'),
    *("1979-05-27T07:32:00Z", "07:32:00", "1979-05-27", "[]", "{}", "[[]]", "[0]", "[0, 0]"),
    *("{a = 1}", "[{a = {b = []}}]", '"~nobody-of-this-name/x"', '"~"', '"/dev/zero"', '"\\uD800"'),
    *('"phantom"', '"imported"', '"cxr-lt"', '"other"', "[0, nan]", "[0, 0.5, 0.5]", "'''\nx'''"),
    *("9" * 5000, "1." + "0" * 5000, '"' + "a" * 9000 + '"', "[" * 3000, "[" * 400 + "]" * 400),
    *("{a=" * 300 + "1" + "}" * 300, "[" + "0.5," * 4000 + "]", ".".join("a" * 600) + " = 1"),
)
KEYS = (
    *(
        "a",
        '""',
        '"\\u0000"',
        "study.name",
        "a.b.c",
        "kind",
        "'x y'",
        "é",
        "1.2",
        "name",
        "__class__",
    ),
    *(".".join(["a"] * 900), "x" * 9000, "model_config", "images", "labels"),
)


class StudyFiles:
    refusals = (InputError,)

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seeds = [WHOLE, *(p.read_text("utf-8") for p in sorted(SEEDS.glob("*.toml")))]
        self.overrides: tuple[str, ...] = ()

    def make(self, rng: random.Random) -> Path:
        lines = rng.choice(self.seeds).splitlines()
        for _ in range(rng.choice((0, 0, 1, 1, 1, 2, 5))):
            self._change(rng, lines)
        data = "\n".join(lines).encode("utf-8", "surrogatepass")
        if rng.random() < 0.2:
            data = damaged(rng, data, [seed.encode() for seed in self.seeds])
        if rng.random() < 0.05:
            data = data.decode("utf-8", "replace").encode(rng.choice(("utf-16", "utf-8-sig")))
        self.overrides = tuple(_override(rng) for _ in range(rng.choice((0, 0, 0, 1, 3))))
        path = self.folder / "study.toml"
        path.write_bytes(data)
        return path

    def _change(self, rng: random.Random, lines: list[str]) -> None:
        at = rng.randrange(len(lines)) if lines else 0
        line = lines[at] if lines else ""
        key, _, value = line.partition("=")
        what = rng.randrange(7)
        if what <= 1 and value:
            lines[at] = f"{key}= {_value(rng)}"
        elif what == 2 and value:
            lines[at] = f"{rng.choice(KEYS)} ={value}"
        elif what == 3:
            lines[at : at + 1] = []
        elif what == 4:
            lines.insert(at, rng.choice(rng.choice(self.seeds).splitlines()))
        elif what == 5:
            lines.insert(at, f"{rng.choice(KEYS)} = {_value(rng)}")
        else:
            section = rng.choice(("[[study]]", "[a.b]", "[dataset.x]", "[]", "[ model ]", "[x"))
            lines.insert(at, section * rng.choice((1, 1, 1, 400)))
        if rng.random() < 0.01:
            lines += [f"unknown_{number} = {number}" for number in range(3000)]

    def read(self, path: Path) -> None:
        config = read_config(path, self.overrides)
        study_dir(config)
        saved = config.model_dump(mode="json", exclude_none=True)
        assert parse_config(saved, "study.json").id == config.id
        assert with_overrides(config, ()).id == config.id


def _value(rng: random.Random) -> str:
    return str(odd_number(rng)) if rng.random() < 0.3 else rng.choice(VALUES)


def _override(rng: random.Random) -> str:
    if rng.random() < 0.5:
        return rng.choice(("study.title=x", "sweep.batch_size=2", "dataset.images=~/x", "x.y=1"))
    key = rng.choice(
        ("runs.count", "study.title", "dataset.images", "sweep.sparsities", "a.b", "x")
    )
    value = rng.choice((_value(rng), '"x"\ny = 1', "2", "resnet50", "", "= =", "\0"))
    return rng.choice((f"{key}={value}", key, f"={value}", f".{key}={value}", f"{key}.c={value}"))
