"""Data quality: whether deliveries arrive and add up, and what restatements changed.

The range is of the times at which something was loaded. What readers see now does not depend on it.
"""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from dashboards.panels import COSTS_PAGE, MONEY, AnyPanel, bars, clicked, dashboard, note, number, rows
from dashboards.sql import SCHEMA, chosen
from dashboards.variables import all_sources, common, currency

SOURCES = chosen("source", "source")
PUBLISHED = f"{SCHEMA}.published_months"
LOADS = f"{SCHEMA}.load_history"
OF_READERS = f"""from {SCHEMA}.audit_results as results
inner join {PUBLISHED} as published on results.load_id in (published.load_id, published.normalized_load_id)
where not results.passed and {chosen("source", "results.source")}"""
LOAD_LINK = ("Open this load", f"{COSTS_PAGE}/loads/{clicked('Load')}")
CHANGES = f"{COSTS_PAGE}/changes?source={clicked('Source')}&billing_period={clicked('Month')}"
HOURS = "extract(epoch from now() - max(published_at)) / 3600"
# Hours, as stale_after_hours in sources.yaml unless it is set.
STALE = 48
NOTE = """The range takes **times of loads**. *Sources*, *Adds up*, *Readers see* and *Not proven* show what readers
see now, whatever the range. Restatements are in one currency."""


def data_quality(airflow: str) -> Dashboard:
    """Return the dashboard."""
    found = dashboard(
        "data-quality",
        "Cloud costs: data quality",
        "Whether deliveries arrive and add up, and what restatements changed.",
        [*common(airflow), currency(), all_sources()],
        f"{COSTS_PAGE}/months",
    )
    found.time("now-30d", "now").with_panel(note(NOTE))
    for panel in (*_totals(), _sources(), _adds_up()):
        found.with_panel(panel)
    for title, panels in {
        "Loads": [_loads_over_time(), _loads()],
        "Checks": [_violations(), _checks(), _notes()],
        "Restatements": [_restated_months(), _restated_services()],
    }.items():
        found.with_row(Row(title))
        for panel in panels:
            found.with_panel(panel)
    return found


def _totals() -> list[AnyPanel]:
    return [
        number(
            "Hours since the stalest source",
            "The time since the source that waits longest for its newest version. Providers deliver daily.",
            f"""select max(hours) as hours
from (select {HOURS} as hours from {PUBLISHED} where {SOURCES} group by source) as sources""",
            "none",
            bad_above=STALE,
        ),
        number(
            "Failed or rejected loads",
            "In the range. A month that failed stays as it was published before.",
            f"""select count(*) as loads
from {LOADS}
where $__timeFilter(started) and status in ('failed', 'rejected') and {SOURCES}""",
            "none",
            bad_above=0,
        ),
        number(
            "Checks with violations",
            "Of the versions that readers see now.",
            f"select count(*) as checks\n{OF_READERS}",
            "none",
            bad_above=0,
        ),
        number(
            "Restated months",
            "Months that a new version changed, in the range.",
            f"""select count(distinct (source, billing_period)) as months
from {SCHEMA}.restatements
where $__timeFilter(published_at) and currency = ${{currency:sqlstring}} and {SOURCES}""",
            "none",
        ),
    ]


def _sources() -> AnyPanel:
    return rows(
        "Sources",
        "One row for each source with a published month. Stale is a source whose newest month waits for two days.",
        f"""select
    source as "Source",
    to_char(max(billing_period), 'YYYY-MM') as "Newest month",
    max(published_at) as "Last published",
    {HOURS} as "Hours ago",
    case when {HOURS} > {STALE} then 'stale' else 'fresh' end as "State",
    count(*) as "Months",
    sum(rows) as "Lines"
from {PUBLISHED}
where {SOURCES}
group by source
order by "Hours ago" desc, source""",
        {"Hours ago": MONEY, "Months": "none", "Lines": "locale"},
        {"Source": ("Explore this source", f"{COSTS_PAGE}/explore?filter=source:{clicked('Source')}")},
        limits={"Hours ago": STALE},
    )


def _adds_up() -> AnyPanel:
    return rows(
        "Adds up",
        "The billed sum of the lines of each published month, and what readers see of it. The difference is exactly 0.",
        f"""with billed as (
    select published.source, published.billing_period, totals.key as currency, totals.value::numeric as lines
    from {PUBLISHED} as published
    inner join {LOADS} as loads on published.normalized_load_id = loads.load_id
    cross join lateral jsonb_each_text(loads.billed_cost) as totals
    where {chosen("source", "published.source")}
),

readable as (
    select source, billing_period, currency, sum(cost) as costs
    from {SCHEMA}.costs_by_month
    where {SOURCES}
    group by source, billing_period, currency
)

select
    source as "Source",
    to_char(billing_period, 'YYYY-MM') as "Month",
    currency as "Currency",
    coalesce(billed.lines, 0) as "Lines",
    coalesce(readable.costs, 0) as "Costs",
    coalesce(billed.lines, 0) - coalesce(readable.costs, 0) as "Difference"
from billed
full join readable using (source, billing_period, currency)
order by abs(coalesce(billed.lines, 0) - coalesce(readable.costs, 0)) desc, billing_period desc, source, currency""",
        {"Lines": MONEY, "Costs": MONEY, "Difference": MONEY},
        {"Month": ("What changed this month", CHANGES)},
        limits={"Difference": 0},
    )


def _loads_over_time() -> AnyPanel:
    return bars(
        "Loads by status",
        "By the time at which they began.",
        f"""select $__timeGroup(started, $__interval) as time, status as metric, count(*) as value
from {LOADS}
where $__timeFilter(started) and {SOURCES}
group by 1, 2
order by 1, 2""",
        "none",
    )


def _loads() -> AnyPanel:
    return rows(
        "Loads",
        "The newest 500 of the range.",
        f"""select
    load_id as "Load",
    source as "Source",
    to_char(billing_period, 'YYYY-MM') as "Month",
    status as "Status",
    started as "Began",
    extract(epoch from finished - started) as "Seconds",
    rows as "Lines",
    bytes as "Bytes",
    coalesce(error, '') as "Error"
from {LOADS}
where $__timeFilter(started) and {SOURCES}
order by load_id desc
limit 500""",
        {"Load": "none", "Seconds": MONEY, "Lines": "locale", "Bytes": "bytes"},
        {"Load": LOAD_LINK, "Month": ("What changed this month", CHANGES)},
    )


def _violations() -> AnyPanel:
    return rows(
        "Readers see",
        "Checks that found something in what readers see now: warnings, because an error is never published.",
        f"""select
    results.load_id as "Load",
    results.source as "Source",
    to_char(results.billing_period, 'YYYY-MM') as "Month",
    results.check_name as "Check",
    results.severity as "Severity",
    results.violations as "Violations"
{OF_READERS}
order by results.billing_period desc, results.source, results.check_name""",
        {"Load": "none", "Violations": "locale"},
        {"Load": LOAD_LINK},
    )


def _checks() -> AnyPanel:
    return rows(
        "Checks of the range",
        "How often each check ran, and how often it found something.",
        f"""select
    check_name as "Check",
    max(severity) as "Severity",
    count(*) as "Runs",
    count(*) filter (where not passed) as "With violations",
    sum(violations) as "Violations",
    max(seconds) as "Slowest, seconds"
from {SCHEMA}.audit_results
where $__timeFilter(checked_at) and {SOURCES}
group by check_name
order by "With violations" desc, check_name""",
        {"Runs": "locale", "With violations": "locale", "Violations": "locale", "Slowest, seconds": MONEY},
    )


def _notes() -> AnyPanel:
    return rows(
        "Not proven",
        "What nothing proves of the versions that readers see.",
        f"""select load_id as "Load", source as "Source", to_char(billing_period, 'YYYY-MM') as "Month", note as "Note"
from {PUBLISHED}
where note is not null and {SOURCES}
order by billing_period desc, source""",
        {"Load": "none"},
        {"Load": LOAD_LINK},
        span=24,
    )


def _restated_months() -> AnyPanel:
    return rows(
        "Restated months (${currency})",
        "What each new version changed, in the range.",
        f"""select
    load_id as "Load",
    source as "Source",
    to_char(billing_period, 'YYYY-MM') as "Month",
    published_at as "Published",
    coalesce(previous_version, '') as "Version before",
    coalesce(version, '') as "Version",
    sum(line_items_change) as "Lines",
    sum(cost_change) as "Billed",
    sum(effective_cost_change) as "Effective"
from {SCHEMA}.restatements
where $__timeFilter(published_at) and currency = ${{currency:sqlstring}} and {SOURCES}
group by load_id, source, billing_period, published_at, previous_version, version
order by load_id desc""",
        {"Load": "none", "Lines": "locale", "Billed": MONEY, "Effective": MONEY},
        {"Load": LOAD_LINK, "Month": ("What changed this month", CHANGES)},
        limits={"Billed": 0, "Effective": 0},
    )


def _restated_services() -> AnyPanel:
    return rows(
        "Restated accounts and services (${currency})",
        "The same, by account and service.",
        f"""select
    load_id as "Load",
    source as "Source",
    to_char(billing_period, 'YYYY-MM') as "Month",
    account_id as "Account",
    service as "Service",
    charge_category as "Kind",
    line_items_change as "Lines",
    cost_change as "Billed",
    effective_cost_change as "Effective"
from {SCHEMA}.restatements
where $__timeFilter(published_at) and currency = ${{currency:sqlstring}} and {SOURCES}
order by load_id desc, abs(cost_change) desc, account_id, service, charge_category""",
        {"Load": "none", "Lines": "locale", "Billed": MONEY, "Effective": MONEY},
        {"Load": LOAD_LINK, "Month": ("What changed this month", CHANGES)},
        limits={"Billed": 0, "Effective": 0},
    )
