"""The interface of a format, and the deliveries that it finds.

A delivery is one complete version of one billing month of one source.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from cloud_costs.months import MonthRange, month_label
from cloud_costs.storage.files import Storage, StoredFile


@dataclass(frozen=True)
class Manifest:
    """The manifest of the newest delivery of one billing month, found by listing. It is not read yet.

    `file` is the manifest itself. A delivery without a manifest, or with several, has a `file` that is made up from all
    its files or manifests: its ETag changes whenever one of them does (`manifests.standing_for`). `parts` are the
    manifests of a delivery that consists of two exports.
    """

    source: str
    billing_month: date
    file: StoredFile
    parts: tuple[StoredFile, ...] = ()

    @property
    def label(self) -> str:
        """The source and the month, as messages name them: `cup 2025-01`."""
        return f"{self.source} {month_label(self.billing_month)}"


@dataclass(frozen=True)
class Delivery:
    """The version and the data files that a manifest names. Every file was found in storage.

    Some providers also promise what the files hold. `file_rows` is the number of lines of each file by its uri, `rows`
    the number of all lines, and `billed` the billed cost of all lines by currency. Without a promise they are empty or
    None. A load that stores anything else is refused.

    `renamed` has, by the uri of a file, new names for some of its columns, by the old name in lower case. Where two
    exports make up a delivery, it keeps amounts apart that have the same name in both.
    """

    manifest: Manifest
    version: str
    files: tuple[StoredFile, ...]
    file_rows: Mapping[str, int] = field(default_factory=dict)
    rows: int | None = None
    billed: Mapping[str, Decimal] = field(default_factory=dict)
    renamed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all data files."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class Provider:
    """The words of messages about a provider: its name, where to look at an export, and how to get a tag into one."""

    name: str
    console: str
    missing_tag: str


# The key under which a text of tags that is not JSON is kept.
UNREADABLE = "unreadable tags"


def _itself(key: str) -> tuple[str, ...]:
    return (key,)


@dataclass(frozen=True)
class TagList:
    """A list of tags, each an object with the keys `key` and `value`.

    The list is in the first of `columns` that an export has; `project->labels` is the key `labels` of the column
    `project`. A tag whose key an earlier list has too is kept under `prefix` and the key.
    """

    columns: tuple[str, ...]
    prefix: str


@dataclass(frozen=True)
class Tags:
    """Where the lines of an export hold tags: in a column for each tag, in maps, in lists, or in several of these.

    A raw column whose name begins with `prefix` holds one tag, and `key_of` returns the tag's key from the exporter's
    name of the column. The raw columns `maps` hold many tags by key, and so do `lists`, where earlier lists win.
    `spellings` returns how an export may spell a key that `sources.yaml` names; the first spelling that the export has
    counts.

    A map is jsonb, or the text of a JSON object with or without its braces. A text that is no JSON object is kept whole
    under the key `UNREADABLE`. `as_object` is an SQL expression that makes one object of a map, for exports that write
    maps in other ways; its `{tags}` is the jsonb of one of the `maps`. With `json_text`, a text may be any JSON that
    `as_object` reads, and a text that is no JSON is an error.
    """

    prefix: str = ""
    maps: tuple[str, ...] = ()
    key_of: Callable[[str], str] = str
    spellings: Callable[[str], Iterable[str]] = _itself
    as_object: str = "{tags}"
    json_text: bool = False
    lists: tuple[TagList, ...] = ()

    def hold(self, column: str) -> bool:
        """Tell whether a raw column holds tags."""
        listed = {name.partition("->")[0] for one in self.lists for name in one.columns}
        return column in self.maps or column in listed or self.is_tag(column)

    def is_tag(self, column: str) -> bool:
        """Tell whether a raw column holds one tag."""
        return self.prefix != "" and column.startswith(self.prefix) and column not in self.maps


@dataclass(frozen=True)
class Format:
    """How one kind of export is listed and read. `cloud_costs.formats.FORMATS` holds all formats by name.

    - `find_manifests(source, uri, storage, months)` returns the newest manifest of each month in the range.
    - `read_version(manifest, storage)` returns the version id that the manifest names.
    - `read_delivery(manifest, storage)` reads the manifest and finds every file that it lists.
    - `find_months` is `find_manifests` for a bucket that holds no manifests; None if the format has no such mode.
    - `find_amortized` is `find_manifests` for a source whose bill is two exports, one of actual and one of amortized
      costs. Its second argument is the uri of the amortized one. None if the format has no such thing.
    - `mapping` names the SQL files in `include/sql/focus` that say what the columns mean.
    - `billed` is the raw column with the billed cost, or several columns of which a file has one. A file that has none
      of them is refused.
    - `raw_name` and `csv_type` give a CSV column its raw name and its PostgreSQL type.
    - `file_types` are the endings of the names of data files.
    - `versions` are the versions of FOCUS that files may follow, and `version_of(columns)` tells to which one the
      columns of a file belong. A provider's own format has neither.
    """

    provider: Provider
    find_manifests: Callable[[str, str, Storage, MonthRange], list[Manifest]]
    read_version: Callable[[Manifest, Storage], str]
    read_delivery: Callable[[Manifest, Storage], Delivery]
    find_months: Callable[[str, str, Storage, MonthRange], list[Manifest]] | None
    mapping: str
    billed: str | tuple[str, ...]
    raw_name: Callable[[str], str]
    csv_type: Callable[[str], str]
    file_types: tuple[str, ...]
    tags: Tags = field(default_factory=Tags)
    find_amortized: Callable[[str, str, str, Storage, MonthRange], list[Manifest]] | None = None
    versions: tuple[str, ...] = ()
    version_of: Callable[[Iterable[str]], str] | None = None
