"""The command that says what a file is, before anything is run on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.cli.checkpoints import preflight_report
from core.cli.command import app
from core.cli.studies import read_study
from core.errors import InputError

if TYPE_CHECKING:
    from core.actions.looking import Look


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
    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="STUDY_OR_TOML", help="Of a checkpoint: the data it is to be studied on."
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Of a folder of predictions: their labels, as for import-predictions; every file "
            "is then compared with them."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Of labels: a setting of [dataset]. Of predictions: array_classes=Hernia,Mass, "
            "logits=true.",
        ),
    ] = None,
) -> None:
    """Say what a file is understood to be, and what not. Nothing is run or changed.

    Of labels: columns, patients, splits, and each class's positives, negatives and uncertain
    images. Of an X-ray: size, depth, windows, what was repaired. Of predictions: runs, sparsities,
    classes, scale, and what the order of their rows is checked by. Of a checkpoint: the likely
    networks, outputs, zeros by layer, what is not used; with --dataset, what `prunescope preflight`
    says. Of a study file: its dataset, as a run would read it.
    """
    from core.actions import looking
    from core.checkpoints.preflight import lines

    if dataset is not None:
        report = preflight_report(path, dataset)
        typer.echo(report.to_json().decode() if as_json else "\n".join(lines(report)))
        if report.refusal:
            raise InputError(report.refusal)
        return
    if looking.is_checkpoint(path):
        from core.engine.foreign.facts import facts

        found = looking.of_checkpoint(facts(path))
    elif path.suffix == ".toml":
        found = looking.look_at_study(read_study(str(path), ()))
    else:
        chosen = _settings(settings or [])
        given = {"preset": preset, "labels": labels}
        found = looking.look(path, chosen | {name: it for name, it in given.items() if it})
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
        whole: dict[str, Any] = {"class_columns": tuple(names), "array_classes": tuple(names)}
        whole["logits"] = value.strip().lower() in ("true", "1", "yes")
        settings[key.strip()] = whole.get(key.strip(), value.strip())
    return settings


def _write_picture(found: Look, path: Path, out: Path) -> None:
    from PIL import Image

    from core.pictures.images import read_grey

    if found.what != "image" or out.suffix.lower() != ".png":
        raise InputError("--out writes the picture of an image to a .png file.")
    if out.exists() and out.samefile(path):
        raise InputError(f"--out {out} is the X-ray itself; give another file.")
    Image.fromarray(read_grey(path)).save(out)


def _as_json(found: Look) -> str:
    whole = {"what": found.what, **found.facts, "warnings": found.warnings}
    return json.dumps(whole, indent=2, ensure_ascii=False)


def _lines(found: Look) -> list[str]:
    from core.actions.looking import TABLED, in_words

    lines = [f"This is: {found.what}"]
    lines += [f"{name}: {value}" for name, value in in_words(found).items()]
    for name in TABLED:
        rows = found.facts.get(name, {})
        columns = [*next(iter(rows.values()), ())]
        if rows:
            singular = name.removesuffix("es" if name == "classes" else "s")
            lines.append(f"{singular:32}" + "".join(f"{column:>12}" for column in columns))
        lines += [
            f"{row[:31]:32}" + "".join(f"{cells[column]:>12,}" for column in columns)
            for row, cells in rows.items()
        ]
    return lines + [f"Warning: {warning}" for warning in found.warnings]
