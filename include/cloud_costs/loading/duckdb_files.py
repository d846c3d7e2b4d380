"""DuckDB over the files of a delivery, which it reads through `storage` with readers of its own.

DuckDB has extensions that read S3, Azure and Google by themselves. They would need a copy of the credentials, and have
rules of their own for regions, redirects and keys. Here DuckDB asks a small file system for bytes, and `storage` gives
them: whatever can be loaded can be queried, and every read is of the version that was listed.
"""

import io
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cloud_costs.errors import CloudCostsError, DeliveryError
from cloud_costs.storage.files import Storage, StoredFile, changed_files
from cloud_costs.storage.ranges import PIECE_BYTES

if TYPE_CHECKING:
    import duckdb

PROTOCOL = "delivery"
THREADS = 2
# Of a Parquet file DuckDB asks for one column after the other: what is read beyond one is read in vain.
PARQUET_BUFFER = 64 << 10

# DuckDB tells by its name what a file is, and whether it is packed.
ENDINGS = {
    ".csv.gz": ".csv.gz",
    ".csv": ".csv",
    ".parquet": ".parquet",
    **{f".{name}.gz": ".json.gz" for name in ("json", "jsonl", "ndjson")},
    **{f".{name}": ".json" for name in ("json", "jsonl", "ndjson")},
}


@dataclass(frozen=True)
class Part:
    """A file as DuckDB sees it, Parquet, CSV or JSON lines: a stored file, or a member of a zip file."""

    file: StoredFile
    path: str
    member: str | None = None

    @property
    def kind(self) -> str:
        """What DuckDB reads it as: parquet, csv or json."""
        return self.path.removesuffix(".gz").rpartition(".")[2]


@dataclass(frozen=True)
class DeliveryFiles:
    """A DuckDB in memory that can read the parts of a delivery."""

    connection: "duckdb.DuckDBPyConnection"
    parts: tuple[Part, ...]


@contextmanager
def open_files(
    storage: Storage, where: str, files: Sequence[StoredFile], memory: str | None = None
) -> Iterator[DeliveryFiles]:
    """Open a DuckDB over these files, which takes `memory` at most, such as 200MB.

    What `storage` raises while DuckDB reads is raised here, and not DuckDB's words for it. Raises `DeliveryError` for
    a broken zip file, and `duckdb.Error` for what DuckDB cannot read.
    """
    # Imported here: a task that loads nothing does not pay for it.
    import duckdb

    parts = tuple(part for number, file in enumerate(files) for part in _parts_of(storage, where, number, file))
    opener = _Opener(storage, {part.path: part for part in parts})
    settings: dict[str, str | bool | int | float | list[str]] = {
        "threads": THREADS,
        "preserve_insertion_order": False,
        # Nothing is fetched at run time.
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        # What does not fit into memory is an error: DuckDB may write no file.
        "temp_directory": "",
    }
    if memory:
        settings["memory_limit"] = memory
    with duckdb.connect(config=settings) as connection:
        connection.execute("set timezone = 'UTC'")
        # It would be drawn into the log of a task.
        connection.execute("set enable_progress_bar = false")
        # Each file is read once, so nothing is gained by keeping what was read.
        connection.execute("set enable_external_file_cache = false")
        # No path is read but those of the delivery.
        connection.execute("set disabled_filesystems = 'LocalFileSystem'")
        connection.register_filesystem(_file_system(opener))
        try:
            yield DeliveryFiles(connection, parts)
        except duckdb.Error:
            for part, error in opener.errors:
                with changed_files(storage, where, part.file):
                    raise error from None
            raise
        finally:
            opener.close()


def _parts_of(storage: Storage, where: str, number: int, file: StoredFile) -> Iterator[Part]:
    path = f"{PROTOCOL}://{number}"
    if file.name.endswith(".zip"):
        try:
            with changed_files(storage, where, file), zipfile.ZipFile(_buffered(storage, file)) as archive:
                names = sorted(name for name in archive.namelist() if name.lower().endswith(".csv"))
        except zipfile.BadZipFile as error:
            raise DeliveryError(f"{where}: {file.uri}: {error} (the file is damaged)") from None
        yield from (Part(file, f"{path}-{at}.csv", name) for at, name in enumerate(names))
    else:
        ending = next(ours for theirs, ours in ENDINGS.items() if file.name.endswith(theirs))
        yield Part(file, path + ending)


class _Opener:
    """Opens the parts for DuckDB, and remembers what went wrong: DuckDB keeps but the words of it."""

    def __init__(self, storage: Storage, parts: dict[str, Part]) -> None:
        self.storage, self.parts = storage, parts
        self.errors: list[tuple[Part, CloudCostsError]] = []
        # DuckDB leaves it to Python to find out that a file is no longer in use.
        self._open = ExitStack()

    def open(self, path: str) -> "_Watched":
        part = self.parts[path]
        size = PARQUET_BUFFER if part.kind == "parquet" else PIECE_BYTES
        with self.watching(part):
            file: Any = self._open.enter_context(_buffered(self.storage, part.file, size))
            if part.member is not None:
                file = self._open.enter_context(self._open.enter_context(zipfile.ZipFile(file)).open(part.member))
        return _Watched(file, self, part)

    @contextmanager
    def watching(self, part: Part) -> Iterator[None]:
        """Remember an error of ours that ends a read of the part."""
        try:
            yield
        except CloudCostsError as error:
            self.errors.append((part, error))
            raise

    def close(self) -> None:
        self._open.close()

    def size(self, path: str) -> int:
        part = self.parts[path]
        if part.member is None:
            return part.file.size
        with zipfile.ZipFile(_buffered(self.storage, part.file)) as archive:
            return archive.getinfo(part.member).file_size


class _Watched:
    """A file that DuckDB reads: the opener is told which error of ours ended a read."""

    def __init__(self, file: Any, opener: _Opener, part: Part) -> None:
        self._file, self._opener, self._part = file, opener, part

    def read(self, size: int = -1) -> bytes:
        with self._opener.watching(self._part):
            return bytes(self._file.read(size))

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def close(self) -> None:
        self._file.close()


def _buffered(storage: Storage, file: StoredFile, size: int = PIECE_BYTES) -> io.BufferedReader:
    return io.BufferedReader(storage.open(file), size)


def _file_system(opener: _Opener) -> Any:
    """Return the opener as fsspec's file system, which DuckDB asks for."""
    from fsspec.spec import AbstractFileSystem

    class Files(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
        protocol = PROTOCOL
        cachable = False

        def open(self, path: str, mode: str = "rb", **_: Any) -> Any:
            return opener.open(self._full(path))

        def info(self, path: str, **_: Any) -> dict[str, Any]:
            return {"name": self._full(path), "size": opener.size(self._full(path)), "type": "file"}

        def glob(self, path: str, **_: Any) -> list[str]:
            return [self._full(path)]

        def exists(self, path: str, **_: Any) -> bool:
            return self._full(path) in opener.parts

        def modified(self, path: str) -> Any:
            return opener.parts[self._full(path)].file.modified

        def _full(self, path: str) -> str:
            return path if path.startswith(f"{PROTOCOL}://") else f"{PROTOCOL}://{path.lstrip('/')}"

    return Files()
