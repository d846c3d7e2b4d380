"""What the demo loads, in a database that tests share: nobody changes it, or everyone undoes what they change.

Loading takes longer than most tests. So the tests that read it run in one process (`side_by_side.TOGETHER`).
"""

from collections.abc import Iterator

import pytest
from pipeline import load_month
from schemas import Schemas

from cloud_costs.config.sources import load_sources
from cloud_costs.database.postgres import Database
from cloud_costs.demo.bills import EXPORTS, MONTHS, sources_yaml


@pytest.fixture(scope="session")
def demo(schemas: Schemas, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Schemas with the months of all exports of the demo, for the loader."""
    folder = tmp_path_factory.mktemp("demo")
    (folder / "sources.yaml").write_text(sources_yaml(folder / "bucket"))
    with schemas.borrowed() as database:
        for source in load_sources({"CLOUD_COSTS_CONFIG": str(folder / "sources.yaml")}):
            EXPORTS[source.name].write(MONTHS, folder / "bucket")
            for month in MONTHS:
                load_month(database, source, month)
        yield database
