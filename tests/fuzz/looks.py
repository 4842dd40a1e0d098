"""Files of every kind as `prunescope look` and the page that looks at a file read them, and what is
said of them: tables, pictures, DICOMs, predictions, checkpoints."""

from __future__ import annotations

import json
import random
from dataclasses import asdict
from pathlib import Path

from core.actions.looking import in_words, is_checkpoint, look, of_checkpoint
from core.checkpoints.preflight import Preflight
from core.engine.foreign.facts import facts
from core.errors import InputError
from tests.fuzz.case import Kind
from tests.fuzz.checkpoints import DIED, Checkpoints
from tests.fuzz.dicoms import Dicoms
from tests.fuzz.labels import LabelTables
from tests.fuzz.pictures import Pictures
from tests.fuzz.predictions import Predictions

LIKELY = (3, 2, 2, 2, 1)  # checkpoints pass through another process, so there are fewer of them


class Looks:
    refusals = (InputError,)

    def __init__(self, folder: Path) -> None:
        self.makers: list[Kind] = []
        for kind in (LabelTables, Pictures, Dicoms, Predictions, Checkpoints):
            place = folder / kind.__name__
            place.mkdir(exist_ok=True)
            self.makers.append(kind(place))
        checkpoints = self.makers[-1]
        assert isinstance(checkpoints, Checkpoints)
        self.reader = checkpoints.reader

    def make(self, rng: random.Random) -> Path:
        return rng.choices(self.makers, LIKELY)[0].make(rng)

    def read(self, path: Path) -> None:
        found = of_checkpoint(self._facts(path)) if is_checkpoint(path) else look(path)
        json.dumps(asdict(found))
        assert all(isinstance(said, str) for said in in_words(found).values())

    def _facts(self, path: Path) -> Preflight:
        said = ""
        try:
            return facts(path, reader=self.reader)
        except InputError as error:
            said = str(error)
            raise
        finally:
            assert not any(words in said for words in DIED), said
