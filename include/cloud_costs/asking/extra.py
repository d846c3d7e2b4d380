"""Libraries that an installation which no program asks need not have: requirements-mcp.txt."""

from collections.abc import Iterator
from contextlib import contextmanager

from cloud_costs.errors import ConfigError

LIBRARIES = ("mcp", "mcp_types", "pglast")


@contextmanager
def needed() -> Iterator[None]:
    """Raise `ConfigError` where an import finds no library of the extra; the message says what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        # Any other missing module is a mistake in an installed package, and stays what it is.
        if (error.name or "").partition(".")[0] not in LIBRARIES:
            raise
        raise ConfigError(
            f"{error.name} is not installed: install requirements-mcp.txt with constraints.txt, or build the image "
            "with CLOUDS=mcp"
        ) from None
