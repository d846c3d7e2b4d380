"""The lists that an operator keeps beside `sources.yaml`: CSV files of one line for each thing, under a header."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from cloud_costs.errors import ConfigError

BOM = b"\xef\xbb\xbf"

Entry = TypeVar("Entry")


def read_list(
    path: Path,
    header_of: Callable[[str, list[str]], list[str]],
    entry_of: Callable[[str, dict[str, str]], tuple[str, Entry]],
) -> tuple[Entry, ...]:
    """Return the entries of a list, one for each line that is not empty.

    `header_of(where, names)` returns the columns that the first line names. `entry_of(where, values)` returns what no
    two lines may have in common, in the words of a message, and the entry; the values have no spaces around them.

    Raises `ConfigError` for a file that is no CSV and for two lines of one thing; the two functions raise it for what
    they do not allow. It begins with `where`: the file and the line.
    """
    # `strict` refuses broken quotes, which would swallow the lines that follow.
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    entries: dict[str, Entry] = {}
    lines: dict[str, int] = {}
    try:
        header = header_of(f"{path}: line 1", next(reader, []))
        for row in reader:
            if not row:
                continue
            where = f"{path}: line {reader.line_num}"
            if len(row) != len(header):
                raise ConfigError(f"{where}: {len(row)} values; the header names {len(header)}")
            key, entry = entry_of(where, dict(zip(header, (value.strip() for value in row), strict=True)))
            if key in entries:
                raise ConfigError(f"{where}: {key} is on line {lines[key]} already")
            entries[key], lines[key] = entry, reader.line_num
    except csv.Error as error:
        raise ConfigError(f"{path}: line {reader.line_num}: not CSV: {error}") from None
    return tuple(entries.values())


def _text(path: Path) -> str:
    try:
        return path.read_bytes().removeprefix(BOM).decode("utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8: {error}") from None
