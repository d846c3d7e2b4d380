"""The columns of FOCUS files: their types where a CSV file has none, and where the tags are.

`include/sql/focus/focus_columns.csv` lists the columns and their spellings. Any other column of a provider stays text.
"""

from functools import cache

from cloud_costs.formats.aws.columns import tag_spellings
from cloud_costs.formats.delivery import Tags
from cloud_costs.formats.mapping import line_columns

FILE_TYPES = (".parquet", ".csv.gz", ".csv.zip", ".csv", ".zip")
# Google writes tags as a list of keys and values, others as an object. A Parquet file may hold either as text.
AS_OBJECT = """
    case
        when jsonb_typeof({tags}) = 'object' then {tags}
        when jsonb_typeof({tags}) = 'array' then (
            select jsonb_object_agg(tag.value ->> 'key', tag.value -> 'value')
            from jsonb_array_elements({tags}) as tag
            where tag.value ->> 'key' is not null
        )
    end
"""
# AWS spells keys in several ways, also in files that were made of its exports.
TAGS = Tags(maps=("tags",), as_object=AS_OBJECT, json_text=True, spellings=tag_spellings)


def csv_type(name: str) -> str:
    """Return the PostgreSQL type of a FOCUS column, in lower case, in CSV; any other column is text.

    >>> csv_type("billedcost"), csv_type("charge_period_start"), csv_type("tags"), csv_type("x_billedcost")
    ('numeric', 'timestamp without time zone', 'jsonb', 'text')
    """
    return "jsonb" if name in TAGS.maps else _types().get(name, "text")


@cache
def _types() -> dict[str, str]:
    """Return the type of each spelling of each column."""
    types = {"timestamp": "timestamp without time zone"}
    return {name: types.get(column.type, column.type) for column in line_columns("focus") for name in column.raw_names}
