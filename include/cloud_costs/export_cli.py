"""The commands about files: `export` writes published months, and `query` asks DuckDB about a delivery or an export."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from cloud_costs import environment
from cloud_costs.answers import OutputFormat, write_answer
from cloud_costs.config.addresses import address
from cloud_costs.config.exports import Export
from cloud_costs.config.sources import Source, load_sources, pick_sources
from cloud_costs.errors import CloudCostsError, ConfigError
from cloud_costs.formats.delivery import Delivery, Format
from cloud_costs.months import MonthRange, parse_month
from cloud_costs.storage.files import Storage
from cloud_costs.terminal import console, end, errors
from cloud_costs.validation import explain

FromOption = Annotated[str | None, typer.Option("--from-month", help="First billing month, YYYY-MM.")]
ToOption = Annotated[str | None, typer.Option("--to-month", help="Last billing month, YYYY-MM.")]


class Relation(StrEnum):
    """What is exported."""

    FOCUS_COSTS = "focus_costs"
    COSTS = "costs"


class FileType(StrEnum):
    """The files of an export."""

    PARQUET = "parquet"
    CSV = "csv"


def export(
    to: Annotated[str, typer.Option("--to", help="The folder: s3://, abfss://, gs:// or file:///.")],
    source: Annotated[
        list[str] | None, typer.Option("--source", help="A published source; repeat it for several. Default: all.")
    ] = None,
    from_month: FromOption = None,
    to_month: ToOption = None,
    relation: Annotated[Relation, typer.Option("--relation", help="What to export.")] = Relation.FOCUS_COSTS,
    version: Annotated[
        str | None, typer.Option("--version", help="The version of FOCUS, 1.0 to 1.4. Default: 1.2.")
    ] = None,
    form: Annotated[FileType, typer.Option("--format", help="The files; csv is gzipped.")] = FileType.PARQUET,
    keep_old_versions: Annotated[
        bool,
        typer.Option("--keep-old-versions", help="Do not delete the files of a version that a newer one replaces."),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Read months too whose rows cannot have changed, and compare.")
    ] = False,
) -> None:
    """Write published months as Parquet or CSV into a folder or a bucket, whole and with exact decimals."""
    # Arrow takes longer to import than most commands to run.
    from cloud_costs.exporting.months import export_month, published_months

    failed: list[CloudCostsError] = []
    with errors():
        wanted = _export(to, relation, version, form, keep_old_versions)
        months = MonthRange.parse(from_month, to_month)
        database = environment.database()
        storage = environment.storage_at(wanted.to, writes=True)
        for name, month in published_months(database, source or (), months):
            try:
                console.print(str(export_month(database, storage, name, month, wanted, force=force)))
            except CloudCostsError as error:
                failed.append(error)
    end(failed)


def export_sources(sources: Sequence[Source]) -> Iterator[CloudCostsError]:
    """Bring the exports of sources that have one up to date, as the DAG does; yield the errors."""
    for source in sources:
        if source.export is None:
            continue
        from cloud_costs.exporting.months import export_source

        try:
            storage = environment.storage_at(source.export.to, writes=True)
            for outcome in export_source(environment.database(), storage, source):
                console.print(str(outcome))
        except CloudCostsError as error:
            yield error


def _export(to: str, relation: Relation, version: str | None, form: FileType, keep_old_versions: bool) -> Export:
    try:
        return Export.model_validate(
            {
                "to": to,
                "relation": relation.value,
                "version": version,
                "format": form.value,
                "keep_old_versions": keep_old_versions,
            }
        )
    except ValidationError as error:
        raise ConfigError(f"--{explain(error)}") from None


def query(
    statement: Annotated[str, typer.Argument(help="SQL of DuckDB, on the tables lines, files and manifest.")],
    source: Annotated[
        str | None, typer.Option("--source", help="A configured source, or one of the export. Default there: all.")
    ] = None,
    month: Annotated[
        str | None, typer.Option("--month", help="The billing month, YYYY-MM. Default of an export: all.")
    ] = None,
    exported: Annotated[
        str | None, typer.Option("--export", help="A folder of exports to ask, such as s3://lake/focus_costs_v1_2/.")
    ] = None,
    form: Annotated[OutputFormat, typer.Option("--format", help="How the rows are written.")] = OutputFormat.TABLE,
    output: Annotated[Path | None, typer.Option("--output", help="A file to write; Parquet needs one.")] = None,
) -> None:
    """Ask DuckDB about the files of the newest delivery before anything is loaded, or about those of an export."""
    from cloud_costs.loading.query import ask_all

    with errors():
        if form is OutputFormat.PARQUET and not output:
            raise ConfigError("--output: Parquet needs a file to write; name one")
        storage, deliveries, format_of_files = _asked(source, month, exported)
        arrow = form is OutputFormat.PARQUET
        with ask_all(storage, deliveries, format_of_files, statement, arrow=arrow) as answer:
            write_answer(answer, form, output, console)


def _asked(source: str | None, month: str | None, exported: str | None) -> tuple[Storage, tuple[Delivery, ...], Format]:
    """Return the deliveries that a query is about, where they are, and their format."""
    from cloud_costs.exporting.reading import find_exports
    from cloud_costs.publishing.load import find_manifest

    wanted = parse_month(month, "--month") if month else None
    if exported:
        try:
            uri = address(exported)
        except ValueError as error:
            raise ConfigError(f"--export: {error}") from None
        storage = environment.storage_at(uri)
        return storage, *find_exports(storage, uri, source, wanted)
    if source is None or wanted is None:
        raise ConfigError("a query needs --source and --month, or --export")
    [configured] = pick_sources(load_sources(), [source])
    storage = environment.storage(configured)
    manifest = find_manifest(storage, configured, wanted)
    return storage, (configured.form.read_delivery(manifest, storage),), configured.form
