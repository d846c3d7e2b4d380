"""The list of accounts that an operator keeps: names where an export has none, owners, cost centers.

A CSV file: one line for each account, under the header `account_id,name` and any further columns.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cloud_costs.config.lists import read_list
from cloud_costs.errors import ConfigError

REQUIRED = ("account_id", "name")
# Columns that the relation `accounts` has beside those of the list.
RESERVED = ("listed", "first_month", "last_month")
MAX_COLUMNS = 100
MAX_NAME_BYTES = 63  # PostgreSQL's NAMEDATALEN - 1


@dataclass(frozen=True)
class Account:
    """One account of the list. `attributes` has its values of the further columns; empty values are left out."""

    account_id: str
    name: str | None
    attributes: Mapping[str, str]


def read_accounts(path: Path) -> tuple[Account, ...]:
    """Return the listed accounts; raises `ConfigError` naming the file, the line, the column and what is allowed."""
    return read_list(path, _header, _account)


def column_name(name: str) -> str:
    """Return the name of a column of the list as the relation `accounts` has it.

    >>> column_name(" Cost Center")
    'cost_center'
    """
    return re.sub(r"\W+", "_", name.strip().lower()).strip("_")


def _header(where: str, found: list[str]) -> list[str]:
    header = [column_name(name) for name in found]
    if not set(REQUIRED) <= set(header):
        said = ",".join(found)
        raise ConfigError(f"{where}: the header is {said!r}; expected {','.join(REQUIRED)} and any further columns")
    for number, name in enumerate(header):
        if not name or len(name.encode()) > MAX_NAME_BYTES:
            raise ConfigError(f"{where}: column {number + 1}: {found[number]!r} is not a valid name of a column")
        if name in RESERVED:
            raise ConfigError(
                f"{where}: column {name!r}: the relation accounts has one of its own; choose another name"
            )
        if name in header[:number]:
            raise ConfigError(f"{where}: column {name!r} is given twice")
    if len(header) > MAX_COLUMNS:
        raise ConfigError(f"{where}: {len(header)} columns; {MAX_COLUMNS} are allowed")
    return header


def _account(where: str, values: dict[str, str]) -> tuple[str, Account]:
    for column, value in values.items():
        if "\0" in value:
            raise ConfigError(f"{where}: {column}: it holds a NUL character, which PostgreSQL cannot store")
    account_id = values.pop("account_id")
    if not account_id:
        raise ConfigError(f"{where}: account_id: it is empty; write it as the bill does, with its leading zeros")
    name = values.pop("name") or None
    attributes = {column: value for column, value in values.items() if value}
    return f"account_id: {account_id!r}", Account(account_id, name, attributes)
