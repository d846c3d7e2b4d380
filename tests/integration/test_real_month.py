"""A month that AWS itself wrote: October 2018, legacy CUR, as `../shared/data/README.md` describes it."""

from datetime import date
from decimal import Decimal

import pyarrow.parquet as pq
import pytest
from conftest import SHARED_DATA
from pipeline import load_month

from cloud_costs.config.sources import Source

FOLDER = SHARED_DATA / "aws-workshop-2018"
FILE = FOLDER / "workshop/WorkshopCUR/WorkshopCUR/year=2018/month=10/WorkshopCUR-00001.snappy.parquet"
OCTOBER = date(2018, 10, 1)

BOUGHT = """
    select
        CommitmentDiscountId,
        sum(CommitmentDiscountQuantity) filter (where ChargeCategory = 'Purchase'),
        sum(CommitmentDiscountQuantity) filter (where ChargeCategory = 'Usage')
    from focus_costs
    where CommitmentDiscountId is not null
    group by 1
"""

pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="../shared/data is not there")


def test_real_month_to_the_last_digit(database, query):
    source = Source(name="workshop", format="aws_cur", uri=f"file://{FOLDER}/workshop/WorkshopCUR/")
    load_month(database, source, OCTOBER)
    assert query("select count(*) from raw_workshop") == [(119_307,)]
    assert query("select count(*) from raw_columns where source = 'workshop'") == [(len(pq.read_schema(FILE)),)]
    # As numeric: 4064.483131536329 is a sum of doubles, wrong from the twelfth digit on.
    total = Decimal("4064.4831315379")
    assert query("select sum(line_item_unblended_cost::numeric) from raw_workshop") == [(total,)]
    assert query("select sum(cost) from costs") == [(total,)]
    assert query("select sum(billedcost) from focus_costs") == [(total,)]
    assert query("select billed_cost::text from load_history") == [(f'{{"USD": {total}}}',)]
    assert query("select sum(line_items) from costs") == [(119_307,)]

    fees = """
        select chargecategory, commitmentdiscountstatus, count(*), sum(billedcost), sum(effectivecost)
        from focus_costs where x_lineitemtype = 'RIFee' group by 1, 2 order by 1
    """
    assert query(fees) == [
        ("Purchase", None, 9, Decimal("149.775379"), 0),
        ("Usage", "Unused", 9, 0, Decimal("48.99556079")),
    ]
    used = "select sum(effectivecost), count(*) from focus_costs where x_lineitemtype = 'DiscountedUsage'"
    assert query(used) == [(Decimal("232.25379599"), 8_345)]
    assert query("select sum(effective_cost) from costs") == query("select sum(effectivecost) from focus_costs")
    assert query("select bool_and(passed) from audit_results") == [(True,)]

    # Spot usage has no public price: its list cost is what is billed.
    assert query("select sum(ListCost) from focus_costs where x_usagetype like '%Spot%'") == [
        (Decimal("31.5055160005"),)
    ]
    assert query("select sum(list_cost) from costs") == [(Decimal("4418.9626304180"),)]
    assert query("select count(ContractedUnitPrice) from focus_costs") == [(109_640,)]
    assert query("select count(*) from focus_costs where ContractedCost > ListCost") == [(0,)]
    # In normalized units, what was used of each reservation and what was not are what was bought.
    assert len(query(BOUGHT)) == 9
    assert [row for row in query(BOUGHT) if row[1] != row[2]] == []

    # The unused part is spread over the days of the month: no spike on the first.
    unspread = """
        select chargeperiodstart::date, sum(effectivecost) from focus_costs
        where commitmentdiscountstatus is distinct from 'Unused' group by 1
    """
    without = dict(query(unspread))
    daily = dict(query("select date, sum(effective_cost) from costs group by 1"))
    unused = {day: cost - without.get(day, 0) for day, cost in daily.items()}
    assert sum(unused.values()) == Decimal("48.99556079")
    october = [cost for day, cost in unused.items() if day.month == 10]
    assert len(october) == 31
    # Not all reservations ran the whole month.
    assert max(october) < Decimal("48.99556079") / 31 * Decimal("1.1")
