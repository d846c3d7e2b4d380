"""The versions of FOCUS: which columns each has, and which one the columns of a file are of.

`include/sql/views/focus_versions.csv` lists the columns of the specification and the versions that have them.
"""

import csv
from collections.abc import Iterable
from functools import cache

from cloud_costs.database import sql_files

VERSIONS = ("1.0", "1.1", "1.2", "1.3", "1.4")


def version_of(names: Iterable[str]) -> str:
    """Return the version that the columns of a file are of: the first that has most of them.

    A column that is in no version counts for none. Names may be written as the specification has them, in lower
    case, or with underscores.

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
