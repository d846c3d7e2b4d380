"""Commitments: how well Savings Plans, reservations and committed use discounts are used, and what they cover.

All of it is by billing month, because a bill states the unused part of a commitment once. The numbers come from
`focus_costs`, charge by charge, so a long range takes its time.
"""

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from dashboards.panels import (
    COSTS_PAGE,
    MONEY,
    MONTHS,
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
from dashboards.sql import CHARGES, COMMITMENT, chosen, named, where_charges
from dashboards.sql import MONTHS as IN_MONTHS
from dashboards.variables import account, cloud, commitment_type, common, currency, source

ACCOUNT = chosen("account", named("subaccountid"))
KIND = chosen("commitment", COMMITMENT)
COMMITTED = where_charges(ACCOUNT, KIND, "commitmentdiscountid is not null")
SPREAD = f"{COMMITTED}\n    and chargecategory = 'Usage'\n    and commitmentdiscountstatus is not null"
USED = "coalesce(sum(effectivecost) filter (where commitmentdiscountstatus = 'Used'), 0)"
UNUSED = "coalesce(sum(effectivecost) filter (where commitmentdiscountstatus = 'Unused'), 0)"
PAGE = f"{COSTS_PAGE}/commitments?currency=${{currency:percentencode}}&{MONTHS}"
# The list price of usage by service. Unused commitments have none. A service counts if a commitment covers some of it.
COVERED = f"""{CHARGES},

services as (
    select
        coalesce(servicename, '') as service,
        coalesce(sum(listcost) filter (where commitmentdiscountstatus = 'Used' and {KIND}), 0) as covered,
        sum(listcost) as list_cost
    from charges
    {where_charges(ACCOUNT, "chargecategory = 'Usage'", "commitmentdiscountstatus is distinct from 'Unused'")}
    group by 1
    having bool_or(commitmentdiscountstatus = 'Used' and {KIND})
)"""
NOTE = """Numbers go by **billing month**, whole. *Used* and *unused* are the parts of a commitment's effective cost.
*Coverage* is at list price, over the services that a commitment covers at all."""


def commitments(airflow: str) -> Dashboard:
    """Return the dashboard."""
    found = dashboard(
        "commitments",
        "Cloud costs: commitments",
        "How well Savings Plans, reservations and committed use discounts are used, and what they cover.",
        [*common(airflow), currency(), cloud(), source(), account(IN_MONTHS), commitment_type()],
        PAGE,
    )
    found.time("now-2M/M", "now").with_panel(note(NOTE))
    for panel in (*_totals(), *_over_time()):
        found.with_panel(panel)
    found.with_row(Row("Each commitment, and each service"))
    for panel in (_each(), _services()):
        found.with_panel(panel)
    return found


def _totals() -> list[AnyPanel]:
    return [
        number(
            "Utilization",
            "Used divided by used and unused.",
            f"with {CHARGES}\n\nselect {USED} / nullif({USED} + {UNUSED}, 0) as utilization\nfrom charges\n{SPREAD}",
            SHARE,
        ),
        number(
            "Unused (${currency})",
            "What commitments cost that nobody used.",
            f"with {CHARGES}\n\nselect {UNUSED} as unused\nfrom charges\n{SPREAD}",
            bad_above=0,
        ),
        number(
            "Coverage",
            "The covered part of the usage of services that commitments cover, at list price.",
            f"with {COVERED}\n\nselect sum(covered) / nullif(sum(list_cost), 0) as coverage\nfrom services",
            SHARE,
        ),
        number(
            "Saved by commitments (${currency})",
            "List price minus effective cost of the covered usage, minus what is unused.",
            f"with {CHARGES}\n\nselect coalesce(sum(listcost - effectivecost), 0) as saved\nfrom charges\n{SPREAD}",
        ),
    ]


def _over_time() -> list[AnyPanel]:
    return [
        bars(
            "Used and unused (${currency})",
            "The effective cost of commitments by billing month.",
            f"""with {CHARGES}

select
    billing_period::timestamp as time,
    lower(commitmentdiscountstatus) as metric,
    sum(effectivecost) as value
from charges
{SPREAD}
group by 1, 2
order by 1, 2 desc""",
        ),
        bars(
            "Bought (${currency})",
            "What was billed for commitments themselves by billing month: upfront and recurring fees.",
            f"""with {CHARGES}

select billing_period::timestamp as time, {COMMITMENT} as metric, sum(billedcost) as value
from charges
{COMMITTED}
    and chargecategory = 'Purchase'
group by 1, 2
order by 1, 2""",
        ),
    ]


def _each() -> AnyPanel:
    return rows(
        "Commitments (${currency})",
        "The least used first. Click an id for its page.",
        f"""with {CHARGES}

select
    commitmentdiscountid as "Commitment",
    coalesce(max(commitmentdiscountname), '') as "Name",
    {COMMITMENT} as "Kind",
    x_source as "Source",
    {USED} as "Used",
    {UNUSED} as "Unused",
    {USED} / nullif({USED} + {UNUSED}, 0) as "Utilization",
    coalesce(sum(listcost - effectivecost) filter (where commitmentdiscountstatus is not null), 0) as "Saved",
    coalesce(sum(billedcost) filter (where chargecategory = 'Purchase'), 0) as "Bought"
from charges
{COMMITTED}
group by commitmentdiscountid, commitmentdiscounttype, x_source
order by "Unused" desc, "Commitment\"""",
        {"Used": MONEY, "Unused": MONEY, "Utilization": SHARE, "Saved": MONEY, "Bought": MONEY},
        {
            "Commitment": ("Open commitments", PAGE),
            "Source": (
                "Explore this source",
                explore("billing", group="service", filter=f"source:{clicked('Source')}"),
            ),
        },
        span=24,
    )


def _services() -> AnyPanel:
    return rows(
        "Coverage by service (${currency})",
        "At list price. On demand is what no commitment covers.",
        f"""with {COVERED}

select
    service as "Service",
    covered as "Covered",
    list_cost - covered as "On demand",
    covered / nullif(list_cost, 0) as "Coverage"
from services
order by "On demand" desc, "Service\"""",
        {"Covered": MONEY, "On demand": MONEY, "Coverage": SHARE},
        {
            "Service": (
                "Explore this service",
                explore("billing", group="account_id", filter=f"service:{clicked('Service')}"),
            )
        },
        span=24,
    )
