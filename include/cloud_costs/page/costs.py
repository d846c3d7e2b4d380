"""What every view works with: the sessions, what is published, and the configuration."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from cloud_costs.config.sources import Source
from cloud_costs.database.postgres import Connection, Database
from cloud_costs.errors import CloudCostsError
from cloud_costs.page.dimensions import COLUMNS, Dimension, of_tag
from cloud_costs.page.pool import Pool
from cloud_costs.page.published import Catalogue, Published

log = logging.getLogger(__name__)

T = TypeVar("T")
# A load publishes a month in some milliseconds, and the next one comes seconds later.
TRIES = 3


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

    def answer(self, work: Callable[[Connection, Published], T], seconds: float | None = None) -> T:
        """Return what `work` returns in one read-only transaction, with what is published.

        Each statement sees what was published when it began. So that all parts of an answer are of one state, the work
        is done again when something was published meanwhile.
        """
        with self.pool.reading(seconds) as connection:
            published = self.catalogue.read(connection)
            for _ in range(TRIES):
                answer = work(connection, published)
                now = self.catalogue.read(connection)
                if now.state == published.state:
                    break
                published = now
            return answer

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
