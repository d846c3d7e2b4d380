"""The configuration: which billing exports there are, and where they are.

`include/config/sources.yaml`, or the file that `CLOUD_COSTS_CONFIG` names. Without a file, `S3_BUCKET` and
`CUR_PATHS` define `aws_cur` sources. Credentials are never here: they live in Airflow connections.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from cloud_costs.config.accounts import Account, read_accounts
from cloud_costs.config.addresses import address, default_conn_id
from cloud_costs.config.exports import Export
from cloud_costs.config.invoices import read_invoices
from cloud_costs.config.yaml_files import read_yaml
from cloud_costs.database import sql_files
from cloud_costs.errors import ConfigError
from cloud_costs.formats import FORMATS, with_amortized, without_manifests
from cloud_costs.formats.delivery import Format
from cloud_costs.formats.focus.versions import VERSIONS
from cloud_costs.layout import CONFIG, EXAMPLES
from cloud_costs.months import parse_month
from cloud_costs.validation import Location, explain

# A fixed folder, so that it does not depend on the working directory of a worker.
DEFAULT_PATH = CONFIG / "sources.yaml"
EXAMPLE = EXAMPLES / "sources.example.yaml"
DEFAULT_SCHEMA = "cost_analytics"
# Tables, views and indexes of this package. No source may need a relation of the same name.
FIXED_RELATIONS = (
    "account_list",
    "account_list_pkey",
    "accounts",
    "anomalies",
    "anomaly_actions",
    "audit_results",
    "budget_status",
    "budgets",
    "commitment_costs",
    "costs",
    "costs_by_day",
    "costs_by_day_account",
    "costs_by_day_service",
    "costs_by_month",
    "day_totals",
    "file_facts",
    "focus_costs",
    *(f"focus_costs_v{version.replace('.', '_')}" for version in VERSIONS),
    "forecasts",
    "load_files",
    "load_history",
    "manifest_totals",
    "notices",
    "published_months",
    "published_totals",
    "raw_columns",
    "raw_months",
    "raw_months_pkey",
    "raw_columns_pkey",
    "reports",
    "restatements",
    "schema_versions",
    *sql_files.reference_tables(),
)

# How partitions are named: <month>_<load id> at the end.
STAGED_NAME = re.compile(r".*_[0-9]{6}_[0-9]+")


def _month(value: Any) -> date:
    try:
        return parse_month(value)
    except ConfigError as error:
        raise ValueError(str(error).removeprefix("month: ")) from None


Month = Annotated[date, BeforeValidator(_month)]


def _storage_of(uri: str) -> tuple[str, str]:
    """Return what one connection reaches: the scheme, and the account that the address of a container names."""
    scheme, _, path = uri.partition("://")
    return scheme, path.partition("/")[0].partition("@")[2]


def _list_beside(value: Any, info: ValidationInfo, example: str, read: Callable[[Path], object]) -> Any:
    """Find a list beside the configuration file, and refuse a broken one before anything runs."""
    if not isinstance(value, str | Path):
        return value
    if re.match(r"(?!file:///)[a-z0-9]+://", str(value)):
        raise ValueError(f"{str(value)!r} is not allowed; write a path, or file:///folder/{example}")
    folder = (info.context or {}).get("folder", Path())
    path: Path = folder / str(value).removeprefix("file://")
    read(path)
    return path


class Source(BaseModel):
    """One billing export: its name, its format, its address and how it is loaded.

    `include/config/sources.example.yaml` explains each key.
    """

    # pydantic validates the fields in this order. A validator finds the fields before its own in `info.data`, without
    # those that were not valid, about which there is a message already.
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    format: str
    uri: str
    conn_id: str = Field(default=None, validate_default=True, pattern=r"^[A-Za-z0-9_.-]{1,250}$")
    first_month: Month | None = None
    amortized_uri: str | None = None
    manifest: Literal["required", "none"] = "required"
    stale_after_hours: int = Field(default=48, ge=0, le=87_600)
    tags: tuple[str, ...] = ()
    raw: Literal["all", "mapped"] = "all"
    raw_months: int | None = Field(default=None, strict=True, ge=1, le=1200)
    streams: int = Field(default=2, strict=True, ge=1, le=64)
    second_engine: bool = Field(default=True, strict=True)
    focus_version: str | None = None
    invoices: Path | None = None
    checks: Mapping[str, Literal["error"]] = Field(default_factory=dict)
    export: Export | None = None

    @field_validator("name")
    @classmethod
    def _fits_relations(cls, value: str) -> str:
        # 30 characters leave room for the longest relation name within PostgreSQL's 63 bytes:
        # <source>_normalized_<yyyymm>_<load id>
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,29}", value):
            raise ValueError(
                f"{value!r} is not allowed; use up to 30 lower-case letters, digits and _, beginning with a letter"
            )
        if STAGED_NAME.fullmatch(value):
            raise ValueError(f"{value!r} is not allowed: partitions are named like that; choose another name")
        return value

    @field_validator("format")
    @classmethod
    def _known_format(cls, value: str) -> str:
        if value not in FORMATS:
            raise ValueError(f"unknown format {value!r}; allowed: {', '.join(sorted(FORMATS))}")
        return value

    @field_validator("manifest")
    @classmethod
    def _has_the_mode(cls, value: str, info: ValidationInfo) -> str:
        form = FORMATS.get(info.data.get("format", ""))
        if value == "none" and form and form.find_months is None:
            raise ValueError(f"'none' is not for {info.data['format']}: its deliveries need their manifests")
        return value

    @field_validator("focus_version", mode="before")
    @classmethod
    def _known_version(cls, value: Any, info: ValidationInfo) -> Any:
        form = FORMATS.get(info.data.get("format", ""))
        if form is None or (value is None and not form.versions):
            return None
        if not form.versions:
            allowed = ", ".join(name for name, other in FORMATS.items() if other.versions)
            raise ValueError(f"it is not for {info.data['format']}, whose files are of one kind; only for {allowed}")
        # YAML reads 1.2 as a number.
        if str(value) not in form.versions:
            raise ValueError(f"{value!r} is not allowed; allowed: {', '.join(form.versions)}")
        return str(value)

    @field_validator("uri")
    @classmethod
    def _known_scheme(cls, value: str) -> str:
        return address(value)

    @field_validator("conn_id", mode="before")
    @classmethod
    def _default_of_the_cloud(cls, value: Any, info: ValidationInfo) -> Any:
        return default_conn_id(info.data.get("uri", "")) if value is None else value

    @field_validator("amortized_uri")
    @classmethod
    def _has_two_exports(cls, value: str | None, info: ValidationInfo) -> str | None:
        form = FORMATS.get(info.data.get("format", ""))
        if value is None or form is None:
            return value
        if form.find_amortized is None:
            taking = ", ".join(name for name, one in FORMATS.items() if one.find_amortized)
            raise ValueError(f"it is not for {info.data['format']}, whose exports hold all costs; only for {taking}")
        value, uri = address(value), info.data.get("uri", "")
        if value == uri:
            raise ValueError("it is the same as uri, which names the export of actual costs")
        if uri and _storage_of(value) != _storage_of(uri):
            raise ValueError(f"{value!r} is in another storage than uri, {uri}; both are read by one connection")
        return value

    @field_validator("invoices", mode="before")
    @classmethod
    def _readable_invoices(cls, value: Any, info: ValidationInfo) -> Any:
        return _list_beside(value, info, "invoices.csv", read_invoices)

    @field_validator("checks")
    @classmethod
    def _known_checks(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        unknown = sorted(set(value) - set(sql_files.check_names()))
        if unknown:
            raise ValueError(f"unknown check {unknown[0]!r}; allowed: {', '.join(sql_files.check_names())}")
        return value

    @field_validator("export")
    @classmethod
    def _is_another_folder(cls, value: Export | None, info: ValidationInfo) -> Export | None:
        uri = info.data.get("uri")
        if value and uri and (value.to.startswith(uri) or uri.startswith(value.to)):
            raise ValueError(f"{value.to} and uri, {uri}, hold one another; export to a folder of its own")
        return value

    @property
    def form(self) -> Format:
        """The format of the source, for two exports or for a bucket without manifests where it is configured so."""
        form = FORMATS[self.format]
        if self.amortized_uri:
            return with_amortized(form, self.amortized_uri)
        return without_manifests(form) if self.manifest == "none" else form

    @property
    def raw_table(self) -> str:
        """The table of the exported lines, partitioned by month."""
        return f"raw_{self.name}"

    @property
    def focus_view(self) -> str:
        """The view of the FOCUS charges, over the raw table."""
        return f"{self.name}_focus"

    @property
    def normalized_table(self) -> str:
        """The table of the daily totals, partitioned by month."""
        return f"{self.name}_normalized"


class _Sources(BaseModel):
    model_config = ConfigDict(extra="forbid")
    sources: list[Source] = Field(min_length=1)
    accounts: Path | None = None

    @field_validator("accounts", mode="before")
    @classmethod
    def _readable_accounts(cls, value: Any, info: ValidationInfo) -> Any:
        return _list_beside(value, info, "accounts.csv", read_accounts)


def sources_path(environ: Mapping[str, str] | None = None) -> Path:
    """Return where the configuration of sources is, or would be. The other lists of an operator are beside it."""
    environ = os.environ if environ is None else environ
    named = environ.get("CLOUD_COSTS_CONFIG")
    return Path(named) if named else DEFAULT_PATH


def load_sources(environ: Mapping[str, str] | None = None) -> tuple[Source, ...]:
    """Return the configured sources, in the order of the file.

    Raises `ConfigError` naming the file, the key and what is allowed.
    """
    return tuple(_load(environ).sources)


def load_accounts(environ: Mapping[str, str] | None = None) -> tuple[Account, ...]:
    """Return the accounts of the list that the configuration names; none without one.

    Raises `ConfigError` naming the file, the line and what is allowed.
    """
    path = _load(environ).accounts
    return read_accounts(path) if path else ()


def _load(environ: Mapping[str, str] | None) -> _Sources:
    environ = os.environ if environ is None else environ
    path = sources_path(environ)
    if environ.get("CLOUD_COSTS_CONFIG") or path.exists():
        return _validate(str(path), read_yaml(path), path.parent)
    if environ.get("S3_BUCKET") and environ.get("CUR_PATHS", "").strip(" ,"):
        return _validate("S3_BUCKET and CUR_PATHS", {"sources": _from_environment(environ)})
    raise ConfigError(
        f"no sources are configured: write {path} (as in {EXAMPLE}), point CLOUD_COSTS_CONFIG "
        "at a file, or set S3_BUCKET and CUR_PATHS"
    )


def pick_sources(sources: Sequence[Source], names: Sequence[str] | None) -> tuple[Source, ...]:
    """Return the sources named, or all when `names` is empty; raises `ConfigError` for an unknown name."""
    unknown = sorted(set(names or ()) - {source.name for source in sources})
    if unknown:
        known = ", ".join(source.name for source in sources)
        raise ConfigError(f"sources: {unknown[0]!r} is not configured; configured are {known}")
    return tuple(source for source in sources if not names or source.name in names)


def schema_name(environ: Mapping[str, str] | None = None) -> str:
    """Return the PostgreSQL schema of all tables (`POSTGRES_SCHEMA`)."""
    environ = os.environ if environ is None else environ
    name = environ.get("POSTGRES_SCHEMA") or DEFAULT_SCHEMA
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,39}", name) or name.startswith("pg_") or name == "information_schema":
        raise ConfigError(
            f"POSTGRES_SCHEMA: {name!r} is not allowed; use up to 40 lower-case letters, digits and _, "
            "not beginning with a digit or pg_, and not information_schema"
        )
    return name


def _validate(where: str, content: Any, folder: Path = Path()) -> _Sources:
    if not isinstance(content, dict):
        raise ConfigError(f"{where}: expected a mapping with the key 'sources', as in sources.example.yaml")
    try:
        found = _Sources.model_validate(content, context={"folder": folder})
    except ValidationError as error:
        raise ConfigError(f"{where}: {explain(error, _known_keys)}") from None
    _refuse_clashes(where, found.sources)
    return found


def _known_keys(location: Location) -> str:
    if "export" in location[:-1]:
        return ", ".join(Export.model_fields)
    return ", ".join(_Sources.model_fields if len(location) == 1 else Source.model_fields)


def _refuse_clashes(where: str, sources: Sequence[Source]) -> None:
    owners = {name: "the package" for name in FIXED_RELATIONS}
    for name, count in Counter(source.name for source in sources).items():
        if count > 1:
            raise ConfigError(f"{where}: sources: the name {name!r} is given {count} times")
    places: dict[str, str] = {}
    for source in sources:
        for uri in filter(None, (source.uri, source.amortized_uri)):
            if (other := places.setdefault(uri, source.name)) != source.name:
                raise ConfigError(
                    f"{where}: sources: {other!r} and {source.name!r} have the same uri, {uri}; "
                    "every cost would count twice"
                )
    for source in sources:
        for relation in (source.raw_table, source.focus_view, source.normalized_table):
            owner = owners.setdefault(relation, f"source {source.name!r}")
            if owner != f"source {source.name!r}":
                raise ConfigError(
                    f"{where}: sources: the name {source.name!r} needs a relation {relation!r}, which {owner} "
                    "has already; choose another name"
                )


def _from_environment(environ: Mapping[str, str]) -> list[dict[str, str]]:
    """Name each path by its first folder, or by the whole path where an earlier one has that name.

    A path that is added at the end renames none before it: the name is the name of the tables.
    """
    sources: list[dict[str, str]] = []
    for path in (path.strip() for path in environ["CUR_PATHS"].split(",")):
        if not path:
            continue
        names = {source["name"] for source in sources}
        name = _slug(path.strip("/").split("/")[0])
        if name in names:
            name = _slug(path)
        if name in names:
            raise ConfigError(
                f"CUR_PATHS: {path!r} gives the name {name!r}, which another path has; name both in sources.yaml"
            )
        sources.append({"name": name, "format": "aws_cur", "uri": f"s3://{environ['S3_BUCKET']}/{path}"})
    return sources


def _slug(text: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:30].strip("_")
    return slug if slug[:1].isalpha() else f"s_{slug}"[:30]
