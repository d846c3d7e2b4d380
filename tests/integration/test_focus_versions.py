"""`focus_costs_v1_0` to `_v1_4`: exactly the columns and types of each version of FOCUS, and the same charges."""

import csv
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from pipeline import JANUARY, load_month

from cloud_costs.charges.focus_versions import VIEWS, columns_of_version
from cloud_costs.charges.views import refresh_views
from cloud_costs.config.sources import Source
from cloud_costs.database.postgres import columns_of, comments_of

# Of the specification, version by version; 1.3 and 1.4 by the published data model.
SPECIFICATION = Path(__file__).parents[3] / "shared" / "reference" / "focus_columns.csv"
HEADINGS = {"1.0": "spec_1.0", "1.1": "spec_1.1", "1.2": "spec_1.2", "1.3": "1.3(toolkit)", "1.4": "1.4(data model)"}
TYPES = {"Decimal": "numeric", "Date/Time": "timestamp without time zone", "JSON": "jsonb", "String": "text"}
COUNTS = {"1.0": 43, "1.1": 50, "1.2": 57, "1.3": 65, "1.4": 65}


@pytest.mark.parametrize("version", COUNTS)
def test_every_version_has_as_many_columns_as_its_specification(version):
    assert len(list(columns_of_version(version))) == COUNTS[version]


@pytest.mark.parametrize("version", COUNTS)
def test_columns_and_types_are_those_of_the_specification(database, cup, version):
    if not SPECIFICATION.exists():
        pytest.skip("the list of columns is not beside the project, in ../shared/reference")
    with SPECIFICATION.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row[HEADINGS[version]] == "y"]
    # The list has the types of 1.4, which lacks two columns that are names.
    expected = {row["column"].lower(): TYPES[row["1.4_type"] or "String"] for row in rows}
    cup.deliver()
    load_month(database, cup.source, JANUARY)
    view = next(name for name, one in VIEWS.items() if one == version)
    with database.session() as connection:
        assert columns_of(connection, database.table(view)) == dict(sorted(expected.items()))
        assert comments_of(connection, database.table(view)).keys() == expected.keys()


def test_every_version_has_the_same_charges_and_the_reader_may_see_them(database, query, read, cup):
    truth = cup.deliver()
    load_month(database, cup.source, JANUARY)
    sums = (truth.billed_cost, truth.effective_cost)
    for view in VIEWS:
        assert read(f"select sum(BilledCost), sum(EffectiveCost) from {view}") == [sums]
    assert read("select distinct ServiceProviderName, HostProviderName, InvoiceDetailId from focus_costs_v1_4") == [
        ("AWS", "AWS", None)
    ]
    assert refresh_views(database) == []


def test_newer_columns_of_a_file_are_in_its_version(database, read, bucket):
    folder = bucket / "2025-01"
    folder.mkdir()
    (folder / "a.csv").write_text(
        "BilledCost,BillingAccountId,BillingCurrency,BillingPeriodStart,ChargeCategory,ChargePeriodStart,SubAccountId,"
        "ServiceProviderName,HostProviderName,AllocatedTags,InvoiceDetailId\n"
        '1.1,7,EUR,2025-01-01T00:00:00Z,Usage,2025-01-01T00:00:00Z,8,Acme,AWS,"{""pod"": ""a""}",INV-1/7\n'
        "1.2,7,EUR,2025-01-01T00:00:00Z,Usage,2025-01-01T00:00:00Z,8,Acme,,,\n"
    )
    load_month(database, Source(name="vendor", format="focus", uri=f"file://{bucket}/"), JANUARY)
    statement = "select ServiceProviderName, HostProviderName, AllocatedTags, {} from {} order by BilledCost"
    assert read(statement.format("InvoiceDetailId", "focus_costs_v1_4")) == [
        ("Acme", "AWS", {"pod": "a"}, "INV-1/7"),
        ("Acme", "Acme", None, None),
    ]
    assert read(statement.format("ProviderName", "focus_costs_v1_3")) == [
        ("Acme", "AWS", {"pod": "a"}, "Acme"),
        ("Acme", "Acme", None, "Acme"),
    ]


def grantees(query, view: str) -> Iterator[tuple[str, ...]]:
    return query(
        "select grantee from information_schema.role_table_grants where table_schema = current_schema() "
        f"and table_name = '{view}' and privilege_type = 'SELECT' order by 1"
    )


def test_views_of_versions_are_made_anew_with_their_rights_where_focus_costs_is(database, query, read, cup):
    """As after an upgrade that changes the columns of focus_costs."""
    cup.deliver()
    load_month(database, cup.source, JANUARY)
    query("grant select on focus_costs_v1_0 to pg_monitor")
    before = [grantees(query, view) for view in VIEWS]
    query(f"drop view {', '.join(VIEWS)}, focus_costs")
    query("create view focus_costs as select billedcost from cup_focus")
    query("create view focus_costs_v1_0 as select * from focus_costs")
    query(f"grant select on focus_costs_v1_0 to pg_monitor, {database.reader}")
    assert set(refresh_views(database)) == {"focus_costs", *VIEWS}
    assert [grantees(query, view) for view in VIEWS] == before
    assert read("select count(*) > 100 from focus_costs_v1_0") == [(True,)]


def test_database_without_the_views_of_versions_gets_them(database, query, read, cup):
    cup.deliver()
    load_month(database, cup.source, JANUARY)
    query(f"drop view {', '.join(VIEWS)}")
    assert refresh_views(database) == list(VIEWS)
    assert read("select count(*) > 100 from focus_costs_v1_4") == [(True,)]


def test_wider_raw_column_makes_them_anew(database, read, cup):
    cup.deliver()
    load_month(database, cup.source, JANUARY)
    csv_cup = replace(cup, bill=replace(cup.bill, file_type="csv"))
    truth = csv_cup.deliver(JANUARY.replace(month=2))
    load_month(database, cup.source, JANUARY.replace(month=2))
    february = "select sum(BilledCost) from focus_costs_v1_1 where BillingPeriodStart = '2025-02-01'"
    assert read(february) == [(truth.billed_cost,)]
    assert truth.billed_cost > Decimal(0)
