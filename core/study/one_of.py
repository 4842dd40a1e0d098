"""A setting that is one of several names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import core_schema


@dataclass(frozen=True, eq=False)
class OneOf:
    """Allows these names, as `Literal` does, and knows what each means."""

    meanings: Mapping[str, str]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.literal_schema(list(self.meanings))
