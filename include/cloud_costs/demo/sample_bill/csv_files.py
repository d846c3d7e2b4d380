"""CSV files, as AWS writes them.

An absent value is an empty field, numbers have all their digits and no exponent, and maps are JSON texts.
"""

import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from functools import cache, lru_cache
from itertools import chain, repeat
from pathlib import Path
from typing import IO, Any, cast

from cloud_costs.demo.sample_bill.bill import Compression
from cloud_costs.demo.sample_bill.tables import Column, Row, Table

_NEEDS_QUOTES = re.compile('[,"\r\n]')
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


@contextmanager
def csv_writer(
    path: Path, table: Table, compression: Compression, member: str
) -> Iterator[Callable[[Sequence[Row]], None]]:
    """Give a function that writes rows; the header is there already. `member` is the name inside a zip."""
    with _compressed(path, compression, member) as binary, io.TextIOWrapper(binary, "utf-8", newline="") as file:
        file.write(",".join(_quoted(column.name) for column in table.columns) + "\n")

        def write(rows: Sequence[Row]) -> None:
            filled = set(chain.from_iterable(rows))
            columns = [_texts(rows, column, filled) for column in table.columns]
            for fields in zip(*columns, strict=False):
                file.write(",".join(fields) + "\n")

        yield write


@contextmanager
def _compressed(path: Path, compression: Compression, member: str) -> Iterator[IO[bytes]]:
    """Open the file for writing, without a clock time in it: the same content always has the same bytes."""
    if compression == "zip":
        entry = zipfile.ZipInfo(member, _ZIP_EPOCH)
        entry.compress_type = zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(path, "w") as archive, archive.open(entry, "w", force_zip64=True) as file:
            yield file
    elif compression == "gzip":
        with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
            yield cast(IO[bytes], file)
    else:
        with path.open("wb") as file:
            yield file


def _texts(rows: Sequence[Row], column: Column, filled: set[str]) -> Iterator[str] | list[str]:
    key = column.key
    if key not in filled:
        return repeat("", len(rows))
    return [_text(row[key]) if key in row else "" for row in rows]


def _text(cell: Any) -> str:
    if isinstance(cell, str):
        return _quoted(cell)
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    return _instant(cell) if isinstance(cell, datetime) else _quoted(_json(cell))


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text


def _json(cell: Mapping[str, str | Decimal]) -> str:
    """Return JSON text. The module `json` would write a small number with an exponent."""
    entries = (
        f"{_json_string(key)}:{f'{value:f}' if isinstance(value, Decimal) else _json_string(value)}"
        for key, value in cell.items()
    )
    return "{" + ",".join(entries) + "}"


@lru_cache(10_000)
def _json_string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


@cache
def _instant(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"
