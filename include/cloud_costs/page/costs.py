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
        """Return what `work` returns in one read-only transaction, with what is published."""
        with self.pool.reading(seconds) as connection:
            return self._of_one_state(work, connection, self.catalogue.read(connection))[0]

    def kept(self, address: str, work: Callable[[Connection, Published], bytes], seconds: float | None = None) -> bytes:
        """Return the answer to an address: what `work` returns, or what it returned for the same state.

        Of several requests for one address, one works, and the others wait without a session.
        """
        with self.pool.reading(seconds) as connection:
            published = self.catalogue.read(connection)
        known = published.answers.get(address)
        if known is not None:
            return known
        with published.answers.turn(address):
            known = published.answers.get(address)
            if known is not None:
                return known
            with self.pool.reading(seconds) as connection:
                found, published = self._of_one_state(work, connection, self.catalogue.read(connection))
            published.answers.keep(address, found)
            return found

    def _of_one_state(
        self, work: Callable[[Connection, Published], T], connection: Connection, published: Published
    ) -> tuple[T, Published]:
        """Do the work again when something was published meanwhile.

        Each statement sees what was published when it began. So all parts of an answer are of one state.
        """
        for _ in range(TRIES):
            answer = work(connection, published)
            newest = self.catalogue.read(connection)
            if newest.state == published.state:
                break
            published = newest
        return answer, published

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
