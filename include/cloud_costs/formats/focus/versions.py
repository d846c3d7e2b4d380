"""The versions of FOCUS: which columns each has, and to which version the columns of a file belong.

`include/sql/views/focus_versions.csv` lists the columns of the specification and the versions that have them.
"""

import csv
from collections.abc import Iterable
from functools import cache

from cloud_costs.database import sql_files

VERSIONS = ("1.0", "1.1", "1.2", "1.3", "1.4")


def version_of(names: Iterable[str]) -> str:
    """Return the version to which the columns of a file belong: the oldest of those that have the most of them.

    Columns of no version are ignored. Names may be written as in the specification, in lower case, or with underscores.

    >>> version_of(["BilledCost", "charge_class"]), version_of(["BilledCost", "InvoiceId", "x_Own"])
    ('1.0', '1.2')
    """
    found = {name.lower().replace("_", "") for name in names}
    return max(VERSIONS, key=lambda version: (len(found & _columns()[version]), -VERSIONS.index(version)))


@cache
def _columns() -> dict[str, set[str]]:
    rows = list(csv.DictReader(sql_files.read("views/focus_versions.csv").splitlines()))
    return {
        version: {row["column"].lower() for row in rows if version in row["versions"].split()} for version in VERSIONS
    }
