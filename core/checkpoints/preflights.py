"""Preflights for the dashboard: each in a child process that may take its time, or end badly.

What is asked for stands in a folder of the upload, `preflights/<key>`, and the answer beside it;
the same question again finds the answer. So a page that is reloaded, or a server that is started
again, comes back to where it was. The dashboard itself never loads torch, nor opens the file.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from core.checkpoints.preflight import VERSION, Preflight, PreflightOptions
from core.errors import InputError, WorkError
from core.processes import children
from core.study.config import StudyConfig, parse_config, read_config
from core.study.paths import images_dir, preflight_path, preflight_paths
from core.study.trash import remove
from core.upload.datasets import OwnDataset, all_datasets
from core.upload.uploads import Upload, uploads_dir

CHILD = "core.engine.foreign.preflight_child"
STUDY_FILES = children.ROOT / "data" / "studies"
_OPTIONS = TypeAdapter(PreflightOptions)


@dataclass(frozen=True)
class Question:
    """A file, the study whose dataset it is to be tried on, and what a person chose."""

    upload: Upload
    base: StudyConfig
    options: PreflightOptions

    @property
    def key(self) -> str:
        decisive = [
            VERSION,
            self.base.model_dump(mode="json", exclude={"training", "runs", "model", "checkpoint"}),
            asdict(self.options),
        ]
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def folder(self) -> Path:
        return _folder(self.upload, self.key)


Answer = children.Answer[Preflight]


def datasets(studies: Iterable[StudyConfig], person: str) -> dict[str, StudyConfig]:
    """What a person can try a checkpoint on, by name: studies that are here, their own data and
    nobody's, and the study files that come along. The images have to be on this machine."""
    found: dict[str, StudyConfig] = {}
    for config in studies:
        if config.dataset.kind != "imported" and config.checkpoint is None:
            found.setdefault(config.study.name, config)
    own = [one.config for one in all_datasets() if one.person in ("", person)]
    for config in (*own, *_along()):
        found.setdefault(config.study.name, config)
    return {name: config for name, config in found.items() if _has_images(config)}


def ask(question: Question) -> None:
    """Start a child for a question, unless there is one, or an answer."""
    asked = {
        "path": str(question.upload.path),
        "name": question.upload.name,
        "base": question.base.model_dump(mode="json", exclude_none=True),
        "options": asdict(question.options),
    }
    children.start(question.folder, CHILD, asked)


def answer(question: Question) -> Answer:
    """How a question stands, without waiting."""
    return children.answer(
        question.folder, lambda said: Preflight.from_json(json.dumps(said).encode())
    )


def forget(question: Question) -> None:
    """End the child if there is one, and take away what it left, so that it can be asked again."""
    children.forget(question.folder)


def forget_reports(mentioning: str) -> None:
    """Delete the kept reports that have these letters in them, such as a path; what they found is
    found again. Raises WorkError where they cannot be deleted."""
    remove([path for path in preflight_paths() if mentioning.encode() in path.read_bytes()])


def forget_those_on(dataset: OwnDataset) -> None:
    """End and delete every preflight on a dataset: their reports show its images."""
    for folder in uploads_dir().glob("*/preflights/*"):
        asked = children.question(folder)
        if asked and str(dataset.images) == asked["base"]["dataset"].get("images"):
            children.end(folder)
            if report := children.answer(folder, dict).report:
                preflight_path(report["key"]).unlink(missing_ok=True)
            children.forget(folder)
    forget_reports(f"{dataset.folder.name}/images")


def choices(upload: Upload, key: str | None) -> PreflightOptions:
    """What a person chose when they asked the question of this key; empty without any."""
    if key is None or not re.fullmatch(r"[0-9a-f]{16}", key):
        return PreflightOptions()
    said = children.question(_folder(upload, key))
    try:
        return _OPTIONS.validate_python(said["options"] if said else {})
    except (KeyError, ValidationError):
        return PreflightOptions()


def read_question(folder: Path) -> tuple[Path, str, StudyConfig, PreflightOptions]:
    """For the child: the file, what its person calls it, the base study, and the choices."""
    said = children.question(folder)
    if said is None:
        raise WorkError("The question of a preflight is gone.")
    base = parse_config(said["base"], said["base"]["study"]["name"])
    return Path(said["path"]), said["name"], base, _OPTIONS.validate_python(said["options"])


def _folder(upload: Upload, key: str) -> Path:
    return upload.folder / "preflights" / key


def _along() -> list[StudyConfig]:
    found = []
    for path in sorted(STUDY_FILES.glob("*.toml")):
        with contextlib.suppress(InputError):
            found.append(read_config(path))
    return found


def _has_images(config: StudyConfig) -> bool:
    if config.synthetic:
        return True
    folder = images_dir(config.dataset)
    return folder is not None and folder.is_dir()
