"""Libraries that an installation which nobody asks need not have: requirements-mcp.txt and requirements-ask.txt."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec

from cloud_costs.errors import ConfigError


@dataclass(frozen=True)
class Extra:
    """An extra by its name, and the libraries that it brings."""

    name: str
    libraries: tuple[str, ...]

    def missing(self, library: str) -> ConfigError:
        """Return an error that says what to install."""
        return ConfigError(
            f"{library} is not installed: install requirements-{self.name}.txt with constraints.txt, or build the "
            f"image with CLOUDS={self.name}"
        )

    def is_installed(self) -> bool:
        """Tell whether all libraries are there, without importing them: some take seconds."""
        return all(find_spec(one) for one in self.libraries)


MCP = Extra("mcp", ("mcp", "mcp_types", "pglast"))
ASK = Extra("ask", ("pydantic_ai", "pglast"))


@contextmanager
def needed(extra: Extra = MCP) -> Iterator[None]:
    """Raise `ConfigError` where an import finds no library of the extra; the message says what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        # Any other missing module is a mistake in an installed package, and stays what it is.
        if (error.name or "").partition(".")[0] not in extra.libraries:
            raise
        raise extra.missing(str(error.name)) from None
