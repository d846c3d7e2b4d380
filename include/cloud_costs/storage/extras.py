"""Libraries of clouds that an installation need not have (docs/adr/0010-clouds-as-extras.md)."""

from collections.abc import Iterator
from contextlib import contextmanager

from cloud_costs.errors import ConfigError


@contextmanager
def extra(cloud: str, scheme: str) -> Iterator[None]:
    """Raise `ConfigError` where an import finds no library of the cloud; the message says what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        # Any other missing module is a mistake in an installed package, and stays what it is.
        if (error.name or "").partition(".")[0] != cloud:
            raise
        raise ConfigError(
            f"{scheme}:// needs {error.name}, which is not installed: install requirements-{cloud}.txt with "
            f"constraints.txt, build the image with CLOUDS={cloud}, or install the wheel as cloud-costs[{cloud}]"
        ) from None
