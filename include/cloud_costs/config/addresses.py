"""Storage addresses, as a source's `uri` has them: the allowed ones, and how to write other common spellings."""

import re

# Names of buckets, containers and accounts as their providers allow them. A folder may have any name.
ALLOWED = re.compile(
    r"(s3://[A-Za-z0-9._-]{1,255}(/.*)?"
    r"|gs://[a-z0-9][a-z0-9._-]{1,221}(/.*)?"
    r"|abfss://[$a-z0-9][a-z0-9-]{2,62}@[a-z0-9]{3,24}(\.z[0-9]{1,2})?\.dfs\.[a-z0-9.-]+(/.*)?"
    r"|file:///.*)",
    re.DOTALL,
)
AZURE = "abfss://{container}@{account}.dfs.{cloud}/{folder}"
GOOGLE = "gs://{bucket}/{folder}"
# How portals, other tools and older drivers write the same places.
OTHER_SPELLINGS = (
    (
        re.compile(
            r"(abfs|wasbs?)://(?P<container>[^@/]+)@(?P<account>\w+)\.(blob|dfs)\.(?P<cloud>[\w.]+)/(?P<folder>.*)"
        ),
        AZURE,
    ),
    (
        re.compile(
            r"https?://(?P<account>\w+)\.(blob|dfs)\.(?P<cloud>[\w.]+)/(?P<container>[^/?]+)/?(?P<folder>[^?]*).*"
        ),
        AZURE,
    ),
    (
        re.compile(r"https?://storage\.(googleapis|cloud\.google)\.com/(?P<bucket>[^/?]+)/?(?P<folder>[^?]*).*"),
        GOOGLE,
    ),
    (re.compile(r"gcs://(?P<bucket>[^/]+)/?(?P<folder>.*)"), GOOGLE),
)
# The Airflow connection of a source that names none. Airflow's providers give their defaults these names.
DEFAULT_CONN_IDS = {"s3": "aws_default", "abfss": "wasb_default", "gs": "google_cloud_default", "file": "aws_default"}


def address(value: str) -> str:
    """Return the address, ending with `/`. Raises `ValueError` for one that is not allowed, and says how to write it.

    >>> address("gs://billing/exports")
    'gs://billing/exports/'
    """
    if ALLOWED.fullmatch(value):
        return value if value.endswith("/") else value + "/"
    for spelling, ours in OTHER_SPELLINGS:
        if (match := spelling.fullmatch(value)) and ALLOWED.fullmatch(other := ours.format(**match.groupdict())):
            raise ValueError(f"{value!r} is not a storage address; write it as {other}")
    raise ValueError(
        f"{value!r} is not a storage address; write s3://bucket/folder/, gs://bucket/folder/, "
        "abfss://container@account.dfs.core.windows.net/folder/ or file:///folder/"
    )


def default_conn_id(uri: str) -> str:
    """Return the Airflow connection of a source that names none."""
    return DEFAULT_CONN_IDS.get(uri.partition("://")[0], "aws_default")
