"""Executive: what the clouds cost by billing month, what changed, and what is not invoiced yet.

Everything here goes by billing month, as invoices do: the range chooses the months that it touches, and takes them
whole. So the numbers equal invoices.
"""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from dashboards.panels import (
    COSTS_PAGE,
    MONEY,
    SHARE,
    AnyPanel,
    bars,
    clicked,
    dashboard,
    explore,
    note,
    number,
    rows,
)
from dashboards.sql import MONTHS, MONTHS_AND_BEFORE, SCHEMA, clouds_and_sources, named, series, where
from dashboards.variables import cloud, common, currency, source

# The smallest of the tables with totals that has what is asked for.
BY_MONTH = f"{SCHEMA}.costs_by_month"
BY_DAY = f"{SCHEMA}.costs_by_day_service"
CHOSEN = where(MONTHS, clouds_and_sources())
USAGE = where(MONTHS, clouds_and_sources(), "charge_category = 'Usage'")
SERVICE_LINK = (
    "Explore this service",
    explore("billing", group="account_id", filter=f"service:{clicked('Service')}"),
)
CLOUD_LINK = ("Explore this cloud", explore("billing", group="service", filter=f"cloud_provider:{clicked('Cloud')}"))
NOTE = """Numbers go by **billing month**: the range takes the months that it touches, whole. *Billed* is what invoices
say. *Effective* spreads commitments over their use. The provider still changes the newest months."""


def executive(airflow: str) -> Dashboard:
    """Return the dashboard."""
    found = dashboard(
        "executive",
        "Cloud costs: executive",
        "What the clouds cost by billing month, what moved, and what is not invoiced yet.",
        [*common(airflow), currency(), cloud(), source()],
        f"{COSTS_PAGE}/?currency=${{currency:percentencode}}",
    )
    found.time("now-11M/M", "now").with_panel(note(NOTE))
    for panel in (*_totals(), *_over_time(), _so_far(), _months()):
        found.with_panel(panel)
    found.with_row(Row("Where it goes"))
    for panel in (_services(), _movers()):
        found.with_panel(panel)
    found.with_row(Row("Kinds of charges, and invoices"))
    for panel in (_categories(), _invoices()):
        found.with_panel(panel)
    return found


def _totals() -> list[AnyPanel]:
    return [
        number(
            "Billed (${currency})",
            "What the invoices of these months say.",
            f"select sum(cost) as billed\nfrom {BY_MONTH}\n{CHOSEN}",
        ),
        number(
            "Effective (${currency})",
            "The cost with commitments spread over their use.",
            f"select sum(effective_cost) as effective\nfrom {BY_MONTH}\n{CHOSEN}",
        ),
        number(
            "Saved (${currency})",
            "List price minus effective cost of the usage: what commitments and discounts save.",
            f"select sum(list_cost - effective_cost) as saved\nfrom {BY_MONTH}\n{USAGE}",
        ),
        number(
            "Saved, of the list price",
            "The same as a share of the list price.",
            f"""select sum(list_cost - effective_cost) / nullif(sum(list_cost), 0) as share
from {BY_MONTH}
{USAGE}""",
            SHARE,
        ),
    ]


def _over_time() -> list[AnyPanel]:
    return [
        bars(
            "Billed by month and cloud (${currency})",
            "What the invoices say.",
            series(f"""select billing_period::timestamp as time, {named("cloud_provider")} as name, sum(cost) as amount
from {BY_MONTH}
{CHOSEN}
group by 1, 2"""),
        ),
        bars(
            "Effective by day and cloud (${currency})",
            "By the day of use. A bill may hold charges of days before its month, which lie left of the range.",
            series(f"""select
    $__timeGroup(date, '1d') as time,
    {named("cloud_provider")} as name,
    sum(effective_cost) as amount
from {BY_DAY}
{CHOSEN}
group by 1, 2"""),
        ),
    ]


def _so_far() -> AnyPanel:
    return rows(
        "Newest month so far (${currency})",
        "Billed, against the same days of the month before. The last day may not be complete.",
        _against_before("Cloud", "cloud_provider", "cost"),
        {"Now": MONEY, "Before": MONEY, "Change": MONEY},
        {"Cloud": CLOUD_LINK},
        limits={"Change": 0},
    )


def _months() -> AnyPanel:
    return rows(
        "Months (${currency})",
        "Change is of the billed cost, against the month before in the range.",
        f"""select
    to_char(billing_period, 'YYYY-MM') as "Month",
    sum(cost) as "Billed",
    sum(cost) - lag(sum(cost)) over (order by billing_period) as "Change",
    sum(effective_cost) as "Effective",
    coalesce(sum(cost) filter (where charge_category = 'Tax'), 0) as "Tax",
    coalesce(sum(cost) filter (where charge_category = 'Credit'), 0) as "Credits"
from {BY_MONTH}
{CHOSEN}
group by billing_period
order by billing_period desc""",
        {"Billed": MONEY, "Change": MONEY, "Effective": MONEY, "Tax": MONEY, "Credits": MONEY},
        limits={"Change": 0},
    )


def _services() -> AnyPanel:
    return rows(
        "Services (${currency})",
        "The share is of the effective cost.",
        f"""select
    coalesce(service, '') as "Service",
    sum(cost) as "Billed",
    sum(effective_cost) as "Effective",
    sum(effective_cost) / nullif(sum(sum(effective_cost)) over (), 0) as "Share"
from {BY_MONTH}
{CHOSEN}
group by service
order by "Effective" desc, "Service\"""",
        {"Billed": MONEY, "Effective": MONEY, "Share": SHARE},
        {"Service": SERVICE_LINK},
    )


def _movers() -> AnyPanel:
    return rows(
        "What moved most (${currency})",
        "Effective cost of the newest month, against the same days of the month before.",
        _against_before("Service", "service", "effective_cost"),
        {"Now": MONEY, "Before": MONEY, "Change": MONEY},
        {"Service": SERVICE_LINK},
        limits={"Change": 0},
    )


def _categories() -> AnyPanel:
    return bars(
        "Billed by kind of charge (${currency})",
        "Usage, purchases, tax, credits and adjustments.",
        series(f"""select billing_period::timestamp as time, {named("charge_category")} as name, sum(cost) as amount
from {BY_MONTH}
{CHOSEN}
group by 1, 2"""),
    )


def _invoices() -> AnyPanel:
    return rows(
        "Invoices (${currency})",
        "Without an invoice, an amount of AWS is an estimate. Some exports name no invoice at all.",
        f"""select
    to_char(billing_period, 'YYYY-MM') as "Month",
    source as "Source",
    coalesce(billing_account_id, '') as "Payer",
    coalesce(invoice_id, '(none)') as "Invoice",
    sum(cost) as "Billed"
from {SCHEMA}.costs
{CHOSEN}
group by billing_period, source, billing_account_id, invoice_id
order by billing_period desc, source, "Billed" desc""",
        {"Billed": MONEY},
        {"Month": ("Explore this bill", explore("billing", group="invoice_id", filter=f"source:{clicked('Source')}"))},
    )


def _against_before(title: str, column: str, amount: str) -> str:
    """Return the amounts of the newest month by a column, and those of as many days of the month before."""
    return f"""with chosen as (
    select *
    from {BY_DAY}
    {where(MONTHS_AND_BEFORE, clouds_and_sources())}
),

newest as materialized (
    select billing_period as month, max(date) - billing_period as days
    from chosen
    group by billing_period
    order by billing_period desc
    limit 1
),

both_months as (
    select
        coalesce(chosen.{column}, '') as name,
        coalesce(sum(chosen.{amount}) filter (where chosen.billing_period = newest.month), 0) as now,
        coalesce(sum(chosen.{amount}) filter (where chosen.billing_period < newest.month), 0) as before
    from chosen
    inner join newest on (
        chosen.billing_period = newest.month
        or (
            chosen.billing_period = newest.month - interval '1 month'
            and chosen.date - chosen.billing_period <= newest.days
        )
    )
    group by 1
)

select name as "{title}", now as "Now", before as "Before", now - before as "Change"
from both_months
order by abs(now - before) desc, name"""
