"""What every view works with: the sessions, what is published, and the configuration."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from cloud_costs.config.sources import Source
from cloud_costs.database.postgres import Connection, Database
from cloud_costs.errors import CloudCostsError
from cloud_costs.page.dimensions import COLUMNS, Dimension, of_tag
from cloud_costs.page.pool import Pool
from cloud_costs.page.published import Catalogue, Published

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Costs:
    """The costs of a database. `configured` returns the configured sources, whose tags are dimensions."""

    pool: Pool
    configured: Callable[[], Sequence[Source]]
    catalogue: Catalogue = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "catalogue", Catalogue(self.pool.database))

    @property
    def database(self) -> Database:
        """The database that the sessions are of."""
        return self.pool.database

    @contextmanager
    def reading(self, seconds: float | None = None) -> Iterator[tuple[Connection, Published]]:
        """Borrow a session for one transaction, and return it with what is published as that transaction sees it."""
        with self.pool.reading(seconds) as connection:
            yield connection, self.catalogue.read(connection)

    def sources(self) -> Sequence[Source]:
        """Return the configured sources. A configuration that is not valid stops loads, and not people who read."""
        try:
            return self.configured()
        except CloudCostsError as error:
            log.warning("the Costs page: %s", error)
            return ()

    def dimensions(self) -> list[Dimension]:
        """Return everything that costs can be grouped by: the columns, and each configured tag once."""
        keys: Iterable[str] = dict.fromkeys(key for source in self.sources() for key in source.tags)
        return [*COLUMNS, *map(of_tag, keys)]
