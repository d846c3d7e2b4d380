"""Where published months are exported to, and as what: the key `export` of a source, or the options of the command."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from cloud_costs.config.addresses import address, default_conn_id
from cloud_costs.formats.focus.versions import VERSIONS

# The version of FOCUS whose columns the FOCUS views have.
FOCUS_VERSION = "1.2"


class Export(BaseModel):
    """A folder of exports. `docs/export.md` explains each key."""

    # pydantic validates the fields in this order, and a validator finds those before its own in `info.data`.
    model_config = ConfigDict(frozen=True, extra="forbid")

    to: str
    conn_id: str = Field(default=None, validate_default=True, pattern=r"^[A-Za-z0-9_.-]{1,250}$")
    relation: Literal["focus_costs", "costs"] = "focus_costs"
    version: str | None = Field(default=None, validate_default=True)
    format: Literal["parquet", "csv"] = "parquet"
    keep_old_versions: bool = Field(default=False, strict=True)

    @field_validator("to")
    @classmethod
    def _known_scheme(cls, value: str) -> str:
        return address(value)

    @field_validator("conn_id", mode="before")
    @classmethod
    def _default_of_the_cloud(cls, value: Any, info: ValidationInfo) -> Any:
        return default_conn_id(info.data.get("to", "")) if value is None else value

    @field_validator("version", mode="before")
    @classmethod
    def _known_version(cls, value: Any, info: ValidationInfo) -> Any:
        if info.data.get("relation") == "costs":
            if value is not None:
                raise ValueError("it is a version of FOCUS, which costs does not follow; only for focus_costs")
            return None
        # YAML reads 1.2 as a number.
        if value is not None and str(value) not in VERSIONS:
            raise ValueError(f"{str(value)!r} is not allowed; allowed: {', '.join(VERSIONS)}")
        return FOCUS_VERSION if value is None else str(value)
