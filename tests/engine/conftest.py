"""A small study that is made once."""

import pytest

from core.engine.pipeline import run_study
from core.study.config import read_config
from tests.engine.small_study import STUDY
from tests.shared import made_once


@pytest.fixture(scope="session")
def study_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "small.toml"
    path.write_text(STUDY)
    return path


@pytest.fixture(scope="session")
def undisturbed(study_file, tmp_path_factory):
    """(config, cache) of a finished study that nobody disturbed."""
    config = read_config(study_file)
    return config, made_once(tmp_path_factory, "undisturbed", lambda: run_study(config))
