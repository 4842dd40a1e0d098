"""The command that says what a file is, before anything is run on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.command import app
from core.cli.studies import read_study
from core.errors import InputError

if TYPE_CHECKING:
    from core.actions.looking import Look

CHECKPOINTS = (".pt", ".pth", ".ckpt", ".bin", ".safetensors")
MOST_NAMED = 12


@app.command(epilog="Example: prunescope look labels.csv --set class_columns=Hernia,Mass")
def look(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", show_default=False, help="A file, a folder, or a study file (.toml)."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Of an image: a .png of the grey picture the model sees.")
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="Of labels: the published data set, as in a study file.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Of labels: a setting of [dataset]."),
    ] = None,
) -> None:
    """Say what a file is understood to be, and what not. Nothing is run or changed.

    Of labels: columns, patients, splits, and each class's positives, negatives and uncertain
    images. Of an X-ray: size, depth, windows, what was repaired. Of a folder of predictions:
    runs and sparsities. Of a study file: its dataset, as a run would read it. A checkpoint is
    looked at by `prunescope preflight`.
    """
    from core.actions import looking

    if path.suffix in CHECKPOINTS:
        raise InputError(
            f"{path} looks like a checkpoint. It is looked at together with a dataset: prunescope "
            f"preflight {path} --dataset STUDY_OR_TOML"
        )
    if path.suffix == ".toml":
        found = looking.look_at_study(read_study(str(path), ()))
    else:
        chosen = _settings(settings or [])
        found = looking.look(path, chosen | ({"preset": preset} if preset else {}))
    if out is not None:
        _write_picture(found, path, out)
    typer.echo(_as_json(found) if as_json else "\n".join(_lines(found)))


def _settings(pairs: list[str]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not sign:
            raise InputError(f"--set {pair!r}: write KEY=VALUE, such as image_column=file.")
        names = [name.strip() for name in value.split(",")]
        settings[key.strip()] = names if key.strip() == "class_columns" else value.strip()
    return settings


def _write_picture(found: Look, path: Path, out: Path) -> None:
    from PIL import Image

    from core.pictures.images import read_grey

    if found.what != "image" or out.suffix.lower() != ".png":
        raise InputError("--out writes the picture of an image to a .png file.")
    Image.fromarray(read_grey(path)).save(out)


def _as_json(found: Look) -> str:
    whole = {"what": found.what, **found.facts, "warnings": found.warnings}
    return json.dumps(whole, indent=2, ensure_ascii=False)


def _lines(found: Look) -> list[str]:
    lines = [f"This is: {found.what}"]
    for name, value in found.facts.items():
        label = name.removeprefix("n_").replace("_", " ")
        if name == "classes":
            lines += [f"{'class':32}{'positive':>10}{'negative':>10}{'uncertain':>10}"]
            lines += [
                f"{one[:31]:32}{n['positives']:>10,}{n['negatives']:>10,}{n['uncertain']:>10,}"
                for one, n in value.items()
            ]
        else:
            lines.append(f"{label}: {_text(value)}")
    return lines + [f"Warning: {warning}" for warning in found.warnings]


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(one)}" for name, one in value.items())
    if isinstance(value, list):
        texts = (f"({_text(v)})" if isinstance(v, dict) else _text(v) for v in value[:MOST_NAMED])
        shown = ", ".join(texts)
        more = f" and {len(value) - MOST_NAMED:,} more" if len(value) > MOST_NAMED else ""
        return (shown or "none") + more
    return f"{value:,}" if isinstance(value, int) else str(value)
