"""The reference pages of the documentation, written from the code: `python -m tools.reference`.

Commands come from the command line itself, settings from the study file's models, tables from the
columns that the analyses declare, pages from the dashboard's own list, variables from the source.
What code cannot say stands in `tools.reference.words`. What is missing there is an error: nothing
is left undocumented.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

import typer.main
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from core import results
from core.analysis.metrics import METRICS
from core.cli import app
from core.errors import InputError
from core.jobs.table import JOBS
from core.people import access
from core.reader_study.codebook import TABLES as READER_TABLES
from core.results import export
from core.study.columns import Column, Columns
from core.study.config import StudyConfig
from core.study.settings import DEFAULT_SPARSITIES, OneOf
from core.ui.administration.log import AUDIT_LOG
from tools.reference import words as say
from tools.reference.address import parameters

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "reference"
WRITTEN = "<!-- Written by `python -m tools.reference`. Change the code, not this file. -->\n"
# Of no study: a page gives them, and no command.
PAGE_TABLES = {"jobs": JOBS, "audit_log": AUDIT_LOG}
VARIABLE = re.compile(r"PRUNESCOPE_[A-Z][A-Z_]*[A-Z]")


def write(folder: Path = FOLDER) -> list[Path]:
    """Write every reference page; returns their paths. Raises InputError as `pages` does."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in pages().items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def pages() -> dict[str, str]:
    """File name to Markdown of every reference page.

    Raises InputError that names what is undocumented, or documented and no longer there.
    """
    makers: dict[str, Callable[[], Iterator[str]]] = {
        "commands.md": _commands,
        "study-file.md": _study_file,
        "tables.md": _tables,
        "pages.md": _dashboard,
        "variables.md": _variables,
    }
    return {name: _joined([WRITTEN, *make()]) for name, make in makers.items()}


# Commands


def commands() -> dict[str, Any]:
    """Every command by its whole name, such as "bench sweep", in the order of `--help`."""
    found: dict[str, Any] = {}

    def walk(command: Any, path: tuple[str, ...]) -> None:
        found[" ".join(("prunescope", *path))] = command
        for name, child in getattr(command, "commands", {}).items():
            if not child.hidden:
                walk(child, (*path, name))

    walk(typer.main.get_command(app), ())
    return found


def _commands() -> Iterator[str]:
    yield "# Commands\n"
    yield "`--help` behind any of them says the same. Exit status: 0 done, 1 the work failed, "
    yield "2 something given was wrong (one sentence on standard error), 130 stopped.\n"
    for name, command in commands().items():
        yield f"## {name}\n"
        yield f"```text\n{_usage(name, command)}\n```\n"
        text = _described(inspect.cleandoc(command.help or ""), f"the command {name}")
        yield _escaped(text) + "\n"
        rows = [_parameter(name, text, one) for one in command.params if not _hidden(one)]
        if rows:
            yield _table(("argument or option", "default", "meaning"), rows)
        yield f"```sh\n{_examples(name, command)}\n```\n"


def _examples(name: str, command: Any) -> str:
    """The examples below a command, each after what it is an example of, where that is said."""
    text = _described(command.epilog or "", f"an example of {name}")
    found = (part.removeprefix("Example").partition(": ") for part in text.split("\n\n"))
    return "\n".join(
        f"# {about.removeprefix(', ')}\n{example}" if about else example
        for about, _, example in found
    )


def _usage(name: str, command: Any) -> str:
    given = [one for one in command.params if one.param_type_name == "argument"]
    words = [name, "[OPTIONS]"] + [one.metavar or one.name.upper() for one in given]
    return " ".join(words + (["COMMAND ..."] if getattr(command, "commands", None) else []))


def _parameter(command: str, text: str, one: Any) -> tuple[str, str, str]:
    if one.param_type_name == "argument":
        shown = one.metavar or one.name.upper()
        # An argument is either explained by itself or in the text of its command.
        meaning = one.help or ("see above" if shown.lower() in text.lower() else "")
    else:
        shown = ", ".join(one.opts + one.secondary_opts)
        meaning = one.help
        if not one.is_flag and one.metavar:
            shown += f" {one.metavar}"
    meaning = _described(meaning or "", f"{shown} of {command}")
    if one.required:
        default = "required"
    elif one.default is None or one.default is False:
        default = ""
    else:
        default = f"`{'on' if one.default is True else one.default}`"
    return f"`{shown}`", default, _escaped(meaning)


def _hidden(one: Any) -> bool:
    return bool(one.hidden) or one.name == "help"


# The study file


def sections() -> dict[str, list[type[BaseModel]]]:
    """The sections of a study file and their models: one, or one a dataset kind."""
    return {
        name: [one for one in _models(field.annotation) if one is not type(None)]
        for name, field in StudyConfig.model_fields.items()
    }


def settings() -> dict[str, list[tuple[str, FieldInfo, dict[str, Any]]]]:
    """`section.setting` to (dataset kind or "", field, its JSON schema) of each model with it."""
    found: dict[str, list[tuple[str, FieldInfo, dict[str, Any]]]] = {}
    for section, models in sections().items():
        for model in models:
            properties = model.model_json_schema()["properties"]
            kind = properties["kind"]["const"] if section == "dataset" else ""
            for name, field in model.model_fields.items():
                if name != "kind":
                    one = (kind, field, properties[name])
                    found.setdefault(f"{section}.{name}", []).append(one)
    return found


def _models(annotation: Any) -> Iterable[type[BaseModel]]:
    options = get_args(annotation)
    return [one for option in options for one in _models(option)] if options else [annotation]


def _study_file() -> Iterator[str]:
    known = settings()
    kinds = {}
    for model in sections()["dataset"]:
        field = model.model_fields["kind"]
        (kind,) = get_args(field.annotation)
        kinds[kind] = _meaning([field], f"the dataset kind {kind}")
    yield "# The study file\n"
    yield "TOML, one section a heading below. What is left out has the default, which is the "
    yield "paper's value where the paper has one. `--set section.key=value` changes a setting for "
    yield "one command. Unknown settings are refused. [Your own X-rays](../how-to/own-data.md) has "
    yield "a whole file.\n"
    for section in sections():
        yield f"## [{section}]\n"
        field = StudyConfig.model_fields[section]
        yield _meaning([field], f"the section {section}") + "\n"
        if section == "dataset":
            rows = [(f'`"{kind}"`', _escaped(meaning)) for kind, meaning in kinds.items()]
            yield _table(("kind", "holds"), rows)
        own = [(name, known[name]) for name in known if name.startswith(f"{section}.")]
        lines = [_setting(name, models, len(kinds)) for name, models in own]
        head: tuple[str, ...] = ("setting", "of kind", "allowed", "default", "meaning")
        if section != "dataset":
            head, *lines = (line[:1] + line[2:] for line in (head, *lines))
        yield _table(head, lines)


def _setting(
    name: str, models: list[tuple[str, FieldInfo, dict[str, Any]]], n_kinds: int
) -> tuple[str, ...]:
    kinds = "all" if len(models) == n_kinds else ", ".join(kind for kind, _, _ in models)
    allowed = max((_allowed(schema) for _, _, schema in models), key=len)
    required = [kind for kind, field, _ in models if field.is_required()]
    if len(required) == len(models):
        default = "required"
    else:
        optional = next(field for _, field, _ in models if not field.is_required())
        default = _default(optional.get_default(call_default_factory=True))
        if required:
            default = "; ".join(filter(None, [default, f"required of {', '.join(required)}"]))
    short = name.partition(".")[2]
    meaning = _meaning([field for _, field, _ in models], f"the setting {name}")
    return f"`{short}`", kinds, allowed, default, _escaped(meaning)


def _meaning(fields: list[FieldInfo], what: str) -> str:
    """The description of a setting, which any dataset kind with it may give, and of its values."""
    text = next((field.description for field in fields if field.description), "")
    # Of a setting that may be left out, the names stand within `... | None`.
    inner = (note for one in get_args(fields[0].annotation) for note in get_args(one)[1:])
    notes = (*fields[0].metadata, *inner)
    named = next((one for one in notes if isinstance(one, OneOf)), None)
    values = [
        f"`{name}`: {meaning}." for name, meaning in (named.meanings if named else {}).items()
    ]
    return " ".join([_described(text, what), *values])


def _allowed(schema: dict[str, Any]) -> str:
    """What a setting takes, in words, from its JSON schema."""
    if "anyOf" in schema:
        kept = [one for one in schema["anyOf"] if one.get("type") != "null"]
        return _allowed(kept[0])
    values = schema.get("enum") or ([schema["const"]] if "const" in schema else [])
    if values:
        return ", ".join(f"`{value}`" for value in values)
    if schema.get("type") == "array":
        return f"list of: {_allowed(schema['items'])}"
    if schema.get("type") == "object":
        return f"table of names, each with: {_allowed(schema['additionalProperties'])}"
    kind = {"integer": "whole number", "number": "number", "boolean": "true or false"}
    words = [kind.get(schema.get("type", ""), schema.get("format", "text"))]
    bounds = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to"}
    bounds |= {"exclusiveMaximum": "below", "maxLength": "of a length up to"}
    words += [f"{word} {schema[key]:g}" for key, word in bounds.items() if key in schema]
    words += [f"matching `{schema['pattern']}`"] if "pattern" in schema else []
    return " ".join(words)


def _default(value: Any) -> str:
    if value is None or value in ("", (), {}):
        return ""
    if value == DEFAULT_SPARSITIES:
        return "`[0, 0.05, ..., 0.95]`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


# Tables


def _tables() -> Iterator[str]:
    yield "# Tables\n"
    yield "`prunescope export STUDY TABLE --out FILE` writes any of them as "
    yield f"{', '.join(export.FORMATS)}; most can be downloaded below the charts they feed. "
    yield "*Paper* marks what the published analysis computes, *corrected* what we recommend: see "
    yield "[Statistics](../explanation/statistics.md). Missing values are empty in CSV, null in "
    yield "the others. Shares and sparsities are fractions.\n"
    for name, table in results.TABLES.items():
        yield f"## {name}\n"
        yield _what(table.columns)
        if "sparsity" in table.options:
            yield "`--sparsity` names the pruned model; 0.9 if not given.\n"
        if "metric" in table.options:
            usual = "somers_d" if name == "safe_sparsity" else "ap"
            yield f"`--metric` is one of {', '.join(METRICS)}; {usual} if not given. What the "
            yield "columns call AP is then of that metric, unless they name another.\n"
        yield _meanings(table.columns.values())
    yield "## Of pages\n"
    yield "What pages give as CSV and Parquet, and no command does.\n"
    for name, columns in PAGE_TABLES.items():
        yield f"### {name}\n"
        yield _what(columns)
        yield _meanings(columns.values())
    yield "## Reader studies\n"
    yield "`prunescope reader-study export NAME --out FOLDER` writes the tables "
    yield f"{', '.join(READER_TABLES)} and a codebook with these meanings. No table holds an "
    yield "e-mail address or a name.\n"
    every = {one.name: one for columns in READER_TABLES.values() for one in columns.values()}
    yield _meanings(every.values())


def _what(columns: Columns) -> str:
    return f"{columns.what} One row: {columns.row}.\n"


def _meanings(columns: Iterable[Column]) -> str:
    rows = [(f"`{one.name}`", _escaped(one.meaning)) for one in columns]
    return _table(("column", "meaning"), rows)


# Pages


def dashboard_pages() -> dict[str, tuple[str, tuple[str, ...]]]:
    """File of each page in `pages/` to its title and the roles that see it."""
    shell = ast.parse((ROOT / "pages" / "shell.py").read_text(encoding="utf-8"))
    names: dict[str, Any] = {"SEES_STUDIES": access.SEES_STUDIES}
    for node in shell.body:
        target: Any = None
        if isinstance(node, ast.Assign):
            target = node.targets[0]
        elif isinstance(node, ast.AnnAssign) and node.value:
            target = node.target
        if isinstance(target, ast.Name) and target.id.isupper():
            names[target.id] = _evaluated(node.value, names)  # type: ignore[attr-defined]
    return {
        file: (title, roles)
        for section in names["SECTIONS"].values()
        for file, (title, _, roles) in section.items()
    }


def _evaluated(node: ast.expr, names: dict[str, Any]) -> Any:
    """A literal in which names that are already known may stand."""
    if isinstance(node, ast.Name):
        return names[node.id]
    if isinstance(node, ast.Tuple):
        return tuple(_evaluated(part, names) for part in node.elts)
    if isinstance(node, ast.Dict):
        return {
            _evaluated(key, names): _evaluated(value, names)
            for key, value in zip(node.keys, node.values, strict=True)
            if key is not None
        }
    return ast.literal_eval(node)


def _dashboard() -> Iterator[str]:
    yield "# Pages\n"
    yield "The address of a page holds its whole state: anyone who opens it sees what you see, if "
    yield "their role lets them. Without sign-in there is one person, who sees everything.\n"
    rows: list[tuple[str, ...]] = []
    for file, (title, roles) in dashboard_pages().items():
        path = ROOT / "pages" / file
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        text = " ".join(_described(text, f"the page {title}").split())
        address = "" if not rows else file.removesuffix(".py")
        rows.append((f"**{title}**", f"`/{address}`", ", ".join(roles), _escaped(text)))
    yield _table(("page", "address", "for", "shows"), rows)
    _same("parameter", sorted(parameters(ROOT)), say.ADDRESS)
    yield "## What stands in an address\n"
    yield "`/class_ap?study=demo&metric=auroc&sparsity=85` shows AUROC of the study `demo` at "
    yield "85 %. A parameter that is left out has its default, and one that is not known does no "
    yield "harm. Several classes are given one by one: `classes=Mass&classes=Hernia`. An address "
    yield "gives nobody a right: who opens it sees what their role lets them see.\n"
    named = [(f"`{name}`", page, text) for name, (page, text) in say.ADDRESS.items()]
    yield _table(("parameter", "on page", "meaning"), named)


# Variables


def variables() -> set[str]:
    """Every variable of ours that the source names."""
    files = [ROOT / "app.py", *(ROOT / "core").rglob("*.py"), *(ROOT / "pages").glob("*.py")]
    own = Path(say.__file__)
    texts = (path.read_text(encoding="utf-8") for path in files if path != own)
    return {name for text in texts for name in VARIABLE.findall(text)}


def _variables() -> Iterator[str]:
    _same("variable", sorted(variables()), say.VARIABLES)
    yield "# Environment variables\n"
    rows = [(f"`{name}`", text) for name, text in say.VARIABLES.items()]
    yield _table(("variable", "meaning"), rows)


# Parts


def _joined(parts: list[str]) -> str:
    return "\n".join(part.rstrip(" ") for part in parts).rstrip() + "\n"


def _same(what: str, there: Iterable[str], described: Iterable[str]) -> None:
    """Raises InputError where code and descriptions do not name the same."""
    missing, left = set(there) - set(described), set(described) - set(there)
    if missing:
        raise InputError(
            f"tools/reference/words.py does not describe the {what} {', '.join(sorted(missing))}."
        )
    if left:
        raise InputError(
            f"tools/reference/words.py describes the {what} "
            f"{', '.join(sorted(left))}, which is not there."
        )


def _described(text: str, what: str) -> str:
    if not text.strip():
        raise InputError(f"There is no description of {what}.")
    return text.strip()


def _escaped(text: str) -> str:
    """Markdown in which <names> in angle brackets stay to be seen; code is left as it is."""
    parts = text.split("`")
    parts[::2] = [part.replace("<", "&lt;").replace("|", "&#124;") for part in parts[::2]]
    return "`".join(parts)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    cells = ([cell.replace("\n", " ") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells) + "\n"
