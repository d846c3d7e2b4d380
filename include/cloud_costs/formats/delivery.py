"""What every format says of its deliveries: one complete version of one billing month of one source each."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from cloud_costs.months import MonthRange, month_label
from cloud_costs.storage.files import Storage, StoredFile


@dataclass(frozen=True)
class Manifest:
    """What tells the newest delivery of one billing month from all others, found by listing; nothing is read yet.

    `file` is the manifest itself. Where a delivery has none, or has several, `file` stands for all that make it up:
    its ETag changes whenever one of them does (`manifests.standing_for`), and `parts` are the manifests, where each
    is of an export of its own.
    """

    source: str
    billing_month: date
    file: StoredFile
    parts: tuple[StoredFile, ...] = ()

    @property
    def label(self) -> str:
        return f"{self.source} {month_label(self.billing_month)}"


@dataclass(frozen=True)
class Delivery:
    """What a manifest pins: the version and the data files, each found and measured.

    Some providers also promise what the files hold. `file_rows` are the lines of each file by its uri. `rows` are the
    lines of all files. `billed` is the billed cost of all lines by currency. Where the provider promises nothing, they
    are empty or None. A load that stored anything else is refused.

    `renamed` are, by the uri of a file, other names for some of its columns, by their name in lower case: where files
    of two exports make up a delivery, it keeps amounts apart that both exports call the same.
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
    """What messages say about a provider: its name, where to look at an export, and how a tag gets into one."""

    name: str
    console: str
    missing_tag: str


# The key of a text of tags that is not JSON.
UNREADABLE = "unreadable tags"


def _itself(key: str) -> tuple[str, ...]:
    return (key,)


@dataclass(frozen=True)
class TagList:
    """A list of tags, each an object with the keys `key` and `value`.

    It is in the first of the raw columns that is there; `project->labels` is the key `labels` of the column `project`.
    A key that an earlier list has too is kept with `prefix` before it.
    """

    columns: tuple[str, ...]
    prefix: str


@dataclass(frozen=True)
class Tags:
    """Where the lines of an export hold tags: in a column for each tag, in maps or lists of many tags, or in several.

    A raw column whose name begins with `prefix` holds one tag, and `key_of` returns the tag's key from the exporter's
    name of the column. The raw columns `maps` hold many tags by key, and so do `lists`, of which earlier ones win.
    `spellings` returns how an export may spell a key that `sources.yaml` names; the first spelling that is there
    counts.

    A map is jsonb, or the text of a JSON object with its braces or without. A text that is no JSON object is kept whole
    under the key `UNREADABLE`. `as_object` is the SQL expression of a map as one object, where the export may write it
    in another way: `{tags}` there is the jsonb of one of the `maps`. With `json_text`, a text may be any JSON that
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
    - `billed` is the raw column that says what is billed, or several of which one does. A file without is refused.
    - `raw_name` and `csv_type` give a CSV column its raw name and its PostgreSQL type.
    - `file_types` are the endings of the names of data files.
    - `versions` are those of the standard that files of any provider may follow, and `version_of(columns)` tells which
      one the columns of a file are of. A provider's own format has neither.
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
