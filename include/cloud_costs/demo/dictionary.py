"""Write docs/data-dictionary.md from a sample month that is loaded for it: `make dictionary`."""

import shutil
import tempfile
from datetime import date
from pathlib import Path

import psycopg

from cloud_costs.charges import data_dictionary
from cloud_costs.charges.data_dictionary import SOURCE
from cloud_costs.charges.views import refresh_views
from cloud_costs.config.sources import Source
from cloud_costs.database.postgres import Database
from cloud_costs.database.schema import apply_schema
from cloud_costs.demo import embedded_postgres
from cloud_costs.demo.sample_bill import Bill, write_month
from cloud_costs.publishing.sync import load_month
from cloud_costs.storage.local import LocalStorage

PAGE = Path(__file__).parents[3] / "docs/data-dictionary.md"
MONTH = date(2025, 1, 1)


def _load_sample(database: Database) -> None:
    apply_schema(database)
    bucket = Path(tempfile.mkdtemp(prefix="cloud-costs-dictionary-"))
    try:
        bill = Bill(lines=50, files=1)
        write_month(bill, MONTH, bucket)
        source = Source(name=SOURCE, format=bill.format, uri=f"file://{bucket}/{bill.prefix}/{bill.report}/")
        load_month(database, LocalStorage(), source, MONTH)
        refresh_views(database)
    finally:
        shutil.rmtree(bucket)


def generate(database: Database) -> str:
    """Return the page, from the comments of an empty schema into which a sample month is loaded."""
    _load_sample(database)
    return data_dictionary.page(database)


def main() -> None:
    """Write docs/data-dictionary.md from a scratch database with a published month of the sample bill."""
    folder = Path(tempfile.mkdtemp(prefix="cloud-costs-dictionary-"))
    try:
        server = embedded_postgres.start(folder / "postgres", settings={"fsync": "off"})
        try:
            page = generate(Database(lambda: psycopg.connect(server.uri()), "cost_analytics", "embedded PostgreSQL"))
        finally:
            embedded_postgres.stop(folder / "postgres")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    PAGE.write_text(page, encoding="utf-8")
    print(f"wrote {PAGE.name}")


if __name__ == "__main__":
    main()
