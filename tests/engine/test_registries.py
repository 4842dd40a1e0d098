"""What a study file may name and what the engine can do are the same."""

import pytest

from core.engine.losses import LOSSES
from core.engine.pruning import METHODS
from core.engine.registry import chosen
from core.engine.repair import REPAIRS
from core.engine.samplers import SAMPLERS
from core.engine.schedules import SCHEDULES
from core.errors import InputError
from core.study import settings
from core.study.config import parse_config
from tests.toys import toy_config

REGISTRIES = {
    "training.loss": (settings.LOSSES, LOSSES),
    "training.sampler": (settings.SAMPLERS, SAMPLERS),
    "training.schedule": (settings.SCHEDULES, SCHEDULES),
    "pruning.method": (settings.PRUNING_METHODS, METHODS),
    "repair.method": (settings.REPAIRS, REPAIRS),
}


@pytest.mark.parametrize("name", REGISTRIES)
def test_every_name_that_a_study_file_may_hold_has_its_function_and_the_reverse(name):
    meanings, functions = REGISTRIES[name]
    assert set(meanings) == set(functions)
    assert {name: function.__name__ for name, function in functions.items()} == {
        name: name for name in functions
    }


@pytest.mark.parametrize("name", REGISTRIES)
def test_an_unknown_name_is_refused_with_those_there_are(name):
    section, _, key = name.partition(".")
    raw = toy_config().model_dump(mode="json", exclude_none=True)
    raw[section][key] = "magic"
    with pytest.raises(InputError, match=rf"{section}\.{key}.*magic") as refused:
        parse_config(raw, "test")
    assert all(repr(known) in str(refused.value) for known in REGISTRIES[name][0])


def test_a_registry_asked_for_an_unknown_name_lists_its_own():
    with pytest.raises(InputError, match=f"no loss 'magic'; known: {', '.join(LOSSES)}"):
        chosen(LOSSES, "magic", "loss")
