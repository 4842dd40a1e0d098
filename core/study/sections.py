"""What the sections of a study file share, and what may stand in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic_core import core_schema

from core.study.networks import LIBRARIES, check_network


@dataclass(frozen=True, eq=False)
class OneNetwork:
    """Allows our own names of networks, and those of the libraries' index."""

    own: tuple[str, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(
            lambda name: check_network(name, self.own), core_schema.str_schema()
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        library = f"^({'|'.join(LIBRARIES)})/"
        return {"anyOf": [{"enum": list(self.own)}, {"type": "string", "pattern": library}]}


class Settings(BaseModel):
    """A frozen section of a study file; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
