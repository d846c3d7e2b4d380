"""Libraries that an installation without questions need not have: requirements-mcp.txt and requirements-ask.txt."""

from collections.abc import Iterator
from contextlib import contextmanager

from cloud_costs.errors import ConfigError

# What each library is of.
EXTRAS = {"mcp": "mcp", "mcp_types": "mcp", "pglast": "mcp", "pydantic_ai": "ask", "airflow": "ask"}


@contextmanager
def needed() -> Iterator[None]:
    """Raise `ConfigError` where an import finds no library of an extra; the message says what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        # Any other missing module is a mistake in an installed package, and stays what it is.
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        raise ConfigError(
            f"{error.name} is not installed: install requirements-{extra}.txt with constraints.txt"
        ) from None
