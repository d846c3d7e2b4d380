"""Raw columns: their names and types in PostgreSQL.

Raw tables keep what was exported, and the files of different deliveries may spell and type a column differently.
Timestamps are UTC without a zone, whatever their precision. Maps, structs and lists become jsonb. A number that is too
large for PostgreSQL's integers becomes numeric.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cloud_costs.errors import ColumnTypeError

# Every raw table is partitioned by this column of ours, so no exported column can have its name.
RESERVED = "billing_period"
MAX_NAME_BYTES = 63  # PostgreSQL's NAMEDATALEN - 1
MAX_COLUMNS = 1599  # of PostgreSQL's 1,600, billing_period takes one

# Pairs of a type and one that holds each of its values without losing a digit. No integer of 64 bits becomes a double,
# which has 53 bits for digits, and nothing becomes text, which could not be summed.
WIDER = {
    ("smallint", "integer"),
    ("smallint", "bigint"),
    ("smallint", "numeric"),
    ("smallint", "double precision"),
    ("integer", "bigint"),
    ("integer", "numeric"),
    ("integer", "double precision"),
    ("bigint", "numeric"),
    ("real", "double precision"),
    # PostgreSQL's own cast keeps the 15 significant digits that the exporter had.
    ("double precision", "numeric"),
    ("real", "numeric"),
    ("date", "timestamp without time zone"),
}


@dataclass(frozen=True)
class Column:
    """One raw column: its name in PostgreSQL, the exporter's name, and its PostgreSQL type."""

    name: str
    original: str
    type: str


def wider(one: str, other: str) -> str | None:
    """Return the type that holds every value of both, or None.

    >>> wider("integer", "bigint"), wider("text", "double precision")
    ('bigint', None)
    """
    if one == other or (other, one) in WIDER:
        return one
    return other if (one, other) in WIDER else None


def merge_types(where: str, files: Mapping[str, Mapping[str, str]], published: Mapping[str, str]) -> dict[str, str]:
    """Return the type of each raw column of a delivery, wide enough for every file and for the published months.

    `files` holds the PostgreSQL types by raw name of each file, and `published` those of the raw table. Raises
    `ColumnTypeError`, which names the column, both types and the file.
    """
    # For each column the type so far, and the file that it comes from, for the message.
    merged: dict[str, tuple[str, str]] = {}
    for file, columns in files.items():
        for name, found in columns.items():
            first = (published[name], "the published months") if name in published else (found, file)
            known, known_from = merged.get(name, first)
            joined = wider(known, found)
            if joined is None:
                raise ColumnTypeError(
                    f"{where}: column {name!r} is {found} in {file}, and {known} in {known_from}; no type holds both"
                )
            merged[name] = (joined, file if joined != known else known_from)
    return {
        name: _staged_type(where, name, joined, {columns[name] for columns in files.values() if name in columns})
        for name, (joined, _) in merged.items()
    }


def _staged_type(where: str, name: str, joined: str, found: set[str]) -> str:
    """Return the type to stage a column with.

    Floats stay floats, even if the published column is numeric: `publish` then lets PostgreSQL cast them. Its cast
    keeps the 15 significant digits that the exporter had. The exact decimal value of a float has more digits, which are
    noise.
    """
    floats = found & {"real", "double precision"}
    if joined != "numeric" or not floats:
        return joined
    if floats == found:
        return "double precision" if "double precision" in found else "real"
    raise ColumnTypeError(f"{where}: column {name!r} is {' and '.join(sorted(found))} in files of one delivery")


def raw_names(
    originals: Iterable[str],
    known: Mapping[str, str] = MappingProxyType({}),
    rule: Callable[[str], str] = str.lower,
) -> dict[str, str]:
    """Return the PostgreSQL name of each exported column: lower case, at most 63 bytes, all of them different.

    `rule` is the format's own spelling. `known` has the raw names of columns that a published month has had: they keep
    their names for ever. The rule may spell several new columns alike. Then the column that has this very spelling in
    the file gets the plain name, whatever their order, and the others get a name with a digest.

    >>> raw_names(["line_item_usage_account_id", "Billing_Period"])
    {'line_item_usage_account_id': 'line_item_usage_account_id', 'Billing_Period': 'billing_period_90b1e9'}
    """
    wanted = list(originals)
    names = {original: known[original] for original in wanted if original in known}
    taken = {RESERVED, *names.values()}
    plain = {original: _plain_name(rule(original)) for original in wanted if original not in names}
    for original in sorted(plain, key=lambda original: (original != plain[original], original.swapcase())):
        name = plain[original]
        # The digest depends on the exporter's name alone, so that a column gets the same name in every database. It
        # grows until no other column has it.
        digest = hashlib.sha256(original.encode(errors="surrogatepass")).hexdigest()
        length = 6
        while len(name.encode()) > MAX_NAME_BYTES or name in taken:
            head = plain[original].encode()[: MAX_NAME_BYTES - 1 - length].decode(errors="ignore")
            name = f"{head}_{digest[:length]}"
            length += 1
        taken.add(name)
        names[original] = name
    return {original: names[original] for original in wanted}


def _plain_name(name: str) -> str:
    # Control characters, and halves of surrogate pairs, which have no form in UTF-8.
    return re.sub(r"[\x00-\x1f\x7f\ud800-\udfff]", "_", name) or "_"
