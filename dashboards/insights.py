"""Insights: what is out of line, where months will end beside where they ended, and budgets.

Anomalies are those whose last day is in the range, and budgets those whose period touches it. What is open now does not
depend on the range.
"""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from dashboards.panels import COSTS_PAGE, MONEY, SHARE, AnyPanel, clicked, dashboard, lines, note, number, rows
from dashboards.sql import SCHEMA, chosen, where
from dashboards.variables import all_sources, common, currency

ANOMALIES = f"{SCHEMA}.anomalies"
FORECASTS = f"{SCHEMA}.forecasts"
BUDGETS = f"{SCHEMA}.budget_status"
OF_ALL = "source is null and account_id is null and service is null"
OPEN = where("status = 'open'", chosen("source", "source"))
# The budgets that are in budgets.yaml now. A period has the amount of when it was checked.
KEPT = f"budget in (select budget from {SCHEMA}.budgets)"
CURRENT = f"""newest as (
    select distinct on (budget) *
    from {BUDGETS}
    {where(KEPT)}
    order by budget, period_start desc
)"""
TOUCHES = "period_end >= ($__timeFrom()::timestamp)::date and period_start <= ($__timeTo()::timestamp)::date"
NOTE = """*Anomalies* are days of usage out of line, by effective cost. *Forecasts* and intervals hold in four of five
cases. Decide about an anomaly on the **Costs page**: click on its number."""


def insights(airflow: str) -> Dashboard:
    """Return the dashboard."""
    found = dashboard(
        "insights",
        "Cloud costs: insights",
        "What is out of line, where months will end, and what that does to budgets.",
        [*common(airflow), currency(), all_sources()],
        f"{COSTS_PAGE}/anomalies",
    )
    found.time("now-90d", "now").with_panel(note(NOTE))
    for panel in (*_totals(), _anomalies(), _budgets()):
        found.with_panel(panel)
    found.with_row(Row("Forecasts"))
    for panel in (_forecast(), _against_actual(), _by_source()):
        found.with_panel(panel)
    return found


def _totals() -> list[AnyPanel]:
    return [
        number(
            "Open anomalies",
            "Nobody decided about them yet.",
            f"select count(*) as anomalies\nfrom {ANOMALIES}\n{OPEN}",
            "none",
            bad_above=0,
        ),
        number(
            "Above expected (${currency})",
            "The money of the open anomalies, less what fell below.",
            f"select coalesce(sum(impact), 0) as impact\nfrom {ANOMALIES}\n{OPEN}",
        ),
        number(
            "Budgets at risk or exceeded",
            "Of the newest period of each budget in this currency.",
            f"""with {CURRENT}

select count(*) as budgets
from newest
where status in ('at risk', 'exceeded')""",
            "none",
            bad_above=0,
        ),
        number(
            "Expected month (${currency})",
            "Where the newest month will end, billed, of all sources together.",
            f"""select expected
from {FORECASTS}
{where(OF_ALL, "metric = 'billed'")}
order by month desc, as_of desc
limit 1""",
        ),
    ]


def _anomalies() -> AnyPanel:
    return rows(
        "Anomalies (${currency})",
        "Those whose last day is in the range; the newest first.",
        f"""select
    anomaly_id as "Anomaly",
    source as "Source",
    coalesce(account_id, '(all)') as "Account",
    coalesce(service, '(all)') as "Service",
    first_date::text as "From",
    last_date::text as "To",
    impact as "Above expected",
    actual as "Cost",
    severity as "Severity",
    status as "Status"
from {ANOMALIES}
{where("$__timeFilter(last_date)", "status <> 'merged'", chosen("source", "source"))}
order by last_date desc, abs(impact) desc, anomaly_id""",
        {"Anomaly": "none", "Above expected": MONEY, "Cost": MONEY},
        {"Anomaly": ("Open this anomaly", f"{COSTS_PAGE}/anomalies/{clicked('Anomaly')}")},
        span=24,
        limits={"Above expected": 0},
    )


def _budgets() -> AnyPanel:
    return rows(
        "Budgets (${currency})",
        "Periods that touch the range. Spent is exact, and expected is at the end of the period.",
        f"""select
    budget as "Budget",
    period_start::text as "From",
    period_end::text as "To",
    amount as "Amount",
    actual as "Spent",
    actual / amount as "Spent share",
    forecast as "Expected",
    forecast / amount as "Expected share",
    low as "Low",
    high as "High",
    status as "Status",
    as_of::text as "As of"
from {BUDGETS}
{where(TOUCHES, KEPT)}
order by period_start desc, "Expected share" desc, budget""",
        {
            **dict.fromkeys(("Amount", "Spent", "Expected", "Low", "High"), MONEY),
            **dict.fromkeys(("Spent share", "Expected share"), SHARE),
        },
        {"Budget": ("Open budgets", f"{COSTS_PAGE}/budgets")},
        span=24,
        limits={"Spent share": 1, "Expected share": 1},
    )


def _forecast() -> AnyPanel:
    return lines(
        "Where the month will end, as of each day (${currency})",
        "Billed, of all sources together. So far is what the complete days cost.",
        f"""select
    as_of::timestamp as time,
    one.metric as metric,
    one.value as value
from {FORECASTS}
cross join lateral (
    values ('expected', expected), ('low', low), ('high', high), ('so far', to_date)
) as one (metric, value)
{where("$__timeFilter(as_of)", OF_ALL, f"{FORECASTS}.metric = 'billed'")}
    and month = date_trunc('month', as_of::timestamp)
order by 1, 2""",
    )


def _against_actual() -> AnyPanel:
    return rows(
        "Forecasts against actual (${currency})",
        "The first forecast of each month from its 10th day on, and what the days of the month cost, billed.",
        f"""with first_forecasts as (
    select distinct on (month)
        month,
        as_of,
        expected,
        low,
        high
    from {FORECASTS}
    {where(OF_ALL, "metric = 'billed'", "as_of >= month + 9")}
        and month between date_trunc('month', $__timeFrom()::timestamp)::date and ($__timeTo()::timestamp)::date
    order by month, as_of
),

actual as (
    select month, sum(cost) as cost
    from {SCHEMA}.costs_by_month
    {where("month in (select month from first_forecasts)")}
    group by month
)

select
    to_char(month, 'YYYY-MM') as "Month",
    as_of::text as "As of",
    expected as "Expected",
    low as "Low",
    high as "High",
    cost as "Actual until now",
    cost - expected as "Difference",
    (cost - expected) / nullif(expected, 0) as "Share"
from first_forecasts
inner join actual using (month)
order by month desc""",
        {
            **dict.fromkeys(("Expected", "Low", "High", "Actual until now", "Difference"), MONEY),
            "Share": SHARE,
        },
    )


def _by_source() -> AnyPanel:
    return rows(
        "Newest month by source (${currency})",
        "The newest forecast of each source, billed and effective.",
        f"""select distinct on (source, metric)
    source as "Source",
    metric as "Amount",
    to_char(month, 'YYYY-MM') as "Month",
    as_of::text as "As of",
    to_date as "So far",
    expected as "Expected",
    low as "Low",
    high as "High"
from {FORECASTS}
{where("source is not null and account_id is null and service is null", chosen("source", "source"))}
order by source, metric, month desc, as_of desc""",
        dict.fromkeys(("So far", "Expected", "Low", "High"), MONEY),
        {"Source": ("Explore this source", f"{COSTS_PAGE}/explore?filter=source:{clicked('Source')}")},
        span=24,
    )
