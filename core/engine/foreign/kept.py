"""Reports of preflights that are kept in the cache, by everything that decides what they say."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict
from pathlib import Path

from core.checkpoints.preflight import VERSION, Preflight, PreflightOptions
from core.engine.checkpoints import is_complete
from core.engine.foreign.adopting import adopted_path
from core.engine.foreign.sidecar import Sidecar
from core.engine.precision import native_bf16
from core.study import paths
from core.study.config import StudyConfig

log = logging.getLogger(__name__)


def key_of(
    path: Path,
    sha256: str,
    fingerprint: str,
    base: StudyConfig,
    options: PreflightOptions,
    sidecar: Sidecar,
) -> str:
    """What decides a report, as a file's name: equal files, data, choices and machines give one."""
    decisive = [
        VERSION,
        path.name,  # which the study is named after
        sha256,
        fingerprint,
        base.model_dump(mode="json", exclude={"training", "runs", "model", "checkpoint"}),
        asdict(options),
        asdict(sidecar),
        native_bf16(),  # what was measured elsewhere says nothing of this machine
    ]
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:32]


def report(key: str) -> Preflight | None:
    """The report made earlier, where the weights it took up are still there."""
    try:
        found = Preflight.from_json(paths.preflight_path(key).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        log.warning("Made again: %s", str(error).splitlines()[0])
        return None
    config = found.config
    if config is None or config.checkpoint is None:
        return found
    adopted = adopted_path(config.checkpoint, config.model)
    return found if is_complete(adopted) else None
