"""What environment variables say: each read in one place, with its meaning beside it."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

JOBS_DATABASE = "PRUNESCOPE_JOBS_DATABASE"
READER_DATABASE = "PRUNESCOPE_READER_DATABASE"
UPLOAD_LIMIT = "PRUNESCOPE_UPLOAD_LIMIT"


def _from_home(path: Path) -> Path:
    """~/studies as a shell would write it out: files and services pass it as it stands."""
    try:
        return path.expanduser()
    except RuntimeError:  # nobody's home
        return path


Folder = Annotated[Path, AfterValidator(_from_home)]


class Environment(BaseSettings):
    """One field a variable; one that is empty counts as not set. What a value may be is checked
    where it is used, so that a wrong one stops only that."""

    model_config = SettingsConfigDict(case_sensitive=True, env_ignore_empty=True, frozen=True)

    cache: Folder = Field(
        Path("cache"),
        alias="PRUNESCOPE_CACHE",
        description="Folder of everything a run writes; `cache` in the working directory if not "
        "set. Back it up, and let nobody else read it.",
    )
    jobs_database: str = Field(
        "",
        alias=JOBS_DATABASE,
        repr=False,  # a password may stand in it
        description="Database of background jobs, such as "
        "`postgresql://user:password@host:5432/prunescope`; SQLite in the cache folder if not set.",
    )
    reader_database: str = Field(
        "",
        alias=READER_DATABASE,
        repr=False,
        description="Database of readers' answers, in the same form; SQLite in the cache folder "
        "if not set.",
    )
    roles: Folder | None = Field(
        None,
        alias="PRUNESCOPE_ROLES",
        description="TOML file of who may do what; see [Deploy with sign-in]"
        "(../how-to/deploy.md). Read again for every request.",
    )
    shipped: Folder | None = Field(
        None,
        alias="PRUNESCOPE_SHIPPED",
        description="Folder of finished studies, laid out like the cache folder; `prunescope "
        "serve` copies them there once. The Docker image sets it.",
    )
    upload_limit: str = Field(
        "",
        alias=UPLOAD_LIMIT,
        description="Largest file to upload, such as `500M` or `4G`; 2 GB if not set.",
    )
    role_claim: str | None = Field(
        None,
        alias="PRUNESCOPE_ROLE_CLAIM",
        description="Claim of the ID token that holds a role; a dot goes a level deeper.",
    )


VARIABLES = {str(field.alias): field for field in Environment.model_fields.values()}


def environment() -> Environment:
    """What the variables say at this moment."""
    return _read(*(os.environ.get(name) for name in VARIABLES))


@lru_cache(maxsize=4)  # to make one takes a millisecond, and every path begins at the cache folder
def _read(*values: str | None) -> Environment:
    return Environment()
